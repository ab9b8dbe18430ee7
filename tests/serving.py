"""A real server on the reactor of a test, over HTTP and HTTPS, and the means to talk to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from msgspec import Struct, structs
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool
from twisted.trial.unittest import TestCase

from tests.certificates import issue_certificate
from twisted_s3.access import PolicyAuthorizer
from twisted_s3.credentials import Users
from twisted_s3.interfaces import IObjectStore
from twisted_s3.keyring import Keyring, KeysInMemory
from twisted_s3.model import User
from twisted_s3.operations.call import ObjectLimits, Services
from twisted_s3.protocol.access.defaults import BucketDefaults
from twisted_s3.protocol.authentication import Authenticator
from twisted_s3.storage.memory import MemoryStore
from twisted_s3.web.gate import Gate
from twisted_s3.web.limits import HTTPLimits
from twisted_s3.web.resources import Finished, RequestIds, S3Resource
from twisted_s3.web.site import S3Site
from twisted_s3.web.website import WebsiteResource

T = TypeVar("T")

REGION = "us-east-1"
ALICE = User("ALICEKEY", "alice-secret-0123456789", "a" * 64, "alice", administrator=True)
BOB = User("BOBSKEY", "bobs-secret-0123456789", "b" * 64, "bob")


class Server(Struct):
    """A server that runs.

    :ivar url: of the endpoint.
    :ivar authority: path of the certificate that HTTPS clients must trust, None over HTTP.
    :ivar website_url: of the websites, "" if there are none.
    :ivar finished: every request that has ended, in order.
    :ivar clients: every client that was made.
    """

    url: str
    store: IObjectStore
    site: S3Site
    authority: str | None
    finished: list[Finished]
    clients: list[Any] = []
    website_url: str = ""

    @property
    def port(self) -> int:
        """The TCP port."""
        return int(self.url.rpartition(":")[2])

    @property
    def website(self) -> Server:
        """The websites, as a server to send requests to."""
        return structs.replace(self, url=self.website_url)

    def client(self, user: User = ALICE, region: str = REGION, **config: Any) -> Any:
        """A boto3 client of the server, for use in a thread."""
        settings = {"retries": {"max_attempts": 0}, "s3": {"addressing_style": "path"}, **config}
        client = boto3.session.Session().client(
            "s3",
            endpoint_url=self.url,
            region_name=region,
            aws_access_key_id=user.access_key,
            aws_secret_access_key=user.secret_key,
            verify=self.authority,
            config=Config(**settings),
        )
        self.clients.append(client)
        return client

    def close_clients(self) -> None:
        """Close the connections of all clients, for which the server would wait."""
        for client in self.clients:
            client.close()


class ServingTestCase(TestCase):
    """Tests that talk to a real server.

    ``make_store`` says over which store, by default one in memory; ``tls`` whether over HTTPS;
    ``grace`` how many seconds connections may take to end.
    """

    timeout = 120
    tls = False
    region = REGION
    users = (ALICE, BOB)
    domains: tuple[str, ...] = ()
    limits = HTTPLimits()
    object_limits = ObjectLimits()
    bucket_defaults = BucketDefaults()
    allow_sigv2 = True
    grace = 5.0

    def make_store(self) -> IObjectStore:
        """The store to serve."""
        return MemoryStore(reactor)

    async def start_server(self, **changes: Any) -> Server:
        """Start a server that stops with the test. ``changes`` go over the attributes of the class."""
        store = changes.get("store") or self.make_store()
        await store.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(_run(store.stop())))
        defaults = changes.get("bucket_defaults", self.bucket_defaults)
        keys = changes.get("keys") or Keyring(KeysInMemory())
        services = Services(
            store,
            Users(changes.get("users", self.users)),
            changes.get("authorizer", PolicyAuthorizer(defaults)),
            reactor,
            changes.get("region", self.region),
            changes.get("object_limits", self.object_limits),
            defaults,
            keepalive=changes.get("keepalive", 5.0),
            threads=reactor,
            server_keys=keys,
            named_keys=keys,
            customer_keys_over_http=changes.get("customer_keys_over_http", "loopback"),
            notifier=changes.get("notifier"),
        )
        sigv2, strict = changes.get("allow_sigv2", self.allow_sigv2), changes.get("presigned_checksums", False)
        gate = Gate(services, Authenticator(services.region, sigv2, strict))
        ids = RequestIds()
        limits = changes.get("limits", self.limits)
        finished: list[Finished] = []
        domains = changes.get("domains", self.domains)
        resource = S3Resource(gate, domains, ids, limits.drain_bytes, finished.append)
        site = S3Site(resource, ids, limits, reactor)
        tls = changes.get("tls", self.tls)
        authority, endpoint = None, "tcp:0:interface=127.0.0.1"
        if tls:
            folder = TemporaryDirectory()
            self.addCleanup(folder.cleanup)
            made = issue_certificate(Path(folder.name))
            authority = str(made.certificate)
            endpoint = f"ssl:0:interface=127.0.0.1:certKey={made.certificate}:privateKey={made.key}"
        url = await self._listen(endpoint, site)
        server = Server(url, store, site, authority, finished)
        if "website_domains" in changes:
            websites = WebsiteResource(gate, changes["website_domains"], ids, limits.drain_bytes, finished.append)
            server.website_url = await self._listen(endpoint, S3Site(websites, ids, limits, reactor))
        return server

    async def _listen(self, endpoint: str, site: S3Site) -> str:
        port = await serverFromString(reactor, endpoint).listen(site)
        self.addCleanup(self._stop, port, site)
        scheme = endpoint.partition(":")[0].replace("ssl", "https").replace("tcp", "http")
        return f"{scheme}://127.0.0.1:{port.getHost().port}"

    async def _close(self, port: Any, site: S3Site) -> None:
        await port.stopListening()
        await site.drain(self.grace)

    def _stop(self, port: Any, site: S3Site) -> Deferred[None]:
        return Deferred.fromCoroutine(self._close(port, site))

    def in_thread(self, work: Callable[..., T], *args: Any) -> Deferred[T]:
        """Run blocking client code, while the reactor serves."""
        pool = ThreadPool(0, 1)
        pool.start()
        return deferToThreadPool(reactor, pool, work, *args).addBoth(_stopping(pool))


def _stopping(pool: ThreadPool) -> Callable[[T], T]:
    def stop(result: T) -> T:
        pool.stop()
        return result

    return stop


async def _run(awaitable: Awaitable[T]) -> T:
    return await awaitable


def coroutine(test: Callable[..., Coroutine[Deferred[Any], Any, T]]) -> Callable[..., Deferred[T]]:
    """Make a coroutine method a test that trial waits for."""

    def run(self: Any) -> Deferred[T]:
        return Deferred.fromCoroutine(test(self))

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run
