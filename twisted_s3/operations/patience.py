"""Work that goes on while somebody looks in now and then."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Generic, TypeVar, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

T = TypeVar("T")


class Work(Generic[T]):
    """A coroutine that runs from now on, whether anybody waits for it or not.

    :param interval: how many seconds a :meth:`wait` may take.
    """

    def __init__(self, work: Coroutine[Any, Any, T], clock: IReactorTime, interval: float) -> None:
        self._clock = clock
        self._interval = interval
        self._done = False
        self._outcome: T | Failure | None = None
        self._waiter: Deferred[None] | None = None
        Deferred.fromCoroutine(work).addBoth(self._finish)

    async def wait(self) -> bool:
        """Wait until it is done, but no longer than the interval. Gives whether it is done. One waits at a time."""
        if not self._done:
            self._waiter = Deferred()
            timer = self._clock.callLater(self._interval, self._wake)
            try:
                await self._waiter
            finally:
                if timer.active():
                    timer.cancel()
        return self._done

    def result(self) -> T:
        """What it came to, when it is done. :raise Exception: what it raised."""
        if isinstance(self._outcome, Failure):
            self._outcome.raiseException()
        return cast(T, self._outcome)

    def _finish(self, outcome: T | Failure) -> None:
        self._done, self._outcome = True, outcome
        self._wake()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.callback(None)
