"""Jobs that are done again and again: on an injected clock, and where several processes could, by one of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress

from msgspec import Struct
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

#: Takes a lease by its name. Gives what gives it back; None while another has it.
TakeLease = Callable[[str], Awaitable[Callable[[], object] | None]]


class Job(Struct, frozen=True):
    """Something that is done now and then.

    :ivar name: of the job, and of its lease.
    :ivar interval: seconds from the end of one time to the beginning of the next.
    :ivar run: does it once. What it raises is logged; the next time may go better.
    :ivar hurry: called when a time that is under way should end soon.
    """

    name: str
    interval: float
    run: Callable[[], Awaitable[object]]
    hurry: Callable[[], object] = lambda: None


class Periodic:
    """Does a job now, and then again and again.

    :param take_lease: of all processes that share what this takes leases from, one at a time does the job; without it
        each does it.
    """

    _log = Logger()

    def __init__(self, job: Job, clock: IReactorTime, take_lease: TakeLease | None = None) -> None:
        self.job = job
        self._clock = clock
        self._take_lease = take_lease
        self._loop: Deferred[None] | None = None
        self._stopping = False
        self._pause: Deferred[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._stopping = False
        self._loop = Deferred.fromCoroutine(self._repeat())

    async def stop(self) -> None:
        """Do it no more; wait for a time that is under way."""
        loop, self._loop = self._loop, None
        if loop is not None:
            self._stopping = True
            self.job.hurry()
            if self._pause is not None:
                self._pause.cancel()
            await loop

    async def _repeat(self) -> None:
        # A LoopingCall makes the global reactor, whichever clock it is given.
        with suppress(CancelledError):
            while not self._stopping:
                await self._once()
                if not self._stopping:
                    self._pause = deferLater(self._clock, self.job.interval)
                    await self._pause

    async def _once(self) -> None:
        try:
            release = None
            if self._take_lease is not None:
                release = await self._take_lease(self.job.name)
                if release is None:
                    return
            try:
                if not self._stopping:
                    await self.job.run()
            finally:
                if release is not None:
                    release()
        except Exception:
            # A disk that fails now may work again the next time.
            self._log.failure("the job {name} failed", name=self.job.name)
