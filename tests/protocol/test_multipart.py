"""The arithmetic of multipart uploads."""

from __future__ import annotations

import contextlib
from hashlib import md5
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_s3.errors import S3Error
from twisted_s3.model import COMPOSITE, FULL_OBJECT, Part
from twisted_s3.protocol import checksums
from twisted_s3.protocol.head import RequestHead
from twisted_s3.protocol.multipart import (
    check_object_claims,
    check_part_algorithm,
    check_part_claims,
    chosen_parts,
    declared_checksum,
    object_checksum,
    object_etag,
    part_number,
    without_checksums,
)
from twisted_s3.protocol.requestdocs import CompletedPart


def head(**headers: str) -> RequestHead:
    """A request with headers; ``_`` stands for ``-``."""
    return RequestHead("POST", b"/b/k", b"", {name.replace("_", "-"): [value] for name, value in headers.items()})


def checksum(algorithm: str, data: bytes) -> str:
    """The checksum of some bytes."""
    total = checksums.new(algorithm)
    total.update(data)
    return total.value()


def part(number: int, data: bytes) -> Part:
    """A part as a store keeps it."""
    values = {algorithm: checksum(algorithm, data) for algorithm in checksums.ALGORITHMS}
    return Part(number, len(data), md5(data).hexdigest(), values)


def claim(of: Part, **changes: Any) -> CompletedPart:
    """What a client claims of a part."""
    return CompletedPart(changes.get("number", of.number), changes.get("etag", of.etag), changes.get("checksums", {}))


class Numbers(SynchronousTestCase):
    """``partNumber``."""

    def test_good(self) -> None:
        """From 1 to 10,000."""
        self.assertEqual([part_number(text) for text in ("1", "0042", "10000")], [1, 42, 10000])

    def test_refused(self) -> None:
        """All else."""
        for text in (None, "", "0", "10001", "-1", "+1", "1.0", " 1", "x", "٣", "9" * 5000):
            error = self.assertRaises(S3Error, part_number, text)
            self.assertEqual((error.code, error.elements["ArgumentName"]), ("InvalidArgument", "partNumber"), text)

    @given(st.text())
    def test_anything(self, text: str) -> None:
        """No exception but S3Error."""
        with contextlib.suppress(S3Error):
            self.assertTrue(1 <= part_number(text) <= 10_000)


class Declared(SynchronousTestCase):
    """What CreateMultipartUpload says of checksums."""

    def test_table(self) -> None:
        """Each algorithm has its types, and one that it has unasked."""
        for algorithm, unasked, types in (
            ("CRC32", COMPOSITE, {COMPOSITE, FULL_OBJECT}),
            ("CRC32C", COMPOSITE, {COMPOSITE, FULL_OBJECT}),
            ("CRC64NVME", FULL_OBJECT, {FULL_OBJECT}),
            ("SHA1", COMPOSITE, {COMPOSITE}),
            *((name, COMPOSITE, {COMPOSITE}) for name in ("SHA256", "SHA512", "MD5")),
            *((name, COMPOSITE, {COMPOSITE}) for name in ("XXHASH64", "XXHASH3", "XXHASH128")),
        ):
            self.assertEqual(declared_checksum(head(x_amz_checksum_algorithm=algorithm.lower())), (algorithm, unasked))
            for kind in (COMPOSITE, FULL_OBJECT, "OTHER"):
                request = head(x_amz_checksum_algorithm=algorithm, x_amz_checksum_type=kind)
                if kind in types:
                    self.assertEqual(declared_checksum(request), (algorithm, kind))
                else:
                    self.assertEqual(self.assertRaises(S3Error, declared_checksum, request).code, "InvalidRequest")

    def test_others(self) -> None:
        """Nothing said; an algorithm that there is not; a type of nothing."""
        self.assertEqual(declared_checksum(head()), ("", ""))
        for request in (head(x_amz_checksum_algorithm="ADLER"), head(x_amz_checksum_type=COMPOSITE)):
            self.assertEqual(self.assertRaises(S3Error, declared_checksum, request).code, "InvalidRequest")


class PartAlgorithms(SynchronousTestCase):
    """The checksum of a part is that of its upload, or of none."""

    def test_match(self) -> None:
        """In header and trailer, and bare."""
        for request in (head(x_amz_checksum_crc32="x"), head(x_amz_trailer="X-Amz-Checksum-CRC32"), head()):
            check_part_algorithm(request, "CRC32")
            check_part_algorithm(request, "")

    def test_mismatch(self) -> None:
        """InvalidRequest."""
        for request in (head(x_amz_checksum_sha1="x"), head(x_amz_trailer="x-amz-checksum-sha1")):
            error = self.assertRaises(S3Error, check_part_algorithm, request, "CRC32")
            self.assertEqual(error.code, "InvalidRequest")


class ObjectChecksums(SynchronousTestCase):
    """What the head of CompleteMultipartUpload claims of the object."""

    def check(self, **headers: str) -> None:
        """Hold headers against an object of two parts and 30 bytes."""
        parts = [part(1, b"a" * 10), part(2, b"b" * 20)]
        check_object_claims(head(**headers), parts, "CRC32", COMPOSITE, "AAAAAA==-2")

    def test_compared(self) -> None:
        """With what the object comes to; the number of parts may be left out."""
        for value in ("AAAAAA==-2", "AAAAAA=="):
            self.check(x_amz_checksum_crc32=value)
        self.check(x_amz_checksum_type="COMPOSITE", x_amz_mp_object_size="30")
        for headers, code, text in (
            ({"x_amz_checksum_crc32": "AAAAAA==-3"}, "BadDigest", "The crc32 you specified did not match"),
            ({"x_amz_checksum_crc32": "AAAAAB=="}, "BadDigest", "The crc32 you specified did not match"),
            ({"x_amz_checksum_crc32": ""}, "InvalidRequest", "Value for x-amz-checksum-crc32 header is invalid."),
            ({"x_amz_checksum_crc32": "AAAA-2"}, "InvalidRequest", "Value for x-amz-checksum-crc32 header is invalid."),
            (
                {"x_amz_checksum_sha1": "x"},
                "InvalidRequest",
                "expected checksum Type: crc32, actual checksum Type: sha1",
            ),
            ({"x_amz_checksum_type": "FULL_OBJECT"}, "InvalidRequest", "created using the COMPOSITE checksum mode."),
            ({"x_amz_mp_object_size": "31"}, "InvalidRequest", "31 does not match what was computed: 30"),
            ({"x_amz_mp_object_size": "-1"}, "InvalidRequest", "is less than zero: '-1'"),
            ({"x_amz_mp_object_size": "x"}, "InvalidRequest", "header is invalid: 'x'"),
        ):
            error = self.assertRaises(S3Error, self.check, **headers)
            self.assertEqual(error.code, code)
            self.assertIn(text, error.message)

    def test_parts(self) -> None:
        """All of a ``COMPOSITE`` upload or none; never two, never what is none."""
        good = CompletedPart(1, "x", {"CRC32": "AAAAAA=="})
        bare = CompletedPart(2, "x")
        for kind, claims in ((COMPOSITE, [good, good]), (COMPOSITE, [bare, bare]), (FULL_OBJECT, [good, bare])):
            check_part_claims(claims, "CRC32", kind)
        check_part_claims([good, bare], "", "")
        error = self.assertRaises(S3Error, check_part_claims, [good, bare], "CRC32", COMPOSITE)
        self.assertEqual(error.code, "InvalidRequest")
        self.assertIn("The upload was created using a crc32 checksum. The complete request must", error.message)
        self.assertIn("missing for part 2", error.message)
        for checksums_ in ({"CRC32": "x"}, {"CRC32": "AAAAAA==", "SHA1": checksum("SHA1", b"")}):
            claims = [CompletedPart(1, "x", checksums_)]
            error = self.assertRaises(S3Error, check_part_claims, claims, "CRC32", COMPOSITE)
            self.assertEqual(error.code, "InvalidArgument")

    def test_not_of_the_document(self) -> None:
        """They are taken out of the head that the document's payload is made from."""
        bare = without_checksums(head(x_amz_checksum_crc32="x", x_amz_checksum_type="y", content_md5="z"))
        self.assertEqual(dict(bare.headers), {"content-md5": ["z"]})


class Chosen(SynchronousTestCase):
    """The parts that CompleteMultipartUpload names."""

    stored = (part(1, b"a" * 10), part(3, b"b" * 5), part(4, b"c" * 10))

    def refused(self, *claims: CompletedPart) -> S3Error:
        """The refusal of a choice."""
        return self.assertRaises(S3Error, chosen_parts, claims, self.stored, 10)

    def test_good(self) -> None:
        """Some of them, in order, the last of any size, claims held."""
        one, three, four = self.stored
        self.assertEqual(chosen_parts([claim(one), claim(three)], self.stored, 10), [one, three])
        self.assertEqual(chosen_parts([claim(four)], self.stored, 10), [four])
        self.assertEqual(chosen_parts([claim(one, checksums=dict(one.checksums))], self.stored, 10), [one])

    def test_refused(self) -> None:
        """Order, absence, ETag, checksum, size."""
        one, three, four = self.stored
        self.assertEqual(self.refused(claim(three), claim(one)).code, "InvalidPartOrder")
        self.assertEqual(self.refused(claim(one), claim(one)).code, "InvalidPartOrder")
        missing = self.refused(claim(one), claim(one, number=2))
        self.assertEqual((missing.code, missing.elements["PartNumber"]), ("InvalidPart", "2"))
        self.assertEqual(self.refused(claim(one, etag=three.etag)).code, "InvalidPart")
        for wrong in ({"CRC32": three.checksums["CRC32"]}, {"MD5": "x"}):
            self.assertEqual(self.refused(claim(one, checksums=wrong)).code, "InvalidPart")
        small = self.refused(claim(three), claim(four))
        elements = {"ProposedSize": "5", "MinSizeAllowed": "10", "PartNumber": "3", "ETag": three.etag}
        self.assertEqual((small.code, small.elements), ("EntityTooSmall", elements))


class Sums(SynchronousTestCase):
    """ETags and checksums of objects out of those of their parts."""

    def test_etag(self) -> None:
        """The published example of two parts, by hand."""
        first, second = md5(b"a").digest(), md5(b"b").digest()
        self.assertEqual(object_etag([part(1, b"a"), part(2, b"b")]), md5(first + second).hexdigest() + "-2")

    @given(st.lists(st.binary(max_size=40), min_size=1, max_size=6))
    def test_full_object(self, pieces: list[bytes]) -> None:
        """The same as of all bytes in one piece."""
        parts = [part(number, data) for number, data in enumerate(pieces, 1)]
        for algorithm in ("CRC32", "CRC32C", "CRC64NVME"):
            self.assertEqual(object_checksum(parts, algorithm, FULL_OBJECT), checksum(algorithm, b"".join(pieces)))

    def test_composite(self) -> None:
        """That of the parts' raw checksums, and their number."""
        parts = [part(1, b"a"), part(2, b"b")]
        for algorithm in ("CRC32", "CRC32C", "SHA1", "SHA256"):
            expected = checksums.composite(algorithm, [each.checksums[algorithm] for each in parts])
            self.assertEqual(object_checksum(parts, algorithm, COMPOSITE), expected)
            self.assertTrue(expected.endswith("-2"))
