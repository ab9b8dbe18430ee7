"""Events of writes that crash at every call: what was committed is told, and what was not is not."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

from msgspec import structs
from twisted.internet.testing import MemoryReactor
from twisted.trial.unittest import SynchronousTestCase

from tests.crash.inodes import Crash, PowerOff
from tests.crash.simulated import SimulatedDisk
from tests.crash.world import now, open_store
from tests.storage.filesystem.disks import LOOKING
from tests.storage.kit import OWNER, PlainPayload, just
from twisted_s3.delivery.file import JSONLines
from twisted_s3.errors import S3Error
from twisted_s3.interfaces import Pending, Witness, always
from twisted_s3.model import ENABLED, SUSPENDED, Deletion, ObjectVersion, Part, Properties
from twisted_s3.queueing import BEGINNING, Line
from twisted_s3.storage.filesystem.disk import Access, IDisk
from twisted_s3.storage.filesystem.store import FilesystemStore

BUCKET = "alpha"
LOST = Crash("lost", "lost", 0.5, Random(0))
KEPT = Crash("kept", "kept", 0.5, Random(0))
_SEED = int(os.environ.get("CRASH_EVENTS_SEED", "1"))

Attempt = Callable[["World"], object]


class World:
    """A store on a simulated disk, whose writes are witnessed."""

    def __init__(self, disk: SimulatedDisk, wrap: Callable[[IDisk], IDisk] = lambda disk: disk) -> None:
        self.disk = disk
        self.wrap = wrap
        self.upload = ""
        self.open()

    def open(self) -> None:
        """Start a store."""
        self.store: FilesystemStore = open_store(self.disk, lambda job: job(), self.wrap)
        now(self.store.start())

    def witness(self, key: str, makes: bool = True) -> Witness:
        """Queues what happens to a key."""

        def watch(change: ObjectVersion | Deletion) -> Pending | None:
            at = change.key if isinstance(change, ObjectVersion) else key
            made = makes and (isinstance(change, ObjectVersion) or change.delete_marker)
            return self.store.events.begin(BUCKET, at, change, {"to": {"t": ""}, "record": {}}, made)

        return watch

    def put(self, key: str, body: bytes, told: bool = True) -> ObjectVersion:
        """Put an object."""
        staged = now(self.store.stage(BUCKET, PlainPayload()))
        now(staged.write(body))
        named = {"witness": self.witness(key)} if told else {}
        return now(staged.commit(key, Properties(), always, OWNER, **named))

    def begin_upload(self) -> None:
        """Begin an upload, of one part."""
        upload = now(self.store.create_upload(BUCKET, "k", Properties(), OWNER))
        self.upload = upload.id
        staged = now(self.store.stage_part(BUCKET, "k", upload.id, 1, 9, PlainPayload()))
        now(staged.write(b"some part"))
        self.part: Part = now(staged.commit())

    def complete(self) -> None:
        """Complete it."""
        choose, witness = just([self.part], "e"), self.witness("k")
        now(self.store.complete_upload(BUCKET, "k", self.upload, choose, witness=witness))

    def seen(self) -> list[tuple[str, object]]:
        """What there is of all keys, by versions."""

        def page(walk: Any) -> list[tuple[str, object]]:
            return [(key, listed) for key in walk.keys("") for listed in walk.versions(key)]

        return now(self.store.list_versions(BUCKET, page))

    def lines(self) -> Sequence[Line]:
        """The intents in the queue."""
        found: list[Line] = []
        at = BEGINNING
        while True:
            stretch = now(self.store.events.read(at))
            if stretch.behind == at:
                return [line for line in found if "evidence" in line.content]
            found += stretch.lines
            at = stretch.behind

    def told(self) -> int:
        """How many events are told in the end."""
        return sum(now(self.store.events.happened(line)) for line in self.lines())


def tag(world: World) -> None:
    """Change tags."""
    tagged = Properties(tags={"a": "b"})
    now(
        world.store.change_object(
            BUCKET, "k", lambda version: structs.replace(version, properties=tagged), witness=world.witness("k", False)
        )
    )


def delete(world: World, version_id: str | None = None) -> None:
    """Delete the key, or a version."""
    witness = world.witness("k", version_id is None)
    now(world.store.delete_object(BUCKET, "k", version_id=version_id, owner=OWNER, witness=witness))


def newest(world: World) -> str:
    """The newest version's id."""
    _, listed = world.seen()[0]
    assert hasattr(listed, "version")
    return str(listed.version.version_id)


def rename(world: World) -> None:
    """Rename the key."""
    now(world.store.rename_object(BUCKET, "k", "l", witness=world.witness("k")))


#: By name: the states of versioning to try it in, and what is tried after the key has been written twice.
ATTEMPTS: dict[str, tuple[Sequence[str], Attempt]] = {
    "put": (("", ENABLED, SUSPENDED), lambda world: world.put("k", b"third")),
    "put new": (("", ENABLED, SUSPENDED), lambda world: world.put("new/deep", b"new")),
    "put same": (("", ENABLED), lambda world: world.put("k", b"second")),
    "delete": (("", ENABLED, SUSPENDED), delete),
    "delete newest": ((ENABLED, SUSPENDED), lambda world: delete(world, newest(world))),
    "tag": (("", ENABLED), tag),
    "rename": (("",), rename),
    "complete": (("", ENABLED), lambda world: world.complete()),
}


class CrashedEvents(SynchronousTestCase):
    """One write, and a crash at each of its calls that change something."""

    @staticmethod
    def wrap(disk: IDisk) -> IDisk:
        """Puts something around the disk."""
        return disk

    def prepared(self, versioning: str) -> World:
        """A bucket with a key that was written twice before anybody was told of anything."""
        world = World(SimulatedDisk(), self.wrap)
        now(world.store.create_bucket(BUCKET, OWNER, ""))
        now(world.store.change_bucket(BUCKET, lambda bucket: structs.replace(bucket, versioning=versioning)))
        world.put("k", b"first", told=False)
        world.put("k", b"second", told=False)
        world.begin_upload()
        # The queue is there already, or the first event would be another case than all others.
        now(world.store.events.announce({"to": {}, "message": {}}))
        return world

    def crash_everywhere(self, name: str, versioning: str, crash: Crash | None) -> tuple[int, int]:
        """Try it with a crash at every call. Gives how many were committed, and how many not.

        :param crash: None when only the process dies.
        """
        committed = broken = 0
        for at in range(10_000):
            world = self.prepared(versioning)
            before = world.seen()
            calls = 0

            def count(call: str, at: int = at) -> None:
                nonlocal calls
                calls += call not in LOOKING
                if calls > at:
                    raise PowerOff

            world.disk.before = count
            try:
                ATTEMPTS[name][1](world)
            except PowerOff:
                done = False
            else:
                done = True
            world.disk.before = lambda call: None
            if crash is None:
                world.disk.kill()
            else:
                world.disk = world.disk.power_off(crash)
            world.open()
            after = world.seen()
            told = world.told()
            where = f"{name} in {versioning or 'unversioned'}, crash at call {at}"
            if after != before:
                self.assertGreaterEqual(told, 1, f"{where}: an event is lost")
                committed += 1
            else:
                self.assertFalse(done, where)
                # A power cut may undo what was to be seen for a moment, and leave the line that it happened.
                undone = crash is not None and crash.names == "any"
                self.assertTrue(told == 0 or undone, f"{where}: an event of nothing")
                broken += 1
            # What was found out stays so.
            self.assertEqual(world.told(), told)
            if done:
                return committed, broken
        raise AssertionError("it does not end")

    def crash_in_all_ways(self, crash: Crash | None) -> None:
        for name, (states, _) in ATTEMPTS.items():
            for versioning in states:
                committed, broken = self.crash_everywhere(name, versioning, crash)
                self.assertGreater(broken, 2)
                self.assertGreater(committed, 0)

    def test_killed(self) -> None:
        """The process dies; what it wrote stays."""
        self.crash_in_all_ways(None)

    def test_power_lost(self) -> None:
        """All that was not synced is gone."""
        self.crash_in_all_ways(LOST)

    def test_power_lost_all_kept(self) -> None:
        """All that was not synced was written."""
        self.crash_in_all_ways(KEPT)

    def test_power_lost_any_kept(self) -> None:
        """Some of it was."""
        self.crash_in_all_ways(Crash("any", "torn", 0.5, Random(_SEED)))


class Doubts(SynchronousTestCase):
    """What can not be told any more is told rather than lost."""

    def broken_off(self) -> World:
        """A put that was killed right before its commit."""
        world = World(SimulatedDisk())
        now(world.store.create_bucket(BUCKET, OWNER, ""))
        world.put("k", b"first", told=False)

        def stop(call: str) -> None:
            if call == "publish":
                raise PowerOff

        self.kill_put(world, stop)
        return world

    def kill_put(self, world: World, before: Callable[[str], None]) -> None:
        """Kill a put."""
        world.disk.before = before
        self.assertRaises(PowerOff, world.put, "k", b"second")
        world.disk.before = lambda call: None
        world.disk.kill()
        world.open()

    def test_not_committed(self) -> None:
        """Nothing was written since: it did not happen."""
        self.assertEqual(self.broken_off().told(), 0)

    def test_written_again(self) -> None:
        """Another write has come since: the first one may have happened before it."""
        world = self.broken_off()
        world.put("k", b"third")
        self.assertEqual(world.told(), 2)

    def test_found_out_before(self) -> None:
        """What was found out before another write stays so."""
        world = self.broken_off()
        self.assertEqual(world.told(), 0)
        world.put("k", b"third")
        self.assertEqual(world.told(), 1)

    def test_bucket_gone(self) -> None:
        """Nothing can have happened in a bucket that is gone; but a deletion did."""
        world = self.broken_off()
        world.store.events.begin(BUCKET, "k", Deletion(True), {"to": {}, "record": {}}, False)
        now(world.store.delete_object(BUCKET, "k"))
        now(world.store.delete_bucket(BUCKET))
        found = [now(world.store.events.happened(line)) for line in world.lines()]
        self.assertEqual(found, [True, True])

    def test_full_disk(self) -> None:
        """A deletion makes room, so it goes on without its event; a write does not."""
        world = World(SimulatedDisk())
        now(world.store.create_bucket(BUCKET, OWNER, ""))
        world.put("k", b"x" * 10_000, told=False)
        now(world.store.events.announce({"to": {}, "message": {}}))
        before = len(world.lines())
        world.disk.capacity = world.disk.used
        with self.assertRaises(S3Error):
            world.put("k", b"second")
        delete(world)
        self.assertEqual(world.seen(), [])
        self.assertEqual(len(world.lines()), before)
        self.flushLoggedErrors()


class FileTargets(SynchronousTestCase):
    """A file that messages are appended to."""

    def append(self, disk: SimulatedDisk, body: bytes) -> None:
        """Deliver a message, in a process of its own."""
        target = JSONLines(Path("/folder/messages"), MemoryReactor())
        target._disk = disk  # type: ignore[assignment]
        target._append(body)

    def lines(self, disk: SimulatedDisk) -> list[bytes]:
        """What is in the file."""
        descriptor = disk.open(b"messages", Access.READ)
        return disk.read(descriptor, 0, 1 << 20).split()

    def test_killed_and_power_lost(self) -> None:
        """Whatever was killed before, what was delivered then is there."""
        for at in range(5):
            disk = SimulatedDisk()
            disk.crash_after = at
            self.assertRaises(PowerOff, self.append, disk, b"first") if at < 4 else self.append(disk, b"first")
            disk.kill()
            self.append(disk, b"again")
            self.assertEqual(self.lines(disk.power_off(LOST))[-1], b"again")
            self.append(disk, b"more")
            self.assertEqual(self.lines(disk.power_off(LOST))[-2:], [b"again", b"more"])
