"""The walk over all versions and delete markers of a bucket. It blocks."""

from __future__ import annotations

from collections.abc import Iterator

from twisted_s3.model import ListedVersion
from twisted_s3.storage.filesystem.layout import BucketLayout
from twisted_s3.storage.filesystem.listing import DirectorySnapshots, key_walk
from twisted_s3.storage.filesystem.lookup import Lookup


class BucketHistory:
    """A :class:`VersionWalk` over the keys that have a file, merged with those that have a folder of versions."""

    def __init__(self, snapshots: DirectorySnapshots, lookup: Lookup, bucket: BucketLayout) -> None:
        self.keys = key_walk(snapshots, bucket.tree, bucket.overflow, bucket.versions)
        self._lookup = lookup
        self._bucket = bucket

    def versions(self, key: str, behind: str | None = None) -> Iterator[ListedVersion]:
        """The versions of a key, newest first."""
        return self._lookup.history(self._bucket, key, behind)
