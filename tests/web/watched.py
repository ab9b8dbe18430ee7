"""A store that waits when it is told to, and counts."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from twisted_s3.storage.memory import MemoryStore


class WatchedStore(MemoryStore):
    """A memory store whose writes and reads can be held back or made to fail.

    :ivar held: whether writes and reads wait.
    :ivar failure: raised by reads from ``fail_from`` on.
    :ivar written: bytes that writes have taken.
    :ivar read: bytes that reads have given.
    :ivar open: opened objects that were not closed.
    :ivar staged: staged bodies that were neither committed nor discarded.
    """

    def __init__(self, clock: Any) -> None:
        super().__init__(clock)
        self.held = False
        self.failure: Exception | None = None
        self.fail_from = 0
        self.written = 0
        self.read = 0
        self.open = 0
        self.staged = 0
        self._waiting: list[Deferred[None]] = []
        self._watchers: list[Deferred[None]] = []

    def release(self) -> None:
        """Let all go on."""
        self.held = False
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.callback(None)

    async def changed(self) -> None:
        """Wait for the next change of a number."""
        watcher: Deferred[None] = Deferred()
        self._watchers.append(watcher)
        await watcher

    def notice(self) -> None:
        """A number has changed."""
        watchers, self._watchers = self._watchers, []
        for watcher in watchers:
            watcher.callback(None)

    async def turn(self) -> None:
        """Wait while all is held."""
        if self.held:
            waiting: Deferred[None] = Deferred()
            self._waiting.append(waiting)
            await waiting

    async def stage(self, *args: Any, **kw: Any) -> Any:
        """See `IObjectStore`."""
        return _Staged(self, await super().stage(*args, **kw))

    async def open_object(self, *args: Any, **kw: Any) -> Any:
        """See `IObjectStore`."""
        return _Opened(self, await super().open_object(*args, **kw))


class _Staged:
    def __init__(self, store: WatchedStore, staged: Any) -> None:
        self._store = store
        self._staged = staged
        self._ended = False
        store.staged += 1

    async def write(self, data: bytes) -> None:
        await self._store.turn()
        await self._staged.write(data)
        self._store.written += len(data)
        self._store.notice()

    async def commit(self, *args: Any, **kw: Any) -> Any:
        return await self._staged.commit(*args, **kw)

    async def discard(self) -> None:
        if not self._ended:
            self._ended = True
            self._store.staged -= 1
            self._store.notice()
        await self._staged.discard()


class _Opened:
    def __init__(self, store: WatchedStore, opened: Any) -> None:
        self._store = store
        self._opened = opened
        self._closed = False
        self.version = opened.version
        store.open += 1

    async def read(self, offset: int, length: int) -> bytes:
        await self._store.turn()
        if self._store.failure is not None and offset >= self._store.fail_from:
            raise self._store.failure
        data: bytes = await self._opened.read(offset, length)
        self._store.read += len(data)
        self._store.notice()
        return data

    def fileno(self) -> None:
        return None

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._store.open -= 1
            self._store.notice()
        self._opened.close()
