"""The commit: its order, what is left when it fails, and who wins a race."""

from __future__ import annotations

import errno
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.storage.filesystem.disks import NoAttributesDisk, ObservedDisk, Script, SmallAttributesDisk
from tests.storage.filesystem.kit import FilesystemKit
from tests.storage.kit import BUCKET, OWNER, only_if_absent, pattern
from twisted_s3.errors import S3Error
from twisted_s3.model import Properties
from twisted_s3.protocol.payload import Payload
from twisted_s3.storage.filesystem.disk import IDisk
from twisted_s3.storage.filesystem.intake import TemporaryTarget
from twisted_s3.storage.filesystem.layout import BucketLayout
from twisted_s3.storage.filesystem.staging import PIECE_BYTES

#: What fails when the key already has its new object: the client is told, and no more can be done.
AFTER_PUBLISH = ("fsync_directory", "anchor")


class _ObservedKit(FilesystemKit):
    """Every call of the store to the disk is seen."""

    durable = True

    def make_store(self) -> Any:
        self.script = Script()
        return super().make_store()

    def wrap(self, disk: IDisk) -> IDisk:
        return ObservedDisk(disk, self.script)  # type: ignore[return-value]

    def order(self) -> list[tuple[str, Any]]:
        """The calls that make a commit, with paths for directories."""
        kept = {"write", "setxattr", "fsync", "publish", "fsync_directory", "unlink", "mkdir", "rmdir", "rename"}
        return [
            (name, args[0] if isinstance(args[0], bytes) else args[1] if name == "publish" else None)
            for name, args in self.script.calls
            if name in kept
        ]


class OrderTests(_ObservedKit, TestCase):
    """What is on stable storage before what."""

    async def test_put(self) -> None:
        await self.put("warm")
        self.script.reset()
        await self.put("x", b"1")
        self.assertEqual(
            self.order(),
            [
                ("write", None),
                ("setxattr", None),
                ("fsync", None),
                ("publish", b"bucket/x"),
                ("fsync_directory", b"bucket"),
            ],
        )

    async def test_locks_are_released_before_the_directory_is_synced(self) -> None:
        await self.put("warm")
        self.script.reset()
        await self.put("x", b"1")
        names = [name for name, _ in self.script.calls]
        after = names[names.index("fsync_directory") :]
        self.assertEqual(names.count("lock"), 2)
        # What is still open then is the object's own descriptor.
        self.assertEqual(after.count("close"), 1)

    async def test_new_ancestors_are_synced(self) -> None:
        self.script.reset()
        await self.put("a/b/c", b"1")
        synced = [path for name, path in self.order() if name == "fsync_directory"]
        self.assertEqual(synced, [b"bucket/a/b", b"bucket/a", b"bucket", b""])
        self.script.reset()
        await self.put("a/b/d", b"1")
        self.assertEqual([path for name, path in self.order() if name == "fsync_directory"], [b"bucket/a/b"])
        self.script.reset()
        await self.put("a/e/f", b"1")
        synced = [path for name, path in self.order() if name == "fsync_directory"]
        self.assertEqual(synced, [b"bucket/a/e", b"bucket/a"])

    async def test_directories_of_others_are_not_trusted(self) -> None:
        (self.root / BUCKET / "a" / "b").mkdir(parents=True)
        self.script.reset()
        await self.put("a/b/c", b"1")
        synced = [path for name, path in self.order() if name == "fsync_directory"]
        self.assertEqual(synced[:2], [b"bucket/a/b", b"bucket/a"])

    async def test_delete(self) -> None:
        await self.put("a/b", b"1")
        self.script.reset()
        await self.store.delete_object(BUCKET, "a/b")
        # The key's other place comes first, so that nothing can come back from there.
        self.assertEqual(
            self.order(),
            [
                ("unlink", BucketLayout(BUCKET).overflow.path("a/b")),
                ("unlink", b"bucket/a/b"),
                ("rmdir", b"bucket/a"),
                ("fsync_directory", b"bucket"),
            ],
        )

    async def test_change(self) -> None:
        await self.put("x", b"1")
        self.script.reset()
        await self.store.change_object(BUCKET, "x", lambda version: version)
        # The name, too: who put the object may not have synced it yet.
        self.assertEqual(self.order(), [("setxattr", None), ("fsync", None), ("fsync_directory", b"bucket")])

    async def test_delete_of_nothing(self) -> None:
        self.script.reset()
        await self.store.delete_object(BUCKET, "a/b")
        # Who removed it may not have synced that yet.
        synced = [path for name, path in self.order() if name == "fsync_directory"]
        self.assertEqual(synced[:1], [b"bucket"])

    async def test_a_rename_into_new_directories(self) -> None:
        await self.put("x", b"1")
        self.script.reset()
        await self.store.rename_object(BUCKET, "x", "a/b")
        order = self.order()
        # The only copy must not move into directories that a crash takes back.
        moved = len(order) - 1 - order[::-1].index(("publish", b"bucket/a/b"))
        self.assertEqual(order[moved - 2 : moved], [("fsync_directory", b"bucket/a"), ("fsync_directory", b"bucket")])

    async def test_part(self) -> None:
        upload = await self.begin()
        self.script.reset()
        await self.put_part(upload, 1, b"12345")
        names = [name for name, _ in self.order() if name in ("write", "fsync", "publish", "fsync_directory")]
        # The bytes, the record, the name of the bytes, the name of the record.
        self.assertEqual(names[:4], ["write", "fsync", "write", "fsync"])
        folder = b".s3store/buckets/bucket/uploads/" + upload.id.encode()
        order = [call for call in self.order() if call[0] in ("publish", "fsync_directory")]
        self.assertEqual(order[0], ("fsync_directory", folder + b"/grids"))
        # The first attempt finds that there is no folder for records yet.
        published = len(order) - 1 - order[::-1].index(("publish", folder + b"/parts/1"))
        self.assertEqual(order[published + 1], ("fsync_directory", folder + b"/parts"))

    async def test_a_side_file_comes_first(self) -> None:
        big = Properties(user={"big": "x" * 20_000})
        self.script.reset()
        await self.put("x", b"1", properties=big)
        order = self.order()
        publishes = [at for at, (name, _) in enumerate(order) if name == "publish"]
        # The first attempt finds that there is no folder for it yet.
        first, side, last = publishes
        name = order[side][1]
        self.assertEqual(order[first], order[side])
        self.assertTrue(name.startswith(b".s3store/records/"))
        self.assertEqual(order[first - 1], ("fsync", None))
        self.assertEqual(order[side + 1], ("fsync_directory", name.rpartition(b"/")[0]))
        # Then the pointer, its sync, and the name of the object.
        self.assertEqual(order[last - 2 : last + 1], [("setxattr", None), ("fsync", None), ("publish", b"bucket/x")])
        self.assertEqual((await self.store.head_object(BUCKET, "x")).properties, big)

    async def test_buckets(self) -> None:
        self.script.reset()
        await self.store.create_bucket("third", OWNER, "")
        state = b".s3store/buckets/third"
        order = self.order()
        published = len(order) - 1 - order[::-1].index(("publish", state + b"/bucket.json"))
        # The record is durable before the folder is there, and the folder before the answer.
        self.assertEqual(
            order[published + 1 : published + 3], [("fsync_directory", state), ("fsync_directory", b".s3store/buckets")]
        )
        self.assertEqual(order[-2:], [("mkdir", b"third"), ("fsync_directory", b"")])
        names = [name for name, _ in self.order()]
        self.assertLess(names.index("fsync"), names.index("publish"))
        self.script.reset()
        await self.store.delete_bucket("third")
        self.assertEqual(self.order()[:3], [("rmdir", b"third"), ("fsync_directory", b""), ("rename", state)])

    async def test_a_new_upload(self) -> None:
        self.script.reset()
        upload = await self.begin()
        names = [name for name, _ in self.order() if name in ("write", "fsync", "fsync_directory")]
        self.assertEqual(names[:3], ["write", "fsync", "fsync_directory"])
        uploads = b".s3store/buckets/bucket/uploads"
        synced = [path for name, path in self.order() if name == "fsync_directory"]
        self.assertEqual(synced[:2], [uploads + b"/" + upload.id.encode(), uploads])

    async def test_an_aborted_upload(self) -> None:
        upload = await self.begin()
        self.script.reset()
        await self.store.abort_upload(BUCKET, upload.key, upload.id)
        uploads = b".s3store/buckets/bucket/uploads"
        order = self.order()
        self.assertEqual(order[0], ("rename", uploads + b"/" + upload.id.encode()))
        # That it is gone is durable before the first of its files goes.
        names = [name for name, _ in order]
        self.assertLess(order.index(("fsync_directory", uploads)), names.index("unlink"))

    async def test_the_old_side_file_goes_last(self) -> None:
        big = Properties(user={"big": "x" * 20_000})
        for last in (lambda: self.put("x", b"2"), lambda: self.store.delete_object(BUCKET, "x")):
            await self.put("x", b"1", properties=big)
            self.script.reset()
            await last()
            # Were it gone sooner, a crash could bring the object back without its metadata.
            self.assertEqual([name for name, _ in self.order()][-2:], ["fsync_directory", "unlink"])
            self.assertTrue(self.order()[-1][1].startswith(b".s3store/records/"))


class FailureTests(_ObservedKit, TestCase):
    """The disk refuses at each step in turn."""

    durable = True

    async def _fail_everywhere(self, error: int, code: str) -> None:
        """Every changing call of three puts fails once: over an object, into new directories, into the overflow."""
        await self.put("old", b"old")
        before = self.objects()
        for key in ("old", "new/deep/x", "y" * 300):
            failed = []
            for step in range(100):
                self.script.reset(fail_at=step, error=error)
                try:
                    await self.put(key, pattern(100), properties=Properties(user={"big": "x" * 20_000}))
                except S3Error as refused:
                    self.assertEqual(refused.code, code)
                    if self.script.failed not in AFTER_PUBLISH:
                        self.assertEqual(self.objects(), before, f"{key} {step} {self.script.failed}")
                        self.assertEqual(await self.get("old"), b"old")
                failed.append(self.script.failed)
                self.script.reset()
                self.assertEqual(self.files(".s3store/staging"), [])
                if key != "old":
                    await self.store.delete_object(BUCKET, key)
                await self.put("old", b"old")
                self.assertEqual(self.objects(), before)
                if not failed[-1]:
                    break
            self.assertTrue({"write", "setxattr", "fsync", "publish", "fsync_directory"} <= set(failed), failed)

    def objects(self) -> list[str]:
        """What can be seen of objects: their files, those in the overflow, and their side files."""
        state = self.root / ".s3store"
        kept = [str(path.relative_to(self.root)) for path in state.rglob("*") if path.is_file()]
        return [*self.files(BUCKET), *(name for name in kept if "/locks/" not in name)]

    async def test_input_output_error(self) -> None:
        await self._fail_everywhere(errno.EIO, "InternalError")

    async def test_no_space(self) -> None:
        await self._fail_everywhere(errno.EDQUOT, "ServiceUnavailable")

    async def test_no_descriptors(self) -> None:
        self.script.reset(fail_at=0, error=errno.EMFILE)
        await self.refused("SlowDown", self.put("x", b"1"))

    async def test_a_failed_fsync_is_not_tried_again(self) -> None:
        def watch(name: str, args: tuple[Any, ...]) -> None:
            if name == "fsync":
                calls.append(args)
                raise OSError(errno.EIO, "lost")

        calls: list[Any] = []
        self.store._objects._disk = ObservedDisk(self.store._disk, watch)  # type: ignore[assignment]
        await self.refused("InternalError", self.put("x", b"1"))
        self.assertEqual(len(calls), 1)
        await self.refused("NoSuchKey", self.store.head_object(BUCKET, "x"))


class LeavingTests(FilesystemKit, TestCase):
    """What refused and dropped bodies leave: nothing."""

    async def test_refused_by_the_condition(self) -> None:
        await self.put("x", b"1")
        big = Properties(user={"big": "x" * 20_000})
        await self.refused("PreconditionFailed", self.put("x", b"2", condition=only_if_absent, properties=big))
        self.assertEqual(await self.get("x"), b"1")
        self.assertEqual([name for name in self.files(".s3store/records") if len(name) > 10], [])
        self.assertEqual(self.files(".s3store/staging"), [])

    async def test_dropped_while_a_piece_is_under_way(self) -> None:
        staged = await self.store.stage(BUCKET, Payload())
        await staged.write(bytes(PIECE_BYTES))
        await staged.discard()
        self.assertEqual(self.files(".s3store/staging"), [])
        with self.assertRaises(RuntimeError):
            await staged.commit("x", Properties())

    async def test_the_waiting_for_a_commit_is_cancelled(self) -> None:
        staged = await self.store.stage(BUCKET, Payload())
        await staged.write(b"1")
        commit = Deferred.fromCoroutine(staged.commit("x", Properties(), owner=OWNER))  # type: ignore[arg-type]
        commit.addErrback(lambda failure: None)
        commit.cancel()
        await commit
        await staged.discard()
        # The thread went on, unless it came too late: the object is whole or absent.
        self.assertIn(await self.keys(), (["x"], []))
        for key in await self.keys():
            self.assertEqual(await self.get(key), b"1")
        self.assertEqual(self.files(".s3store/staging"), [])

    async def test_replaced_and_deleted_side_files_go(self) -> None:
        big = Properties(user={"big": "x" * 20_000})
        for _ in range(2):
            await self.put("x", b"1", properties=big)
            self.assertEqual(len([name for name in self.files(".s3store/records") if len(name) > 10]), 1)
        await self.store.change_object(BUCKET, "x", lambda version: version)
        self.assertEqual(len([name for name in self.files(".s3store/records") if len(name) > 10]), 1)
        await self.store.delete_object(BUCKET, "x")
        self.assertEqual([name for name in self.files(".s3store/records") if len(name) > 10], [])

    async def test_memory_is_bounded(self) -> None:
        pieces: list[int] = []

        class Watched(Payload):
            def feed(self, data: bytes) -> Any:
                pieces.append(len(data))
                return super().feed(data)

        staged = await self.store.stage(BUCKET, Watched())
        chunk = bytes(64 << 10)
        for written in range(1, 101):
            await staged.write(chunk)
            # All that was written, but the piece under way and the one being gathered, has been taken.
            self.assertGreaterEqual(sum(pieces), written * len(chunk) - 2 * PIECE_BYTES)
        await staged.commit("x", Properties())
        self.assertEqual((await self.store.head_object(BUCKET, "x")).size, 100 * len(chunk))

    def test_an_unused_target_closes(self) -> None:
        TemporaryTarget(self.store._disk, self.store._files).close()


class _OtherDisk(FilesystemKit):
    """Metadata that does not fit on the inode."""

    properties = Properties(
        headers={"Content-Type": "text/plain"}, user={"a": "x" * 100}, tags={"t": "1"}, storage_class="GLACIER"
    )

    async def test_round_trip(self) -> None:
        for body in (b"1", b"22"):
            stored = await self.put("k", body, properties=self.properties)
            self.assertEqual(await self.store.head_object(BUCKET, "k"), stored)
            self.assertEqual(stored.properties, self.properties)
            self.assertEqual(await self.get("k"), body)
        self.assertEqual(len(self._records()), 1)
        changed = await self.store.change_object(BUCKET, "k", lambda version: version)
        self.assertEqual(await self.store.head_object(BUCKET, "k"), changed)
        self.assertEqual(len(self._records()), 1)
        await self.store.delete_object(BUCKET, "k")
        self.assertEqual(self._records(), [])

    async def test_moved_by_hand(self) -> None:
        stored = await self.put("k", b"1", properties=self.properties)
        self.path("k").rename(self.path("l"))
        found = await self.store.head_object(BUCKET, "l")
        self.assertEqual((found.etag, found.properties), (stored.etag, stored.properties))

    async def test_lost_side_file(self) -> None:
        await self.put("k.txt", b"1", properties=self.properties)
        for record in self._records():
            (self.root / ".s3store/records" / record).unlink()
        found = await self.store.head_object(BUCKET, "k.txt")
        self.assertEqual(found.properties, Properties(headers={"Content-Type": "text/plain"}))

    async def test_readers_of_what_is_replaced(self) -> None:
        await self.put("k", b"0", properties=self.properties)

        async def write() -> object:
            for at in range(30):
                await self.put("k", b"%d" % at, properties=self.properties)
            return None

        async def read() -> object:
            for _ in range(60):
                found = await self.store.head_object(BUCKET, "k")
                self.assertEqual(found.properties, self.properties)
            return None

        self.assertEqual(await self.together([write(), read(), read()]), [None] * 3)

    def _records(self) -> list[str]:
        return [name for name in self.files(".s3store/records") if (self.root / ".s3store/records" / name).is_file()]


class SmallAttributesTests(_OtherDisk, TestCase):
    """Attributes that hold no more than a pointer."""

    def wrap(self, disk: IDisk) -> IDisk:
        return SmallAttributesDisk(disk)  # type: ignore[no-any-return]


class NoAttributesTests(_OtherDisk, TestCase):
    """No attributes at all."""

    def wrap(self, disk: IDisk) -> IDisk:
        return NoAttributesDisk(disk)  # type: ignore[no-any-return]
