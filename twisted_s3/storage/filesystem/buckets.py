"""Buckets: folders in the data directory, and what is recorded about them. All but the reading may block."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress

from msgspec import Struct

from twisted_s3.errors import S3Error
from twisted_s3.model import ENABLED, Bucket
from twisted_s3.storage.filesystem.disk import IDisk, Kind
from twisted_s3.storage.filesystem.files import Files
from twisted_s3.storage.filesystem.layout import BUCKETS, STATE, BucketLayout, parent
from twisted_s3.storage.filesystem.locks import Locks
from twisted_s3.storage.filesystem.marks import Mark, is_settled, mark
from twisted_s3.storage.filesystem.record import dump_bucket, load_bucket
from twisted_s3.storage.filesystem.sync import DirectorySync

_FOLDER_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def is_folder_name(name: str) -> bool:
    """Whether a folder of this name can be a bucket: the part of AWS's rules that concerns characters and length."""
    return _FOLDER_NAME.fullmatch(name) is not None


#: Of how many buckets the paths are kept at hand. They depend on nothing but the name.
_MAX_LAYOUTS = 1024


class _Known(Struct, frozen=True):
    """A record that was read, and what its file looked like."""

    mark: Mark
    bucket: Bucket


class Buckets:
    """The buckets of a data directory. The folder is the bucket; making and removing it are the commit points.

    :param is_bucket_name: tells which names can be a bucket's.
    :param now: gives the time of day, in seconds since the epoch.
    """

    def __init__(
        self,
        disk: IDisk,
        files: Files,
        directories: DirectorySync,
        locks: Locks,
        is_bucket_name: Callable[[str], bool],
        now: Callable[[], float],
    ) -> None:
        self._disk = disk
        self._files = files
        self._directories = directories
        self._locks = locks
        self._is_bucket_name = is_bucket_name
        self._now = now
        self._known: dict[str, _Known] = {}
        self._layouts: dict[str, BucketLayout] = {}

    def layout(self, name: str) -> BucketLayout:
        """Where a bucket's things lie, whether it exists or not.

        :raise S3Error: ``NoSuchBucket`` for a name that no bucket can have.
        """
        layout = self._layouts.get(name)
        if layout is None:
            if not self._is_name(name):
                raise _missing(name)
            if len(self._layouts) >= _MAX_LAYOUTS:
                self._layouts.clear()
            layout = self._layouts[name] = BucketLayout(name)
        return layout

    def require(self, bucket: BucketLayout) -> None:
        """:raise S3Error: ``NoSuchBucket``."""
        if not self._exists(bucket):
            self._check_there()
            raise _missing(bucket.name)

    def get(self, bucket: BucketLayout) -> Bucket:
        """What is known about a bucket. :raise S3Error: ``NoSuchBucket``."""
        try:
            folder = self._disk.stat(bucket.folder)
        except FileNotFoundError:
            self._check_there()
            raise _missing(bucket.name) from None
        if folder.kind is not Kind.DIRECTORY:
            raise _missing(bucket.name)
        return self._recorded(bucket) or Bucket(bucket.name, created=min(folder.mtime_ns, folder.ctime_ns) / 1e9)

    def recall(self, bucket: BucketLayout) -> Bucket:
        """What was known about a bucket when it was last looked at, for guesses. :raise S3Error: ``NoSuchBucket``."""
        known = self._known.get(bucket.name)
        return self.get(bucket) if known is None else known.bucket

    def list(self) -> Sequence[Bucket]:
        """All buckets, by name."""
        self._check_there()
        found = []
        for raw, kind in sorted(self._disk.scan(b""), key=lambda entry: entry[0]):
            name = raw.decode("utf-8", "replace")
            if kind is Kind.DIRECTORY and self._is_name(name):
                with suppress(S3Error):
                    found.append(self.get(BucketLayout(name)))
        return found

    def create(
        self, name: str, owner: str, region: str, object_lock: bool, configurations: Mapping[str, bytes]
    ) -> Bucket:
        """Make a bucket. :raise S3Error: ``BucketAlreadyExists``; ``InvalidBucketName``."""
        if not self._is_name(name):
            raise S3Error("InvalidBucketName", elements={"BucketName": name})
        bucket = BucketLayout(name)
        versioning = ENABLED if object_lock else ""
        record = Bucket(name, self._now(), owner, region, versioning, object_lock, dict(configurations))
        with self._locks.bucket(name, exclusive=True):
            if self._exists(bucket):
                # Its owner may be told that all is well, and another process may have been killed before it synced.
                self._directories.sync(b"")
                raise S3Error("BucketAlreadyExists", elements={"BucketName": name})
            # What a bucket whose folder was removed by hand has left must not show up in the new one.
            with suppress(FileNotFoundError):
                self._files.remove_tree(bucket.state)
            self._save(bucket, record)
            try:
                self._disk.mkdir(bucket.folder)
            except FileExistsError:
                raise S3Error("BucketAlreadyExists", elements={"BucketName": name}) from None
            self._directories.sync(b"")
        return record

    def change(self, bucket: BucketLayout, change: Callable[[Bucket], Bucket]) -> Bucket:
        """Replace what is recorded about a bucket durably, in one step, while nobody commits anything to it.

        :raise S3Error: ``NoSuchBucket``, or from ``change``.
        """
        with self._locks.bucket(bucket.name, exclusive=True):
            before = self.get(bucket)
            after = change(before)
            if after != before:
                self._save(bucket, after)
            else:
                # Whoever made it so may have been killed before the record's name was on stable storage.
                self._directories.sync(parent(bucket.record))
            return after

    def delete(self, bucket: BucketLayout) -> None:
        """Remove a bucket that holds no objects, with its uploads.

        :raise S3Error: ``NoSuchBucket``, ``BucketNotEmpty``.
        """
        self.require(bucket)
        # First without the lock: it must not make writers wait only to find the bucket full.
        self._require_empty(bucket)
        with self._locks.bucket(bucket.name, exclusive=True):
            self.require(bucket)
            self._require_empty(bucket)
            try:
                self._remove_empty(bucket.folder)
            except OSError:
                # A file came by hand, or a thing that is no object.
                if self._exists(bucket):
                    raise _not_empty(bucket) from None
                raise
            self._directories.sync(b"")
            with suppress(FileNotFoundError):
                self._files.remove_tree(bucket.state)

    def clean(self) -> None:
        """Drop what is recorded about buckets whose folder is gone."""
        for bucket in self.orphaned():
            with self._locks.bucket(bucket.name, exclusive=True):
                if not self._exists(bucket):
                    with suppress(FileNotFoundError):
                        self._files.remove_tree(bucket.state)

    def orphaned(self) -> Iterator[BucketLayout]:
        """Buckets whose folder is gone, or not yet made."""
        for raw, _ in self._disk.scan(BUCKETS):
            name = raw.decode("utf-8", "replace")
            if self._is_name(name) and not self._exists(BucketLayout(name)):
                yield BucketLayout(name)

    def _save(self, bucket: BucketLayout, record: Bucket) -> None:
        self._files.save(dump_bucket(record), bucket.record, replace=True, top=BUCKETS)

    def _recorded(self, bucket: BucketLayout) -> Bucket | None:
        """The record of a bucket: the one read before, if its file is still the same."""
        try:
            found = self._disk.stat(bucket.record)
        except (FileNotFoundError, NotADirectoryError):
            self._known.pop(bucket.name, None)
            return None
        known = self._known.get(bucket.name)
        if known is not None and known.mark == mark(found):
            return known.bucket
        # The stat comes first: a record that is replaced meanwhile is then read again, not taken for the old one.
        now = int(self._now() * 1e9)
        raw = self._files.load(bucket.record)
        read = None if raw is None else load_bucket(raw, bucket.name)
        if read is not None and is_settled(found, now):
            self._known[bucket.name] = _Known(mark(found), read)
        else:
            self._known.pop(bucket.name, None)
        return read

    def _check_there(self) -> None:
        """:raise OSError: when what is ours is gone, too: then nobody can say that a bucket does not exist."""
        try:
            self._disk.stat(STATE)
        except FileNotFoundError:
            raise OSError(errno.ESTALE, "the data directory has vanished") from None

    def _is_name(self, name: str) -> bool:
        return name.encode("utf-8", "replace") != STATE and "/" not in name and self._is_bucket_name(name)

    def _exists(self, bucket: BucketLayout) -> bool:
        try:
            return self._disk.stat(bucket.folder).kind is Kind.DIRECTORY
        except FileNotFoundError:
            return False

    def _require_empty(self, bucket: BucketLayout) -> None:
        if self._holds_anything(bucket.folder) or self._holds_anything(bucket.overflow.base):
            raise _not_empty(bucket)
        if self._holds_anything(bucket.versions.base):
            raise _not_empty(bucket)

    def _holds_anything(self, directory: bytes) -> bool:
        """Whether there is anything but directories, which may be nested as deep as keys are long."""
        pending = [directory]
        while pending:
            at = pending.pop()
            try:
                entries = self._disk.scan(at)
            except FileNotFoundError:
                continue
            if any(kind is not Kind.DIRECTORY for _, kind in entries):
                return True
            pending += [b"%b/%b" % (at, name) for name, _ in entries]
        return False

    def _remove_empty(self, directory: bytes) -> None:
        found = [directory]
        # It grows while it is gone through: every directory comes behind the one that holds it.
        for at in found:
            found += [b"%b/%b" % (at, name) for name, _ in self._disk.scan(at)]
        for at in reversed(found):
            self._disk.rmdir(at)


def _missing(name: str) -> S3Error:
    return S3Error("NoSuchBucket", elements={"BucketName": name})


def _not_empty(bucket: BucketLayout) -> S3Error:
    return S3Error("BucketNotEmpty", elements={"BucketName": bucket.name})
