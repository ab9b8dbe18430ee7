"""Bytes of keys, styles of addresses, and trees that hang somewhere in a site."""

from __future__ import annotations

from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import ClientError
from msgspec import structs
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.task import deferLater
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from tests.serving import Server, ServingTestCase, coroutine
from tests.web.wire import WireTestCase

KEYS = (
    "a?b",
    "a#b",
    "%41",
    "a%2Fb",
    "a+b",
    "a b",
    " ",
    "/",
    "//",
    "/a",
    "a//b",
    ".",
    "..",
    "a/./b",
    "a/../b",
    "../a",
    "a/",
    "a/b",
    "a",
    "a&b=c",
    "a;b",
    "a:b",
    "a\\b",
    "~!$'()*,@-_.",
    "\x01\x1f\x7f\t\n\r",
    "\u00e9\u65e5\U0001f600",
    "e\u0301",
    "k" * 1024,
    "\u65e5" * 341 + "k",
)


def round_trip(client: Any) -> list[str]:
    """Put, get, head, list and delete all keys. Gives those that were listed."""
    client.create_bucket(Bucket="bucket")
    for key in KEYS:
        client.put_object(Bucket="bucket", Key=key, Body=key.encode(), Metadata={"Length": str(len(key))})
    for key in KEYS:
        got = client.get_object(Bucket="bucket", Key=key)
        assert (got["Body"].read(), got["Metadata"]) == (key.encode(), {"length": str(len(key))}), key
        assert client.head_object(Bucket="bucket", Key=key)["ContentLength"] == len(key.encode()), key
    listed = [entry["Key"] for entry in client.list_objects_v2(Bucket="bucket")["Contents"]]
    for key in KEYS:
        client.delete_object(Bucket="bucket", Key=key)
    assert "Contents" not in client.list_objects_v2(Bucket="bucket")
    client.delete_bucket(Bucket="bucket")
    return listed


def refusal(client: Any) -> dict[str, Any]:
    """What is said of an object that is not there. The traceback, which keeps connections open, is dropped."""
    try:
        client.get_object(Bucket="bucket", Key="missing")
    except ClientError as error:
        return error.response
    raise AssertionError("found")


def send_to_loopback(client: Any, port: int) -> None:
    """Make requests to whatever host go to 127.0.0.1, with the ``Host`` as it was signed."""

    def redirect(request: AWSPreparedRequest, **_: Any) -> None:
        parts = urlsplit(request.url)
        request.headers["Host"] = parts.netloc
        request.url = parts._replace(netloc=f"127.0.0.1:{port}").geturl()

    client.meta.events.register("before-send.s3", redirect)


class Keys(ServingTestCase):
    """Every key goes round, in both styles."""

    domains = ("s3.localhost",)

    @coroutine
    async def test_path_style(self) -> None:
        """The bucket in the path."""
        server = await self.start_server()
        self.assertEqual(await self.in_thread(round_trip, server.client()), sorted(KEYS, key=str.encode))

    @coroutine
    async def test_virtual_hosted_style(self) -> None:
        """The bucket in the host."""
        server = await self.start_server()
        scheme = urlsplit(server.url).scheme
        named = structs.replace(server, url=f"{scheme}://s3.localhost:{server.port}")
        client = named.client(s3={"addressing_style": "virtual"})
        send_to_loopback(client, server.port)
        self.assertEqual(await self.in_thread(round_trip, client), sorted(KEYS, key=str.encode))
        paths = {end.head.path for end in server.finished if end.passage.key == "a/../b"}
        self.assertEqual(paths, {b"/a/../b"})


class KeysOverTLS(Keys):
    """The same over TLS."""

    tls = True


class Domains(WireTestCase):
    """Which hosts name a bucket."""

    domains = ("s3.localhost", "port.localhost:81")

    @coroutine
    async def test_hosts(self) -> None:
        """The label below a domain is the bucket, whatever the port unless the domain has one."""
        server, wire = await self.open()
        for host, bucket, key in (
            ("bucket.s3.localhost", "bucket", "a/b"),
            ("BUCKET.S3.localhost:9", "bucket", "a/b"),
            ("buc.ket.s3.localhost", "buc.ket", "a/b"),
            ("s3.localhost", "a", "b"),
            ("other", "a", "b"),
            ("bucket.port.localhost:81", "bucket", "a/b"),
            ("bucket.port.localhost:82", "a", "b"),
            ("bucket.port.localhost", "a", "b"),
        ):
            server.finished.clear()
            await wire.exchange(f"GET /a/b HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            passage = server.finished[0].passage
            self.assertEqual((passage.bucket, passage.key), (bucket, key), host)


class Beside(Resource):
    """A resource of somebody else."""

    isLeaf = True

    def render_GET(self, request: Request) -> bytes:
        """See `Resource`."""
        return b"beside"


class OrdinarySite(Site):
    """A site as ``twisted.web`` has it, that knows when its connections have ended."""

    def __init__(self, root: Resource) -> None:
        super().__init__(root)
        self.built: list[Any] = []

    def buildProtocol(self, addr: Any) -> Any:
        """See `Site`."""
        self.built.append(super().buildProtocol(addr))
        return self.built[-1]

    async def emptied(self) -> None:
        """Wait until no connection is left."""
        while any(protocol._channel.transport.connected for protocol in self.built):
            await deferLater(reactor, 0.001)


class Mounted(ServingTestCase):
    """The tree hangs below a path of an ordinary site, beside other resources."""

    async def mounted(self) -> tuple[Server, Server]:
        """The tree in a site of its own, and in an ordinary one."""
        server = await self.start_server()
        root, some = Resource(), Resource()
        root.putChild(b"other", Beside())
        root.putChild(b"some", some)
        some.putChild(b"path", server.site.resource)
        site = OrdinarySite(root)
        port = await serverFromString(reactor, "tcp:0:interface=127.0.0.1").listen(site)
        self.addCleanup(lambda: Deferred.fromCoroutine(site.emptied()))
        self.addCleanup(port.stopListening)
        return server, structs.replace(server, url=f"http://127.0.0.1:{port.getHost().port}/some/path")

    def work(self, server: Server) -> tuple[list[str], bytes, bytes, dict[str, Any]]:
        """What a client sees."""
        client = server.client()
        try:
            listed = round_trip(client)
            client.create_bucket(Bucket="bucket")
            body = bytes(range(256)) * 8192
            client.put_object(Bucket="bucket", Key="big", Body=body)
            got = client.get_object(Bucket="bucket", Key="big")["Body"].read()
            buckets = client.list_buckets()["Buckets"]
            with urlopen(server.url.replace("/some/path", "/other")) as answer:
                beside = answer.read()
            missing = refusal(client)
        finally:
            client.close()
        self.assertEqual((got, [bucket["Name"] for bucket in buckets]), (body, ["bucket"]))
        return listed, got, beside, missing

    @coroutine
    async def test_mounted(self) -> None:
        """All goes round, metadata in lower case, errors with all that belongs to them."""
        server, mounted = await self.mounted()
        listed, _, beside, missing = await self.in_thread(self.work, mounted)
        self.assertEqual((listed, beside), (sorted(KEYS, key=str.encode), b"beside"))
        self.assertEqual(missing["Error"]["Code"], "NoSuchKey")
        self.assertEqual(missing["Error"]["Resource"], "/some/path/bucket/missing")
        self.assertEqual(
            missing["ResponseMetadata"]["HTTPHeaders"]["x-amz-request-id"], missing["ResponseMetadata"]["RequestId"]
        )
        self.assertEqual(server.finished[1].passage.operation, "PutObject")

    @coroutine
    async def test_without_slash(self) -> None:
        """The path itself is the service."""
        _, mounted = await self.mounted()

        def work() -> bytes:
            with self.assertRaises(HTTPError) as refused:
                urlopen(mounted.url)
            with refused.exception:
                return refused.exception.read()

        self.assertIn(b"<Resource>/some/path</Resource>", await self.in_thread(work))

    @coroutine
    async def test_interrupted(self) -> None:
        """A client that leaves in the middle of a download, and one that reads nothing for a while."""
        server, mounted = await self.mounted()

        def work() -> None:
            client = mounted.client()
            client.create_bucket(Bucket="bucket")
            client.put_object(Bucket="bucket", Key="big", Body=b"x" * (32 << 20))
            got = client.get_object(Bucket="bucket", Key="big")["Body"]
            got.read(1)
            got.close()
            client.close()

        await self.in_thread(work)
        while len(server.finished) < 3:
            await deferLater(reactor, 0.001)
        self.assertEqual(server.finished[2].error, "ClientGone")
