"""The XML documents that clients send, read strictly: what is not in the schema of S3 is ``MalformedXML``.

Documents may leave out the namespace of S3, and may name no other. A document type declaration is refused, so there
are no entities; nothing is ever fetched.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import attrs
from lxml import etree

from twisted_s3.errors import S3Error
from twisted_s3.protocol.checksums import ALGORITHMS
from twisted_s3.protocol.dates import parse_http_date
from twisted_s3.protocol.xmldocs import NAMESPACE

#: The longest document that is read, in bytes: 1,000 keys of 1,024 characters, each written as a reference.
MAX_DOCUMENT_SIZE = 8 * 1024 * 1024

#: How many keys a DeleteObjects may name, and how many parts a CompleteMultipartUpload.
MAX_DELETIONS = 1000
MAX_PARTS = 10_000

#: How many tags an object may have, and how many characters a tag's key and value.
MAX_TAGS = 10
MAX_TAG_KEY = 128
MAX_TAG_VALUE = 256

_PART_MEMBERS = frozenset({"PartNumber", "ETag", *(f"Checksum{algorithm}" for algorithm in ALGORITHMS)})
_OBJECT_MEMBERS = frozenset({"Key", "VersionId", "ETag", "LastModifiedTime", "Size"})
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


@attrs.frozen
class DeleteEntry:
    """One object that a DeleteObjects names, with the conditions for it.

    :ivar etag: as the client wrote it, quoted or not, or ``*``.
    :ivar last_modified: seconds since the epoch.
    """

    key: str
    version_id: str | None = None
    etag: str | None = None
    last_modified: float | None = None
    size: int | None = None


@attrs.frozen
class DeleteRequest:
    """What a DeleteObjects asks for. ``quiet``: only failures are to be reported."""

    entries: tuple[DeleteEntry, ...]
    quiet: bool = False


@attrs.frozen
class CompletedPart:
    """One part that a CompleteMultipartUpload names.

    :ivar etag: without quotes.
    :ivar checksums: algorithm to base64 value, as the client claims.
    """

    number: int
    etag: str
    checksums: Mapping[str, str] = attrs.field(factory=dict)


def parse_create_bucket(body: bytes) -> str:
    """Read ``CreateBucketConfiguration``: the location constraint, "" when there is none or no document.

    :raise S3Error: ``MalformedXML``; ``NotImplemented`` for tags and for directory buckets.
    """
    if not body.strip():
        return ""
    root = _parse(body, "CreateBucketConfiguration")
    members = _members(root, {"LocationConstraint", "Location", "Bucket", "Tags"})
    if members.keys() - {"LocationConstraint"}:
        raise S3Error("NotImplemented")
    constraint = members.get("LocationConstraint")
    return "" if constraint is None else _text(constraint).strip()


def parse_delete(body: bytes) -> DeleteRequest:
    """Read ``Delete``: 1 to 1,000 objects. Keys keep their white space.

    :raise S3Error: ``MalformedXML``.
    """
    root = _parse(body, "Delete")
    quiet: bool | None = None
    entries: list[DeleteEntry] = []
    for child in _children(root):
        name = _name(child)
        if name == "Object" and len(entries) < MAX_DELETIONS:
            entries.append(_delete_entry(child))
        elif name == "Quiet" and quiet is None:
            quiet = _BOOLEANS.get(_text(child).strip())
            if quiet is None:
                raise S3Error("MalformedXML")
        else:
            raise S3Error("MalformedXML")
    if not entries:
        raise S3Error("MalformedXML")
    return DeleteRequest(tuple(entries), bool(quiet))


def parse_complete_multipart_upload(body: bytes) -> tuple[CompletedPart, ...]:
    """Read ``CompleteMultipartUpload``: 1 to 10,000 parts, in the order of the document.

    :raise S3Error: ``MalformedXML``; ``InvalidArgument`` for a part number below 1.
    """
    root = _parse(body, "CompleteMultipartUpload")
    parts: list[CompletedPart] = []
    for child in _children(root):
        if _name(child) != "Part" or len(parts) == MAX_PARTS:
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
    members = _members(_parse(body, "Tagging"), {"TagSet"})
    if "TagSet" not in members:
        raise S3Error("MalformedXML")
    tags: dict[str, str] = {}
    for child in _children(members["TagSet"]):
        texts = _texts(child, {"Key", "Value"})
        if _name(child) != "Tag" or len(texts) != 2:
            raise S3Error("MalformedXML")
        key, value = texts["Key"], texts["Value"]
        if not 0 < len(key) <= MAX_TAG_KEY:
            raise S3Error("InvalidTag", "The TagKey you have provided is invalid", {"TagKey": key})
        if len(value) > MAX_TAG_VALUE:
            raise S3Error("InvalidTag", "The TagValue you have provided is invalid", {"TagKey": key, "TagValue": value})
        if key in tags:
            raise S3Error("InvalidTag", "Cannot provide multiple Tags with the same key", {"TagKey": key})
        tags[key] = value
    if len(tags) > limit:
        raise S3Error("BadRequest", f"Object tags cannot be greater than {limit}")
    return tags


def _delete_entry(node: etree._Element) -> DeleteEntry:
    texts = _texts(node, _OBJECT_MEMBERS)
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
        size=None if size is None else _integer(size),
    )


def _completed_part(node: etree._Element) -> CompletedPart:
    texts = _texts(node, _PART_MEMBERS)
    if "PartNumber" not in texts or "ETag" not in texts:
        raise S3Error("MalformedXML")
    number = _integer(texts.pop("PartNumber"))
    if number < 1:
        elements = {"ArgumentName": "partNumber", "ArgumentValue": str(number)}
        raise S3Error("InvalidArgument", "PartNumber must be >= 1", elements)
    etag = texts.pop("ETag").strip().strip('"')
    return CompletedPart(number, etag, {name.removeprefix("Checksum"): text.strip() for name, text in texts.items()})


def _parse(body: bytes, root_name: str) -> etree._Element:
    """Parse a whole document, whose root must be of that name."""
    if len(body) > MAX_DOCUMENT_SIZE:
        raise S3Error("MaxMessageLengthExceeded", elements={"MaxMessageLengthBytes": str(MAX_DOCUMENT_SIZE)})
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError, LookupError):
        raise S3Error("MalformedXML") from None
    if root.getroottree().docinfo.internalDTD is not None or _name(root) != root_name:
        raise S3Error("MalformedXML")
    return root


def _name(node: etree._Element) -> str:
    """The name of an element that is in no namespace or in that of S3; "" for any other node."""
    tag = node.tag
    if not isinstance(tag, str):
        return ""
    namespace, _, name = tag.rpartition("}")
    return name if namespace in ("", "{" + NAMESPACE) else ""


def _children(node: etree._Element) -> list[etree._Element]:
    """The elements in an element that holds nothing else."""
    children = list(node)
    if (node.text or "").strip() or any((child.tail or "").strip() for child in children):
        raise S3Error("MalformedXML")
    return children


def _members(node: etree._Element, allowed: Collection[str]) -> dict[str, etree._Element]:
    """The elements in an element by name: each at most once, and only those allowed."""
    members: dict[str, etree._Element] = {}
    for child in _children(node):
        name = _name(child)
        if name not in allowed or name in members:
            raise S3Error("MalformedXML")
        members[name] = child
    return members


def _texts(node: etree._Element, allowed: Collection[str]) -> dict[str, str]:
    return {name: _text(child) for name, child in _members(node, allowed).items()}


def _text(node: etree._Element) -> str:
    if len(node):
        raise S3Error("MalformedXML")
    return node.text or ""


def _integer(text: str) -> int:
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) < 20):
        raise S3Error("MalformedXML")
    return int(digits)
