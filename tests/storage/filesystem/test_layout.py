"""Keys and paths."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_s3.storage.filesystem.layout import STATE, BucketLayout, HexTree, PlainTree, parent

KEYS = st.one_of(
    st.text(min_size=1, max_size=300),
    st.text(alphabet="a/.\0é+", min_size=1, max_size=12),
    st.integers(110, 130).map(lambda size: "k" * size),
    st.integers(230, 260).map(lambda size: "k" * size),
).filter(lambda key: key.isprintable() or not any("\ud800" <= char <= "\udfff" for char in key))

PLAIN = PlainTree(b"bucket")
HEX = HexTree(b"overflow")


class TreeTests(SynchronousTestCase):
    """Both trees."""

    @given(KEYS)
    def test_hex_round_trip(self, key: str) -> None:
        components = HEX.path(key).split(b"/")[1:]
        self.assertEqual(HEX.key(components), key)
        self.assertTrue(all(0 < len(name) <= 241 for name in components))

    @given(KEYS, KEYS)
    def test_hex_keeps_the_order(self, one: str, other: str) -> None:
        self.assertEqual(one.encode() < other.encode(), list(HEX.components(one)) < list(HEX.components(other)))

    @given(KEYS)
    def test_plain_round_trip(self, key: str) -> None:
        path = PLAIN.path(key)
        assume(path is not None)
        assert path is not None
        self.assertEqual(path, b"bucket/" + key.encode())
        self.assertEqual(PLAIN.key(path.split(b"/")[1:]), key)

    def test_what_no_path_holds(self) -> None:
        for key in (
            "",
            "/",
            "a/",
            "/a",
            "a//b",
            ".",
            "..",
            "a/..",
            "a/./b",
            "\0",
            "a\0b",
            "x" * 256,
            "a/" * 511 + "aaa",
        ):
            self.assertIsNone(PLAIN.path(key), key)
        for key in ("a", "...", ".a", "a/..b", "x" * 255, "\x01", "a/" * 511 + "aa"):
            self.assertIsNotNone(PLAIN.path(key), key)

    def test_names_that_are_no_keys(self) -> None:
        self.assertIsNone(PLAIN.key([b"\xff"]))
        self.assertIsNone(PLAIN.key([b"a" * 255] * 5))
        for names in ([b""], [b"6"], [b"6A"], [b"zz"], [b"ff"], [b"61+"], [b"61+", b"61"], [b"61", b"61"]):
            self.assertIsNone(HEX.key(names), names)

    def test_places(self) -> None:
        bucket = BucketLayout("name")
        self.assertEqual(list(bucket.paths("a/b")), [b"name/a/b", STATE + b"/buckets/name/overflow/612f62"])
        self.assertEqual(list(bucket.paths("a/")), [STATE + b"/buckets/name/overflow/612f"])
        self.assertEqual(bucket.top(b"name/a/b"), b"name")
        self.assertEqual(bucket.top(bucket.overflow.path("a")), STATE + b"/buckets")
        self.assertEqual(parent(b"a/b"), b"a")
        self.assertEqual(parent(b"a"), b"")
