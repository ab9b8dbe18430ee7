"""Headers that operations share: what they must refuse, what they give back."""

from __future__ import annotations

from collections.abc import Iterator

from twisted_s3.errors import S3Error
from twisted_s3.model import Bucket, ObjectVersion
from twisted_s3.protocol.checksums import algorithm_of, header_name
from twisted_s3.protocol.dates import format_http_date
from twisted_s3.protocol.head import RequestHead

#: Headers of a write that ask for what is not built: ignoring one would break a promise to the client.
_UNBUILT = (
    "x-amz-object-lock-event-hold",
    "x-amz-write-offset-bytes",
)


def refuse_unbuilt(head: RequestHead) -> None:
    """Refuse a write whose head asks for more than is built, or for a version: what is written is always new.

    :raise S3Error: ``NotImplemented``, ``InvalidArgument``.
    """
    if "versionId" in head.parameters:
        raise S3Error(
            "InvalidArgument",
            "This operation does not accept a version-id.",
            {"ArgumentName": "versionId", "ArgumentValue": head.parameters["versionId"]},
        )
    for name in head.headers:
        if name.startswith(_UNBUILT) and head.header(name) != "false":
            raise S3Error("NotImplemented", elements={"Header": name})


def check_expected_owner(head: RequestHead, bucket: Bucket, header: str = "x-amz-expected-bucket-owner") -> None:
    """Hold a bucket's owner against the one that the client expects, by canonical id.

    :raise S3Error: ``AccessDenied``.
    """
    expected = head.header(header)
    if expected is not None and expected != bucket.owner:
        raise S3Error("AccessDenied")


def require_digest(head: RequestHead, why: str = "Missing required header for this request: Content-MD5") -> None:
    """Refuse a request that can not be told from one that was damaged on its way.

    :param why: the message of the refusal.
    :raise S3Error: ``InvalidRequest``.
    """
    names = head.headers
    if "content-md5" in names or "x-amz-trailer" in names:
        return
    if not any(algorithm_of(name) for name in names):
        raise S3Error("InvalidRequest", why)


def etag_header(etag: str) -> tuple[str, str]:
    """The ``ETag`` header."""
    return "ETag", f'"{etag}"'


def checksum_headers(version: ObjectVersion) -> Iterator[tuple[str, str]]:
    """The ``x-amz-checksum-*`` headers of an object."""
    for algorithm, value in version.checksums.items():
        yield header_name(algorithm), value
    if version.checksums:
        yield "x-amz-checksum-type", version.checksum_type


def validators(version: ObjectVersion) -> tuple[tuple[str, str], ...]:
    """The headers that say which bytes these are."""
    return (
        ("Last-Modified", format_http_date(version.last_modified)),
        etag_header(version.etag),
        ("Accept-Ranges", "bytes"),
    )
