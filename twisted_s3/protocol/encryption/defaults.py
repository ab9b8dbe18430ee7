"""How a bucket says that its objects are to be encrypted.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketEncryption.html
"""

from __future__ import annotations

import msgspec
from msgspec import Struct, structs

from twisted_s3.errors import S3Error
from twisted_s3.model import SSE_C, SSE_KMS, SSE_S3, Bucket
from twisted_s3.protocol.encryption.headers import Wanted
from twisted_s3.protocol.xmldocs import document, element
from twisted_s3.protocol.xmlreading import (
    Element,
    boolean_of,
    children_of,
    members_of,
    name_of,
    parse_document,
    text_of,
    texts_of,
)

#: The name of the configuration document.
ENCRYPTION = "encryption"

_NONE = "NONE"


class BucketEncryption(Struct, frozen=True):
    """The one rule of a bucket.

    :ivar default: what holds where a request says nothing; its kind is "" for nothing.
    :ivar blocked: ``SSE-C`` when writes with a customer's key are refused, ``NONE`` when not; "" where nothing is said.
    """

    default: Wanted = msgspec.field(default_factory=Wanted)
    blocked: str = ""

    @property
    def blocks_customer_keys(self) -> bool:
        """Whether writes with a customer's key are refused."""
        return self.blocked == SSE_C


def parse_bucket_encryption(body: bytes) -> BucketEncryption:
    """Read ``ServerSideEncryptionConfiguration``.

    :raise S3Error: ``MalformedXML``; ``InvalidArgument`` for a key that is not applicable; ``NotImplemented`` for what
        AWS has and is not built.
    """
    rules = children_of(parse_document(body, "ServerSideEncryptionConfiguration"))
    if len(rules) != 1 or name_of(rules[0]) != "Rule":
        raise S3Error("MalformedXML")
    members = members_of(rules[0], {"ApplyServerSideEncryptionByDefault", "BucketKeyEnabled", "BlockedEncryptionTypes"})
    applied, bucket_key = members.get("ApplyServerSideEncryptionByDefault"), members.get("BucketKeyEnabled")
    blocked = members.get("BlockedEncryptionTypes")
    if applied is None and blocked is None:
        raise S3Error("MalformedXML")
    default = Wanted() if applied is None else _default(applied)
    if bucket_key is not None:
        default = structs.replace(default, bucket_key=boolean_of(text_of(bucket_key)))
    return BucketEncryption(default, "" if blocked is None else _blocked(blocked))


def _default(applied: Element) -> Wanted:
    texts = texts_of(applied, {"SSEAlgorithm", "KMSMasterKeyID"})
    kind, key = texts.get("SSEAlgorithm", "").strip(), texts.get("KMSMasterKeyID", "").strip()
    if kind in ("aws:kms:dsse", "aws:fsx", "aws:backup"):
        raise S3Error("NotImplemented", elements={"Element": "SSEAlgorithm"})
    if kind not in (SSE_S3, SSE_KMS):
        raise S3Error("MalformedXML")
    if key and kind != SSE_KMS:
        raise S3Error(
            "InvalidArgument",
            "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse",
            {"ArgumentName": "ApplyServerSideEncryptionByDefault"},
        )
    if not (key.isascii() and key.isprintable()):
        # It would be given back in a header.
        raise S3Error(
            "InvalidArgument",
            "The KMSMasterKeyID is not well formed",
            {"ArgumentName": "KMSMasterKeyID", "ArgumentValue": key},
        )
    return Wanted(kind, key)


def _blocked(blocked: Element) -> str:
    types = {text_of(child).strip() for child in children_of(blocked)}
    if any(name_of(child) != "EncryptionType" for child in blocked) or types not in ({_NONE}, {SSE_C}):
        raise S3Error("MalformedXML")
    return types.pop()


def bucket_encryption_document(encryption: BucketEncryption) -> bytes:
    """Write ``ServerSideEncryptionConfiguration``."""
    default = encryption.default
    rule = ""
    if default.kind:
        key = element("KMSMasterKeyID", default.key) if default.key else ""
        algorithm = element("SSEAlgorithm", default.kind)
        rule += f"<ApplyServerSideEncryptionByDefault>{algorithm}{key}</ApplyServerSideEncryptionByDefault>"
    if encryption.blocked:
        rule += f"<BlockedEncryptionTypes>{element('EncryptionType', encryption.blocked)}</BlockedEncryptionTypes>"
    rule += element("BucketKeyEnabled", "true" if default.bucket_key else "false")
    return document("ServerSideEncryptionConfiguration", f"<Rule>{rule}</Rule>")


def accepted(body: bytes, bucket: Bucket) -> bytes:
    """What to store of a document that came for a bucket. One that says nothing of what is blocked changes nothing of
    that.

    :raise S3Error: as `parse_bucket_encryption`.
    """
    encryption = parse_bucket_encryption(body)
    before = bucket.configuration(ENCRYPTION)
    if not encryption.blocked and before is not None:
        encryption = structs.replace(encryption, blocked=parse_bucket_encryption(before).blocked)
    return bucket_encryption_document(encryption)


#: A bucket whose objects are encrypted with the server's key, as those of every new bucket are on AWS.
ENCRYPTED = bucket_encryption_document(BucketEncryption(Wanted(SSE_S3)))
