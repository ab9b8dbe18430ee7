"""GetObjectAttributes on the wire (https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html)."""

from __future__ import annotations

from collections.abc import Iterator

from twisted_s3.errors import S3Error
from twisted_s3.model import COMPOSITE, ObjectVersion
from twisted_s3.protocol.head import RequestHead
from twisted_s3.protocol.listing import parts_page
from twisted_s3.protocol.xmldocs import document, element

_HEADER = "x-amz-object-attributes"
_NAMES = ("ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize")

#: The most parts of one answer.
MAX_PARTS = 1000


def wanted_attributes(head: RequestHead) -> frozenset[str]:
    """The attributes that a request asks for.

    :raise S3Error: ``InvalidRequest`` when there are none, ``InvalidArgument`` for one that S3 does not have.
    """
    names = [name for name in (part.strip() for part in (head.header(_HEADER) or "").split(",")) if name]
    if not names:
        raise S3Error(
            "InvalidRequest",
            f"The {_HEADER} header specifying the attributes to be retrieved is either missing or empty",
        )
    for name in names:
        if name not in _NAMES:
            raise S3Error(
                "InvalidArgument",
                "Invalid attribute name specified.",
                {"ArgumentName": _HEADER, "ArgumentValue": name},
            )
    return frozenset(names)


def attributes_document(head: RequestHead, version: ObjectVersion, wanted: frozenset[str]) -> bytes:
    """Write the attributes of an object that are wanted, with the page of parts that the request asks for."""
    written = {
        "ETag": lambda: element("ETag", version.etag),
        "Checksum": lambda: _checksum(version),
        "ObjectParts": lambda: _parts(head, version),
        "StorageClass": lambda: element("StorageClass", version.properties.storage_class),
        "ObjectSize": lambda: element("ObjectSize", version.size),
    }
    return document("GetObjectAttributesResponse", *(written[name]() for name in _NAMES if name in wanted))


def _checksum(version: ObjectVersion) -> str:
    if not version.checksums:
        return ""
    # The number of parts is not shown here, but behind the composite checksum everywhere else.
    values = (element(f"Checksum{name}", value.partition("-")[0]) for name, value in version.checksums.items())
    return f"<Checksum>{''.join(values)}{element('ChecksumType', version.checksum_type)}</Checksum>"


def _parts(head: RequestHead, version: ObjectVersion) -> str:
    if not version.parts:
        return ""
    # AWS only counts the parts of an object whose checksum is not made of theirs.
    listed = "".join(_page(head, version)) if version.checksum_type == COMPOSITE else ""
    return f"<ObjectParts>{listed}{element('PartsCount', len(version.parts))}</ObjectParts>"


def _page(head: RequestHead, version: ObjectVersion) -> Iterator[str]:
    limit = min(_number(head, "x-amz-max-parts", MAX_PARTS), MAX_PARTS)
    marker = _number(head, "x-amz-part-number-marker", 0)
    page = parts_page(version.parts, marker, limit)
    yield element("IsTruncated", "true" if page.is_truncated else "false")
    yield element("MaxParts", limit)
    yield element("NextPartNumberMarker", page.next_marker)
    yield element("PartNumberMarker", marker)
    for part in page.parts:
        yield f"<Part>{element('PartNumber', part.number)}{element('Size', part.size)}"
        for name in version.checksums.keys() & part.checksums.keys():
            yield element(f"Checksum{name}", part.checksums[name])
        yield "</Part>"


def _number(head: RequestHead, name: str, default: int) -> int:
    """A number from a header. As AWS does, what is none is ignored."""
    text = head.header(name) or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else default
