"""The checksum algorithms of S3 objects.

"Checking object integrity" in the Amazon S3 User Guide
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html).
A value is always base64 text as on the wire.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct

from twisted_s3.errors import S3Error

if TYPE_CHECKING:
    from awscrt import checksums as crt  # type: ignore[import-untyped]

#: What S3 stores when the client neither sends nor asks for a checksum.
DEFAULT = "CRC64NVME"

_PREFIX = "x-amz-checksum-"


def _crt() -> Any:
    """The functions, which are in a library that takes long to load: servers that are started in tests wait for it
    with the first upload."""
    from awscrt import checksums

    return checksums


class Checksum(Protocol):
    """A checksum in the making."""

    def update(self, data: bytes) -> None:
        """Take the next bytes. Large pieces are not copied and the GIL is let go."""

    def value(self) -> str:
        """The checksum of all bytes so far."""


class _Crc:
    def __init__(self, function: Callable[[bytes, int], int], size: int) -> None:
        self._function = function
        self._size = size
        self._crc = 0

    def update(self, data: bytes) -> None:
        self._crc = self._function(data, self._crc)

    def value(self) -> str:
        return b64encode(self._crc.to_bytes(self._size, "big")).decode("ascii")


class _Hash:
    def __init__(self, name: str) -> None:
        self._hash = hashlib.new(name, usedforsecurity=False)

    def update(self, data: bytes) -> None:
        self._hash.update(data)

    def value(self) -> str:
        return b64encode(self._hash.digest()).decode("ascii")


class _XxHash:
    def __init__(self, hash: crt.XXHash) -> None:
        self._hash = hash

    def update(self, data: bytes) -> None:
        # It takes nothing but bytes, of which this is no copy.
        self._hash.update(bytes(data))

    def value(self) -> str:
        return b64encode(self._hash.finalize()).decode("ascii")


class Algorithm(Struct, frozen=True):
    """A checksum algorithm.

    :ivar name: as S3 writes it: ``CRC32``.
    :ivar size: of the raw checksum, in bytes.
    :ivar new: begins a checksum.
    :ivar combine: ``(first, second, length of the second's data)`` to the checksum of both; None for hashes.
    """

    name: str
    size: int
    new: Callable[[], Checksum]
    combine: Callable[[int, int, int], int] | None = None


ALGORITHMS: Mapping[str, Algorithm] = MappingProxyType(
    {
        algorithm.name: algorithm
        for algorithm in (
            Algorithm("CRC32", 4, lambda: _Crc(_crt().crc32, 4), lambda *crcs: _crt().combine_crc32(*crcs)),
            Algorithm("CRC32C", 4, lambda: _Crc(_crt().crc32c, 4), lambda *crcs: _crt().combine_crc32c(*crcs)),
            Algorithm("CRC64NVME", 8, lambda: _Crc(_crt().crc64nvme, 8), lambda *crcs: _crt().combine_crc64nvme(*crcs)),
            Algorithm("MD5", 16, lambda: _Hash("md5")),
            Algorithm("SHA1", 20, lambda: _Hash("sha1")),
            Algorithm("SHA256", 32, lambda: _Hash("sha256")),
            Algorithm("SHA512", 64, lambda: _Hash("sha512")),
            Algorithm("XXHASH128", 16, lambda: _XxHash(_crt().XXHash.new_xxhash3_128())),
            Algorithm("XXHASH3", 8, lambda: _XxHash(_crt().XXHash.new_xxhash3_64())),
            Algorithm("XXHASH64", 8, lambda: _XxHash(_crt().XXHash.new_xxhash64())),
        )
    }
)

_BY_HEADER: Mapping[str, str] = MappingProxyType({_PREFIX + name.lower(): name for name in ALGORITHMS})


def check_supported(algorithm: str) -> None:
    """:raise S3Error: ``InvalidRequest`` for an algorithm that S3 does not have."""
    if algorithm not in ALGORITHMS:
        raise S3Error(
            "InvalidRequest",
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: "
            f"[{', '.join(ALGORITHMS)}]",
        )


def new(algorithm: str) -> Checksum:
    """Begin a checksum. :raise KeyError: for an unknown algorithm."""
    return ALGORITHMS[algorithm].new()


def header_name(algorithm: str) -> str:
    """The lower-case name of the header or trailer that carries it."""
    return _PREFIX + algorithm.lower()


def algorithm_of(header: str) -> str | None:
    """The algorithm whose checksum a header (by lower-case name) carries; None when it carries none we know."""
    return _BY_HEADER.get(header)


def well_formed(algorithm: str, value: str) -> bool:
    """Whether ``value`` is base64 of as many bytes as the algorithm gives."""
    try:
        raw = b64decode(value, validate=True)
    except (Base64Error, ValueError):
        return False
    return len(raw) == ALGORITHMS[algorithm].size


def combine(algorithm: str, pieces: Iterable[tuple[str, int]]) -> str:
    """The checksum of adjoining pieces from the checksum of each, without reading them again.

    :param pieces: the checksum of each, and the length of its data in bytes.
    :raise ValueError: for an algorithm that is not a CRC.
    """
    found = ALGORITHMS[algorithm]
    if found.combine is None:
        raise ValueError(f"{algorithm} can not be combined")
    crc = 0
    for value, length in pieces:
        crc = found.combine(crc, _number(value), length)
    return b64encode(crc.to_bytes(found.size, "big")).decode("ascii")


def composite(algorithm: str, values: Sequence[str]) -> str:
    """The ``COMPOSITE`` checksum of a multipart object: the checksum of its parts' raw checksums, and their number."""
    total = new(algorithm)
    for value in values:
        total.update(b64decode(value))
    return f"{total.value()}-{len(values)}"


def _number(value: str) -> int:
    return int.from_bytes(b64decode(value), "big")
