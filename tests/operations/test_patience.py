"""Work that somebody looks in on, with a clock that only tests move."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_s3.operations.patience import Work


class Patience(SynchronousTestCase):
    """:class:`Work`."""

    def setUp(self) -> None:
        """Work that is done when ``work`` fires."""
        self.clock = Clock()
        self.work: Deferred[str] = Deferred()

        async def working() -> str:
            return await self.work

        self.watched = Work(working(), self.clock, 5.0)

    def waiting(self) -> Deferred[bool]:
        """Wait once."""
        return Deferred.fromCoroutine(self.watched.wait())

    def test_done_in_time(self) -> None:
        """A wait ends with the work, and leaves no timer."""
        waiting = self.waiting()
        self.assertNoResult(waiting)
        self.work.callback("done")
        self.assertIs(self.successResultOf(waiting), True)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.watched.result(), "done")
        self.assertIs(self.successResultOf(self.waiting()), True)

    def test_interval(self) -> None:
        """A wait ends after the interval; the next may be the last."""
        for _ in range(3):
            waiting = self.waiting()
            self.clock.advance(4.9)
            self.assertNoResult(waiting)
            self.clock.advance(0.1)
            self.assertIs(self.successResultOf(waiting), False)
        waiting = self.waiting()
        self.work.callback("late")
        self.assertIs(self.successResultOf(waiting), True)
        self.assertEqual(self.watched.result(), "late")

    def test_done_between(self) -> None:
        """It may be done while nobody waits, also with None."""
        self.work.callback(None)  # type: ignore[arg-type]
        self.assertIs(self.successResultOf(self.waiting()), True)
        self.assertIsNone(self.watched.result())

    def test_failure(self) -> None:
        """What it raised, it raises."""
        waiting = self.waiting()
        self.work.errback(ValueError("no"))
        self.assertIs(self.successResultOf(waiting), True)
        self.assertRaises(ValueError, self.watched.result)
