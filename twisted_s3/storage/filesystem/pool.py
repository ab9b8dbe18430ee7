"""The threads that wait for the disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime
from twisted.python.threadpool import ThreadPool

T = TypeVar("T")


#: How many threads wait for the disk unless told otherwise.
DEFAULT_THREADS = 16


class IStoreReactor(IReactorFromThreads, IReactorTime):
    """What a store asks of a reactor."""


class DiskPool:
    """One pool of threads, owned by one store.

    :param reactor: where the results are given.
    :param threads: the most that run at once.
    """

    def __init__(self, reactor: IReactorFromThreads, threads: int) -> None:
        self._reactor = reactor
        self._threads = ThreadPool(minthreads=0, maxthreads=threads, name="s3store disk")
        self._under_way = 0
        self._idle: list[Deferred[None]] = []

    def start(self) -> None:
        """Begin to run jobs."""
        self._threads.start()

    async def stop(self) -> None:
        """Wait for the jobs under way, then end the threads."""
        while self._under_way:
            idle: Deferred[None] = Deferred()
            self._idle.append(idle)
            await idle
        self._threads.stop()

    def run(self, job: Callable[..., T], *args: Any, undo: Callable[[T], object] | None = None) -> Deferred[T]:
        """Call ``job`` in a thread. A job is never broken off: cancelling its Deferred only ends the waiting.

        :param undo: takes, in a thread, the result that nobody waits for any more.
        """
        result: Deferred[T] = Deferred()
        self._under_way += 1

        def done(success: bool, value: Any) -> None:
            self._reactor.callFromThread(self._finish, result, success, value, undo)

        self._threads.callInThreadWithCallback(done, job, *args)
        return result

    def _finish(self, result: Deferred[T], success: bool, value: Any, undo: Callable[[T], object] | None) -> None:
        if success and result.called and undo is not None:
            self.run(undo, value)
        elif success:
            result.callback(value)
        else:
            result.errback(value)
        self._under_way -= 1
        if not self._under_way:
            waiting, self._idle = self._idle, []
            for idle in waiting:
                idle.callback(None)
