"""Bytes that go from a file to a socket without passing through this process (man 2 sendfile)."""

# mypy: disable-error-code=no-untyped-call
from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IReactorFDSet, IWriteDescriptor
from twisted.internet.tcp import Connection
from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_s3.model import ByteRange
from twisted_s3.operations.call import Download
from twisted_s3.web.flow import Flow, flush, has_waiting

if TYPE_CHECKING:
    from twisted.web.server import Request

#: How much is sent before others have their turn.
WINDOW = 2 << 20


def can_send(request: Request, download: Download) -> bool:
    """Whether there is a plain TCP connection, and a file whose bytes are the object's."""
    transport = getattr(request.channel, "transport", None)
    return (
        hasattr(os, "sendfile")
        and isinstance(transport, Connection)
        and not transport.TLS
        and IReactorFDSet.providedBy(transport.reactor)
        and download.opened.fileno() is not None
    )


async def send_file(request: Request, download: Download, flow: Flow) -> ByteRange:
    """Send bytes of an object behind the head that was written. Gives those that are left for another way to send.

    :raise ClientGone: when the connection ended first.
    :raise OSError: when the file can not be read, or has become shorter.
    """
    channel, transport = request.channel, request.channel.transport
    file = download.opened.fileno()
    offset, stop = download.range.start, download.range.stop
    flush(request)
    if has_waiting(transport):
        transport.doWrite()
    if file is None or has_waiting(transport):
        return download.range
    room = _Room(transport)
    fetched = offset
    try:
        while offset < stop:
            length = min(WINDOW, stop - offset)
            if fetched < offset + length:
                await download.opened.prefetch(fetched, offset + length - fetched)
                fetched = offset + length
            await flow.ready()
            sent = _send(transport.fileno(), file, offset, length)
            if sent is None:
                return ByteRange(offset, stop)
            offset += sent
            request.sentLength += sent
            # From here to the next time there is room it is the client's turn.
            channel.pauseProducing()
            room.wait(channel.resumeProducing)
            await flow.ready()
    finally:
        room.close()
    return ByteRange(stop, stop)


def _send(socket: int, file: int, offset: int, length: int) -> int | None:
    """Send what there is room for. None: the system can not do it, or the connection has gone: others find out."""
    try:
        sent = os.sendfile(socket, file, offset, length)
    except BlockingIOError:
        return 0
    except OSError as error:
        if error.errno in (errno.EIO, errno.ESTALE):
            raise
        return None
    if not sent:
        raise OSError(errno.EIO, "the file has become shorter")
    return sent


@implementer(IWriteDescriptor)
class _Room:
    """Tells when a socket takes more, beside the transport that owns it and has nothing to send."""

    def __init__(self, transport: Connection) -> None:
        self._reactor: Any = transport.reactor
        self._descriptor = os.dup(transport.fileno())
        self._found: Callable[[], object] | None = None
        self._watching = False

    def wait(self, found: Callable[[], object]) -> None:
        """Call ``found``, once, when there is room."""
        self._found = found
        if not self._watching:
            self._watching = True
            self._reactor.addWriter(self)

    def close(self) -> None:
        """Wait no more."""
        if self._descriptor >= 0:
            self._watching = False
            self._reactor.removeWriter(self)
            os.close(self._descriptor)
            self._descriptor = -1

    def fileno(self) -> int:
        """A descriptor of the socket, of our own."""
        return self._descriptor

    def doWrite(self) -> None:
        """There is room. Whoever sends at once waits again at once, and the reactor need not be told."""
        self._tell()
        if self._found is None and self._watching:
            self._watching = False
            self._reactor.removeWriter(self)

    def connectionLost(self, reason: Failure) -> None:
        """The connection has gone, which its transport is told as well."""
        self._watching = False
        self._tell()

    def logPrefix(self) -> str:
        """For log messages."""
        return "sendfile"

    def _tell(self) -> None:
        found, self._found = self._found, None
        if found is not None:
            found()
