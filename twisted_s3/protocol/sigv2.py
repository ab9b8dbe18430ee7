"""AWS Signature Version 2, in the ``Authorization`` header and in the query.

"Signing and Authenticating REST Requests" in the Amazon S3 User Guide
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/RESTAuthentication.html).
It signs neither most headers nor most of the query, so every query parameter that selects an operation
or changes what is answered is counted as a sub-resource here.
"""

from __future__ import annotations

import hmac
import re
from base64 import b64encode
from collections.abc import Mapping
from typing import ClassVar
from urllib.parse import unquote_to_bytes

from msgspec import Struct

from twisted_s3.discreet import Discreet
from twisted_s3.errors import S3Error
from twisted_s3.protocol.head import RequestHead
from twisted_s3.protocol.sigv4 import check_skew, clock_text, headers_in_query, mismatch, request_seconds

#: Query parameters that are signed, when they are there, as part of the resource.
SUB_RESOURCES = frozenset(
    {
        "abac",
        "accelerate",
        "acl",
        "analytics",
        "annotation",
        "annotations",
        "append",
        "attributes",
        "cors",
        "defaultObjectAcl",
        "delete",
        "encryption",
        "intelligent-tiering",
        "inventory",
        "legal-hold",
        "lifecycle",
        "location",
        "logging",
        "metadataAnnotationTable",
        "metadataConfiguration",
        "metadataInventoryTable",
        "metadataJournalTable",
        "metadataTable",
        "metrics",
        "notification",
        "object-lock",
        "ownershipControls",
        "partNumber",
        "policy",
        "policyStatus",
        "publicAccessBlock",
        "renameObject",
        "replication",
        "requestPayment",
        "response-cache-control",
        "response-content-disposition",
        "response-content-encoding",
        "response-content-language",
        "response-content-type",
        "response-expires",
        "restore",
        "retention",
        "select",
        "select-type",
        "session",
        "storageClass",
        "tagging",
        "torrent",
        "uploadId",
        "uploads",
        "versionId",
        "versioning",
        "versions",
        "website",
    }
)

_EXPIRES = re.compile("[0-9]{1,11}")
_HEADER = re.compile(r"AWS +(\S+):(\S+)")


class Claim(Discreet, Struct, frozen=True):
    """What a request says of who signed it.

    :ivar expires: of a presigned URL, in seconds since the epoch; None for the header form.
    """

    HIDDEN: ClassVar = ("signature",)

    access_key: str
    signature: str
    expires: int | None = None


def claim_header(authorization: str) -> Claim:
    """Read ``Authorization: AWS key:signature``. :raise S3Error: ``InvalidArgument``."""
    match = _HEADER.fullmatch(authorization)
    if match is None:
        raise S3Error(
            "InvalidArgument",
            "AWS authorization header is invalid.  Expected AwsAccessKeyId:signature",
            {"ArgumentName": "Authorization"},
        )
    return Claim(match[1], match[2])


def claim_query(head: RequestHead) -> Claim:
    """Read a presigned URL. :raise S3Error: ``AccessDenied``."""
    parameters = head.parameters
    access_key, signature, expires = (parameters.get(name) for name in ("AWSAccessKeyId", "Signature", "Expires"))
    if not access_key or not signature or not expires:
        raise S3Error(
            "AccessDenied",
            "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters",
        )
    if _EXPIRES.fullmatch(expires) is None:
        raise S3Error("AccessDenied", f"Invalid date (should be seconds since epoch): {expires}")
    return Claim(access_key, signature, int(expires))


def implied_headers(head: RequestHead) -> Mapping[str, str]:
    """The parameters of a presigned URL that count as headers, where the request has no such header."""
    return headers_in_query(head, ("content-md5", "content-type"))


def verify(claim: Claim, head: RequestHead, secret_key: str, now: float, virtual_bucket: str | None = None) -> None:
    """Check time and signature.

    :param now: seconds since the epoch.
    :param virtual_bucket: the bucket that the host names, else None.
    :raise S3Error: ``AccessDenied`` (no date, expired), ``RequestTimeTooSkewed``, ``SignatureDoesNotMatch``.
    """
    implied: Mapping[str, str] = {}
    if claim.expires is None:
        seconds = request_seconds(head)
        check_skew(seconds, head.header("x-amz-date") or head.header("date") or "", now)
        date = "" if "x-amz-date" in head.headers else head.header("date") or ""
    else:
        if now > claim.expires:
            raise S3Error(
                "AccessDenied",
                "Request has expired",
                {"Expires": clock_text(claim.expires), "ServerTime": clock_text(now)},
            )
        implied = implied_headers(head)
        date = str(claim.expires)
    resource = _canonical_resource(head, virtual_bucket)
    to_sign = _string_to_sign(head, date, implied, resource)
    if _agrees(claim, secret_key, to_sign):
        return
    # Botocore and s3cmd sign the path of a bucket with a slash behind it that they do not send.
    bare = virtual_bucket is None and head.path.count(b"/") == 1 and head.path != b"/"
    slashed = resource.replace(head.path, head.path + b"/", 1)
    if not (bare and _agrees(claim, secret_key, _string_to_sign(head, date, implied, slashed))):
        raise mismatch(claim.access_key, to_sign, claim.signature)


def _agrees(claim: Claim, secret_key: str, to_sign: bytes) -> bool:
    signature = b64encode(hmac.digest(secret_key.encode("utf-8"), to_sign, "sha1"))
    return hmac.compare_digest(signature, claim.signature.encode("utf-8"))


def _string_to_sign(head: RequestHead, date: str, implied: Mapping[str, str], resource: bytes) -> bytes:
    headers = {name: value.encode("utf-8") for name, value in implied.items()}
    headers.update((name, ",".join(values).encode("latin-1", "replace")) for name, values in head.headers.items())
    lines = [
        head.method.encode("ascii", "replace"),
        headers.get("content-md5", b""),
        headers.get("content-type", b""),
        date.encode("latin-1", "replace"),
    ]
    lines += [b"%b:%b" % (name.encode("utf-8"), headers[name]) for name in sorted(headers) if name[:6] == "x-amz-"]
    lines.append(resource)
    return b"\n".join(lines)


def _canonical_resource(head: RequestHead, virtual_bucket: str | None) -> bytes:
    resource = head.path or b"/"
    if virtual_bucket is not None:
        resource = b"/" + virtual_bucket.encode("utf-8") + resource
    signed = []
    for item in head.query.split(b"&"):
        raw_name, equals, raw_value = item.partition(b"=")
        name = _unquote(raw_name)
        if name.decode("latin-1") in SUB_RESOURCES:
            signed.append((name, equals + _unquote(raw_value)))
    if not signed:
        return resource
    signed.sort(key=lambda pair: pair[0])
    return resource + b"?" + b"&".join(name + value for name, value in signed)


def _unquote(raw: bytes) -> bytes:
    return unquote_to_bytes(raw.replace(b"+", b" "))
