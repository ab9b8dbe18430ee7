"""Tests of downloads that go from the file to the socket."""

from __future__ import annotations

import http.client
import shutil
import socket
import ssl
import tempfile
from threading import Event
from typing import Any, cast
from urllib.parse import urlsplit

from twisted.internet import reactor
from twisted.python.components import proxyForInterface

from tests.serving import ALICE, BOB, REGION, Server, coroutine
from tests.storage.kit import pattern
from tests.web.wire import WireTestCase, request
from twisted_s3.interfaces import IObjectStore
from twisted_s3.storage.filesystem.disk import Descriptor, IDisk
from twisted_s3.storage.filesystem.store import FilesystemStore
from twisted_s3.web import sendfile

_SIZE = (9 << 20) + 17
_BODY = pattern(_SIZE)


class _Counting(proxyForInterface(IDisk, "disk")):  # type: ignore[misc]
    """A disk that counts the bytes that are read into this process."""

    count = 0

    def read(self, descriptor: Descriptor, offset: int, length: int) -> bytes:
        """Count, and read."""
        self.count += length
        return self.disk.read(descriptor, offset, length)  # type: ignore[no-any-return]

    def read_cached(self, descriptor: Descriptor, offset: int, length: int) -> bytes | None:
        """Count, and read."""
        self.count += length
        return self.disk.read_cached(descriptor, offset, length)  # type: ignore[no-any-return]


class _Cold(proxyForInterface(IDisk, "disk")):  # type: ignore[misc]
    """A disk of which nothing is in memory, and whose reads wait at a gate.

    :ivar cold: whether that is so already.
    :ivar waiting: whether one waits.
    """

    gate: Event
    cold = False
    waiting = False

    def read(self, descriptor: Descriptor, offset: int, length: int) -> bytes:
        """Wait, and read."""
        self.waiting = not self.gate.is_set()
        self.gate.wait(20)
        self.waiting = False
        return self.disk.read(descriptor, offset, length)  # type: ignore[no-any-return]

    def read_cached(self, descriptor: Descriptor, offset: int, length: int) -> bytes | None:
        """Nothing, once it is cold."""
        return None if self.cold else self.disk.read_cached(descriptor, offset, length)


class SendfileTests(WireTestCase):
    """Over TCP the bytes of a file do not pass through the process."""

    through = False
    region = REGION
    users = (ALICE, BOB)

    def make_store(self) -> IObjectStore:
        root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, root, ignore_errors=True)

        def wrap(disk: IDisk) -> IDisk:
            self.disk = _Counting(disk)
            return self.disk

        return FilesystemStore(root, cast(Any, reactor), durable=False, threads=2, wrap=wrap)

    def target(self, client: Any, key: str = "big") -> str:
        url = urlsplit(client.generate_presigned_url("get_object", {"Bucket": "bucket", "Key": key}))
        return f"{url.path}?{url.query}"

    def connection(self, server: Server) -> socket.socket:
        plain = socket.create_connection(("127.0.0.1", server.port), timeout=60)
        if server.authority is None:
            return plain
        return ssl.create_default_context(cafile=server.authority).wrap_socket(plain, server_hostname="127.0.0.1")

    async def talk(self, work: Any) -> Server:
        server = await self.start_server()

        def prepared() -> None:
            client = server.client()
            client.create_bucket(Bucket="bucket")
            client.put_object(Bucket="bucket", Key="big", Body=_BODY)
            client.put_object(Bucket="bucket", Key="small", Body=b"small")
            self.disk.count = 0
            work(server, client)
            server.close_clients()

        await self.in_thread(prepared)
        return server

    @coroutine
    async def test_whole_and_ranges(self) -> None:
        def work(server: Server, client: Any) -> None:
            self.assertEqual(client.get_object(Bucket="bucket", Key="big")["Body"].read(), _BODY)
            self.assertEqual(self.disk.count >= _SIZE, self.through)
            for start, stop in ((5, _SIZE), (1 << 20, (4 << 20) + 3), (_SIZE - (2 << 20), _SIZE), (100, 200)):
                answer = client.get_object(Bucket="bucket", Key="big", Range=f"bytes={start}-{stop - 1}")
                self.assertEqual(answer["Body"].read(), _BODY[start:stop])

        server = await self.talk(work)
        self.assertEqual(next(end.sent for end in server.finished if end.passage.operation == "GetObject"), _SIZE)

    @coroutine
    async def test_one_behind_the_other(self) -> None:
        """What was asked while the file is on its way is answered behind it, on the same connection."""

        def work(server: Server, client: Any) -> None:
            keys = ("small", "big", "small", "big", "small")
            heads = [
                f"GET {self.target(client, key)} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n" for key in keys
            ]
            with self.connection(server) as wire:
                wire.sendall("".join(heads).encode())
                stream = wire.makefile("rb")
                for key in keys:
                    status = stream.readline()
                    self.assertTrue(status.startswith(b"HTTP/1.1 200"), status)
                    length = int(http.client.parse_headers(stream)["Content-Length"])
                    self.assertEqual(stream.read(length), _BODY if key == "big" else b"small")

        await self.talk(work)

    @coroutine
    async def test_client_that_leaves(self) -> None:
        """A client that leaves in the middle is noticed, and the file closed."""

        def work(server: Server, client: Any) -> None:
            with self.connection(server) as wire:
                wire.sendall(f"GET {self.target(client)} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode())
                self.assertTrue(wire.recv(100).startswith(b"HTTP/1.1 200"))

        server = await self.talk(work)
        await self.when(lambda: [end for end in server.finished if end.passage.operation == "GetObject"])
        (end,) = [end for end in server.finished if end.passage.operation == "GetObject"]
        self.assertEqual(end.error, "ClientGone")
        self.assertLess(end.sent, _SIZE)


class WaitingTests(WireTestCase):
    """While the disk is waited for, the reactor is not asked whether the socket has room, which it always has."""

    def make_store(self) -> IObjectStore:
        root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, root, ignore_errors=True)
        self.gate = Event()
        self.gate.set()

        def wrap(disk: IDisk) -> IDisk:
            self.disk = _Cold(disk)
            self.disk.gate = self.gate
            return self.disk

        return FilesystemStore(root, cast(Any, reactor), durable=False, threads=2, wrap=wrap)

    @coroutine
    async def test_no_spinning(self) -> None:
        _, wire = await self.open()
        self.assertEqual((await wire.exchange(request("PUT", body=_BODY))).status, 200)
        told = 0
        do_write = sendfile._Room.doWrite

        def count(room: Any) -> None:
            nonlocal told
            told += 1
            do_write(room)

        self.patch(sendfile._Room, "doWrite", count)
        self.disk.cold = True
        wire.send(request())
        # The first window has gone out, and the second one waits for the disk.
        await wire.until(lambda: len(wire.received) > sendfile.WINDOW)
        self.gate.clear()
        while not self.disk.waiting:
            await self.turn(0.001)
        before = told
        for _ in range(50):
            await self.turn(0.001)
        self.assertLessEqual(told - before, 1)
        self.gate.set()
        self.assertEqual((await wire.response()).body, _BODY)


class PiecesTests(SendfileTests):
    """Over TLS they must."""

    tls = True
    through = True
