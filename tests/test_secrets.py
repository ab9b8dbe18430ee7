"""No secret is in anything that a run writes: logs, tracebacks, error documents, ``repr``s, command lines."""

from __future__ import annotations

import ast
import importlib
import io
import json
import pkgutil
import re
import signal
import tempfile
from base64 import b64encode
from collections.abc import Iterator, Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote

from msgspec import structs
from msgspec.structs import force_setattr
from twisted.logger import LogPublisher, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

import twisted_s3
from tests.daemon import Daemon
from tests.operations.clients import BUCKET, OperationTestCase, send, served
from tests.protocol import signing
from tests.serving import ALICE, Server
from twisted_s3.accesslog import AccessLog
from twisted_s3.composition import _entry
from twisted_s3.discreet import Discreet
from twisted_s3.logformat import make_observer
from twisted_s3.model import Deletion, User
from twisted_s3.protocol.authentication import Authenticator
from twisted_s3.protocol.head import RequestHead
from twisted_s3.storage.memory import MemoryStore

ADMIN = User("AKIADMINISTRATOR", "administrators/secret+0123456789", "a" * 64)
BOB = User("AKIBOB", "bobs/own+secret/9876543210", "b" * 64, session_token="token+of/bob==")
CUSTOMER_KEY = b"a customer's key of 32 bytes ...."[:32]
REGION = "us-east-1"


def spellings(secret: str) -> Iterator[str]:
    """How a secret may be written."""
    raw = secret.encode()
    yield from (secret, quote(secret, safe=""), quote(secret), raw.hex(), b64encode(raw).decode().rstrip("="))
    yield json.dumps(secret)[1:-1]


def signatures_of(head: RequestHead) -> list[str]:
    """The signature of a request."""
    query = {name.lower(): values[0] for name, values in parse_qs(head.query.decode()).items()}
    found = [query[name] for name in ("x-amz-signature", "signature") if name in query]
    authorization = head.header("authorization") or ""
    found += re.findall(r"Signature=(\S+)", authorization) + re.findall(r"^AWS [^:]+:(\S+)", authorization)
    return found


class SecretsCase(SynchronousTestCase):
    """Assertions about what was written."""

    def assert_none_in(self, text: str, secrets: Sequence[str], where: str) -> None:
        """No secret is there in any spelling."""
        for secret in secrets:
            for spelling in spellings(secret):
                self.assertNotIn(spelling, text, f"{where} shows {secret!r}")


class DaemonTests(SecretsCase):
    """A daemon with two workers, asked in every way there is."""

    def setUp(self) -> None:
        """A place for it."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.config = self.folder / "s3store.toml"
        self.secrets = [ADMIN.secret_key, BOB.secret_key, BOB.session_token or "", CUSTOMER_KEY.decode()]
        self.secrets.append(b64encode(CUSTOMER_KEY).decode())
        self.answers: list[str] = []

    def write_config(self, more: str = "") -> None:
        """The TOML file."""
        users = "".join(
            f'[[users]]\naccess_key = "{user.access_key}"\nsecret_key = "{user.secret_key}"\n' for user in (ADMIN, BOB)
        )
        self.config.write_text(users + more)
        self.config.chmod(0o600)

    def start(self, format: str) -> Daemon:
        """A daemon that is ready."""
        self.write_config()
        arguments = ["s3store", "--config", str(self.config), "--data-dir", str(self.folder / "data"), "--port", "0"]
        daemon = Daemon(self.folder, [*arguments, "--workers", "2", "--log-format", format, "--log-level", "debug"])
        self.addCleanup(daemon.end)
        self.port = int(daemon.wait_for(r"listening on http://127.0.0.1:(\d+)")[1])
        self.processes = [daemon.process.pid]
        for _ in range(2):
            self.processes.append(int(daemon.wait_for(r"worker \d+ started, process (\d+)")[1]))
        return daemon

    def ask(self, head: RequestHead, body: bytes = b"") -> int:
        """Send a request; keep what comes back. Gives the status."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.putrequest(
                head.method, (head.path + b"?" + head.query).decode(), skip_host=True, skip_accept_encoding=True
            )
            for name, values in head.headers.items():
                if name != "content-length":
                    connection.putheader(name, *values)
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            self.answers.append(f"{answer.getheaders()} {answer.read().decode('latin-1')}")
            return answer.status
        finally:
            connection.close()

    def ask_all(self) -> None:
        """Good requests, bad ones, and some that can not be answered."""
        statuses = set()
        for how in ("v4 header", "v4 query", "v2 header", "v2 query"):
            for user in (ADMIN, BOB, structs.replace(BOB, session_token=None)):
                for method, path in (("PUT", "/bucket"), ("PUT", "/bucket/key"), ("GET", "/bucket/key"), ("GET", "/")):
                    head = signing.signed(method, path, how=how, user=user, region=REGION)
                    self.secrets += signatures_of(head)
                    statuses.add(self.ask(head))
            key = {"x-amz-server-side-encryption-customer-key": b64encode(CUSTOMER_KEY).decode()}
            key["x-amz-server-side-encryption-customer-algorithm"] = "AES256"
            statuses.add(self.ask(signing.signed("PUT", "/bucket/key", key, how=how, user=ADMIN, region=REGION)))
        # Nothing can be staged any more: a 5xx with a traceback.
        staging = self.folder / "data/.s3store/staging"
        for name in staging.iterdir():
            name.unlink()
        staging.rmdir()
        staging.write_bytes(b"")
        head = signing.signed("PUT", "/bucket/key", how="v4 query", user=ADMIN, region=REGION)
        self.secrets += signatures_of(head)
        statuses.add(self.ask(head, b"x"))
        # Somebody without the secret learns neither that nor what would have been right.
        thief = structs.replace(ADMIN, secret_key="a guess of sixteen")
        self.assertEqual(self.ask(signing.signed("GET", "/bucket/key", user=thief, region=REGION)), 403)
        self.assertTrue({200, 400, 403} <= statuses, statuses)
        self.assertTrue(max(statuses) >= 500, statuses)

    def check(self, format: str) -> None:
        """Run a daemon, ask it, and look at all that it wrote."""
        daemon = self.start(format)
        self.ask_all()
        command_lines = ""
        for process in self.processes:
            for name in ("cmdline", "comm", "status"):
                command_lines += Path(f"/proc/{process}/{name}").read_text()
        self.write_config('[[users]]\nsecret_key = "bobs/own+secret/9876543210" oops\n')
        daemon.signal(signal.SIGHUP)
        daemon.wait_for("users not loaded")
        daemon.signal(signal.SIGTERM)
        daemon.wait()
        output = "\n".join(daemon.output)
        for expected in ("GetObject", "PutObject", ADMIN.access_key, "InvalidToken"):
            self.assertIn(expected, output)
        self.assertIn("s3store", command_lines)
        self.assertGreater(len(self.secrets), 30)
        for text, where in (
            (output, "the log"),
            (command_lines, "a command line"),
            ("".join(self.answers), "an answer"),
        ):
            self.assert_none_in(text, self.secrets, where)

    def test_text(self) -> None:
        """Logs in text."""
        self.check("text")

    def test_json(self) -> None:
        """Logs in JSON."""
        self.check("json")

    def test_bad_configuration(self) -> None:
        """A daemon that can not start does not say what was in the file."""
        for more in (
            '[[users]]\nsecret_key = "bobs/own+secret/9876543210" oops',
            '[[users]]\nsecret = "bobs/own+secret/9876543210"',
        ):
            self.write_config(more)
            daemon = Daemon(self.folder, ["s3store", "--config", str(self.config)])
            self.addCleanup(daemon.end)
            self.assertNotEqual(daemon.wait(), 0)
            self.assertIn(str(self.config), "\n".join(daemon.output))
            self.assert_none_in("\n".join(daemon.output), self.secrets, "the message")


class Broken(MemoryStore):
    """A store with a bug."""

    async def delete_object(self, *args: Any, **named: Any) -> Deletion:
        """Fail."""
        raise ZeroDivisionError


class TracebackTests(OperationTestCase, SecretsCase):
    """What is logged of a bug, and of the requests around it."""

    def make_store(self) -> Broken:
        """See `Broken`."""
        from twisted.internet import reactor

        return Broken(reactor)

    @served()
    def test_bug(self, server: Server) -> None:
        """A traceback, in both formats, with everything that the server knows of the request."""
        streams = [io.BytesIO(), io.BytesIO()]
        publishers = [
            make_observer(stream.write, format, "debug")
            for stream, format in zip(streams, ("text", "json"), strict=True)
        ]
        observer = LogPublisher(*publishers)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        answer = send(server, "DELETE", f"/{BUCKET}/k")
        self.assertEqual((answer.status, answer.code), (500, "InternalError"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        for ended in server.finished:
            AccessLog().record(_entry(ended, 0.0))
        secrets = [ALICE.secret_key]
        for ended in server.finished:
            secrets += signatures_of(ended.head)
        self.assertGreater(len(secrets), 2)
        for stream in streams:
            text = stream.getvalue().decode()
            self.assertIn("ZeroDivisionError", text)
            self.assertIn("DeleteObject", text)
            self.assert_none_in(text, secrets, "the log")
        self.assert_none_in(repr(server.finished), secrets, "a repr")


class ReprTests(SecretsCase):
    """What a debugger, a traceback with variables or a careless log call would show."""

    def test_all_that_knows_a_secret(self) -> None:
        """Users, heads, claims, what was verified."""
        authenticator = Authenticator(signing.REGION)
        for how in ("v4 header", "v4 query", "v2 header", "v2 query"):
            head = signing.signed("PUT", how=how, user=BOB, headers={"x-amz-meta-a": "b"})
            claim = authenticator.claim(head)
            assert claim is not None
            verified = authenticator.verify(claim, head, BOB, signing.time.time())
            shown = f"{head!r} {claim!r} {verified!r} {verified.seed!r} {BOB!r} {[BOB]} {authenticator!r}"
            self.assert_none_in(shown, [BOB.secret_key, BOB.session_token or "", *signatures_of(head)], how)
            self.assertIn(BOB.access_key, shown)
            self.assertIn("x-amz-meta-a", repr(head))
            rich = f"{head.__rich_repr__()} {claim.__rich_repr__()} {verified.__rich_repr__()} {BOB.__rich_repr__()}"
            self.assert_none_in(rich, [BOB.secret_key, BOB.session_token or "", *signatures_of(head)], how)

    def test_hidden_fields(self) -> None:
        """Each class that hides fields has them, and shows the others only."""
        for module in pkgutil.walk_packages(twisted_s3.__path__, "twisted_s3."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
        # Of a head parts of fields are shown: above.
        found = [each for each in Discreet.__subclasses__() if each is not RequestHead]
        self.assertGreater(len(found), 15)
        for each in found:
            fields = each.__struct_fields__
            self.assertTrue(each.HIDDEN, each)
            self.assertLessEqual(set(each.HIDDEN), set(fields), each)
            value = object.__new__(each)
            for name in fields:
                force_setattr(value, name, [f"<{name}>"])
            for shown in (repr(value), repr(value.__rich_repr__())):
                for name in fields:
                    self.assertEqual(f"<{name}>" in shown, name not in each.HIDDEN, (each, name))


class ComparisonTests(SynchronousTestCase):
    """Secrets are compared in constant time."""

    def test_source(self) -> None:
        """Nothing that is called a signature, a secret, a token or a digest of either is compared with ``==``."""
        suspicious = re.compile(r"signature|secret|session_token|expected_hmac", re.IGNORECASE)
        found, compared = [], 0
        for path in Path(twisted_s3.__file__).parent.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("compare_digest"):
                    compared += 1
                if not isinstance(node, ast.Compare) or not isinstance(node.ops[0], ast.Eq | ast.NotEq):
                    continue
                sides = [ast.unparse(side) for side in (node.left, *node.comparators)]
                # Names of headers are constants, and lengths are no secret.
                values = [side for side in sides if not re.fullmatch(r"'.*'|_?[A-Z_]+|len\(.*\)", side)]
                named = [side for side in values if suspicious.search(re.sub(r"'[^']*'", "", side))]
                if named and not any(side in ("None", "''") for side in sides):
                    found.append(f"{path.name}:{node.lineno}: {ast.unparse(node)}")
        self.assertEqual(found, [])
        self.assertGreaterEqual(compared, 6)
