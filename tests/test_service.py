"""The service for Twisted applications. Trial looks whether anything is left behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import treq
from treq.testing import StubTreq
from twisted.application.service import MultiService
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.client import Agent, HTTPConnectionPool
from twisted.web.resource import Resource
from zope.interface import implementer

from tests.serving import ALICE, coroutine
from tests.testing.test_deferred import S3SigV4QueryAuth
from twisted_s3.credentials import Users
from twisted_s3.events import Subscriptions
from twisted_s3.interfaces import IObjectStore
from twisted_s3.keyring import KeyFile, Keyring, in_threads_of
from twisted_s3.protocol.access.defaults import BucketDefaults
from twisted_s3.protocol.access.publicblock import NOTHING_BLOCKED
from twisted_s3.service import S3Service
from twisted_s3.storage.filesystem.store import FilesystemStore
from twisted_s3.storage.memory import MemoryStore

READABLE = (
    b'{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", '
    b'"Resource": "arn:aws:s3:::pages/*"}]}'
)
INDEX = b"<WebsiteConfiguration><IndexDocument><Suffix>i</Suffix></IndexDocument></WebsiteConfiguration>"
LOOPBACK = "tcp:0:interface=127.0.0.1"


def presign(endpoint: str, method: str, path: str, headers: Mapping[str, str] | None = None) -> str:
    """A URL that any HTTP client can use."""
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    request = AWSRequest(method, endpoint + path, headers=headers)
    S3SigV4QueryAuth(Credentials(ALICE.access_key, ALICE.secret_key), "s3", "us-east-1").add_auth(request)
    return str(request.url)


def own_threads() -> list[threading.Thread]:
    """The threads that there are, without those in which the client's reactor looks up names."""
    return [thread for thread in threading.enumerate() if "twisted.internet.reactor" not in thread.name]


@implementer(IReactorTime)
class Later:
    """A clock that is an hour ahead."""

    def seconds(self) -> float:
        """See `IReactorTime`."""
        return float(reactor.seconds()) + 3600  # type: ignore[attr-defined]

    def callLater(self, delay: float, callable: Any, *args: object, **kw: object) -> Any:
        """See `IReactorTime`."""
        return reactor.callLater(delay, callable, *args, **kw)  # type: ignore[attr-defined]

    def getDelayedCalls(self) -> Any:
        """See `IReactorTime`."""
        return ()


class Services(TestCase):
    """On the reactor of the test, with sockets."""

    timeout = 60

    def setUp(self) -> None:
        """An agent that keeps no connections."""
        self.agent = Agent(reactor, pool=HTTPConnectionPool(reactor, persistent=False))

    async def start(self, store: IObjectStore | None = None, **options: Any) -> tuple[S3Service, str]:
        """A service that runs, and its URL."""
        made = MemoryStore(reactor) if store is None else store
        service = S3Service(made, Users([ALICE]), [LOOPBACK], reactor=reactor, **options)
        service.privilegedStartService()
        service.startService()
        self.addCleanup(lambda: service.stopService() if service.running else None)
        await service.when_ready()
        return service, service.listeners.addresses()[0]

    async def ask(self, method: str, url: str, path: str, data: bytes | None = None) -> tuple[int, bytes]:
        """Status and body of an answer."""
        answer = await treq.request(method, presign(url, method, path), data=data, agent=self.agent)
        return answer.code, await answer.content()

    @coroutine
    async def test_part_of_an_application(self) -> None:
        """Several of them, with different stores, start and stop with the application; no thread is left."""
        threads = own_threads()
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        application = MultiService()
        stores = [MemoryStore(reactor), FilesystemStore(Path(folder.name), reactor), MemoryStore(reactor)]
        services = [S3Service(store, Users([ALICE]), [LOOPBACK]) for store in stores]
        for service in services:
            service.setServiceParent(application)
        application.privilegedStartService()
        application.startService()
        for service in services:
            await service.when_ready()
        urls = [service.listeners.addresses()[0] for service in services]
        for number, url in enumerate(urls):
            self.assertEqual((await self.ask("PUT", url, f"/bucket{number}"))[0], 200)
            self.assertEqual((await self.ask("PUT", url, f"/bucket{number}/k", b"v"))[0], 200)
        for number, url in enumerate(urls):
            _, listing = await self.ask("GET", url, "/")
            self.assertEqual([b"bucket%d" % n in listing for n in range(3)], [n == number for n in range(3)])
        await application.stopService()
        self.assertEqual(own_threads(), threads)

    @coroutine
    async def test_restart(self) -> None:
        """It starts again after a stop, with what its store has kept."""
        service, url = await self.start()
        await self.ask("PUT", url, "/bucket")
        await service.stopService()
        service.privilegedStartService()
        service.startService()
        await service.when_ready()
        status, _ = await self.ask("GET", service.listeners.addresses()[0], "/bucket")
        self.assertEqual(status, 200)

    @coroutine
    async def test_websites(self) -> None:
        """They have endpoints of their own, and stop with the service; what S3 answers there is no page."""
        options = {"website_endpoints": [LOOPBACK], "website_domains": ["web.test"]}
        service, url = await self.start(bucket_defaults=BucketDefaults(block=NOTHING_BLOCKED), **options)
        [pages] = service.listeners.website_addresses()
        self.assertNotEqual(pages, url)
        for path, body in (
            ("/pages", None),
            ("/pages?website", INDEX),
            ("/pages?policy", READABLE),
            ("/pages/i", b"<p>hello"),
        ):
            status, answer = await self.ask("PUT", url, path, body)
            self.assertIn(status, (200, 204), answer)
        for address, expected in ((pages, (200, b"<p>hello")), (url, (403, None))):
            page = await treq.get(f"{address}/", headers={"Host": "pages.web.test"}, agent=self.agent)
            content = await page.content()
            self.assertEqual((page.code, content if page.code == 200 else None), expected)
        await service.stopService()
        with self.assertRaises(ConnectError):
            await treq.get(f"{pages}/", agent=self.agent)

    @coroutine
    async def test_clock(self) -> None:
        """Signatures are held against the clock that is given."""
        _, url = await self.start(clock=Later())
        status, body = await self.ask("GET", url, "/")
        self.assertEqual(status, 403)
        self.assertIn(b"Request has expired", body)

    @coroutine
    async def test_keys(self) -> None:
        """What encrypts objects is the application's; without it encryption is refused."""
        folder = Path(self.enterContext(TemporaryDirectory()))
        keyring = Keyring(KeyFile(folder / "keys.json", reactor.seconds), in_threads_of(reactor))
        sealed = {"x-amz-server-side-encryption": "AES256"}
        for options, status, header in (({"keys": keyring}, 200, ["AES256"]), ({}, 501, None)):
            _, url = await self.start(**options)
            await self.ask("PUT", url, "/bucket")
            query = presign(url, "PUT", "/bucket/k", sealed)
            answer = await treq.put(query, headers=sealed, data=b"value", agent=self.agent)
            self.assertEqual(
                (answer.code, answer.headers.getRawHeaders("x-amz-server-side-encryption")), (status, header)
            )
            await answer.content()
            if status == 200:
                self.assertEqual(await self.ask("GET", url, "/bucket/k"), (200, b"value"))

    @coroutine
    async def test_resource_beside_others(self) -> None:
        """The endpoints serve the application's own tree, with the S3 tree below a path."""
        service = S3Service(MemoryStore(reactor), Users([ALICE]), [LOOPBACK])
        service.root = Resource()
        service.root.putChild(b"s3", service.resource)
        service.privilegedStartService()
        service.startService()
        self.addCleanup(service.stopService)
        await service.when_ready()
        url = service.listeners.addresses()[0]
        self.assertEqual((await self.ask("PUT", url, "/s3/bucket"))[0], 200)
        self.assertEqual((await self.ask("PUT", url, "/s3/bucket/k", b"v" * 1_000_000))[0], 200)
        self.assertEqual(await self.ask("GET", url, "/s3/bucket/k"), (200, b"v" * 1_000_000))


class InMemory(SynchronousTestCase):
    """Through treq's `RequestTraversalAgent`, which is inside its `StubTreq`: no socket, no reactor."""

    def setUp(self) -> None:
        """A service that is never started; the store in memory needs no start."""
        self.heard: list[tuple[str, str]] = []
        events = Subscriptions()
        events.subscribe("*", lambda record: self.heard.append((record["eventName"], record["s3"]["object"]["key"])))
        clock = Clock()
        clock.advance(time.time())
        self.service = S3Service(MemoryStore(clock), Users([ALICE]), events=events, reactor=clock, clock=clock)
        self.treq = StubTreq(self.service.resource)

    def ask(self, method: str, path: str, data: bytes | None = None) -> tuple[int, bytes]:
        """Status and body of an answer."""
        asked = self.treq.request(method, presign("http://s3.example", method, path), data=data)
        self.treq.flush()
        answer = self.successResultOf(asked)
        body: Deferred[bytes] = answer.content()
        self.treq.flush()
        return answer.code, self.successResultOf(body)

    def test_round_trip(self) -> None:
        """Bodies in both directions, small and large, empty answers, errors, and events."""
        self.assertEqual(self.ask("PUT", "/bucket")[0], 200)
        for size in (0, 1, 4096, 300_000, 2_000_000):
            content = bytes(size)
            self.assertEqual(self.ask("PUT", f"/bucket/{size}", content), (200, b""))
            status, body = self.ask("GET", f"/bucket/{size}")
            self.assertEqual((status, body == content), (200, True))
        self.assertEqual(self.ask("DELETE", "/bucket/1"), (204, b""))
        status, body = self.ask("GET", "/bucket/1")
        self.assertEqual(status, 404)
        self.assertIn(b"<Code>NoSuchKey</Code>", body)
        self.assertEqual(self.heard[0], ("ObjectCreated:Put", "0"))
        self.assertEqual(self.heard[-1], ("ObjectRemoved:Delete", "1"))
