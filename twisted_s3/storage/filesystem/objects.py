"""Finding, putting, changing and deleting objects. Everything here may block: for the disk pool."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from contextlib import suppress

import attrs

from twisted_s3.errors import S3Error
from twisted_s3.interfaces import Condition, always
from twisted_s3.model import ObjectVersion
from twisted_s3.storage.filesystem.buckets import Buckets
from twisted_s3.storage.filesystem.disk import Access, Descriptor, IDisk, Kind, Stat, Temporary
from twisted_s3.storage.filesystem.files import Files
from twisted_s3.storage.filesystem.layout import BucketLayout, parent
from twisted_s3.storage.filesystem.locks import Locks
from twisted_s3.storage.filesystem.metadata import Metadata, SideFileGone
from twisted_s3.storage.filesystem.record import Stamp
from twisted_s3.storage.filesystem.sync import DirectorySync

#: How often the ground may shift below one operation before it gives up.
_ATTEMPTS = 100
#: A file changed so recently may change again without its time of change telling.
_RACILY_CLEAN_SECONDS = 2.0
#: What a path that can not be a file's answers: something else is there, or a file is on the way.
_BLOCKED = frozenset(
    (errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.ENOTEMPTY, errno.ENAMETOOLONG, errno.ENXIO)
)
_UNWRITABLE = frozenset((errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT))


@attrs.frozen
class Found:
    """The open file of an object."""

    path: bytes
    descriptor: Descriptor
    stat: Stat


class Objects:
    """The objects of all buckets.

    :param now: gives the time of day, in seconds since the epoch.
    """

    def __init__(
        self,
        disk: IDisk,
        files: Files,
        directories: DirectorySync,
        locks: Locks,
        metadata: Metadata,
        buckets: Buckets,
        now: Callable[[], float],
    ) -> None:
        self._disk = disk
        self._files = files
        self._directories = directories
        self._locks = locks
        self._metadata = metadata
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
                if error.errno in _BLOCKED:
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

    def open(self, bucket: BucketLayout, key: str) -> tuple[Found, ObjectVersion]:
        """Open an object, with its metadata computed anew if it was put or changed by hand.

        :raise S3Error: ``NoSuchKey``, ``NoSuchBucket``.
        """
        for attempt in range(_ATTEMPTS):
            found = self.find(bucket, key)
            if found is None:
                raise self.missing(bucket, key)
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

    def head(self, bucket: BucketLayout, key: str) -> ObjectVersion:
        """The metadata of an object. :raise S3Error: ``NoSuchKey``, ``NoSuchBucket``."""
        found, version = self.open(bucket, key)
        self._disk.close(found.descriptor)
        return version

    def head_all(self, bucket: BucketLayout, keys: Sequence[str]) -> Sequence[ObjectVersion]:
        """The metadata of the keys that are (still) there."""
        versions = []
        for key in keys:
            try:
                versions.append(self.head(bucket, key))
            except S3Error as error:
                if error.code != "NoSuchKey":
                    raise
            except PermissionError:
                # A file that we may not read must not keep the others from being listed.
                continue
        return versions

    def put(
        self, temporary: Temporary, bucket: BucketLayout, version: ObjectVersion, condition: Condition
    ) -> ObjectVersion:
        """Give a complete file its metadata and its key, durably and in one step.

        :return: ``version`` with the time of change of the file.
        :raise S3Error: from ``condition``, or ``NoSuchBucket``; the key is then as before.
        """
        self.warm(bucket, version.key, condition)
        stat = self._disk.fstat(temporary.descriptor)
        side_file = self._metadata.write(temporary.descriptor, stat, version)
        try:
            self._disk.fsync(temporary.descriptor)
            with self._locks.bucket(bucket.name):
                self._buckets.require(bucket)
                with self._locks.key(bucket.name, version.key):
                    path, replaced = self.publish(temporary, bucket, version.key, condition)
        except BaseException:
            self._metadata.forget(side_file)
            raise
        self.settle([parent(path)], replaced)
        return attrs.evolve(version, last_modified=stat.mtime_ns / 1e9)

    def change(self, bucket: BucketLayout, key: str, change: Callable[[ObjectVersion], ObjectVersion]) -> ObjectVersion:
        """Replace the properties of an object durably, in one step. :raise S3Error: ``NoSuchKey``, ``NoSuchBucket``."""
        with self._locks.bucket(bucket.name), self._locks.key(bucket.name, key):
            current = self.find(bucket, key)
            if current is None:
                raise self.missing(bucket, key)
            try:
                version = self.known(key, current)
                version = attrs.evolve(version, properties=change(version).properties)
                before = self._metadata.side_file(current.descriptor, current.stat)
                after = self._metadata.write(current.descriptor, current.stat, version)
                self._disk.fsync(current.descriptor)
                if before != after:
                    self._metadata.forget(before)
            finally:
                self._close(current)
            return version

    def delete(self, bucket: BucketLayout, key: str, condition: Condition) -> bool:
        """Remove a key durably; gives whether it was there. :raise S3Error: ``NoSuchBucket``, or from ``condition``."""
        self.warm(bucket, key, condition)
        with self._locks.bucket(bucket.name):
            self._buckets.require(bucket)
            with self._locks.key(bucket.name, key):
                removed = self.find(bucket, key)
                try:
                    self.check(key, removed, condition)
                    if removed is None:
                        return False
                    changed = self._remove(bucket, key, removed)
                except BaseException:
                    self._close(removed)
                    raise
        self.settle(changed, removed)
        return True

    def missing(self, bucket: BucketLayout, key: str) -> S3Error:
        """The error for a key that is not there. :raise S3Error: ``NoSuchBucket``."""
        self._buckets.require(bucket)
        return S3Error("NoSuchKey", elements={"Key": key})

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
                if Stamp.of(at_path) == Stamp.of(opened) == stamp:
                    self._metadata.write(found.descriptor, found.stat, version)
        except FileNotFoundError:
            pass
        except OSError as error:
            if error.errno not in _UNWRITABLE:
                raise

    def known(self, key: str, current: Found) -> ObjectVersion:
        """The metadata of a file whose key is locked."""
        try:
            version = self._metadata.read(current.descriptor, current.stat, key)
        except SideFileGone:
            version = None
        return version or self._metadata.compute(current.descriptor, current.stat, key)[0]

    def warm(self, bucket: BucketLayout, key: str, condition: Condition) -> None:
        """Have the metadata of a file that was put by hand computed before its key is locked."""
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

    def publish(
        self, temporary: Temporary, bucket: BucketLayout, key: str, condition: Condition
    ) -> tuple[bytes, Found | None]:
        """Publish under the key's lock. Gives the path, and the file that was replaced, still open."""
        for _ in range(_ATTEMPTS):
            current = self.find(bucket, key)
            try:
                self.check(key, current, condition)
                path = self._publish_once(temporary, bucket, key, current)
            except BaseException:
                self._close(current)
                raise
            if path is not None:
                return path, current
            self._close(current)
        raise OSError(errno.EAGAIN, "the path changed again and again", key)

    def _publish_once(
        self, temporary: Temporary, bucket: BucketLayout, key: str, current: Found | None
    ) -> bytes | None:
        """Publish where the key lives, or at the first path that can hold it. None: look again, somebody interfered."""
        for path in bucket.paths(key) if current is None else (current.path,):
            # A file that has a name must lose it in the same step, so it is moved; with the key locked that is as good.
            replace = current is not None or temporary.name is not None
            try:
                if replace and current is None and self._kind(path) is not None:
                    raise FileExistsError(errno.EEXIST, "something is there", path)
                self._files.place(temporary, path, replace, bucket.top(path))
            except OSError as error:
                if error.errno not in _BLOCKED:
                    raise
                if not self._is_blocked(path):
                    return None
            else:
                return path
        return None

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

    def _remove(self, bucket: BucketLayout, key: str, current: Found) -> Sequence[bytes]:
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

        Before that a crash may bring the file back. It is closed last, so that its inode's number is not taken anew.
        """
        try:
            for directory in changed:
                self._directories.sync(directory)
            if gone is not None:
                with suppress(OSError):
                    self._metadata.forget(self._metadata.side_file(gone.descriptor, gone.stat))
        finally:
            self._close(gone)

    def _close(self, found: Found | None) -> None:
        if found is not None:
            self._disk.close(found.descriptor)
