"""The documents of the store: there and back, and whatever bytes in their place."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_s3.model import COMPOSITE, ENABLED, FULL_OBJECT, Bucket, Grant, ObjectVersion, Part, Properties, Upload
from twisted_s3.storage.filesystem import record

STAMP = record.Stamp(3, 1_700_000_000_123_456_789, 42)
TEXT = st.text(max_size=8)
MAPPING = st.dictionaries(TEXT, TEXT, max_size=3)
PROPERTIES = st.builds(
    Properties,
    headers=MAPPING,
    user=MAPPING,
    tags=MAPPING,
    storage_class=st.sampled_from(["STANDARD", "GLACIER"]),
    acl=st.none() | st.lists(st.builds(Grant, TEXT, TEXT), max_size=2).map(tuple),
)
TIMES = st.floats(0.5, 4e9)
PARTS = st.builds(
    Part, number=st.integers(1, 10_000), size=st.integers(0, 1 << 40), etag=TEXT, checksums=MAPPING, last_modified=TIMES
)
VERSIONS = st.builds(
    ObjectVersion,
    key=st.just("k"),
    size=st.just(STAMP.size),
    etag=TEXT.map("e".__add__),
    last_modified=st.just(STAMP.mtime_ns / 1e9),
    properties=PROPERTIES,
    checksums=MAPPING,
    checksum_type=st.sampled_from([COMPOSITE, FULL_OBJECT]),
    parts=st.lists(PARTS, max_size=3).map(tuple),
    upload_id=TEXT,
    owner=TEXT,
)
DOCUMENTS = st.recursive(
    st.none() | st.integers() | st.floats() | TEXT,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["v", "s", "e", "p", "h", "part", "side", "created", "key", "place"]), inner)
    ),
)


class RecordTests(SynchronousTestCase):
    """There and back."""

    @given(VERSIONS)
    def test_version(self, version: ObjectVersion) -> None:
        self.assertEqual(record.load_version(record.dump_version(version, STAMP), "k", STAMP), version)

    @given(VERSIONS)
    def test_stale(self, version: ObjectVersion) -> None:
        raw = record.dump_version(version, STAMP)
        for stamp in (record.Stamp(4, *_rest()), record.Stamp(3, 1, 42)):
            self.assertIsNone(record.load_version(raw, "k", stamp))

    def test_copied(self) -> None:
        """The record of a copy with the same time of change is still true."""
        raw = record.dump_version(ObjectVersion("k", 3, "e", STAMP.mtime_ns / 1e9), STAMP)
        self.assertIsInstance(record.load_version(raw, "k", record.Stamp(3, STAMP.mtime_ns, 43)), ObjectVersion)

    def test_pointer(self) -> None:
        side = "0123456789abcdef" * 2
        raw = record.dump_pointer(side, STAMP)
        self.assertEqual(record.load_version(raw, "k", STAMP), side)
        self.assertEqual(record.load_pointer(raw, 42), side)
        # It came with a copy: the side file is the original's.
        self.assertIsNone(record.load_pointer(raw, 43))
        for bad in ("../" + side, side[:-1], side.upper(), 5):
            raw = json.dumps({"v": 1, "s": [3, STAMP.mtime_ns, 42], "side": bad}).encode()
            self.assertIsNone(record.load_version(raw, "k", STAMP))
            self.assertIsNone(record.load_pointer(raw, 42))

    @given(TEXT, TEXT, TIMES)
    def test_bucket(self, owner: str, region: str, created: float) -> None:
        for bucket in (
            Bucket("name", created, owner, region),
            Bucket("name", created, owner, region, ENABLED, True, {owner: bytes(range(256)), "": b""}),
        ):
            self._assert_comes_back(bucket)

    def _assert_comes_back(self, bucket: Bucket) -> None:
        self.assertEqual(record.load_bucket(record.dump_bucket(bucket), "name"), bucket)

    @given(PROPERTIES, TIMES, TEXT)
    def test_upload(self, properties: Properties, initiated: float, text: str) -> None:
        upload = Upload("id", "key", initiated, properties, text, text, text)
        self.assertEqual(record.load_upload(record.dump_upload(upload), "id"), upload)

    @given(PARTS, st.integers(0, 1 << 50))
    def test_part(self, part: Part, offset: int) -> None:
        stored = record.StoredPart(part, "grids/1", offset, part.size)
        self.assertEqual(record.load_part(record.dump_part(stored)), stored)

    @given(st.binary(max_size=20) | DOCUMENTS.map(lambda document: json.dumps(document).encode()))
    def test_anything_else(self, raw: bytes) -> None:
        for load in (
            lambda: record.load_version(raw, "k", STAMP),
            lambda: record.load_pointer(raw, 42),
            lambda: record.load_bucket(raw, "name"),
            lambda: record.load_upload(raw, "id"),
            lambda: record.load_part(raw),
        ):
            load()

    def test_values_of_other_kinds(self) -> None:
        """A record with anything but text where text belongs is none, nor one that is too deep."""
        good = {"v": 1, "s": [STAMP.size, STAMP.mtime_ns, STAMP.inode], "e": "a"}
        self.assertIsNotNone(record.load_version(json.dumps(good).encode(), "k", STAMP))
        others: dict[str, object] = {"e": 1, "c": {"a": "b"}, "o": [], "i": 5, "y": {}, "k": {"CRC32": 1}}
        others |= {"h": {"Content-Type": 5}, "u": {"a": "\ud800"}, "t": {"a": None}, "p": [[1, 2, 3, 4, {}]]}
        for name, value in others.items():
            self.assertIsNone(record.load_version(json.dumps({**good, name: value}).encode(), "k", STAMP), name)
        self.assertIsNone(record.load_version(b"[" * 100_000, "k", STAMP))

    def test_a_usual_record_is_small(self) -> None:
        version = ObjectVersion(
            "k", 3, "0" * 32, 1.0, Properties({"Content-Type": "text/plain"}), {"CRC32": "AAAAAA=="}
        )
        self.assertLess(len(record.dump_version(version, STAMP)), 200)


def _rest() -> tuple[int, int]:
    return STAMP.mtime_ns, STAMP.inode
