"""Clients that mean harm: crowds, floods and lies. What malformed heads get is in ``test_heads``, slowness in
``test_flow``, documents that keep a parser busy in ``test_hostile_xml``.
"""

from __future__ import annotations

import os
import socket
import time
from base64 import b64encode
from hashlib import md5
from pathlib import Path

from twisted.internet.task import Clock

from tests.operations.clients import BUCKET, OperationTestCase, send, served
from tests.operations.requests import KEY, built, headers_of, target_of
from tests.protocol import signing
from tests.serving import Server, coroutine
from tests.web.wire import Wire, WireTestCase, framed, request
from twisted_s3.protocol.sigv4 import UNSIGNED_CHUNKS_TRAILER
from twisted_s3.web.limits import HTTPLimits

CROWD = 2000
CHUNKED = {"Transfer-Encoding": "chunked"}


def resident() -> int:
    """Bytes of memory that this process uses, client and server together."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Crowd(WireTestCase):
    """Connections that do nothing."""

    timeout = 60

    @coroutine
    async def test_idle(self) -> None:
        """Two thousand silent clients, half of them in the middle of a head, keep nobody from being served."""
        server = await self.serve()
        clock = server.site.reactor = Clock()
        before = resident()
        for number in range(1, CROWD + 1):
            idle = socket.create_connection(("127.0.0.1", server.port))
            self.addCleanup(idle.close)
            if number % 2:
                idle.send(b"GET /bucket/key HTTP/1.1\r\nHost: h\r\nX-A: ")
            if number % 40 == 0:
                await self.when(lambda number=number: len(server.site._channels) == number)  # type: ignore[misc]
        wire = await self.connect(server)
        self.assertEqual((await wire.exchange(request("PUT", body=b"hello"))).status, 200)
        self.assertEqual((await wire.exchange(request())).body, b"hello")
        self.assertLess(resident() - before, CROWD * 50_000)
        limits = HTTPLimits()
        clock.advance(limits.header_timeout)
        await wire.exchange(request())
        clock.advance(limits.idle_timeout - limits.header_timeout)
        clock.advance(limits.close_timeout)
        await self.when(lambda: not server.site._channels)
        self.assertEqual((await (await self.connect(server)).exchange(request())).body, b"hello")


class Floods(WireTestCase):
    """Clients that send more than they may."""

    async def poured(self, server: Server, data: bytes) -> bytes:
        """Send until the server has had enough. Gives what it said."""
        wire = await self.connect(server)
        begun = time.thread_time()
        wire.send(data)
        said = await wire.rest()
        self.assertLess(time.thread_time() - begun, 5.0)
        return said

    def kept(self, server: Server) -> int:
        """Bytes that the server keeps for its connections."""
        return sum(len(one._buffer) + sum(map(len, one._dataBuffer)) for one in server.site._channels)

    @coroutine
    async def test_query(self) -> None:
        """Millions of parameters are too long a line; as many as fit are read in no time."""
        server = await self.serve()
        for item in (b"a&", b"a=b&", b"%61=%62&", b"&"):
            said = await self.poured(server, b"GET /bucket?" + item * 1_000_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n")
            self.assertIn(b"<Code>RequestHeaderSectionTooLarge</Code>", said)
            self.assertLess(self.kept(server), 1 << 18)
            wire = await self.connect(server)
            begun = time.thread_time()
            query = (item * 20_000)[:15_000].decode().rstrip("%6")
            response = await wire.exchange(request("GET", f"/bucket?{query}", how="anonymous"))
            self.assertLess(response.status, 500)
            self.assertLess(time.thread_time() - begun, 1.0)

    @coroutine
    async def test_garbage_in_the_pipeline(self) -> None:
        """Of what follows a good request nothing is kept."""
        server = await self.serve()
        said = await self.poured(server, request() + b"\0garbage\r\n" * 500_000)
        self.assertTrue(said.startswith(b"HTTP/1.1 404 "), said[:100])
        self.assertEqual(said.count(b"HTTP/1.1 "), 2)
        self.assertLess(self.kept(server), 1 << 18)
        self.assertEqual(len(server.finished), 1)

    @coroutine
    async def test_requests_without_reading(self) -> None:
        """A pipeline of many requests is answered one by one, not all at once."""
        server, wire = await self.open()
        wire.send(request("HEAD", how="anonymous") * 2000)
        await self.when(lambda: server.finished)
        for channel in server.site._channels:
            self.assertLessEqual(len(channel.requests), 1)
        await self.when(lambda: len(server.finished) == 2000)

    @coroutine
    async def test_trailers(self) -> None:
        """Trailers without end, and lines of chunks without end."""
        for data in (b"0\r\n" + b"X-A: b\r\n" * 100_000, b"5;" + b"x" * 1_000_000, b"f" * 1_000_000):
            server, wire = await self.open()
            wire.send(request("PUT", headers=CHUNKED) + data)
            response = await wire.response()
            self.assertEqual(response.status, 400, data[:10])
            await wire.rest()
            self.assertEqual(await self.keys(server), [])
            self.assertLess(self.kept(server), 1 << 18)


class Lies(WireTestCase):
    """Lengths that are not so."""

    async def left(self, wire: Wire, server: Server) -> None:
        """The client goes away; nothing is stored."""
        await wire.close()
        await self.when(lambda: server.finished)
        self.assertEqual(await self.keys(server), [])

    @coroutine
    async def test_less_than_declared(self) -> None:
        """A body that ends before its length, by length and by chunk: a gigabyte is neither awaited nor kept."""
        gigabyte = 1 << 30
        for data in (
            request("PUT", headers={"Content-Length": str(gigabyte)}) + b"x" * 100_000,
            request("PUT", headers=CHUNKED) + b"%x\r\n" % gigabyte + b"x" * 100_000,
            request("PUT", headers=CHUNKED) + b"7fffffffffffffff\r\n" + b"x" * 100_000,
        ):
            server, wire = await self.open()
            before = resident()
            wire.send(data)
            await self.when(lambda server=server: any(c._body for c in server.site._channels))  # type: ignore[misc]
            await self.turn(0.01)
            self.assertLess(resident() - before, 64 << 20)
            await self.left(wire, server)

    @coroutine
    async def test_more_than_declared(self) -> None:
        """What comes behind a body is the next request, and here it is none."""
        for headers, body in (
            ({"Content-Length": "5"}, b"hello, world\r\n\r\n"),
            (CHUNKED, b"5\r\nhello\r\n0\r\n\r\nx\r\n\r\n"),
        ):
            server, wire = await self.open()
            self.assertEqual((await wire.exchange(request("PUT", headers=headers) + body)).status, 200)
            self.assert_error(await wire.response(), 400, "BadRequest")
            await wire.rest()
            self.assertEqual((await (await self.connect(server)).exchange(request())).body, b"hello")

    @coroutine
    async def test_chunks_of_another_length(self) -> None:
        """A chunk longer than it says, or than can be said, is no chunk."""
        for data in (
            b"3\r\nhello\r\n0\r\n\r\n",
            b"-5\r\nhello\r\n",
            b"0x5\r\nhello\r\n",
        ):
            server, wire = await self.open()
            response = await wire.exchange(request("PUT", headers=CHUNKED) + data)
            self.assertEqual((response.status, response.code), (400, "IncompleteBody"), data)
            await wire.rest()
            self.assertEqual(await self.keys(server), [])

    @coroutine
    async def test_signed_chunks(self) -> None:
        """The framing inside of the body is held to the length that was signed."""
        for size in (b"40000000", b"ffffffffffffffff", b"6"):
            server, wire = await self.open()
            head, _ = signing.streaming([b"hello"], UNSIGNED_CHUNKS_TRAILER)
            body = size + b"\r\n" + b"x" * 1000
            wire.send(framed(head, {"Content-Length": str(len(body))}) + body)
            response = await wire.response()
            self.assertEqual(response.status, 400, size)
            self.assertEqual(await self.keys(server), [])


class Garbage(OperationTestCase):
    """A body that is none, for each operation in the table."""

    @served()
    def test_each_operation(self, server: Server) -> None:
        """Each answers as S3 does; none falls over, and nothing changes."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        client.put_object(Bucket=BUCKET, Key=KEY, Body=b"kept")
        upload = client.create_multipart_upload(Bucket=BUCKET, Key=KEY)["UploadId"]
        bodies = (
            b"",
            b"\0\xff garbage",
            b"{}",
            b'{"Statement": ' + b"[" * 5000,
            b"<Other/>",
            b"<Delete><Object><Key>",
            b"<a>" * 5000,
            "<Delete/>".encode("utf-16"),
            b"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><Delete><Object><Key>&b;</Key></Object></Delete>",
            b"<Tagging>" + b"<TagSet/>" * 2000 + b"</Tagging>",
        )
        tried = 0
        for operation in built():
            if (
                operation.method not in ("PUT", "POST")
                or operation.copies
                or operation.name in ("PutObject", "UploadPart")
            ):
                continue
            for body in bodies:
                headers = {"Content-MD5": b64encode(md5(body).digest()).decode(), **headers_of(operation)}
                target = target_of(operation, upload_id=upload)
                if operation.name in ("CreateBucket", "CreateMultipartUpload", "RenameObject"):
                    headers["If-Match"] = headers["x-amz-rename-source-if-match"] = '"no"'
                answer = send(server, operation.method, target, body, headers)
                self.assertLess(answer.status, 500, (operation.name, body[:40], answer.body))
                self.assertNotIn(b"root:", answer.body)
                tried += 1
        self.assertGreater(tried, 100)
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assertEqual(self.body(client, KEY), b"kept")
        self.assertEqual([one["Key"] for one in client.list_objects_v2(Bucket=BUCKET)["Contents"]], [KEY])
        self.assertEqual([one["Name"] for one in client.list_buckets()["Buckets"]], [BUCKET])
