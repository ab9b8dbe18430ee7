"""Whether an open file is what was recorded of it. May block.

Three things are told apart. A file whose time of change is another than its record's was edited or replaced by
somebody, which everybody may; so was one that has no record. A file that still has that time was not written since, by
anybody who goes through the kernel: when its size, its bytes or the record itself differ, they were damaged. And so
they were when the file is encrypted, whatever its time.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from enum import Enum

from msgspec import Struct

from twisted_s3.model import ObjectVersion
from twisted_s3.storage.filesystem.atrest import AtRest
from twisted_s3.storage.filesystem.disk import Descriptor, IDisk, Stat
from twisted_s3.storage.filesystem.metadata import Metadata
from twisted_s3.storage.filesystem.record import Stamp, is_whole, load_stamp, load_version

#: How much is read at a time.
PIECE = 1 << 20


class Problem(Enum):
    """What is wrong with a file."""

    BYTES = "bytes"
    SIZE = "size"
    METADATA = "metadata"
    UNREADABLE = "unreadable"


class Damage(Exception):
    """A file is not what it should be.

    :ivar detail: in words.
    """

    def __init__(self, problem: Problem, detail: str) -> None:
        super().__init__(detail)
        self.problem = problem
        self.detail = detail


class Soundness(Struct, frozen=True):
    """Checks open files."""

    _disk: IDisk
    _metadata: Metadata

    def recorded(self, descriptor: Descriptor, stat: Stat, key: str) -> ObjectVersion | None:
        """The sound record of a file that is as it was recorded; None for one that somebody put there or edited.

        :raise Damage: of its size or its record.
        """
        raw = self._metadata.raw(descriptor, stat)
        if raw is None:
            return None
        stamp = load_stamp(raw)
        if stamp is None or not is_whole(raw):
            raise Damage(Problem.METADATA, "the record can not be read")
        touched = stamp.mtime_ns != stat.mtime_ns
        # Whatever was done to an encrypted file, its record is never stale: nobody edits what he can not read.
        sealed = touched and self._metadata.is_sealed(descriptor)
        found = load_version(raw, key, Stamp.of(stat), sealed)
        if isinstance(found, str):
            found = self._beside(found, key, stat, stamp, sealed)
        if touched and (found is None or found.encryption is None):
            return None
        if stamp.size != stat.size:
            raise Damage(Problem.SIZE, f"{stat.size} bytes in place of {stamp.size}, though nobody edited the file")
        if found is None:
            raise Damage(Problem.METADATA, "the record is not one")
        return found

    def verify(self, descriptor: Descriptor, offset: int, size: int, at_rest: str) -> Iterator[int]:
        """Read ``size`` bytes from the disk, telling of each piece how long it was.

        :raise Damage: when they are not the ones that ``at_rest`` is the checksum of; "" for any.
        """
        self._disk.uncache(descriptor)
        found = AtRest()
        done = 0
        while done < size:
            piece = self._disk.read(descriptor, offset + done, min(PIECE, size - done))
            if not piece:
                raise Damage(Problem.SIZE, f"{done} bytes in place of {size}")
            found.update([piece])
            done += len(piece)
            yield len(piece)
        self._disk.uncache(descriptor)
        if at_rest and found.value != at_rest:
            raise Damage(Problem.BYTES, f"the checksum of the bytes is {found.value} in place of {at_rest}")

    def _beside(self, side: str, key: str, stat: Stat, stamp: Stamp, sealed: bool) -> ObjectVersion | None:
        raw = self._metadata.raw_beside(side)
        if raw is None:
            # A copy that was made by hand has the record of the original, and lasts as long.
            if stamp.inode != stat.inode:
                return None
            raise Damage(Problem.METADATA, f"the record {side} is missing")
        found = load_version(raw, key, Stamp.of(stat), sealed) if is_whole(raw) else None
        if not isinstance(found, ObjectVersion):
            raise Damage(Problem.METADATA, f"the record {side} can not be read")
        return found


def unreadable(error: OSError) -> Damage:
    """What it means that the disk refuses."""
    return Damage(Problem.UNREADABLE, errno.errorcode.get(error.errno or 0, "") or str(error))
