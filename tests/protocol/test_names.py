"""Names of buckets and keys."""

from __future__ import annotations

from urllib.parse import quote_from_bytes, unquote_plus

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_s3.errors import S3Error
from twisted_s3.protocol.names import bucket_of_host, check_bucket_name, check_key, decode_key, encode_key

KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200)


class BucketNameTests(SynchronousTestCase):
    def test_allowed(self) -> None:
        for name in (
            "abc",
            "1ab",
            "a" * 63,
            "a.b-c.9",
            "a-.b",
            "1.2.3",
            "1.2.3.4.5",
            "1.2.3.x",
            "my-xn--x",
            "s3alias",
            "x-sthree-0",
        ):
            check_bucket_name(name)

    def test_refused(self) -> None:
        for name in (
            "",
            "ab",
            "a" * 64,
            "Abc",
            "a_b",
            "-ab",
            "ab-",
            ".ab",
            "ab.",
            "a..b",
            "192.168.5.4",
            "xn--abc",
            "sthree-abc",
            "sthree-configurator",
            "amzn-s3-demo-bucket",
            "abc-s3alias",
            "abc--ol-s3",
            "abc.mrap",
            "abc--x-s3",
            "abc--table-s3",
            "abc\n",
            "abc/",
            "bücher",
            "a١b",
            ".s3store",
        ):
            error = self.assertRaises(S3Error, check_bucket_name, name)
            self.assertEqual((error.code, error.status), ("InvalidBucketName", 400), name)
            self.assertEqual(error.elements, {"BucketName": name})


class KeyTests(SynchronousTestCase):
    def test_longest(self) -> None:
        check_key("é" * 512)
        error = self.assertRaises(S3Error, check_key, "é" * 512 + "a")
        self.assertEqual(error.code, "KeyTooLongError")
        self.assertEqual(error.elements, {"Size": "1025", "MaxSizeAllowed": "1024"})

    def test_no_key(self) -> None:
        self.assertEqual(self.assertRaises(S3Error, check_key, "").code, "InvalidURI")
        self.assertEqual(self.assertRaises(S3Error, check_key, "\ud800").code, "InvalidURI")

    def test_bytes_decide(self) -> None:
        for raw, key in (
            (b"a+b", "a+b"),
            (b"a%20b%2Bc", "a b+c"),
            (b"%2541", "%41"),
            (b"a//../.%2f", "a//.././"),
            (b"%00%01%7F", "\0\1\x7f"),
            ("é".encode(), "é"),
            (b"%C3%a9?", "é?"),
        ):
            self.assertEqual(decode_key(raw), key)

    def test_not_a_key(self) -> None:
        for raw in (b"", b"%", b"a%2", b"%zz", b"%C3", b"\xff", b"%ED%A0%80"):
            self.assertEqual(self.assertRaises(S3Error, decode_key, raw).code, "InvalidURI", raw)
        self.assertEqual(self.assertRaises(S3Error, decode_key, b"%41" * 1025).code, "KeyTooLongError")

    @given(KEYS)
    def test_path_round_trip(self, key: str) -> None:
        self.assertEqual(decode_key(quote_from_bytes(key.encode(), safe="").encode()), key)

    @given(KEYS)
    def test_url_encoding_round_trip(self, key: str) -> None:
        encoded = encode_key(key)
        self.assertEqual(unquote_plus(encoded), key)
        self.assertNotRegex(encoded, r"[^A-Za-z0-9%+/*._~-]")

    def test_url_encoding_as_aws(self) -> None:
        self.assertEqual(encode_key("test_file(3).png"), "test_file%283%29.png")
        self.assertEqual(encode_key("date=1/a b+%2F*"), "date%3D1/a+b%2B%252F*")

    @given(st.binary(max_size=2000))
    def test_garbage(self, raw: bytes) -> None:
        try:
            check_key(decode_key(raw))
        except S3Error as error:
            self.assertIn(error.code, ("InvalidURI", "KeyTooLongError"))


class HostTests(SynchronousTestCase):
    def check(self, host: str | None, domains: list[str], bucket: str | None) -> None:
        self.assertEqual(bucket_of_host(host, domains), bucket, (host, domains))

    def test_buckets(self) -> None:
        self.check("photos.s3.example.com", ["s3.example.com"], "photos")
        self.check("photos.s3.example.com:9000", ["s3.example.com"], "photos")
        self.check("PHOTOS.S3.Example.COM", ["s3.example.com"], "photos")
        self.check("photos.s3.example.com", ["S3.Example.COM"], "photos")
        self.check("a.b.c.s3.example.com", ["s3.example.com"], "a.b.c")
        self.check("photos.s3.example.com.", ["s3.example.com"], "photos")
        self.check("photos.localhost:9000", ["localhost:9000"], "photos")

    def test_none(self) -> None:
        for host in (None, "", "s3.example.com", "s3.example.com:9000", "example.com", "xs3.example.com", "127.0.0.1"):
            self.check(host, ["s3.example.com"], None)
        for host in ("[::1]", "[::1]:9000", ".s3.example.com", "photos.s3.example.com:x", "a:1:2"):
            self.check(host, ["s3.example.com"], None)
        self.check("photos.s3.example.com", [], None)
        self.check("photos.localhost:9001", ["localhost:9000"], None)
        self.check("photos.localhost", ["localhost:9000"], None)
        self.check("photos.localhost", ["[::1]"], None)

    def test_longest_domain_wins(self) -> None:
        for domains in (["example.com", "s3.example.com"], ["s3.example.com", "example.com"]):
            self.check("photos.s3.example.com", domains, "photos")
            self.check("s3.example.com", domains, None)
            self.check("photos.example.com", domains, "photos")
