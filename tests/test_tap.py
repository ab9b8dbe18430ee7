"""``twistd s3store``."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import boto3
from twisted.application.service import IServiceMaker
from twisted.plugin import IPlugin, getPlugins
from twisted.trial.unittest import SynchronousTestCase

from tests.daemon import PATIENCE, Daemon, environment, wait_until_gone
from twisted_s3.commands.main import main
from twisted_s3.settings import schema
from twisted_s3.tap import Options
from twisted_s3.users import UserFile

PAIR = {"S3STORE_ACCESS_KEY": "admin", "S3STORE_SECRET_KEY": "secret-of-admin"}


class OptionsTests(SynchronousTestCase):
    def parse(self, *arguments: str, environ: dict[str, str] | None = None) -> Options:
        options = Options(environ or {})
        options.parseOptions(list(arguments))
        return options

    def refused(self, *arguments: str, environ: dict[str, str] | None = None) -> str:
        error = self.assertRaises(SystemExit, self.parse, *arguments, environ=environ)
        # A text as code is what Python prints on standard error before it exits with status 1.
        text = str(error.code)
        self.assertTrue(text.startswith("s3store: "))
        self.assertNotIn("\n", text)
        return text

    def test_every_setting_is_an_option(self) -> None:
        synopsis = self.parse().getUsage(width=500)
        for setting in schema():
            self.assertIn(f"--{setting.option}", synopsis)

    def test_values(self) -> None:
        options = self.parse(
            "--data-dir=/d", "--endpoint=tcp:1", "--endpoint", "unix:/s", "--domain=a.test", "--domain=b.test",
            "--region=eu-west-1", "--workers=4", "--durability=none", "--no-access-log", "--log-format=json",
        )  # fmt: skip
        settings = options.settings
        self.assertEqual((settings.data_dir, settings.endpoints), (Path("/d"), ("tcp:1", "unix:/s")))
        self.assertEqual((settings.domain, settings.region), (("a.test", "b.test"), "eu-west-1"))
        self.assertEqual((settings.workers, settings.durability), (4, "none"))
        self.assertEqual((settings.access_log, settings.log_format), (False, "json"))

    def test_short_form_of_the_endpoint(self) -> None:
        self.assertEqual(self.parse("--host=::1", "--port=1").settings.endpoints, ("tcp:1:interface=\\:\\:1",))

    def test_environment(self) -> None:
        self.assertEqual(self.parse(environ={"S3STORE_PORT": "0"}).settings.port, 0)
        self.assertEqual(self.parse("--port=1", environ={"S3STORE_PORT": "0"}).settings.port, 1)

    def test_refusals(self) -> None:
        for arguments, problem in [
            (["--bogus"], "bogus"),
            (["extra"], "arguments"),
            (["--port"], "port"),
            (["--port=x"], "--port: 'x' is not a port"),
            (["--endpoint=nothing:1"], "--endpoint: 'nothing:1' is not an endpoint"),
            (["--endpoint=tcp:x"], "--endpoint: 'tcp:x' is not an endpoint"),
            (["--endpoint=tcp"], "--endpoint: 'tcp' is not an endpoint"),
            (["--endpoint=ssl:1:privateKey=/nowhere"], "is not an endpoint"),
            (["--endpoint=systemd:domain=INET:index=0"], "is not an endpoint"),
            (["--durability=lax"], "--durability: 'lax' is not one of strict, none"),
            (["--config=/nowhere.toml"], "/nowhere.toml: No such file"),
            (["--credentials=/nowhere.json"], "/nowhere.json: No such file"),
        ]:
            self.assertIn(problem, self.refused(*arguments))
        self.assertIn("S3STORE_NONE: unknown", self.refused(environ={"S3STORE_NONE": ""}))
        self.assertIn("S3STORE_SECRET_KEY", self.refused(environ={"S3STORE_ACCESS_KEY": "admin"}))

    def test_malformed_users_are_refused_without_their_secrets(self) -> None:
        with tempfile.NamedTemporaryFile("w") as file:
            file.write("[[users]]\naccess_key = 'alice'\nsecret_key = 'short!'\n")
            file.flush()
            text = self.refused("--config", file.name)
        self.assertIn("user 1: the secret key", text)
        self.assertNotIn("short!", text)

    def test_plugin(self) -> None:
        [maker] = [p for p in getPlugins(IServiceMaker) if getattr(p, "tapname", "") == "s3store"]
        self.assertTrue(IPlugin.providedBy(maker))
        self.assertIs(maker.options, Options)


class DaemonTests(SynchronousTestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)

    def daemon(self, *arguments: str, environ: dict[str, str] | None = None) -> Daemon:
        daemon = Daemon(self.directory, ["s3store", *arguments], environ)
        self.addCleanup(daemon.end)
        return daemon

    def address(self, daemon: Daemon) -> str:
        return daemon.wait_for(r'Listeners.*listening on (http[^"\s]+)')[1]

    def client(self, url: str, access_key: str, secret_key: str):  # type: ignore[no-untyped-def]
        return boto3.client(
            "s3",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
        )

    def test_nothing_configured(self) -> None:
        daemon = self.daemon("--port=0")
        access_key = daemon.wait_for(r"export AWS_ACCESS_KEY_ID=(\S+)")[1]
        secret_key = daemon.wait_for(r"export AWS_SECRET_ACCESS_KEY=(\S+)")[1]
        pasted_url = daemon.wait_for(r"aws --endpoint-url (\S+) s3 ls")[1]
        url = self.address(daemon)
        self.assertEqual(url, pasted_url)
        client = self.client(url, access_key, secret_key)
        client.create_bucket(Bucket="first-bucket")
        self.assertEqual([b["Name"] for b in client.list_buckets()["Buckets"]], ["first-bucket"])
        path = self.directory / "s3store-data/.s3store/credentials.json"
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        daemon.wait_for('operation="CreateBucket" bucket="first-bucket" key=- status=200')
        daemon.signal(signal.SIGTERM)
        daemon.wait()

        again = self.daemon("--port=0", "--log-format=json")
        client = self.client(self.address(again), access_key, secret_key)
        self.assertEqual([b["Name"] for b in client.list_buckets()["Buckets"]], ["first-bucket"])
        entry = json.loads(again.wait_for('"operation": "ListBuckets"').string)
        self.assertEqual((entry["status"], entry["requester"], entry["bucket"]), (200, access_key, None))
        again.signal(signal.SIGTERM)
        again.wait()
        self.assertNotIn(secret_key, "\n".join(again.output))
        for text in filter(None, again.output):
            json.loads(text)

    def test_daemon_form(self) -> None:
        """In the background: the lines to paste reach the terminal, the log its file."""
        launcher = subprocess.Popen(
            [sys.executable, "-c", "from twisted.scripts.twistd import run; run()", "s3store", "--port=0"],
            cwd=self.directory,
            env=environment(),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert launcher.stdout is not None
        with launcher.stdout as terminal:
            self.assertEqual(launcher.wait(PATIENCE), 0)
            daemon = os.pidfd_open(int((self.directory / "twistd.pid").read_text()))
            text = ""
            while "s3.list_buckets()" not in text:
                text += terminal.readline()
        signal.pidfd_send_signal(daemon, signal.SIGTERM)
        wait_until_gone(daemon)
        self.assertRegex(text, r"export AWS_ACCESS_KEY_ID=\S+\n")
        log = (self.directory / "twistd.log").read_text()
        self.assertRegex(log, r"Z info \[twisted_s3\..* listening on http")
        self.assertNotIn("AWS_SECRET", log)

    def test_daemon_form_with_a_taken_port(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            result = subprocess.run(
                [sys.executable, "-c", "from twisted.scripts.twistd import run; run()", "s3store"],
                cwd=self.directory,
                env=environment() | {"S3STORE_PORT": str(taken.getsockname()[1])},
                capture_output=True,
                text=True,
            )
        self.assertEqual(result.returncode, 1)
        self.assertIn("can not listen on tcp:", result.stderr)
        self.assertFalse((self.directory / "twistd.pid").exists())

    def test_refusal_starts_nothing(self) -> None:
        daemon = self.daemon("--durability=lax")
        self.assertEqual(daemon.wait(), 1)
        self.assertEqual(
            [line for line in daemon.output if line], ["s3store: --durability: 'lax' is not one of strict, none"]
        )
        self.assertEqual(list(self.directory.iterdir()), [])

    def test_taken_port(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            for workers in ("1", "2"):
                daemon = self.daemon(f"--port={port}", f"--workers={workers}")
                self.assertEqual(daemon.wait(), 1)
                message = f"s3store: can not listen on tcp:{port}:interface=127.0.0.1: Address already in use"
                self.assertIn(message, daemon.output)
                self.assertNotIn("Traceback", "\n".join(daemon.output))
        self.assertEqual(list(self.directory.iterdir()), [])

    def test_data_directory_that_can_not_be(self) -> None:
        (self.directory / "file").write_text("")
        for environ in ({}, PAIR):
            daemon = self.daemon("--port=0", f"--data-dir={self.directory}/file", environ=environ)
            self.assertEqual(daemon.wait(), 1)
            [line] = [line for line in daemon.output if line.startswith("s3store: ")]
            self.assertIn("file", line)

    def test_banner_and_access_log_off(self) -> None:
        daemon = self.daemon("--port=0", "--durability=none", "--no-access-log", environ=PAIR)
        daemon.wait_for("warn .*DURABILITY IS OFF")
        url = self.address(daemon)
        self.client(url, "admin", "secret-of-admin").list_buckets()
        daemon.signal(signal.SIGTERM)
        daemon.wait()
        self.assertNotIn("ListBuckets", "\n".join(daemon.output))
        self.assertNotIn("AWS_ACCESS_KEY_ID", "\n".join(daemon.output))

    def test_reload_keeps_connections(self) -> None:
        config = self.directory / "s.toml"
        user = "[[users]]\naccess_key = '{0}'\nsecret_key = 'secret-of-{0}'\n"
        config.write_text("[server]\nport = 0\n" + user.format("alice"))
        daemon = self.daemon("--config", str(config))
        daemon.wait_for("warn .*can be read by others")
        url = self.address(daemon)
        host = url.removeprefix("http://").split(":")
        with socket.create_connection((host[0], int(host[1])), timeout=PATIENCE) as connection:
            self.assertEqual(self.ask(connection), 403)
            config.write_text("[server]\nport = 0\n" + user.format("alice") + user.format("bob"))
            daemon.signal(signal.SIGHUP)
            daemon.wait_for("users loaded: 2")
            self.client(url, "bob", "secret-of-bob").list_buckets()
            config.write_text("[[users]")
            daemon.signal(signal.SIGHUP)
            daemon.wait_for("error .*users not loaded, the old ones stay: .*is not TOML")
            self.client(url, "bob", "secret-of-bob").list_buckets()
            self.assertEqual(self.ask(connection), 403)

    def test_follows_the_users(self) -> None:
        """Without a signal, too."""
        users = self.directory / "users.json"
        self.assertEqual(main(["user", "--credentials", str(users), "add", "root"]), 0)
        daemon = self.daemon("--port", "0", "--credentials", str(users))
        url = self.address(daemon)
        key, secret = UserFile(users).add({"name": "second"})
        daemon.wait_for("users loaded: 2")
        self.client(url, key, secret).list_buckets()

    def ask(self, connection: socket.socket) -> int:
        """The status of an anonymous request over a connection that stays open."""
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        with connection.makefile("rb") as answer:
            status = int(answer.readline().split()[1])
            length = 0
            while (line := answer.readline().strip()) != b"":
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            answer.read(length)
        return status
