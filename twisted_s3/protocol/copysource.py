"""The header ``x-amz-copy-source`` (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html)."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from msgspec import Struct

from twisted_s3.errors import S3Error


class CopySource(Struct, frozen=True):
    """What is to be copied."""

    bucket: str
    key: str
    version_id: str | None = None


def parse_rename_source(value: str | None, bucket: str) -> str:
    """Read ``x-amz-rename-source``, URL-encoded: the key, or ``/bucket/key`` in the same bucket.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_RenameObject.html

    :raise S3Error: ``InvalidArgument``.
    """
    try:
        path = unquote_to_bytes((value or "").encode("latin-1")).decode("utf-8")
    except UnicodeDecodeError:
        path = ""
    prefix = f"/{bucket}/"
    key = path.removeprefix(prefix if path.startswith(prefix) else "/")
    if not key:
        raise S3Error(
            "InvalidArgument",
            "Rename source must mention the source key",
            {"ArgumentName": "x-amz-rename-source", "ArgumentValue": value or ""},
        )
    return key


def parse_copy_source(value: str) -> CopySource:
    """Read ``[/]bucket/key[?versionId=id]``, URL-encoded or not.

    :raise S3Error: ``InvalidArgument``.
    """
    path, mark, query = value.rpartition("?versionId=")
    if not mark:
        path, query = value, ""
    try:
        bucket, slash, key = unquote_to_bytes(path.encode("latin-1")).decode("utf-8").removeprefix("/").partition("/")
    except UnicodeDecodeError:
        bucket = slash = key = ""
    if not (bucket and slash and key):
        raise S3Error(
            "InvalidArgument",
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
            {"ArgumentName": "x-amz-copy-source", "ArgumentValue": value},
        )
    return CopySource(bucket, key, query if mark else None)
