"""Making one object out of the parts of an upload. May block.

When the parts lie behind each other in one grid, that file becomes the object, whatever its size; a few that lie
apart are copied into their slots first. Otherwise the parts are copied into a new file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import attrs

from twisted_s3.errors import S3Error
from twisted_s3.interfaces import Choice, Condition, Witness, always, unwitnessed
from twisted_s3.model import UNLOCKED, Assembly, ObjectLock, ObjectVersion, Part, Upload
from twisted_s3.storage.filesystem.atrest import joined
from twisted_s3.storage.filesystem.disk import Access, Descriptor, IDisk, Temporary
from twisted_s3.storage.filesystem.files import Files
from twisted_s3.storage.filesystem.layout import STAGING, BucketLayout, parent
from twisted_s3.storage.filesystem.locks import Locks
from twisted_s3.storage.filesystem.lookup import Lookup
from twisted_s3.storage.filesystem.objects import Objects
from twisted_s3.storage.filesystem.parts import Parts, slot
from twisted_s3.storage.filesystem.record import StoredPart
from twisted_s3.storage.filesystem.uploads import Uploads, no_such_upload

#: How far back a clock may go between the beginning of an upload and its end.
_CLOCK_CHANGE_SECONDS = 3600.0


@attrs.frozen
class Copying:
    """Parts that do not lie as the object is to be, and what is to come of them."""

    upload: Upload
    version: ObjectVersion
    listed: Sequence[StoredPart]
    choose: Choice


class Completion:
    """Completes uploads.

    :param discard: takes trash that is to be removed while nobody waits: the more parts, the longer it takes.
    """

    def __init__(
        self,
        disk: IDisk,
        files: Files,
        locks: Locks,
        lookup: Lookup,
        objects: Objects,
        uploads: Uploads,
        parts: Parts,
        discard: Callable[[bytes], object],
    ) -> None:
        self._disk = disk
        self._files = files
        self._locks = locks
        self._lookup = lookup
        self._objects = objects
        self._uploads = uploads
        self._parts = parts
        self._discard = discard

    def complete(
        self,
        bucket: BucketLayout,
        key: str,
        upload_id: str,
        choose: Choice,
        condition: Condition = always,
        witness: Witness = unwitnessed,
        default_lock: ObjectLock = UNLOCKED,
    ) -> ObjectVersion | Copying:
        """Make an object out of the parts that ``choose`` takes, in one commit; or tell which have to be copied.

        :param default_lock: has the retention of an object whose upload has none.
        :raise S3Error: ``NoSuchUpload``; from ``choose`` and ``condition``.
        """
        upload = self._uploads.get(bucket, key, upload_id)
        folder = bucket.upload(upload.id)
        with self._locks.upload(upload.id):
            self._uploads.get(bucket, key, upload.id)
            done = self._done_before(bucket, upload)
            if done is not None:
                return self._end(bucket, upload, done, choose)
            committed = {stored.part.number: stored for stored in self._parts.stored(folder)}
            assembly = choose([stored.part for stored in committed.values()])
            listed = [committed[part.number] for part in assembly.parts]
            if self._are_gone(folder, listed):
                self._remove(bucket, upload)
                raise no_such_upload(upload.id)
            version = _version(upload, assembly, listed, default_lock)
            grid = self._grid(folder, listed, committed)
            if grid is not None:
                completed = self._move(bucket, version, condition, witness, listed, grid)
                self._remove(bucket, upload)
                return completed
        return Copying(upload, version, listed, choose)

    def copy(self, bucket: BucketLayout, copying: Copying) -> Temporary:
        """Copy parts into a new file.

        It takes its time, in which parts may still come: whether it was worth it shows in :meth:`publish`.
        """
        temporary = self._disk.create_temporary(STAGING)
        try:
            offset = 0
            for stored in copying.listed:
                self._copy(bucket.upload(copying.upload.id), stored, temporary.descriptor, offset)
                offset += stored.length
        except BaseException:
            self._files.drop(temporary)
            # The parts may be gone because the upload is.
            self._uploads.get(bucket, copying.upload.key, copying.upload.id)
            raise
        return temporary

    def publish(
        self, bucket: BucketLayout, copying: Copying, temporary: Temporary, condition: Condition, witness: Witness
    ) -> ObjectVersion:
        """Give a copy the object's key, or drop it. :raise S3Error: as :meth:`complete`; ``InvalidPart``."""
        upload = copying.upload
        try:
            with self._locks.upload(upload.id):
                self._uploads.get(bucket, upload.key, upload.id)
                # Another may have made it meanwhile, and ended before the upload did.
                done = self._done_before(bucket, upload)
                if done is not None:
                    return self._end(bucket, upload, done, copying.choose)
                for stored in copying.listed:
                    if self._parts.find(bucket.upload(upload.id), stored.part.number) != stored:
                        raise _invalid(stored.part)
                completed = self._objects.put(temporary, bucket, copying.version, condition, witness)
                self._remove(bucket, upload)
                return completed
        finally:
            self.drop(temporary)

    def drop(self, temporary: Temporary) -> None:
        """Drop a copy that is not to be published."""
        self._files.drop(temporary)

    def _done_before(self, bucket: BucketLayout, upload: Upload) -> ObjectVersion | None:
        """The object, when a crash came between its commit and the end of the upload: any version since its beginning.

        What an upload became must not become a second version.
        """
        for listed in self._lookup.history(bucket, upload.key):
            if listed.version.upload_id == upload.id:
                return listed.version
            # Parts are written before their object is, but a clock may have been put right meanwhile.
            if listed.version.last_modified < upload.initiated - _CLOCK_CHANGE_SECONDS:
                return None
        return None

    def _are_gone(self, folder: bytes, listed: Sequence[StoredPart]) -> bool:
        """Whether parts became an object before such a crash, and that object is no longer there."""
        return not all(self._parts.has(folder, place) for place in {stored.place for stored in listed})

    def _grid(self, folder: bytes, listed: Sequence[StoredPart], committed: Mapping[int, StoredPart]) -> bytes | None:
        """The grid that can become the object as it is; None when there is none.

        The parts must be numbered 1, 2, 3 ... and fill their slots, the last excepted, and nothing else may lie
        or be written in the grid. The upload is locked, so what was read of the parts still holds.
        """
        if not listed:
            return None
        size = listed[0].length
        place = listed[0].place if len(listed) == 1 else f"grids/{size}"
        whole = all(stored.length == size for stored in listed[:-1]) and listed[-1].length <= size
        numbered = all(stored.part.number == at for at, stored in enumerate(listed, 1))
        if not (place.startswith("grids/") and whole and numbered):
            return None
        if any(stored.place == place and number > len(listed) for number, stored in committed.items()):
            return None
        for number in self._parts.claimed(folder):
            claimant = committed.get(number)
            if (claimant is None or claimant.place != place) and self._is_being_written(folder, number):
                return None
        path = b"%b/%b" % (folder, place.encode())
        try:
            self._disk.stat(path)
        except FileNotFoundError:
            return None
        return path

    def _is_being_written(self, folder: bytes, number: int) -> bool:
        try:
            descriptor = self._disk.open(slot(folder, number), Access.READ)
        except FileNotFoundError:
            return False
        try:
            return not self._disk.lock(descriptor, exclusive=True, wait=False)
        finally:
            self._disk.close(descriptor)

    def _move(
        self,
        bucket: BucketLayout,
        version: ObjectVersion,
        condition: Condition,
        witness: Witness,
        listed: Sequence[StoredPart],
        grid: bytes,
    ) -> ObjectVersion:
        """Give the grid the object's key."""
        folder = bucket.upload(version.upload_id)
        descriptor = self._disk.open(grid, Access.WRITE)
        try:
            offset = 0
            for stored in listed:
                if b"%b/%b" % (folder, stored.place.encode()) != grid:
                    self._copy(folder, stored, descriptor, offset)
                offset += stored.length
            self._disk.truncate(descriptor, offset)
            self._disk.touch(descriptor)
            temporary = Temporary(descriptor, parent(grid), grid)
            return self._objects.put(temporary, bucket, version, condition, witness)
        finally:
            self._disk.close(descriptor)

    def _copy(self, folder: bytes, stored: StoredPart, target: Descriptor, offset: int) -> None:
        try:
            source = self._disk.open(b"%b/%b" % (folder, stored.place.encode()), Access.READ)
        except FileNotFoundError:
            raise _invalid(stored.part) from None
        try:
            self._disk.copy_range(source, stored.offset, target, offset, stored.length)
        finally:
            self._disk.close(source)

    def _end(self, bucket: BucketLayout, upload: Upload, done: ObjectVersion, choose: Choice) -> ObjectVersion:
        """End an upload that has become an object before. :raise S3Error: ``NoSuchUpload`` when of other parts."""
        # Whoever made the object may have been killed before its name was on stable storage.
        self._objects.settle(self._objects.places(bucket, upload.key, versions=True), None)
        self._remove(bucket, upload)
        if not _same(done.parts, choose(done.parts).parts):
            raise no_such_upload(upload.id)
        return done

    def _remove(self, bucket: BucketLayout, upload: Upload) -> None:
        """End an upload whose object is committed; what then fails is left to the reaper."""
        with suppress(OSError):
            self._discard(self._files.move_to_trash(bucket.upload(upload.id)))


def _version(
    upload: Upload, assembly: Assembly, listed: Sequence[StoredPart], default_lock: ObjectLock
) -> ObjectVersion:
    """What an upload is to become."""
    return ObjectVersion(
        key=upload.key,
        size=assembly.size,
        etag=assembly.etag,
        last_modified=0.0,
        properties=upload.properties,
        checksums=assembly.checksums,
        checksum_type=assembly.checksum_type,
        parts=tuple(assembly.parts),
        upload_id=upload.id,
        owner=upload.owner,
        lock=upload.lock.with_default(default_lock),
        at_rest=joined((stored.at_rest, stored.length) for stored in listed),
        encryption=upload.encryption,
    )


def _invalid(part: Part) -> S3Error:
    return S3Error("InvalidPart", elements={"PartNumber": str(part.number), "ETag": part.etag})


def _same(done: Sequence[Part], asked: Sequence[Part]) -> bool:
    return [(part.number, part.etag) for part in done] == [(part.number, part.etag) for part in asked]
