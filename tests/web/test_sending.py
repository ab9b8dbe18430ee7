"""Answers on their way into the system: in one piece, at once, and never before others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.main import CONNECTION_LOST

from tests.serving import Server, coroutine
from tests.web.wire import Wire, WireTestCase, request

SMALL = b"small"
LARGE = bytes(range(256)) * 1024


class SendingTests(WireTestCase):
    """What the channel hands over when."""

    def watched(self, server: Server, takes: int | None = None) -> Sequence[bytes]:
        """What the connection is told to send at once; of which the system takes so many bytes every other time."""
        (channel,) = server.site._channels
        transport, sent = channel.transport, []
        send = transport.writeSomeData

        def watch(data: bytes) -> Any:
            sent.append(bytes(data))
            return send(data if takes is None or len(sent) % 2 == 0 else data[:takes])

        transport.writeSomeData = watch
        return sent

    async def prepared(self, body: bytes) -> tuple[Server, Wire]:
        """A server with an object."""
        server, wire = await self.open()
        self.assertEqual((await wire.exchange(request("PUT", body=body))).status, 200)
        return server, wire

    @coroutine
    async def test_one_piece(self) -> None:
        """Head and body of a small answer go out together, and a head alone when there is no body."""
        server, wire = await self.prepared(SMALL)
        sent = self.watched(server)
        self.assertEqual((await wire.exchange(request())).body, SMALL)
        await wire.exchange(request("HEAD"), bodiless=True)
        self.assertEqual((await wire.exchange(request("DELETE"))).status, 204)
        self.assertEqual((await wire.exchange(request())).status, 404)
        self.assertEqual([piece[:12] for piece in sent], [b"HTTP/1.1 %d" % code for code in (200, 200, 204, 404)])
        self.assertTrue(sent[0].endswith(b"\r\n\r\n" + SMALL))
        self.assertTrue(sent[1].endswith(b"\r\n\r\n"))

    @coroutine
    async def test_in_order(self) -> None:
        """What the system does not take at once waits, and so does all behind it."""
        for takes in (0, 1, 100):
            server, wire = await self.prepared(SMALL)
            self.watched(server, takes)
            wire.send(request() + request("HEAD") + request())
            for bodiless in (False, True, False):
                answer = await wire.response(bodiless)
                self.assertEqual((answer.status, answer.body), (200, b"" if bodiless else SMALL))

    @coroutine
    async def test_large(self) -> None:
        """More than is sent at a time goes the usual way."""
        server, wire = await self.prepared(LARGE)
        sent = self.watched(server)
        self.assertEqual((await wire.exchange(request())).body, LARGE)
        self.assertGreater(len(sent), 1)

    @coroutine
    async def test_lost(self) -> None:
        """A connection that turns out to be lost ends as others do."""
        server, wire = await self.prepared(SMALL)
        (channel,) = server.site._channels
        channel.transport.writeSomeData = lambda data: CONNECTION_LOST
        wire.send(request())
        self.assertEqual(await wire.rest(), b"")
        await self.when(lambda: not server.site._channels)
