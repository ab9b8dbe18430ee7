"""The reserve: space that new bytes may not use, so that a disk which is full for them still takes the small changes
that a deletion, a delete marker or the end of an upload needs."""

from __future__ import annotations

import errno

from twisted_s3.storage.filesystem.disk import IDisk


class Reserve:
    """Refuses new bytes early.

    :param min_free: how many bytes are to stay free.
    """

    def __init__(self, disk: IDisk, min_free: int) -> None:
        self._disk = disk
        self._min_free = min_free

    def require(self, size: int = 0) -> None:
        """Return when ``size`` more bytes leave the reserve alone. Asks the filesystem, which answers from memory.

        :raise OSError: ``ENOSPC``.
        """
        if self._min_free and self._disk.free() - size < self._min_free:
            raise OSError(errno.ENOSPC, "what is free is kept in reserve")
