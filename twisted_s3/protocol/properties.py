"""What a request says about an object, kept and given back
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from email.errors import HeaderParseError
from email.header import Header, decode_header

from twisted_s3.errors import S3Error
from twisted_s3.model import Properties
from twisted_s3.protocol.head import RequestHead

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


def text_of(raw: str) -> str:
    """A header value as text: UTF-8 where it is, RFC 2047 words decoded, else latin-1."""
    try:
        value = raw.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        value = raw
    if "=?" not in value or "?=" not in value:
        return value
    try:
        text = "".join(
            word if isinstance(word, str) else word.decode(charset or "ascii") for word, charset in decode_header(value)
        )
        text.encode()  # Some charsets can spell lone surrogates.
    except (HeaderParseError, LookupError, ValueError):
        return value
    return text


def header_of(value: str) -> str:
    """Text as a header value: as it is where that reads the same again, else as an RFC 2047 word."""
    if value.isascii() and value.isprintable() and text_of(value) == value.strip() == value:
        return value
    return Header(value, "utf-8", maxlinelen=10_000_000).encode(linesep="")


def properties_of(head: RequestHead) -> Properties:
    """What the headers of a request say about the object that it makes.

    :raise S3Error: ``MetadataTooLarge``, ``InvalidStorageClass``.
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
    return Properties(headers=headers, user=user, storage_class=storage_class_of(head))


def storage_class_of(head: RequestHead) -> str:
    """The storage class that a request names. :raise S3Error: ``InvalidStorageClass``."""
    value = head.header("x-amz-storage-class") or "STANDARD"
    if value not in STORAGE_CLASSES:
        raise S3Error("InvalidStorageClass", elements={"StorageClassRequested": value})
    return value


def _without_aws_chunked(value: str) -> str:
    """``aws-chunked`` is how the body travelled, not how the object is encoded."""
    codings = (coding.strip() for coding in value.split(","))
    return ",".join(coding for coding in codings if coding and coding.lower() != "aws-chunked")


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
