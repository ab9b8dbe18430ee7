"""What a rename does on disk."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

from msgspec import structs
from twisted.trial.unittest import TestCase

from tests.storage.filesystem.disks import ObservedDisk
from tests.storage.filesystem.kit import FilesystemKit
from tests.storage.filesystem.test_contract import DiskWithoutAttributes
from tests.storage.kit import BUCKET, md5
from twisted_s3.model import ENABLED, NULL_VERSION, Properties
from twisted_s3.storage.filesystem.disk import IDisk


class RenamingTests(FilesystemKit, TestCase):
    """The file moves; nothing of it stays behind."""

    async def test_the_file_moves(self) -> None:
        """Same inode, other path; folders come and go with the keys in them."""
        await self.put("deep/er/x", b"1")
        inode = os.stat(self.path("deep/er/x")).st_ino
        await self.store.rename_object(BUCKET, "deep/er/x", "other/place")
        self.assertEqual(self.files(BUCKET), ["other/place"])
        self.assertEqual(os.stat(self.path("other/place")).st_ino, inode)

    async def test_put_by_hand(self) -> None:
        """A file that was put by hand keeps what its name said of it."""
        os.makedirs(self.path("by"))
        self.path("by/hand.png").write_bytes(b"image")
        before = await self.store.head_object(BUCKET, "by/hand.png")
        self.assertEqual(before.properties.headers["Content-Type"], "image/png")
        moved = await self.store.rename_object(BUCKET, "by/hand.png", "elsewhere")
        self.assertEqual((moved.etag, moved.properties), (md5(b"image"), before.properties))
        self.assertEqual(await self.store.head_object(BUCKET, "elsewhere"), moved)
        self.assertEqual(self.files(BUCKET), ["elsewhere"])

    async def test_damaged_record(self) -> None:
        """It could be mended, so none takes its place."""
        await self.put("x", b"1", properties=Properties(user={"a": "b"}))
        raw = os.getxattr(self.path("x"), "user.s3store")
        damaged = raw.replace(b'"a":"b"', b'"a":5.5')
        os.setxattr(self.path("x"), "user.s3store", damaged)
        await self.refused("InternalError", self.store.rename_object(BUCKET, "x", "y"))
        self.flushLoggedErrors()
        self.assertEqual(os.getxattr(self.path("x"), "user.s3store"), damaged)
        self.assertEqual(self.files(BUCKET), ["x"])
        os.setxattr(self.path("x"), "user.s3store", raw)
        moved = await self.store.rename_object(BUCKET, "x", "y")
        self.assertEqual(moved.properties.user, {"a": "b"})

    async def test_hidden_object_stays_hidden(self) -> None:
        """An object of the overflow that a file put by hand hides does not come to light when the file moves."""
        await self.put("a/b", b"in the way")
        await self.put("a", b"hidden")
        await self.store.delete_object(BUCKET, "a/b")
        self.path("a").write_bytes(b"by hand")
        self.assertEqual(await self.get("a"), b"by hand")
        await self.store.rename_object(BUCKET, "a", "c")
        self.assertEqual(await self.keys(), ["c"])
        self.assertEqual(await self.get("c"), b"by hand")


class RenamingRaceTests(FilesystemKit, TestCase):
    """While a bucket comes to keep versions."""

    armed = False

    def wrap(self, disk: IDisk) -> IDisk:
        return ObservedDisk(disk, self.watch)  # type: ignore[return-value]

    def watch(self, name: str, args: tuple[Any, ...]) -> None:
        """Turn versions on once the rename looks for its source: it has looked at the bucket then."""
        if self.armed and f"{BUCKET}/x".encode() in args:
            self.armed = False
            layout = self.store._buckets.layout(BUCKET)
            self.store._buckets.change(layout, lambda bucket: structs.replace(bucket, versioning=ENABLED))

    async def test_target_is_kept(self) -> None:
        """What has the target's key is a version by then, and stays one."""
        await self.put("x", b"moved")
        await self.put("y", b"kept")
        self.armed = True
        await self.store.rename_object(BUCKET, "x", "y")
        self.assertFalse(self.armed)
        self.assertEqual(await self.get("y"), b"moved")
        opened = await self.store.open_object(BUCKET, "y", NULL_VERSION)
        self.addCleanup(opened.close)
        self.assertEqual(await self.read(opened), b"kept")


class EditedTests(FilesystemKit, TestCase):
    """Somebody edits a file while it is renamed where versions are kept, which is a copy and a delete marker."""

    edit: Callable[[], object] | None = None
    when = ""

    def wrap(self, disk: IDisk) -> IDisk:
        return ObservedDisk(disk, self.watch)  # type: ignore[return-value]

    def watch(self, name: str, args: tuple[Any, ...]) -> None:
        edit = self.edit
        if edit is not None and name == self.when:
            self.edit = None
            edit()

    async def test_edited(self) -> None:
        """The rename is refused, or is one of the bytes that then are there; none get lost, no ETag lies."""
        await self.store.change_bucket(BUCKET, lambda bucket: structs.replace(bucket, versioning=ENABLED))
        for when in ("copy_range", "fsync", "publish"):
            for body in (b"edited", b"cut", b"edited, and longer"):
                await self.put("x", b"before")
                os.utime(self.path("x"), (1e9, 1e9))
                self.when = when
                self.edit = partial(self.path("x").write_bytes, body)
                await self.refused("ConditionalRequestConflict", self.store.rename_object(BUCKET, "x", "y"))
                self.assertIsNone(self.edit)
                self.assertEqual(await self.get("x"), body)
                if "y" in await self.keys():
                    self.assertNotEqual(when, "copy_range")
                    copied = await self.get("y")
                    self.assertEqual(
                        (copied, (await self.store.head_object(BUCKET, "y")).etag), (b"before", md5(b"before"))
                    )
                    await self.store.delete_object(BUCKET, "y")
                await self.store.delete_object(BUCKET, "x")
        self.flushLoggedErrors()


class RenamingBesideTests(FilesystemKit, TestCase):
    """On a filesystem where records lie beside the files."""

    def wrap(self, disk: IDisk) -> IDisk:
        return DiskWithoutAttributes(disk)

    async def test_records(self) -> None:
        """The record of the file goes along, and that of the file replaced goes away."""
        for key in ("x", "y"):
            await self.put(key, key.encode(), properties=Properties(user={"was": key}))
        self.assertEqual(len(self.records()), 2)
        await self.store.rename_object(BUCKET, "x", "y")
        self.assertEqual(len(self.records()), 1)
        self.assertEqual((await self.store.head_object(BUCKET, "y")).properties.user, {"was": "x"})

    def records(self) -> list[str]:
        """The records, by path."""
        below = self.root / ".s3store" / "records"
        return [path for path in self.files(".s3store/records") if (below / path).is_file()]
