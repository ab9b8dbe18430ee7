"""Opened objects that hold what is read against its checksum."""

from __future__ import annotations

import errno

from twisted.logger import Logger

from twisted_s3.model import Digest, ObjectVersion
from twisted_s3.storage.filesystem.atrest import AtRest
from twisted_s3.storage.filesystem.disk import IDisk
from twisted_s3.storage.filesystem.files import Found
from twisted_s3.storage.filesystem.metadata import Metadata
from twisted_s3.storage.filesystem.pool import DiskPool
from twisted_s3.storage.filesystem.reading import OpenedObject


class VerifyingObject(OpenedObject):
    """An object whose last bytes are given to those only who have read all before them, and found them sound.

    Whoever reads from the beginning to the end, piece by piece, never gets the end of a damaged object. What reads
    elsewhere, as ranges do, is not held against anything.
    """

    _log = Logger()

    def __init__(self, disk: IDisk, pool: DiskPool, found: Found, version: ObjectVersion, metadata: Metadata) -> None:
        super().__init__(disk, pool, found, version, metadata)
        self._at_rest = AtRest()
        self._verified = 0

    async def read(self, offset: int, length: int) -> bytes:
        """Read exactly ``length`` bytes. :raise OSError: instead of the last ones of a damaged object."""
        data = await super().read(offset, length)
        if offset == self._verified:
            # A piece takes microseconds, less than to have it done elsewhere.
            self._at_rest.update([data])
            self._verified += len(data)
            if self._verified == self.version.size and self._at_rest.value != self.version.at_rest:
                self._log.error("the object {key!r} is damaged, its reading is broken off", key=self.version.key)
                raise OSError(errno.EIO, "the object is damaged")
        return data

    def digest(self) -> Digest | None:
        """None: every byte goes through `read`."""
        return None

    def fileno(self) -> int | None:
        """None: every byte goes through `read`."""
        return None
