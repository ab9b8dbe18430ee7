"""A real ``twistd s3store`` with worker processes, over a directory that outlives it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tests.certificates import Certificate
from tests.daemon import Daemon
from tests.proofs.wire import Answer, Connection, Signer

USER = {"S3STORE_ACCESS_KEY": "admin", "S3STORE_SECRET_KEY": "secret-of-admin"}


class Server:
    """A daemon and its workers.

    :param directory: where it runs; the data is in ``data`` below it.
    :param workers: 1 for a single process that serves itself.
    :param before: a program that starts the daemon, such as strace.
    :param certificate: to serve HTTPS with.
    :ivar pids: name to process id of the workers that run.
    """

    def __init__(
        self,
        directory: Path,
        workers: int = 1,
        arguments: Sequence[str] = (),
        before: Sequence[str] = (),
        certificate: Certificate | None = None,
    ) -> None:
        self.data = directory / "data"
        self._directory = directory
        self._count = workers
        self._arguments = arguments
        self._before = before
        self._endpoint = "tcp:0:interface=127.0.0.1"
        if certificate is not None:
            files = f"certKey={certificate.certificate}:privateKey={certificate.key}"
            self._endpoint = f"ssl:0:interface=127.0.0.1:{files}"
        self.pids: dict[str, int] = {}
        self.start()

    def start(self) -> None:
        """Start it, and wait until every worker listens."""
        options = [
            f"--endpoint={self._endpoint}",
            f"--data-dir={self.data}",
            f"--workers={self._count}",
            "--log-format=text",
        ]
        arguments = ["s3store", *options, "--no-access-log", *self._arguments]
        self.daemon = Daemon(self._directory, arguments, USER, before=self._before)
        if self._count == 1:
            self.pids = {"": self.daemon.process.pid}
            url = self.daemon.wait_for(r"Listeners.*listening on (https?)://([^\s]+)")
        else:
            url = self.daemon.wait_for(r"Workers\W.*listening on (https?)://([^\s]+)")
            self.await_workers(self._count)
        self.scheme, self.authority = url[1], url[2].rstrip("/")
        self.signer = Signer(self.authority, USER["S3STORE_ACCESS_KEY"], USER["S3STORE_SECRET_KEY"])

    def await_workers(self, count: int) -> None:
        """Wait until ``count`` workers have been started and listen."""
        for _ in range(count):
            started = self.daemon.wait_for(r"(worker \d+) started, process (\d+)")
            self.pids[started[1]] = int(started[2])
        for _ in range(count):
            self.daemon.wait_for(r"Listeners\W.*listening on")

    def kill_worker(self, name: str) -> None:
        """End one worker at once. The daemon starts another, which `await_workers` waits for."""
        os.kill(self.pids[name], signal.SIGKILL)

    def kill(self) -> None:
        """End all processes at once, as a failing machine would."""
        os.killpg(self.daemon.process.pid, signal.SIGKILL)
        self.daemon.end()

    def end(self) -> None:
        """Let it finish, and make sure that nothing of it is left."""
        self.daemon.end()

    def call(
        self, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b"", *expected: int
    ) -> Answer:
        """One request on a connection of its own, whose status must be ``expected`` (by default any 2xx)."""
        connection = Connection(self.authority)
        try:
            connection.send(self.signer.request(method, target, headers, body))
            answer = connection.receive(method)
        finally:
            connection.close()
        if answer.status not in (expected or range(200, 300)):
            raise AssertionError(f"{method} {target}: {answer.status} {answer.body.decode(errors='replace')}")
        return answer

    def process_of(self, connections: Iterable[Connection]) -> Sequence[int]:
        """The process ids that have accepted each of the connections; 0 for one that nobody has."""
        inodes = _peers(int(self.authority.rpartition(":")[2]))
        owners = {inode: pid for pid in self.pids.values() for inode in _sockets(pid)}
        return [owners.get(inodes.get(connection.port, ""), 0) for connection in connections]


def _peers(port: int) -> Mapping[str | int, str]:
    """The inodes of the sockets that were accepted on a port, by the port of their other end (man 5 proc_net)."""
    found: dict[str | int, str] = {}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[1].rpartition(":")[2], 16) == port:
            found[int(fields[2].rpartition(":")[2], 16)] = fields[9]
    return found


def _sockets(pid: int) -> Iterable[str]:
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(entry)
        except FileNotFoundError:
            continue
        if target.startswith("socket:["):
            yield target[8:-1]
