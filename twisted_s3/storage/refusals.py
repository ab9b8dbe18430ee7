"""The answers of every store to a key or version that is not there to be read."""

from __future__ import annotations

from email.utils import formatdate

from twisted_s3.errors import S3Error
from twisted_s3.model import ObjectVersion


def no_such_key(key: str, marker_id: str | None = None) -> S3Error:
    """The answer for a key that has no current version.

    :param marker_id: the version id of the delete marker that hides the others.
    """
    headers = {} if marker_id is None else {"x-amz-delete-marker": "true", "x-amz-version-id": marker_id}
    return S3Error("NoSuchKey", elements={"Key": key}, headers=headers)


def no_such_version(key: str, version_id: str) -> S3Error:
    """The answer for a version that is not there."""
    return S3Error("NoSuchVersion", elements={"Key": key, "VersionId": version_id})


def is_marker(marker: ObjectVersion) -> S3Error:
    """The answer for a version that is a delete marker, which can only be deleted."""
    return S3Error(
        "MethodNotAllowed",
        elements={"ResourceType": "DeleteMarker"},
        headers={
            "Allow": "DELETE",
            "Last-Modified": formatdate(marker.last_modified, usegmt=True),
            "x-amz-delete-marker": "true",
            "x-amz-version-id": marker.version_id,
        },
    )
