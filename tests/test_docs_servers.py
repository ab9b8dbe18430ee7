"""Pages that tell people how to start servers: TLS, several workers, systemd."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from tests.test_docs import DOCS, PATIENCE, Shell, Step, matches, steps_of

USER = {"ACCESS_KEY": "backup", "SECRET_KEY": "a long random secret"}


class Serving:
    """A server that a page tells people to start, once it has printed what the page says of it."""

    def __init__(self, step: Step, directory: Path, environ: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            ["bash", "-c", f"exec {step.command}"],
            cwd=directory,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._watchdog = threading.Timer(PATIENCE, self._process.kill)
        self._watchdog.start()
        waited = [line.strip() for line in step.expected.splitlines()]
        assert waited, f"the page does not say what is printed by {step.command}"
        assert self._process.stdout
        printed = []
        while waited:
            line = self._process.stdout.readline()
            if not line:
                self.stop()
                raise AssertionError(f"{step.command} ended, and {waited} is not in\n{''.join(printed)}")
            printed.append(line)
            waited = [pattern for pattern in waited if not matches(line.strip(), pattern)]

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def stop(self) -> str:
        """Stop it as systemd does; give what it still prints, nothing when it was stopped before."""
        assert self._process.stdout
        if self._process.stdout.closed:
            return ""
        self._process.terminate()
        printed, _ = self._process.communicate()
        self._watchdog.cancel()
        return printed


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port


class ServerPageCase(SynchronousTestCase):
    """What pages tell people to start, and to type to it. Ports are others, so that nobody is in the way."""

    def setUp(self) -> None:
        """An empty directory, and an environment in which there is nothing but what is installed."""
        self.here = Path(self.enterContext(TemporaryDirectory()))
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "S3STORE_"))}
        environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environ["PATH"]])
        self.need("aws", environ["PATH"])
        self._ports = {published: str(free_port()) for published in ("9000", "9443")}
        users = {f"S3STORE_{name}": value for name, value in USER.items()}
        clients = {"AWS_ACCESS_KEY_ID": USER["ACCESS_KEY"], "AWS_SECRET_ACCESS_KEY": USER["SECRET_KEY"]}
        clients |= {"AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}
        environ |= {"HOME": str(self.here), "NO_PROXY": "*", "no_proxy": "*"}
        self.environ = environ | clients | users | {"S3STORE_PORT": self._ports["9000"]}

    def need(self, program: str, path: str | None = None) -> None:
        """:raise SkipTest: where a program is not installed."""
        if shutil.which(program, path=path) is None:
            raise SkipTest(f"needs {program}")

    def here_and_now(self, text: str) -> str:
        """A command or output of a page with the ports of this test, and nothing that other machines could reach."""
        for published, port in self._ports.items():
            text = re.sub(rf"\b{published}\b", port, text)
        return text.replace("0.0.0.0", "127.0.0.1")

    def follow(self, name: str, least: int) -> Serving:
        """Run the commands of a page, of which there are so many at least. Gives the last server, which still runs."""
        shell = Shell(self.here, self.environ)
        self.addCleanup(shell.close)
        steps = steps_of((DOCS / f"{name}.rst").read_text())
        self.assertGreaterEqual(len(steps), least)
        server: Serving | None = None
        for step in steps:
            here = Step(self.here_and_now(step.command), self.here_and_now(step.expected))
            if step.serves:
                if server is not None:
                    self.assertIn("Server Shut Down.", server.stop())
                server = Serving(here, self.here, self.environ)
                self.addCleanup(server.stop)
            else:
                status, printed = shell.run(here.command)
                self.assertEqual(status, 0, f"{step.command}\n{printed}")
                self.assertTrue(here.agrees(printed), f"{here}\nprinted {printed!r}")
        assert server is not None
        return server


class ListenerPages(ServerPageCase):
    """The pages on TLS and on several workers."""

    def test_tls(self) -> None:
        """The page on TLS: a certificate, two ways to serve with it, and a client of each listener."""
        self.need("openssl")
        self.assertIn("Server Shut Down.", self.follow("tls", 5).stop())

    def test_proxy(self) -> None:
        """The configuration of nginx on the page on TLS: uploads in pieces and in parts, and keys as they are."""
        self.need("openssl")
        self.need("nginx")
        page = (DOCS / "tls.rst").read_text()
        found = re.search(r"\.\. code-block:: nginx\n\n((?:   .*\n|\n)+)", page)
        assert found
        rest = "access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;"
        rest += " uwsgi_temp_path uwsgi; scgi_temp_path scgi;"
        before = "daemon off; pid nginx.pid; error_log stderr; events {}"
        server = self.here_and_now(found[1]).replace("listen ", "listen 127.0.0.1:")
        (self.here / "nginx.conf").write_text(f"{before} http {{ {rest} {server} }}")
        shell = Shell(self.here, self.environ | {"AWS_CA_BUNDLE": str(self.here / "cert.pem")})
        self.addCleanup(shell.close)
        self.assertEqual(shell.run(steps_of(page)[0].command)[0], 0)
        started = self.here_and_now("... listening on http://127.0.0.1:9000")
        self.addCleanup(Serving(Step("twistd -n s3store", started), self.here, self.environ).stop)
        nginx = subprocess.Popen(["nginx", "-p", self.here, "-c", "nginx.conf", "-e", "stderr"])
        self.addCleanup(nginx.wait)
        self.addCleanup(nginx.terminate)
        url = self.here_and_now("https://localhost:9443")
        (self.here / "small").write_bytes(b"small")
        (self.here / "large").write_bytes(os.urandom(1 << 20) * 20)
        for command in (
            "--endpoint-url {} s3 mb s3://photos",
            "--endpoint-url {} s3 cp small 's3://photos/a b+c%41/\u00e9?x=#y'",
            "--endpoint-url {} s3 cp large s3://photos/large",
            "--endpoint-url {} s3 cp 's3://photos/a b+c%41/\u00e9?x=#y' small.back && cmp small small.back",
            "--endpoint-url {} s3 cp s3://photos/large large.back && cmp large large.back",
        ):
            status, printed = shell.run(f"aws {command.format(url)}")
            self.assertEqual(status, 0, f"{command}\n{printed}")

    def test_workers(self) -> None:
        """The page on several workers."""
        self.assertIn("Server Shut Down.", self.follow("workers", 2).stop())


class SystemdPage(ServerPageCase):
    """The page on systemd: its units, and its configuration started by what systemd has for trying that."""

    def setUp(self) -> None:
        """Find the files in the page."""
        super().setUp()
        page = (DOCS / "systemd.rst").read_text()
        found = re.findall(r"``/etc/(\S+)``[^`]*:\n\n\.\. code-block:: \w+\n\n((?:   .*\n|\n)+)", page)
        self.files = {Path(path).name: "\n".join(line[3:] for line in text.splitlines()) for path, text in found}

    def test_units(self) -> None:
        """systemd finds nothing wrong with the units, and would: it does with a word that it does not know."""
        self.need("systemd-analyze")
        self.assertEqual(self.complaints(), [])
        self.files["s3store.service"] = self.files["s3store.service"].replace("StateDirectory", "StatesDirectory")
        self.assertNotEqual(self.complaints(), [])

    def complaints(self) -> list[str]:
        """What systemd has to say of the units, and of no others that the machine may have."""
        for name in ("s3store.socket", "s3store.service"):
            text = self.files[name].replace("/opt/s3store/bin/twistd", sys.executable)
            (self.here / name).write_text(text)
        command = ["systemd-analyze", "verify", "--man=no", "./s3store.socket", "./s3store.service"]
        done = subprocess.run(command, cwd=self.here, capture_output=True, text=True, timeout=PATIENCE)
        return [line for line in (done.stdout + done.stderr).splitlines() if "s3store" in line]

    def test_activation(self) -> None:
        """The first connection starts the server, which answers it; a reload takes another secret; it stops cleanly."""
        self.need("systemd-socket-activate")
        settings = self.here / "s3store.toml"
        settings.write_text(self.files["s3store.toml"].replace("/var/lib/s3store", str(self.here / "data")))
        settings.chmod(0o600)
        server = self.follow("systemd", 2)
        settings.write_text(settings.read_text().replace(USER["SECRET_KEY"], "another long secret"))
        command = ["aws", "--endpoint-url", f"http://127.0.0.1:{self._ports['9000']}", "s3", "ls"]
        server.signal(signal.SIGHUP)
        changed = self.environ | {"AWS_SECRET_ACCESS_KEY": "another long secret"}
        for _ in range(20):
            done = subprocess.run(command, env=changed, capture_output=True, text=True, timeout=PATIENCE)
            if done.returncode == 0:
                break
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("photos", done.stdout)
        self.assertIn("Server Shut Down.", server.stop())
