"""Whatever a crash or a person leaves is found; a dry run changes nothing, and a repair nothing that counts."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from msgspec import structs
from twisted.trial.unittest import TestCase

from tests.storage.filesystem.disks import NoAttributesDisk
from tests.storage.filesystem.kit import FilesystemKit
from tests.storage.kit import BUCKET, pattern
from twisted_s3.interfaces import VersionWalk
from twisted_s3.model import ENABLED, ListedVersion, Properties
from twisted_s3.storage.filesystem.disk import IDisk
from twisted_s3.storage.filesystem.leftovers import Leftover

BIG = Properties(user={"big": "x" * 20_000})
LONG_AGO = time.time() - 10 * 86400


def age(path: Path) -> None:
    """Make a file look old."""
    os.utime(path, (LONG_AGO, LONG_AGO))


class FsckKit(FilesystemKit):
    def fsck(self, repair: bool = False) -> list[Leftover]:
        """What is found."""
        return list(self.store.integrity.fsck.find(repair))

    def everything(self) -> Mapping[str, int]:
        """All files and directories, with their inodes; locks excepted."""
        paths = (path for path in self.root.rglob("*") if ".s3store/locks" not in str(path))
        return {str(path.relative_to(self.root)): path.stat().st_ino for path in paths}

    def assert_repaired(self, *kinds: str, rest: tuple[str, ...] = ()) -> None:
        """These are found, in any order; a dry run leaves everything, and after a repair only ``rest`` is found."""
        before = self.everything()
        found = self.fsck()
        self.assertEqual(sorted(one.kind for one in found), sorted((*kinds, *rest)))
        self.assertFalse(any(one.removed for one in found))
        self.assertEqual(self.everything(), before)
        removed = [one for one in self.fsck(repair=True) if one.removed]
        self.assertEqual(sorted(one.kind for one in removed), sorted(kinds))
        for one in removed:
            self.assertFalse((self.root / os.fsdecode(one.path)).exists(), one)
        self.assertEqual([one.kind for one in self.fsck()], list(rest))

    async def enable_versions(self) -> None:
        await self.store.change_bucket(BUCKET, partial(structs.replace, versioning=ENABLED))

    def state(self, pattern: str) -> list[Path]:
        """Files of ours."""
        return sorted(path for path in (self.root / ".s3store").glob(pattern) if path.is_file())


class LeftoverTests(FsckKit, TestCase):
    async def fill(self) -> None:
        """All sorts of things that must stay."""
        await self.enable_versions()
        for key in ("a", "a/b", "a//b", "x" * 300):
            for body in (b"1", b"2"):
                await self.put(key, body, properties=BIG)
        await self.store.delete_object(BUCKET, "a/b")
        await self.put("restored", b"1", properties=BIG)
        await self.put("restored", b"2", properties=BIG)
        newest = await self.store.head_object(BUCKET, "restored")
        await self.store.delete_object(BUCKET, "restored", version_id=newest.version_id)
        await self.put("hand", b"1", properties=BIG)
        shutil.copy2(self.path("hand"), self.path("copied"))
        upload = await self.begin()
        await self.put_part(upload, 1, pattern(1000))
        await self.put_part(upload, 1, pattern(2000))
        for record in self.state("records/*/*"):
            age(record)

    async def test_nothing(self) -> None:
        await self.fill()
        before = self.everything()
        self.assertEqual((self.fsck(), self.fsck(repair=True)), ([], []))
        self.assertEqual(self.everything(), before)

    async def test_staging(self) -> None:
        """What is locked is somebody's."""
        staging = self.root / ".s3store/staging"
        (staging / "left").write_bytes(b"1")
        (staging / "trash/a/b").mkdir(parents=True)
        await self.fill()
        live = self.store._disk.create_temporary(b".s3store/staging")
        self.store._disk.publish(live, b".s3store/staging/live", replace=False)
        self.store._disk.lock(live.descriptor, exclusive=True, wait=False)
        self.addCleanup(self.store._disk.close, live.descriptor)
        self.assert_repaired("staging", "staging")
        self.assertEqual(os.listdir(staging), ["live"])

    async def test_side_files(self) -> None:
        await self.fill()
        await self.put("gone", b"1", properties=BIG)
        self.path("gone").unlink()
        known = set(self.state("records/*/*"))
        # Written a moment ago, it may be of an object that is about to be put.
        self.assertEqual(self.fsck(), [])
        for record in known:
            age(record)
        self.assert_repaired("metadata")
        self.assertEqual(len(known - set(self.state("records/*/*"))), 1)

    async def test_the_side_file_of_a_damaged_record(self) -> None:
        """It may be anybody's, so it stays, and with it the metadata if the record is mended."""
        await self.put("x", b"1", properties=BIG)
        await self.put("y", b"1", properties=BIG)
        for record in self.state("records/*/*"):
            age(record)
        sound = os.getxattr(self.path("x"), "user.s3store")
        for at in range(len(sound)):
            os.setxattr(self.path("x"), "user.s3store", sound[:at] + bytes([sound[at] ^ 1]) + sound[at + 1 :])
            self.assert_repaired(rest=("unreadable",))
        os.setxattr(self.path("x"), "user.s3store", sound)
        self.assert_repaired()
        self.assertEqual((await self.store.head_object(BUCKET, "x")).properties, BIG)

    async def test_a_side_file_in_quarantine(self) -> None:
        await self.put("x", b"1", properties=BIG)
        (self.root / ".s3store/quarantine/q").mkdir(parents=True)
        self.path("x").rename(self.root / ".s3store/quarantine/q/data")
        age(*self.state("records/*/*"))
        self.assertEqual(self.fsck(), [])

    async def hide(self) -> None:
        """An object in the overflow, and a file put by hand before it."""
        await self.put("z/y", b"1")
        await self.put("z", b"in the overflow", properties=BIG)
        self.path("z/y").unlink()
        self.path("z").rmdir()
        self.path("z").write_bytes(b"by hand")

    async def test_hidden_in_the_overflow(self) -> None:
        await self.hide()
        before = len(self.state("records/*/*"))
        self.assert_repaired("overflow")
        self.assertEqual(await self.get("z"), b"by hand")
        self.assertEqual(len(self.state("records/*/*")), before - 1)

    async def test_hidden_in_the_overflow_of_a_bucket_that_keeps_versions(self) -> None:
        """It may be locked, so it becomes a version: nothing that was one is destroyed."""
        await self.fill()
        await self.hide()
        before = len(self.state("records/*/*"))
        self.assert_repaired("overflow")
        self.assertEqual(await self.get("z"), b"by hand")
        self.assertEqual(len(self.state("records/*/*")), before)

        def page(walk: VersionWalk) -> list[ListedVersion]:
            return list(walk.versions("z"))

        _, listed = await self.store.list_versions(BUCKET, page)
        self.assertEqual((listed.version.size, listed.version.properties), (15, BIG))

    async def test_versions(self) -> None:
        await self.fill()
        await self.put("v", b"1", properties=BIG)
        await self.put("v", b"2", properties=BIG)
        folder = self.state("buckets/bucket/versions/76+/*")[0].parent
        # A crash right after the current version got its second name.
        os.link(self.path("v"), folder / ("0" * 31 + "1"))
        # A crash right before the key lost its file.
        (folder / ("0" * 32 + ".deleted")).write_bytes(b"")
        (folder / "stranger").write_bytes(b"")
        self.assert_repaired("twice", "marker", rest=("stranger",))
        self.assertEqual(await self.get("v"), b"2")
        self.assertEqual((await self.store.head_object(BUCKET, "v")).properties, BIG)
        self.assertEqual(len(list(folder.iterdir())), 2)

    async def test_uploads(self) -> None:
        await self.fill()
        (folder,) = (self.root / ".s3store/buckets/bucket/uploads").iterdir()
        (folder / "apart" / ("0" * 32)).write_bytes(b"never committed")
        (folder.parent / ("f" * 48)).mkdir()
        self.assert_repaired("part", "upload")
        upload = (await self.store.list_uploads(BUCKET))[0]
        self.assertEqual([part.size for part in await self.parts(upload)], [2000])
        # A crash right after an object got its key.
        (record,) = self.state("buckets/bucket/uploads/*/apart/*")
        record.unlink()
        self.assert_repaired(rest=("record",))

    async def test_a_part_with_a_damaged_record(self) -> None:
        """Its bytes stay: nothing else tells whose they are."""
        upload = await self.begin()
        await self.put_part(upload, 1, pattern(1000))
        await self.put_part(upload, 1, pattern(2000))
        (record,) = self.state("buckets/bucket/uploads/*/parts/1")
        sound = record.read_bytes()
        record.write_bytes(b"[" + sound[1:])
        self.assert_repaired()
        record.write_bytes(sound)
        await self.complete(upload, await self.parts(upload))
        self.assertEqual(await self.get("big"), pattern(2000))

    async def test_directories_and_buckets(self) -> None:
        await self.fill()
        (self.path("made/by/hand")).mkdir(parents=True)
        (self.root / ".s3store/buckets/bucket/overflow/aa+/bb").mkdir(parents=True)
        (self.root / ".s3store/buckets/gone").mkdir()
        (self.root / ".s3store/buckets/gone/bucket.json").write_bytes(b"{}")
        self.assert_repaired("directory", "directory", "bucket")
        self.assertFalse(self.path("made").exists())
        self.assertTrue(self.path("a").parent.exists())


class NoAttributesTests(FsckKit, TestCase):
    """Where side files go by the number of the inode."""

    def wrap(self, disk: IDisk) -> IDisk:
        return NoAttributesDisk(disk)

    async def test_side_files(self) -> None:
        for key in ("x", "y", "a//b"):
            await self.put(key, b"1")
        kept = [self.path("y").stat().st_ino]
        # Its number must not become another's.
        self.path("x").rename(self.root / ".s3store/x")
        for record in self.state("records/*/*"):
            age(record)
        self.assert_repaired("metadata")
        self.assertIn(str(kept[0]), [record.name for record in self.state("records/*/*")])
        self.assertEqual(len(self.state("records/*/*")), 2)


class MovingTests(FsckKit, TestCase):
    """Whoever moves an object with a side file says so first: a walk that misses it leaves the side file alone."""

    async def assert_held(self, move: object) -> None:
        for record in self.state("records/*/*"):
            self.assertGreater(record.stat().st_mtime, LONG_AGO + 86400, move)
            age(record)

    async def test_moves(self) -> None:
        await self.put("x", b"1", properties=BIG)
        age(*self.state("records/*/*"))
        await self.store.rename_object(BUCKET, "x", "y")
        await self.assert_held("renamed")
        await self.enable_versions()
        await self.put("y", b"2")
        await self.assert_held("kept as a version")
        newest = await self.store.head_object(BUCKET, "y")
        await self.store.delete_object(BUCKET, "y", version_id=newest.version_id)
        await self.assert_held("brought back")
        self.assertEqual((await self.store.head_object(BUCKET, "y")).properties, BIG)
