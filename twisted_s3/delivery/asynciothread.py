"""An asyncio loop in a thread of its own, for a library that needs one, and the way there and back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from threading import Thread
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads

T = TypeVar("T")


class AsyncioThread:
    """Runs coroutines of asyncio. All methods are for the thread of the reactor.

    :param reactor: where results are given.
    """

    def __init__(self, reactor: IReactorFromThreads, name: str) -> None:
        self._reactor = reactor
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def run(self, make: Callable[[], Coroutine[Any, Any, T]]) -> Deferred[T]:
        """Run a coroutine in the loop. Cancelling the Deferred cancels the coroutine's task."""
        under_way: Future[T] = asyncio.run_coroutine_threadsafe(make(), self._loop)

        def cancel(_: Deferred[T]) -> None:
            under_way.cancel()

        result: Deferred[T] = Deferred(cancel)

        def finish() -> None:
            if result.called:
                return
            if under_way.cancelled():
                result.cancel()
            elif (error := under_way.exception()) is not None:
                result.errback(error)
            else:
                result.callback(under_way.result())

        under_way.add_done_callback(lambda _: self._reactor.callFromThread(finish))
        return result

    def stop(self) -> Deferred[None]:
        """End the loop and its thread. Fires when it has ended."""
        ended: Deferred[None] = Deferred()

        def end() -> None:
            self._thread.join()
            self._loop.close()
            ended.callback(None)

        async def last() -> None:
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._reactor.callFromThread(end)
            self._loop.stop()

        asyncio.run_coroutine_threadsafe(last(), self._loop)
        return ended
