"""The checksum of bytes as they lie on the disk, which every object has whatever its client asked for.

CRC-64/NVME: it is fast, and that of an object follows from those of its parts. It is not the client's business: what a
client is told are the checksums of the object. A value is 16 hex digits, "" for none.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct


def _crt() -> Any:
    """The functions, which are in a library that takes long to load. A server listens first, and loads it with the
    first bytes that it stores."""
    from awscrt import checksums  # type: ignore[import-untyped]

    return checksums


class AtRest(Struct):
    """A checksum in the making."""

    _crc: int = 0

    def update(self, chunks: Iterable[bytes]) -> None:
        """Take the next bytes."""
        crc64nvme = _crt().crc64nvme
        for chunk in chunks:
            self._crc = crc64nvme(chunk, self._crc)

    @property
    def value(self) -> str:
        """The checksum of all bytes so far."""
        return f"{self._crc:016x}"


def joined(pieces: Iterable[tuple[str, int]]) -> str:
    """The checksum of pieces behind each other, from the checksum and the size of each; "" when one has none."""
    combine = _crt().combine_crc64nvme
    total = 0
    for value, size in pieces:
        if not value:
            return ""
        total = combine(total, int(value, 16), size)
    return f"{total:016x}"
