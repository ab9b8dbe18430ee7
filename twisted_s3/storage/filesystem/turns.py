"""Turns: of the jobs of this process that need one lock, one at a time takes a thread of the pool.

A thread that waits for a lock is lost to everybody else. So whoever has the lock may be slow, or stopped, or another
machine's: it keeps a thread waiting, and not all of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from twisted.internet.defer import DeferredLock


class Turns:
    """Who is next, by the name of the lock. For the reactor's thread."""

    def __init__(self) -> None:
        self._locks: dict[str, DeferredLock] = {}

    @asynccontextmanager
    async def taken(self, *names: str) -> AsyncIterator[None]:
        """Wait for one's turn at each of the locks, then keep them until the end of the block."""
        async with AsyncExitStack() as stack:
            # In one order, so that nobody waits for ever.
            for name in sorted(set(names)):
                await stack.enter_async_context(self._one(name))
            yield

    async def settled(self) -> None:
        """Wait until nobody has a turn or waits for one."""
        while self._locks:
            async with self._one(next(iter(self._locks))):
                pass

    @asynccontextmanager
    async def _one(self, name: str) -> AsyncIterator[None]:
        lock = self._locks.setdefault(name, DeferredLock())
        await lock.acquire()
        try:
            yield
        finally:
            lock.release()
            if not lock.locked and self._locks.get(name) is lock:
                del self._locks[name]
