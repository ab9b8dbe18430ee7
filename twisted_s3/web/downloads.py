"""The bytes of an object on their way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from twisted_s3.operations.call import Download
from twisted_s3.web.bodies import ClientGone
from twisted_s3.web.sendfile import WINDOW, can_send, send_file

if TYPE_CHECKING:
    from twisted.web.server import Request

#: How much is read, and at most waits in the transport, at a time.
PIECE = 256 * 1024


async def send_download(request: Request, download: Download) -> None:
    """Write the bytes of a download, as fast as the client takes them.

    :raise ClientGone: when the connection ended first.
    :raise Exception: what reading raises. Only what was read whole has been written.
    """
    span = download.range
    if request.method == b"HEAD" or not span.length:
        request.write(b"")
    elif span.length <= PIECE:
        request.write(await download.opened.read(span.start, span.length))
    else:
        await _send_pieces(request, download)


async def _send_pieces(request: Request, download: Download) -> None:
    flow = Flow(request)
    request.registerProducer(flow, True)
    try:
        span = download.range
        if span.length >= WINDOW and can_send(request, download):
            request.write(b"")
            span = await send_file(request, download, flow)
        offset, stop = span.start, span.stop
        while offset < stop:
            data = await download.opened.read(offset, min(PIECE, stop - offset))
            await flow.ready()
            request.write(data)
            offset += len(data)
    finally:
        if not request._disconnected:
            request.unregisterProducer()


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
