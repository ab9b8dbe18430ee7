"""Opened objects."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable
from threading import Lock
from typing import TypeVar

from zope.interface import implementer

from twisted_s3.interfaces import IDecipher, IOpenedObject
from twisted_s3.model import FULL_OBJECT, Digest, ObjectVersion
from twisted_s3.storage.filesystem.disk import Descriptor, IDisk
from twisted_s3.storage.filesystem.files import Found
from twisted_s3.storage.filesystem.metadata import Metadata
from twisted_s3.storage.filesystem.pool import DiskPool
from twisted_s3.storage.filesystem.record import Stamp

T = TypeVar("T")

_MD5 = re.compile("[0-9a-f]{32}")

#: Up to here a read that needs no waiting is made on the reactor's thread: a hop to the pool takes longer.
_INLINE_BYTES = 256 << 10
#: The same where what was read has to be decrypted.
_INLINE_ENCRYPTED_BYTES = 64 << 10

#: The kernel reads ahead at least so much at a time.
_SAMPLE_BYTES = 128 << 10


@implementer(IOpenedObject)
class OpenedObject:
    """One version: its metadata and the descriptor of the inode that it came from."""

    def __init__(self, disk: IDisk, pool: DiskPool, found: Found, version: ObjectVersion, metadata: Metadata) -> None:
        self.version = version
        self._disk = disk
        self._pool = pool
        self._descriptor = found.descriptor
        self._stat = found.stat
        self._metadata = metadata
        self._decipher: IDecipher | None = None
        self._lock = Lock()
        self._readers = 0
        self._closed = False

    def unlock(self, decipher: IDecipher) -> None:
        """Have what is read from now on decrypted."""
        self._decipher = decipher

    async def read(self, offset: int, length: int) -> bytes:
        """Read exactly ``length`` bytes from ``offset``."""
        if self._closed:
            raise OSError(errno.EBADF, "the object was closed")
        if self.version.encryption is not None and self._decipher is None:
            raise OSError(errno.EACCES, "the object is encrypted")
        try:
            if length <= (_INLINE_BYTES if self._decipher is None else _INLINE_ENCRYPTED_BYTES):
                return self._deciphered(self._cached, offset, length)
        except BlockingIOError:
            pass
        with self._lock:
            self._readers += 1
        return await self._pool.run(self._read, offset, length)

    def digest(self) -> Digest | None:
        """What the bytes of the object came to when they were written; None where not all of it is on record."""
        version = self.version
        plain = version.encryption is None and not version.parts and version.checksum_type == FULL_OBJECT
        if not plain or not version.at_rest or _MD5.fullmatch(version.etag) is None:
            return None
        return Digest(version.size, version.etag, version.checksums, version.at_rest)

    def is_as_recorded(self) -> bool:
        """Whether the file looks as it did when it was opened, and its record is whole. Blocks."""
        stat = self._disk.fstat(self._descriptor)
        return Stamp.of(stat) == Stamp.of(self._stat) and not self._metadata.is_damaged(self._descriptor, stat)

    async def lend(self, job: Callable[[Descriptor], T]) -> T:
        """Run ``job`` in the pool, with the descriptor of the file, which stays open for it."""
        with self._lock:
            if self._closed:
                raise OSError(errno.EBADF, "the object was closed")
            self._readers += 1
        return await self._pool.run(self._lent, job)

    def fileno(self) -> int | None:
        """The descriptor of the file."""
        return self._disk.fileno(self._descriptor) if self.version.encryption is None else None

    async def prefetch(self, offset: int, length: int) -> None:
        """Have bytes of the file brought into memory, where samples show that they are not."""
        samples = (*range(offset, offset + length, _SAMPLE_BYTES), offset + length - 1)
        if any(self._disk.read_cached(self._descriptor, at, 1) is None for at in samples):
            with self._lock:
                self._readers += 1
            await self._pool.run(self._read, offset, length)

    def close(self) -> None:
        """Close the descriptor, as soon as no thread reads from it."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            idle = not self._readers
        if idle:
            self._disk.close(self._descriptor)

    def _read(self, offset: int, length: int) -> bytes:
        return self._lent(lambda descriptor: self._deciphered(self._stored, offset, length))

    def _lent(self, job: Callable[[Descriptor], T]) -> T:
        try:
            return job(self._descriptor)
        finally:
            with self._lock:
                self._readers -= 1
                last = self._closed and not self._readers
            if last:
                self._disk.close(self._descriptor)

    def _deciphered(self, stored: Callable[[int, int], bytes], offset: int, length: int) -> bytes:
        decipher = self._decipher
        return stored(offset, length) if decipher is None else decipher.read(stored, offset, length)

    def _cached(self, offset: int, length: int) -> bytes:
        """Bytes of the file that are there at once. :raise BlockingIOError: when they are not."""
        data = self._disk.read_cached(self._descriptor, offset, length)
        if data is None:
            raise BlockingIOError(errno.EAGAIN, "not in the cache")
        return data

    def _stored(self, offset: int, length: int) -> bytes:
        """Bytes of the file, as they are stored."""
        data = self._disk.read(self._descriptor, offset, length)
        if len(data) != length:
            raise OSError(errno.EIO, "the file has become shorter")
        return data
