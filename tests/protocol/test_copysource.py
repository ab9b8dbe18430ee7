"""The header that names the source of a copy."""

from __future__ import annotations

from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_s3.errors import S3Error
from twisted_s3.protocol.copysource import CopySource, parse_copy_source


class ParseCopySource(SynchronousTestCase):
    """Encoded or not, with or without a slash in front, with or without a version."""

    def test_forms(self) -> None:
        """What clients send."""
        for value, expected in {
            "bucket/key": CopySource("bucket", "key"),
            "/bucket/key": CopySource("bucket", "key"),
            "bucket/a/b//c": CopySource("bucket", "a/b//c"),
            "bucket//key": CopySource("bucket", "/key"),
            "bucket%2Fa%2Fb": CopySource("bucket", "a/b"),
            "bucket/a%20b+c": CopySource("bucket", "a b+c"),
            "bucket/100%": CopySource("bucket", "100%"),
            "bucket/a?b": CopySource("bucket", "a?b"),
            "bucket/k?versionId=null": CopySource("bucket", "k", "null"),
            "bucket/k?versionId=": CopySource("bucket", "k", ""),
            "bucket/k%3FversionId%3Dx": CopySource("bucket", "k?versionId=x"),
            "bucket/%C3%BC": CopySource("bucket", "ü"),
            "bucket/ü".encode().decode("latin-1"): CopySource("bucket", "ü"),
        }.items():
            self.assertEqual(parse_copy_source(value), expected, value)

    def test_refused(self) -> None:
        """What names no object."""
        for value in ("", "/", "bucket", "bucket/", "/bucket/", "//key", "bucket/%FF", "?versionId=x", "bucket/\xff"):
            error = self.assertRaises(S3Error, parse_copy_source, value)
            self.assertEqual(error.code, "InvalidArgument", value)
            self.assertEqual(error.elements["ArgumentName"], "x-amz-copy-source")

    @given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=1024))
    def test_every_key(self, key: str) -> None:
        """An encoded key comes back."""
        self.assertEqual(parse_copy_source("bucket/" + quote(key)), CopySource("bucket", key))

    @given(st.text(st.characters(max_codepoint=255)))
    def test_anything(self, value: str) -> None:
        """No exception but S3Error."""
        try:
            found = parse_copy_source(value)
        except S3Error:
            return
        self.assertTrue(found.bucket and found.key)
