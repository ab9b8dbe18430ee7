"""Bytes on their way in: gathered on the reactor's thread, taken to the disk in pieces by the pool."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TypeVar

from twisted.internet.defer import Deferred
from zope.interface import implementer

from twisted_s3.interfaces import Condition, IOpenedObject, IStagedBody, IStagedPart, Witness, always, unwitnessed
from twisted_s3.model import UNLOCKED, ByteRange, Digest, ObjectLock, ObjectVersion, Part, Properties
from twisted_s3.storage.copying import copy_range
from twisted_s3.storage.filesystem.failures import disk_failures
from twisted_s3.storage.filesystem.intake import Intake
from twisted_s3.storage.filesystem.parts import PartTarget
from twisted_s3.storage.filesystem.pool import DiskPool
from twisted_s3.storage.filesystem.reading import OpenedObject

T = TypeVar("T")

#: Bodies below this size take one hop to the pool, others one for each piece of it. At most two are in memory.
PIECE_BYTES = 512 << 10

#: What one job copies from file to file, after which others have their turn in the pool.
COPY_BYTES = 64 << 20


class _Staged:
    """The reactor's side: gathers pieces, and has at most one under way while it gathers the next."""

    def __init__(self, pool: DiskPool, intake: Intake) -> None:
        self._pool = pool
        self._intake = intake
        self._gathered: list[bytes] = []
        self._size = 0
        self._under_way: Deferred[None] | None = None

    async def write(self, data: bytes) -> None:
        """Take the next bytes as sent."""
        self._gathered.append(data)
        self._size += len(data)
        if self._size >= PIECE_BYTES:
            await self._ready()
            pieces = self._take_gathered()
            await self._landed()
            self._under_way = self._pool.run(self._intake.take, pieces)

    async def copy_from(self, source: IOpenedObject, range: ByteRange) -> None:
        """Take bytes of an opened object: where all of them are wanted and known, as one file copied to another; else
        reading one piece while the one before is hashed and written.
        """
        await self._ready()
        with disk_failures():
            if not await self._copied(source, range):
                await copy_range(source, range, self.write)

    async def discard(self) -> None:
        """Drop what was staged."""
        self._take_gathered()
        if self._under_way is not None:
            self._under_way.addErrback(lambda failure: None)
            self._under_way = None
        if not self._intake.closed:
            with disk_failures():
                await self._pool.run(self._intake.drop)

    async def _copied(self, source: IOpenedObject, span: ByteRange) -> bool:
        if span.length != source.version.size or span.length < PIECE_BYTES or not isinstance(source, OpenedObject):
            return False
        known = source.digest()
        if known is None or not await source.lend(lambda _: self._intake.adopt(known, source.is_as_recorded)):
            return False
        for offset in range(0, known.size, COPY_BYTES):
            length = min(COPY_BYTES, known.size - offset)
            await source.lend(partial(self._intake.copy, offset=offset, length=length))
        return await source.lend(lambda _: self._intake.confirm(source.is_as_recorded))

    async def _ready(self) -> None:
        """Called before any bytes go to the disk."""

    async def _finish(self, commit: Callable[[Digest], T]) -> T:
        await self._landed()
        with disk_failures():
            return await self._pool.run(self._intake.finish, self._take_gathered(), commit)

    async def _landed(self) -> None:
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            with disk_failures():
                await under_way

    def _take_gathered(self) -> Sequence[bytes]:
        gathered, self._gathered, self._size = self._gathered, [], 0
        return gathered


#: Called in the pool with the arguments of :meth:`IStagedBody.commit` behind the digest.
CommitBody = Callable[[Digest, str, Properties, Condition, str, ObjectLock, Witness], ObjectVersion]

#: Called with a key.
Turn = Callable[[str], AbstractAsyncContextManager[None]]


@implementer(IStagedBody)
class StagedBody(_Staged):
    """A body that becomes an object."""

    def __init__(self, pool: DiskPool, intake: Intake, commit: CommitBody, turn: Turn) -> None:
        """:param turn: lets one commit after the other to a key."""
        super().__init__(pool, intake)
        self._commit = commit
        self._turn = turn

    async def commit(
        self,
        key: str,
        properties: Properties,
        condition: Condition = always,
        owner: str = "",
        lock: ObjectLock = UNLOCKED,
        witness: Witness = unwitnessed,
    ) -> ObjectVersion:
        """Verify the payload, then make bytes, metadata and key durable and visible in one step."""
        async with self._turn(key):
            return await self._finish(
                lambda digest: self._commit(digest, key, properties, condition, owner, lock, witness)
            )


@implementer(IStagedPart)
class StagedPart(_Staged):
    """A body that becomes a part."""

    def __init__(
        self, pool: DiskPool, intake: Intake, target: PartTarget, turn: Callable[[], AbstractAsyncContextManager[None]]
    ) -> None:
        """:param turn: lets one after the other to the upload's lock."""
        super().__init__(pool, intake)
        self._target = target
        self._turn = turn
        self._claimed = False

    async def commit(self) -> Part:
        """Verify the payload, then put the part in place of an earlier one of the same number.

        Parts of one upload wait for stable storage together. Only what needs the lock is done one by one.
        """
        await self._landed()
        await self._ready()
        with disk_failures():
            part: Part = await self._pool.run(self._intake.seal, self._take_gathered(), self._target.prepare)
            async with self._turn():
                await self._pool.run(self._intake.conclude, self._target.publish)
            await self._pool.run(self._target.settle)
        return part

    async def _ready(self) -> None:
        """Claim the part's place. Whoever has not sent a piece yet keeps it from nobody."""
        if not self._claimed:
            self._claimed = True
            async with self._turn():
                with disk_failures():
                    await self._pool.run(self._intake.open)
