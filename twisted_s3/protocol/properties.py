"""What a request says about an object, kept and given back
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html).
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import a2b_qp
from collections.abc import Iterator, Mapping

from twisted_s3.errors import S3Error
from twisted_s3.model import Properties
from twisted_s3.protocol.head import RequestHead
from twisted_s3.protocol.tagging import tags_of

#: Bytes of names and values of all ``x-amz-meta-*`` headers together.
METADATA_LIMIT = 2048

#: The type of an object for which none was given.
DEFAULT_CONTENT_TYPE = "binary/octet-stream"

STORAGE_CLASSES = frozenset(
    (
        "STANDARD",
        "REDUCED_REDUNDANCY",
        "STANDARD_IA",
        "ONEZONE_IA",
        "INTELLIGENT_TIERING",
        "GLACIER",
        "DEEP_ARCHIVE",
        "OUTPOSTS",
        "GLACIER_IR",
        "SNOW",
        "EXPRESS_ONEZONE",
        "FSX_OPENZFS",
        "FSX_ONTAP",
    )
)

_STORED = (
    "Cache-Control",
    "Content-Disposition",
    "Content-Encoding",
    "Content-Language",
    "Content-Type",
    "Expires",
    "x-amz-website-redirect-location",
)

_META = "x-amz-meta-"

#: An encoded word of RFC 2047, in base64 or quoted; and what is left out between two of them.
_WORD = re.compile(r"=\?([A-Za-z0-9_.:-]+)\?(?:[bB]\?([A-Za-z0-9+/]*={0,2})|[qQ]\?([!->@-~]*))\?=")
_BETWEEN_WORDS = re.compile(r"\?=[ \t]+=\?")


def text_of(raw: str) -> str:
    """A header value as text: UTF-8 where it is, RFC 2047 words decoded, else latin-1."""
    try:
        value = raw.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        value = raw
    if _WORD.search(value) is None:
        return value
    try:
        text = _WORD.sub(_decode_word, _BETWEEN_WORDS.sub("?==?", value))
        text.encode()  # Some charsets can spell lone surrogates.
    except (LookupError, ValueError):
        return value
    return text


def _decode_word(word: re.Match[str]) -> str:
    charset, base64, quoted = word.groups()
    raw = a2b_qp(quoted, header=True) if base64 is None else b64decode(base64, validate=True)
    return raw.decode(charset)


def header_of(value: str) -> str:
    """Text as a header value: as it is where that reads the same again, else as an RFC 2047 word."""
    if value.isascii() and value.isprintable() and text_of(value) == value.strip() == value:
        return value
    return f"=?utf-8?b?{b64encode(value.encode()).decode('ascii')}?="


def properties_of(head: RequestHead) -> Properties:
    """What the headers of a request say about the object that it makes.

    :raise S3Error: ``MetadataTooLarge``, ``InvalidStorageClass``, and what :func:`tags_of` raises.
    """
    headers = {}
    for name in _STORED:
        value = head.header(name.lower())
        if value is not None:
            value = _without_aws_chunked(value) if name == "Content-Encoding" else text_of(value)
        if value:
            headers[name] = value
    headers.setdefault("Content-Type", DEFAULT_CONTENT_TYPE)
    user = {
        name[len(_META) :]: text_of(",".join(head.headers[name])) for name in head.headers if name.startswith(_META)
    }
    size = sum(len(name) + len(value.encode("utf-8", "surrogatepass")) for name, value in user.items())
    if size > METADATA_LIMIT:
        raise S3Error("MetadataTooLarge", elements={"Size": str(size), "MaxSizeAllowed": str(METADATA_LIMIT)})
    return Properties(headers=headers, user=user, tags=tags_of(head), storage_class=storage_class_of(head))


def storage_class_of(head: RequestHead) -> str:
    """The storage class that a request names. :raise S3Error: ``InvalidStorageClass``."""
    value = head.header("x-amz-storage-class") or "STANDARD"
    if value not in STORAGE_CLASSES:
        raise S3Error("InvalidStorageClass", elements={"StorageClassRequested": value})
    return value


def _without_aws_chunked(value: str) -> str:
    """``aws-chunked`` is how the body travelled, not how the object is encoded."""
    codings = value.split(",")
    kept = [coding for coding in codings if coding.strip().lower() not in ("", "aws-chunked")]
    return value if len(kept) == len(codings) else ",".join(kept).strip()


def headers_of(properties: Properties) -> Iterator[tuple[str, str]]:
    """The response headers that give properties back."""
    for name, value in properties.headers.items():
        yield name, header_of(value)
    yield from _metadata_headers(properties.user)
    if properties.storage_class != "STANDARD":
        yield "x-amz-storage-class", properties.storage_class


def _metadata_headers(user: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in user.items():
        yield _META + name, header_of(value)
