"""Bodies: those that come in, and those that go out."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from twisted.internet.defer import Deferred
from zope.interface import implementer

from twisted_s3.errors import S3Error
from twisted_s3.interfaces import IBody

if TYPE_CHECKING:
    from twisted_s3.web.channel import S3Channel

#: Bytes that may wait for a reader before the connection is paused.
HIGH_WATER = 256 * 1024


class ClientGone(Exception):
    """The connection ended before the body did. There is nobody to answer."""


@implementer(IBody)
class RequestBody:
    """The body of a request as it arrives on a channel, with backpressure.

    Reading begins with the first call of `read`, which is also what sends ``100 Continue``.

    :ivar length: as the head declares it, else None.
    """

    def __init__(self, channel: S3Channel, length: int | None, expects_continue: bool) -> None:
        self.length = length
        self.received = 0
        self._channel = channel
        self._expects_continue = expects_continue
        self._continued = False
        self._discarding = False
        self._ended = False
        self._failure: Exception | None = None
        self._pieces: list[bytes] = []
        self._waiting = 0
        self._reader: Deferred[None] | None = None
        self._paused = False

    # For the operation

    async def read(self) -> bytes:
        """The next bytes, as they come; ``b""`` at the end.

        :raise ClientGone: when the connection ends first.
        :raise S3Error: ``RequestTimeout`` when they do not come in time.
        """
        if self._expects_continue and not self._continued:
            self._continued = True
            if not self.received:
                self._channel.send_continue()
        if not self._pieces and not self._ended and self._failure is None:
            self._resume()
            self._reader = Deferred()
            await self._reader
        if self._pieces:
            data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
            self._pieces.clear()
            self._waiting = 0
            self._resume()
            return data
        if self._failure is not None:
            raise self._failure
        return b""

    # For the answer

    @property
    def complete(self) -> bool:
        """Whether all of it has come."""
        return self._ended

    def drainable(self, limit: int) -> bool:
        """Whether the rest fits ``limit`` bytes, and the client does not wait for leave to send it."""
        if self._failure is not None or (self._expects_continue and not self._continued and not self.received):
            return False
        return self.length is None or self.length - self.received <= limit

    async def drain(self, limit: int) -> bool:
        """Read and drop the rest within ``limit`` bytes. Gives whether that was all."""
        if self._ended:
            return True
        if not self.drainable(limit):
            return False
        stop = self.received + limit
        self._continued = True
        try:
            while await self.read():
                if self.received > stop:
                    return False
        except S3Error:
            return False
        return True

    def discard(self) -> None:
        """From now on drop whatever comes."""
        self._discarding = True
        self._pieces.clear()
        self._waiting = 0
        self._resume()

    # For the channel

    def deliver(self, data: bytes) -> None:
        """More has come."""
        self.received += len(data)
        if self._discarding:
            return
        self._pieces.append(data)
        self._waiting += len(data)
        if self._waiting >= HIGH_WATER and not self._paused:
            self._paused = True
            self._channel.pause_reading()
        self._wake()

    def end(self) -> None:
        """All has come."""
        self._ended = True
        self._wake()

    def lost(self) -> None:
        """The rest will not come: the connection is gone."""
        self.fail(ClientGone())

    def fail(self, error: Exception) -> None:
        """The rest will not come; the reader gets ``error``."""
        if not self._ended and self._failure is None:
            self._failure = error
            self._wake()

    def _resume(self) -> None:
        if self._paused and not self._ended and self._failure is None:
            self._paused = False
            self._channel.resume_reading()

    def _wake(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
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
        """The next bytes; ``b""`` at the end."""
        return self._content.read(HIGH_WATER)

    async def drain(self, limit: int) -> bool:
        """It has ended already."""
        return True


@implementer(IBody)
class NoBody:
    """The body of a request that has none."""

    length: int | None = 0
    received = 0
    complete = True

    async def read(self) -> bytes:
        """Nothing."""
        return b""

    async def drain(self, limit: int) -> bool:
        """It has ended already."""
        return True
