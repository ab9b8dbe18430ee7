"""What an error is about, where those who raised it could not know.

A condition sees an object, not its key; a list of parts does not name its upload. AWS's documents name both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from twisted_s3.errors import S3Error
from twisted_s3.protocol.head import RequestHead
from twisted_s3.web.gate import Passage


def _bucket(passage: Passage, head: RequestHead) -> str:
    return passage.bucket


def _key(passage: Passage, head: RequestHead) -> str:
    return passage.key


def _upload(passage: Passage, head: RequestHead) -> str:
    return head.parameters.get("uploadId", "")


def _path(passage: Passage, head: RequestHead) -> str:
    return head.path.decode("latin-1")


_SUBJECTS: Mapping[str, tuple[str, Callable[[Passage, RequestHead], str]]] = MappingProxyType(
    {
        "AccessControlListNotSupported": ("BucketName", _bucket),
        "InvalidPart": ("UploadId", _upload),
        "InvalidPartOrder": ("UploadId", _upload),
        "InvalidURI": ("URI", _path),
        "NoSuchBucket": ("BucketName", _bucket),
        "NoSuchKey": ("Key", _key),
        "NoSuchTagSet": ("BucketName", _bucket),
    }
)


def with_subject(error: S3Error, passage: Passage, head: RequestHead) -> S3Error:
    """The error with the element that names its subject."""
    name, find = _SUBJECTS.get(error.code, ("", _key))
    if not name or name in error.elements:
        return error
    text = find(passage, head)
    if not text:
        return error
    return S3Error(error.code, error.message, {name: text, **error.elements}, error.headers)
