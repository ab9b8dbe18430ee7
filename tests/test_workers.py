"""Worker processes that share sockets."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.daemon import PATIENCE, ROOT, Daemon, environment, wait_until_gone
from twisted_s3.listeners import without_systemd
from twisted_s3.settings import Settings
from twisted_s3.workers import Greeting

USERS = {"S3STORE_ACCESS_KEY": "admin", "S3STORE_SECRET_KEY": "secret-of-admin"}


class GreetingTests(SynchronousTestCase):
    def test_round_trip_in_one_line(self) -> None:
        greeting = Greeting(Settings(endpoint=("tcp:1", "unix:/s")), (3, 4), "a.b", housekeeping=False)
        line = greeting.to_line()
        self.assertEqual(line.index(b"\n"), len(line) - 1)
        self.assertEqual(Greeting.from_line(line), greeting)

    def test_without_systemd(self) -> None:
        self.assertEqual(without_systemd("systemd:domain=INET:index=0"), "tcp:0")
        self.assertEqual(without_systemd("haproxy:systemd:domain=INET:name=web"), "haproxy:tcp:0")
        self.assertEqual(without_systemd("tcp:80:interface=systemd"), "tcp:80:interface=systemd")


class WorkersCase(SynchronousTestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)

    def start(self, workers: int = 2, **settings: str) -> None:
        environ = USERS | {"S3STORE_DATA_DIR": str(self.directory / "data"), "S3STORE_WORKERS": str(workers)}
        if "endpoint" not in settings:
            environ["S3STORE_PORT"] = "0"
        environ |= {f"S3STORE_{name.upper()}": value for name, value in settings.items()}
        self.daemon = Daemon(self.directory, ["-y", str(ROOT / "tests/tiny.tac")], environ)
        self.addCleanup(self.daemon.end)
        self.address = self.daemon.wait_for(r"Workers\W.*listening on (?:https?://127.0.0.1:(\d+)|unix:([^\s\"]+))")
        self.workers = {}
        for _ in range(workers):
            started = self.daemon.wait_for(r"(worker \d+) started, process (\d+)")
            self.workers[started[1]] = int(started[2])
        for _ in range(workers):
            self.daemon.wait_for(r"Listeners\W.*listening on")

    def connect(self) -> socket.socket:
        if self.address[1]:
            return socket.create_connection(("127.0.0.1", int(self.address[1])), timeout=PATIENCE)
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(PATIENCE)
        connection.connect(self.address[2])
        return connection

    def get(self, path: str, connection: socket.socket | None = None) -> str:
        with closing(connection or self.connect()) as connection:
            connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            with connection.makefile("rb") as answer:
                return answer.read().decode().partition("\r\n\r\n")[2]

    def slow_transfer(self) -> socket.socket:
        """A connection whose answer has begun, and ends when its worker drains."""
        connection = self.connect()
        self.addCleanup(connection.close)
        connection.sendall(b"GET /slow HTTP/1.0\r\n\r\n")
        received = b""
        while not received.endswith(b"begin"):
            received += connection.recv(4096)
        return connection


class WorkersTests(WorkersCase):
    def test_a_killed_worker_is_replaced(self) -> None:
        self.start()
        replaced = set()
        for name, pid in self.workers.items():
            os.kill(pid, signal.SIGKILL)
            self.daemon.wait_for(f"{name} ended: .*signal 9")
            replaced.add(int(self.daemon.wait_for(rf"{name} started, process (\d+)")[1]))
        self.assertEqual(replaced & set(self.workers.values()), set())
        self.assertIn(int(self.get("/pid")), replaced)

    def test_the_other_worker_goes_on(self) -> None:
        self.start()
        one, two = self.workers.values()
        os.kill(one, signal.SIGSTOP)
        self.addCleanup(lambda: os.kill(one, signal.SIGCONT))
        self.assertEqual(int(self.get("/pid")), two)

    def test_sigterm_refuses_connections_and_drains(self) -> None:
        self.start()
        transfers = [self.slow_transfer() for _ in range(4)]
        self.daemon.signal(signal.SIGTERM)
        for transfer in transfers:
            with transfer.makefile("rb") as rest:
                self.assertEqual(rest.read(), b" end")
        self.daemon.wait()
        self.assertRaises(ConnectionRefusedError, self.connect)
        output = "\n".join(self.daemon.output)
        self.assertEqual(output.count("exit code 0"), 2)
        self.assertNotIn("Traceback", output)

    def test_workers_end_with_their_parent(self) -> None:
        self.start()
        transfer = self.slow_transfer()
        descriptors = [os.pidfd_open(pid) for pid in self.workers.values()]
        self.daemon.signal(signal.SIGKILL)
        for descriptor in descriptors:
            wait_until_gone(descriptor)
        self.assertRaises(ConnectionRefusedError, self.connect)
        with transfer.makefile("rb") as rest:
            self.assertEqual(rest.read(), b" end")

    def test_sighup_reaches_every_worker_and_drops_no_connection(self) -> None:
        config = self.directory / "s.toml"
        config.write_text("")
        self.start(config=str(config))
        transfer = self.slow_transfer()
        self.assertEqual(self.get("/user/alice"), "no")
        config.write_text("[[users]]\naccess_key = 'alice'\nsecret_key = 'secret-of-alice'\n")
        self.daemon.signal(signal.SIGHUP)
        for _ in self.workers:
            self.daemon.wait_for("users loaded: 2")
        self.assertEqual({self.get("/user/alice") for _ in range(8)}, {"yes"})
        self.daemon.signal(signal.SIGTERM)
        with transfer.makefile("rb") as rest:
            self.assertEqual(rest.read(), b" end")

    def test_no_secret_and_no_settings_in_the_arguments(self) -> None:
        self.start()
        for pid in self.workers.values():
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
            self.assertEqual(arguments[1:], [b"-P", b"-m", b"twisted_s3.worker"])

    def test_lines_of_workers_pass_unchanged(self) -> None:
        self.start(log_format="json")
        self.get("/pid")
        self.daemon.signal(signal.SIGTERM)
        self.daemon.wait()
        namespaces = {line.partition('"logger": "')[2].partition('"')[0] for line in self.daemon.output if line}
        self.assertIn("twisted_s3.listeners.Listeners", namespaces)
        self.assertEqual({line[:9] for line in self.daemon.output if line}, {'{"time": '})


class EndpointsTests(WorkersCase):
    def test_unix_socket_keeps_its_mode_and_outlives_a_worker(self) -> None:
        path = self.directory / "socket"
        self.start(endpoint=f"unix:{path}:mode=600")
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        name, pid = next(iter(self.workers.items()))
        os.kill(pid, signal.SIGTERM)
        self.daemon.wait_for(f"{name} ended")
        replaced = int(self.daemon.wait_for(r"started, process (\d+)")[1])
        self.assertIn(int(self.get("/pid")), {replaced, *self.workers.values()} - {pid})
        self.daemon.signal(signal.SIGTERM)
        self.daemon.wait()
        self.assertFalse(path.exists())

    def test_tls(self) -> None:
        pem = self.directory / "server.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", pem, "-out", f"{pem}.crt"],
            check=True, capture_output=True,
        )  # fmt: skip
        self.start(endpoint=f"ssl:0:privateKey={pem}:certKey={pem}.crt:interface=127.0.0.1")
        context = ssl.create_default_context(cafile=f"{pem}.crt")
        secure = context.wrap_socket(self.connect(), server_hostname="127.0.0.1")
        self.assertIn(int(self.get("/pid", secure)), self.workers.values())

    def test_systemd(self) -> None:
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen()
            port = listening.getsockname()[1]
            environ = (
                environment()
                | USERS
                | {
                    "S3STORE_WORKERS": "2",
                    "S3STORE_ENDPOINT": "systemd:domain=INET:index=0",
                    "LISTEN_FDS": "1",
                    "LISTEN_FDNAMES": "web",
                }
            )
            code = (
                f"import os, sys; os.dup2({listening.fileno()}, 3); os.environ['LISTEN_PID'] = str(os.getpid())\n"
                f"sys.argv[1:] = ['-n', '--pidfile=', '-y', {str(ROOT / 'tests/tiny.tac')!r}]\n"
                "from twisted.scripts.twistd import run; run()"
            )
            process = subprocess.Popen(
                [sys.executable, "-c", code], cwd=self.directory, env=environ,
                stdout=subprocess.PIPE, text=True, pass_fds=[listening.fileno()],
            )  # fmt: skip
        assert process.stdout is not None
        with process.stdout as output:
            pids = set()
            while len(pids) < 2:
                _, found, pid = output.readline().partition("started, process ")
                pids |= {int(pid)} if found else set()
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
                self.assertIn(int(self.get("/pid", connection)), pids)
            process.terminate()
            output.read()
        process.wait(PATIENCE)
