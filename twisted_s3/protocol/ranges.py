"""Byte ranges of GET and HEAD (RFC 9110, section 14) and of UploadPartCopy.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html
"""

from __future__ import annotations

import re

from twisted_s3.errors import S3Error
from twisted_s3.model import ByteRange

_RANGE = re.compile(r"bytes=[ \t]*([0-9]{0,99})-([0-9]{0,99})[ \t]*", re.IGNORECASE)
_COPY_RANGE = re.compile(r"bytes=([0-9]{1,99})-([0-9]{1,99})")
_COPY_FORM = (
    "The x-amz-copy-source-range value must be of the form bytes=first-last "
    "where first and last are the zero-based offsets of the first and last bytes to copy"
)


def parse_range(header: str | None, size: int) -> ByteRange | None:
    """Read a ``Range`` header for an object of ``size`` bytes; None means the whole object, answered by 200.

    As AWS does, more than one range, another unit and anything malformed is ignored. So is a suffix of an empty
    object, which RFC 9110 calls satisfiable but which no ``Content-Range`` could describe.

    :raise S3Error: ``InvalidRange``, with ``Content-Range: bytes */size``.
    """
    match = None if header is None else _RANGE.fullmatch(header)
    if match is None:
        return None
    first, last = match.groups()
    if first:
        start = int(first)
        stop = int(last) + 1 if last else max(size, start + 1)
        if stop <= start:
            return None
    elif last:
        start = max(size - int(last), 0)
        stop = size
        if size == 0 and int(last) > 0:
            return None
    else:
        return None
    if start >= size:
        raise S3Error(
            "InvalidRange",
            elements={"RangeRequested": match.string, "ActualObjectSize": str(size)},
            headers={"Content-Range": f"bytes */{size}"},
        )
    return ByteRange(start, min(stop, size))


def parse_copy_source_range(header: str | None, size: int) -> ByteRange | None:
    """Read ``x-amz-copy-source-range`` for a source of ``size`` bytes; None when there is no such header.

    :raise S3Error: ``InvalidArgument`` for any form but ``bytes=first-last`` and for a range that the source lacks.
    """
    if header is None:
        return None
    match = _COPY_RANGE.fullmatch(header)
    if match is None or int(match[1]) > int(match[2]):
        raise _refused(_COPY_FORM, header)
    if int(match[2]) >= size:
        raise _refused(f"Range specified is not valid for source object of size: {size}", header)
    return ByteRange(int(match[1]), int(match[2]) + 1)


def _refused(message: str, header: str) -> S3Error:
    return S3Error("InvalidArgument", message, {"ArgumentName": "x-amz-copy-source-range", "ArgumentValue": header})
