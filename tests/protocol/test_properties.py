"""What a request says about an object."""

from __future__ import annotations

from email.header import Header

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_s3.errors import S3Error
from twisted_s3.model import Properties
from twisted_s3.protocol.head import RequestHead
from twisted_s3.protocol.properties import (
    METADATA_LIMIT,
    header_of,
    headers_of,
    properties_of,
    storage_class_of,
    text_of,
)

TEXT = st.text(st.characters(exclude_categories=("Cs",)))
RAW = st.text(st.characters(max_codepoint=255))


def head(**headers: str) -> RequestHead:
    """A request with headers; ``_`` stands for ``-``."""
    return RequestHead("PUT", b"/b/k", b"", {name.replace("_", "-"): [value] for name, value in headers.items()})


class TextOfHeaders(SynchronousTestCase):
    """Between header values and text."""

    def test_forms(self) -> None:
        """UTF-8, latin-1, RFC 2047 words, and what only looks like one."""
        for raw, text in {
            "plain": "plain",
            "grün".encode().decode("latin-1"): "grün",
            "gr\xfcn": "grün",
            "=?UTF-8?B?Z3LDvG4=?=": "grün",
            "=?utf-8?q?gr=C3=BCn?=": "grün",
            "=?iso-8859-1?q?gr=FCn?=": "grün",
            "a =?utf-8?q?b?=": "a b",
            "=?utf-8?q?a?= =?utf-8?q?b?=": "ab",
            "=?nonsense?q?a?=": "=?nonsense?q?a?=",
            "=?utf-8?b?!?=": "=?utf-8?b?!?=",
            "=?utf-8?q?=FF?=": "=?utf-8?q?=FF?=",
            "=?utf-7?q?+2AA-?=": "=?utf-7?q?+2AA-?=",
            "a=?b?=c": "a=?b?=c",
        }.items():
            self.assertEqual(text_of(raw), text, raw)

    def test_plain_text_stays(self) -> None:
        """What any client can read is not wrapped."""
        for value in ("plain", 'attachment; filename="x.txt"', "a=?b?=c", "=?nonsense?q?a?=", ""):
            self.assertEqual(header_of(value), value)

    def test_wrapped(self) -> None:
        """What a header could not carry, or would read otherwise, is."""
        self.assertEqual(header_of("grün"), "=?utf-8?b?Z3LDvG4=?=")
        for value in ("a\r\nx-evil: 1", " spaces ", "tab\t", "=?utf-8?q?a?=", "\x00"):
            self.assertNotEqual(header_of(value), value)
            self.assertEqual(text_of(header_of(value)), value)

    @given(TEXT)
    def test_every_text_comes_back(self, value: str) -> None:
        """In printable ASCII."""
        raw = header_of(value)
        self.assertTrue(raw.isascii() and (raw.isprintable() or not raw), raw)
        self.assertEqual(text_of(raw.strip()), value)

    @given(RAW | st.from_regex(r"=\?[a-z0-9_-]{1,12}\?[bqBQ]\?[!-~]{0,20}\?=", fullmatch=True))
    def test_anything(self, raw: str) -> None:
        """Whatever a header holds becomes text that can be stored and sent again."""
        text = text_of(raw)
        text.encode()
        header_of(text).encode("ascii")

    def test_words_of_others(self) -> None:
        """What the standard library writes is read."""
        self.assertEqual(text_of(Header("grün & blau", "utf-8").encode()), "grün & blau")


class PropertiesOfRequests(SynchronousTestCase):
    """What is kept, and what is refused."""

    def test_kept(self) -> None:
        """The standard headers, by canonical name, and user metadata."""
        given_headers = {
            "cache_control": "no-store",
            "content_disposition": "inline",
            "content_encoding": "gzip",
            "content_language": "de",
            "content_type": "text/plain",
            "expires": "never",
            "x_amz_website_redirect_location": "/x",
            "x_amz_meta_colour": "blue",
            "x_amz_meta_": "nameless",
            "x_amz_storage_class": "GLACIER",
        }
        found = properties_of(head(**given_headers, content_length="1", x_amz_date="now", etag="x"))
        expected = {
            "Cache-Control": "no-store",
            "Content-Disposition": "inline",
            "Content-Encoding": "gzip",
            "Content-Language": "de",
            "Content-Type": "text/plain",
            "Expires": "never",
            "x-amz-website-redirect-location": "/x",
        }
        self.assertEqual(found, Properties(expected, {"colour": "blue", "": "nameless"}, {}, "GLACIER"))
        given_back = dict(headers_of(found))
        self.assertEqual(
            given_back,
            {**expected, "x-amz-meta-colour": "blue", "x-amz-meta-": "nameless", "x-amz-storage-class": "GLACIER"},
        )

    def test_defaults(self) -> None:
        """Nothing said: a type, and no storage class in the answer."""
        found = properties_of(head())
        self.assertEqual(found, Properties({"Content-Type": "binary/octet-stream"}))
        self.assertEqual(dict(headers_of(found)), {"Content-Type": "binary/octet-stream"})

    def test_aws_chunked(self) -> None:
        """It is stripped, wherever it stands; the rest is kept as it was written."""
        for value, kept in {
            "aws-chunked": None,
            "gzip,aws-chunked": "gzip",
            "AWS-Chunked, gzip": "gzip",
            "gzip, br": "gzip, br",
            "deflate, aws-chunked, gzip": "deflate, gzip",
            "aws-chunked,": None,
        }.items():
            found = properties_of(head(content_encoding=value)).headers.get("Content-Encoding")
            self.assertEqual(found, kept, value)

    def test_repeated_metadata(self) -> None:
        """Several headers of one name are one value."""
        request = RequestHead("PUT", b"/b/k", b"", {"x-amz-meta-a": ["1", "2"]})
        self.assertEqual(properties_of(request).user, {"a": "1,2"})

    def test_metadata_too_large(self) -> None:
        """2,048 bytes of names and values together, in UTF-8."""
        properties_of(head(x_amz_meta_ab="x" * (METADATA_LIMIT - 2)))
        for headers in (
            {"x_amz_meta_ab": "x" * (METADATA_LIMIT - 1)},
            {"x_amz_meta_a": "x" * 1024, "x_amz_meta_b": "y" * 1023},
            {"x_amz_meta_a": ("ü" * 1024).encode().decode("latin-1")},
        ):
            error = self.assertRaises(S3Error, properties_of, head(**headers))
            self.assertEqual(error.code, "MetadataTooLarge")
        self.assertEqual(error.elements["Size"], "2049")

    def test_storage_class(self) -> None:
        """One that AWS knows, by its exact name."""
        self.assertEqual(storage_class_of(head()), "STANDARD")
        self.assertEqual(storage_class_of(head(x_amz_storage_class="STANDARD_IA")), "STANDARD_IA")
        for value in ("standard", "PAPER"):
            error = self.assertRaises(S3Error, storage_class_of, head(x_amz_storage_class=value))
            self.assertEqual((error.code, error.elements["StorageClassRequested"]), ("InvalidStorageClass", value))

    @given(st.dictionaries(st.sampled_from(("content-type", "expires", "x-amz-meta-a", "content-encoding")), RAW))
    def test_anything(self, headers: dict[str, str]) -> None:
        """No exception but S3Error, and only ASCII goes back."""
        request = RequestHead("PUT", b"/b/k", b"", {name: [value] for name, value in headers.items()})
        try:
            found = properties_of(request)
        except S3Error:
            return
        for name, value in headers_of(found):
            self.assertTrue((name + value).isascii())
            self.assertNotIn("\n", value)
