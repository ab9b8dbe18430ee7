"""Putting and changing objects. Everything here may block: for the disk pool."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from contextlib import suppress

from msgspec import Struct, structs

from twisted_s3.errors import S3Error
from twisted_s3.interfaces import Condition, Witness, unwitnessed
from twisted_s3.model import ENABLED, NULL_VERSION, ObjectVersion
from twisted_s3.storage.filesystem.buckets import Buckets
from twisted_s3.storage.filesystem.disk import IDisk, Kind, Temporary
from twisted_s3.storage.filesystem.files import Files, Found
from twisted_s3.storage.filesystem.layout import BUCKETS, BucketLayout, parent
from twisted_s3.storage.filesystem.locks import Locks
from twisted_s3.storage.filesystem.lookup import BLOCKED, Lookup
from twisted_s3.storage.filesystem.metadata import Metadata
from twisted_s3.storage.filesystem.succession import Succession
from twisted_s3.storage.filesystem.sync import DirectorySync
from twisted_s3.storage.filesystem.versions import Entry, Versions
from twisted_s3.storage.testimony import Testimony
from twisted_s3.storage.versionids import check_version_id, make_id

#: How often the ground may shift below one operation before it gives up.
_ATTEMPTS = 100


class _Draft(Struct):
    """A complete file that is to become a version, with its record."""

    disk: IDisk
    metadata: Metadata
    temporary: Temporary
    version: ObjectVersion
    side_file: bytes | None = None

    def write(self, version: ObjectVersion) -> None:
        """Record what the file is to be, durably."""
        stat = self.disk.fstat(self.temporary.descriptor)
        before = self.side_file
        self.side_file = self.metadata.write(self.temporary.descriptor, stat, version)
        if before != self.side_file:
            self.metadata.forget(before)
        self.version = structs.replace(version, last_modified=stat.mtime_ns / 1e9)
        self.disk.fsync(self.temporary.descriptor)

    def rewrite(self, version_id: str, after_ns: int) -> None:
        """Record another version id than was drafted. A ``null`` version goes by the file's time, not by an id."""
        if version_id == NULL_VERSION and self.disk.fstat(self.temporary.descriptor).mtime_ns <= after_ns:
            self.disk.touch(self.temporary.descriptor, after_ns + 1)
        elif version_id == self.version.version_id:
            return
        self.write(structs.replace(self.version, version_id=version_id))


class Objects:
    """Writes the objects of all buckets.

    :param now: gives the time of day, in seconds since the epoch.
    """

    def __init__(
        self,
        disk: IDisk,
        files: Files,
        directories: DirectorySync,
        locks: Locks,
        metadata: Metadata,
        versions: Versions,
        buckets: Buckets,
        lookup: Lookup,
        now: Callable[[], float],
    ) -> None:
        self._disk = disk
        self._files = files
        self._directories = directories
        self._locks = locks
        self._metadata = metadata
        self._versions = versions
        self._buckets = buckets
        self._lookup = lookup
        self._now = now

    def put(
        self,
        temporary: Temporary,
        bucket: BucketLayout,
        version: ObjectVersion,
        condition: Condition,
        witness: Witness = unwitnessed,
    ) -> ObjectVersion:
        """Give a complete file its metadata and its key, durably and in one step.

        :return: ``version`` with its id, and the time of change of the file.
        :raise S3Error: from ``condition``, or ``NoSuchBucket``; the key is then as before.
        """
        self._lookup.warm(bucket, version.key, condition)
        draft = _Draft(self._disk, self._metadata, temporary, version)
        try:
            # Most often the id that is drafted here, where nobody waits for it, is the newest under the lock, too.
            draft.write(structs.replace(version, version_id=self._likely_id(bucket)))
            with self._locks.bucket(bucket.name):
                succession = self.succession(bucket, version.key)
                with self._locks.key(bucket.name, version.key):
                    path, replaced = self._replace(draft, bucket, condition, succession, Testimony(witness))
        except BaseException:
            self._metadata.forget(draft.side_file)
            raise
        self.settle([parent(path)], replaced)
        if succession is not None:
            self.drop(bucket, version.key, succession.superseded(draft.version.version_id))
        return draft.version

    def change(
        self,
        bucket: BucketLayout,
        key: str,
        change: Callable[[ObjectVersion], ObjectVersion],
        version_id: str | None = None,
        witness: Witness = unwitnessed,
    ) -> ObjectVersion:
        """Replace properties and lock of a version durably, in one step. :raise S3Error: as :meth:`Lookup.open`."""
        if version_id is not None:
            check_version_id(version_id)
        testimony = Testimony(witness)
        self._lookup.warm(bucket, key)
        with self._locks.bucket(bucket.name), self._locks.key(bucket.name, key):
            found, version = self._lookup.locate(bucket, key, version_id)
            try:
                changed = change(version)
                if self._metadata.is_damaged(found.descriptor, found.stat):
                    raise OSError(errno.EIO, "the record is damaged", found.path)
                version = structs.replace(version, properties=changed.properties, lock=changed.lock)
                testimony.begin(version)
                before = self._metadata.side_file(found.descriptor, found.stat)
                after = self._metadata.write(found.descriptor, found.stat, version)
                self._disk.fsync(found.descriptor)
                testimony.committed()
                if before != after:
                    self._metadata.forget(before)
            finally:
                self._lookup.close(found)
        # Whoever put the version may not have brought its name to stable storage yet.
        self._directories.sync(parent(found.path))
        return version

    def succession(self, bucket: BucketLayout, key: str) -> Succession | None:
        """What changes the versions of a key, in a bucket that is locked; None where there have never been any.

        :raise S3Error: ``NoSuchBucket``.
        """
        versioning = self._buckets.get(bucket).versioning
        return Succession(self._versions, bucket, key, versioning, self._now) if versioning else None

    def publish(
        self,
        temporary: Temporary,
        bucket: BucketLayout,
        key: str,
        condition: Condition,
        prepare: Callable[[Found | None], object] = lambda current: None,
    ) -> tuple[bytes, Found | None]:
        """Publish under the key's lock. Gives the path, and the file that was replaced, still open.

        :param prepare: called with the file that is to be replaced, right before.
        """
        for _ in range(_ATTEMPTS):
            current = self._lookup.find(bucket, key)
            try:
                self._lookup.check(key, current, condition)
                prepare(current)
                path = self.publish_once(temporary, bucket, key, current)
            except BaseException:
                self._lookup.close(current)
                raise
            if path is not None:
                return path, current
            self._lookup.close(current)
        raise OSError(errno.EAGAIN, "the path changed again and again", key)

    def publish_once(self, temporary: Temporary, bucket: BucketLayout, key: str, current: Found | None) -> bytes | None:
        """Publish where the key lives, or at the first path that can hold it. None: look again, somebody interfered."""
        for path in bucket.paths(key) if current is None else (current.path,):
            # A file that has a name must lose it in the same step, so it is moved; with the key locked that is as good.
            replace = current is not None or temporary.name is not None
            try:
                if replace and current is None and self._kind(path) is not None:
                    raise FileExistsError(errno.EEXIST, "something is there", path)
                self._files.place(temporary, path, replace, bucket.top(path))
            except OSError as error:
                if error.errno not in BLOCKED:
                    raise
                if not self._is_blocked(path):
                    return None
            else:
                return path
        return None

    def uncover(self, bucket: BucketLayout, key: str, current: Found) -> None:
        """Bring an object in the overflow, hidden by a file that was put by hand, to the versions of its key, durably.

        For a bucket that keeps versions: it may be locked, and nobody is asked for leave to destroy it.
        """
        hidden = bucket.overflow.path(key)
        found = None if hidden == current.path else self._versions.open(Entry(hidden, 0, "", False))
        if found is None:
            return
        try:
            entry = self._versions.entry(bucket, key, found)
            self._versions.keep(found, entry)
            self._versions.sync(bucket, key)
            self._disk.unlink(hidden)
            self._directories.sync(self._files.prune(parent(hidden), bucket.top(hidden)))
        finally:
            self._lookup.close(found)

    def places(self, bucket: BucketLayout, key: str, versions: bool = False) -> Sequence[bytes]:
        """The directories to sync for what a key has, or has not, to stay so: who made it so may not have done it yet.

        :param versions: whether for its noncurrent versions, too.
        """
        tops = [(parent(path), bucket.top(path)) for path in bucket.paths(key)]
        if versions:
            tops.append((bucket.versions.folder(key), BUCKETS))
        changed = []
        for directory, top in tops:
            while directory != top and self._kind(directory) is not Kind.DIRECTORY:
                directory = parent(directory)
            changed.append(directory)
        return changed

    def unlink(self, bucket: BucketLayout, key: str, current: Found) -> Sequence[bytes]:
        """Remove the file of a key and the directories that this empties. Gives the directories to sync."""
        changed = []
        # Behind a file that was put by hand may lie an older one in the overflow, which must not come back.
        for path in {bucket.overflow.path(key): None, current.path: None}:
            try:
                self._disk.unlink(path)
            except FileNotFoundError:
                continue
            changed.append(self._files.prune(parent(path), bucket.top(path)))
        return changed

    def settle(self, changed: Sequence[bytes], gone: Found | None) -> None:
        """Sync the changed directories, and only then remove what belonged to the file that has gone from them.

        Before that a crash may bring the file back. It is closed last, so that its inode's number is not taken anew. A
        file that has another name, among the versions, has not gone.
        """
        try:
            for directory in changed:
                self._directories.sync(directory)
            if gone is not None:
                with suppress(OSError):
                    if not self._disk.fstat(gone.descriptor).links:
                        self._metadata.forget(self._metadata.side_file(gone.descriptor, gone.stat))
        finally:
            self._lookup.close(gone)

    def drop(self, bucket: BucketLayout, key: str, entries: Sequence[Entry]) -> None:
        """Remove what a commit has superseded. What then fails is left to the next writer."""
        with suppress(OSError):
            self._versions.remove(bucket, key, self.expendable(key, entries))

    def expendable(self, key: str, entries: Sequence[Entry], inode: int | None = None) -> Sequence[Entry]:
        """Those of ``entries`` that may go with the version which has their id.

        Hands may have brought a second ``null`` on top of one that is locked. That one stays, and shows again when the
        other is gone.

        :param inode: the number of that version's file.
        """
        locked = self._versions.locked(entries, key, self._now(), inode)
        return [entry for entry in entries if entry not in locked]

    def _replace(
        self,
        draft: _Draft,
        bucket: BucketLayout,
        condition: Condition,
        succession: Succession | None,
        testimony: Testimony,
    ) -> tuple[bytes, Found | None]:
        """Publish a draft, the version that was current brought to safety before."""

        def prepare(found: Found | None) -> None:
            if succession is not None:
                succession.begin(self._lookup.current(draft.version.key, found))
                succession.keep_current()
                draft.rewrite(succession.next_id(draft.version.version_id), succession.floor)
            elif draft.version.version_id != NULL_VERSION:
                draft.rewrite(NULL_VERSION, 0)
            testimony.begin(draft.version)

        try:
            published = self.publish(draft.temporary, bucket, draft.version.key, condition, prepare)
        except S3Error:
            testimony.withdraw()
            raise
        testimony.committed()
        return published

    def _likely_id(self, bucket: BucketLayout) -> str:
        enabled = self._buckets.recall(bucket).versioning == ENABLED
        return make_id(int(self._now() * 1e9)) if enabled else NULL_VERSION

    def _is_blocked(self, path: bytes) -> bool:
        """Whether what is at a path keeps files from it. An empty directory does not: it is removed."""
        try:
            self._disk.rmdir(path)
        except FileNotFoundError:
            return False
        except NotADirectoryError:
            return self._kind(path) is not Kind.FILE
        except OSError:
            return True
        return False

    def _kind(self, path: bytes) -> Kind | None:
        """What is at a path; None when there is nothing, :attr:`Kind.OTHER` when a file is on the way."""
        try:
            return self._disk.stat(path).kind
        except FileNotFoundError:
            return None
        except OSError:
            return Kind.OTHER
