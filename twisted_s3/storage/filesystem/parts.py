"""The parts of multipart uploads, written where they will stay. May block.

Parts of equal size lie in one sparse file, a grid, where each has a slot: completing the upload is then giving that
file its key. Only the first writer of a part number may write into its slot, and only until it commits; whoever else
sends the same number, at the same time or later, writes a file apart. So bytes of two senders never mix, and bytes
that a committed part's record points to are never written again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from secrets import token_hex

from twisted_s3.errors import S3Error
from twisted_s3.model import Digest, Part
from twisted_s3.storage.filesystem.disk import Access, Descriptor, IDisk, Temporary
from twisted_s3.storage.filesystem.files import Files
from twisted_s3.storage.filesystem.layout import STAGING, BucketLayout, parent
from twisted_s3.storage.filesystem.locks import Locks
from twisted_s3.storage.filesystem.record import StoredPart, dump_part, is_whole, load_part
from twisted_s3.storage.filesystem.sync import DirectorySync
from twisted_s3.storage.filesystem.uploads import Uploads, no_such_upload

#: Grids end here; ext4 has no larger files than 16 TiB.
_MAX_GRID_BYTES = 8 << 40


class Parts:
    """The parts of all uploads.

    :param now: gives the time of day, in seconds since the epoch.
    """

    def __init__(
        self,
        disk: IDisk,
        files: Files,
        directories: DirectorySync,
        locks: Locks,
        uploads: Uploads,
        now: Callable[[], float],
    ) -> None:
        self.disk = disk
        self.files = files
        self.directories = directories
        self.locks = locks
        self._uploads = uploads
        self.now = now

    def target(self, bucket: BucketLayout, upload_id: str, number: int, size: int) -> PartTarget:
        """Where the bytes of a part go, of which ``size`` are stored, and how they become the part."""
        return PartTarget(self, bucket.upload(upload_id), upload_id, number, size)

    def list(self, bucket: BucketLayout, key: str, upload_id: str) -> Sequence[Part]:
        """The committed parts, by number. :raise S3Error: ``NoSuchUpload``."""
        self._uploads.get(bucket, key, upload_id)
        return [stored.part for stored in self.stored(bucket.upload(upload_id))]

    def stored(self, folder: bytes) -> Sequence[StoredPart]:
        """The committed parts of the upload in ``folder`` with their places, by number."""
        found = [self.find(folder, number) for number in self.numbers(folder)]
        return [stored for stored in found if stored is not None]

    def numbers(self, folder: bytes) -> Sequence[int]:
        """The numbers of the committed parts."""
        return self._numbers(folder + b"/parts")

    def find(self, folder: bytes, number: int) -> StoredPart | None:
        """One committed part; None when there is none, or its record is damaged: then it has to be sent again."""
        raw = self.files.load(b"%b/parts/%d" % (folder, number))
        return load_part(raw) if raw is not None and is_whole(raw) else None

    def has(self, folder: bytes, place: str) -> bool:
        """Whether the file at a place is there; a grid that became an object is not."""
        try:
            self.disk.stat(b"%b/%b" % (folder, place.encode()))
        except FileNotFoundError:
            return False
        return True

    def claimed(self, folder: bytes) -> Sequence[int]:
        """The numbers of the parts whose slot was claimed."""
        return self._numbers(folder + b"/slots")

    def claim(self, folder: bytes, number: int) -> Descriptor | None:
        """Claim the slot of a part, with the upload locked; None when it is another's. Closing gives up the lock."""
        stored = self.find(folder, number)
        if stored is not None and stored.place.startswith("grids/"):
            return None
        slots = folder + b"/slots"
        path = slot(folder, number)
        self._ensure(slots, folder)
        while True:
            try:
                descriptor = self.disk.open(path, Access.ENSURE)
            except FileNotFoundError:
                raise no_such_upload(folder.rpartition(b"/")[2].decode()) from None
            try:
                locked = self.disk.lock(descriptor, exclusive=True, wait=False)
                if locked and self.disk.fstat(descriptor).links:
                    return descriptor
            except BaseException:
                self.disk.close(descriptor)
                raise
            self.disk.close(descriptor)
            if not locked:
                return None

    def grid(self, folder: bytes, size: int) -> int:
        """The slot size of the grid for a part of ``size`` bytes: the smallest that takes it, or else a new one."""
        self._ensure(folder + b"/grids", folder)
        return min((found for found in self._numbers(folder + b"/grids") if found >= size), default=max(size, 1))

    def _ensure(self, directory: bytes, folder: bytes) -> None:
        try:
            self.files.ensure(directory, folder)
        except FileNotFoundError:
            raise no_such_upload(folder.rpartition(b"/")[2].decode()) from None

    def _numbers(self, directory: bytes) -> Sequence[int]:
        try:
            return sorted(int(name) for name, _ in self.disk.scan(directory) if name.isdigit())
        except FileNotFoundError:
            return ()


class PartTarget:
    """Takes the bytes of one part, into its slot or apart."""

    def __init__(self, parts: Parts, folder: bytes, upload_id: str, number: int, size: int) -> None:
        self._parts = parts
        self._folder = folder
        self._upload_id = upload_id
        self._number = number
        self._size = size
        self._slot: Descriptor | None = None
        self._apart: Temporary | None = None
        self._file: Descriptor | None = None
        self._record: Temporary | None = None
        self._earlier: StoredPart | None = None
        self._place = ""
        self._offset = 0
        self._committed = False

    def open(self) -> None:
        """Claim the slot, or make a file apart. :raise S3Error: ``NoSuchUpload``."""
        with self._parts.locks.upload(self._upload_id):
            grid = self._parts.grid(self._folder, self._size)
            self._refuse_completed(f"grids/{grid}")
            offset = (self._number - 1) * grid
            if offset + grid <= _MAX_GRID_BYTES:
                self._slot = self._parts.claim(self._folder, self._number)
            if self._slot is not None:
                self._place = f"grids/{grid}"
                self._offset = offset
                try:
                    self._file = self._parts.disk.open(self._path(self._place), Access.ENSURE)
                except FileNotFoundError:
                    raise no_such_upload(self._upload_id) from None
                return
        self._apart = self._parts.disk.create_temporary(STAGING)
        self._place = f"apart/{token_hex(16)}"
        self._file = self._apart.descriptor

    def write(self, offset: int, chunks: Sequence[bytes]) -> None:
        """Write into the slot or the file apart, never beyond the part's size."""
        assert self._file is not None
        if offset + sum(map(len, chunks)) > self._size:
            raise S3Error("IncompleteBody", "The part is longer than was declared.")
        self._parts.disk.write(self._file, self._offset + offset, chunks)

    def copy(self, source: Descriptor, offset: int, length: int) -> None:
        """Copy into the slot or the file apart, sharing blocks where the filesystem can."""
        assert self._file is not None
        if offset + length > self._size:
            raise S3Error("IncompleteBody", "The part is longer than was declared.")
        self._parts.disk.copy_range(source, offset, self._file, self._offset + offset, length)

    def prepare(self, digest: Digest) -> Part:
        """Make the bytes durable, and a record of the part that is to come."""
        assert self._file is not None
        if digest.stored_size != self._size:
            raise S3Error("IncompleteBody")
        self._parts.disk.fsync(self._file)
        part = Part(self._number, digest.size, digest.etag, digest.checksums, self._parts.now())
        stored = StoredPart(part, self._place, self._offset, self._size, digest.at_rest)
        self._record = self._parts.disk.create_temporary(STAGING)
        self._parts.disk.write(self._record.descriptor, 0, [dump_part(stored)])
        self._parts.disk.fsync(self._record.descriptor)
        return part

    def publish(self) -> None:
        """Put what was prepared in place of an earlier part of its number. :raise S3Error: ``NoSuchUpload``."""
        assert self._record is not None
        try:
            with self._parts.locks.upload(self._upload_id):
                # The record must never point to a name that a crash takes back.
                if self._apart is not None:
                    self._parts.files.place(self._apart, self._path(self._place), replace=False, top=self._folder)
                self._parts.directories.sync(parent(self._path(self._place)))
                self._earlier = self._parts.find(self._folder, self._number)
                path = b"%b/parts/%d" % (self._folder, self._number)
                self._parts.files.place(self._record, path, replace=True, top=self._folder)
                self._committed = True
        except FileNotFoundError:
            raise no_such_upload(self._upload_id) from None

    def settle(self) -> None:
        """Make what was published durable, and remove what it replaced. Also after :meth:`close`."""
        self._parts.directories.sync(self._path("parts"))
        if self._earlier is not None and self._earlier.place.startswith("apart/"):
            with suppress(OSError):
                self._parts.disk.unlink(self._path(self._earlier.place))

    def close(self) -> None:
        """Let go of the files; the slot of a part that was not committed is free again."""
        disk = self._parts.disk
        with ExitStack() as stack:
            if self._slot is not None:
                stack.callback(disk.close, self._slot)
            if self._apart is not None:
                stack.callback(self._drop_apart, self._apart)
            elif self._file is not None:
                stack.callback(disk.close, self._file)
            if self._record is not None:
                stack.callback(self._parts.files.drop, self._record)
            if self._slot is not None and not self._committed:
                with suppress(FileNotFoundError):
                    disk.unlink(slot(self._folder, self._number))

    def _refuse_completed(self, place: str) -> None:
        """Refuse a grid that has become an object, whose name a crash has left in records: it must not be made anew.

        :raise S3Error: ``NoSuchUpload``.
        """
        if not self._parts.has(self._folder, place) and any(
            stored.place == place for stored in self._parts.stored(self._folder)
        ):
            raise no_such_upload(self._upload_id)

    def _drop_apart(self, apart: Temporary) -> None:
        self._parts.files.drop(apart)
        if not self._committed:
            with suppress(FileNotFoundError):
                self._parts.disk.unlink(self._path(self._place))

    def _path(self, place: str) -> bytes:
        return b"%b/%b" % (self._folder, place.encode())


def slot(folder: bytes, number: int) -> bytes:
    """The file that claims the slot of a part."""
    return b"%b/slots/%d" % (folder, number)
