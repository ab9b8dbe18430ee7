"""Bodies: those that come in, and those that go out."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO, Protocol

from twisted.internet.defer import Deferred
from zope.interface import implementer

from twisted_s3.errors import S3Error
from twisted_s3.interfaces import IBody

#: Bytes that may wait for a reader before the connection is paused.
HIGH_WATER = 256 * 1024

#: What a piece takes in memory besides its bytes, which may be few.
_PIECE_COST = 64


class Source(Protocol):
    """The connection that a body comes from."""

    def send_continue(self) -> None:
        """Send ``100 Continue``."""

    def pause_reading(self) -> None:
        """Stop reading."""

    def resume_reading(self) -> None:
        """Go on reading."""

    def start_clock(self) -> None:
        """The client is to blame if nothing comes from now on."""

    def stop_clock(self) -> None:
        """The client is not to blame for the time that passes now."""


class ClientGone(Exception):
    """The connection ended before the body did. There is nobody to answer."""


@implementer(IBody)
class RequestBody:
    """The body of a request as it arrives on a channel, with backpressure.

    What comes before anybody reads is kept up to `HIGH_WATER`. The first `read` is what sends ``100 Continue``.

    :ivar length: as the head declares it, else None.
    :ivar received: bytes that have come, as sent.
    :ivar complete: whether all of it has come.
    """

    def __init__(self, channel: Source, length: int | None, expects_continue: bool) -> None:
        self.length = length
        self.received = 0
        self.complete = False
        self._channel = channel
        self._expects_continue = expects_continue
        self._failure: Exception | None = None
        self._pieces: list[bytes] = []
        self._waiting = 0
        self._reader: Deferred[None] | None = None

    # For the operation

    async def read(self) -> bytes:
        """The next bytes, as they come; ``b""`` at the end.

        :raise ClientGone: when the connection ends first.
        :raise S3Error: ``RequestTimeout`` when they do not come in time, ``IncompleteBody`` when they never will.
        """
        if not self._pieces and not self.complete and self._failure is None:
            await self._wait()
        if self._pieces:
            data = b"".join(self._pieces)
            self._pieces.clear()
            self._waiting = 0
            if not self.complete:
                self._channel.resume_reading()
            return data
        if self._failure is not None:
            raise self._failure
        return b""

    async def _wait(self) -> None:
        if self._client_waits():
            self._channel.send_continue()
        self._expects_continue = False
        self._reader = Deferred()
        self._channel.start_clock()
        await self._reader

    def _client_waits(self) -> bool:
        """Whether the client sends nothing before it has leave to."""
        return self._expects_continue and not self.received

    # For the answer

    async def drain(self, limit: int) -> bool:
        """Read and drop the rest if it fits ``limit`` bytes and the client is sending it. Gives whether that was all.

        :raise ClientGone: when the connection ends first.
        """
        if self.complete:
            return True
        if self.failed or self._client_waits() or (self.length is not None and self.length - self.received > limit):
            return self._refuse()
        stop = self.received + limit
        try:
            while await self.read():
                if self.received > stop:
                    return self._refuse()
        except S3Error:
            return False
        return True

    def _refuse(self) -> bool:
        """Keep nothing of it, now and from now on."""
        self.fail(S3Error("IncompleteBody"))
        self._pieces.clear()
        return False

    # For the channel

    @property
    def failed(self) -> bool:
        """Whether the rest will not come."""
        return self._failure is not None

    def deliver(self, data: bytes) -> None:
        """More has come."""
        self.received += len(data)
        self._pieces.append(data)
        self._waiting += len(data) + _PIECE_COST
        self._wake()
        if self._waiting >= HIGH_WATER:
            self._channel.pause_reading()

    def end(self) -> None:
        """All has come."""
        self.complete = True
        self._wake()

    def lost(self) -> None:
        """The rest will not come: the connection is gone."""
        self.fail(ClientGone())

    def fail(self, error: Exception) -> None:
        """The rest will not come; the reader gets ``error``."""
        if not self.complete and self._failure is None:
            self._failure = error
            self._wake()

    def _wake(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            self._channel.stop_clock()
            reader.callback(None)


@implementer(IBody)
class SpooledBody:
    """A body that ``twisted.web`` has already received whole, where the tree hangs in an ordinary site."""

    def __init__(self, content: BinaryIO, length: int) -> None:
        self.length: int | None = length
        self.received = length
        self.complete = True
        self._content = content

    async def read(self) -> bytes:
        """The next bytes; ``b""`` at the end. :raise ClientGone: when the connection has ended."""
        if self._content.closed:
            raise ClientGone
        return self._content.read(HIGH_WATER)

    async def drain(self, limit: int) -> bool:
        """It has ended already."""
        return True


@implementer(IBody)
class NoBody:
    """The body of a request that has none.

    A client that waits for ``100 Continue`` even so gets it: some take any other answer for one after which the
    connection can not be used (RFC 9110, 10.1.1, allows to leave it out).

    :param send_continue: sends ``100 Continue`` to a client that waits for it; None for one that does not.
    """

    length: int | None = 0
    received = 0
    complete = True

    def __init__(self, send_continue: Callable[[], object] | None = None) -> None:
        self._send_continue = send_continue

    async def read(self) -> bytes:
        """Nothing."""
        if self._send_continue is not None:
            self._send_continue()
            self._send_continue = None
        return b""

    async def drain(self, limit: int) -> bool:
        """Whether the client knows that it has ended."""
        return self._send_continue is None
