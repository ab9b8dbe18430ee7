"""Opened objects, and the pool that reads for them."""

from __future__ import annotations

from threading import Event
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import TestCase

from tests.storage.filesystem.disks import ObservedDisk
from tests.storage.filesystem.kit import FilesystemKit
from tests.storage.kit import BUCKET, pattern
from twisted_s3.storage.filesystem.disk import IDisk
from twisted_s3.storage.filesystem.pool import DiskPool

LARGE = 1 << 20


class ReadingTests(FilesystemKit, TestCase):
    """What is read, where, and when the descriptor goes."""

    def wrap(self, disk: IDisk) -> IDisk:
        self.calls: list[str] = []
        self.gate: Event | None = None
        return ObservedDisk(disk, self.watch)  # type: ignore[return-value]

    def watch(self, name: str, args: tuple[Any, ...]) -> None:
        """Note the call; reads wait at the gate."""
        self.calls.append(name)
        if name == "read" and self.gate is not None:
            self.gate.wait(10)

    async def test_a_small_read_takes_no_thread(self) -> None:
        await self.put("x", pattern(4096))
        self.calls.clear()
        opened = await self.store.open_object(BUCKET, "x")
        self.assertEqual(await opened.read(96, 4000), pattern(4096)[96:])
        opened.close()
        self.assertEqual(self.calls, ["open", "fstat", "getxattr", "read_cached", "close"])

    async def test_closed_while_it_is_read(self) -> None:
        await self.put("x", pattern(LARGE))
        opened = await self.store.open_object(BUCKET, "x")
        self.gate = Event()
        reading = Deferred.fromCoroutine(opened.read(0, LARGE))  # type: ignore[arg-type]
        opened.close()
        opened.close()
        self.calls.clear()
        self.gate.set()
        self.assertEqual(await reading, pattern(LARGE))
        self.assertEqual(self.calls.count("close"), 1)
        with self.assertRaises(OSError):
            await opened.read(0, 1)

    async def test_truncated_by_hand(self) -> None:
        await self.put("x", pattern(LARGE))
        opened = await self.store.open_object(BUCKET, "x")
        self.path("x").write_bytes(b"1")
        for offset, length in ((0, LARGE), (0, 2), (1, 1)):
            with self.assertRaises(OSError):
                await opened.read(offset, length)
        opened.close()

    async def test_nobody_waits_for_it_any_more(self) -> None:
        self.path("x").write_bytes(b"by hand")
        other = self.another_store()
        await other.start()
        self.gate = Event()
        opening = Deferred.fromCoroutine(other.open_object(BUCKET, "x"))  # type: ignore[arg-type]
        opening.cancel()
        with self.assertRaises(CancelledError):
            await opening
        self.calls.clear()
        self.gate.set()
        # Stopping waits for all that is under way, the closing of what was opened for nobody included.
        await other.stop()
        self.assertEqual(self.calls[-2:], ["close", "shut"])


class PoolTests(TestCase):
    """Jobs end before the pool does."""

    async def test_results_and_failures(self) -> None:
        pool = DiskPool(reactor, 2)
        pool.start()
        self.assertEqual(await pool.run(divmod, 7, 2), (3, 1))
        with self.assertRaises(ZeroDivisionError):
            await pool.run(divmod, 7, 0)
        await pool.stop()

    async def test_stop_waits(self) -> None:
        pool = DiskPool(reactor, 1)
        pool.start()
        gate, done = Event(), []
        pool.run(gate.wait, 10).addCallback(done.append)
        pool.run(done.append, "second")
        stopping = Deferred.fromCoroutine(pool.stop())
        self.assertEqual(done, [])
        gate.set()
        await stopping
        self.assertEqual(sorted(map(str, done)), ["True", "second"])
