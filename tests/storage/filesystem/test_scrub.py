"""Bits are flipped in everything that is stored, and each is found; what people do to files is not damage."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from msgspec import structs
from twisted.trial.unittest import TestCase

from tests.storage.filesystem.disks import NoAttributesDisk, ObservedDisk
from tests.storage.filesystem.kit import FilesystemKit
from tests.storage.kit import BUCKET, OTHER, pattern
from twisted_s3.errors import S3Error
from twisted_s3.model import ENABLED, Properties
from twisted_s3.storage.filesystem.disk import IDisk
from twisted_s3.storage.filesystem.record import _with_checksum
from twisted_s3.storage.filesystem.scrub import Position, Step

RECORD = "user.s3store"
BIG = Properties(user={"big": "x" * 20_000})


def flip(path: Path, offset: int = 0) -> None:
    """Change one bit of a file, as a disk would: nothing else tells of it."""
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


class ScrubKit(FilesystemKit):
    def walk(self, deep: bool = True, start: Position = Position()) -> Sequence[Step]:
        """All steps of a walk."""
        return list(self.store.integrity.scrub.walk(deep, start))

    def findings(self, deep: bool = True) -> list[tuple[str, str, str]]:
        """What is found: kind, key and problem."""
        found = [step.finding for step in self.walk(deep) if step.finding is not None]
        return [(finding.kind, finding.key, finding.problem.value) for finding in found]

    def state(self, pattern: str) -> Path:
        """The only file of ours that matches."""
        (found,) = (path for path in (self.root / ".s3store").glob(pattern) if path.is_file())
        return found

    async def enable_versions(self) -> None:
        await self.store.change_bucket(BUCKET, partial(structs.replace, versioning=ENABLED))


class BitTests(ScrubKit, TestCase):
    """One bit, anywhere."""

    async def test_sound(self) -> None:
        for key in ("a", "a/b", "a//b", "x" * 300, "ü"):
            await self.put(key, pattern(100_000), properties=BIG)
        upload = await self.begin()
        await self.put_part(upload, 1, pattern(1000))
        await self.put_part(upload, 1, pattern(2000))
        self.assertEqual((self.findings(), self.findings(deep=False)), ([], []))
        steps = self.walk()
        # Five objects, two records of buckets, an upload and its part.
        self.assertEqual(sum(step.files for step in steps), 9)
        self.assertEqual(sum(step.read for step in steps), 5 * 100_000 + 2000)

    async def test_bytes_of_an_object(self) -> None:
        for key in ("plain", "over//flow"):
            await self.put(key, pattern(3 << 20))
        flip(self.path("plain"), (2 << 20) + 12345)
        flip(self.state("buckets/bucket/overflow/*"))
        self.assertEqual(self.findings(), [("object", "over//flow", "bytes"), ("object", "plain", "bytes")])
        self.assertEqual(self.findings(deep=False), [])

    async def test_bytes_of_a_composite_object(self) -> None:
        upload = await self.begin()
        parts = [await self.put_part(upload, n, pattern(5 << 18, n)) for n in (1, 2, 3)]
        await self.complete(upload, parts)
        flip(self.path("big"), 3 << 19)
        self.assertEqual(self.findings(), [("object", "big", "bytes")])

    async def test_bytes_of_a_version(self) -> None:
        await self.enable_versions()
        await self.put("x", b"first")
        await self.put("x", b"second")
        await self.store.delete_object(BUCKET, "x")
        entries = [path for path in (self.root / ".s3store/buckets/bucket/versions").rglob("*") if path.is_file()]
        (first,) = (path for path in entries if path.read_bytes() == b"first")
        flip(first)
        self.assertEqual(self.findings(), [("version", "x", "bytes")])
        self.assertEqual(len(entries), 3)

    async def test_bytes_of_parts(self) -> None:
        upload = await self.begin()
        for number in (1, 2):
            await self.put_part(upload, number, pattern(100_000, number))
        await self.put_part(upload, 2, pattern(100_000, 3))
        flip(self.state("buckets/bucket/uploads/*/grids/*"), 99_999)
        flip(self.state("buckets/bucket/uploads/*/apart/*"), 5)
        self.assertEqual(self.findings(), [("part", "big", "bytes")] * 2)

    async def test_every_bit_of_a_record(self) -> None:
        """In an attribute: each byte in turn."""
        await self.put("x", b"1", properties=Properties(user={"a": "b"}))
        sound = os.getxattr(self.path("x"), RECORD)
        for at in range(len(sound)):
            os.setxattr(self.path("x"), RECORD, sound[:at] + bytes([sound[at] ^ 2]) + sound[at + 1 :])
            self.assertEqual(self.findings(deep=False), [("object", "x", "metadata")], sound[:at])

    async def test_other_records(self) -> None:
        """Beside the object, of a bucket, of an upload, of a part: in the middle of what JSON takes for text."""
        await self.put("x", b"1", properties=BIG)
        upload = await self.begin()
        await self.put_part(upload, 1, b"1")
        flip(self.state("records/*/*"), 5000)
        flip(self.state("buckets/bucket/bucket.json"), 30)
        flip(self.state("buckets/bucket/uploads/*/upload.json"), 20)
        flip(self.state("buckets/bucket/uploads/*/parts/1"), 20)
        expected = [("bucket", "", "metadata"), ("object", "x", "metadata")]
        expected += [("upload", "", "metadata"), ("part", "", "metadata")]
        self.assertEqual(self.findings(deep=False), expected)

    async def test_a_lost_record(self) -> None:
        await self.put("x", b"1", properties=BIG)
        self.state("records/*/*").unlink()
        self.assertEqual(self.findings(deep=False), [("object", "x", "metadata")])

    async def test_a_size(self) -> None:
        """Cut short without a new time, as a crash of the filesystem may do it."""
        await self.put("x", b"12345")
        upload = await self.begin()
        await self.put_part(upload, 1, b"12345")
        for path in (self.path("x"), self.state("buckets/bucket/uploads/*/grids/*")):
            before = path.stat()
            os.truncate(path, 3)
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        self.assertEqual(self.findings(deep=False), [("object", "x", "size"), ("part", "big", "size")])


class ByHandTests(ScrubKit, TestCase):
    """What people do."""

    async def test_edited_and_put_by_hand(self) -> None:
        for key in ("edited", "appended", "replaced", "removed", "moved"):
            await self.put(key, b"12345")
        flip(self.path("edited"))
        os.utime(self.path("edited"), (1e9, 1e9))
        with self.path("appended").open("ab") as file:
            file.write(b"6")
            file.flush()
            os.utime(file.fileno(), (1e9, 1e9))
        self.path("new").write_bytes(b"abcde")
        os.utime(self.path("new"), (1e9, 1e9))
        self.path("new").rename(self.path("replaced"))
        self.path("removed").unlink()
        self.path("moved").rename(self.root / OTHER / "elsewhere")
        self.path("link").symlink_to("edited")
        os.mkfifo(self.path("fifo"))
        self.assertEqual(sum(step.unrecorded for step in self.walk(deep=False)), 3)
        self.assertEqual(self.findings(), [])
        # The deep look has given them records, so that the next one finds what happens to them.
        self.assertEqual(sum(step.unrecorded for step in self.walk()), 0)
        flip(self.path("appended"))
        self.assertEqual(self.findings(), [("object", "appended", "bytes")])

    async def test_resumed(self) -> None:
        """From every position the rest is looked at, and nothing before it."""
        await self.enable_versions()
        for key in ("a/b", "a.b", "a//", "c", "c/d"):
            await self.put(key, b"1")
            await self.put(key, b"2")
        await self.put("x", b"1", bucket=OTHER)
        upload = await self.begin()
        await self.put_part(upload, 1, b"1")
        steps = [step for step in self.walk() if step.files]
        self.assertEqual(len(steps), 5 + 5 + 1 + 2 + 2)
        for at, step in enumerate(steps):
            rest = [other.position for other in self.walk(start=step.position) if other.files]
            self.assertEqual(rest[-(len(steps) - at) :], [other.position for other in steps[at:]])
            self.assertLessEqual(len(rest), len(steps) - at + 1)

    async def test_quarantine(self) -> None:
        """It takes the damaged file, and that one only."""
        await self.put("a/x", b"damaged", properties=BIG)
        await self.put("a/y", b"sound")
        flip(self.path("a/x"))
        (finding,) = (step.finding for step in self.walk() if step.finding is not None)
        await self.put("a/z", b"other")
        taken = self.store.integrity.quarantine.take(finding)
        assert taken is not None
        self.assertEqual(await self.keys(), ["a/y", "a/z"])
        self.assertEqual((self.root / os.fsdecode(taken) / "data").read_bytes()[1:], b"amaged")
        self.assertIn('"key": "a/x"', (self.root / os.fsdecode(taken) / "finding.json").read_text())
        await self.put("a/x", b"new")
        self.assertIsNone(self.store.integrity.quarantine.take(finding))
        self.assertEqual((await self.get("a/x"), self.findings()), (b"new", []))

    async def test_quarantine_leaves_what_was_mended_in_place(self) -> None:
        """It is the same inode, with the bytes and the times that it had before."""
        await self.put("x", b"damaged")
        flip(self.path("x"))
        (finding,) = (step.finding for step in self.walk() if step.finding is not None)
        flip(self.path("x"))
        self.assertIsNone(self.store.integrity.quarantine.take(finding))
        self.assertEqual((await self.get("x"), self.findings()), (b"damaged", []))

    async def test_quarantine_leaves_what_was_replaced(self) -> None:
        await self.put("x", b"damaged")
        flip(self.path("x"))
        (finding,) = (step.finding for step in self.walk() if step.finding is not None)
        await self.put("x", b"mended")
        self.assertIsNone(self.store.integrity.quarantine.take(finding))
        self.assertEqual(await self.get("x"), b"mended")


class UnreadableTests(ScrubKit, TestCase):
    """A disk that fails."""

    failing: frozenset[tuple[str, tuple[Any, ...]]] = frozenset()

    def wrap(self, disk: IDisk) -> IDisk:
        return ObservedDisk(disk, self.watch)

    def watch(self, name: str, args: tuple[Any, ...]) -> None:
        if (name, args[:1]) in self.failing:
            raise OSError(errno.EIO, "broken")

    async def test_what_can_not_be_read(self) -> None:
        """It is found, and the walk goes on behind it."""
        for key in ("a/x", "b", "c"):
            await self.put(key, b"1")
        self.failing = frozenset({("open", (b"bucket/b",))})
        self.assertEqual(self.findings(deep=False), [("object", "b", "unreadable")])
        self.failing = frozenset({("scan", (b"bucket/a",))})
        self.assertEqual(self.findings(deep=False), [("section", "", "unreadable")])


class NoAttributesTests(ScrubKit, TestCase):
    """Where records go by the number of the inode."""

    def wrap(self, disk: IDisk) -> IDisk:
        return NoAttributesDisk(disk)

    async def test_bytes_and_records(self) -> None:
        for key in ("x", "y"):
            await self.put(key, b"12345")
        self.assertEqual(self.findings(), [])
        flip(self.path("x"))
        flip(self.state(f"records/inodes-*/{self.path('y').stat().st_ino}"), 20)
        self.assertEqual(self.findings(), [("object", "x", "bytes"), ("object", "y", "metadata")])


class KeptRecordTests(ScrubKit, TestCase):
    """What is damaged stays as it is, to be found and perhaps mended; what is old is not damaged."""

    def settle(self, key: str) -> None:
        """Make a file look as if it had been written long ago, its record included."""
        record = json.loads(os.getxattr(self.path(key), RECORD))
        del record["z"]
        record["s"][1] = 10**18
        os.setxattr(self.path(key), RECORD, _with_checksum(json.dumps(record).encode()))
        os.utime(self.path(key), ns=(10**18, 10**18))

    async def test_reads_keep_a_damaged_record(self) -> None:
        await self.put("k", b"1", properties=Properties(user={"a": "b"}))
        self.settle("k")
        sound = os.getxattr(self.path("k"), RECORD)
        damaged = sound.replace(b"{", b"[", 1)
        os.setxattr(self.path("k"), RECORD, damaged)
        self.assertEqual((await self.store.head_object(BUCKET, "k")).properties.user, {})
        self.assertEqual(os.getxattr(self.path("k"), RECORD), damaged)
        self.assertEqual(self.findings(), [("object", "k", "metadata")])
        os.setxattr(self.path("k"), RECORD, sound)
        self.assertEqual((await self.store.head_object(BUCKET, "k")).properties.user, {"a": "b"})

    async def test_reads_keep_a_damaged_side_file(self) -> None:
        await self.put("k", b"1", properties=BIG)
        self.settle("k")
        pointer = os.getxattr(self.path("k"), RECORD)
        flip(self.state("records/*/*"), 3)
        await self.store.head_object(BUCKET, "k")
        self.assertEqual(os.getxattr(self.path("k"), RECORD), pointer)
        self.assertEqual(self.findings(), [("object", "k", "metadata")])

    async def test_changes_keep_a_damaged_record(self) -> None:
        """Also one that can be read: with a new checksum it would be taken for sound."""
        await self.put("k", b"1", properties=Properties(user={"a": "b"}))
        damaged = os.getxattr(self.path("k"), RECORD).replace(b'"a":"b"', b'"a":"c"')
        os.setxattr(self.path("k"), RECORD, damaged)
        with self.assertRaises(S3Error) as caught:
            await self.store.change_object(BUCKET, "k", lambda version: version)
        self.assertEqual(caught.exception.code, "InternalError")
        self.assertEqual(os.getxattr(self.path("k"), RECORD), damaged)

    async def test_older_records(self) -> None:
        """Records from before there were checksums are sound, and are read."""
        for key in ("k", "side"):
            await self.put(key, b"1", properties=BIG if key == "side" else Properties(user={"a": "b", "z": "c"}))
        upload = await self.begin()
        await self.put_part(upload, 1, pattern(1000))
        state = self.root / ".s3store"
        documents = [path for name in ("record.json", "upload.json", "parts/1") for path in state.rglob(name)]
        for path in [*documents, self.state("records/*/*")]:
            path.write_bytes(self.older(path.read_bytes()))
        for key in ("k", "side"):
            os.setxattr(self.path(key), RECORD, self.older(os.getxattr(self.path(key), RECORD)))
        self.assertEqual(self.findings(), [])
        self.assertEqual((await self.store.head_object(BUCKET, "k")).properties.user, {"a": "b", "z": "c"})

    def older(self, raw: bytes) -> bytes:
        """A record without what came with checksums."""
        document = {name: value for name, value in json.loads(raw).items() if name not in ("z", "f", "length")}
        return json.dumps(document, separators=(",", ":")).encode()
