"""The checksums of S3."""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from zlib import crc32

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_s3.protocol import checksums

CRCS = ("CRC32", "CRC32C", "CRC64NVME")


def value_of(algorithm: str, data: bytes) -> str:
    """The checksum of some bytes."""
    checksum = checksums.new(algorithm)
    checksum.update(data)
    return checksum.value()


class ChecksumTests(SynchronousTestCase):
    def test_check_values(self) -> None:
        # The check values that the catalogue of CRCs gives for this text.
        known = {
            "CRC32": "cbf43926",
            "CRC32C": "e3069283",
            "CRC64NVME": "ae8b14860a799888",
            "SHA1": hashlib.sha1(b"123456789").hexdigest(),
            "MD5": hashlib.md5(b"123456789").hexdigest(),
            "SHA256": hashlib.sha256(b"123456789").hexdigest(),
            "SHA512": hashlib.sha512(b"123456789").hexdigest(),
            "XXHASH64": "8cb841db40e6ae83",
        }
        found = {name: b64decode(value_of(name, b"123456789")).hex() for name in checksums.ALGORITHMS}
        self.assertEqual({name: found[name] for name in known}, known)
        # What the specification of xxHash gives for no bytes.
        empty = {"XXHASH3": "2d06800538d394c2", "XXHASH128": "99aa06d3014798d86001c324468d497f"}
        self.assertEqual({name: b64decode(value_of(name, b"")).hex() for name in empty}, empty)
        self.assertEqual({*known, *empty}, {*checksums.ALGORITHMS})

    def test_immutable(self) -> None:
        with self.assertRaises(TypeError):
            checksums.ALGORITHMS["MD5"] = None  # type: ignore[index]

    def test_unknown(self) -> None:
        self.assertRaises(KeyError, checksums.new, "MD4")

    def test_header_names(self) -> None:
        for name in checksums.ALGORITHMS:
            self.assertEqual(checksums.algorithm_of(checksums.header_name(name)), name)
        self.assertEqual(checksums.header_name("CRC64NVME"), "x-amz-checksum-crc64nvme")
        self.assertIsNone(checksums.algorithm_of("x-amz-checksum-type"))

    def test_memoryview(self) -> None:
        for name in checksums.ALGORITHMS:
            checksum = checksums.new(name)
            checksum.update(memoryview(bytearray(b"abcdef"))[1:4])  # type: ignore[arg-type]
            self.assertEqual(checksum.value(), value_of(name, b"bcd"))

    @given(st.lists(st.binary(max_size=64), max_size=6), st.sampled_from(sorted(checksums.ALGORITHMS)))
    def test_pieces(self, pieces: list[bytes], algorithm: str) -> None:
        checksum = checksums.new(algorithm)
        for piece in pieces:
            checksum.update(piece)
        self.assertEqual(checksum.value(), value_of(algorithm, b"".join(pieces)))
        self.assertTrue(checksums.well_formed(algorithm, checksum.value()))

    @given(st.lists(st.binary(max_size=64), max_size=5), st.sampled_from(CRCS))
    def test_combine(self, pieces: list[bytes], algorithm: str) -> None:
        combined = checksums.combine(algorithm, [(value_of(algorithm, piece), len(piece)) for piece in pieces])
        self.assertEqual(combined, value_of(algorithm, b"".join(pieces)))

    def test_combine_hash(self) -> None:
        value = value_of("SHA1", b"")
        self.assertRaises(ValueError, checksums.combine, "SHA1", [(value, 0)])

    def test_composite(self) -> None:
        parts = [b"one", b"two"]
        raw = b"".join(crc32(part).to_bytes(4, "big") for part in parts)
        expected = b64encode(crc32(raw).to_bytes(4, "big")).decode("ascii") + "-2"
        self.assertEqual(checksums.composite("CRC32", [value_of("CRC32", part) for part in parts]), expected)

    @given(st.text(max_size=20), st.sampled_from(sorted(checksums.ALGORITHMS)))
    def test_well_formed_never_raises(self, text: str, algorithm: str) -> None:
        checksums.well_formed(algorithm, text)

    def test_malformed(self) -> None:
        for value in ("", "AAAAAA", "AAAAAA=", "AAAA", "AAAAAAA=", "AAAAAA==\n", " AAAAAA==", "é"):
            self.assertFalse(checksums.well_formed("CRC32", value), value)
        self.assertTrue(checksums.well_formed("CRC32", "AAAAAA=="))
