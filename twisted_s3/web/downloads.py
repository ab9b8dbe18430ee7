"""The bytes of an object on their way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IPushProducer
from twisted.logger import Logger
from zope.interface import implementer

from twisted_s3.operations.call import Download
from twisted_s3.web.bodies import ClientGone

if TYPE_CHECKING:
    from twisted.web.server import Request

#: How much is read, and at most waits in the transport, at a time.
PIECE = 256 * 1024

_log = Logger()


async def send_download(request: Request, download: Download) -> None:
    """Write the bytes of a download, close its object, and leave the request to be finished.

    A byte that can not be read ends the connection: a short body must never look whole.

    :raise ClientGone: when the connection ended first.
    """
    opened, span = download.opened, download.range
    try:
        if request.method == b"HEAD" or not span.length:
            request.write(b"")
        elif span.length <= PIECE:
            request.write(await opened.read(span.start, span.length))
        else:
            await _send_pieces(request, download)
    except OSError:
        _log.failure("An object's bytes can not be read: {key}", key=opened.version.key)
        abort(request)
        raise ClientGone from None
    finally:
        opened.close()


async def _send_pieces(request: Request, download: Download) -> None:
    flow = _Flow(request)
    request.registerProducer(flow, True)
    try:
        offset, stop = download.range.start, download.range.stop
        while offset < stop:
            data = await download.opened.read(offset, min(PIECE, stop - offset))
            await flow.ready()
            request.write(data)
            offset += len(data)
    finally:
        flow.end()
        if not request._disconnected:
            request.unregisterProducer()


def abort(request: Request) -> None:
    """End the connection at once, so that the client sees that the body is not whole."""
    if not request._disconnected and request.channel is not None:
        request.channel.forceAbortClient()


@implementer(IPushProducer)
class _Flow:
    """Says when the client has taken what was written, and gives up on one that takes nothing."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._paused: Deferred[None] | None = None
        self._gone = False
        self._stalled: IDelayedCall | None = None

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
            channel = self._request.channel
            if channel is not None:
                self._stalled = channel.callLater(channel.idleTimeout, abort, self._request)

    def resumeProducing(self) -> None:
        """The transport has room."""
        paused, self._paused = self._paused, None
        self.end()
        if paused is not None:
            paused.callback(None)

    def stopProducing(self) -> None:
        """The connection is gone."""
        self._gone = True
        self.resumeProducing()

    def end(self) -> None:
        """Stop the clock."""
        stalled, self._stalled = self._stalled, None
        if stalled is not None and stalled.active():
            stalled.cancel()
