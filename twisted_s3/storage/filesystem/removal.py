"""Deleting keys and versions. May block."""

from __future__ import annotations

import errno
from collections.abc import Sequence

from twisted_s3.errors import S3Error
from twisted_s3.interfaces import Condition, Order, Witness, always, in_any_order, unwitnessed
from twisted_s3.model import NULL_VERSION, Deletion, ObjectVersion
from twisted_s3.storage.filesystem.disk import Temporary
from twisted_s3.storage.filesystem.files import Found
from twisted_s3.storage.filesystem.layout import BucketLayout, parent
from twisted_s3.storage.filesystem.locks import Locks
from twisted_s3.storage.filesystem.lookup import Lookup
from twisted_s3.storage.filesystem.objects import Objects
from twisted_s3.storage.filesystem.succession import Current, Succession
from twisted_s3.storage.filesystem.versions import Entry, Versions, entry_of
from twisted_s3.storage.testimony import Testimony
from twisted_s3.storage.versionids import check_version_id

_ATTEMPTS = 100


class Removal:
    """Deletes."""

    def __init__(self, locks: Locks, lookup: Lookup, objects: Objects, versions: Versions) -> None:
        self._locks = locks
        self._lookup = lookup
        self._objects = objects
        self._versions = versions

    def delete(
        self,
        bucket: BucketLayout,
        key: str,
        condition: Condition,
        version_id: str | None,
        guard: Condition,
        owner: str,
        witness: Witness = unwitnessed,
        order: Order = in_any_order,
    ) -> Deletion:
        """Delete a key, or a version of it for good, durably. :raise S3Error: as :meth:`IObjectStore.delete_object`."""
        if version_id is not None:
            check_version_id(version_id)
        # Who names a version is told what it was.
        self._lookup.warm(bucket, key, (condition if guard is always else guard) if version_id is None else None)
        testimony = Testimony(witness)
        with self._locks.bucket(bucket.name):
            succession = self._objects.succession(bucket, key)
            with self._locks.key(bucket.name, key):
                found = self._lookup.find(bucket, key)
                try:
                    if found is not None and succession is not None:
                        self._objects.uncover(bucket, key, found)
                    if version_id is not None:
                        deletion, changed = self._remove_version(
                            bucket, key, found, version_id, condition, guard, order, succession, testimony
                        )
                    else:
                        self._check(bucket, key, found, condition)
                        if succession is not None:
                            deletion, changed = self._retire(bucket, key, found, guard, owner, succession, testimony)
                        else:
                            deletion, changed = self._remove(bucket, key, found, guard, testimony)
                    testimony.committed()
                except BaseException:
                    self._lookup.close(found)
                    raise
        self._objects.settle(changed, found)
        if succession is not None and version_id is None:
            nulls = succession.superseded(deletion.version_id or NULL_VERSION)
            self._objects.drop(bucket, key, nulls)
        return deletion

    def _check(self, bucket: BucketLayout, key: str, found: Found | None, condition: Condition) -> None:
        try:
            self._lookup.check(key, found, condition)
        except S3Error as error:
            if found is None and error.code == "NoSuchKey":
                raise self._lookup.missing(bucket, key) from None
            raise

    def _remove(
        self, bucket: BucketLayout, key: str, found: Found | None, guard: Condition, testimony: Testimony
    ) -> tuple[Deletion, Sequence[bytes]]:
        """Remove a key from a bucket that was never versioned."""
        if found is None:
            return Deletion(False), self._objects.places(bucket, key)
        self._lookup.check(key, found, guard)
        testimony.begin(Deletion(True))
        return Deletion(True), self._objects.unlink(bucket, key, found)

    def _retire(
        self,
        bucket: BucketLayout,
        key: str,
        found: Found | None,
        guard: Condition,
        owner: str,
        succession: Succession,
        testimony: Testimony,
    ) -> tuple[Deletion, Sequence[bytes]]:
        """Put a delete marker on top of the key's versions. That the path is free then is the commit."""
        succession.begin(self._lookup.current(key, found))
        self._check_replaced(key, found, guard, succession)
        succession.keep_current()
        version_id = succession.next_id("")
        entry = entry_of(bucket.versions.folder(key), version_id, succession.next_sequence(), marker=True)
        deletion = Deletion(found is not None, version_id, delete_marker=True)
        testimony.begin(deletion)
        self._versions.add_marker(entry, key, owner)
        self._versions.sync(bucket, key)
        changed = self._objects.places(bucket, key) if found is None else self._objects.unlink(bucket, key, found)
        return deletion, changed

    def _check_replaced(self, key: str, found: Found | None, guard: Condition, succession: Succession) -> None:
        """Ask for leave to destroy the ``null`` version that a delete marker replaces."""
        if guard is always:
            return
        if found is not None and not succession.keeps_current:
            guard(self._lookup.known(key, found))
        for entry in succession.superseded(succession.next_id("")):
            version = self._versions.head(entry, key)
            if version is not None:
                guard(version)

    def _remove_version(
        self,
        bucket: BucketLayout,
        key: str,
        found: Found | None,
        version_id: str,
        condition: Condition,
        guard: Condition,
        order: Order,
        succession: Succession | None,
        testimony: Testimony,
    ) -> tuple[Deletion, Sequence[bytes]]:
        """Remove one version; when it was the newest, the next one is current again."""
        if succession is None:
            if version_id != NULL_VERSION:
                return Deletion(False, version_id), ()
            self._lookup.check(key, found, condition)
            if found is not None:
                order([NULL_VERSION])
            deletion, changed = self._remove(bucket, key, found, guard, testimony)
            return Deletion(deletion.removed, version_id), changed
        current = self._lookup.current(key, found)
        succession.begin(current)
        doomed = [entry for entry in succession.entries if entry.version_id == version_id]
        is_current = current is not None and current.version_id == version_id
        version = self._described(key, current if is_current else None, doomed)
        condition(version)
        if version is None:
            return Deletion(False, version_id), self._objects.places(bucket, key, versions=True)
        guard(version)
        order(succession.ids)
        deletion = Deletion(True, version_id, version.delete_marker)
        testimony.begin(deletion)
        doomed = list(self._expendable(key, current if is_current else None, doomed))
        rest = [entry for entry in succession.entries if entry not in doomed]
        if is_current and current is not None:
            # A name left by a crash must not bring it back.
            self._versions.remove(bucket, key, doomed)
            return deletion, self._bring_back(bucket, key, rest, current.found)
        if current is None and doomed[0].marker and doomed[0] is succession.entries[0]:
            self._objects.settle(self._bring_back(bucket, key, rest, None), None)
        self._versions.remove(bucket, key, doomed)
        return deletion, ()

    def _expendable(self, key: str, current: Current | None, doomed: Sequence[Entry]) -> Sequence[Entry]:
        """Those of the entries with the id of a version that go with it, that itself among them."""
        inode = self._versions.inode(doomed[0]) if current is None else current.found.stat.inode
        return self._objects.expendable(key, doomed, inode)

    def _described(self, key: str, current: Current | None, doomed: Sequence[Entry]) -> ObjectVersion | None:
        """The version that is to be removed."""
        if current is not None:
            return self._lookup.known(key, current.found)
        return self._versions.head(doomed[0], key) if doomed else None

    def _bring_back(
        self, bucket: BucketLayout, key: str, rest: Sequence[Entry], current: Found | None
    ) -> Sequence[bytes]:
        """Make the newest of ``rest`` the current version, in place of ``current``, if it is no delete marker.

        :return: the directories to sync.
        """
        if not rest or rest[0].marker:
            return () if current is None else self._objects.unlink(bucket, key, current)
        newest = self._versions.open(rest[0])
        if newest is None:
            raise OSError(errno.EAGAIN, "a version vanished", rest[0].path)
        try:
            self._versions.hold(newest)
            folder = parent(newest.path)
            temporary = Temporary(newest.descriptor, folder, newest.path)
            for _ in range(_ATTEMPTS):
                path = self._objects.publish_once(temporary, bucket, key, current)
                if path is not None:
                    return [parent(path), self._versions.prune(bucket, key)]
        finally:
            self._lookup.close(newest)
        raise OSError(errno.EAGAIN, "the path changed again and again", key)
