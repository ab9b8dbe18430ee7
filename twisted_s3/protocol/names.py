"""Names of buckets and objects: what is allowed, and how they travel in hosts, paths and documents.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote_plus, unquote_to_bytes

from twisted_s3.errors import S3Error

#: The longest key, in UTF-8 bytes.
MAX_KEY_SIZE = 1024

_BUCKET_NAME = re.compile(
    r"(?!xn--|sthree-|amzn-s3-demo-)"
    r"(?![0-9]{1,3}(?:\.[0-9]{1,3}){3}\Z)"
    r"(?!.*\.\.)"
    r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
    r"(?<!-s3alias)(?<!--ol-s3)(?<!\.mrap)(?<!--x-s3)(?<!--table-s3)"
)
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_NOTHING_TO_ENCODE = re.compile(r"[A-Za-z0-9_.~/*-]*+")
_HOST = re.compile(r"(?P<name>[^:\[\]]+)(?::(?P<port>[0-9]+))?")


def check_bucket_name(name: str) -> None:
    """Hold a name against the rules for general purpose buckets.

    :raise S3Error: ``InvalidBucketName``.
    """
    if not is_bucket_name(name):
        raise S3Error("InvalidBucketName", elements={"BucketName": name})


def is_bucket_name(name: str) -> bool:
    """Whether a general purpose bucket can have this name."""
    return _BUCKET_NAME.fullmatch(name) is not None


def check_key(key: str) -> None:
    """Hold a key against the rule of 1 to 1,024 UTF-8 bytes.

    :raise S3Error: ``KeyTooLongError``; ``InvalidURI`` for an empty key, or one with lone surrogates.
    """
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise S3Error("InvalidURI") from None
    if size == 0:
        raise S3Error("InvalidURI")
    if size > MAX_KEY_SIZE:
        raise S3Error("KeyTooLongError", elements={"Size": str(size), "MaxSizeAllowed": str(MAX_KEY_SIZE)})


def decode_key(raw: bytes) -> str:
    """Turn the bytes of a request path behind ``/bucket/`` into a key; a ``+`` stays a ``+``.

    :raise S3Error: ``InvalidURI`` for a ``%`` that begins no escape and for what is not UTF-8; as :func:`check_key`.
    """
    if _BAD_ESCAPE.search(raw) is not None:
        raise S3Error("InvalidURI")
    try:
        key = unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        raise S3Error("InvalidURI") from None
    check_key(key)
    return key


def encode_key(key: str) -> str:
    """Encode a key, prefix, marker or delimiter for ``encoding-type=url``.

    A space becomes ``+`` and ``/`` stays; clients undo it as they decode forms.
    """
    return key if _NOTHING_TO_ENCODE.fullmatch(key) else quote_plus(key, safe="/*")


def bucket_of_host(host: str | None, domains: Iterable[str]) -> str | None:
    """The bucket that a ``Host`` header names, for virtual-hosted style; None for path style.

    :param domains: the domains that have buckets below them; one with a port matches that port only.
    """
    asked = _HOST.fullmatch(host or "")
    if asked is None:
        return None
    name = asked["name"].lower().removesuffix(".")
    bucket: str | None = None
    for domain in domains:
        served = _HOST.fullmatch(domain)
        if served is None or (served["port"] is not None and served["port"] != asked["port"]):
            continue
        base = served["name"].lower().removesuffix(".")
        if name == base:
            return None
        if name.endswith("." + base):
            candidate = name[: -len(base) - 1]
            # The longest domain wins, and leaves the shortest name.
            if candidate and (bucket is None or len(candidate) < len(bucket)):
                bucket = candidate
    return bucket
