"""Bodies in every form, whole and broken."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from tests.protocol import signing
from tests.serving import coroutine
from tests.web.wire import Wire, WireTestCase, chunked, framed, request
from twisted_s3.operations.call import ObjectLimits
from twisted_s3.protocol.head import RequestHead
from twisted_s3.protocol.sigv4 import SIGNED_CHUNKS, UNSIGNED_CHUNKS_TRAILER

DATA = bytes(range(256)) * 100
PIECES = (DATA[:10_000], DATA[10_000:20_000], DATA[20_000:])
CHUNKED = {"Transfer-Encoding": "chunked"}


def whole(mode: str) -> tuple[RequestHead, list[bytes]]:
    """A signed PUT and the pieces of its body as sent."""
    if mode in signing.MODES:
        return signing.streaming(PIECES, mode)
    return signing.sign_v4("PUT", "/bucket/key", {"x-amz-content-sha256": mode}), list(PIECES)


def lines_of(sent: list[bytes]) -> Mapping[str, str]:
    """The header that declares the length of what is sent."""
    return {"Content-Length": str(sum(map(len, sent)))}


MODES = (sha256(DATA).hexdigest(), "UNSIGNED-PAYLOAD", *signing.MODES)


class Bodies(WireTestCase):
    """Uploads."""

    async def stored(self, wire: Wire) -> None:
        """What is stored is what was meant."""
        self.assertEqual((await wire.response()).status, 200)
        got = await wire.exchange(request())
        self.assertEqual(got.body, DATA)
        self.assertNotIn("content-encoding", got.headers)
        self.assertEqual((await wire.exchange(request("DELETE"))).status, 204)

    @coroutine
    async def test_every_mode(self) -> None:
        """All payload modes, with a length and in HTTP chunks that split them anywhere."""
        _, wire = await self.open()
        for mode in MODES:
            head, sent = whole(mode)
            wire.send(framed(head, lines_of(sent)) + b"".join(sent))
            await self.stored(wire)
            raw = b"".join(sent)
            wire.send(framed(head, CHUNKED))
            wire.send(chunked(raw[:1], raw[1:9_999], raw[9_999:10_100], raw[10_100:]))
            await self.stored(wire)

    @coroutine
    async def test_pieces(self) -> None:
        """Bodies are read from the socket in larger pieces than heads."""
        server, wire = await self.open()
        self.assertEqual((await wire.exchange(request("PUT", body=DATA))).status, 200)
        (channel,) = server.site._channels
        usual = channel.transport.bufferSize
        sent = request("PUT", body=DATA)
        wire.send(sent[:-1])
        await self.when(lambda: channel._body is not None)
        during = channel.transport.bufferSize
        wire.send(sent[-1:])
        await self.stored(wire)
        self.assertEqual((usual, during), ((64 << 10, 64 << 10 if server.authority else 256 << 10)))

    @coroutine
    async def test_byte_by_byte(self) -> None:
        """However the bytes come."""
        _, wire = await self.open()
        for mode in MODES:
            head, sent = whole(mode)
            data = framed(head, CHUNKED) + chunked(b"".join(sent))
            for at in range(0, len(data), 97):
                wire.send(data[at : at + 97])
            await self.stored(wire)

    async def refused(self, data: bytes, status: int, code: str, closes: bool = False, **changes: object) -> None:
        server, wire = await self.open(**changes)
        response = await wire.exchange(data)
        self.assert_error(response, status, code)
        self.assertEqual(await self.keys(server), [])
        if closes:
            self.assertEqual(response.headers["connection"], "close")
            self.assertEqual(await wire.rest(), b"")
        else:
            self.assert_error(await wire.exchange(request()), 404, "NoSuchKey")

    @coroutine
    async def test_malformed_chunks(self) -> None:
        """HTTP chunks that are none; what follows them is not looked at."""
        behind = request("PUT", body=b"behind")
        for body in (
            b"x\r\nhello\r\n0\r\n\r\n",
            b"-5\r\nhello\r\n0\r\n\r\n",
            b"+5\r\nhello\r\n0\r\n\r\n",
            b"0x5\r\nhello\r\n0\r\n\r\n",
            b"\r\nhello\r\n0\r\n\r\n",
            b"5\r\nhelloo\r\n0\r\n\r\n",
            b"5\r\nhello0\r\n\r\n",
            b"5;\x00\r\nhello\r\n0\r\n\r\n",
            b"5" * 2000,
            b"0\r\n" + b"X: y\r\n" * 20_000,
        ):
            await self.refused(request("PUT", headers=CHUNKED) + body + behind, 400, "IncompleteBody", closes=True)

    @coroutine
    async def test_malformed_aws_chunks(self) -> None:
        """aws-chunks that are none. The HTTP body is whole, so the connection goes on."""
        for mode in signing.MODES:
            for good, bad in ((b"2710", b"2711"), (b"2710", b"zz"), (b"\r\n0", b"0")):
                head, sent = whole(mode)
                body = b"".join(sent).replace(good, bad, 1)
                data = framed(head, {"Content-Length": str(len(body))}) + body
                status, code = (400, "IncompleteBody")
                if bad == b"2711" and mode != UNSIGNED_CHUNKS_TRAILER:
                    status, code = (403, "SignatureDoesNotMatch")
                await self.refused(data, status, code)

    @coroutine
    async def test_too_short(self) -> None:
        """Fewer bytes than the chunks were to come to."""
        for mode in signing.MODES:
            head, sent = whole(mode)
            await self.refused(framed(head, CHUNKED) + chunked(*sent[:2]), 400, "IncompleteBody")

    @coroutine
    async def test_too_long(self) -> None:
        """More bytes than they were to come to."""
        for mode in signing.MODES:
            head, sent = whole(mode)
            await self.refused(framed(head, CHUNKED) + chunked(*sent, b"more"), 400, "IncompleteBody")

    @coroutine
    async def test_wrong_bytes(self) -> None:
        """Bytes that are not those that were signed."""
        for mode, status, code in (
            (MODES[0], 400, "XAmzContentSHA256Mismatch"),
            (SIGNED_CHUNKS, 403, "SignatureDoesNotMatch"),
            (UNSIGNED_CHUNKS_TRAILER, 400, "BadDigest"),
        ):
            head, sent = whole(mode)
            body = b"".join(sent).replace(b"\x80\x81", b"\x81\x80")
            await self.refused(framed(head, lines_of(sent)) + body, status, code)

    @coroutine
    async def test_no_length(self) -> None:
        """A body must say how it ends."""
        await self.refused(request("PUT"), 411, "MissingContentLength")

    @coroutine
    async def test_limit_without_length(self) -> None:
        """A body that did not say its length ends at the limit."""
        data = request("PUT", headers=CHUNKED) + chunked(DATA)
        await self.refused(data, 400, "EntityTooLarge", object_limits=ObjectLimits(put=len(DATA) - 1))


class BodiesOverTLS(Bodies):
    """The same over TLS."""

    tls = True
