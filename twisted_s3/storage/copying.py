"""Bytes that go from a version that is being read into one that is being made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted_s3.interfaces import IOpenedObject
from twisted_s3.model import ByteRange

#: How much is read at a time.
_PIECE_BYTES = 1 << 20


async def copy_range(source: IOpenedObject, range: ByteRange, write: Callable[[bytes], Awaitable[None]]) -> None:
    """Read bytes of an opened object and write them, piece by piece."""
    offset = range.start
    while offset < range.stop:
        piece = await source.read(offset, min(_PIECE_BYTES, range.stop - offset))
        await write(piece)
        offset += len(piece)
