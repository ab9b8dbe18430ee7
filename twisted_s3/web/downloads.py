"""The bytes of an object on their way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted_s3.operations.call import Download
from twisted_s3.web.flow import Flow
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
