"""What a test can make go wrong at its server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, ClassVar

from msgspec import Struct, structs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from twisted_s3.discreet import Discreet
from twisted_s3.errors import ERRORS, S3Error
from twisted_s3.interfaces import IBody
from twisted_s3.operations.call import Answer
from twisted_s3.operations.table import OPERATIONS
from twisted_s3.web.bodies import ClientGone
from twisted_s3.web.gate import PREFLIGHT

_NAMES = frozenset({PREFLIGHT, *(operation.name for operation in OPERATIONS)})

#: Runs the operation with a body, or what is left to go wrong before it.
Proceed = Callable[[IBody], Awaitable[Answer]]

#: What a fault does in place of running the operation.
Effect = Callable[[Proceed, IBody], Awaitable[Answer]]


class CutAnswer(Answer, frozen=True):
    """An answer of which not all is sent.

    :ivar after: bytes of the body that are sent; None to send nothing, not even a status.
    :ivar reset: whether the connection is reset, not closed.
    """

    after: int | None = None
    reset: bool = False


class Fault(Discreet, Struct, eq=False):
    """Something that goes wrong with the next requests that match. As a context manager it ends with the block.

    :ivar hits: how many requests it met.
    :ivar remaining: how many it will meet; None for all.
    """

    HIDDEN: ClassVar = ("ends", "effect")

    operation: str
    bucket: str | None
    key: str | None
    remaining: int | None
    ends: bool
    effect: Effect
    hits: int = 0

    def take(self, operation: str, bucket: str, key: str) -> bool:
        """Whether it meets this request. If so, that is counted."""
        if self.remaining == 0 or self.operation not in ("*", operation):
            return False
        if self.bucket not in (None, bucket) or self.key not in (None, key):
            return False
        self.hits += 1
        if self.remaining is not None:
            self.remaining -= 1
        return True

    def cancel(self) -> None:
        """It meets no more requests."""
        self.remaining = 0

    def __enter__(self) -> Fault:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()


class Faults:
    """Makes things go wrong. All methods may be called from any thread.

    Each names an operation as AWS does (``PutObject``), ``Preflight`` for the question of a browser before it sends a
    script's request, or ``*`` for all; ``times`` is for how many requests, None for
    all from now on; ``bucket`` and ``key`` restrict it further. Where several faults match, they apply in the order in
    which they were made, up to the first that ends the request (all but `delay` and `stall_continue` do).
    """

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        self._faults: tuple[Fault, ...] = ()
        self._waiting: dict[Deferred[None], Any] = {}

    # For tests

    def fail(
        self,
        operation: str,
        code: str = "InternalError",
        message: str | None = None,
        *,
        times: int | None = 1,
        bucket: str | None = None,
        key: str | None = None,
    ) -> Fault:
        """Answer with an S3 error, and do nothing.

        :raise ValueError: when there is no such error, or no such operation.
        """
        if code not in ERRORS:
            raise ValueError(f"there is no S3 error {code!r}")

        async def effect(proceed: Proceed, body: IBody) -> Answer:
            raise S3Error(code, message)

        return self._add(operation, effect, times, bucket, key)

    def slow_down(
        self, operation: str = "*", *, times: int | None = 1, bucket: str | None = None, key: str | None = None
    ) -> Fault:
        """Answer 503 SlowDown, as S3 does above its request rates."""
        return self.fail(operation, "SlowDown", times=times, bucket=bucket, key=key)

    def delay(
        self,
        operation: str,
        seconds: float,
        *,
        times: int | None = 1,
        bucket: str | None = None,
        key: str | None = None,
    ) -> Fault:
        """Wait before the operation."""

        async def effect(proceed: Proceed, body: IBody) -> Answer:
            await self._sleep(seconds)
            return await proceed(body)

        return self._add(operation, effect, times, bucket, key, ends=False)

    def stall_continue(
        self,
        operation: str,
        seconds: float,
        *,
        times: int | None = 1,
        bucket: str | None = None,
        key: str | None = None,
    ) -> Fault:
        """Wait before the first byte of the body is read, and so before ``100 Continue`` is sent."""

        async def effect(proceed: Proceed, body: IBody) -> Answer:
            return await proceed(_StalledBody(body, lambda: self._sleep(seconds)))

        return self._add(operation, effect, times, bucket, key, ends=False)

    def cut(
        self,
        operation: str,
        after: int,
        *,
        times: int | None = 1,
        bucket: str | None = None,
        key: str | None = None,
    ) -> Fault:
        """Run the operation, but close the connection after ``after`` bytes of the answer's body."""
        return self._add(operation, _cutting(after, reset=False), times, bucket, key)

    def reset(
        self,
        operation: str,
        after: int,
        *,
        times: int | None = 1,
        bucket: str | None = None,
        key: str | None = None,
    ) -> Fault:
        """Run the operation, but reset the connection (RST) after ``after`` bytes of the answer's body."""
        return self._add(operation, _cutting(after, reset=True), times, bucket, key)

    def lose_answer(
        self, operation: str, *, times: int | None = 1, bucket: str | None = None, key: str | None = None
    ) -> Fault:
        """Run the operation, but reset the connection before any answer: the client can not know what was done."""
        return self._add(operation, _cutting(None, reset=True), times, bucket, key)

    def reset_upload(
        self,
        operation: str,
        after: int,
        *,
        times: int | None = 1,
        bucket: str | None = None,
        key: str | None = None,
    ) -> Fault:
        """Reset the connection when ``after`` bytes of the request's body (as sent) have come; nothing is stored.

        A body that is shorter, or that ends there, is stored.
        """

        async def effect(proceed: Proceed, body: IBody) -> Answer:
            try:
                return await proceed(_BrokenBody(body, after))
            except _BrokenOff:
                return CutAnswer(reset=True)

        return self._add(operation, effect, times, bucket, key)

    def clear(self) -> None:
        """Nothing goes wrong any more. What waits goes on waiting; see `release`."""
        for fault in self._faults:
            fault.cancel()
        self._faults = ()

    # For the server, in its thread

    def taken(self, operation: str, bucket: str, key: str) -> Sequence[Fault]:
        """The faults that meet a request, in order."""
        taken = []
        for fault in self._faults:
            if fault.take(operation, bucket, key):
                taken.append(fault)
                if fault.ends:
                    break
        return taken

    @property
    def waiting(self) -> int:
        """How many requests a delay or a stall keeps waiting now."""
        return len(self._waiting)

    def release(self) -> None:
        """Let all go on that waits."""
        for waiter in self._stop_waiting():
            waiter.callback(None)

    def break_off(self) -> None:
        """End all that waits, without an answer."""
        for waiter in self._stop_waiting():
            waiter.errback(ClientGone())

    def _stop_waiting(self) -> Iterable[Deferred[None]]:
        waiting, self._waiting = self._waiting, {}
        for call in waiting.values():
            call.cancel()
        return waiting

    async def _sleep(self, seconds: float) -> None:
        waiter: Deferred[None] = Deferred()

        def wake() -> None:
            del self._waiting[waiter]
            waiter.callback(None)

        self._waiting[waiter] = self._reactor.callLater(seconds, wake)
        await waiter

    def _add(
        self,
        operation: str,
        effect: Effect,
        times: int | None,
        bucket: str | None,
        key: str | None,
        ends: bool = True,
    ) -> Fault:
        if operation != "*" and operation not in _NAMES:
            raise ValueError(f"there is no operation {operation!r}")
        fault = Fault(operation, bucket, key, times, ends, effect)
        self._faults = (*(other for other in self._faults if other.remaining != 0), fault)
        return fault


def _cutting(after: int | None, reset: bool) -> Effect:
    async def effect(proceed: Proceed, body: IBody) -> Answer:
        answer = await proceed(body)
        return CutAnswer(**structs.asdict(answer), after=after, reset=reset)

    return effect


class _BrokenOff(Exception):
    """As much of the body has come as was to come."""


@implementer(IBody)
class _StalledBody:
    """A body whose first bytes keep one waiting."""

    def __init__(self, body: IBody, stall: Callable[[], Awaitable[None]]) -> None:
        self.length = body.length
        self._body = body
        self._stall: Callable[[], Awaitable[None]] | None = stall

    async def read(self) -> bytes:
        """See `IBody`."""
        stall, self._stall = self._stall, None
        if stall is not None:
            await stall()
        return await self._body.read()


@implementer(IBody)
class _BrokenBody:
    """A body that breaks off."""

    def __init__(self, body: IBody, after: int) -> None:
        self.length = body.length
        self._body = body
        self._left = after

    async def read(self) -> bytes:
        """See `IBody`."""
        data = await self._body.read()
        if len(data) > self._left:
            raise _BrokenOff
        self._left -= len(data)
        return data
