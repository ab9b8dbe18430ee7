"""How fast the client takes an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from twisted_s3.web.bodies import ClientGone

if TYPE_CHECKING:
    from twisted.internet.tcp import Connection
    from twisted.web.server import Request


def flush(request: Request) -> None:
    """Send what was written, where the channel holds it back until the end; one of ``twisted.web``'s own does not."""
    sends = getattr(request.channel, "flush", None)
    if sends is not None:
        sends()


def has_waiting(transport: Connection) -> bool:
    """Whether bytes wait for the system to take them, before which no others may go."""
    return bool(transport.dataBuffer or transport._tempDataBuffer)


@implementer(IPushProducer)
class Flow:
    """Says when the client has taken what was written. Whoever owns the connection ends it if that never happens."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._paused: Deferred[None] | None = None
        self._gone = False
        # The transport tells a producer only of changes, and earlier answers may have filled it.
        if request.channel._waitingForTransport:
            self.pauseProducing()

    async def ready(self) -> None:
        """Wait until more may be written. :raise ClientGone: when nobody is there any more."""
        if self._paused is not None:
            await self._paused
        if self._gone or self._request._disconnected:
            raise ClientGone

    def pauseProducing(self) -> None:
        """The transport is full."""
        if self._paused is None:
            self._paused = Deferred()

    def resumeProducing(self) -> None:
        """The transport has room."""
        paused, self._paused = self._paused, None
        if paused is not None:
            paused.callback(None)

    def stopProducing(self) -> None:
        """The connection is gone."""
        self._gone = True
        self.resumeProducing()
