"""Byte ranges."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_s3.errors import S3Error
from twisted_s3.model import ByteRange
from twisted_s3.protocol.ranges import parse_copy_source_range, parse_range


class RangeTests(SynchronousTestCase):
    def test_satisfiable(self) -> None:
        for header, start, stop in (
            ("bytes=0-0", 0, 1),
            ("bytes=2-5", 2, 6),
            ("bytes=2-", 2, 10),
            ("bytes=9-", 9, 10),
            ("bytes=2-99", 2, 10),
            ("bytes=-3", 7, 10),
            ("bytes=-99", 0, 10),
            ("Bytes= 2-5 ", 2, 6),
            ("bytes=0-" + "9" * 60, 0, 10),
            ("bytes=-" + "9" * 60, 0, 10),
        ):
            self.assertEqual(parse_range(header, 10), ByteRange(start, stop), header)

    def test_ignored(self) -> None:
        for header in (
            None,
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=5-2",
            "bytes=a-b",
            "bytes=0-1,3-4",
            "bytes=0-1,",
            "bytes=0x1-2",
            "bytes=--1",
            "bytes=1-2-3",
            "items=0-1",
            "0-1",
            "bytes=+1-2",
            "bytes=١-٢",
            "bytes=0-" + "9" * 9999,
        ):
            self.assertIsNone(parse_range(header, 10), header)

    def test_unsatisfiable(self) -> None:
        for header, size in (
            ("bytes=10-", 10),
            ("bytes=10-11", 10),
            ("bytes=-0", 10),
            ("bytes=-0", 0),
            ("bytes=0-", 0),
            ("bytes=0-0", 0),
        ):
            error = self.assertRaises(S3Error, parse_range, header, size)
            self.assertEqual((error.code, error.status), ("InvalidRange", 416))
            self.assertEqual(error.elements, {"RangeRequested": header, "ActualObjectSize": str(size)})
            self.assertEqual(error.headers, {"Content-Range": f"bytes */{size}"})

    def test_suffix_of_an_empty_object(self) -> None:
        self.assertIsNone(parse_range("bytes=-5", 0))

    @given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 20))
    def test_as_slices(self, first: int, last: int, size: int) -> None:
        data = bytes(range(size))
        try:
            found = parse_range(f"bytes={first}-{last}", size)
        except S3Error:
            self.assertGreaterEqual(first, size)
            self.assertLessEqual(first, last)
        else:
            if found is None:
                self.assertGreater(first, last)
            else:
                self.assertEqual(data[found.start : found.stop], data[first : last + 1])
                self.assertGreater(found.length, 0)

    @given(st.text() | st.from_regex(r"bytes=[0-9, -]*", fullmatch=True), st.integers(0, 100))
    def test_garbage(self, header: str, size: int) -> None:
        for parse in (parse_range, parse_copy_source_range):
            try:
                found = parse(header, size)
            except S3Error:
                continue
            if found is not None:
                self.assertTrue(0 <= found.start < found.stop <= size)


class CopySourceRangeTests(SynchronousTestCase):
    def test_good(self) -> None:
        self.assertIsNone(parse_copy_source_range(None, 10))
        self.assertEqual(parse_copy_source_range("bytes=0-9", 10), ByteRange(0, 10))
        self.assertEqual(parse_copy_source_range("bytes=3-3", 10), ByteRange(3, 4))

    def test_bad_form(self) -> None:
        for header in (
            "",
            "0-2",
            "bytes=0",
            "bytes=0-",
            "bytes=-5",
            "bytes=0-1,3-4",
            "bytes=a-b",
            "bytes=5-2",
            "B=0-1",
        ):
            error = self.assertRaises(S3Error, parse_copy_source_range, header, 10)
            self.assertEqual((error.code, error.status), ("InvalidArgument", 400), header)
            self.assertTrue(error.message.startswith("The x-amz-copy-source-range value must be of the form"))
            self.assertEqual(error.elements, {"ArgumentName": "x-amz-copy-source-range", "ArgumentValue": header})

    def test_beyond_the_source(self) -> None:
        for header, size in (("bytes=0-10", 10), ("bytes=10-10", 10), ("bytes=0-0", 0)):
            error = self.assertRaises(S3Error, parse_copy_source_range, header, size)
            self.assertEqual(error.code, "InvalidArgument")
            self.assertEqual(error.message, f"Range specified is not valid for source object of size: {size}")
