"""The protocol factory of an S3 endpoint."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Protocol
from twisted.web import server
from twisted.web.resource import IResource

from twisted_s3.web.channel import S3Channel
from twisted_s3.web.limits import HTTPLimits
from twisted_s3.web.request import S3Request
from twisted_s3.web.resources import RequestIds


class TurnedAway(Protocol):
    """A connection for which nothing is kept: it ends at once."""

    transport: Any

    def connectionMade(self) -> None:
        """End it."""
        self.transport.abortConnection()


class S3Site(server.Site):
    """Serves a resource tree over streaming connections.

    :param resource: the root of the tree: an S3Resource, or one of ``twisted.web`` with one below it.
    :param ids: where request ids come from.
    :param limits: what bounds a connection.
    """

    protocol = S3Channel

    def __init__(self, resource: IResource, ids: RequestIds, limits: HTTPLimits, reactor: IReactorTime) -> None:
        super().__init__(resource, requestFactory=S3Request, reactor=reactor)
        self.limits = limits
        self.host_id = ids.host_id
        self.new_request_id = ids.new
        self._channels: set[S3Channel] = set()
        self._draining = False
        self._drained: list[Deferred[None]] = []

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """A channel within the limits; one that only refuses when there are too many or the site is closing.

        Those are counted, too: where even they are too many, the connection just ends.
        """
        excess = len(self._channels) - self.limits.connections
        if excess >= self.limits.refusals:
            return TurnedAway()
        channel = super().buildProtocol(addr)
        channel.limits = self.limits
        channel.refused = self._draining or excess >= 0
        self._channels.add(channel)
        return channel

    def connection_lost(self, channel: S3Channel) -> None:
        """A channel has gone."""
        self._channels.discard(channel)
        self._check_drained()

    def drain(self, grace: float) -> Deferred[None]:
        """Let running requests finish for up to ``grace`` seconds, then end their connections.

        Idle connections are closed at once. Fires when no connection is left.
        """
        self._draining = True
        drained: Deferred[None] = Deferred()
        self._drained.append(drained)
        timer = self.reactor.callLater(grace, self._abort)
        for channel in list(self._channels):
            channel.finish()
        self._check_drained()
        return drained.addBoth(lambda _: timer.cancel() if timer.active() else None)

    def _abort(self) -> None:
        for channel in list(self._channels):
            channel.transport.abortConnection()

    def _check_drained(self) -> None:
        if not self._channels:
            drained, self._drained = self._drained, []
            for waiter in drained:
                waiter.callback(None)

    def acceptableProtocols(self) -> list[bytes]:
        """HTTP/1.1 alone, whatever else ``twisted.web`` could speak."""
        return [b"http/1.1"]

    def startFactory(self) -> None:
        """Nothing: ``twisted.web`` would wake up every second for the date of its access log."""

    def stopFactory(self) -> None:
        """Nothing, as nothing was started."""

    def log(self, request: Any) -> None:
        """Nothing: the access log is kept by the resource, which knows the operation."""
