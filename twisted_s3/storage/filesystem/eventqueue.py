"""The queue of events of a store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from zope.interface import implementer

from twisted_s3.interfaces import Pending
from twisted_s3.model import Deletion, ObjectVersion
from twisted_s3.queueing import Content, IEventFeed, IEventQueue, Letter, Line, Position, Stretch
from twisted_s3.storage.filesystem.deliveries import Deliveries
from twisted_s3.storage.filesystem.journal import Journal


@implementer(IEventQueue, IEventFeed)
class EventQueue:
    """The events of one data directory that wait to be delivered.

    :param run: calls what may block where it may, and makes its failures ``S3Error``.
    """

    def __init__(self, run: Callable[..., Awaitable[Any]], journal: Journal, deliveries: Deliveries) -> None:
        self._run = run
        self._journal = journal
        self._deliveries = deliveries

    def begin(
        self, bucket: str, key: str, change: ObjectVersion | Deletion, payload: Content, made: bool
    ) -> Pending | None:
        """Queue the event of a commit that is about to be tried. For a thread of the pool."""
        return self._journal.begin(bucket, key, change, payload, made)

    async def announce(self, payload: Content) -> None:
        """Queue something that tells of no commit."""
        await self._run(self._journal.announce, payload)

    async def read(self, start: Position) -> Stretch:
        """The lines from a position on."""
        stretch: Stretch = await self._run(self._journal.log.read, start)
        return stretch

    async def happened(self, line: Line) -> bool:
        """Whether the commit happened of which a line tells."""
        return bool(await self._run(self._journal.happened, line))

    async def cursor(self, target: str) -> Position:
        """The position before which a target has all."""
        position: Position = await self._run(self._deliveries.cursor, target)
        return position

    async def advance(self, target: str, position: Position, targets: Sequence[str]) -> None:
        """Set the cursor of a target, and let go of what all ``targets`` have."""
        await self._run(self._advance, target, position, targets)

    async def bury(self, target: str, letter: Letter) -> None:
        """Keep a letter among the dead ones."""
        await self._run(self._deliveries.bury, target, letter)

    async def again(self, target: str) -> Sequence[Letter]:
        """Letters that are to be tried again."""
        letters: Sequence[Letter] = await self._run(self._deliveries.again, target)
        return letters

    async def done(self, target: str, letter: Letter) -> None:
        """Forget a letter that was tried again."""
        await self._run(self._deliveries.done, target, letter)

    def _advance(self, target: str, position: Position, targets: Sequence[str]) -> None:
        self._deliveries.advance(target, position)
        self._journal.log.trim(min(map(self._deliveries.cursor, {target, *targets})))
