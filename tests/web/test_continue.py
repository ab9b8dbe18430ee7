"""When ``100 Continue`` goes out, and what becomes of bodies that nobody wants."""

from __future__ import annotations

import socket
import ssl
from typing import Any

from tests.protocol import signing
from tests.serving import BOB, Server, coroutine
from tests.web.wire import ADMIN, WireTestCase, chunked, framed, request
from twisted_s3.operations.call import ObjectLimits
from twisted_s3.web.limits import HTTPLimits

EXPECT = {"Expect": "100-continue"}
SIZE = {**EXPECT, "Content-Length": "5"}


class Expect(WireTestCase):
    """With ``Expect: 100-continue`` the client sends nothing until it is told to."""

    users = (ADMIN, BOB)

    @coroutine
    async def test_one_continue(self) -> None:
        """A good upload gets exactly one 100, then 200, and the connection goes on."""
        server, wire = await self.open()
        for _ in range(2):
            wire.send(request("PUT", headers=SIZE))
            await wire.continued()
            wire.send(b"he")
            self.assertEqual((await wire.exchange(b"llo")).status, 200)
        self.assertEqual((await wire.exchange(request())).body, b"hello")
        self.assertEqual([end.passage.operation for end in server.finished], ["PutObject", "PutObject", "GetObject"])

    @coroutine
    async def test_chunked(self) -> None:
        """The same for a body without a length."""
        _, wire = await self.open()
        wire.send(request("PUT", headers={**EXPECT, "Transfer-Encoding": "chunked"}))
        await wire.continued()
        self.assertEqual((await wire.exchange(chunked(b"hel", b"lo"))).status, 200)

    async def refused(self, head: bytes, status: int, code: str, **changes: Any) -> None:
        server, wire = await self.open(**changes)
        response = await wire.exchange(head)
        self.assert_error(response, status, code)
        self.assertEqual(response.headers["connection"], "close")
        self.assertEqual(await wire.rest(), b"")
        self.assertEqual(await self.keys(server), [])

    @coroutine
    async def test_anonymous(self) -> None:
        """Nobody is known."""
        await self.refused(request("PUT", headers=SIZE, how="anonymous"), 403, "AccessDenied")

    @coroutine
    async def test_signature(self) -> None:
        """The signature is wrong."""
        head = signing.signed("PUT", "/bucket/other", how="v4 query")
        await self.refused(framed(head, SIZE).replace(b"/bucket/other", b"/bucket/key"), 403, "SignatureDoesNotMatch")

    @coroutine
    async def test_unknown_key_id(self) -> None:
        """The access key is nobody's."""
        await self.refused(request("PUT", headers=SIZE), 403, "InvalidAccessKeyId", users=(BOB,))

    @coroutine
    async def test_not_authorised(self) -> None:
        """Somebody else's bucket."""
        head = signing.signed("PUT", "/bucket/key", how="v4 query", user=BOB)
        await self.refused(framed(head, SIZE), 403, "AccessDenied")

    @coroutine
    async def test_no_bucket(self) -> None:
        """There is no such bucket."""
        await self.refused(request("PUT", "/nothing/key", headers=SIZE), 404, "NoSuchBucket")

    @coroutine
    async def test_condition(self) -> None:
        """The condition does not hold."""
        head = request("PUT", headers={**SIZE, "If-Match": '"0"'})
        await self.refused(head, 404, "NoSuchKey")

    @coroutine
    async def test_too_large(self) -> None:
        """The declared length is beyond the limit."""
        await self.refused(request("PUT", headers=SIZE), 400, "EntityTooLarge", object_limits=ObjectLimits(put=4))

    @coroutine
    async def test_document_too_large(self) -> None:
        """An XML document is limited as well."""
        md5 = {"Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg=="}
        head = request("POST", "/bucket?delete", headers={**EXPECT, **md5, "Content-Length": str(1 << 30)})
        await self.refused(head, 400, "MaxMessageLengthExceeded")

    @coroutine
    async def test_client_that_does_not_wait(self) -> None:
        """A body that comes at once is taken, and what follows it as well."""
        _, wire = await self.open()
        first = await wire.exchange(request("PUT", body=b"hello", headers=EXPECT) + request())
        self.assertEqual((first.status, (await wire.response()).body), (200, b"hello"))

    @coroutine
    async def test_refused_client_that_does_not_wait(self) -> None:
        """A body that is on its way already is drained."""
        _, wire = await self.open()
        first = await wire.exchange(request("PUT", "/nothing/key", b"hello", EXPECT) + request())
        self.assert_error(first, 404, "NoSuchBucket")
        self.assert_error(await wire.response(), 404, "NoSuchKey")

    @coroutine
    async def test_no_body(self) -> None:
        """A client that waits to send nothing gets its 100, and the connection goes on: some count on it."""
        _, wire = await self.open()
        for _ in range(2):
            wire.send(request("PUT", headers={**EXPECT, "Content-Length": "0"}))
            await wire.continued()
            response = await wire.exchange(b"")
            self.assertEqual((response.status, response.headers.get("connection")), (200, None))
        response = await wire.exchange(request(headers=EXPECT))
        self.assertEqual((response.status, response.headers.get("connection")), (200, None))
        empty = request("PUT", headers={**EXPECT, "Transfer-Encoding": "chunked"})
        wire.send(empty)
        await wire.continued()
        self.assertEqual((await wire.exchange(chunked())).status, 200)

    @coroutine
    async def test_no_body_refused(self) -> None:
        """A client that waits to send nothing is refused like any other."""
        await self.refused(
            request("PUT", "/nothing/key", headers={**EXPECT, "Content-Length": "0"}), 404, "NoSuchBucket"
        )

    @coroutine
    async def test_old_client(self) -> None:
        """HTTP/1.0 knows no 100."""
        _, wire = await self.open()
        wire.send(request("PUT", headers=SIZE, version="1.0"))
        response = await wire.exchange(b"hello")
        self.assertEqual((response.status, response.headers["connection"]), (200, "close"))
        self.assertEqual(await wire.rest(), b"")

    @coroutine
    async def test_other_expectation(self) -> None:
        """What nobody knows is nothing to wait for (RFC 9110, 10.1.1 leaves the choice)."""
        _, wire = await self.open()
        self.assertEqual((await wire.exchange(request("PUT", body=b"x", headers={"Expect": "tea"}))).status, 200)


class ExpectOverTLS(Expect):
    """The same over TLS."""

    tls = True


class Unwanted(WireTestCase):
    """Without Expect the body comes, wanted or not."""

    limits = HTTPLimits(drain_bytes=100_000)

    @coroutine
    async def test_small(self) -> None:
        """A small body is read, then comes the answer, and the connection serves on."""
        _, wire = await self.open()
        head = request("PUT", "/nothing/key", headers={"Content-Length": "100000"})
        wire.send(head + b"x" * 99_999)
        response = await wire.exchange(b"x" + request("PUT", body=b"hello"))
        self.assert_error(response, 404, "NoSuchBucket")
        self.assertNotIn("connection", response.headers)
        self.assertEqual((await wire.response()).status, 200)

    @coroutine
    async def test_small_chunked(self) -> None:
        """The same without a length."""
        _, wire = await self.open()
        head = request("PUT", "/nothing/key", headers={"Transfer-Encoding": "chunked"})
        response = await wire.exchange(head + chunked(b"x" * 50_000, b"x" * 50_000) + request("PUT", body=b"hello"))
        self.assert_error(response, 404, "NoSuchBucket")
        self.assertEqual((await wire.response()).status, 200)

    @coroutine
    async def test_large_chunked(self) -> None:
        """A body without a length that turns out too long ends the connection, and nothing behind it is served."""
        server, wire = await self.open()
        head = request("PUT", "/nothing/key", headers={"Transfer-Encoding": "chunked"})
        response = await wire.exchange(head + chunked(b"x" * 300_000) + request("PUT", body=b"hello"))
        self.assert_error(response, 404, "NoSuchBucket")
        self.assertEqual(response.headers["connection"], "close")
        self.assertEqual(await wire.rest(), b"")
        self.assertEqual(await self.keys(server), [])

    @coroutine
    async def test_large(self) -> None:
        """A body that is known to be too long is not waited for."""
        server, wire = await self.open()
        response = await wire.exchange(request("PUT", "/nothing/key", headers={"Content-Length": "100001"}))
        self.assert_error(response, 404, "NoSuchBucket")
        self.assertEqual(response.headers["connection"], "close")
        wire.send(b"x" * 100_001 + request("PUT", body=b"hello"))
        self.assertEqual(await wire.rest(), b"")
        self.assertEqual(await self.keys(server), [])

    @coroutine
    async def test_blocking_sender(self) -> None:
        """A client that reads only after it has sent 50 MB still reads the whole answer."""
        server = await self.serve()
        answer = await self.in_thread(send_then_read, server, 50_000_000)
        self.assertIn(b"<Code>NoSuchBucket</Code>", answer)
        self.assertTrue(answer.endswith(b"</Error>"), answer)
        self.assertIn(b"Connection: close", answer)

    @coroutine
    async def test_sender_without_end(self) -> None:
        """After a while the connection ends, although the client sends on and never closes."""
        limits = HTTPLimits(drain_bytes=10, close_timeout=0.1, idle_timeout=0.5 if self.tls else 60)
        server = await self.serve(limits=limits)
        sent = await self.in_thread(send_for_ever, server)
        self.assertGreater(sent, 0)


class UnwantedOverTLS(Unwanted):
    """The same over TLS."""

    tls = True


def _dial(server: Server) -> socket.socket:
    plain = socket.create_connection(("127.0.0.1", server.port))
    if server.authority is None:
        return plain
    return ssl.create_default_context(cafile=server.authority).wrap_socket(plain, server_hostname="127.0.0.1")


def send_then_read(server: Server, size: int) -> bytes:
    """Send a request whose body has ``size`` bytes, then read all there is."""
    with _dial(server) as client:
        client.sendall(request("PUT", "/nothing/key", headers={"Content-Length": str(size)}))
        piece = b"x" * 1_000_000
        for _ in range(size // len(piece)):
            client.sendall(piece)
        received = b""
        while data := client.recv(65536):
            received += data
        return received


def send_for_ever(server: Server) -> int:
    """Send the body of a refused request until the server hangs up. Gives how many bytes that were."""
    sent = 0
    with _dial(server) as client:
        client.sendall(request("PUT", "/nothing/key", headers={"Content-Length": str(1 << 50)}))
        try:
            while True:
                client.sendall(b"x" * 65536)
                sent += 65536
        except OSError:
            return sent
