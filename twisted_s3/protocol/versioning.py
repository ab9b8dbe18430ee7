"""The document of PutBucketVersioning and GetBucketVersioning.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketVersioning.html
"""

from __future__ import annotations

from twisted_s3.errors import S3Error
from twisted_s3.model import ENABLED, SUSPENDED
from twisted_s3.protocol import xmldocs
from twisted_s3.protocol.xmlreading import parse_document, texts_of

_MFA_HEADER = "x-amz-mfa"


def parse_versioning(body: bytes) -> str:
    """Read ``VersioningConfiguration``: the state that is asked for.

    :raise S3Error: ``MalformedXML``; ``IllegalVersioningConfigurationException`` where no state is asked for;
        ``NotImplemented`` for ``MfaDelete``, which only the root account of AWS can turn on.
    """
    texts = {
        name: text.strip()
        for name, text in texts_of(
            parse_document(body, "VersioningConfiguration"), {"Status", "MFADelete", "MfaDelete"}
        ).items()
    }
    mfa = texts.get("MfaDelete", texts.get("MFADelete", "Disabled"))
    status = texts.get("Status")
    if mfa not in ("Enabled", "Disabled") or status not in (None, ENABLED, SUSPENDED):
        raise S3Error("MalformedXML")
    if mfa == "Enabled":
        raise S3Error("NotImplemented", elements={"Header": _MFA_HEADER})
    if status is None:
        raise S3Error("IllegalVersioningConfigurationException")
    return status


def versioning_document(state: str) -> bytes:
    """Write ``VersioningConfiguration``, which is empty for a bucket that was never versioned."""
    return xmldocs.document("VersioningConfiguration", xmldocs.optional("Status", state))
