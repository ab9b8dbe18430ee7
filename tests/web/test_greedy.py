"""Clients that send more than anybody takes, or take nothing of what they are sent: little is kept for them."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from typing import Any, cast

from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.web.server import Site

from tests.serving import Server, coroutine
from tests.web.test_flow import SOCKETS, FlowTestCase
from tests.web.wire import Wire, WireTestCase, request
from twisted_s3.interfaces import IObjectStore
from twisted_s3.storage.filesystem.store import FilesystemStore
from twisted_s3.web.bodies import HIGH_WATER

#: What the system takes from a client at most that nobody reads.
_POURED = SOCKETS + (8 << 20)
#: What may be kept of it: a little more than is read at a time.
_KEPT = 1 << 20


class GreedyTests(FlowTestCase):
    """What is kept for one connection."""

    def pour(self, server: Server, sent: bytes) -> socket.socket:
        """Send, then as much more as somebody takes, and read nothing."""
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", server.port))
        client.settimeout(0.5)
        try:
            client.sendall(sent)
            poured = 0
            while poured < _POURED:
                poured += client.send(bytes(1 << 20))
        except TimeoutError:
            pass
        return client

    @coroutine
    async def test_answers_that_nobody_takes(self) -> None:
        """Requests behind answers that are not taken wait in the system, not here. Nobody has signed them."""
        server = await self.serve()
        one = b"GET /bucket/" + b"&" * 15_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n"
        client: Any = await self.in_thread(lambda: self.pour(server, one * 300))
        self.addCleanup(client.close)
        (channel,) = server.site._channels
        self.assertTrue(channel._waitingForTransport)
        self.assertLess(sum(map(len, channel._dataBuffer)), _KEPT)

    @coroutine
    async def test_body_that_nobody_wants(self) -> None:
        """Nothing is kept of the body of a GET while the object is sent."""
        server, wire = await self.open()
        size = 8 << 20
        await self.put(server, size)
        wire.send(request("GET", headers={"Content-Length": str(1 << 33)}))
        (channel,) = server.site._channels
        await self.when(lambda: channel._body is not None)
        body = channel._body

        def pour() -> None:
            with socket.socket(fileno=os.dup(wire.transport.socket.fileno())) as client:
                client.settimeout(0.5)
                try:
                    for _ in range(_POURED >> 20):
                        client.send(bytes(1 << 20))
                except OSError:
                    pass

        poured = self.in_thread(pour)
        await wire.until(lambda: len(wire.received) > size or wire.ended)
        await poured
        self.assertGreater(len(wire.received), size)
        self.assertEqual(body._pieces, [])

    @coroutine
    async def test_tiny_chunks(self) -> None:
        """What is kept of a body counts as what it takes in memory."""
        server, wire = await self.open()
        store = self.watched(server)
        store.held = True
        wire.send(request("PUT", headers={"Transfer-Encoding": "chunked"}) + b"2\r\nxy\r\n" * 60_000)
        (channel,) = server.site._channels
        await self.when(lambda: channel._body is not None and channel._body._waiting >= HIGH_WATER)
        pieces = channel._body._pieces
        # The rest of what was read at once comes on top.
        self.assertLess(sum(map(sys.getsizeof, pieces)), 2 * HIGH_WATER)
        store.release()
        wire.transport.abortConnection()
        await self.gone(server)


class OrdinarySiteTests(WireTestCase):
    """The tree in a site of ``twisted.web``, whose connections are none of ours."""

    def make_store(self) -> IObjectStore:
        root = self.enterContext(tempfile.TemporaryDirectory())
        return FilesystemStore(root, cast(Any, reactor), durable=False, threads=2)

    @coroutine
    async def test_large_objects(self) -> None:
        """They come whole."""
        server, wire = await self.open()
        port: Any = cast(Any, reactor).listenTCP(0, Site(server.site.resource), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        for size in (1000, 1 << 20, (5 << 20) + 1):
            body = os.urandom(1000) * (size // 1000 + 1)
            self.assertEqual((await wire.exchange(request("PUT", body=body[:size]))).status, 200)
            other = await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port), Wire())
            self.assertEqual((await other.exchange(request())).body, body[:size])
            await other.close()
