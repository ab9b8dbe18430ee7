"""Giving an object another key in one step. May block."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from contextlib import suppress

from msgspec import structs

from twisted_s3.errors import S3Error
from twisted_s3.interfaces import Condition, Witness, always, unwitnessed
from twisted_s3.model import UNLOCKED, Deletion, ObjectLock, ObjectVersion
from twisted_s3.storage.filesystem.buckets import Buckets
from twisted_s3.storage.filesystem.disk import IDisk, Temporary
from twisted_s3.storage.filesystem.files import Files, Found
from twisted_s3.storage.filesystem.layout import STAGING, BucketLayout, parent
from twisted_s3.storage.filesystem.locks import Locks
from twisted_s3.storage.filesystem.lookup import Lookup
from twisted_s3.storage.filesystem.metadata import Metadata, SideFileGone
from twisted_s3.storage.filesystem.objects import Objects
from twisted_s3.storage.filesystem.record import Stamp
from twisted_s3.storage.filesystem.removal import Removal
from twisted_s3.storage.testimony import Testimony


class Renaming:
    """Renames objects: the file moves, and its record with it, for the record is the inode's."""

    def __init__(
        self,
        disk: IDisk,
        files: Files,
        locks: Locks,
        metadata: Metadata,
        buckets: Buckets,
        lookup: Lookup,
        objects: Objects,
        removal: Removal,
    ) -> None:
        self._disk = disk
        self._files = files
        self._locks = locks
        self._metadata = metadata
        self._buckets = buckets
        self._lookup = lookup
        self._objects = objects
        self._removal = removal

    def rename(
        self,
        bucket: BucketLayout,
        source: str,
        target: str,
        source_condition: Condition,
        condition: Condition,
        witness: Witness = unwitnessed,
        default_lock: ObjectLock = UNLOCKED,
    ) -> ObjectVersion:
        """Move ``source`` to ``target``, in place of what is there; the rename of the file is the only commit point.

        :raise S3Error: ``NoSuchBucket``, ``NoSuchKey``, or from the conditions; both keys are then as before.
        """
        version = None
        if source == target or not self._buckets.get(bucket).versioning:
            version = self._move_unversioned(bucket, source, target, source_condition, condition, witness)
        if version is None:
            version = self._copy_and_delete(bucket, source, target, source_condition, condition, witness, default_lock)
        return version

    def _move_unversioned(
        self,
        bucket: BucketLayout,
        source: str,
        target: str,
        source_condition: Condition,
        condition: Condition,
        witness: Witness,
    ) -> ObjectVersion | None:
        """Move the file. None: the bucket has come to keep versions, which a move would destroy."""
        # A record goes along with the file, so the source needs one; the target only where a condition asks.
        self._lookup.head(bucket, source)
        self._lookup.warm(bucket, target, condition)
        with self._locks.bucket(bucket.name):
            if self._buckets.get(bucket).versioning and source != target:
                return None
            with self._locks.keys(bucket.name, source, target):
                moved = self._lookup.find(bucket, source)
                if moved is None:
                    raise self._lookup.missing(bucket, source)
                try:
                    version = self._prepared(source, moved, source_condition)
                    if source == target:
                        self._lookup.check(target, moved, condition)
                        return version
                    version = structs.replace(version, key=target)
                    changed, replaced = self._move(bucket, source, version, moved, condition, witness)
                finally:
                    self._disk.close(moved.descriptor)
        self._objects.settle(changed, replaced)
        return version

    def _copy_and_delete(
        self,
        bucket: BucketLayout,
        source: str,
        target: str,
        source_condition: Condition,
        condition: Condition,
        witness: Witness,
        default_lock: ObjectLock,
    ) -> ObjectVersion:
        """The same in a versioned bucket, which keeps the source's version: a new one for the target, and then a delete
        marker for the source. Either is a commit of its own, and what comes between leaves both keys.
        """
        found, version = self._lookup.open(bucket, source)
        try:
            source_condition(version)
            temporary = self._disk.create_temporary(STAGING)
            try:
                self._copy(found, temporary)
                moved = structs.replace(version, key=target, lock=version.lock.with_default(default_lock))
                made = self._objects.put(temporary, bucket, moved, condition, witness)
            finally:
                self._files.drop(temporary)
        finally:
            self._lookup.close(found)

        def unchanged(current: ObjectVersion | None) -> None:
            if current is None or (current.version_id, current.etag) != (version.version_id, version.etag):
                raise S3Error("ConditionalRequestConflict")

        self._removal.delete(bucket, source, unchanged, None, always, version.owner, witness)
        return made

    def _copy(self, found: Found, temporary: Temporary) -> None:
        """Copy what was looked at. :raise S3Error: ``ConditionalRequestConflict`` when somebody edits it meanwhile."""
        try:
            self._disk.copy_range(found.descriptor, 0, temporary.descriptor, 0, found.stat.size)
        except OSError:
            self._require_steady(found)
            raise
        self._require_steady(found)

    def _require_steady(self, found: Found) -> None:
        if Stamp.of(self._disk.fstat(found.descriptor)) != Stamp.of(found.stat):
            raise S3Error("ConditionalRequestConflict")

    def _prepared(self, source: str, moved: Found, condition: Condition) -> ObjectVersion:
        """Check the source, and make sure that it and its record are durable: a file put by hand may have neither."""
        version = self._lookup.known(source, moved)
        condition(version)
        if self._metadata.is_damaged(moved.descriptor, moved.stat):
            raise OSError(errno.EIO, "the record is damaged", moved.path)
        try:
            recorded = self._metadata.read(moved.descriptor, moved.stat, source)
        except SideFileGone:
            recorded = None
        if recorded is None:
            self._metadata.write(moved.descriptor, moved.stat, version)
        self._disk.fsync(moved.descriptor)
        return version

    def _move(
        self,
        bucket: BucketLayout,
        source: str,
        version: ObjectVersion,
        moved: Found,
        condition: Condition,
        witness: Witness,
    ) -> tuple[Sequence[bytes], Found | None]:
        """Give the file its new name. Gives the directories to sync, and the file that was replaced, still open."""
        changed = []
        # An older object in the overflow, hidden by a file put by hand, must not come to light.
        hidden = bucket.overflow.path(source)
        if hidden != moved.path:
            with suppress(FileNotFoundError):
                self._disk.unlink(hidden)
                changed.append(parent(hidden))
        self._metadata.hold(moved.descriptor, moved.stat)
        temporary = Temporary(moved.descriptor, parent(moved.path), moved.path)
        made, gone = Testimony(witness), Testimony(witness)

        def prepare(current: Found | None) -> None:
            made.begin(version)
            gone.begin(Deletion(True))

        try:
            path, replaced = self._objects.publish(temporary, bucket, version.key, condition, prepare)
        except S3Error:
            made.withdraw()
            gone.withdraw()
            raise
        made.committed()
        gone.committed()
        changed += [parent(path), self._files.prune(parent(moved.path), bucket.top(moved.path))]
        return changed, replaced
