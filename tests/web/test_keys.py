"""Bytes of keys, styles of addresses, and trees that hang somewhere in a site."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import AWSRequest

from tests.serving import Server, ServingTestCase, coroutine

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


def round_trip(server: Server, url: str = "", **s3: Any) -> list[str]:
    """Put, get, head, list and delete all keys. Gives those that were listed."""
    client = server.client(s3=s3) if s3 else server.client()
    if url:
        client.meta.endpoint_url = url
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


def send_to_loopback(client: Any, port: int) -> None:
    """Make requests to whatever host go to 127.0.0.1, with the ``Host`` as it was signed."""

    def redirect(request: AWSRequest, **_: Any) -> None:
        parts = urlsplit(request.url)
        request.headers["Host"] = parts.netloc
        request.url = parts._replace(netloc=f"127.0.0.1:{port}").geturl()

    client.meta.events.register("before-send.s3", redirect)


class Keys(ServingTestCase):
    """Every key goes round, in both styles."""

    domains = ("s3.localhost", "port.localhost:1")

    @coroutine
    async def test_path_style(self) -> None:
        """The bucket in the path."""
        server = await self.start_server()
        self.assertEqual(await self.in_thread(round_trip, server), sorted(KEYS, key=str.encode))

    @coroutine
    async def test_virtual_hosted_style(self) -> None:
        """The bucket in the host."""
        server = await self.start_server()

        def work() -> list[str]:
            client = server.client(s3={"addressing_style": "virtual"})
            client.meta._endpoint_url = f"{'https' if self.tls else 'http'}://s3.localhost:{server.port}"
            return []

        await self.in_thread(work)
        reached = Server(
            f"{'https' if self.tls else 'http'}://s3.localhost:{server.port}",
            server.store,
            server.site,
            server.authority,
            server.finished,
        )
        listed = await self.in_thread(virtual_round_trip, reached)
        self.addCleanup(reached.close_clients)
        self.assertEqual(listed, sorted(KEYS, key=str.encode))


def virtual_round_trip(server: Server) -> list[str]:
    """`round_trip` with names of hosts that no resolver knows."""
    original = server.client

    class Redirected:
        def client(self, **config: Any) -> Any:
            client = original(**config)
            send_to_loopback(client, server.port)
            return client

    return round_trip(Redirected(), addressing_style="virtual")  # type: ignore[arg-type]


class KeysOverTLS(Keys):
    """The same over TLS."""

    tls = True
