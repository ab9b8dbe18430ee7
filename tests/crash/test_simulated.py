"""The simulated disk: like a real one while there is power, and worse than any when there is none."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.crash.inodes import Crash, PowerOff
from tests.crash.schedule import Baton, Deadlock
from tests.crash.simulated import SimulatedDisk
from twisted_s3.storage.filesystem.disk import Access, Descriptor, IDisk, Kind
from twisted_s3.storage.filesystem.realdisk import RealDisk

LOST = Crash("lost", "lost", 0.5, Random(0))
KEPT = Crash("kept", "kept", 0.5, Random(0))

_PATHS = st.sampled_from([b"a", b"b", b"d", b"d/a", b"d/b", b"d/e", b"d/e/a", b"x" * 256, b"a/z", b"none/a"])
_SHORT = _PATHS.filter(lambda path: len(path) < 200)
_STEPS = st.one_of(
    st.tuples(st.just("open"), _PATHS, st.sampled_from(Access)),
    st.tuples(st.just("put"), _PATHS, st.booleans(), st.binary(max_size=9)),
    st.tuples(st.just("rename"), _SHORT, _SHORT),
    st.tuples(st.just("link"), _SHORT, _SHORT),
    *(st.tuples(st.just(name), _PATHS) for name in ("stat", "look", "unlink", "mkdir", "rmdir")),
    *(st.tuples(st.just(name), _PATHS) for name in ("scan", "fsync_directory")),
    st.tuples(st.just("edit"), _PATHS, st.integers(0, 9), st.binary(max_size=9), st.integers(0, 12)),
)


class _Driver:
    """Makes the same calls to any disk, and tells what can be seen of them."""

    def __init__(self, disk: Any) -> None:
        self._disk = disk
        disk.mkdir(b"tmp")

    def step(self, name: str, *args: Any) -> object:
        try:
            return getattr(self, "_" + name, self._call(name))(*args)
        except OSError as error:
            return os.strerror(error.errno or 0)

    def tree(self, directory: bytes = b"") -> list[object]:
        """Everything on the disk."""
        found: list[object] = []
        for name, kind in sorted(self._disk.scan(directory)):
            path = b"%b/%b" % (directory, name) if directory else name
            found.append((path, kind, self._content(path) if kind is Kind.FILE else self.tree(path)))
        return found

    def _call(self, name: str) -> Callable[..., object]:
        def call(*args: Any) -> object:
            result = getattr(self._disk, name)(*args)
            if name == "stat":
                return result.kind, result.size if result.kind is Kind.FILE else None
            return sorted(result) if name == "scan" else result

        return call

    def _open(self, path: bytes, access: Access) -> object:
        descriptor = self._disk.open(path, access)
        try:
            found = self._disk.fstat(descriptor)
            return found.kind, found.links if found.kind is Kind.FILE else None
        finally:
            self._disk.close(descriptor)

    def _put(self, path: bytes, replace: bool, data: bytes) -> object:
        temporary = self._disk.create_temporary(b"tmp")
        try:
            self._disk.write(temporary.descriptor, 0, [data])
            self._disk.setxattr(temporary.descriptor, "user.s3store", data)
            self._disk.publish(temporary, path, replace)
        finally:
            if temporary.name is not None:
                self._disk.unlink(temporary.name)
            self._disk.close(temporary.descriptor)
        return None

    def _look(self, path: bytes) -> object:
        folder, _, name = path.rpartition(b"/")
        (found,) = self._disk.look(folder, [name], "user.s3store")
        return found and (found[0].kind, found[0].size, found[1])

    def _edit(self, path: bytes, offset: int, data: bytes, size: int) -> object:
        descriptor = self._disk.open(path, Access.WRITE)
        try:
            self._disk.write(descriptor, offset, [data, b"", data])
            self._disk.truncate(descriptor, size)
            self._disk.fsync(descriptor)
            return self._disk.read(descriptor, 2, 5)
        finally:
            self._disk.close(descriptor)

    def _content(self, path: bytes) -> object:
        descriptor = self._disk.open(path, Access.READ)
        try:
            return self._disk.read(descriptor, 0, 99), self._disk.getxattr(descriptor, "user.s3store")
        finally:
            self._disk.close(descriptor)


class LikeRealTests(SynchronousTestCase):
    """As long as there is power."""

    def test_interface(self) -> None:
        self.assertTrue(verifyObject(IDisk, SimulatedDisk()))

    @settings(max_examples=60, deadline=None, database=None)
    @given(st.lists(_STEPS, max_size=25), st.booleans())
    def test_same_answers_as_the_real_disk(self, steps: list[tuple[Any, ...]], unnamed: bool) -> None:
        root = tempfile.mkdtemp()
        real = RealDisk(root, unnamed=unnamed)
        try:
            both = _Driver(real), _Driver(SimulatedDisk(unnamed=unnamed))
            for step in steps:
                one, other = (driver.step(*step) for driver in both)
                self.assertEqual(one, other, step)
            self.assertEqual(both[0].tree(), both[1].tree())
        finally:
            real.shut()
            shutil.rmtree(root)

    def test_locks(self) -> None:
        root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, root)
        real = RealDisk(root)
        self.addCleanup(real.shut)
        for disk in (real, SimulatedDisk()):
            first, second, third = (disk.open(b"lock", Access.ENSURE) for _ in range(3))
            self.assertTrue(disk.lock(first, exclusive=False, wait=False))
            self.assertTrue(disk.lock(second, exclusive=False, wait=False))
            self.assertFalse(disk.lock(third, exclusive=True, wait=False))
            disk.close(first)
            disk.close(second)
            self.assertTrue(disk.lock(third, exclusive=True, wait=True))
            disk.close(third)


class PowerTests(SynchronousTestCase):
    """What is there when the power is back."""

    def setUp(self) -> None:
        self.disk = SimulatedDisk()
        self.disk.mkdir(b"d")
        self.disk.fsync_directory(b"")

    def make(self, path: bytes, data: bytes = b"1", sync: bool = True) -> None:
        descriptor = self.disk.open(path, Access.ENSURE)
        self.disk.write(descriptor, 0, [data])
        if sync:
            self.disk.fsync(descriptor)
        self.disk.close(descriptor)

    def names(self, disk: SimulatedDisk, path: bytes = b"") -> list[bytes]:
        return sorted(name for name, _ in disk.scan(path))

    def content(self, disk: SimulatedDisk, path: bytes) -> bytes:
        descriptor = disk.open(path, Access.READ)
        return disk.read(descriptor, 0, 1 << 20)

    def outcomes(self, path: bytes = b"") -> set[tuple[bytes, ...]]:
        """All sets of names that crashes leave."""
        random = Random(1)
        return {tuple(self.names(self.disk.power_off(Crash.sample(random)), path)) for _ in range(300)}

    def test_the_sync_of_a_file_keeps_its_bytes_but_not_its_name(self) -> None:
        self.make(b"a")
        self.assertEqual(self.names(self.disk.power_off(LOST)), [b"d"])
        self.assertEqual(self.content(self.disk.power_off(KEPT), b"a"), b"1")

    def test_the_sync_of_a_directory_keeps_names_but_no_bytes(self) -> None:
        self.make(b"a", sync=False)
        self.disk.fsync_directory(b"")
        self.assertEqual(self.content(self.disk.power_off(LOST), b"a"), b"")

    def test_the_sync_of_a_directory_keeps_not_its_own_name(self) -> None:
        self.disk.mkdir(b"e")
        self.make(b"e/a")
        self.disk.fsync_directory(b"e")
        self.assertEqual(self.outcomes(), {(b"d",), (b"d", b"e")})
        self.assertEqual(self.outcomes(b"d"), {()})

    def test_names_are_lost_in_any_order(self) -> None:
        self.make(b"a")
        self.make(b"b")
        self.assertEqual(self.outcomes(), {(b"d",), (b"a", b"d"), (b"b", b"d"), (b"a", b"b", b"d")})

    def test_a_journal_keeps_the_first(self) -> None:
        self.make(b"a")
        self.make(b"b")
        random = Random(2)
        found = {tuple(self.names(self.disk.power_off(Crash("prefix", "lost", 0.5, random)))) for _ in range(50)}
        self.assertEqual(found, {(b"d",), (b"a", b"d"), (b"a", b"b", b"d")})

    def test_renames(self) -> None:
        for atomic, expected in ((True, {(1, 0), (0, 1)}), (False, {(1, 0), (0, 1), (1, 1), (0, 0)})):
            self.disk = SimulatedDisk(atomic_renames=atomic)
            self.disk.mkdir(b"d")
            self.make(b"a")
            self.disk.fsync_directory(b"")
            self.disk.rename(b"a", b"d/a")
            random = Random(3)
            found = set()
            for _ in range(200):
                after = self.disk.power_off(Crash.sample(random))
                found.add((int(b"a" in self.names(after)), len(self.names(after, b"d"))))
            self.assertEqual(found, expected)

    def test_a_directory_goes_with_all_that_went_from_it(self) -> None:
        self.make(b"d/a")
        self.disk.fsync_directory(b"d")
        self.disk.rename(b"d/a", b"a")
        self.disk.rmdir(b"d")
        random = Random(6)
        for _ in range(200):
            after = self.disk.power_off(Crash.sample(random))
            names = self.names(after)
            self.assertTrue(b"a" in names or self.names(after, b"d") == [b"a"], names)
        self.disk.fsync_directory(b"")
        self.assertEqual(self.names(self.disk.power_off(LOST)), [b"a"])

    def test_a_removed_directory_that_is_synced_goes_with_all_that_went_from_it(self) -> None:
        for directory in (b"d/b", b"e"):
            self.disk.mkdir(directory)
        self.make(b"d/b/a")
        for directory in (b"d/b", b"d", b""):
            self.disk.fsync_directory(directory)
        self.disk.rename(b"d/b/a", b"e/a")
        self.disk.rmdir(b"d/b")
        # Nobody synced the place to which it moved.
        self.disk.fsync_directory(b"d")
        after = self.disk.power_off(LOST)
        self.assertEqual((self.names(after, b"d"), self.names(after, b"e")), ([], [b"a"]))

    def test_a_name_that_is_taken_over_never_is_nobodys(self) -> None:
        self.make(b"a", b"old")
        self.disk.fsync_directory(b"")
        temporary = self.disk.create_temporary(b"d")
        self.disk.write(temporary.descriptor, 0, [b"new"])
        self.disk.fsync(temporary.descriptor)
        self.disk.publish(temporary, b"a", replace=True)
        random = Random(4)
        found = {self.content(self.disk.power_off(Crash.sample(random)), b"a") for _ in range(200)}
        self.assertEqual(found, {b"old", b"new"})
        self.disk.fsync_directory(b"")
        self.assertEqual(self.content(self.disk.power_off(LOST), b"a"), b"new")

    def test_torn_bytes(self) -> None:
        self.make(b"a", b"o" * 1024)
        self.disk.fsync_directory(b"")
        self.make(b"a", b"n" * 1024, sync=False)
        random = Random(5)
        pages = set()
        for _ in range(50):
            content = self.content(self.disk.power_off(Crash("lost", "torn", 0.5, random)), b"a")
            self.assertEqual(len(content), 1024)
            pages |= {content[at : at + 256] for at in range(0, 1024, 256)}
        self.assertTrue({b"o" * 256, b"n" * 256, bytes(256)} <= pages)
        self.assertGreater(len(pages), 20)

    def test_attributes(self) -> None:
        self.make(b"a")
        self.disk.fsync_directory(b"")
        descriptor = self.disk.open(b"a", Access.WRITE)
        self.disk.setxattr(descriptor, "user.x", b"1")
        for crash, value in ((LOST, None), (KEPT, b"1")):
            after = self.disk.power_off(crash)
            self.assertEqual(after.getxattr(after.open(b"a", Access.READ), "user.x"), value)
        self.disk.fsync(descriptor)
        after = self.disk.power_off(LOST)
        self.assertEqual(after.getxattr(after.open(b"a", Access.READ), "user.x"), b"1")

    def test_the_mark_of_a_directory_is_lost_with_it(self) -> None:
        self.disk.anchor(b"d")
        self.assertFalse(self.disk.power_off(LOST).is_anchored(b"d"))
        self.disk.fsync_directory(b"d")
        self.assertTrue(self.disk.power_off(LOST).is_anchored(b"d"))

    def test_files_without_a_name_are_gone(self) -> None:
        temporary = self.disk.create_temporary(b"d")
        self.disk.fsync(temporary.descriptor)
        self.assertEqual(self.names(self.disk.power_off(KEPT), b"d"), [])

    def test_a_failed_sync_has_lost_the_bytes(self) -> None:
        self.make(b"a", b"old")
        self.disk.fsync_directory(b"")
        descriptor, other = (self.disk.open(b"a", Access.WRITE) for _ in range(2))
        self.disk.write(descriptor, 0, [b"new"])
        self.disk.fail_fsync(descriptor)
        # The kernel believes that all is well, and tells everybody else once.
        self.disk.fsync(descriptor)
        self.assertRaises(OSError, self.disk.fsync, other)
        self.disk.fsync(other)
        self.assertEqual(self.content(self.disk, b"a"), b"new")

    def test_after_the_power_has_failed_every_call_fails(self) -> None:
        self.disk.crash_after = self.disk.changes + 1
        self.disk.mkdir(b"e")
        self.assertEqual(self.names(self.disk), [b"d", b"e"])
        for call in (lambda: self.disk.mkdir(b"f"), lambda: self.disk.stat(b"e")):
            with self.assertRaises(PowerOff):
                call()
        self.disk.kill()
        self.assertEqual(self.names(self.disk), [b"d", b"e"])

    def test_numbers_are_used_again_when_they_are_free_for_good(self) -> None:
        self.make(b"a")
        self.disk.fsync_directory(b"")
        number = self.disk.stat(b"a").inode
        self.disk.unlink(b"a")
        self.make(b"b")
        self.assertNotEqual(self.disk.stat(b"b").inode, number)
        self.disk.fsync_directory(b"")
        self.make(b"c")
        self.assertEqual(self.disk.stat(b"c").inode, number)

    def test_a_full_disk_takes_what_fits(self) -> None:
        self.disk.capacity = 10
        descriptor = self.disk.open(b"a", Access.ENSURE)
        with self.assertRaises(OSError):
            self.disk.write(descriptor, 0, [b"12345", b"678901"])
        self.assertEqual(self.content(self.disk, b"a"), b"1234567890")
        self.disk.write(descriptor, 0, [b"ab"])

    def test_descriptors_that_were_closed(self) -> None:
        descriptor = self.disk.open(b"d", Access.READ)
        self.disk.close(descriptor)
        self.assertRaises(OSError, self.disk.fstat, descriptor)
        self.assertRaises(OSError, self.disk.close, Descriptor(descriptor))


class BatonTests(SynchronousTestCase):
    """One at a time, in an order that the seed decides."""

    def order(self, seed: int) -> str:
        baton = Baton(Random(seed), 0.5)
        said: list[str] = []

        def talk(name: str) -> None:
            for _ in range(5):
                said.append(name)
                baton.offer()

        baton.run(*(lambda name=name: talk(name) for name in "abc"))
        return "".join(said)

    def test_order(self) -> None:
        self.assertEqual([self.order(seed) for seed in range(9)], [self.order(seed) for seed in range(9)])
        self.assertGreater(len({self.order(seed) for seed in range(9)}), 5)

    def test_events_and_deadlocks(self) -> None:
        baton = Baton(Random(0), 0.5)
        event = baton.event()
        said: list[str] = []

        def follow() -> None:
            event.wait()
            said.append("after")

        def lead() -> None:
            said.append("before")
            event.set()

        baton.run(follow, lead)
        self.assertEqual(said, ["before", "after"])
        self.assertRaises(Deadlock, baton.run, baton.event().wait)
