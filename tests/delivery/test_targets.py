"""The targets themselves, against real receivers."""

from __future__ import annotations

import hmac
import json
import subprocess
import sys
import tempfile
from base64 import b64decode, b64encode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from tests.certificates import issue_certificate
from tests.delivery.kit import until
from tests.serving import coroutine
from twisted_s3.delivery.configured import load_targets
from twisted_s3.delivery.file import JSONLines
from twisted_s3.delivery.nats import NATS
from twisted_s3.delivery.webhook import FINAL, Webhook, secret_bytes, signature
from twisted_s3.queueing import Refused
from twisted_s3.settings import SettingsError


class Receiver(Resource):
    """Takes notes of what is POSTed, and answers as told.

    :ivar status: what to answer; None for never.
    """

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status: int | None = 200
        self.body = b""

    def render_POST(self, request: Request) -> Any:
        """Take one message."""
        headers = {
            name.decode().lower(): values[0].decode() for name, values in request.requestHeaders.getAllRawHeaders()
        }
        self.got.append((headers, request.content.read()))
        if self.status is None:
            return NOT_DONE_YET
        request.setResponseCode(self.status)
        return self.body


class TargetTestCase(TestCase):
    """Tests with a receiver."""

    timeout = 30

    async def receive(self, endpoint: str = "tcp:0:interface=127.0.0.1", factory: Any = None) -> tuple[Receiver, int]:
        """Listen. Gives the receiver, and its port."""
        receiver = Receiver()
        port = await serverFromString(reactor, endpoint).listen(factory or Site(receiver))
        self.addCleanup(port.stopListening)
        return receiver, port.getHost().port

    def target(self, made: Any) -> Any:
        """A target that is closed with the test."""
        self.addCleanup(lambda: Deferred.fromCoroutine(made.close()))
        return made

    async def fails(self, awaitable: Any, kind: type[Exception] = Exception) -> Exception:
        """Assert that a delivery fails."""
        try:
            await awaitable
        except kind as error:
            return error
        return self.fail("it did not fail")


class Webhooks(TargetTestCase):
    """By HTTP."""

    @coroutine
    async def test_delivered(self) -> None:
        """A message is POSTed with its id, signed."""
        receiver, port = await self.receive()
        hook = self.target(Webhook(f"http://127.0.0.1:{port}/hook?a=b", reactor, b"key", headers={"X-Mine": "1"}))
        await hook.deliver("0A", b'{"Records":[]}')
        ((headers, body),) = receiver.got
        self.assertEqual(body, b'{"Records":[]}')
        self.assertEqual((headers["webhook-id"], headers["x-mine"]), ("0A", "1"))
        self.assertEqual(headers["content-type"], "application/json")
        signed = f"0A.{headers['webhook-timestamp']}.".encode() + body
        expected = b64encode(hmac.new(b"key", signed, sha256).digest()).decode()
        self.assertEqual(headers["webhook-signature"], f"v1,{expected}")

    def test_signature(self) -> None:
        """The example of the specification."""
        secret = secret_bytes("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        body = b'{"test": 2432232314}'
        self.assertEqual(
            signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        )
        self.assertEqual(secret, b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
        self.assertEqual(secret_bytes("plain"), b"plain")

    @coroutine
    async def test_statuses(self) -> None:
        """Only 2xx takes it; a redirect is not followed; some statuses are for ever."""
        receiver, port = await self.receive()
        hook = self.target(Webhook(f"http://127.0.0.1:{port}/", reactor))
        for status in (200, 201, 204):
            receiver.status = status
            await hook.deliver("1", b"{}")
        for status in (301, 401, 404, 408, 429, 500, 503):
            receiver.status = status
            error = await self.fails(hook.deliver("1", b"{}"))
            self.assertNotIsInstance(error, Refused)
        for status in FINAL:
            receiver.status = status
            await self.fails(hook.deliver("1", b"{}"), Refused)
        self.assertEqual(len(receiver.got), 10 + len(FINAL))

    @coroutine
    async def test_no_answer(self) -> None:
        """Who does not answer, or does not end its answer, or is not there, has not taken it."""
        receiver, port = await self.receive()
        receiver.status = None
        await self.fails(self.target(Webhook(f"http://127.0.0.1:{port}/", reactor, timeout=0.1)).deliver("1", b"{}"))

        class Endless(Protocol):
            def dataReceived(self, data: bytes) -> None:
                self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")

        _, port = await self.receive(factory=Factory.forProtocol(Endless))
        await self.fails(self.target(Webhook(f"http://127.0.0.1:{port}/", reactor, timeout=0.1)).deliver("1", b"{}"))
        await self.fails(self.target(Webhook("http://127.0.0.1:1/", reactor)).deliver("1", b"{}"))

    @coroutine
    async def test_long_answer(self) -> None:
        """The answer is not kept, however long it is."""
        receiver, port = await self.receive()
        receiver.body = bytes(1 << 20)
        await self.target(Webhook(f"http://127.0.0.1:{port}/", reactor)).deliver("1", b"{}")

    @coroutine
    async def test_tls(self) -> None:
        """A server must have a certificate of the authority that is named."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        made = issue_certificate(Path(folder.name))
        receiver, port = await self.receive(
            f"ssl:0:interface=127.0.0.1:certKey={made.certificate}:privateKey={made.key}"
        )
        await self.fails(self.target(Webhook(f"https://localhost:{port}/", reactor)).deliver("1", b"{}"))
        self.assertEqual(receiver.got, [])
        trusting = self.target(Webhook(f"https://localhost:{port}/", reactor, authority=made.certificate))
        await trusting.deliver("1", b"{}")
        self.assertEqual(len(receiver.got), 1)


class Files(TargetTestCase):
    """To a file."""

    @coroutine
    async def test_lines(self) -> None:
        """A line for each message, behind what is there; a file that was moved away is made anew."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = Path(folder.name, "events.jsonl")
        target = self.target(JSONLines(path, reactor))
        await target.deliver("1", b'{"a":1}')
        with path.open("ab") as file:
            file.write(b"torn")
        await target.deliver("2", b'{"a":2}')
        self.assertEqual(path.read_bytes(), b'{"a":1}\ntorn\n{"a":2}\n')
        path.rename(Path(folder.name, "old"))
        await target.deliver("3", b'{"a":3}')
        self.assertEqual(path.read_bytes(), b'{"a":3}\n')
        await target.close()
        await target.deliver("4", b'{"a":4}')
        self.assertEqual(len(path.read_bytes().splitlines()), 2)


class NATSServers(TargetTestCase):
    """By NATS, with a real server."""

    async def serve(self, port: int = -1) -> tuple[subprocess.Popen[bytes], int]:
        """Start a server. Gives it, and its port."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        binary = Path(sys.executable).with_name("nats-server")
        arguments = [str(binary), "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", folder.name]
        process = subprocess.Popen(
            [*arguments, "--ports_file_dir", folder.name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.addCleanup(self.end, process)

        def ports() -> list[Path]:
            return [path for path in Path(folder.name).glob("*.ports") if path.read_text().strip()]

        await until(lambda: bool(ports()))
        (found,) = ports()
        url = json.loads(found.read_text())["nats"][0]
        return process, int(url.rpartition(":")[2])

    def end(self, process: subprocess.Popen[bytes]) -> None:
        """End a server."""
        process.kill()
        process.wait()

    async def listen(self, port: int, work: Callable[[Any], Any]) -> Any:
        """Do something in a loop of asyncio, connected to the server; gives its result."""
        import nats

        from twisted_s3.delivery.asynciothread import AsyncioThread

        thread = AsyncioThread(reactor, "test")

        async def run() -> Any:
            connection = await nats.connect(f"nats://127.0.0.1:{port}")
            try:
                return await work(connection)
            finally:
                await connection.close()

        try:
            return await thread.run(run)
        finally:
            await thread.stop()

    @coroutine
    async def test_published(self) -> None:
        """Subscribers get the message, under its id."""
        _, port = await self.serve()
        target = self.target(NATS([f"nats://127.0.0.1:{port}"], "s3.events", reactor))

        async def work(connection: Any) -> Any:
            subscription = await connection.subscribe("s3.*")
            await connection.flush()
            reactor.callFromThread(ready.callback, None)
            return await subscription.next_msg(timeout=10)

        ready: Deferred[None] = Deferred()
        listening = Deferred.fromCoroutine(self.listen(port, work))
        await ready
        await target.deliver("0A", b'{"a":1}')
        message = await listening
        self.assertEqual((message.subject, message.data), ("s3.events", b'{"a":1}'))
        self.assertEqual(message.headers["Nats-Msg-Id"], "0A")

    @coroutine
    async def test_stream(self) -> None:
        """A stream acknowledges each message, and keeps what comes twice once; without one it fails."""
        _, port = await self.serve()
        target = self.target(NATS([f"nats://127.0.0.1:{port}"], "s3.events", reactor, stream=True, timeout=5.0))
        await self.fails(target.deliver("1", b"{}"))

        async def add(connection: Any) -> None:
            await connection.jetstream().add_stream(name="events", subjects=["s3.>"])

        async def count(connection: Any) -> int:
            return int((await connection.jetstream().stream_info("events")).state.messages)

        await self.listen(port, add)
        for id in ("1", "2", "2"):
            await target.deliver(id, b"{}")
        self.assertEqual(await self.listen(port, count), 2)

    @coroutine
    async def test_server_comes_back(self) -> None:
        """A message fails while the server is away, and goes when it is back."""
        process, port = await self.serve()
        target = self.target(NATS([f"nats://127.0.0.1:{port}"], "s3", reactor, timeout=3.0))
        await target.deliver("1", b"{}")
        self.end(process)
        await self.fails(target.deliver("2", b"{}"))
        await self.serve(port)
        await target.deliver("2", b"{}")

    @coroutine
    async def test_used_again(self) -> None:
        """After it was closed it works as before, also for several messages at once."""
        _, port = await self.serve()
        target = self.target(NATS([f"nats://127.0.0.1:{port}"], "s3", reactor))
        for _ in range(2):
            await gatherResults([Deferred.fromCoroutine(target.deliver(str(n), b"{}")) for n in range(8)])
            await target.close()

    @coroutine
    async def test_nobody_there(self) -> None:
        """It fails in time, and leaves no thread behind."""
        target = NATS(["nats://127.0.0.1:1"], "s3", reactor, timeout=3.0)
        await self.fails(target.deliver("1", b"{}"))
        await target.close()
        await deferLater(reactor, 0)
        import threading

        self.assertNotIn("s3store nats", [thread.name for thread in threading.enumerate()])


class Configured(SynchronousTestCase):
    """The tables of the TOML file."""

    def load(self, text: str) -> list[str]:
        """The names of the targets of a file."""
        path = Path(self.enterContext(TemporaryDirectory())) / "s3store.toml"
        path.write_text(text)
        self.path = path
        return [target.name for target in load_targets(path)]

    def refused(self, text: str, problem: str) -> None:
        """Assert that a file is refused, and that no secret is told."""
        error = self.assertRaises(SettingsError, self.load, text)
        self.assertIn(problem, str(error))
        self.assertNotIn("hidden", str(error))

    def test_all_types(self) -> None:
        """One of each."""
        text = """
            [[targets]]
            name = "hook"
            type = "webhook"
            url = "https://example.com/hook"
            secret = "whsec_aGlkZGVu"
            headers = { X-Mine = "1" }
            timeout = 5
            give_up = 3600
            [[targets]]
            name = "nats"
            type = "nats"
            url = ["nats://a:4222", "tls://b"]
            subject = "s3.events"
            jetstream = true
            token = "t"
            [[targets]]
            name = "file"
            type = "file"
            path = "/tmp/events.jsonl"
        """
        self.assertEqual(self.load(text), ["hook", "nats", "file"])
        hook, *_ = load_targets(self.path)
        self.assertEqual(hook.give_up, 3600.0)
        self.assertEqual((list(load_targets(None)), self.load("")), ([], []))

    def test_refused(self) -> None:
        """What is no target."""
        hook = '[[targets]]\nname = "a"\ntype = "webhook"\nurl = "http://h/"\n'
        self.refused(hook + hook, "two targets")
        self.refused(hook + "more = 1", "no 'more'")
        self.refused(hook + 'secret = "whsec_hidden!"', "base64")
        self.refused(hook + "secret = 1", "secret must be text")
        self.refused(hook + "timeout = 0", "seconds")
        self.refused(hook + "timeout = true", "seconds")
        self.refused(hook + 'headers = { "a b" = "c" }', "headers")
        self.refused(hook + 'ca_file = "/nonexistent"', "ca_file")
        self.refused(hook + "concurrency = 0", "concurrency")
        self.refused('[[targets]]\nname = "a b"\ntype = "file"', "name must")
        self.refused('[[targets]]\nname = "a"\ntype = "mail"', "type must be one of")
        for url in ("ftp://h/", "https://a.b]c", "https://[::1", "https://h:99999/", "https://h:x/", "https://h:0/"):
            self.refused(f'[[targets]]\nname = "a"\ntype = "webhook"\nurl = "{url}"', "url must begin")
        for path in ("~nobody-has-this-name/x", "a\\u0000b"):
            self.refused(f'[[targets]]\nname = "a"\ntype = "file"\npath = "{path}"', "path ")
        self.refused('[[targets]]\nname = "a"\ntype = "file"\npath = "/nonexistent/x"', "path must")
        self.refused('[[targets]]\nname = "a"\ntype = "nats"\nurl = "nats://h"\nsubject = "a.*"', "subject must")
        self.refused('[[targets]]\nname = "a"\ntype = "nats"\nurl = ["nats://h", 1]\nsubject = "a"', "url must be text")
        self.refused("targets = 1", "[[targets]]")
