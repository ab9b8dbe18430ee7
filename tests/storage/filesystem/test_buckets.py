"""The record of a bucket: kept in memory, never trusted without a look; written durably in one step."""

from __future__ import annotations

import contextlib
import os
import time

from twisted.trial.unittest import TestCase

from tests.storage.filesystem.disks import ObservedDisk, Script
from tests.storage.filesystem.kit import FilesystemKit
from tests.storage.kit import BUCKET
from twisted_s3.errors import S3Error
from twisted_s3.storage.filesystem.disk import IDisk
from twisted_s3.storage.filesystem.store import FilesystemStore

RECORD = b".s3store/buckets/bucket/bucket.json"


class DeepTests(FilesystemKit, TestCase):
    """Keys as deep as keys can be."""

    async def test_delete(self) -> None:
        key = "a/" * 511 + "b"
        await self.put(key, b"1")
        await self.refused("BucketNotEmpty", self.store.delete_bucket(BUCKET))
        self.path(key).unlink()
        await self.store.delete_bucket(BUCKET)
        self.assertFalse((self.root / BUCKET).exists())

    async def test_trash(self) -> None:
        folder = str(self.root / ".s3store/staging")
        for _ in range(1200):
            folder += "/a"
            os.mkdir(folder)
        await self.store.clean()
        self.assertEqual(os.listdir(self.root / ".s3store/staging"), [])


class RecordTests(FilesystemKit, TestCase):
    """Records through the eyes of the disk."""

    durable = True

    def make_store(self) -> FilesystemStore:
        self.script = Script()
        return super().make_store()

    def wrap(self, disk: IDisk) -> IDisk:
        return ObservedDisk(disk, self.script)  # type: ignore[return-value]

    async def test_another_process_s_change_is_seen_at_once(self) -> None:
        other = self.another_store()
        await other.start()
        self.addCleanup(other.stop)
        for number in range(50):
            document = b"%d" % number
            await other.put_configuration(BUCKET, "policy", document)
            self.assertEqual(await self.store.get_configuration(BUCKET, "policy"), document)
            # The same again, from what is kept.
            self.assertEqual(await other.get_configuration(BUCKET, "policy"), document)

    async def test_what_is_kept_is_held_against_the_file(self) -> None:
        await self.store.put_configuration(BUCKET, "policy", b"1")
        # The record must be older than the clock's tick before it is kept.
        self.store._buckets._now = lambda: time.time() + 10
        await self.store.get_bucket(BUCKET)
        self.script.reset()
        self.assertEqual(await self.store.get_configuration(BUCKET, "policy"), b"1")
        self.assertEqual([name for name, _ in self.script.calls], ["stat", "stat"])
        path = self.root / os.fsdecode(RECORD)
        path.write_bytes(path.read_bytes().replace(b'"policy":"1"', b'"policy":"2"'))
        self.assertEqual(await self.store.get_configuration(BUCKET, "policy"), b"2")
        path.unlink()
        self.assertIsNone(await self.store.get_configuration(BUCKET, "policy"))

    async def test_order(self) -> None:
        self.script.reset()
        await self.store.put_configuration(BUCKET, "policy", b"1")
        steps = {"write", "fsync", "publish", "fsync_directory"}
        calls = [(name, args) for name, args in self.script.calls if name in steps]
        self.assertEqual([name for name, _ in calls], ["write", "fsync", "publish", "fsync_directory"])
        self.assertEqual((calls[2][1][1], calls[3][1][0]), (RECORD, RECORD.rpartition(b"/")[0]))

    async def test_a_failure_changes_nothing(self) -> None:
        # So that the record is read each time, and the steps are the same ones.
        self.store._buckets._now = lambda: 0.0
        await self.store.put_configuration(BUCKET, "policy", b"old")
        failed = []
        for step in range(100):
            self.script.reset(fail_at=step)
            with contextlib.suppress(S3Error):
                await self.store.put_configuration(BUCKET, "policy", b"new")
            failed.append(self.script.failed)
            self.script.reset()
            found = await self.store.get_configuration(BUCKET, "policy")
            self.assertEqual(found, b"old" if failed[-1] not in ("fsync_directory", "anchor", "") else b"new")
            self.assertEqual(self.files(".s3store/staging"), [])
            await self.store.put_configuration(BUCKET, "policy", b"old")
            if not failed[-1]:
                break
        self.assertLessEqual({"lock", "write", "fsync", "publish", "fsync_directory"}, set(failed))

    async def test_a_folder_made_by_hand(self) -> None:
        (self.root / "by-hand").mkdir()
        before = await self.store.get_bucket("by-hand")
        await self.store.put_configuration("by-hand", "policy", b"1")
        after = await self.store.get_bucket("by-hand")
        self.assertEqual((after.created, after.owner, after.configurations), (before.created, "", {"policy": b"1"}))
