"""A target that is a file: one message a line, each on stable storage before the next."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.interfaces import IReactorFromThreads
from zope.interface import implementer

from twisted_s3.queueing import ITarget
from twisted_s3.storage.filesystem.disk import Access, IDisk
from twisted_s3.storage.filesystem.pool import DiskPool
from twisted_s3.storage.filesystem.realdisk import RealDisk


@implementer(ITarget)
class JSONLines:
    """Appends messages to a file, which is made when missing. It may be moved away at any time.

    :param path: of the file; its directory must be there.
    """

    concurrency = 1

    def __init__(self, path: Path, reactor: IReactorFromThreads) -> None:
        self._path = path
        self._reactor = reactor
        self._pool: DiskPool | None = None
        self._disk: IDisk | None = None
        self._durable = 0

    async def deliver(self, id: str, body: bytes) -> None:
        """Append one line."""
        if self._pool is None:
            self._pool = DiskPool(self._reactor, 1)
            self._pool.start()
        await self._pool.run(self._append, body)

    async def close(self) -> None:
        """End the thread."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.stop()
        disk, self._disk = self._disk, None
        if disk is not None:
            disk.shut()

    def _append(self, body: bytes) -> None:
        if self._disk is None:
            self._disk = RealDisk(self._path.parent)
        disk, name = self._disk, self._path.name.encode()
        descriptor = disk.open(name, Access.ENSURE)
        try:
            stat = disk.fstat(descriptor)
            size = stat.size
            torn = size and disk.read(descriptor, size - 1, 1) != b"\n"
            disk.write(descriptor, size, [b"\n" if torn else b"", body, b"\n"])
            disk.fsync(descriptor)
        finally:
            disk.close(descriptor)
        if not size or stat.inode != self._durable:
            # Whoever made it may have been killed before its name was on stable storage.
            disk.fsync_directory(b"")
            self._durable = stat.inode
