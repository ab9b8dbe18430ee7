"""Answers on their way into the system: in one piece, at once, and never before others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.main import CONNECTION_LOST

from tests.serving import Server, coroutine
from tests.web.wire import Wire, WireTestCase, request

SMALL = b"small"


class SendingTests(WireTestCase):
    """What the channel hands over when."""

    def watched(self, server: Server, takes: Callable[[int], int] = lambda size: size) -> list[bytes]:
        """What the system is handed from now on, and what the reactor is asked for (as ``b""``).

        :param takes: of so many bytes how many the system takes, the first time.
        """
        (channel,) = server.site._channels
        transport, handed = channel.transport, []
        send, start = transport.writeSomeData, transport.startWriting

        def watch(data: bytes) -> Any:
            first = not handed
            handed.append(bytes(data))
            return send(data[: takes(len(data))] if first else data)

        def started() -> None:
            handed.append(b"")
            start()

        transport.writeSomeData, transport.startWriting = watch, started
        return handed

    async def prepared(self) -> tuple[Server, Wire]:
        """A server with an object."""
        server, wire = await self.open()
        self.assertEqual((await wire.exchange(request("PUT", body=SMALL))).status, 200)
        return server, wire

    @coroutine
    async def test_one_piece(self) -> None:
        """Head and body of a small answer go out together, and a head alone when there is no body; all at once."""
        server, wire = await self.prepared()
        handed = self.watched(server)
        self.assertEqual((await wire.exchange(request())).body, SMALL)
        await wire.exchange(request("HEAD"), bodiless=True)
        self.assertEqual((await wire.exchange(request("DELETE"))).status, 204)
        self.assertEqual((await wire.exchange(request())).status, 404)
        self.assertEqual([piece[:12] for piece in handed], [b"HTTP/1.1 %d" % code for code in (200, 200, 204, 404)])
        self.assertTrue(handed[0].endswith(b"\r\n\r\n" + SMALL))
        self.assertTrue(handed[1].endswith(b"\r\n\r\n"))

    @coroutine
    async def test_told_before(self) -> None:
        """Who has an answer finds its request in the log."""
        server, wire = await self.prepared()
        (channel,) = server.site._channels
        send, told = channel.transport.writeSomeData, []

        def watch(data: bytes) -> Any:
            told.append(server.finished[-1].passage.operation)
            return send(data)

        channel.transport.writeSomeData = watch
        for method in ("GET", "HEAD", "DELETE"):
            await wire.exchange(request(method), bodiless=method != "GET")
        self.assertEqual(told, ["GetObject", "HeadObject", "DeleteObject"])

    @coroutine
    async def test_in_order(self) -> None:
        """What the system does not take waits, and so does all behind it."""
        for taken in (0, 1, 99):
            server, wire = await self.prepared()
            (channel,) = server.site._channels
            handed = self.watched(server, lambda size, taken=taken: taken)
            channel._send(b"a" * 100)
            channel._send(b"b")
            self.assertEqual(handed[:2], [b"a" * 100, b""])
            await wire.until(lambda wire=wire: len(wire.received) >= 101)
            self.assertEqual(bytes(wire.received), b"a" * 100 + b"b")

    @coroutine
    async def test_large(self) -> None:
        """More than goes at a time waits for the reactor."""
        server, _ = await self.prepared()
        (channel,) = server.site._channels
        handed = self.watched(server)
        limit = channel.transport.SEND_LIMIT
        channel._send(bytes(limit + 1))
        self.assertEqual(handed, [b""])

    @coroutine
    async def test_pipeline(self) -> None:
        """Answers to requests behind which others wait are left to the reactor: they hold up the others."""
        server, wire = await self.prepared()
        handed = self.watched(server)
        wire.send(request() * 3)
        for _ in range(3):
            self.assertEqual((await wire.response()).body, SMALL)
        self.assertEqual(handed[0], b"")

    @coroutine
    async def test_lost(self) -> None:
        """A connection that turns out to be lost ends as others do."""
        server, wire = await self.prepared()
        (channel,) = server.site._channels
        channel.transport.writeSomeData = lambda data: CONNECTION_LOST
        wire.send(request())
        self.assertEqual(await wire.rest(), b"")
        await self.when(lambda: not server.site._channels)
