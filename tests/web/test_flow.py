"""Backpressure in both directions, and connections that end in the middle."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from tests.protocol import signing
from tests.serving import Server, coroutine
from tests.web.watched import WatchedStore
from tests.web.wire import ADMIN, Wire, WireTestCase, framed, request
from twisted_s3.errors import S3Error
from twisted_s3.model import ByteRange, Properties
from twisted_s3.operations.call import Answer, Download, Headers, Services
from twisted_s3.protocol.payload import Payload
from twisted_s3.protocol.sigv4 import UNSIGNED_CHUNKS_TRAILER
from twisted_s3.web.bodies import HIGH_WATER
from twisted_s3.web.downloads import PIECE
from twisted_s3.web.limits import HTTPLimits

BIG = 32 << 20
SOCKETS = 16 << 20  #: more than the kernel keeps for one connection on its two sides


class FlowTestCase(WireTestCase):
    """Tests over a store that waits."""

    def make_store(self) -> WatchedStore:
        """See `WatchedStore`."""
        return WatchedStore(reactor)

    async def put(self, server: Server, size: int, key: str = "key") -> None:
        """Put an object where no client is needed."""
        staged = await server.store.stage("bucket", Payload())
        await staged.write(b"x" * size)
        await staged.commit(key, Properties(), owner=ADMIN.canonical_id)
        await staged.discard()

    def watched(self, server: Server) -> WatchedStore:
        """The store."""
        assert isinstance(server.store, WatchedStore)
        server.store.read = server.store.written = 0
        return server.store

    async def gone(self, server: Server) -> None:
        """Wait for the end of a request."""
        while not server.finished:
            await self.turn(0.001)

    async def settled(self, server: Server) -> None:
        """Let the reactor move what the kernel can move."""
        store, seen = server.store, None
        assert isinstance(store, WatchedStore)
        while seen != (seen := (store.read, store.written, self.buffered(server))):
            for _ in range(200):
                await self.turn(0.0005)

    def buffered(self, server: Server) -> int:
        """Bytes that the server keeps for its connections."""
        total = 0
        for channel in server.site._channels:
            transport: Any = channel.transport
            body = channel._body
            total += 0 if body is None else sum(map(len, body._pieces))
            total += len(channel._buffer) + sum(map(len, channel._dataBuffer))
            while transport is not None:
                total += sum(map(len, getattr(transport, "_appSendBuffer", ())))
                total += len(getattr(transport, "dataBuffer", b"")) + getattr(transport, "_tempDataLen", 0)
                transport = getattr(transport, "transport", None)
        return total


class Backpressure(FlowTestCase):
    """Neither side can make the server pile up bytes."""

    @coroutine
    async def test_slow_store(self) -> None:
        """While the store waits, no more than a little of the bodies is read; then all is there."""
        server = await self.serve()
        store = self.watched(server)
        store.held = True
        wires = [await self.connect(server) for _ in range(4)]
        for number, wire in enumerate(wires):
            wire.send(request("PUT", f"/bucket/{number}", b"x" * BIG))
        await self.settled(server)
        self.assertEqual(store.written, 0)
        self.assertLess(self.buffered(server), len(wires) * (HIGH_WATER + 512 * 1024))
        self.assertGreater(self.buffered(server), HIGH_WATER)
        store.release()
        for wire in wires:
            self.assertEqual((await wire.response()).status, 200)
        self.assertEqual((store.written, store.staged), (len(wires) * BIG, 0))

    @coroutine
    async def test_slow_store_is_no_fault_of_the_client(self) -> None:
        """The clock does not run while the server does not read."""
        server, clock, wire, channel = await self.stopped()
        store = self.watched(server)
        for size in (5, 4 * HIGH_WATER):
            store.held = True
            wire.send(request("PUT", body=b"x" * (size + 1))[:-1])
            came = min(size, HIGH_WATER)
            await self.when(lambda came=came: channel._body and channel._body.received >= came)
            clock.advance(10_000)
            store.release()
            self.assertEqual((await wire.exchange(b"x")).status, 200)

    @coroutine
    async def test_nothing_is_kept_behind_a_broken_chunk(self) -> None:
        """What follows a chunk that is none is dropped, also while the store does not take what came before."""
        server, wire = await self.open()
        store = self.watched(server)
        store.held = True
        wire.send(
            request("PUT", headers={"Transfer-Encoding": "chunked"}) + b"5\r\nhello\r\nx\r\n" + b"x" * 4 * HIGH_WATER
        )
        await self.settled(server)
        (channel,) = server.site._channels
        self.assertLess(self.buffered(server) + len(channel._transferDecoder._buffer), 2 * 65536)
        store.release()
        self.assert_error(await wire.response(), 400, "IncompleteBody")

    @coroutine
    async def test_slow_reader(self) -> None:
        """A client that does not read stops the reading from the store; when it reads, all comes."""
        server = await self.serve()
        await self.put(server, BIG)
        store = self.watched(server)
        wires = [await self.connect(server) for _ in range(4)]
        for wire in wires:
            wire.transport.pauseProducing()
            wire.send(request())
        await self.settled(server)
        self.assertLess(store.read, len(wires) * SOCKETS)
        self.assertLess(self.buffered(server), len(wires) * (3 * PIECE))
        self.assertEqual(store.open, len(wires))
        for wire in wires:
            wire.transport.resumeProducing()
            self.assertEqual(len((await wire.response()).body), BIG)
        await self.settled(server)
        self.assertEqual(store.open, 0)

    @coroutine
    async def test_answers_do_not_pile_up(self) -> None:
        """Nor do many requests at once whose answers are not read."""
        server, wire = await self.open()
        await self.put(server, PIECE)
        await self.put(server, BIG, "big")
        store = self.watched(server)
        wire.transport.pauseProducing()
        wire.send(request(how="v4 query") * 100 + request("GET", "/bucket/big") * 2)
        await self.settled(server)
        self.assertLess(store.read, SOCKETS)
        self.assertLess(self.buffered(server), 3 * PIECE + 65536)
        wire.transport.resumeProducing()
        for _ in range(100):
            self.assertEqual(len((await wire.response()).body), PIECE)
        for _ in range(2):
            self.assertEqual(len((await wire.response()).body), BIG)

    @coroutine
    async def test_stalled_reader(self) -> None:
        """A client that reads nothing more is let go, whatever it sends meanwhile, and the object closed."""
        server, clock, wire, channel = await self.stopped(limits=HTTPLimits(idle_timeout=10))
        await self.put(server, BIG)
        store = self.watched(server)
        wire.transport.pauseProducing()
        wire.send(request())
        await self.when(lambda: channel._waitingForTransport)
        await self.settled(server)
        clock.advance(9)
        wire.send(b"GET")
        await self.when(lambda: channel._dataBuffer)
        self.assertEqual(store.open, 1)
        clock.advance(1)
        await self.gone(server)
        self.assertEqual((store.open, clock.getDelayedCalls()), (0, []))
        self.assertEqual((server.finished[0].error, server.finished[0].status), ("ClientGone", 200))
        wire.transport.resumeProducing()
        self.assertLess(len(await wire.rest()), BIG)

    @coroutine
    async def test_stalled_reader_of_small_answers(self) -> None:
        """The same for a client that asks and asks and never reads."""
        server, clock, wire, channel = await self.stopped(limits=HTTPLimits(idle_timeout=10))
        await self.put(server, PIECE)
        wire.transport.pauseProducing()
        wire.send(request() * 100)
        await self.when(lambda: channel._held)
        await self.settled(server)
        clock.advance(10)
        await self.when(lambda: not server.site._channels)
        wire.transport.resumeProducing()
        self.assertLess(len(await wire.rest()), 100 * PIECE)

    @coroutine
    async def test_stalled_sender(self) -> None:
        """A body that stops coming is answered RequestTimeout, and nothing of it is kept."""
        for begun in (b"", b"hel", b"x" * 3 * HIGH_WATER):
            server, clock, wire, channel = await self.stopped(limits=HTTPLimits(idle_timeout=10))
            store = self.watched(server)
            wire.send(request("PUT", headers={"Content-Length": "10000000"}) + begun)
            await self.when(lambda channel=channel, size=len(begun): channel._body and channel._body.received == size)
            clock.advance(9.9)
            self.assertEqual((store.staged, store.written), (1, len(begun)))
            clock.advance(0.1)
            response = await wire.response()
            self.assert_error(response, 400, "RequestTimeout")
            self.assertEqual(response.headers["connection"], "close")
            self.assertEqual(await wire.rest(), b"")
            self.assertEqual((store.staged, await self.keys(server)), (0, []))

    @coroutine
    async def test_trickling_sender(self) -> None:
        """A body that comes slowly, but comes, is taken."""
        server, clock, wire, _ = await self.stopped(limits=HTTPLimits(idle_timeout=10))
        store = self.watched(server)
        wire.send(request("PUT", headers={"Content-Length": "10"}))
        for sent in range(1, 11):
            wire.send(b"x")
            await self.when(lambda sent=sent: store.written == sent)
            clock.advance(9)
        self.assertEqual((await wire.response()).status, 200)


class BackpressureOverTLS(Backpressure):
    """The same over TLS."""

    tls = True


class Interrupted(FlowTestCase):
    """What ends in the middle leaves nothing behind."""

    @coroutine
    async def test_upload(self) -> None:
        """A client that leaves in the middle of an upload."""
        server, wire = await self.open()
        store = self.watched(server)
        wire.send(request("PUT", headers={"Content-Length": "10"}) + b"hello")
        while not store.written:
            await store.changed()
        wire.transport.abortConnection()
        await self.gone(server)
        self.assertEqual((store.staged, await self.keys(server)), (0, []))
        self.assertEqual((server.finished[0].error, server.finished[0].status), ("ClientGone", None))

    @coroutine
    async def test_upload_while_the_store_writes(self) -> None:
        """The same while the store does not take what came."""
        server, wire = await self.open()
        store = self.watched(server)
        store.held = True
        wire.send(request("PUT", headers={"Content-Length": "10"}) + b"hello")
        while not store.staged:
            await self.turn(0.001)
        wire.transport.abortConnection()
        while server.site._channels:
            await self.turn(0.001)
        store.release()
        await self.gone(server)
        self.assertEqual((store.staged, await self.keys(server)), (0, []))
        self.assertEqual(self.flushLoggedErrors(), [])

    @coroutine
    async def test_refusal_that_nobody_reads(self) -> None:
        """A body that turns out bad when its sender has left."""
        server, wire = await self.open()
        store = self.watched(server)
        store.held = True
        head, _ = signing.streaming([b"hello"], UNSIGNED_CHUNKS_TRAILER)
        wire.send(framed(head, {"Content-Length": "100"}) + b"no chunk\r\n")
        await self.when(lambda: store.staged)
        wire.transport.abortConnection()
        await self.when(lambda: not server.site._channels)
        store.release()
        await self.gone(server)
        self.assertEqual((store.staged, server.finished[0].error), (0, "IncompleteBody"))
        self.assertEqual((server.finished[0].status, self.flushLoggedErrors()), (None, []))

    @coroutine
    async def test_end_in_the_middle(self) -> None:
        """A body that ends too early, from a client that still listens."""
        for coding in ({"Content-Length": "10"}, {"Transfer-Encoding": "chunked"}):
            server, wire = await self.open()
            wire.send(request("PUT", headers=coding) + b"5\r\nhel")
            wire.transport.loseWriteConnection()
            response = await wire.response()
            self.assert_error(response, 400, "IncompleteBody")
            self.assertEqual(response.headers["connection"], "close")
            self.assertEqual((self.watched(server).staged, await self.keys(server)), (0, []))

    @coroutine
    async def test_download(self) -> None:
        """A client that leaves in the middle of a download."""
        for held in (False, True):
            server, wire = await self.open()
            await self.put(server, BIG)
            store = self.watched(server)
            wire.transport.pauseProducing()
            wire.send(request())
            while not store.read:
                await store.changed()
            store.held = held
            wire.transport.resumeProducing()
            wire.transport.abortConnection()
            while server.site._channels:
                await self.turn(0.001)
            store.release()
            await self.gone(server)
            self.assertEqual((store.open, server.finished[0].error), (0, "ClientGone"))
            self.assertLess(store.read, BIG)

    @coroutine
    async def test_read_error(self) -> None:
        """An answer that can not be completed does not look whole."""
        server, wire = await self.open()
        await self.put(server, BIG)
        store = self.watched(server)
        store.fail_from = PIECE
        for failure in (OSError("disk"), S3Error("InternalError")):
            server.finished.clear()
            store.failure = failure
            wire = await self.connect(server)
            wire.send(request() + request())
            received = await wire.rest()
            self.assertLess(received.count(b"HTTP/1.1"), 2)
            self.assertLess(len(received), BIG)
            self.assertEqual((store.open, len(server.finished)), (0, 1))
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    @coroutine
    async def test_read_error_at_once(self) -> None:
        """Before anything is sent there is still an answer, and the connection goes on."""
        server, wire = await self.open()
        await self.put(server, BIG)
        await self.put(server, 5, "small")
        store = self.watched(server)
        for path in ("/bucket/key", "/bucket/small"):
            store.failure = OSError("disk")
            self.assert_error(await wire.exchange(request("GET", path)), 500, "InternalError")
            store.failure = None
            self.assertEqual((await wire.exchange(request("GET", path))).status, 200)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 2)
        self.assertEqual(store.open, 0)

    @coroutine
    async def test_answer_that_can_not_be_sent(self) -> None:
        """A header that HTTP can not carry is our fault; the object is closed."""
        server, wire = await self.open()
        await self.put(server, 5)
        server.site.resource._gate = Snowman(server.site.resource._gate.services)
        self.assert_error(await wire.exchange(request()), 500, "InternalError")
        self.assertEqual(self.watched(server).open, 0)
        self.assertEqual(len(self.flushLoggedErrors(UnicodeEncodeError)), 1)

    @coroutine
    async def test_line_ends_in_headers(self) -> None:
        """No value can begin another header, wherever it comes from."""
        server, wire = await self.open()
        await self.put(server, 5)
        name = "x-amz-meta-a"
        server.site.resource._gate = Snowman(server.site.resource._gate.services, name, "b\r\nX-Evil: c\nd\re")
        response = await wire.exchange(request())
        self.assertEqual((response.headers[name], response.body), ("b X-Evil: c d e", b"xxxxx"))

    @coroutine
    async def test_names_that_are_none(self) -> None:
        """What an old record holds as metadata and no header can be called is left out; the rest is served."""
        server, wire = await self.open()
        evil = ("a: b\r\nX-Evil", "a b", "", "\u00e9", "\u2603", "a\n", "good")
        staged = await server.store.stage("bucket", Payload())
        properties = Properties(user=dict.fromkeys(evil, "c"))
        await staged.commit("key", properties, owner=ADMIN.canonical_id)
        response = await wire.exchange(request())
        self.assertEqual(response.status, 200)
        shown = {name for name in response.headers if name.startswith("x-amz-meta-")}
        self.assertEqual(shown, {"x-amz-meta-", "x-amz-meta-good"})
        self.assertNotIn("x-evil", response.headers)

    @coroutine
    async def test_log_that_fails(self) -> None:
        """What the keeper of the log raises harms no request."""
        server, wire = await self.open()
        server.site.resource._finished = lambda _: 1 // 0
        for _ in range(2):
            self.assert_error(await wire.exchange(request()), 404, "NoSuchKey")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)


class InterruptedOverTLS(Interrupted):
    """The same over TLS."""

    tls = True
    # TLS has no half close.
    test_end_in_the_middle = None  # type: ignore[assignment]


class Snowman(Struct, frozen=True):
    """A gate behind which there is an answer that HTTP can not carry."""

    services: Services
    name: str = "x-amz-meta-a"
    value: str = "\u2603"

    async def shared(self, *request: object) -> Headers:
        """No headers for scripts."""
        return ()

    async def answer(self, *request: object) -> Answer:
        """The answer."""
        opened = await self.services.store.open_object("bucket", "key")
        headers = [(self.name, self.value), ("Content-Length", "5")]
        return Answer(200, headers, download=Download(opened, ByteRange(0, 5)))


class Draining(FlowTestCase):
    """The end of a site."""

    async def ready(self, grace: float) -> tuple[Server, Wire, Wire, Deferred[None]]:
        server, busy = await self.open()
        await self.put(server, BIG)
        idle, silent = await self.connect(server), await self.connect(server)
        await idle.exchange(request("HEAD"), bodiless=True)
        busy.transport.pauseProducing()
        busy.send(request())
        store = self.watched(server)
        while not store.read:
            await store.changed()
        drained = server.site.drain(grace)
        self.assertEqual(await idle.rest(), b"")
        self.assertEqual(await silent.rest(), b"")
        return server, busy, idle, drained

    @coroutine
    async def test_finishes(self) -> None:
        """Idle connections end at once, a running transfer comes to its end, and who comes now is refused."""
        server, busy, _, drained = await self.ready(60)
        late = await self.connect(server)
        self.assert_error(await late.exchange(b""), 503, "SlowDown")
        await late.close()
        self.assertFalse(drained.called)
        busy.transport.resumeProducing()
        self.assertEqual(len((await busy.response()).body), BIG)
        self.assertEqual(await busy.rest(), b"")
        await busy.close()
        await drained
        await server.site.drain(60)

    @coroutine
    async def test_is_told(self) -> None:
        """The last answer on a connection says so."""
        server, wire = await self.open()
        store = self.watched(server)
        store.held = True
        wire.send(request("PUT", body=b"hello"))
        while not store.staged:
            await self.turn(0.001)
        drained = server.site.drain(60)
        store.release()
        self.assertEqual((await wire.response()).headers["connection"], "close")
        await wire.close()
        await drained

    @coroutine
    async def test_head_under_way(self) -> None:
        """A request whose head has begun is still served, as the last one."""
        server, wire = await self.open()
        data = request("PUT", body=b"hello")
        wire.send(data[:-20])
        (channel,) = server.site._channels
        await self.when(lambda: channel.requests)
        drained = server.site.drain(60)
        response = await wire.exchange(data[-20:] + request())
        self.assertEqual((response.status, response.headers["connection"]), (200, "close"))
        self.assertEqual(await wire.rest(), b"")
        await wire.close()
        await drained

    @coroutine
    async def test_grace(self) -> None:
        """After the grace everything ends."""
        server, busy, _, drained = await self.ready(0.1)
        await drained
        self.assertEqual(server.site._channels, set())
        busy.transport.resumeProducing()
        self.assertLess(len(await busy.rest()), BIG)
        self.assertEqual(self.watched(server).open, 0)


class DrainingOverTLS(Draining):
    """The same over TLS."""

    tls = True
