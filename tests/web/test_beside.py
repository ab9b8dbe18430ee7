"""Resources of ``twisted.web`` on the streaming connections of an S3 site."""

from __future__ import annotations

from http.client import HTTPConnection
from typing import Any

from twisted.internet import reactor
from twisted.web.resource import Resource
from twisted.web.server import Request

from tests.serving import ALICE, ServingTestCase, coroutine
from twisted_s3.credentials import Users
from twisted_s3.service import S3Service
from twisted_s3.storage.memory import MemoryStore


class Told(Resource):
    """Tells what it sees of a request."""

    isLeaf = True

    def render_GET(self, request: Request) -> bytes:
        """See `Resource`."""
        return self.render_POST(request)

    def render_POST(self, request: Request) -> bytes:
        """See `Resource`."""
        cookie = request.getCookie(b"k") or b""
        return b"%r %r %r" % (sorted(request.args.items()), request.content.read(), cookie)


class Beside(ServingTestCase):
    """A site whose root is not ours."""

    async def start(self) -> S3Service:
        """A service whose endpoint serves a resource of ``twisted.web``, with the S3 tree below it."""
        service = S3Service(MemoryStore(reactor), Users([ALICE]), ["tcp:0:interface=127.0.0.1"], grace=0.1)
        root = Resource()
        root.putChild(b"told", Told())
        root.putChild(b"s3", service.resource)
        service.root = root
        service.privilegedStartService()
        service.startService()
        self.addCleanup(service.stopService)
        await service.when_ready()
        return service

    @coroutine
    async def test_sees_what_twisted_web_shows(self) -> None:
        """Query, form, body and cookies, one request after the other on one connection."""
        service = await self.start()
        port = int(service.listeners.addresses()[0].rpartition(":")[2])

        def work() -> list[Any]:
            connection = HTTPConnection("127.0.0.1", port, timeout=30)
            form = {"Content-Type": "application/x-www-form-urlencoded"}
            answers = []
            for method, target, body, headers in (
                ("GET", "/told?a=1", None, {"Cookie": "k=v"}),
                ("POST", "/told?a=1", b"b=2", form),
                ("POST", "/told", b"x" * 300_000, {}),
                ("POST", "/told", iter([b"in ", b"chunks"]), {}),
                ("GET", "/missing", None, {}),
            ):
                connection.request(method, target, body, headers, encode_chunked=True)
                answer = connection.getresponse()
                answers.append((answer.status, answer.getheader("Content-Type"), answer.read()))
            connection.close()
            return answers

        query, form, large, chunks, missing = await self.in_thread(work)
        self.assertEqual(query, (200, "text/html", b"[(b'a', [b'1'])] b'' b'v'"))
        self.assertEqual(form, (200, "text/html", b"[(b'a', [b'1']), (b'b', [b'2'])] b'b=2' b''"))
        self.assertEqual(large[2], b"[] %r b''" % (b"x" * 300_000))
        self.assertEqual(chunks[2], b"[] b'in chunks' b''")
        self.assertEqual(missing[0], 404)

    @coroutine
    async def test_the_tree_still_streams(self) -> None:
        """A refused upload is refused before its body: nothing was spooled for it."""
        service = await self.start()
        port = int(service.listeners.addresses()[0].rpartition(":")[2])

        def work() -> tuple[int, bytes]:
            connection = HTTPConnection("127.0.0.1", port, timeout=30)
            connection.putrequest("PUT", "/s3/bucket/key")
            connection.putheader("Content-Length", "1000000")
            connection.putheader("Expect", "100-continue")
            connection.endheaders()
            answer = connection.getresponse()
            found = answer.status, answer.read()
            connection.close()
            return found

        status, body = await self.in_thread(work)
        self.assertEqual(status, 404)
        self.assertIn(b"<Code>NoSuchBucket</Code>", body)

    @coroutine
    async def test_client_leaves(self) -> None:
        """A body that never comes whole reaches no resource, and nothing is logged."""
        service = await self.start()
        port = int(service.listeners.addresses()[0].rpartition(":")[2])

        def work() -> None:
            connection = HTTPConnection("127.0.0.1", port, timeout=30)
            connection.putrequest("POST", "/told")
            connection.putheader("Content-Length", "1000000")
            connection.endheaders(b"some")
            connection.close()

        await self.in_thread(work)
