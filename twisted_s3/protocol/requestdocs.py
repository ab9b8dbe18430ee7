"""The XML documents that clients send, read strictly: what is not in the schema of S3 is ``MalformedXML``.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from twisted_s3.errors import S3Error
from twisted_s3.protocol.checksums import ALGORITHMS
from twisted_s3.protocol.dates import parse_http_date
from twisted_s3.protocol.tagging import MAX_TAGS, checked_tags
from twisted_s3.protocol.xmlreading import (
    Element,
    boolean_of,
    children_of,
    integer_of,
    members_of,
    name_of,
    parse_document,
    text_of,
    texts_of,
)

#: How many keys a DeleteObjects may name, and how many parts a CompleteMultipartUpload.
MAX_DELETIONS = 1000
MAX_PARTS = 10_000

_PART_MEMBERS = frozenset({"PartNumber", "ETag", *(f"Checksum{algorithm}" for algorithm in ALGORITHMS)})
_RESTORE_MEMBERS = frozenset(
    {"Days", "GlacierJobParameters", "Type", "Tier", "Description", "SelectParameters", "OutputLocation"}
)
_OBJECT_MEMBERS = frozenset({"Key", "VersionId", "ETag", "LastModifiedTime", "Size"})


class DeleteEntry(Struct, frozen=True):
    """One object that a DeleteObjects names, with the conditions for it.

    :ivar etag: as the client wrote it, quoted or not, or ``*``.
    :ivar last_modified: seconds since the epoch.
    """

    key: str
    version_id: str | None = None
    etag: str | None = None
    last_modified: float | None = None
    size: int | None = None


class DeleteRequest(Struct, frozen=True):
    """What a DeleteObjects asks for. ``quiet``: only failures are to be reported."""

    entries: tuple[DeleteEntry, ...]
    quiet: bool = False


class CompletedPart(Struct, frozen=True):
    """One part that a CompleteMultipartUpload names.

    :ivar etag: without quotes.
    :ivar checksums: algorithm to base64 value, as the client claims.
    """

    number: int
    etag: str
    checksums: Mapping[str, str] = {}


def parse_create_bucket(body: bytes) -> str:
    """Read ``CreateBucketConfiguration``: the location constraint, "" when there is none or no document.

    :raise S3Error: ``MalformedXML``; ``NotImplemented`` for tags and for directory buckets.
    """
    if not body.strip():
        return ""
    root = parse_document(body, "CreateBucketConfiguration")
    members = members_of(root, {"LocationConstraint", "Location", "Bucket", "Tags"})
    if members.keys() - {"LocationConstraint"}:
        raise S3Error("NotImplemented")
    constraint = members.get("LocationConstraint")
    return "" if constraint is None else text_of(constraint).strip()


def parse_delete(body: bytes) -> DeleteRequest:
    """Read ``Delete``: 1 to 1,000 objects. Keys keep their white space.

    :raise S3Error: ``MalformedXML``.
    """
    root = parse_document(body, "Delete")
    quiet: bool | None = None
    entries: list[DeleteEntry] = []
    for child in children_of(root):
        name = name_of(child)
        if name == "Object" and len(entries) < MAX_DELETIONS:
            entries.append(_delete_entry(child))
        elif name == "Quiet" and quiet is None:
            quiet = boolean_of(text_of(child))
        else:
            raise S3Error("MalformedXML")
    if not entries:
        raise S3Error("MalformedXML")
    return DeleteRequest(tuple(entries), bool(quiet))


def parse_complete_multipart_upload(body: bytes) -> tuple[CompletedPart, ...]:
    """Read ``CompleteMultipartUpload``: 1 to 10,000 parts, in the order of the document.

    :raise S3Error: ``MalformedXML``; ``InvalidArgument`` for a part number below 1.
    """
    root = parse_document(body, "CompleteMultipartUpload")
    parts: list[CompletedPart] = []
    for child in children_of(root):
        if name_of(child) != "Part" or len(parts) == MAX_PARTS:
            raise S3Error("MalformedXML")
        parts.append(_completed_part(child))
    if not parts:
        raise S3Error("MalformedXML")
    return tuple(parts)


def parse_tagging(body: bytes, limit: int = MAX_TAGS) -> Mapping[str, str]:
    """Read ``Tagging``: the tags in the order of the document.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html

    :param limit: how many there may be.
    :raise S3Error: ``MalformedXML``, ``InvalidTag``, ``BadRequest``.
    """
    members = members_of(parse_document(body, "Tagging"), {"TagSet"})
    if "TagSet" not in members:
        raise S3Error("MalformedXML")
    tags: list[tuple[str, str]] = []
    for child in children_of(members["TagSet"]):
        texts = texts_of(child, {"Key", "Value"})
        if name_of(child) != "Tag" or len(texts) != 2:
            raise S3Error("MalformedXML")
        tags.append((texts["Key"], texts["Value"]))
    return checked_tags(tags, limit)


def check_restore_request(body: bytes) -> None:
    """Read ``RestoreRequest``, of which nothing counts here. None stands for one that asks for nothing special.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_RestoreObject.html

    :raise S3Error: ``MalformedXML``.
    """
    if body.strip():
        members = members_of(parse_document(body, "RestoreRequest"), _RESTORE_MEMBERS)
        if "Days" in members and integer_of(text_of(members["Days"])) < 1:
            raise S3Error("MalformedXML")


def _delete_entry(node: Element) -> DeleteEntry:
    texts = texts_of(node, _OBJECT_MEMBERS)
    key = texts.get("Key")
    if not key:
        raise S3Error("MalformedXML")
    size = texts.get("Size")
    modified: float | None = None
    if "LastModifiedTime" in texts:
        modified = parse_http_date(texts["LastModifiedTime"].strip())
        if modified is None:
            raise S3Error("MalformedXML")
    return DeleteEntry(
        key=key,
        version_id=texts.get("VersionId") or None,
        etag=texts.get("ETag"),
        last_modified=modified,
        size=None if size is None else integer_of(size),
    )


def _completed_part(node: Element) -> CompletedPart:
    texts = texts_of(node, _PART_MEMBERS)
    if "PartNumber" not in texts or "ETag" not in texts:
        raise S3Error("MalformedXML")
    number = integer_of(texts.pop("PartNumber"))
    if number < 1:
        elements = {"ArgumentName": "partNumber", "ArgumentValue": str(number)}
        raise S3Error("InvalidArgument", "PartNumber must be >= 1", elements)
    etag = texts.pop("ETag").strip().strip('"')
    return CompletedPart(number, etag, {name.removeprefix("Checksum"): text.strip() for name, text in texts.items()})
