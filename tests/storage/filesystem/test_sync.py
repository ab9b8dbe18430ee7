"""Shared directory syncs."""

from __future__ import annotations

import errno
from threading import Event, Thread

from twisted.trial.unittest import SynchronousTestCase

from twisted_s3.storage.filesystem.sync import DirectorySync


class _GatedDisk:
    """A disk whose syncs each wait for their own gate."""

    def __init__(self) -> None:
        self.gates = [Event() for _ in range(3)]
        self.begun = [Event() for _ in range(3)]
        self.count = 0
        self.fail_from = 99

    def fsync_directory(self, path: bytes) -> None:
        at = self.count
        self.count += 1
        self.begun[at].set()
        self.gates[at].wait(10)
        if at >= self.fail_from:
            raise OSError(errno.EIO, "lost")

    def is_anchored(self, path: bytes) -> bool:
        return True


class SharingTests(SynchronousTestCase):
    """While one sync runs, all who come wait for the one next."""

    def setUp(self) -> None:
        self.disk = _GatedDisk()
        self.syncs = DirectorySync(self.disk)  # type: ignore[arg-type]
        self.results: list[str] = []

    def start(self) -> Thread:
        thread = Thread(target=self.sync, daemon=True)
        thread.start()
        return thread

    def sync(self) -> None:
        try:
            self.syncs.sync(b"d")
        except OSError as error:
            self.results.append(errno.errorcode[error.errno or 0])
        except MemoryError:
            pass
        else:
            self.results.append("synced")

    def wait_for_followers(self, count: int) -> None:
        """Until so many threads wait (one for the leader's end, the others for its batch)."""
        for _ in range(10_000_000):
            batch = self.syncs._waiting.get(b"d")
            if batch is not None and len(batch.done._cond._waiters) >= count - 1:  # type: ignore[attr-defined]
                return
        self.fail("they do not wait")

    def test_one_for_the_batch(self) -> None:
        first = self.start()
        self.disk.begun[0].wait(10)
        others = [self.start() for _ in range(5)]
        self.wait_for_followers(5)
        self.assertEqual(self.disk.count, 1)
        self.disk.gates[0].set()
        self.disk.begun[1].wait(10)
        first.join(10)
        # Nobody of the batch is done before the batch's own sync is.
        self.assertEqual(self.results, ["synced"])
        late = self.start()
        self.disk.gates[2].set()
        self.disk.gates[1].set()
        for thread in (*others, late):
            thread.join(10)
        self.assertEqual(self.results, ["synced"] * 7)
        self.assertEqual(self.disk.count, 3)
        self.assertEqual((self.syncs._running, self.syncs._waiting), ({}, {}))

    def test_all_of_a_batch_hear_of_its_failure(self) -> None:
        self.disk.fail_from = 1
        first = self.start()
        self.disk.begun[0].wait(10)
        others = [self.start() for _ in range(3)]
        self.wait_for_followers(3)
        for gate in self.disk.gates:
            gate.set()
        for thread in (first, *others):
            thread.join(10)
        self.assertEqual(sorted(self.results), ["EIO"] * 3 + ["synced"])

    def test_a_sync_that_ends_in_another_way(self) -> None:
        """Whoever waits for a sync that was broken off must not take it for done."""
        begun, gate = Event(), Event()

        def break_off(path: bytes) -> None:
            begun.set()
            gate.wait(10)
            raise MemoryError

        self.disk.fsync_directory = break_off  # type: ignore[method-assign]
        waiter = self.start()
        begun.wait(10)
        batch = self.syncs._running[b"d"]
        gate.set()
        waiter.join(10)
        batch.done.wait(10)
        self.assertEqual((batch.error and batch.error.errno, self.results), (errno.EIO, []))
        self.assertEqual((self.syncs._running, self.syncs._waiting), ({}, {}))

    def test_a_directory_that_is_gone(self) -> None:
        def gone(path: bytes) -> None:
            raise FileNotFoundError(errno.ENOENT, "gone")

        self.disk.fsync_directory = gone  # type: ignore[method-assign]
        self.sync()
        self.assertEqual(self.results, ["synced"])
