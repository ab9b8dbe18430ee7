"""A server's clock that a test can move, and signatures that do not mind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

from twisted_s3.errors import S3Error
from twisted_s3.model import User
from twisted_s3.protocol import sigv4
from twisted_s3.protocol.authentication import Authenticator, Verified
from twisted_s3.protocol.head import RequestHead


@implementer(IReactorTime)
class MovableClock:
    """The clock of a reactor, ahead of it by as much as a test says.

    Presigned URLs, upload forms and temporary keys expire by it, objects have their times from it, and periodic jobs
    run by it. Requests with a signed header are held against the time of their clients, who did not move; set
    ``strict`` to have them refused with ``RequestTimeTooSkewed`` instead.
    """

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        self._calls: set[IDelayedCall] = set()
        self.ahead = 0.0
        self.strict = False

    def seconds(self) -> float:
        """The time that it is for the server, in seconds since the epoch."""
        return self._reactor.seconds() + self.ahead

    def callLater(self, delay: float, callable: Callable[..., Any], *args: object, **kw: object) -> IDelayedCall:
        """See :class:`twisted.internet.interfaces.IReactorTime`."""

        def run() -> None:
            self._calls.discard(made)
            callable(*args, **kw)

        self._calls = {call for call in self._calls if call.active()}
        made = self._reactor.callLater(delay, run)
        self._calls.add(made)
        return made

    def getDelayedCalls(self) -> Sequence[IDelayedCall]:
        """See :class:`twisted.internet.interfaces.IReactorTime`."""
        return [call for call in self._calls if call.active()]

    def move(self, seconds: float) -> None:
        """Go forward. What was to happen meanwhile happens at once. Call it in the reactor's thread."""
        if seconds < 0:
            raise ValueError("time goes forward; reset brings it back to the present")
        self.ahead += seconds
        now = self._reactor.seconds()
        for call in self.getDelayedCalls():
            call.reset(max(0.0, call.getTime() - now - seconds))

    def reset(self) -> None:
        """Back to the present."""
        self.ahead = 0.0
        self.strict = False


class ForgivingAuthenticator(Authenticator):
    """Holds signed headers against the time that it is for the clients."""

    def __init__(self, region: str, clock: MovableClock) -> None:
        super().__init__(region, True)
        self._clock = clock

    def verify(
        self, claim: Any, head: RequestHead, user: User | None, now: float, virtual_bucket: str | None = None
    ) -> Verified:
        """See `Authenticator`."""
        lifetime = claim.lifetime if isinstance(claim, sigv4.Claim) else claim.expires
        if lifetime is not None or self._clock.strict:
            return super().verify(claim, head, user, now, virtual_bucket)
        verified = super().verify(claim, head, user, now - self._clock.ahead, virtual_bucket)
        if verified.user.expires is not None and now >= verified.user.expires:
            raise S3Error("ExpiredToken")
        return verified


class ClockHandle(Struct, frozen=True):
    """A server's clock, for the thread of a test."""

    _clock: MovableClock
    _call: Callable[..., Any]

    @property
    def time(self) -> float:
        """The time that it is for the server, in seconds since the epoch."""
        return self._clock.seconds()

    def advance(self, seconds: float, *, strict: bool = False) -> None:
        """Move the server's time forward.

        :param strict: from now on hold signed headers against it, too: the clients are ``RequestTimeTooSkewed``.
        """
        self._clock.strict = strict
        self._call(self._clock.move, seconds)

    def reset(self) -> None:
        """Back to the present."""
        self._call(self._clock.reset)
