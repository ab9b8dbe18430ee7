"""Finding the versions of a key, and what is known about them. May block, all but :meth:`Lookup.peek`."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress

from twisted_s3.errors import S3Error
from twisted_s3.interfaces import Condition, always
from twisted_s3.model import NULL_VERSION, ListedVersion, ObjectVersion
from twisted_s3.storage.filesystem.buckets import Buckets
from twisted_s3.storage.filesystem.disk import Access, IDisk, Kind
from twisted_s3.storage.filesystem.files import Found
from twisted_s3.storage.filesystem.layout import BucketLayout
from twisted_s3.storage.filesystem.locks import Locks
from twisted_s3.storage.filesystem.metadata import Metadata, SideFileGone
from twisted_s3.storage.filesystem.record import Stamp
from twisted_s3.storage.filesystem.succession import Current
from twisted_s3.storage.filesystem.versions import Entry, Versions
from twisted_s3.storage.refusals import is_marker, no_such_key, no_such_version
from twisted_s3.storage.versionids import check_version_id, older_than, sequence_of

#: How often the ground may shift below one look before it gives up.
_ATTEMPTS = 100
#: A file changed so recently may change again without its time of change telling.
_RACILY_CLEAN_SECONDS = 2.0
#: What a path that can not be a file's answers: something else is there, or a file is on the way.
BLOCKED = frozenset(
    (errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.ENOTEMPTY, errno.ENAMETOOLONG, errno.ENXIO)
)
_UNWRITABLE = frozenset((errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT))


class Lookup:
    """Looks for the objects of all buckets. Who gets a :class:`Found` has to :meth:`close` it.

    :param now: gives the time of day, in seconds since the epoch.
    """

    def __init__(
        self,
        disk: IDisk,
        locks: Locks,
        metadata: Metadata,
        versions: Versions,
        buckets: Buckets,
        now: Callable[[], float],
    ) -> None:
        self._disk = disk
        self._locks = locks
        self._metadata = metadata
        self._versions = versions
        self._buckets = buckets
        self._now = now

    def find(self, bucket: BucketLayout, key: str, cached: bool = False) -> Found | None:
        """Open the file of a key; None when there is none.

        :raise BlockingIOError: with ``cached``, where that would wait.
        """
        for path in bucket.paths(key):
            try:
                descriptor = self._disk.open(path, Access.READ, cached)
            except FileNotFoundError:
                continue
            except OSError as error:
                if error.errno in BLOCKED:
                    continue
                raise
            try:
                stat = self._disk.fstat(descriptor)
                if stat.kind is Kind.FILE:
                    return Found(path, descriptor, stat)
            except BaseException:
                self._disk.close(descriptor)
                raise
            self._disk.close(descriptor)
        return None

    def peek(self, bucket: BucketLayout, key: str) -> tuple[Found, ObjectVersion] | None:
        """Open an object if that needs no waiting; None when it does. For the reactor's thread.

        :raise S3Error: ``NoSuchKey``, ``NoSuchBucket``.
        """
        try:
            found = self.find(bucket, key, cached=True)
        except BlockingIOError:
            return None
        if found is None:
            if self._buckets.get(bucket).versioning:
                return None
            raise self.missing(bucket, key)
        try:
            version = self._metadata.peek(found.descriptor, found.stat, key)
        except BaseException:
            self._disk.close(found.descriptor)
            raise
        if version is None:
            self._disk.close(found.descriptor)
            return None
        return found, version

    def open(self, bucket: BucketLayout, key: str, version_id: str | None = None) -> tuple[Found, ObjectVersion]:
        """Open the current version or another, with its metadata computed anew if it was put or changed by hand.

        :raise S3Error: ``NoSuchKey``, ``NoSuchVersion``, ``MethodNotAllowed`` for a delete marker, ``NoSuchBucket``,
            ``InvalidArgument``.
        """
        if version_id is not None:
            return self._open_version(bucket, key, version_id)
        opened = self._open_current(bucket, key)
        if opened is None:
            raise self.missing(bucket, key)
        return opened

    def head(self, bucket: BucketLayout, key: str, version_id: str | None = None) -> ObjectVersion:
        """The metadata of a version. :raise S3Error: as :meth:`open`."""
        found, version = self.open(bucket, key, version_id)
        self.close(found)
        return version

    def glance(self, bucket: BucketLayout, key: str, version_id: str | None = None) -> ObjectVersion:
        """As :meth:`head`, but of a file that was put or changed by hand only what shows without reading it."""
        if version_id is not None:
            check_version_id(version_id)
        version = self._glance(bucket, key, version_id)
        if version is None and version_id is not None:
            # It may just have been on its way from one place to the other.
            self._buckets.require(bucket)
            with self._locks.key(bucket.name, key):
                version = self._glance(bucket, key, version_id)
        if version is not None:
            return version
        raise self.missing(bucket, key) if version_id is None else no_such_version(key, version_id)

    def _glance(self, bucket: BucketLayout, key: str, version_id: str | None) -> ObjectVersion | None:
        found = self.find(bucket, key)
        if found is not None:
            try:
                version = self._metadata.read(found.descriptor, found.stat, key)
            except SideFileGone:
                version = None
            finally:
                self.close(found)
            if version is None:
                version = self._metadata.unread(found.stat, key)
            if version_id in (None, version.version_id):
                return version
        entry = None if version_id is None else self._versions.find(bucket, key, version_id)
        opened = None if entry is None else self._versions.open(entry)
        if entry is None or opened is None:
            return None
        opened, version = self._readable(entry, key, opened)
        self.close(opened)
        return version

    def head_all(self, bucket: BucketLayout, keys: Sequence[str]) -> Sequence[ObjectVersion]:
        """The metadata of the keys that are (still) there."""
        seen = self._glance_all(bucket, keys)
        found = (seen.get(key) or self._listed(bucket, key) for key in keys)
        return [version for version in found if version is not None]

    def _glance_all(self, bucket: BucketLayout, keys: Sequence[str]) -> Mapping[str, ObjectVersion]:
        """The metadata of as many keys as lie where they belong in files with a record that is on their inodes."""
        folders: dict[bytes, tuple[list[bytes], list[str]]] = {}
        for key in keys:
            folder, _, name = bucket.path(key).rpartition(b"/")
            names, named = folders.setdefault(folder, ([], []))
            names.append(name)
            named.append(key)
        seen = {}
        for folder, (names, named) in folders.items():
            # What keeps the folder from being opened is found again, key by key.
            with suppress(OSError):
                for version in self._metadata.glance(folder, names, named):
                    if version is not None:
                        seen[version.key] = version
        return seen

    def _listed(self, bucket: BucketLayout, key: str) -> ObjectVersion | None:
        try:
            return self.head(bucket, key)
        except S3Error as error:
            if error.code != "NoSuchKey":
                raise
        except PermissionError:
            # A file that we may not read must not keep the others from being listed.
            pass
        return None

    def locate(self, bucket: BucketLayout, key: str, version_id: str | None = None) -> tuple[Found, ObjectVersion]:
        """Open a version of a key that is locked. :raise S3Error: as :meth:`open`."""
        current = self.find(bucket, key)
        if current is not None:
            try:
                version = self.known(key, current)
            except BaseException:
                self.close(current)
                raise
            if version_id in (None, version.version_id):
                return current, version
            self.close(current)
        if version_id is None:
            raise self.missing(bucket, key)
        entry = self._versions.find(bucket, key, version_id)
        found = None if entry is None else self._versions.open(entry)
        if entry is None or found is None:
            self._buckets.require(bucket)
            raise no_such_version(key, version_id)
        return self._readable(entry, key, found)

    def history(self, bucket: BucketLayout, key: str, behind: str | None = None) -> Iterator[ListedVersion]:
        """The versions and delete markers of a key, newest first; what vanishes meanwhile is left out.

        :param behind: only those older than the one with this version id.
        :raise S3Error: ``InvalidArgument`` for what can be no version id.
        """
        current, entries = self._places(bucket, key)
        places = [] if current is None else [(sequence_of(current), current.version_id)]
        seen = {version_id for _, version_id in places}
        shown: list[Entry] = []
        for entry in entries:
            # A delete marker newer than the current version was never committed; of several null versions one counts.
            stray = entry.marker and places and entry.sequence > places[0][0]
            if not stray and entry.version_id not in seen:
                seen.add(entry.version_id)
                shown.append(entry)
        places += [(entry.sequence, entry.version_id) for entry in shown]
        for at in range(len(places)) if behind is None else older_than(behind, places):
            if current is not None and at == 0:
                yield ListedVersion(current, True)
                continue
            entry = shown[at if current is None else at - 1]
            version = self._versions.head(entry, key)
            if version is not None:
                yield ListedVersion(version, at == 0 and entry.marker)

    def missing(self, bucket: BucketLayout, key: str) -> S3Error:
        """The error for a key that is not there, or that a delete marker hides. :raise S3Error: ``NoSuchBucket``."""
        if self._buckets.get(bucket).versioning:
            newest = next(iter(self._versions.entries(bucket, key)), None)
            if newest is not None and newest.marker:
                return no_such_key(key, newest.version_id)
        return no_such_key(key)

    def current(self, key: str, found: Found | None) -> Current | None:
        """The version id of a file whose key is locked."""
        if found is None:
            return None
        try:
            version = self._metadata.read(found.descriptor, found.stat, key)
        except SideFileGone:
            version = None
        return Current(found, NULL_VERSION if version is None else version.version_id)

    def known(self, key: str, current: Found) -> ObjectVersion:
        """The metadata of a file whose key is locked."""
        try:
            version = self._metadata.read(current.descriptor, current.stat, key)
        except SideFileGone:
            version = None
        return version or self._metadata.compute(current.descriptor, current.stat, key)[0]

    def warm(self, bucket: BucketLayout, key: str, condition: Condition | None = None) -> None:
        """Have the metadata of a file that was put by hand computed before its key is locked, unless nobody asks it."""
        if condition is not always:
            try:
                self.head(bucket, key)
            except S3Error as error:
                if error.code != "NoSuchKey":
                    raise

    def check(self, key: str, current: Found | None, condition: Condition) -> None:
        """Hold a condition against what is at a key that is locked."""
        if condition is not always:
            condition(None if current is None else self.known(key, current))

    def close(self, found: Found | None) -> None:
        """Let go of a file, if there is one."""
        if found is not None:
            self._disk.close(found.descriptor)

    def _open_current(self, bucket: BucketLayout, key: str) -> tuple[Found, ObjectVersion] | None:
        for attempt in range(_ATTEMPTS):
            found = self.find(bucket, key)
            if found is None:
                return None
            try:
                return found, self._load(bucket, key, found)
            except SideFileGone:
                if attempt == _ATTEMPTS - 1:
                    # It did not go with a replaced object, it is lost: the bytes speak for themselves.
                    return found, self._metadata.compute(found.descriptor, found.stat, key)[0]
                self._disk.close(found.descriptor)
            except BaseException:
                self._disk.close(found.descriptor)
                raise
        raise AssertionError("the last attempt returns")

    def _open_version(self, bucket: BucketLayout, key: str, version_id: str) -> tuple[Found, ObjectVersion]:
        check_version_id(version_id)
        opened = self._open_current(bucket, key)
        if opened is not None:
            if opened[1].version_id == version_id:
                return opened
            self.close(opened[0])
        entry = self._versions.find(bucket, key, version_id)
        found = None if entry is None else self._versions.open(entry)
        if entry is None or found is None:
            # It may just have been on its way from one place to the other.
            self._buckets.require(bucket)
            with self._locks.key(bucket.name, key):
                return self.locate(bucket, key, version_id)
        return self._readable(entry, key, found)

    def _readable(self, entry: Entry, key: str, found: Found) -> tuple[Found, ObjectVersion]:
        """A noncurrent version that was opened. :raise S3Error: ``MethodNotAllowed`` for a delete marker."""
        try:
            version = self._versions.load(entry, key, found)
            if version.delete_marker:
                raise is_marker(version)
        except BaseException:
            self.close(found)
            raise
        return found, version

    def _places(self, bucket: BucketLayout, key: str) -> tuple[ObjectVersion | None, Sequence[Entry]]:
        """The current version, and all entries. Versions only move from the path to the entries, but for a restored
        one, which leaves the entries after it is at the path.
        """
        for _ in range(_ATTEMPTS):
            opened = self._open_current(bucket, key)
            entries = self._versions.entries(bucket, key)
            if opened is not None:
                self.close(opened[0])
                return opened[1], entries
            again = self.find(bucket, key)
            if again is None:
                return None, entries
            self.close(again)
        raise OSError(errno.EAGAIN, "the key came and went again and again", key)

    def _load(self, bucket: BucketLayout, key: str, found: Found) -> ObjectVersion:
        version = self._metadata.read(found.descriptor, found.stat, key)
        if version is None:
            version, steady = self._metadata.compute(found.descriptor, found.stat, key)
            if steady and self._now() - version.last_modified > _RACILY_CLEAN_SECONDS:
                self._adopt(bucket, found, version)
        return version

    def _adopt(self, bucket: BucketLayout, found: Found, version: ObjectVersion) -> None:
        """Record what was computed, if the file is still the same and ours to write."""
        stamp = Stamp.of(found.stat)
        try:
            with self._locks.key(bucket.name, version.key):
                at_path, opened = self._disk.stat(found.path), self._disk.fstat(found.descriptor)
                steady = Stamp.of(at_path) == Stamp.of(opened) == stamp
                if steady and not self._metadata.is_damaged(found.descriptor, found.stat):
                    self._metadata.write(found.descriptor, found.stat, version)
        except FileNotFoundError:
            pass
        except OSError as error:
            if error.errno not in _UNWRITABLE:
                raise
