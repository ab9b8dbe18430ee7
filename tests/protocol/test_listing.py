"""The page algebra, held against a naive model: build the whole listing, then cut."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any
from weakref import ref

from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import structs
from twisted.trial.unittest import SynchronousTestCase

from twisted_s3.errors import S3Error
from twisted_s3.model import Bucket, Part, Upload
from twisted_s3.protocol.listing import (
    Page,
    UploadsPage,
    buckets_page,
    decode_token,
    encode_token,
    list_page,
    objects_start,
    page_size,
    parts_page,
    start_after_key,
    start_after_marker,
    successor,
    uploads_page,
    wants_url_encoding,
)
from twisted_s3.protocol.walks import KeyWalk

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
NARROW = st.text("a/b", max_size=5)
ODD = st.text("a/\0\ud7ff\ue000\uffff\U0010ffff", max_size=5)
KEYS = st.lists(NARROW.filter(bool) | ODD.filter(bool), unique=True, max_size=25)
DELIMITERS = st.sampled_from(["", "/", "a", "b/", "\U0010ffff", "//", "\0"])
PREFIXES = NARROW | ODD | st.just("")


class Walk:
    """A walk over keys that remembers how it was called and how much it gave."""

    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = sorted(keys, key=str.encode)
        self.starts: list[str] = []
        self.given = 0

    def __call__(self, start: str) -> Iterator[str]:
        self.starts.append(start)
        for key in self.keys[bisect_left(self.keys, start) :]:
            self.given += 1
            yield key


def naive(keys: Sequence[str], prefix: str, delimiter: str) -> list[str]:
    """All entries of a listing, in order."""
    entries: list[str] = []
    for key in sorted(keys, key=str.encode):
        if key.startswith(prefix):
            head, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
            entry = prefix + head + found if found else key
            if entry not in entries:
                entries.append(entry)
    return entries


def entries(page: Page) -> list[str]:
    """Keys and common prefixes of a page, in order."""
    return sorted([*page.keys, *page.common_prefixes], key=str.encode)


def page_through(walk: KeyWalk, prefix: str, delimiter: str, size: int, by: str) -> list[str]:
    """The entries of all pages, by tokens or by markers."""
    shown: list[str] = []
    start: str | None = ""
    while True:
        page = list_page(walk, prefix, delimiter, start, size)
        shown += entries(page)
        if not page.is_truncated:
            return shown
        assert len(entries(page)) == size
        if by == "token":
            assert page.next_start is not None
            start = decode_token(encode_token(page.next_start))
        else:
            start = start_after_marker(page.last, prefix, delimiter)


class SuccessorTests(SynchronousTestCase):
    def test_cases(self) -> None:
        for prefix, above in (
            ("a", "b"),
            ("a/", "a0"),
            ("\ud7ff", "\ue000"),
            ("a\U0010ffff", "b"),
            ("a\U0010ffff\U0010ffff", "b"),
            ("", None),
            ("\U0010ffff", None),
        ):
            self.assertEqual(successor(prefix), above)

    @given(TEXT | ODD, TEXT | ODD)
    def test_separates(self, prefix: str, other: str) -> None:
        above = successor(prefix)
        if above is None:
            self.assertEqual(prefix.strip("\U0010ffff"), "")
            return
        above.encode()
        self.assertLess((prefix + other).encode(), above.encode())
        if other > prefix and not other.startswith(prefix):
            self.assertGreaterEqual(other, above)


class ListPageTests(SynchronousTestCase):
    @given(KEYS, PREFIXES, DELIMITERS, st.integers(1, 7), st.sampled_from(["token", "marker"]))
    @example(["a-b", "a.txt", "a/z", "b"], "", "/", 1, "marker")
    @example(["a/1", "a/2", "b"], "", "/", 1, "token")
    def test_pages_are_the_whole(self, keys: list[str], prefix: str, delimiter: str, size: int, by: str) -> None:
        self.assertEqual(page_through(Walk(keys), prefix, delimiter, size, by), naive(keys, prefix, delimiter))

    @given(KEYS, PREFIXES, DELIMITERS, st.integers(1, 7), NARROW | ODD)
    def test_start_after(self, keys: list[str], prefix: str, delimiter: str, size: int, after: str) -> None:
        page = list_page(Walk(keys), prefix, delimiter, start_after_key(after), size)
        expected = naive([key for key in keys if key > after], prefix, delimiter)
        self.assertEqual(entries(page), expected[:size])
        self.assertEqual(page.is_truncated, len(expected) > size)
        self.assertEqual(page.next_start is not None, page.is_truncated)
        self.assertEqual(page.last, expected[:size][-1] if expected else "")

    @given(KEYS, PREFIXES, DELIMITERS, st.integers(1, 7), NARROW | ODD)
    def test_marker(self, keys: list[str], prefix: str, delimiter: str, size: int, marker: str) -> None:
        page = list_page(Walk(keys), prefix, delimiter, start_after_marker(marker, prefix, delimiter), size)
        expected = [
            entry
            for entry in naive(keys, prefix, delimiter)
            if entry > marker and not (entry not in keys and marker.startswith(entry))
        ]
        self.assertEqual(entries(page), expected[:size])
        self.assertEqual(page.is_truncated, len(expected) > size)

    def test_a_group_is_passed_over(self) -> None:
        walk = Walk([*(f"a/{number:04}" for number in range(1000)), "b", "c/1", "c/2"])
        page = list_page(walk, "", "/", "", 10)
        self.assertEqual((page.keys, page.common_prefixes), (("b",), ("a/", "c/")))
        self.assertEqual(walk.starts, ["", "a0", "c0"])
        self.assertEqual(walk.given, 3)

    def test_nothing_before_the_prefix_is_walked(self) -> None:
        walk = Walk([*(f"a{number}" for number in range(100)), "b1", "b2", "c", "d"])
        self.assertEqual(list_page(walk, "b", "", "", 10).keys, ("b1", "b2"))
        self.assertEqual(walk.given, 3)

    def test_a_full_page_looks_one_ahead(self) -> None:
        walk = Walk([f"k{number:03}" for number in range(100)])
        page = list_page(walk, "", "", "", 10)
        self.assertTrue(page.is_truncated)
        self.assertEqual(walk.given, 11)
        self.assertFalse(list_page(walk, "", "", start_after_key("k089"), 10).is_truncated)

    def test_a_group_at_the_end_of_all_strings(self) -> None:
        page = list_page(Walk(["a", "\U0010ffff", "\U0010ffffx"]), "", "\U0010ffff", "", 2)
        self.assertEqual((page.keys, page.common_prefixes, page.is_truncated), (("a",), ("\U0010ffff",), False))
        self.assertIsNone(start_after_marker("\U0010ffff", "", "\U0010ffff"))
        self.assertEqual(list_page(Walk(["a"]), "", "", None, 2), Page())

    def test_no_keys_asked_for(self) -> None:
        walk = Walk(["a", "b"])
        self.assertEqual(list_page(walk, "", "", "", 0), Page())
        self.assertEqual(walk.given, 0)

    def test_inside_a_group(self) -> None:
        keys = ["folder/aSubfolder/subFile1", "folder/aSubfolder/subFile2", "folder/file1", "folder/file2"]
        inside = keys[0]
        marked = list_page(Walk(keys), "folder/", "/", start_after_marker(inside, "folder/", "/"), 1)
        self.assertEqual((marked.keys, marked.common_prefixes), (("folder/file1",), ()))
        after = list_page(Walk(keys), "folder/", "/", start_after_key(inside), 1)
        self.assertEqual((after.keys, after.common_prefixes), ((), ("folder/aSubfolder/",)))

    def test_delimiter_in_the_prefix(self) -> None:
        page = list_page(Walk(["a/b/c", "a/d", "a"]), "a/", "/", "", 10)
        self.assertEqual((page.keys, page.common_prefixes), (("a/d",), ("a/b/",)))

    def test_the_directory_itself(self) -> None:
        page = list_page(Walk(["a", "a/", "a/b"]), "a/", "/", "", 10)
        self.assertEqual((page.keys, page.common_prefixes), (("a/", "a/b"), ()))


class TokenTests(SynchronousTestCase):
    @given(TEXT.filter(bool))
    def test_round_trip(self, start: str) -> None:
        token = encode_token(start)
        self.assertRegex(token, r"\A[A-Za-z0-9_-]+\Z")
        self.assertEqual(decode_token(token), start)

    def refused(self, token: str) -> None:
        error = self.assertRaises(S3Error, decode_token, token)
        self.assertEqual((error.code, error.status), ("InvalidArgument", 400))
        self.assertEqual(error.message, "The continuation token provided is incorrect")
        self.assertEqual(error.elements, {"ArgumentName": "continuation-token"})

    def test_refused(self) -> None:
        good = encode_token("a/b")
        for token in ("", "a", "photos/cat.jpg", good[:-1], good + "A", good + "=", good + "\n", "é", "AAAA" * 3):
            self.refused(token)
        self.refused(encode_token(""))

    @given(st.text(max_size=20))
    def test_garbage(self, token: str) -> None:
        self.refused(token)

    def test_token_goes_before_start_after(self) -> None:
        self.assertEqual(objects_start(encode_token("x"), "y"), "x")
        self.assertEqual(objects_start(None, "y"), "y\0")
        self.assertEqual(objects_start(None, ""), "")
        self.assertRaises(S3Error, objects_start, "", "y")


def upload(key: str, id: str, initiated: float = 0.0) -> Upload:
    """An upload that was begun."""
    return Upload(id, key, initiated)


def cut(uploads: Sequence[Upload], prefix: str, delimiter: str, key: str, id: str, size: int) -> UploadsPage:
    """A page, of uploads that come in any order."""
    begun = {(item.key, item.id): item.initiated for item in uploads}
    mixed = Random(len(uploads)).sample(uploads, len(uploads))
    return uploads_page(iter(mixed), prefix, delimiter, key, id, size, begun.get((key, id)))


class _Watched(Upload, frozen=True, weakref=True):
    """An upload of which one can see when it is let go of."""


class UploadsTests(SynchronousTestCase):
    uploads = (upload("a", "3"), upload("a", "1", 1.0), upload("a", "2", 1.0), upload("b/x", "5"), upload("b/y", "4"))

    def ids(self, *arguments: Any) -> list[str]:
        return [item.id for item in cut(self.uploads, *arguments).uploads]

    @given(KEYS, PREFIXES, DELIMITERS, st.integers(1, 5), st.integers(1, 3))
    def test_pages_are_the_whole(self, keys: list[str], prefix: str, delimiter: str, size: int, copies: int) -> None:
        uploads = [upload(key, f"{key}-{9 - number}", number) for key in sorted(keys) for number in range(copies)]
        expected: list[tuple[str, str]] = []
        for entry in naive(keys, prefix, delimiter):
            ids = [item.id for item in uploads if item.key == entry]
            alone = entry in keys and not (delimiter and delimiter in entry[len(prefix) :])
            expected += [(entry, id) for id in ids] if alone else [(entry, "")]
        shown: list[tuple[str, str]] = []
        marker = ("", "")
        while True:
            page = cut(uploads, prefix, delimiter, *marker, size)
            found = [(item.key, item.id) for item in page.uploads] + [(group, "") for group in page.common_prefixes]
            shown += sorted(found, key=lambda pair: pair[0])
            marker = (page.next_key_marker, page.next_upload_id_marker)
            if not page.is_truncated:
                break
            self.assertEqual(len(found), size)
        self.assertEqual(shown, expected)

    def test_markers(self) -> None:
        self.assertEqual(self.ids("", "", "", "", 10), ["3", "1", "2", "5", "4"])
        self.assertEqual(self.ids("", "", "a", "", 10), ["5", "4"])
        self.assertEqual(self.ids("", "", "a", "1", 10), ["2", "5", "4"])
        self.assertEqual(self.ids("", "", "", "1", 10), ["3", "1", "2", "5", "4"])
        self.assertEqual(self.ids("b", "", "a", "1", 10), ["5", "4"])
        self.assertEqual(self.ids("", "/", "b/x", "5", 10), [])

    def test_a_marker_that_was_aborted_loses_nothing(self) -> None:
        self.assertEqual(self.ids("", "", "a", "gone", 10), ["3", "1", "2", "5", "4"])

    def test_a_marker_of_another_key(self) -> None:
        error = self.assertRaises(S3Error, cut, self.uploads, "", "", "a", "5", 10)
        self.assertEqual((error.code, error.message), ("InvalidArgument", "Invalid uploadId marker"))

    def test_no_more_are_kept_than_the_page_takes(self) -> None:
        gone: list[object] = []
        known: list[ref[Upload]] = []
        most = 0

        def many() -> Iterator[Upload]:
            nonlocal most
            for number in Random(1).sample(range(5000), 5000):
                made = _Watched(**structs.asdict(upload(f"{number:04}/{number % 7}", "id")))
                known.append(ref(made, gone.append))
                most = max(most, len(known) - len(gone))
                yield made

        page = uploads_page(many(), "", "", "", "", 10)
        self.assertEqual([item.key[:4] for item in page.uploads], [f"{number:04}" for number in range(10)])
        self.assertTrue(page.is_truncated)
        self.assertLess(most, 40)
        page = uploads_page(many(), "", "/", "0002/", "", 3)
        self.assertEqual((page.uploads, page.common_prefixes), ((), ("0003/", "0004/", "0005/")))

    def test_none_asked_for(self) -> None:
        page = cut(self.uploads, "", "", "", "", 0)
        self.assertEqual((page.uploads, page.is_truncated), ((), False))

    def test_groups(self) -> None:
        page = cut(self.uploads, "", "/", "a", "", 1)
        self.assertEqual((page.uploads, page.common_prefixes, page.is_truncated), ((), ("b/",), False))
        self.assertEqual((page.next_key_marker, page.next_upload_id_marker), ("b/", ""))


class PartsTests(SynchronousTestCase):
    parts = tuple(Part(number, 1, "e") for number in (1, 2, 5, 10000))

    def check(self, marker: int, size: int, numbers: list[int], truncated: bool, following: int) -> None:
        page = parts_page(self.parts, marker, size)
        found = ([part.number for part in page.parts], page.is_truncated, page.next_marker)
        self.assertEqual(found, (numbers, truncated, following))

    def test_pages(self) -> None:
        self.check(0, 1000, [1, 2, 5, 10000], False, 10000)
        self.check(0, 2, [1, 2], True, 2)
        self.check(2, 2, [5, 10000], False, 10000)
        self.check(3, 1, [5], True, 5)
        self.check(10000, 5, [], False, 0)
        self.check(0, 0, [], False, 0)


class BucketsTests(SynchronousTestCase):
    buckets = tuple(Bucket(name, 0.0) for name in ("aaa", "aab", "abc", "bbb"))

    def test_pages(self) -> None:
        names: list[str] = []
        token: str | None = ""
        while token is not None:
            page = buckets_page(self.buckets, "a", token, 2)
            names += [bucket.name for bucket in page.buckets]
            token = page.continuation_token
        self.assertEqual(names, ["aaa", "aab", "abc"])
        self.assertIsNone(buckets_page(self.buckets, "", None, 4).continuation_token)

    def test_refused(self) -> None:
        self.assertRaises(S3Error, buckets_page, self.buckets, "", "aab", 2)


class ParameterTests(SynchronousTestCase):
    def test_sizes(self) -> None:
        for value, size in ((None, 1000), ("", 1000), ("0", 0), ("7", 7), ("5000", 1000), ("2147483647", 1000)):
            self.assertEqual(page_size("max-keys", value), size)
        self.assertEqual(page_size("max-buckets", None, 10_000, 1), 10_000)

    def test_refused_sizes(self) -> None:
        integer = "Provided max-keys not an integer or within integer range"
        for value in ("a", "1.5", " 1", "2147483648", "9" * 5000, "²", "1\n"):
            error = self.assertRaises(S3Error, page_size, "max-keys", value)
            self.assertEqual((error.code, error.message), ("InvalidArgument", integer))
            self.assertEqual(error.elements, {"ArgumentName": "max-keys", "ArgumentValue": value})
        error = self.assertRaises(S3Error, page_size, "max-keys", "-1")
        self.assertEqual(error.message, "Argument max-keys must be an integer between 0 and 2147483647")
        error = self.assertRaises(S3Error, page_size, "max-buckets", "0", 10_000, 1)
        self.assertEqual(error.message, "Argument max-buckets must be an integer between 1 and 10000")

    def test_encoding_type(self) -> None:
        self.assertTrue(wants_url_encoding("url"))
        self.assertFalse(wants_url_encoding(None))
        for value in ("", "URL", "base64"):
            self.assertEqual(self.assertRaises(S3Error, wants_url_encoding, value).code, "InvalidArgument")
