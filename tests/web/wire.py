"""A client that sends and reads raw bytes, and a server for it with one signed-up user."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lxml import etree
from msgspec import Struct, structs
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol, wrapClientTLS
from twisted.internet.interfaces import IHalfCloseableProtocol, IHandshakeListener
from twisted.internet.protocol import Protocol
from twisted.internet.ssl import CertificateOptions
from twisted.internet.task import Clock, deferLater
from twisted.python.failure import Failure
from zope.interface import implementer

from tests.protocol import signing
from tests.serving import Server, ServingTestCase
from twisted_s3.protocol.head import RequestHead

ADMIN = structs.replace(signing.USER, administrator=True)
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
PATH = "/bucket/key"


class Response(Struct, frozen=True):
    """A response as it came. ``headers`` by lower-case name."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def code(self) -> str | None:
        """The code of an error document."""
        return etree.fromstring(self.body).findtext("Code")


def request(
    method: str = "GET",
    path: str = PATH,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    how: str = "v4 query",
    version: str = "1.1",
) -> bytes:
    """A signed request. ``body`` (None: no length is declared) is not part of what is signed by query."""
    extra = dict(headers or {})
    if body is not None:
        extra.setdefault("Content-Length", str(len(body)))
    if how == "anonymous":
        head = signing.make_head(method, path, {"host": "127.0.0.1:9000"})
    else:
        head = signing.signed(method, path, body=(body or b"") if how == "v4 header" else b"", how=how)
    return framed(head, extra, version) + (body or b"")


def framed(head: RequestHead, headers: Mapping[str, str], version: str = "1.1") -> bytes:
    """A head with more headers as bytes."""
    target = head.path + (b"?" + head.query if head.query else b"")
    lines = [b"%b %b HTTP/%b" % (head.method.encode(), target, version.encode())]
    lines += [f"{name}: {value}".encode("latin-1") for name, values in head.headers.items() for value in values]
    lines += [f"{name}: {value}".encode("latin-1") for name, value in headers.items()]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def chunked(*pieces: bytes) -> bytes:
    """A body in HTTP chunks."""
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@implementer(IHalfCloseableProtocol, IHandshakeListener)
class Wire(Protocol):
    """One connection to the server."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.secured = False
        self.ended = False
        self.lost = False
        self._waiting: Deferred[None] | None = None

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.transport.write(data)

    def dataReceived(self, data: bytes) -> None:
        """Keep what comes."""
        self.received += data
        self._wake()

    def handshakeCompleted(self) -> None:
        """TLS is ready."""
        self.secured = True
        self._wake()

    def readConnectionLost(self) -> None:
        """The server has sent all."""
        self.ended = True
        self._wake()

    def writeConnectionLost(self) -> None:
        """Our side is closed."""

    def connectionLost(self, reason: Failure) -> None:
        """All is over."""
        self.ended = self.lost = True
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something that comes with bytes or with their end."""
        while not condition():
            self._waiting = Deferred()
            await self._waiting

    async def continued(self) -> None:
        """Take one ``100 Continue``; fails on anything else."""
        await self.until(lambda: len(self.received) >= len(CONTINUE) or self.ended)
        assert self.received.startswith(CONTINUE), bytes(self.received)
        del self.received[: len(CONTINUE)]

    async def response(self, bodiless: bool = False) -> Response:
        """Take the next response."""
        await self.until(lambda: b"\r\n\r\n" in self.received or self.ended)
        head = bytes(self.received).partition(b"\r\n\r\n")[0]
        lines = head.decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1])
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
        assert len(headers) == len(lines) - 1, lines
        length = 0 if bodiless or status in (204, 304) else int(headers["content-length"])
        start = len(head) + 4
        await self.until(lambda: len(self.received) >= start + length or self.ended)
        assert len(self.received) >= start + length, "cut off"
        body = bytes(self.received[start : start + length])
        del self.received[: start + length]
        return Response(status, headers, body)

    async def exchange(self, data: bytes, bodiless: bool = False) -> Response:
        """Send bytes, take a response."""
        self.send(data)
        return await self.response(bodiless)

    async def rest(self) -> bytes:
        """Everything until the server ends the connection."""
        await self.until(lambda: self.ended)
        return bytes(self.received)

    async def close(self) -> None:
        """End the connection from here."""
        self.transport.loseConnection()
        await self.until(lambda: self.lost)


class WireTestCase(ServingTestCase):
    """Tests with raw bytes. The server has ``bucket``."""

    timeout = 20
    users = (ADMIN,)
    region = signing.REGION

    async def serve(self, **changes: Any) -> Server:
        """A server with a bucket."""
        server = await self.start_server(**changes)
        await server.store.create_bucket("bucket", ADMIN.canonical_id, self.region)
        return server

    async def connect(self, server: Server) -> Wire:
        """A new connection."""
        endpoint: Any = TCP4ClientEndpoint(reactor, "127.0.0.1", server.port)
        if server.authority is not None:
            endpoint = wrapClientTLS(CertificateOptions(), endpoint)
        wire = await connectProtocol(endpoint, Wire())
        self.addCleanup(lambda: Deferred.fromCoroutine(wire.close()))
        if server.authority is not None:
            await wire.until(lambda: wire.secured or wire.ended)
        return wire

    async def open(self, **changes: Any) -> tuple[Server, Wire]:
        """A server with a bucket, and a connection to it."""
        server = await self.serve(**changes)
        return server, await self.connect(server)

    async def stopped(self, **changes: Any) -> tuple[Server, Clock, Wire, Any]:
        """A server whose connections live by a clock of the test; that clock, a connection, and the server's side."""
        server = await self.serve(**changes)
        clock = server.site.reactor = Clock()
        wire = await self.connect(server)
        await self.when(lambda: server.site._channels)
        return server, clock, wire, next(iter(server.site._channels))

    async def when(self, condition: Callable[[], object]) -> None:
        """Wait for something that the server does."""
        while not condition():
            await self.turn(0.001)

    async def turn(self, seconds: float) -> None:
        """Send the next bytes this much later."""
        await deferLater(reactor, seconds)

    def assert_error(self, response: Response, status: int, code: str) -> None:
        """It is this error, with all that an error has."""
        self.assertEqual((response.status, response.code), (status, code))
        document = etree.fromstring(response.body)
        self.assertEqual(document.findtext("RequestId"), response.headers["x-amz-request-id"])
        self.assertEqual(document.findtext("HostId"), response.headers["x-amz-id-2"])
        self.assertIsNotNone(document.findtext("Message"))
        self.assertIsNotNone(document.find("Resource"))
        self.assertEqual(response.headers["content-type"], "application/xml")
        self.assert_common(response)

    def assert_common(self, response: Response) -> None:
        """It has the headers that every response has."""
        for name in ("x-amz-request-id", "x-amz-id-2", "server", "date"):
            self.assertTrue(response.headers.get(name), f"{name} in {response}")

    async def keys(self, server: Server) -> Sequence[str]:
        """The keys in the bucket."""
        page, _ = await server.store.list_keys("bucket", lambda walk: list(walk("")), lambda keys: ())
        return page
