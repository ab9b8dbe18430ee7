"""The page algebra of ListObjectVersions, as pure functions.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from twisted_s3.errors import S3Error
from twisted_s3.model import ListedVersion
from twisted_s3.protocol.listing import common_prefix, start_after_marker, successor
from twisted_s3.protocol.walks import VersionWalk


class VersionsPage(Struct, frozen=True):
    """One page of versions, delete markers and common prefixes.

    :ivar versions: by key, the newest first.
    :ivar common_prefixes: the groups, in order.
    :ivar next_key_marker: the last key or common prefix of the page, "" for an empty page.
    :ivar next_version_id_marker: the last version id, "" when the page ends with a common prefix.
    """

    versions: tuple[ListedVersion, ...] = ()
    common_prefixes: tuple[str, ...] = ()
    is_truncated: bool = False
    next_key_marker: str = ""
    next_version_id_marker: str = ""


def check_version_marker(key_marker: str, version_id_marker: str | None) -> None:
    """Hold the markers of a request against each other.

    :raise S3Error: ``InvalidArgument`` for an empty version id, or one without a key.
    """
    if version_id_marker is None or (version_id_marker and key_marker):
        return
    message = "A version-id marker cannot be empty."
    if version_id_marker:
        message = "A version-id marker cannot be specified without a key marker."
    raise S3Error("InvalidArgument", message, {"ArgumentName": "version-id-marker", "ArgumentValue": version_id_marker})


def versions_page(
    walk: VersionWalk, prefix: str, delimiter: str, key_marker: str, version_id_marker: str | None, max_keys: int
) -> VersionsPage:
    """Build the page of at most ``max_keys`` versions, delete markers and common prefixes behind the markers.

    Without ``version_id_marker`` it begins behind all versions of ``key_marker``.

    :raise S3Error: ``InvalidArgument`` for a marker that can be no version id.
    """
    versions: list[ListedVersion] = []
    groups: list[str] = []
    last = ("", "")
    if max_keys > 0:
        for entry in _behind(walk, prefix, delimiter, key_marker, version_id_marker):
            if len(versions) + len(groups) == max_keys:
                return VersionsPage(tuple(versions), tuple(groups), True, *last)
            if isinstance(entry, str):
                groups.append(entry)
                last = (entry, "")
            else:
                versions.append(entry)
                last = (entry.version.key, entry.version.version_id)
    return VersionsPage(tuple(versions), tuple(groups), False, *last)


def _behind(
    walk: VersionWalk, prefix: str, delimiter: str, key_marker: str, version_id_marker: str | None
) -> Iterator[ListedVersion | str]:
    """What comes behind the markers: versions, and groups as text."""
    alone = key_marker.startswith(prefix) and common_prefix(key_marker, prefix, delimiter) is None
    if version_id_marker is not None and alone:
        yield from walk.versions(key_marker, version_id_marker)
    at = start_after_marker(key_marker, prefix, delimiter)
    if at is not None:
        at = max(at, prefix)
    while at is not None:
        here, at = at, None
        for key in walk.keys(here):
            if not key.startswith(prefix):
                return
            group = common_prefix(key, prefix, delimiter)
            if group is not None:
                yield group
                at = successor(group)
                break
            yield from walk.versions(key)
