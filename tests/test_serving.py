"""The service around sites and store: its start, its end, and what goes wrong."""

from __future__ import annotations

import os
import select
import socket
import tempfile
from pathlib import Path
from typing import Any

import treq
from twisted.internet import reactor
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from twisted.web.client import Agent, HTTPConnectionPool

from tests.tinysite import Tiny, TinySite
from twisted_s3.credentials import Users
from twisted_s3.errors import S3Error
from twisted_s3.listeners import ListenError, Listeners
from twisted_s3.serving import Composition, SiteService
from twisted_s3.storage.memory import MemoryStore

LOOPBACK = "tcp:0:interface=127.0.0.1"


class Recorder(MemoryStore):
    """A store that tells when it was started and stopped."""

    def __init__(self, clock: Any, refuses: bool = False) -> None:
        super().__init__(clock)
        self.events: list[str] = []
        self.start_when: Deferred[None] | None = None
        self._refuses = refuses

    async def start(self) -> None:
        self.events.append("start")
        if self._refuses:
            raise S3Error("InternalError")
        if self.start_when is not None:
            await self.start_when
        self.events.append("started")

    async def stop(self) -> None:
        self.events.append("stop")


class ServiceTests(TestCase):
    def setUp(self) -> None:
        self.store = Recorder(reactor)
        self.site = TinySite(Tiny(Users()), reactor)
        self.pool = HTTPConnectionPool(reactor, persistent=False)
        self.agent = Agent(reactor, pool=self.pool)
        self.failures: list[Failure] = []

    def service(self, *endpoints: str, store: Recorder | None = None) -> SiteService:
        listeners = Listeners(reactor, endpoints or (LOOPBACK,))
        parts = Composition(store or self.store, self.site)
        service = SiteService(lambda: parts, listeners, reactor, 5.0, failed=self.failures.append)
        self.addCleanup(lambda: service.stopService() if service.running else None)
        return service

    @inlineCallbacks
    def started(self, service: SiteService) -> Any:
        service.privilegedStartService()
        service.startService()
        yield service.when_ready()
        return service.listeners.addresses()

    @inlineCallbacks
    def get(self, url: str) -> Any:
        response = yield treq.get(url, agent=self.agent)
        body = yield response.content()
        return body

    @inlineCallbacks
    def test_serves_on_all_endpoints(self) -> Any:
        service = self.service(LOOPBACK, LOOPBACK, "tcp:0:interface=\\:\\:1")
        *addresses, address6 = yield self.started(service)
        self.assertRegex(address6, r"^http://\[::1\]:\d+$")
        self.assertEqual(len(addresses), 2)
        for address in addresses:
            body = yield self.get(f"{address}/pid")
            self.assertEqual(int(body), os.getpid())

    @inlineCallbacks
    def test_unix_socket(self) -> Any:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        path = Path(directory.name) / "socket"
        service = self.service(f"unix:{path}")
        addresses = yield self.started(service)
        self.assertEqual(addresses, [f"unix:{path}"])
        self.assertTrue(path.is_socket())
        yield service.stopService()
        self.assertFalse(path.exists())

    def test_bind_failure_raises_and_leaves_nothing_bound(self) -> None:
        with socket.socket() as taken, socket.socket() as free:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            free.bind(("127.0.0.1", 0))
            ports = [free.getsockname()[1], taken.getsockname()[1]]
            free.close()
            service = self.service(*(f"tcp:{port}:interface=127.0.0.1" for port in ports))
            error = self.assertRaises(ListenError, service.privilegedStartService)
        self.assertEqual(str(error), f"can not listen on tcp:{ports[1]}:interface=127.0.0.1: Address already in use")
        self.assertEqual(self.store.events, [])
        self.assertEqual(service.listeners.ports, [])

    @inlineCallbacks
    def test_connections_wait_until_the_store_has_started(self) -> Any:
        start_when = self.store.start_when = Deferred()
        service = self.service()
        self.addCleanup(lambda: start_when.called or start_when.callback(None))
        service.privilegedStartService()
        service.startService()
        [address] = service.listeners.addresses()
        with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), timeout=30) as client:
            client.sendall(b"GET /pid HTTP/1.0\r\n\r\n")
            # Far more turns of the reactor than an answer takes.
            for _ in range(100):
                yield deferLater(reactor, 0)
            self.assertEqual(select.select([client], [], [], 0)[0], [])
            start_when.callback(None)
            with client.makefile("rb") as answer:
                text = yield deferToThread(answer.read)
        self.assertEqual(int(text.partition(b"\r\n\r\n")[2]), os.getpid())

    @inlineCallbacks
    def test_stop_refuses_connections_finishes_requests_then_stops_the_store(self) -> Any:
        service = self.service()
        [address] = yield self.started(service)
        response = yield treq.get(f"{address}/slow", agent=self.agent, unbuffered=True)
        stopped = service.stopService()
        body = yield response.content()
        self.assertEqual(body, b"begin end")
        yield stopped
        self.assertEqual(self.site.graces, [5.0])
        self.assertEqual(self.store.events, ["start", "started", "stop"])
        port = int(address.rpartition(":")[2])
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))

    @inlineCallbacks
    def test_stop_while_the_store_starts(self) -> Any:
        self.store.start_when = Deferred()
        service = self.service()
        service.privilegedStartService()
        service.startService()
        stopped = service.stopService()
        self.store.start_when.callback(None)
        yield stopped
        self.assertEqual(self.store.events, ["start", "started", "stop"])
        self.assertEqual(service.listeners.ports, [])

    @inlineCallbacks
    def test_store_that_does_not_start(self) -> Any:
        service = self.service(store=Recorder(reactor, refuses=True))
        service.privilegedStartService()
        service.startService()
        yield self.assertFailure(service.when_ready(), S3Error)
        self.assertEqual(len(self.failures), 1)
        self.assertEqual(len(self.flushLoggedErrors(S3Error)), 1)

    @inlineCallbacks
    def test_two_services_in_one_process(self) -> Any:
        [one] = yield self.started(self.service())
        [two] = yield self.started(self.service(store=Recorder(reactor)))
        self.assertNotEqual(one, two)
        yield self.get(f"{one}/pid")
        yield self.get(f"{two}/pid")
