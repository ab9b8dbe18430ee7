"""The versions of a key that are not current, and its delete markers: files in a folder of their own. May block.

Their names tell all that is needed to put them in order: what is left of time in hex, so that they sort newest first,
then the noise of the version id or ``null``, then ``.deleted`` for a delete marker. A file at the key's path is by
definition the current version; without one, the newest entry hides the key if it is a delete marker.

A delete marker that is newer than the file at the path was never committed, and of several ``null`` versions the newest
counts: whoever writes the key next removes the others.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Sequence

from msgspec import Struct, structs

from twisted_s3.model import NULL_VERSION, ObjectVersion
from twisted_s3.storage.filesystem.atrest import AtRest
from twisted_s3.storage.filesystem.disk import Access, IDisk
from twisted_s3.storage.filesystem.files import Files, Found
from twisted_s3.storage.filesystem.layout import BUCKETS, STAGING, BucketLayout
from twisted_s3.storage.filesystem.metadata import Metadata, SideFileGone
from twisted_s3.storage.filesystem.sync import DirectorySync
from twisted_s3.storage.versionids import LAST, id_of, parts_of

_NAME = re.compile(rb"([0-9a-f]{16})([0-9a-f]{16}|null)(\.deleted)?")
_EMPTY_MD5 = "d41d8cd98f00b204e9800998ecf8427e"
_GONE = (FileNotFoundError, NotADirectoryError)


class Entry(Struct, frozen=True):
    """A version or delete marker in the folder of its key.

    :ivar sequence: tells newer (larger) from older.
    """

    path: bytes
    sequence: int
    version_id: str
    marker: bool


def entry_of(folder: bytes, version_id: str, sequence: int, marker: bool = False) -> Entry:
    """Where a version lies. ``sequence`` counts for ``null`` only: other ids have their own."""
    if version_id == NULL_VERSION:
        noise = b"null"
    else:
        sequence, number = parts_of(version_id)
        noise = b"%016x" % number
    name = b"%016x%b%b" % (LAST - sequence, noise, b".deleted" if marker else b"")
    return Entry(b"%b/%b" % (folder, name), sequence, version_id, marker)


def _parse(folder: bytes, name: bytes) -> Entry | None:
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    sequence = LAST - int(match[1], 16)
    version_id = NULL_VERSION if match[2] == b"null" else id_of(sequence, int(match[2], 16))
    return Entry(b"%b/%b" % (folder, name), sequence, version_id, match[3] is not None)


def entry_at(base: bytes, path: bytes) -> Entry | None:
    """The entry at a path below the folders of all versions; None when it is none."""
    folder, _, name = path.rpartition(b"/")
    return _parse(b"%b/%b" % (base, folder), name)


class Versions:
    """The folders of all keys. What changes something needs the key's lock."""

    def __init__(self, disk: IDisk, files: Files, directories: DirectorySync, metadata: Metadata) -> None:
        self._disk = disk
        self._files = files
        self._directories = directories
        self._metadata = metadata

    def entries(self, bucket: BucketLayout, key: str) -> Sequence[Entry]:
        """All entries of a key, newest first."""
        folder = bucket.versions.folder(key)
        try:
            names = sorted(name for name, _ in self._disk.scan(folder))
        except _GONE:
            return []
        return [entry for name in names if (entry := _parse(folder, name)) is not None]

    def find(self, bucket: BucketLayout, key: str, version_id: str) -> Entry | None:
        """The entry of a version, which may be gone at any time; None when there is none."""
        if version_id == NULL_VERSION:
            return next((entry for entry in self.entries(bucket, key) if entry.version_id == version_id), None)
        for marker in (False, True):
            entry = entry_of(bucket.versions.folder(key), version_id, 0, marker)
            try:
                self._disk.stat(entry.path)
            except _GONE:
                continue
            return entry
        return None

    def open(self, entry: Entry) -> Found | None:
        """Open the file of an entry; None when it is gone."""
        try:
            descriptor = self._disk.open(entry.path, Access.READ)
        except _GONE:
            return None
        try:
            return Found(entry.path, descriptor, self._disk.fstat(descriptor))
        except BaseException:
            self._disk.close(descriptor)
            raise

    def load(self, entry: Entry, key: str, found: Found) -> ObjectVersion:
        """The metadata of an opened entry."""
        try:
            version = self._metadata.read(found.descriptor, found.stat, key)
        except SideFileGone:
            version = None
        version = version or self._metadata.compute(found.descriptor, found.stat, key)[0]
        # The record may say otherwise, of a file that was put here by hand.
        return structs.replace(
            version,
            version_id=entry.version_id,
            delete_marker=entry.marker,
            etag="" if entry.marker else version.etag,
        )

    def entry(self, bucket: BucketLayout, key: str, found: Found) -> Entry:
        """Where an opened file would lie as a version of a key."""
        try:
            version = self._metadata.read(found.descriptor, found.stat, key)
        except SideFileGone:
            version = None
        version_id = NULL_VERSION if version is None else version.version_id
        return entry_of(bucket.versions.folder(key), version_id, found.stat.mtime_ns)

    def head(self, entry: Entry, key: str) -> ObjectVersion | None:
        """The metadata of an entry; None when it is gone."""
        found = self.open(entry)
        if found is None:
            return None
        try:
            return self.load(entry, key, found)
        finally:
            self._disk.close(found.descriptor)

    def inode(self, entry: Entry) -> int | None:
        """The number of the file of an entry; None when it is gone."""
        try:
            return self._disk.stat(entry.path).inode
        except _GONE:
            return None

    def locked(self, entries: Sequence[Entry], key: str, now: float, inode: int | None = None) -> Sequence[Entry]:
        """Those of ``entries`` that must not be destroyed at the time ``now``.

        :param inode: the number of a file whose other names do not count.
        """
        return [entry for entry in entries if self._is_locked(entry, key, now, inode)]

    def _is_locked(self, entry: Entry, key: str, now: float, inode: int | None) -> bool:
        found = self.open(entry)
        if found is None:
            return False
        try:
            # What has no record was put by hand, and so has no lock.
            version = self._metadata.read(found.descriptor, found.stat, key)
        except SideFileGone:
            return False
        finally:
            self._disk.close(found.descriptor)
        return version is not None and found.stat.inode != inode and version.lock.holds(now)

    def hold(self, found: Found) -> None:
        """Say that the file of an entry is about to be moved."""
        self._metadata.hold(found.descriptor, found.stat)

    def keep(self, current: Found, entry: Entry) -> None:
        """Give the current file a second name among the versions. Not yet durable."""
        self._metadata.hold(current.descriptor, current.stat)
        try:
            self._files.link(current.path, entry.path, BUCKETS)
        except FileExistsError:
            # Left by a crash, or by a copy that somebody brought back: the same version has the same name.
            there = self._disk.stat(entry.path)
            if (there.size, there.mtime_ns) != (current.stat.size, current.stat.mtime_ns):
                raise OSError(errno.EEXIST, "another version has its name", entry.path) from None

    def add_marker(self, entry: Entry, key: str, owner: str) -> ObjectVersion:
        """Make a delete marker. Its name is not yet durable."""
        temporary = self._disk.create_temporary(STAGING)
        try:
            stat = self._disk.fstat(temporary.descriptor)
            marker = ObjectVersion(
                key,
                0,
                _EMPTY_MD5,
                stat.mtime_ns / 1e9,
                owner=owner,
                version_id=entry.version_id,
                at_rest=AtRest().value,
            )
            self._metadata.write(temporary.descriptor, stat, marker)
            self._disk.fsync(temporary.descriptor)
            self._files.place(temporary, entry.path, replace=False, top=BUCKETS)
        finally:
            self._files.drop(temporary)
        return structs.replace(marker, etag="", delete_marker=True)

    def remove(self, bucket: BucketLayout, key: str, entries: Sequence[Entry]) -> None:
        """Remove entries for good, durably, with the records that nothing else has."""
        opened = [found for entry in entries if (found := self.open(entry)) is not None]
        try:
            for found in opened:
                self._disk.unlink(found.path)
            if opened:
                self.sync(bucket, key)
            for found in opened:
                if not self._disk.fstat(found.descriptor).links:
                    self._metadata.forget(self._metadata.side_file(found.descriptor, found.stat))
        finally:
            for found in opened:
                self._disk.close(found.descriptor)

    def sync(self, bucket: BucketLayout, key: str) -> None:
        """Make the names of a key's entries durable; a folder that is empty goes."""
        self._directories.sync(self.prune(bucket, key))

    def prune(self, bucket: BucketLayout, key: str) -> bytes:
        """Remove the folder of a key when it is empty. Gives the directory that is to be synced."""
        return self._files.prune(bucket.versions.folder(key), BUCKETS)
