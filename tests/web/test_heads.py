"""Heads of requests: good, bad, slow and too large; and connections that serve one after the other."""

from __future__ import annotations

import gc
import socket

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http import _parseRequestLine

from tests.protocol import signing
from tests.serving import coroutine
from tests.web.wire import PATH, Response, WireTestCase, framed, request
from twisted_s3.web.channel import _REQUEST_LINE
from twisted_s3.web.limits import HTTPLimits
from twisted_s3.web.request import S3Request

GOOD = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


class RequestLines(SynchronousTestCase):
    """Which lines begin a request is for ``twisted.web`` to say; most it is not asked about."""

    @given(st.from_regex(_REQUEST_LINE, fullmatch=True) | st.binary(max_size=40))
    @example(b"GET /\x7f HTTP/1.1")
    @example(b"GET / HTTP/1.1\n")
    def test_as_twisted_web(self, line: bytes) -> None:
        """What is taken for one is one, of the same parts."""
        request = _REQUEST_LINE.fullmatch(line)
        if request is not None:
            self.assertEqual(request.groups(), _parseRequestLine(line))


class Malformed(WireTestCase):
    """What is no request is answered 400, and nothing behind it is looked at."""

    async def refused(self, data: bytes, code: str = "BadRequest") -> Response:
        server, wire = await self.open()
        response = await wire.exchange(data + request("PUT", body=b"behind"))
        self.assert_error(response, 400, code)
        self.assertEqual(response.headers["connection"], "close")
        self.assertEqual(await wire.rest(), b"")
        self.assertEqual((server.finished, await self.keys(server)), ([], []))
        return response

    @coroutine
    async def test_request_lines(self) -> None:
        """Request lines that are none."""
        for line in (
            b"nonsense",
            b"GET /",
            b"GET  / HTTP/1.1",
            b"GET / HTTP/1.1 ",
            b" GET / HTTP/1.1",
            b"G(T / HTTP/1.1",
            b"GET /a b HTTP/1.1",
            b"GET /\x00 HTTP/1.1",
            b"GET / HTTP/2.0",
            b"GET / HTTP/0.9",
            b"GET / http/1.1",
            b"GET bucket/key HTTP/1.1",
            b"GET * HTTP/1.1",
            b"CONNECT h:443 HTTP/1.1",
        ):
            await self.refused(line + b"\r\nHost: h\r\n\r\n")

    @coroutine
    async def test_headers(self) -> None:
        """Headers that parsers disagree about, on which requests could be smuggled."""
        for lines in (
            b"Content-Length: 5\r\nContent-Length: 5",
            b"Content-Length: 5\r\nContent-Length: 6",
            b"Content-Length: 5, 5",
            b"Content-Length: 5\r\nTransfer-Encoding: chunked",
            b"Transfer-Encoding: chunked\r\nContent-Length: 5",
            b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            b"Transfer-Encoding: gzip, chunked",
            b"Transfer-Encoding: chunked, identity",
            b"Transfer-Encoding: \x0bchunked",
            b"Transfer-Encoding : chunked",
            b"Content-Length: -5",
            b"Content-Length: +5",
            b"Content-Length: 0x5",
            b"Content-Length: 5_0",
            b"Content-Length:",
            b"Content-Length: " + b"9" * 5000,
            b"Content-Length : 5",
            b"X-A: b\r\n folded",
            b"X-A: b\r\n\tfolded",
            b" X-A: b",
            b"X-A: nul\x00",
            b"X-A: bare\nX-B: lf",
            b"X-A: bare\rX-B: cr",
            b"no colon",
            b": no name",
            b"X A: space",
            b"Host: other",
        ):
            await self.refused(b"PUT " + PATH.encode() + b" HTTP/1.1\r\nHost: h\r\n" + lines + b"\r\n\r\n")

    @coroutine
    async def test_no_host(self) -> None:
        """HTTP/1.1 needs a host."""
        await self.refused(b"GET / HTTP/1.1\r\n\r\n")

    @coroutine
    async def test_bare_line_ends(self) -> None:
        """A head whose lines end in LF alone is refused at once, also when its end has not come."""
        for data in (b"GET / HTTP/1.1\nHost: h\n\n", b"GET / HTTP/1.1\r\nHost: h\n"):
            _, wire = await self.open()
            self.assert_error(await wire.exchange(data), 400, "BadRequest")
            self.assertEqual(await wire.rest(), b"")

    @coroutine
    async def test_too_large(self) -> None:
        """Lines that are too long, too many lines, and too much of all."""
        code = "RequestHeaderSectionTooLarge"
        await self.refused(b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n", code)
        await self.refused(b"GET / HTTP/1.1\r\nX-A: " + b"x" * 20_000 + b"\r\n\r\n", code)
        await self.refused(
            b"GET /" + b"x" * 15_000 + b" HTTP/1.1\r\n" + (b"X-A: " + b"x" * 995 + b"\r\n") * 2 + b"\r\n", code
        )
        await self.refused(b"GET / HTTP/1.1\r\n" + b"X-A: b\r\n" * 201 + b"\r\n", code)
        await self.refused(b"GET / HTTP/1.1\r\n" + (b"X-A: " + b"x" * 1000 + b"\r\n") * 17 + b"\r\n", code)

    @coroutine
    async def test_line_without_end(self) -> None:
        """A line that is too long is refused before it ends."""
        _, wire = await self.open()
        self.assert_error(await wire.exchange(b"G" * 16_386), 400, "RequestHeaderSectionTooLarge")

    @coroutine
    async def test_behind_a_good_one(self) -> None:
        """What came before the garbage is answered first."""
        _, wire = await self.open()
        first = await wire.exchange(request("PUT", body=b"hello") + request() + b"garbage\r\n\r\n" + GOOD)
        self.assertEqual((first.status, (await wire.response()).body), (200, b"hello"))
        self.assert_error(await wire.response(), 400, "BadRequest")
        self.assertEqual(await wire.rest(), b"")


class MalformedOverTLS(WireTestCase):
    """One of them over TLS."""

    tls = True

    @coroutine
    async def test_bad_request(self) -> None:
        """The answer can be read, then the connection ends."""
        _, wire = await self.open()
        self.assert_error(await wire.exchange(b"nonsense\r\n"), 400, "BadRequest")
        self.assertEqual(await wire.rest(), b"")


class Slow(WireTestCase):
    """Clients that take their time."""

    @coroutine
    async def test_slow_head(self) -> None:
        """A head must be there in time, whatever trickles."""
        _, clock, wire, channel = await self.stopped(limits=HTTPLimits(header_timeout=10))
        for second, piece in enumerate((b"G", b"ET / HTTP/1.1\r\nHost: h\r\n", *[b"X-A: b\r\n"] * 8)):
            seen = channel._receivedHeaderSize, channel._buffer
            wire.send(piece)
            await self.when(lambda seen=seen: (channel._receivedHeaderSize, channel._buffer) != seen)
            self.assertEqual(clock.seconds(), second)
            clock.advance(1)
        self.assert_error(await wire.response(), 400, "RequestTimeout")
        self.assertEqual(await wire.rest(), b"")

    @coroutine
    async def test_slow_second_head(self) -> None:
        """The same for a head that began together with the request before."""
        _, clock, wire, _ = await self.stopped(limits=HTTPLimits(idle_timeout=10, header_timeout=10))
        self.assertEqual((await wire.exchange(request("PUT", body=b"hello") + b"GET / HT")).status, 200)
        clock.advance(10)
        self.assert_error(await wire.response(), 400, "RequestTimeout")
        self.assertEqual(await wire.rest(), b"")

    @coroutine
    async def test_idle(self) -> None:
        """A connection on which nothing happens ends without a word."""
        for requests in (0, 1):
            server, clock, wire, _ = await self.stopped(limits=HTTPLimits(idle_timeout=10))
            for _ in range(requests):
                self.assertEqual((await wire.exchange(request("PUT", body=b"hello"))).status, 200)
            clock.advance(9.9)
            self.assertEqual(len(clock.getDelayedCalls()), 1)
            wire.transport.pauseProducing()
            clock.advance(0.1)
            await self.when(lambda server=server: not server.site._channels)
            self.assertEqual(clock.getDelayedCalls(), [])
            wire.transport.resumeProducing()
            self.assertEqual(await wire.rest(), b"")

    @coroutine
    async def test_client_that_does_not_close(self) -> None:
        """After the last answer a client has a moment, and then the connection ends from here."""
        server, clock, wire, channel = await self.stopped(limits=HTTPLimits(close_timeout=5))
        wire.send(request("PUT", headers={"Connection": "close"}, body=b"hello"))
        wire.transport.pauseProducing()
        await self.when(lambda: channel._closing)
        await self.turn(0.01)
        clock.advance(60 if self.tls else 5)
        await self.when(lambda: not server.site._channels)
        self.assertEqual(clock.getDelayedCalls(), [])
        if not self.tls:
            wire.transport.resumeProducing()
            self.assertEqual((await wire.response()).status, 200)


class SlowOverTLS(Slow):
    """The same over TLS."""

    tls = True


class Connections(WireTestCase):
    """Several requests on one connection."""

    @coroutine
    async def test_pipeline(self) -> None:
        """Requests that come together are answered in order."""
        server, wire = await self.open()
        paths = [f"/bucket/{number}" for number in range(20)]
        wire.send(b"".join(request("PUT", path, path.encode()) for path in paths))
        wire.send(b"".join(request("GET", path) for path in paths))
        for _ in paths:
            self.assertEqual((await wire.response()).status, 200)
        self.assertEqual([(await wire.response()).body.decode() for _ in paths], paths)
        self.assertEqual(len({end.request_id for end in server.finished}), 40)

    @coroutine
    async def test_pipeline_byte_by_byte(self) -> None:
        """However the bytes come."""
        _, wire = await self.open()
        for byte in request("PUT", body=b"hello") + request():
            wire.send(bytes([byte]))
        self.assertEqual(((await wire.response()).status, (await wire.response()).body), (200, b"hello"))

    @coroutine
    async def test_half_closed(self) -> None:
        """A client that closes its sending side gets all its answers."""
        _, wire = await self.open()
        wire.send(request("PUT", body=b"hello") + request() + request())
        wire.transport.loseWriteConnection()
        self.assertEqual((await wire.response()).status, 200)
        self.assertEqual([(await wire.response()).body for _ in range(2)], [b"hello"] * 2)
        self.assertEqual(await wire.rest(), b"")

    @coroutine
    async def test_close(self) -> None:
        """``Connection: close`` is kept, and nothing behind it is served."""
        server, wire = await self.open()
        response = await wire.exchange(request("PUT", body=b"x", headers={"Connection": "close"}) + GOOD)
        self.assertEqual((response.status, response.headers["connection"]), (200, "close"))
        self.assertEqual(await wire.rest(), b"")
        self.assertEqual(len(server.finished), 1)

    @coroutine
    async def test_http_1_0(self) -> None:
        """HTTP/1.0 needs no host; the connection ends after the answer."""
        _, wire = await self.open()
        self.assert_error(await wire.exchange(b"GET / HTTP/1.0\r\n\r\n"), 403, "AccessDenied")
        self.assertEqual(await wire.rest(), b"")
        _, wire = await self.open()
        self.assert_error(await wire.exchange(request(version="1.0") + GOOD), 404, "NoSuchKey")
        self.assertEqual(await wire.rest(), b"")

    @coroutine
    async def test_absolute_form(self) -> None:
        """A target may be a whole URL."""
        _, wire = await self.open()
        for scheme in (b"http", b"HTTP", b"https"):
            put = request("PUT", body=b"hello").replace(b"PUT /", b"PUT " + scheme + b"://127.0.0.1:9000/", 1)
            self.assertEqual((await wire.exchange(put)).status, 200)
        self.assertEqual((await wire.exchange(request())).body, b"hello")
        for target in (b"http://h", b"http://h?a=/b"):
            data = b"GET " + target + b" HTTP/1.1\r\nHost: h\r\n\r\n"
            response = await wire.exchange(data)
            self.assert_error(response, 403, "AccessDenied")
            self.assertIn(b"<Resource>/</Resource>", response.body)

    @coroutine
    async def test_options(self) -> None:
        """OPTIONS of the server itself is answered like any method that the service does not have."""
        _, wire = await self.open()
        response = await wire.exchange(b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n")
        self.assert_error(response, 405, "MethodNotAllowed")
        self.assertEqual(response.headers["allow"], "GET")

    @coroutine
    async def test_unknown_method(self) -> None:
        """405, with what is allowed."""
        _, wire = await self.open()
        for method in ("PATCH", "get", "TRACE", "BREW"):
            response = await wire.exchange(request(method))
            self.assert_error(response, 405, "MethodNotAllowed")
            self.assertEqual(response.headers["allow"], "DELETE, GET, HEAD, PUT")

    @coroutine
    async def test_bodies_of_no_use(self) -> None:
        """GET, HEAD and DELETE with a body do as without, and the body is no request."""
        _, wire = await self.open()
        self.assertEqual((await wire.exchange(request("PUT", body=b"hello"))).status, 200)
        smuggled = request("PUT", "/bucket/smuggled", b"x")
        self.assertEqual((await wire.exchange(request("GET", body=smuggled))).body, b"hello")
        self.assertEqual((await wire.exchange(request("HEAD", body=smuggled), bodiless=True)).status, 200)
        self.assertEqual((await wire.exchange(request("DELETE", body=smuggled))).status, 204)
        self.assert_error(await wire.exchange(request("GET", "/bucket/smuggled")), 404, "NoSuchKey")

    @coroutine
    async def test_head_error(self) -> None:
        """An error of HEAD has no body, and its length is that of GET's error."""
        _, wire = await self.open()
        response = await wire.exchange(request("HEAD"), bodiless=True)
        self.assertEqual(response.status, 404)
        self.assert_common(response)
        got = await wire.exchange(request())
        self.assertEqual(response.headers["content-length"], got.headers["content-length"])

    @coroutine
    async def test_common_headers(self) -> None:
        """Every kind of answer has them."""
        _, wire = await self.open()
        put = await wire.exchange(request("PUT", body=b"hello"))
        unchanged = {"If-None-Match": put.headers["etag"]}
        for data, status in (
            (request(), 200),
            (request(headers=unchanged), 304),
            (request(headers={"Range": "bytes=1-2"}), 206),
            (request(headers={"Range": "bytes=9-"}), 416),
            (request("GET", "/bucket"), 200),
            (request("DELETE"), 204),
            (request(), 404),
            (request("PUT", "/bucket?newfangled", b""), 501),
        ):
            response = await wire.exchange(data)
            self.assertEqual(response.status, status)
            self.assert_common(response)
            if status in (204, 304):
                self.assertNotIn("content-length", response.headers)

    @coroutine
    async def test_header_names_as_stored(self) -> None:
        """Names of metadata go out as they are, and no value can end its line."""
        _, wire = await self.open()
        head = signing.signed("PUT", PATH, {"x-amz-meta-Colour": "blue"}, b"hello")
        self.assertEqual((await wire.exchange(framed(head, {"Content-Length": "5"}) + b"hello")).status, 200)
        wire.send(request())
        await wire.until(lambda: b"hello" in wire.received)
        self.assertIn(b"\r\nx-amz-meta-colour: blue\r\n", wire.received)

    @coroutine
    async def test_nothing_accumulates(self) -> None:
        """200 requests leave nothing behind on their connection."""
        server, wire = await self.open()
        # Who runs the tests may keep what others had logged, and with it their requests.
        others = [thing for thing in gc.get_objects() if isinstance(thing, S3Request)]
        for number in range(100):
            await wire.exchange(request("PUT", body=b"%d" % number))
            self.assertEqual((await wire.exchange(request())).body, b"%d" % number)
        (channel,) = server.site._channels
        self.assertEqual((channel.requests, channel._dataBuffer, channel._buffer), ([], [], b""))
        gc.collect()
        kept = [thing for thing in gc.get_objects() if isinstance(thing, S3Request)]
        self.assertEqual([thing for thing in kept if not any(thing is other for other in others)], [])


class ConnectionsOverTLS(Connections):
    """The same over TLS."""

    tls = True
    # TLS has no half close.
    test_half_closed = None  # type: ignore[assignment]


class Crowd(WireTestCase):
    """More connections than the limit."""

    @coroutine
    async def test_too_many(self) -> None:
        """503 SlowDown, until there is room again."""
        server, first = await self.open(limits=HTTPLimits(connections=2))
        second = await self.connect(server)
        await second.exchange(request())
        refused = await self.connect(server)
        response = await refused.exchange(b"" if self.tls else request())
        self.assert_error(response, 503, "SlowDown")
        self.assertEqual(response.headers["connection"], "close")
        await refused.close()
        await first.close()
        while len(server.site._channels) > 1:
            await self.turn(0)
        again = await self.connect(server)
        self.assert_error(await again.exchange(request()), 404, "NoSuchKey")

    @coroutine
    async def test_refused_that_stay(self) -> None:
        """Those that are told so and do not leave are bounded, too: in number, and in time."""
        limits = HTTPLimits(connections=1, refusals=2)
        server = await self.serve(limits=limits)
        clock = server.site.reactor = Clock()
        first = await self.connect(server)
        await self.when(lambda: server.site._channels)
        for number in (2, 3):
            # A client that neither reads what it is told nor leaves.
            staying = socket.create_connection(("127.0.0.1", server.port))
            self.addCleanup(staying.close)
            await self.when(lambda number=number: len(server.site._channels) == number)
        for _ in range(5):
            away = await self.connect(server)
            await away.until(lambda away=away: away.lost)
            self.assertEqual(away.received, b"")
            self.assertEqual(len(server.site._channels), 3)
        self.assert_error(await first.exchange(request()), 404, "NoSuchKey")
        clock.advance(limits.close_timeout)
        await self.when(lambda: len(server.site._channels) == 1)


class CrowdOverTLS(Crowd):
    """The same over TLS."""

    tls = True
