"""The walk through everything stored in the background: so much a second, resumed after a restart, for ever."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Struct
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from twisted_s3.storage.filesystem.files import Files
from twisted_s3.storage.filesystem.layout import STATE
from twisted_s3.storage.filesystem.pool import DiskPool
from twisted_s3.storage.filesystem.scrub import Position, Scrub, Step

#: Where a pass is, and what it and the one before came to.
RECORD = STATE + b"/scrub.json"

#: What a file costs beside its bytes.
_FILE_BYTES = 4096
#: So much is looked at without a pause.
_BATCH_BYTES = 4 << 20
#: Seconds between two notes of the position: so much is looked at again after a crash.
_NOTE_SECONDS = 60.0


class Pass(Struct):
    """One pass through everything.

    :ivar began: seconds since the epoch; ``ended`` 0.0 while it is under way.
    """

    began: float
    ended: float = 0.0
    deep: bool = False
    position: Position = Position()
    files: int = 0
    read: int = 0
    damaged: int = 0

    @property
    def document(self) -> bytes:
        """As JSON."""
        return msgspec.json.encode(self)

    @classmethod
    def load(cls, raw: bytes | None) -> Pass:
        """What :attr:`document` was; one that has ended long ago when it is none."""
        try:
            return msgspec.json.decode(raw or b"", type=cls)
        except (ValueError, RecursionError):
            return cls(0.0, ended=-1.0)


class Scrubber:
    """Does the walk, a pass behind the other.

    :param deep: whether every byte is read.
    :param rate: bytes a second; a file counts for 4 KiB beside what is read of it.
    :param interval: seconds from the beginning of one pass to that of the next, if it does not take longer.
    """

    _log = Logger()

    def __init__(
        self,
        scrub: Scrub,
        files: Files,
        pool: DiskPool,
        clock: IReactorTime,
        deep: bool,
        rate: float,
        interval: float,
    ) -> None:
        self._scrub = scrub
        self._files = files
        self._pool = pool
        self._clock = clock
        self._deep = deep
        self._rate = rate
        self._interval = interval
        self._pause: Deferred[None] | None = None
        self._hurried = False

    async def run(self) -> None:
        """Go on with the pass that is under way, or begin one if it is time. Returns at its end, or when hurried."""
        self._hurried = False
        made = Pass.load(await self._pool.run(self._files.load, RECORD))
        if made.ended or made.deep != self._deep:
            if made.ended and self._clock.seconds() < made.began + self._interval:
                return
            made = Pass(self._clock.seconds(), deep=self._deep)
        steps = self._scrub.walk(self._deep, made.position)
        noted = self._clock.seconds()
        try:
            while not self._hurried and (batch := await self._pool.run(_take, steps)):
                self._count(made, batch)
                await self._wait(sum(map(_cost, batch)) / self._rate)
                if self._clock.seconds() >= noted + _NOTE_SECONDS:
                    noted = self._clock.seconds()
                    await self._note(made)
            if not self._hurried:
                made.ended = self._clock.seconds()
                self._log.info(
                    "a pass through everything stored has ended: {files} files, {damaged} damaged",
                    files=made.files,
                    damaged=made.damaged,
                )
        finally:
            # It may have a file open.
            await self._pool.run(steps.close)
            await self._note(made)

    def hurry(self) -> None:
        """End soon."""
        self._hurried = True
        if self._pause is not None:
            self._pause.cancel()

    def _count(self, made: Pass, batch: Sequence[Step]) -> None:
        made.position = batch[-1].position
        for step in batch:
            made.files += step.files
            made.read += step.read
            if step.finding is not None:
                made.damaged += 1
                self._log.error(
                    "damaged {kind} {bucket}/{key}: {problem}: {detail}",
                    kind=step.finding.kind,
                    bucket=step.finding.bucket,
                    key=step.finding.key,
                    problem=step.finding.problem.value,
                    detail=step.finding.detail,
                    finding=step.finding.document,
                )

    async def _wait(self, seconds: float) -> None:
        self._pause = deferLater(self._clock, seconds)
        try:
            await self._pause
        except CancelledError:
            if not self._hurried:
                raise
        finally:
            self._pause = None

    async def _note(self, made: Pass) -> None:
        await self._pool.run(self._files.save, made.document, RECORD, True, STATE)


def _cost(step: Step) -> int:
    return step.read + _FILE_BYTES * step.files


def _take(steps: Iterator[Step]) -> Sequence[Step]:
    """The next steps, up to a batch of bytes."""
    batch = []
    cost = 0
    for step in steps:
        batch.append(step)
        cost += _cost(step)
        if cost >= _BATCH_BYTES:
            break
    return batch
