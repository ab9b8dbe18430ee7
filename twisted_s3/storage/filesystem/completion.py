"""Making one object out of the parts of an upload. May block.

When the parts lie behind each other in one grid, that file becomes the object, whatever its size; a few that lie
apart are copied into their slots first. Otherwise the parts are copied into a new file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from itertools import accumulate

from msgspec import Struct

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


class Copying(Struct, frozen=True):
    """Parts that do not lie as the object is to be, and what is to come of them."""

    upload: Upload
    version: ObjectVersion
    listed: Sequence[StoredPart]


class Filling(Struct, frozen=True):
    """A grid that is the object once the parts that lie elsewhere are in it. Nobody else gets at its upload.

    :ivar elsewhere: those parts, by where they belong in the grid.
    :ivar held: what ends with the move: the open grid and the upload's lock.
    """

    upload: Upload
    version: ObjectVersion
    grid: Temporary
    size: int
    elsewhere: Mapping[int, StoredPart]
    held: ExitStack


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
    ) -> ObjectVersion | Filling | Copying:
        """Make an object out of the parts that ``choose`` takes, in one commit; or tell which have to be copied.

        :param default_lock: has the retention of an object whose upload has none.
        :return: `Filling`, to be given to :meth:`fill` and then :meth:`move`; `Copying`, to be given to :meth:`copy`
            and then :meth:`publish`.
        :raise S3Error: ``NoSuchUpload``; from ``choose`` and ``condition``.
        """
        upload = self._uploads.get(bucket, key, upload_id)
        folder = bucket.upload(upload.id)
        with ExitStack() as held:
            held.enter_context(self._locks.upload(upload.id))
            self._uploads.get(bucket, key, upload.id)
            done = self._done_before(bucket, upload)
            if done is not None:
                return self._end(bucket, upload, done, _wanted(choose, done))
            committed = {stored.part.number: stored for stored in self._parts.stored(folder)}
            assembly = choose([stored.part for stored in committed.values()])
            listed = [committed[part.number] for part in assembly.parts]
            if self._are_gone(folder, listed):
                self._remove(bucket, upload)
                raise no_such_upload(upload.id)
            version = _version(upload, assembly, listed, default_lock)
            place = self._grid(folder, listed, committed)
            if place is None:
                return Copying(upload, version, listed)
            path = b"%b/%b" % (folder, place.encode())
            grid = Temporary(self._disk.open(path, Access.WRITE), parent(path), path)
            held.callback(self._disk.close, grid.descriptor)
            *starts, size = accumulate((stored.length for stored in listed), initial=0)
            elsewhere = {at: stored for at, stored in zip(starts, listed, strict=True) if stored.place != place}
            filling = Filling(upload, version, grid, size, elsewhere, held.pop_all())
        return filling if elsewhere else self.move(bucket, filling, condition, witness)

    def fill(self, bucket: BucketLayout, filling: Filling) -> None:
        """Copy what lies elsewhere into the grid, which may take its time. :raise S3Error: ``InvalidPart``."""
        try:
            for offset, stored in filling.elsewhere.items():
                self._copy(bucket.upload(filling.upload.id), stored, filling.grid.descriptor, offset)
        except BaseException:
            filling.held.close()
            raise

    def move(self, bucket: BucketLayout, filling: Filling, condition: Condition, witness: Witness) -> ObjectVersion:
        """Give a grid that is filled the object's key. :raise S3Error: from ``condition``."""
        with filling.held:
            self._disk.truncate(filling.grid.descriptor, filling.size)
            self._disk.touch(filling.grid.descriptor)
            completed = self._objects.put(filling.grid, bucket, filling.version, condition, witness)
            self._remove(bucket, filling.upload)
            return completed

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
                    return self._end(bucket, upload, done, copying.version.parts)
                for stored in copying.listed:
                    if self._parts.find(bucket.upload(upload.id), stored.part.number) != stored:
                        raise _invalid(stored.part)
                completed = self._objects.put(temporary, bucket, copying.version, condition, witness)
                self._remove(bucket, upload)
                return completed
        finally:
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

    def _grid(self, folder: bytes, listed: Sequence[StoredPart], committed: Mapping[int, StoredPart]) -> str | None:
        """The place of the grid that can become the object; None when there is none.

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
        return place if self._parts.has(folder, place) else None

    def _is_being_written(self, folder: bytes, number: int) -> bool:
        try:
            descriptor = self._disk.open(slot(folder, number), Access.READ)
        except FileNotFoundError:
            return False
        try:
            return not self._disk.lock(descriptor, exclusive=True, wait=False)
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

    def _end(
        self, bucket: BucketLayout, upload: Upload, done: ObjectVersion, wanted: Sequence[Part] | None
    ) -> ObjectVersion:
        """End an upload that has become an object before.

        :param wanted: the parts that are wanted of it; None when they are not among its own.
        :raise S3Error: ``NoSuchUpload`` when of other parts.
        """
        # Whoever made the object may have been killed before its name was on stable storage.
        self._objects.settle(self._objects.places(bucket, upload.key, versions=True), None)
        self._remove(bucket, upload)
        if wanted is None or not _same(done.parts, wanted):
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


def _wanted(choose: Choice, done: ObjectVersion) -> Sequence[Part] | None:
    """What is taken of the parts of an object; None when it is refused."""
    try:
        return choose(done.parts).parts
    except S3Error:
        return None


def _same(done: Sequence[Part], asked: Sequence[Part]) -> bool:
    return [(part.number, part.etag) for part in done] == [(part.number, part.etag) for part in asked]
