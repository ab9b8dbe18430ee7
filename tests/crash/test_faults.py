"""Every call to the disk fails in turn, in every operation."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import Random
from typing import Any

from msgspec import Struct, structs
from twisted.trial.unittest import SynchronousTestCase

from tests.crash.checks import check_leftovers, check_life, look
from tests.crash.faulty import FaultyDisk, changes, looks, opens
from tests.crash.inodes import Crash
from tests.crash.simulated import SimulatedDisk
from tests.crash.world import KEYS, Shape, World, now, open_store, reproducible
from tests.storage.kit import OWNER, PlainPayload, just
from twisted_s3.errors import S3Error
from twisted_s3.interfaces import always
from twisted_s3.model import ByteRange, ObjectVersion, Properties
from twisted_s3.storage.filesystem.store import FilesystemStore

_KEPT = Crash("kept", "kept", 0.5, Random(0))
_LOST = Crash("lost", "lost", 0.5, Random(0))
_BIG = Properties(user={"big": "x" * 5000})
#: What these move out of sight is removed by the periodic cleaning, if they can not.
_TRASHING = ("complete", "abort", "create bucket", "delete bucket")
#: No operation makes as many calls to the disk.
_MANY = 400

#: Operations that give the same when they are asked for again.
_REPEATABLE = frozenset({"put", "put over", "put deep", "put into new folders", "delete", "delete nothing", "tag much"})

Operation = Callable[[FilesystemStore], Awaitable[object]]


async def _put(store: FilesystemStore, key: str, size: int = 2500, properties: Properties | None = None) -> None:
    body = hashlib.shake_128(key.encode()).digest(size)
    staged = await store.stage("alpha", PlainPayload())
    try:
        for offset in range(0, size, 700):
            await staged.write(body[offset : offset + 700])
        await staged.commit(key, properties or Properties(), always, OWNER)
    finally:
        await staged.discard()


async def _copy(store: FilesystemStore, source: str, target: str) -> None:
    opened = await store.open_object("alpha", source)
    try:
        staged = await store.stage("alpha", PlainPayload())
        try:
            await staged.copy_from(opened, ByteRange(0, opened.version.size))
            await staged.commit(target, opened.version.properties, always, OWNER)
        finally:
            await staged.discard()
    finally:
        opened.close()


async def _tag(store: FilesystemStore, key: str, tags: Mapping[str, str]) -> None:
    def change(version: ObjectVersion) -> ObjectVersion:
        return structs.replace(version, properties=structs.replace(version.properties, tags=tags))

    await store.change_object("alpha", key, change)


async def _upload(store: FilesystemStore, key: str) -> str:
    return (await store.create_upload("alpha", key, _BIG, OWNER)).id


async def _part(store: FilesystemStore, key: str, number: int, size: int = 600, seed: int = 0) -> None:
    body = hashlib.shake_128(b"%d %d" % (number, seed)).digest(size)
    upload_id = await _the_upload(store, key)
    staged = await store.stage_part("alpha", key, upload_id, number, size, PlainPayload())
    try:
        await staged.write(body)
        await staged.commit()
    finally:
        await staged.discard()


async def _the_upload(store: FilesystemStore, key: str) -> str:
    for upload in await store.list_uploads("alpha"):
        if upload.key == key:
            return upload.id
    raise S3Error("NoSuchUpload")


async def _complete(store: FilesystemStore, key: str) -> None:
    upload_id = await _the_upload(store, key)
    parts = await store.list_parts("alpha", key, upload_id)
    await store.complete_upload("alpha", key, upload_id, just(parts, f"whole of {key}"))


async def _abort(store: FilesystemStore, key: str) -> None:
    await store.abort_upload("alpha", key, await _the_upload(store, key))


async def _prepare(store: FilesystemStore) -> None:
    """What the operations find."""
    await store.create_bucket("alpha", OWNER, "")
    for key in ("k", "d/x"):
        await _put(store, key, properties=_BIG)
    for key in ("d/y", "d/e/f"):
        await _upload(store, key)
        await _part(store, key, 1)
    await _part(store, "d/y", 2)
    # The second part of this lies beyond the grid of the first.
    await _part(store, "d/e/f", 3, 1500)


OPERATIONS: Mapping[str, Operation] = {
    "put": lambda store: _put(store, "d"),
    "put over": lambda store: _put(store, "k", 20),
    "put deep": lambda store: _put(store, "a//b"),
    "put into new folders": lambda store: _put(store, "d/e/f"),
    "put much metadata": lambda store: _put(store, "k", 3000, _BIG),
    "copy": lambda store: _copy(store, "k", "d/x"),
    "delete": lambda store: store.delete_object("alpha", "d/x"),
    "delete nothing": lambda store: store.delete_object("alpha", "d"),
    "tag": lambda store: _tag(store, "k", {"t": "1"}),
    "tag much": lambda store: _tag(store, "k", {"t": "1" * 6000}),
    "rename": lambda store: store.rename_object("alpha", "k", "a//b"),
    "rename over": lambda store: store.rename_object("alpha", "k", "d/x"),
    "create bucket": lambda store: store.create_bucket("beta", OWNER, ""),
    "create upload": lambda store: _upload(store, "d/x"),
    "part": lambda store: _part(store, "d/y", 3),
    "part again": lambda store: _part(store, "d/y", 2, seed=1),
    "complete by a rename": lambda store: _complete(store, "d/y"),
    "complete by copies": lambda store: _complete(store, "d/e/f"),
    "abort": lambda store: _abort(store, "d/y"),
}


class _View(Struct, frozen=True):
    """What clients see, without what is new each time."""

    buckets: Mapping[str, str]
    objects: Mapping[Any, Any]
    uploads: Sequence[Any]


class SweepTests(SynchronousTestCase):
    """After a failed call everything is wholly as before or wholly as it was to be, and all goes on."""

    shape = Shape()
    names = tuple(OPERATIONS)

    def setUp(self) -> None:
        self._checked = 0
        self.world = World(Random(0), self.shape)
        context = reproducible(self.world.baton)
        context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        self.bodies = self.world.bodies
        for key in KEYS:
            for size in (20, 2500, 3000):
                self.world.remember(hashlib.shake_128(key.encode()).digest(size))
        parts = [self._part_body(1), self._part_body(2), self._part_body(3, 1500)]
        for body in (*parts, self._part_body(2, seed=1), self._part_body(3)):
            self.world.remember(body)
        self.world.remember(parts[0] + parts[1], "whole of d/y")
        self.world.remember(parts[0] + parts[2], "whole of d/e/f")
        self.disk = self.shape.disk()
        store = self.open(self.disk)[0]
        now(_prepare(store))

    def _part_body(self, number: int, size: int = 600, seed: int = 0) -> bytes:
        return hashlib.shake_128(b"%d %d" % (number, seed)).digest(size)

    def open(self, disk: SimulatedDisk) -> tuple[FilesystemStore, FaultyDisk]:
        faulty = FaultyDisk(disk)
        store = open_store(disk, lambda job: job(), lambda _: faulty)  # type: ignore[arg-type,return-value]
        now(store.start())
        return store, faulty

    def view(self, store: FilesystemStore) -> _View:
        found = look(store, self.bodies)
        uploads = sorted(
            (upload.key, [(part.number, part.etag) for part in parts]) for _, upload, parts in found.uploads.values()
        )
        return _View(found.buckets, found.objects, uploads)

    def assert_either(self, seen: _View, before: _View, after: _View, what: str) -> None:
        """Each thing is as before or as after."""
        for aspect in ("buckets", "objects", "uploads"):
            either = getattr(before, aspect), getattr(after, aspect)
            self.assertIn(getattr(seen, aspect), either, f"{what}: {aspect}")

    def sweep(self, name: str, error: int, code: str, fails: Callable[[str], bool], leaves: bool = True) -> set[str]:
        """Fail every call of an operation in turn. Gives the names of the calls that failed.

        :param leaves: whether nothing may be left behind.
        """
        operation = OPERATIONS[name]
        store = self.open(self.disk.power_off(_KEPT))[0]
        before = self.view(store)
        now(operation(store))
        after = self.view(store)
        failed: set[str] = set()
        for at in range(_MANY):
            disk = self.disk.power_off(_KEPT)
            store, faulty = self.open(disk)
            faulty.fail_at(at, error, fails)
            acknowledged = self.attempt(operation(store), code)
            faulty.work()
            if not faulty.failed:
                self.assertTrue(acknowledged)
                return failed
            failed.add(faulty.failed)
            what = f"{name}, call {at}: {faulty.failed}"
            self.check(store, disk, acknowledged, before, after, what, leaves)
            if name in _REPEATABLE and self._checked % 5:
                self.check_again(operation, disk, after, what)
        return self.fail("it never ends")

    def check(
        self,
        store: FilesystemStore,
        disk: SimulatedDisk,
        acknowledged: bool,
        before: _View,
        after: _View,
        what: str,
        leaves: bool,
    ) -> None:
        seen = self.view(store)
        if leaves:
            if what.startswith(_TRASHING):
                now(store.clean())
            check_leftovers(disk)
        self.assertTrue(disk.is_clean(), what)
        survived = self.view(self.open(disk.power_off(_LOST))[0])
        if acknowledged:
            # An upload that is completed, and could not be removed, is left to the reaper.
            for view in (seen, survived):
                self.assertEqual((view.objects, view.buckets), (after.objects, after.buckets), what)
                self.assertIn(view.uploads, (before.uploads, after.uploads), what)
        else:
            self.assert_either(seen, before, after, what)
            self.assert_either(survived, before, after, what)
        self._checked += 1
        if leaves and self._checked % 5 == 0:
            check_life(self.world, store, disk, look(store, self.bodies))

    def check_again(self, operation: Operation, disk: SimulatedDisk, after: _View, what: str) -> None:
        """What failed is asked for again: nothing that the failure left is trusted."""
        store = self.open(disk)[0]
        now(operation(store))
        survived = self.view(self.open(disk.power_off(_LOST))[0])
        self.assertEqual((survived.objects, survived.buckets), (after.objects, after.buckets), f"{what}, again")

    def attempt(self, operation: Awaitable[object], code: str) -> bool:
        """Whether it was acknowledged; the refusal has to be ``code``."""
        try:
            now(operation)
        except S3Error as refused:
            self.assertEqual(refused.code, code)
            return False
        return True

    def test_a_put_whose_directories_can_not_be_synced(self) -> None:
        self.sweep("put deep", errno.EIO, "InternalError", lambda name: name == "fsync_directory")

    def test_metadata_beside_that_can_not_be_written(self) -> None:
        self.sweep("tag much", errno.EIO, "InternalError", changes)

    def test_a_rename_into_new_directories(self) -> None:
        self.sweep("rename", errno.EIO, "InternalError", lambda name: name == "fsync_directory")

    def test_input_output_error_while_changing(self) -> None:
        failed = set()
        for name in self.names:
            failed |= self.sweep(name, errno.EIO, "InternalError", changes)
        expected = {"write", "fsync", "fsync_directory", "publish", "rename", "setxattr", "create_temporary", "mkdir"}
        self.assertTrue(expected <= failed, failed)

    def test_input_output_error_while_looking_or_removing(self) -> None:
        # What could not be removed is left to the next start.
        failed = set()
        for name in self.names:
            failed |= self.sweep(name, errno.EIO, "InternalError", looks, leaves=False)
        self.assertTrue({"open", "read", "stat", "fstat", "unlink", "getxattr"} <= failed, failed)

    def test_no_descriptors(self) -> None:
        for name in self.names:
            self.sweep(name, errno.EMFILE, "SlowDown", opens)

    def test_no_space(self) -> None:
        for name in self.names:
            self.sweep(name, errno.ENOSPC, "ServiceUnavailable", self.takes_space)

    def takes_space(self, name: str) -> bool:
        """Which calls fail on a full disk."""
        return changes(name) and (name != "setxattr" or self.shape.attribute_bytes is not None)


class NamedTemporariesTests(SweepTests):
    """The same where every file has a name, and there are no attributes."""

    shape = Shape(unnamed=False, attribute_bytes=None)
    names = ("put over", "put deep", "delete", "tag", "rename over", "part again", "complete by a rename")

    test_no_descriptors = None  # type: ignore[assignment]


class QuotaTests(SweepTests):
    """The disk is full at every byte."""

    test_input_output_error_while_changing = None  # type: ignore[assignment]
    test_input_output_error_while_looking_or_removing = None  # type: ignore[assignment]
    test_no_descriptors = None  # type: ignore[assignment]
    test_no_space = None  # type: ignore[assignment]

    def full(self, name: str, error: int, step: int, most: int) -> None:
        operation = OPERATIONS[name]
        store = self.open(self.disk.power_off(_KEPT))[0]
        before = self.view(store)
        now(operation(store))
        after = self.view(store)
        outcomes = set()
        for room in range(0, most, step):
            disk = self.disk.power_off(_KEPT)
            store, _ = self.open(disk)
            disk.capacity, disk.full_error = disk.used + room, error
            acknowledged = self.attempt(operation(store), "ServiceUnavailable")
            outcomes.add(acknowledged)
            self.check(store, disk, acknowledged, before, after, f"{name}, room for {room} bytes", leaves=False)
            check_leftovers(disk)
            disk.capacity = None
            check_life(self.world, store, disk, look(store, self.bodies))
        self.assertEqual(outcomes, {False, True})

    def test_at_every_byte_of_a_put(self) -> None:
        for error in (errno.ENOSPC, errno.EDQUOT):
            self.full("put over", error, 1, 40)

    def test_in_a_body_and_its_metadata(self) -> None:
        self.full("put", errno.ENOSPC, 97, 2700)
        self.full("put much metadata", errno.EDQUOT, 311, 9000)

    def test_in_a_part(self) -> None:
        self.full("part", errno.ENOSPC, 53, 2400)

    def test_in_an_assembly(self) -> None:
        self.full("complete by copies", errno.EDQUOT, 211, 8000)
