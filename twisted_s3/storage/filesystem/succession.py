"""How one version of a key gives way to the next: what is kept, what goes, which id is next. May block.

All of it happens with the key locked, and in an order that a crash at any point leaves the key as it was before or as
it is to be: the current version is durable under its second name before it loses its first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from twisted_s3.model import ENABLED, NULL_VERSION
from twisted_s3.storage.filesystem.files import Found
from twisted_s3.storage.filesystem.layout import BucketLayout
from twisted_s3.storage.filesystem.versions import Entry, Versions, entry_of
from twisted_s3.storage.versionids import is_made_id, make_id, parts_of


class Current(Struct, frozen=True):
    """The file at a key's path, which is the current version whatever it says."""

    found: Found
    version_id: str

    @property
    def sequence(self) -> int:
        """Tells whether a delete marker came later."""
        return self.found.stat.mtime_ns if self.version_id == NULL_VERSION else parts_of(self.version_id)[0]


class Succession:
    """One change to the versions of a key in a bucket that is, or was, versioned.

    :param versioning: the state of the bucket, read under its lock.
    :param now: gives the time of day, in seconds since the epoch.
    """

    def __init__(
        self, versions: Versions, bucket: BucketLayout, key: str, versioning: str, now: Callable[[], float]
    ) -> None:
        self._versions = versions
        self._bucket = bucket
        self._key = key
        self._versioning = versioning
        self._now = now
        self._current: Current | None = None
        self.entries: Sequence[Entry] = ()
        self.floor = 0

    @property
    def ids(self) -> Sequence[str]:
        """The ids of all versions and delete markers that the key has, newest first."""
        current = [] if self._current is None else [self._current.version_id]
        return list(dict.fromkeys([*current, *(entry.version_id for entry in self.entries)]))

    def begin(self, current: Current | None) -> None:
        """Look at what is there, and clear the delete markers that were never committed."""
        self._current = current
        self.entries = self._versions.entries(self._bucket, self._key)
        if current is not None:
            leftover = [entry for entry in self.entries if entry.marker and entry.sequence > current.sequence]
            if leftover:
                self._versions.remove(self._bucket, self._key, leftover)
                self.entries = [entry for entry in self.entries if entry not in leftover]
        known = [entry.sequence for entry in self.entries]
        self.floor = max([*known, 0 if current is None else current.sequence], default=0)

    @property
    def keeps_current(self) -> bool:
        """Whether the current version, if there is one, stays as a noncurrent one."""
        return self._versioning == ENABLED or (self._current is not None and self._current.version_id != NULL_VERSION)

    def keep_current(self) -> None:
        """Give the current version its second name, durably, unless it is to be replaced."""
        current = self._current
        if current is None or not self.keeps_current:
            return
        newest = max((entry.sequence for entry in self.entries), default=0)
        sequence = max(current.sequence, newest + 1)
        entry = entry_of(self._bucket.versions.folder(self._key), current.version_id, sequence)
        self._versions.keep(current.found, entry)
        self._versions.sync(self._bucket, self._key)
        self.entries = [entry, *(other for other in self.entries if other.path != entry.path)]
        self.floor = max(self.floor, entry.sequence)

    def next_id(self, drafted: str) -> str:
        """The id of the version to come: the one drafted, if it is newer than all that the key has."""
        if self._versioning != ENABLED:
            return NULL_VERSION
        if is_made_id(drafted) and parts_of(drafted)[0] > self.floor:
            return drafted
        return make_id(self.next_sequence())

    def next_sequence(self) -> int:
        """A sequence number that is newer than all that the key has."""
        return max(int(self._now() * 1e9), self.floor + 1)

    def superseded(self, next_id: str) -> Sequence[Entry]:
        """The ``null`` versions that go once the next version is committed: there is one at most."""
        nulls = [entry for entry in self.entries if entry.version_id == NULL_VERSION]
        return nulls if next_id == NULL_VERSION else nulls[1:]
