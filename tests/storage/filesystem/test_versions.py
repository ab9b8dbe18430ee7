"""Versions on disk: where they lie, what is durable before what, what a failing disk leaves, and who wins a race."""

from __future__ import annotations

import os
import shutil
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.trial.unittest import TestCase

from tests.storage.filesystem.disks import NoAttributesDisk, ObservedDisk, Script, SmallAttributesDisk
from tests.storage.filesystem.kit import FilesystemKit
from tests.storage.filesystem.test_processes import ProcessKit
from tests.storage.kit import BUCKET
from tests.storage.version_contract import VersionKit
from twisted_s3.errors import S3Error
from twisted_s3.model import ENABLED, NULL_VERSION, SUSPENDED, Properties
from twisted_s3.storage.filesystem.disk import IDisk
from twisted_s3.storage.filesystem.layout import BucketLayout
from twisted_s3.storage.filesystem.store import FilesystemStore
from twisted_s3.storage.versionids import parts_of

FOLDER = BucketLayout(BUCKET).versions.folder("x")


class _Kit(FilesystemKit, VersionKit):
    def names(self, key: str = "x") -> list[str]:
        """The names in the folder of a key."""
        folder = self.root / os.fsdecode(BucketLayout(BUCKET).versions.folder(key))
        return sorted(os.listdir(folder)) if folder.exists() else []

    def folder(self, key: str = "x") -> Any:
        """The folder of a key."""
        return self.root / os.fsdecode(BucketLayout(BUCKET).versions.folder(key))


class _ObservedKit(_Kit):
    durable = True

    def make_store(self) -> FilesystemStore:
        self.script = Script()
        return super().make_store()

    def wrap(self, disk: IDisk) -> IDisk:
        return ObservedDisk(disk, self.script)  # type: ignore[return-value]


class PlaceTests(_Kit, TestCase):
    """The current version is the file at its path; the others lie apart."""

    async def test_the_current_version_is_the_plain_file(self) -> None:
        await self.versioning(ENABLED)
        first = await self.put("x", b"1")
        inode = self.path("x").stat().st_ino
        await self.put("x", b"2")
        self.assertEqual(self.path("x").read_bytes(), b"2")
        [name] = self.names()
        # A link, not a copy.
        self.assertEqual((self.folder() / name).stat().st_ino, inode)
        self.assertEqual((self.folder() / name).stat().st_nlink, 1)
        await self.store.delete_object(BUCKET, "x")
        self.assertFalse(self.path("x").exists())
        self.assertEqual([name.endswith(".deleted") for name in self.names()], [True, False, False])
        for version_id, _ in (await self.history("x"))[:2]:
            await self.store.delete_object(BUCKET, "x", version_id=version_id)
        self.assertEqual((self.path("x").stat().st_ino, self.path("x").read_bytes()), (inode, b"1"))
        self.assertEqual(await self.history("x"), [(first.version_id, "1")])
        # A folder that is empty goes.
        self.assertFalse(self.folder().exists())

    async def test_a_bucket_never_versioned_has_none(self) -> None:
        await self.put("x", b"1")
        await self.put("x", b"2")
        await self.store.delete_object(BUCKET, "x")
        self.assertFalse((self.root / f".s3store/buckets/{BUCKET}/versions").exists())

    async def test_order_when_the_clock_goes_back(self) -> None:
        await self.versioning(ENABLED)
        ids = []
        for now in (2e9, 1e9, 1.5e9, 1.0):
            self.store._objects._now = lambda: now  # noqa: B023
            ids.append((await self.put("x", b"%d" % len(ids))).version_id)
        self.assertEqual([version_id for version_id, _ in await self.history("x")], ids[::-1])
        self.assertEqual(sorted(ids, key=parts_of), ids)

    async def test_ids_do_not_tell_the_time(self) -> None:
        await self.versioning(ENABLED)
        ids = [(await self.put("x", b"")).version_id for _ in range(20)]
        self.assertGreater(len({version_id[:3] for version_id in ids}), 10)
        self.assertGreater(len({version_id[16:19] for version_id in ids}), 10)


class OrderTests(_ObservedKit, TestCase):
    """What is on stable storage before what."""

    def order(self) -> list[tuple[str, Any]]:
        """The calls that change something, with the paths that they are about."""
        kept = {"link": 1, "publish": 1, "fsync_directory": 0, "unlink": 0, "rename": 1}
        found = []
        for name, args in self.script.calls:
            if name in ("setxattr", "fsync"):
                found.append((name, None))
            elif name in kept:
                found.append((name, args[kept[name]]))
        return found

    def entry(self, suffix: str = "") -> bytes:
        """The newest entry of the key."""
        return FOLDER + b"/" + os.fsencode(next(name for name in self.names() if name.endswith(suffix)))

    async def prepared(self) -> None:
        """A key with a version and a current one."""
        await self.versioning(ENABLED)
        await self.put("x", b"0")
        await self.put("x", b"1")
        self.script.reset()

    async def test_put(self) -> None:
        await self.prepared()
        await self.put("x", b"2")
        self.assertEqual(
            self.order(),
            [
                ("setxattr", None),
                ("fsync", None),
                # The version that goes is safe before its name goes to the next.
                ("link", self.entry()),
                ("fsync_directory", FOLDER),
                ("publish", b"bucket/x"),
                ("fsync_directory", b"bucket"),
            ],
        )

    async def test_the_first_put_has_nothing_to_keep(self) -> None:
        await self.prepared()
        await self.put("new", b"2")
        names = [name for name, _ in self.order()]
        self.assertEqual(names, ["setxattr", "fsync", "publish", "fsync_directory"])

    async def test_delete(self) -> None:
        await self.prepared()
        await self.store.delete_object(BUCKET, "x")
        marker = self.entry(".deleted")
        kept = FOLDER + b"/" + os.fsencode(self.names()[1])
        self.assertEqual(
            self.order(),
            [
                ("link", kept),
                ("fsync_directory", FOLDER),
                ("setxattr", None),
                ("fsync", None),
                ("publish", marker),
                ("fsync_directory", FOLDER),
                # Only now the key loses its file: that is the commit.
                ("unlink", BucketLayout(BUCKET).overflow.path("x")),
                ("unlink", b"bucket/x"),
                ("fsync_directory", b"bucket"),
            ],
        )

    async def test_remove_the_current_version(self) -> None:
        await self.prepared()
        current = await self.store.head_object(BUCKET, "x")
        await self.store.delete_object(BUCKET, "x", version_id=current.version_id)
        order = self.order()
        self.assertEqual(order[0], ("publish", b"bucket/x"))
        self.assertEqual({name for name, _ in order[1:]}, {"fsync_directory"})
        self.assertEqual(order[1], ("fsync_directory", b"bucket"))
        self.assertEqual(self.path("x").read_bytes(), b"0")

    async def test_remove_a_delete_marker(self) -> None:
        await self.prepared()
        marker = (await self.store.delete_object(BUCKET, "x")).version_id
        path = self.entry(".deleted")
        self.script.reset()
        await self.store.delete_object(BUCKET, "x", version_id=marker)
        self.assertEqual(
            self.order(),
            [
                # A rename: the version is at the key's path, and that is durable, before the marker goes.
                ("publish", b"bucket/x"),
                ("fsync_directory", b"bucket"),
                ("fsync_directory", FOLDER),
                ("unlink", path),
                ("fsync_directory", FOLDER),
            ],
        )

    async def test_remove_an_old_version(self) -> None:
        await self.prepared()
        [(_, _), (old, _)] = await self.history("x")
        path = self.entry()
        self.script.reset()
        await self.store.delete_object(BUCKET, "x", version_id=old)
        self.assertEqual(self.order()[:2], [("unlink", path), ("fsync_directory", BucketLayout(BUCKET).state)])

    async def test_suspended_put(self) -> None:
        """The null version that lies apart goes last."""
        await self.put("x", b"null")
        await self.versioning(ENABLED)
        await self.put("x", b"1")
        [null] = self.names()
        await self.versioning(SUSPENDED)
        self.script.reset()
        await self.put("x", b"null again")
        steps = [(name, path) for name, path in self.order() if name in ("link", "publish", "unlink")]
        self.assertEqual([name for name, _ in steps], ["link", "publish", "unlink"])
        self.assertEqual(steps[2][1], FOLDER + b"/" + os.fsencode(null))
        names = [name for name, _ in self.order()]
        self.assertEqual(names[names.index("publish") + 1], "fsync_directory")
        self.assertEqual(names[-2:], ["unlink", "fsync_directory"])


class FailureTests(_ObservedKit, TestCase):
    """The disk refuses at each step in turn: the key is as before or as it was to be, and goes on from there."""

    async def _fail_everywhere(
        self, prepare: Callable[[], Awaitable[object]], act: Callable[[], Awaitable[object]]
    ) -> set[str]:
        failed: set[str] = set()
        for step in range(60):
            self.script.reset()
            shutil.rmtree(self.folder(), ignore_errors=True)
            self.path("x").unlink(missing_ok=True)
            await prepare()
            before = await self.history("x")
            self.script.reset(fail_at=step)
            try:
                await act()
            except S3Error as error:
                self.assertEqual(error.code, "InternalError")
            name = self.script.failed
            failed.add(name)
            self.script.reset()
            self.assertEqual(self.files(".s3store/staging"), [])
            after = await self.history("x")
            self.assert_whole(before, after, step, name)
            # A marker that was not committed, and second names, are no obstacle to what comes next.
            newest = await self.put("x", b"newest")
            self.assertEqual(await self.history("x"), [(newest.version_id, "newest"), *after], (step, name))
            await self.store.delete_object(BUCKET, "x", version_id=newest.version_id)
            self.assertEqual(await self.history("x"), after, (step, name))
            if not name:
                self.assertNotEqual(after, before)
                return failed
        return self.fail("it never came to an end")

    def assert_whole(self, before: list[Any], after: list[Any], step: int, name: str) -> None:
        """Nothing is lost but what was to be removed, nothing doubled, nothing out of order."""
        common = [entry for entry in after if entry in before]
        self.assertEqual(common, [entry for entry in before if entry in after], (step, name))
        self.assertEqual(len(set(after)), len(after), (step, name))
        self.assertLessEqual(abs(len(after) - len(before)), 1, (step, name))

    async def three(self) -> None:
        """A key with three versions."""
        await self.versioning(ENABLED)
        for number in range(3):
            await self.put("x", b"%d" % number)

    async def marked(self) -> None:
        """A key with versions, under a delete marker."""
        await self.three()
        await self.store.delete_object(BUCKET, "x")

    async def newest(self) -> None:
        """Remove the newest version or marker."""
        listed = [listed.version.version_id for listed in await self.listed()]
        await self.store.delete_object(BUCKET, "x", version_id=listed[0])

    async def test_put(self) -> None:
        failed = await self._fail_everywhere(self.three, lambda: self.put("x", b"new"))
        self.assertLessEqual({"setxattr", "fsync", "link", "publish", "fsync_directory"}, failed)

    async def test_delete(self) -> None:
        failed = await self._fail_everywhere(self.three, lambda: self.store.delete_object(BUCKET, "x"))
        self.assertLessEqual({"setxattr", "fsync", "link", "publish", "fsync_directory"}, failed)

    async def test_remove_the_current_version(self) -> None:
        failed = await self._fail_everywhere(self.three, self.newest)
        self.assertLessEqual({"publish", "fsync_directory"}, failed)

    async def test_remove_the_marker(self) -> None:
        failed = await self._fail_everywhere(self.marked, self.newest)
        self.assertLessEqual({"publish", "fsync_directory"}, failed)


class CrashTests(_Kit, TestCase):
    """What a crash between two steps leaves, made by hand."""

    async def test_a_second_name_of_the_current_version(self) -> None:
        """A PUT or DELETE that got no further than the link: the same id twice counts once."""
        await self.versioning(ENABLED)
        first = await self.put("x", b"1")
        second = await self.put("x", b"2")
        for act in ("list", "put", "delete", "remove"):
            inverted = f"{(1 << 64) - 1 - parts_of(second.version_id)[0]:016x}{second.version_id[:16]}"
            if not (self.folder() / inverted).exists():
                os.link(self.path("x"), self.folder() / inverted)
            self.assertEqual(await self.history("x"), [(second.version_id, "2"), (first.version_id, "1")], act)
            if act == "put":
                third = await self.put("x", b"3")
                expected = [(third.version_id, "3"), (second.version_id, "2"), (first.version_id, "1")]
                self.assertEqual(await self.history("x"), expected)
                await self.store.delete_object(BUCKET, "x", version_id=third.version_id)
            if act == "delete":
                marker = (await self.store.delete_object(BUCKET, "x")).version_id
                expected = [(marker, "deleted"), (second.version_id, "2"), (first.version_id, "1")]
                self.assertEqual(await self.history("x"), expected)
                await self.store.delete_object(BUCKET, "x", version_id=marker)
            if act == "remove":
                await self.store.delete_object(BUCKET, "x", version_id=second.version_id)
                self.assertEqual(await self.history("x"), [(first.version_id, "1")])

    async def test_a_marker_that_was_not_committed(self) -> None:
        await self.versioning(ENABLED)
        for act in ("put", "delete", "remove"):
            kept = await self.put("x", b"1")
            marker = (await self.store.delete_object(BUCKET, "x")).version_id
            [deleted, name] = self.names()
            os.rename(self.folder() / name, self.path("x"))
            self.assertEqual(await self.history("x"), [(kept.version_id, "1")])
            self.assertEqual(await self.keys(), ["x"])
            if act == "put":
                new = await self.put("x", b"2")
                self.assertEqual(await self.history("x"), [(new.version_id, "2"), (kept.version_id, "1")])
                await self.store.delete_object(BUCKET, "x", version_id=new.version_id)
            if act == "delete":
                again = (await self.store.delete_object(BUCKET, "x")).version_id
                self.assertNotEqual(again, marker)
                self.assertEqual(await self.history("x"), [(again, "deleted"), (kept.version_id, "1")])
                await self.store.delete_object(BUCKET, "x", version_id=again)
            await self.store.delete_object(BUCKET, "x", version_id=kept.version_id)
            self.assertEqual(await self.history("x"), [], (act, deleted))

    async def test_two_null_versions(self) -> None:
        """A PUT in a suspended bucket that was killed before it removed the old one: the newest counts."""
        await self.put("x", b"old")
        await self.versioning(ENABLED)
        kept = await self.put("x", b"1")
        [null] = self.names()
        aside = self.root / "aside"
        shutil.copy2(self.folder() / null, aside)
        await self.versioning(SUSPENDED)
        await self.put("x", b"new")
        shutil.copy2(aside, self.folder() / null)
        expected = [(NULL_VERSION, "new"), (kept.version_id, "1")]
        self.assertEqual(await self.history("x"), expected)
        await self.versioning(ENABLED)
        newest = await self.put("x", b"newest")
        self.assertEqual(await self.history("x"), [(newest.version_id, "newest"), *expected])
        self.assertEqual(len(self.names()), 2)
        shutil.copy2(aside, self.folder() / null)
        await self.store.delete_object(BUCKET, "x", version_id=NULL_VERSION)
        self.assertEqual(await self.history("x"), [(newest.version_id, "newest"), (kept.version_id, "1")])


class ByHandTests(_Kit, TestCase):
    """What people do to the files of a versioned bucket."""

    async def test_edited_and_replaced(self) -> None:
        """It is the current version, null; the next write keeps it."""
        await self.versioning(ENABLED)
        first = await self.put("x", b"1")
        self.path("x").unlink()
        self.path("x").write_bytes(b"by hand")
        self.assertEqual((await self.history("x"))[0], (NULL_VERSION, "by hand"))
        second = await self.put("x", b"2")
        self.assertEqual(await self.history("x"), [(second.version_id, "2"), (NULL_VERSION, "by hand")])
        self.assertNotIn(first.version_id, [version_id for version_id, _ in await self.history("x")])

    async def test_dropped_over_a_delete_marker(self) -> None:
        await self.versioning(ENABLED)
        first = await self.put("x", b"1")
        marker = (await self.store.delete_object(BUCKET, "x")).version_id
        self.path("x").write_bytes(b"by hand")
        expected = [(NULL_VERSION, "by hand"), (marker, "deleted"), (first.version_id, "1")]
        self.assertEqual(await self.history("x"), expected)

    async def test_removed(self) -> None:
        """What was removed is gone; the others can be read by their ids."""
        await self.versioning(ENABLED)
        first = await self.put("x", b"1")
        await self.put("x", b"2")
        self.path("x").unlink()
        await self.assert_hidden("x", None)
        self.assertEqual([listed.version for listed in await self.listed()], [first])
        third = await self.put("x", b"3")
        self.assertEqual(await self.history("x"), [(third.version_id, "3"), (first.version_id, "1")])

    async def test_a_copy_of_an_old_version(self) -> None:
        """A faithful copy is the version that it is a copy of, current again."""
        await self.versioning(ENABLED)
        first = await self.put("x", b"1", properties=Properties(user={"a": "b"}))
        second = await self.put("x", b"2")
        third = await self.put("x", b"3")
        [_, name] = self.names()
        shutil.copy2(self.folder() / name, self.path("x"))
        found = await self.store.head_object(BUCKET, "x")
        self.assertEqual((found.version_id, found.properties), (first.version_id, first.properties))
        self.assertEqual(await self.history("x"), [(first.version_id, "1"), (second.version_id, "2")])
        fourth = await self.put("x", b"4")
        ids = [version_id for version_id, _ in await self.history("x")]
        self.assertEqual(ids, [fourth.version_id, second.version_id, first.version_id])
        self.assertNotIn(third.version_id, ids)

    async def test_strangers_among_the_versions(self) -> None:
        await self.versioning(ENABLED)
        await self.put("x", b"1")
        await self.put("x", b"2")
        (self.folder() / "README").write_bytes(b"?")
        (self.root / f".s3store/buckets/{BUCKET}/versions/zz+").mkdir()
        (self.root / f".s3store/buckets/{BUCKET}/versions/zz+/{'0' * 32}").write_bytes(b"?")
        self.assertEqual([body for _, body in await self.history("x")], ["2", "1"])
        self.assertEqual({listed.version.key for listed in await self.listed()}, {"x"})


class _OtherDisk(_Kit):
    """Records that lie beside the inode."""

    async def test_round_trip(self) -> None:
        await self.versioning(ENABLED)
        made = [await self.put("x", b"%d" % at, properties=Properties(user={"n": str(at) * 200})) for at in range(3)]
        await self.store.delete_object(BUCKET, "x")
        for version in made:
            self.assertEqual(await self.store.head_object(BUCKET, "x", version.version_id), version)
        for version_id, _ in await self.history("x"):
            await self.store.delete_object(BUCKET, "x", version_id=version_id)
        records = [name for name in self.files(".s3store/records") if (self.root / ".s3store/records" / name).is_file()]
        self.assertEqual(records, [])
        await self.store.delete_bucket(BUCKET)


class SmallAttributesTests(_OtherDisk, TestCase):
    """Attributes that hold no more than a pointer."""

    def wrap(self, disk: IDisk) -> IDisk:
        return SmallAttributesDisk(disk)  # type: ignore[no-any-return]


class NoAttributesTests(_OtherDisk, TestCase):
    """No attributes at all."""

    def wrap(self, disk: IDisk) -> IDisk:
        return NoAttributesDisk(disk)  # type: ignore[no-any-return]


class RaceTests(ProcessKit, VersionKit, TestCase):
    """Several processes write the versions of one key."""

    async def test_no_version_is_lost_or_doubled(self) -> None:
        await self.versioning(ENABLED)
        processes = [self.process() for _ in range(3)]
        for key in ("plain", "deep/er", "over//flow"):
            made = " ".join(self.race(processes, *[f"pile {key} 12"] * 3)).split()
            found = [version_id for version_id, _ in await self.history(key)]
            self.assertEqual(sorted(found), sorted(made))
            self.assertEqual(sorted(found, key=parts_of, reverse=True), found)

    async def test_writers_and_removers(self) -> None:
        """Puts, delete markers and removals at once leave exactly what was not removed."""
        await self.versioning(ENABLED)
        processes = [self.process() for _ in range(3)]
        for key in ("x", "a//b"):
            answers = self.race(processes, *[f"stir {key} 25"] * 3)
            kept = sorted(version_id for answer in answers for version_id in answer.split())
            self.assertEqual(sorted(version_id for version_id, _ in await self.history(key)), kept)
