"""The documents of the store: there and back, and whatever bytes in their place."""

from __future__ import annotations

import json
from unittest.mock import ANY

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from twisted.trial.unittest import SynchronousTestCase

from twisted_s3.model import (
    COMPOSITE,
    ENABLED,
    FULL_OBJECT,
    NULL_VERSION,
    UNLOCKED,
    Bucket,
    Encryption,
    Grant,
    ObjectLock,
    ObjectVersion,
    Part,
    Properties,
    Upload,
)
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
    version_id=st.sampled_from([NULL_VERSION, "0123456789abcdef" * 2]),
    lock=st.just(UNLOCKED) | st.builds(ObjectLock, TEXT.map("m".__add__), TIMES, st.none() | st.booleans()),
    at_rest=st.sampled_from(["", "0123456789abcdef"]),
    encryption=st.none() | st.builds(Encryption, TEXT, st.binary(), TEXT, TEXT, TEXT, st.booleans()),
)
DOCUMENTS = st.recursive(
    st.none() | st.integers() | st.floats() | TEXT,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["v", "s", "e", "p", "h", "part", "side", "created", "key", "place"]), inner)
    ),
)


_PART = Part(1, 3, "p", {"CRC32": "BBBBBB=="}, 5.5)
_SAID = Properties(
    {"Content-Type": "a/b"}, {"m": "\U0001f600"}, {"t": "\xe4"}, "GLACIER", (Grant("a", "READ"), Grant("b", "WRITE"))
)
_LOCK = ObjectLock("GOVERNANCE", 9.0, True)
_SEALED = Encryption("AES256", b"\0\xffw", "id", "nm", "ctx", True)
_SAID_RAW = (
    rb'"o":"o","l":["GOVERNANCE",9.0,true],"x":["AES256","id","AP93","nm","ctx",1],"h":{"Content-Type":"a/b"},'
    rb'"u":{"m":"\ud83d\ude00"},"t":{"t":"\u00e4"},"c":"GLACIER","a":{"g":[["a","READ"],["b","WRITE"]]}'
)


class FormTests(SynchronousTestCase):
    """The form of the records: what is on disks already, with escapes as they once were written."""

    def test_version(self) -> None:
        """All that one can have."""
        raw = (
            rb'{"v":1,"s":[3,1700000000123456789,42],"e":"e\u00e9","f":"0000000000000000","k":{"CRC32":"AAAAAA=="},'
            rb'"y":"COMPOSITE","p":[[1,3,"p",5.5,{"CRC32":"BBBBBB=="}]],"i":"u","n":"%b","b":7,%b,"z":0}'
        ) % (b"0123456789abcdef" * 2, _SAID_RAW)
        self.assertEqual(
            record.load_version(raw, "k", STAMP),
            ObjectVersion(
                key="k",
                size=7,
                etag="e\xe9",
                last_modified=STAMP.mtime_ns / 1e9,
                properties=_SAID,
                checksums={"CRC32": "AAAAAA=="},
                checksum_type=COMPOSITE,
                parts=(_PART,),
                upload_id="u",
                owner="o",
                version_id="0123456789abcdef" * 2,
                lock=_LOCK,
                at_rest="0" * 16,
                encryption=_SEALED,
            ),
        )

    def test_upload_and_part(self) -> None:
        """An upload with all that it can have, and a part of which another number of bytes is stored."""
        raw = (
            rb'{"v":1,"key":"k\u00e9","initiated":4.5,"algorithm":"CRC32","type":"COMPOSITE","before":"none",%b,"z":0}'
        )
        upload = Upload("id", "k\xe9", 4.5, _SAID, "o", "CRC32", "COMPOSITE", _LOCK, _SEALED, "none")
        self.assertEqual(record.load_upload(raw % _SAID_RAW, "id"), upload)
        raw = (
            b'{"v":1,"part":[1,3,"p",5.5,{"CRC32":"BBBBBB=="}],"place":"grids/3","offset":6,"length":5,'
            b'"f":"0000000000000000","z":0}'
        )
        self.assertEqual(record.load_part(raw), record.StoredPart(_PART, "grids/3", 6, 5, "0" * 16))

    def test_written(self) -> None:
        """What is at its default is left out."""
        version = ObjectVersion("k", 3, "e", 1.0, Properties(storage_class="".join(("STAN", "DARD"))), {"MD5": "m"})
        # Equal to the defaults, and not the same.
        made = structs.replace(
            version, version_id="".join(("nu", "ll")), checksum_type="".join(("FULL_", "OBJECT")), lock=ObjectLock()
        )
        raw = record.dump_version(made, STAMP)
        self.assertEqual(json.loads(raw), {"v": 1, "s": [3, STAMP.mtime_ns, 42], "e": "e", "k": {"MD5": "m"}, "z": ANY})
        self.assertTrue(record.is_whole(raw))
        self.assertFalse(record.is_whole(raw.replace(b'"e"', b'"f"')))

    def test_other_encodings(self) -> None:
        """A record is UTF-8 without a mark."""
        bucket = b'{"v":1,"created":4.5,"owner":"o"}'
        self.assertIsNotNone(record.load_bucket(bucket, "name"))
        for raw in (
            b"\xef\xbb\xbf" + bucket,
            bucket.decode().encode("utf-16"),
            bucket.replace(b'o"}', b'\xed\xa0\x80"}'),
        ):
            self.assertIsNone(record.load_bucket(raw, "name"))
            self.assertFalse(record.is_whole(raw))

    def test_text_of_a_type_of_its_own(self) -> None:
        """Applications have such names of users."""

        class Name(str):
            __slots__ = ()

            def __str__(self) -> str:
                return "***"

        version = ObjectVersion("k", 3, "e", STAMP.mtime_ns / 1e9, owner=Name("somebody"))
        self.assertEqual(record.load_version(record.dump_version(version, STAMP), "k", STAMP), version)
        strange = structs.replace(version, owner=object())
        self.assertRaises(TypeError, record.dump_version, strange, STAMP)


class RecordTests(SynchronousTestCase):
    """There and back."""

    @given(VERSIONS)
    def test_version(self, version: ObjectVersion) -> None:
        self.assertEqual(record.load_version(record.dump_version(version, STAMP), "k", STAMP), version)

    @given(VERSIONS)
    def test_stale(self, version: ObjectVersion) -> None:
        # What is encrypted is never stale.
        raw = record.dump_version(structs.replace(version, encryption=None), STAMP)
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
