"""Takes the events of one target from the queue to the target: in order for each key, again until they are there.

Several keys go at once. An event that fails is tried again, later and later, and meanwhile holds up its own key only;
one that the target refuses, or that has failed for too long, becomes a dead letter. A target that fails all the time is
asked less and less often, one event at a time.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from msgspec import Struct
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_s3.queueing import BEGINNING, Content, IEventFeed, ITarget, Letter, Line, Position, Refused

#: How many events of a target are held in memory, beside the last stretch that was read.
WINDOW = 256
#: How far reading goes on past one that has not arrived.
_FURTHEST = 20_000


class Patience(Struct, frozen=True):
    """How long things are waited for, all in seconds.

    :ivar poll: between two looks for new events.
    :ivar first: before the second attempt; the others wait twice as long each, up to ``longest``.
    :ivar give_up: from the first attempt to the last.
    :ivar settle: until it is looked into whether an event happened of which nothing more is heard.
    :ivar grace: that messages under way get when the deliverer is to end.
    """

    poll: float = 0.25
    first: float = 0.5
    longest: float = 60.0
    give_up: float = 86400.0
    settle: float = 1.0
    grace: float = 2.0

    def before(self, attempt: int) -> float:
        """How long to wait before another attempt after so many."""
        return float(min(self.longest, self.first * 2 ** min(attempt - 1, 30)))


class _Entry(Struct, eq=False):
    """An event in the window.

    :ivar happened: None while that is not known.
    """

    line: Line
    key: tuple[str, str]
    seen: float
    happened: bool | None
    attempts: int = 0
    not_before: float = 0.0
    first_attempt: float | None = None
    under_way: bool = False
    done: bool = False


class Deliverer:
    """Delivers to one target, as long as it runs. Only one may run for a target at a time.

    :param name: of the target.
    :param targets: the names of all targets.
    """

    _log = Logger()

    def __init__(
        self,
        name: str,
        target: ITarget,
        feed: IEventFeed,
        clock: IReactorTime,
        targets: Sequence[str],
        patience: Patience | None = None,
    ) -> None:
        self.name = name
        self._target = target
        self._feed = feed
        self._clock = clock
        self._targets = tuple(targets)
        self._patience = Patience() if patience is None else patience
        self._stopping = False
        self._waiting: Deferred[None] | None = None
        self._under_way: set[Deferred[None]] = set()
        self._trying: Deferred[Exception | None] | None = None

    def hurry(self) -> None:
        """End `run` soon."""
        self._stopping = True
        if self._trying is not None:
            self._trying.cancel()
        self._wake()

    async def run(self) -> None:
        """Deliver until told to end. What then is under way gets a little time."""
        self._stopping = False
        self._window: dict[Position, _Entry] = {}
        self._read = self._saved = await self._feed.cursor(self.name)
        self._failures, self._paused_until, self._looked = 0, 0.0, -1.0
        try:
            while not self._stopping:
                busy = await self._fill()
                await self._look_into()
                await self._save_cursor(force=False)
                self._start()
                await self._try_letters()
                if not busy or len(self._open()) >= WINDOW:
                    await self._wait()
        finally:
            await self._finish()

    async def _fill(self) -> bool:
        """Read on. Gives whether there may be more."""
        if len(self._open()) >= WINDOW or len(self._window) >= _FURTHEST:
            return False
        stretch = await self._feed.read(self._read)
        if stretch.lost and self._read != BEGINNING:
            self._log.critical("events for {target} are lost: the queue was full", target=self.name)
        now = self._clock.seconds()
        for line in stretch.lines:
            content = line.content
            if "of" in content:
                self._settle(content)
            elif self.name in content["to"]:
                happened = None if "evidence" in content else True
                key = (content.get("bucket", ""), content.get("key", ""))
                self._window[line.position] = _Entry(line, key, now, happened)
        moved = stretch.behind != self._read
        self._read = stretch.behind
        return moved

    def _settle(self, content: Content) -> None:
        entry = self._window.get(Position.of(content["of"]))
        if entry is not None and entry.happened is None:
            self._decide(entry, bool(content["committed"]))

    async def _look_into(self) -> None:
        """Find out about events of which nothing was heard for a while."""
        before = self._clock.seconds() - self._patience.settle
        for entry in self._open():
            if entry.happened is None and entry.seen <= before and not self._stopping:
                self._decide(entry, await self._feed.happened(entry.line))

    def _decide(self, entry: _Entry, happened: bool) -> None:
        entry.happened = happened
        entry.done = not happened

    def _open(self) -> list[_Entry]:
        return [entry for entry in self._window.values() if not entry.done]

    def _start(self) -> None:
        """Send what may be sent now."""
        now = self._clock.seconds()
        if now < self._paused_until:
            return
        most = 1 if self._failures else self._target.concurrency
        keys: set[tuple[str, str]] = set()
        for entry in self._open():
            first = entry.key not in keys
            keys.add(entry.key)
            if len(self._under_way) >= most:
                return
            if first and entry.happened and not entry.under_way and entry.not_before <= now:
                self._send(entry)

    def _send(self, entry: _Entry) -> None:
        entry.under_way = True
        sending = Deferred.fromCoroutine(self._attempt(entry))
        self._under_way.add(sending)
        sending.addErrback(self._broken_off)
        sending.addBoth(lambda _: self._under_way.discard(sending))
        sending.addBoth(lambda _: self._wake())

    def _broken_off(self, failure: Failure) -> None:
        """An attempt has ended in neither way: it is made anew."""
        if not isinstance(failure.value, CancelledError):
            self._log.failure("an event for {target} could not be handled", failure, target=self.name)

    async def _attempt(self, entry: _Entry) -> None:
        if entry.first_attempt is None:
            entry.first_attempt = self._clock.seconds()
        try:
            message = message_of(entry.line, self.name)
            problem = await self._deliver(str(entry.line.position), message)
            if problem is None:
                entry.done = True
                return
            entry.attempts += 1
            now = self._clock.seconds()
            entry.not_before = now + self._patience.before(entry.attempts)
            final = isinstance(problem, Refused)
            if final or entry.not_before - entry.first_attempt > self._patience.give_up:
                await self._bury(str(entry.line.position), message, problem, entry.attempts)
                entry.done = True
        finally:
            entry.under_way = False

    async def _deliver(self, id: str, message: Content) -> Exception | None:
        """Try once. Gives what went wrong."""
        try:
            await self._target.deliver(id, json.dumps(message, separators=(",", ":")).encode())
        except Refused as error:
            self._failures = 0
            return error
        except CancelledError:
            raise
        except Exception as error:
            self._failures += 1
            if self._failures > 1:
                self._paused_until = self._clock.seconds() + self._patience.before(self._failures - 1)
            self._log.warn(
                "{target} does not take events now ({count} times): {error}",
                target=self.name,
                count=self._failures,
                error=_text(error),
            )
            return error
        if self._failures:
            self._log.info("{target} takes events again", target=self.name)
        self._failures, self._paused_until = 0, 0.0
        return None

    async def _bury(self, id: str, message: Content, problem: Exception, attempts: int) -> None:
        self._log.error(
            "{target} does not take {id}, which is now a dead letter: {error}",
            target=self.name,
            id=id,
            error=_text(problem),
        )
        letter = Letter(id, message, _text(problem), attempts, self._clock.seconds())
        await self._feed.bury(self.name, letter)

    async def _try_letters(self) -> None:
        """Try dead letters of which somebody said that they are to be tried again, once."""
        now = self._clock.seconds()
        if now - self._looked < 2 * self._patience.poll or self._failures:
            return
        self._looked = now
        for letter in await self._feed.again(self.name):
            if self._stopping or self._failures:
                return
            self._trying = Deferred.fromCoroutine(self._deliver(letter.name, letter.message))
            try:
                problem = await self._trying
            except CancelledError:
                # Whoever delivers next tries it.
                return
            finally:
                self._trying = None
            if problem is not None:
                await self._bury(letter.name, letter.message, problem, letter.attempts + 1)
            await self._feed.done(self.name, letter)

    async def _save_cursor(self, force: bool) -> None:
        """Note how far all is done, now and then: what was delivered since is delivered again after a crash."""
        for position in list(self._window):
            if not self._window[position].done:
                break
            del self._window[position]
        done = next(iter(self._window), self._read)
        if done == self._saved:
            return
        now = self._clock.seconds()
        if force or not self._window or now - self._saved_at >= 1.0:
            await self._feed.advance(self.name, done, self._targets)
            self._saved, self._saved_at = done, now

    _saved_at = 0.0

    async def _wait(self) -> None:
        """Wait until a message has arrived or failed, or it is time to look again."""
        if self._stopping:
            return
        self._waiting = Deferred()
        call: IDelayedCall = self._clock.callLater(self._patience.poll, self._wake)
        await self._waiting
        if call.active():
            call.cancel()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    async def _finish(self) -> None:
        call = self._clock.callLater(self._patience.grace, self._break_off)
        while self._under_way:
            self._waiting = Deferred()
            await self._waiting
        if call.active():
            call.cancel()
        with suppress(Exception):
            await self._save_cursor(force=True)
        await _swallow(self._target.close())

    def _break_off(self) -> None:
        for sending in list(self._under_way):
            sending.cancel()


async def _swallow(closing: Awaitable[None]) -> None:
    with suppress(Exception):
        await closing


def message_of(line: Line, target: str) -> Mapping[str, Any]:
    """What a target gets for a line of the queue: as S3 writes it."""
    content = line.content
    if "message" in content:
        return dict(content["message"])
    record = json.loads(json.dumps(content["record"]))
    record["s3"]["configurationId"] = content["to"][target]
    record["s3"]["object"]["sequencer"] = str(line.position)
    return {"Records": [record]}


def _text(error: Exception) -> str:
    return str(error) or type(error).__name__
