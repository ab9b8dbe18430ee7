"""Jobs that run now and then."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_s3.periodic import Job, Periodic


class PeriodicTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.done: list[float] = []
        self.held: set[str] = set()

    async def run_once(self) -> None:
        self.done.append(self.clock.seconds())

    async def take(self, name: str) -> Callable[[], object] | None:
        if name in self.held:
            return None
        self.held.add(name)
        return lambda: self.held.remove(name)

    def stop(self, periodic: Periodic) -> None:
        self.successResultOf(Deferred.fromCoroutine(periodic.stop()))

    def test_again_and_again(self) -> None:
        periodic = Periodic(Job("job", 10.0, self.run_once), self.clock)
        periodic.start()
        self.clock.pump([5.0] * 5)
        self.assertEqual(self.done, [0.0, 10.0, 20.0])
        self.stop(periodic)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_failure_is_not_the_end(self) -> None:
        async def fail() -> None:
            await self.run_once()
            raise OSError("the disk")

        periodic = Periodic(Job("job", 10.0, fail), self.clock, self.take)
        periodic.start()
        self.clock.advance(10.0)
        self.assertEqual((len(self.done), len(self.flushLoggedErrors(OSError))), (2, 2))
        self.assertEqual(self.held, set())
        self.stop(periodic)

    def test_one_at_a_time(self) -> None:
        """Whoever has no lease waits for the next time; the lease ends with the job."""
        gate: Deferred[None] = Deferred()

        async def wait() -> None:
            await self.run_once()
            await gate

        first = Periodic(Job("job", 10.0, wait), self.clock, self.take)
        second = Periodic(Job("job", 10.0, self.run_once), self.clock, self.take)
        other = Periodic(Job("other", 100.0, self.run_once), self.clock, self.take)
        for periodic in (first, second, other):
            periodic.start()
        self.assertEqual(len(self.done), 2)
        self.clock.advance(10.0)
        self.assertEqual(len(self.done), 2)
        gate.callback(None)
        self.clock.advance(10.0)
        self.assertEqual(len(self.done), 4)
        for periodic in (first, second, other):
            self.stop(periodic)

    def test_stop_hurries_and_waits(self) -> None:
        gate: Deferred[None] = Deferred()

        async def wait() -> None:
            await gate

        periodic = Periodic(Job("job", 10.0, wait, lambda: self.done.append(-1.0)), self.clock, self.take)
        periodic.start()
        stopped = Deferred.fromCoroutine(periodic.stop())
        self.assertEqual(self.done, [-1.0])
        self.assertNoResult(stopped)
        gate.callback(None)
        self.successResultOf(stopped)
        self.assertEqual((self.held, self.clock.getDelayedCalls()), (set(), []))
