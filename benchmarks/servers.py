"""The server and its rivals, each started the way its documentation tells."""

from __future__ import annotations

import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from msgspec import Struct

import twisted_s3
from benchmarks.processes import Process
from benchmarks.signing import ACCESS_KEY, REGION, SECRET_KEY, Presigner
from benchmarks.streams import Client
from tests.certificates import Certificate

#: Seconds that a server may take until it answers.
PATIENCE = 30.0

#: Times that it is started.
ATTEMPTS = 3


class Unable(Exception):
    """The server can not do this; the argument says why."""


class Way(Struct, frozen=True):
    """How a server is run.

    :ivar workers: 1, pinned to its core; or more, on all cores.
    :ivar certificate: to serve TLS with.
    """

    workers: int = 1
    certificate: Certificate | None = None

    @property
    def pinned(self) -> bool:
        """Whether server and load have a core each."""
        return self.workers == 1


class Server:
    """A server of this machine that runs.

    :ivar key: its name on the command line and in the results.
    :ivar title: its name in tables.
    :ivar durability: what is on stable storage when a write is answered.
    :ivar way: how it is run.
    :ivar data: the directory with the buckets; other servers of the same ``family`` use the same.
    """

    key: ClassVar[str]
    family: ClassVar[str]
    title: ClassVar[str]
    durability: ClassVar[str]
    #: Arguments with which the program tells its version.
    ask_version: ClassVar[Sequence[str]] = ("--version",)
    #: The name of a kind of request to the reason why it can not be done.
    cannot: ClassVar[Mapping[str, str]] = {}

    def __init__(self, folder: Path, way: Way) -> None:
        self.data = folder / self.family
        self.data.mkdir(exist_ok=True)
        self._folder = folder
        self.way = way
        self.tls: ssl.SSLContext | None = None
        if way.certificate is not None:
            if "tls" in self.cannot:
                raise Unable(self.cannot["tls"])
            self.tls = ssl.create_default_context(cafile=str(way.certificate.certificate))
        for attempt in range(ATTEMPTS):
            try:
                self._start()
                return
            except RuntimeError:
                # Somebody else may have taken the port in the meantime.
                if attempt == ATTEMPTS - 1:
                    raise

    def _start(self) -> None:
        port = _free_port()
        self.authority = f"127.0.0.1:{port}"
        self.signer = Presigner(self.authority)
        began = time.perf_counter()
        self.process = Process(self.command(port), self._folder / f"{self.key}.log", self.way.pinned, self.environ())
        try:
            self._await_answer()
        except BaseException:
            self.end()
            raise
        #: Seconds from the start of the program to the first answer.
        self.started_in = time.perf_counter() - began

    @classmethod
    def program(cls) -> str | None:
        """The path of the program; None when it is not installed."""
        raise NotImplementedError

    @classmethod
    def version(cls) -> str:
        """Its version, or that of what tells it."""
        asked = [str(cls.program()), *cls.ask_version]
        answer = subprocess.run(asked, capture_output=True, text=True, timeout=PATIENCE)
        found = re.search(r"\d+(\.\d+)+", answer.stdout + answer.stderr)
        return found[0] if found else "unknown"

    def command(self, port: int) -> Sequence[str]:
        """What starts it on a port of 127.0.0.1."""
        raise NotImplementedError

    def environ(self) -> Mapping[str, str]:
        """Variables for it."""
        return {}

    @property
    def url(self) -> str:
        """Scheme and authority."""
        return f"{'https' if self.tls else 'http'}://{self.authority}"

    def target(
        self, method: str, path: str, query: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> str:
        """The target of a request: presigned."""
        return self.signer.target(method, path, query, headers)

    def client(self) -> Client:
        """A connection to it."""
        return Client(self.authority, self.tls)

    def create_bucket(self, name: str) -> None:
        """Make a bucket if it is not there."""
        if not (self.data / name).is_dir():
            with self.client() as client:
                answer = client.call("PUT", self.target("PUT", f"/{name}"))
            if answer.status != 200:
                raise RuntimeError(f"{self.title} made no bucket: {answer}")

    def copying(self, source: str, path: str) -> tuple[str, Mapping[str, str]]:
        """Method and headers of a copy from path to path."""
        return "PUT", {"x-amz-copy-source": source}

    def end(self) -> None:
        """End it."""
        self.process.end()

    def _await_answer(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                with self.client() as client:
                    client.call("GET", self.target("GET", "/"))
                    return
            except (OSError, RuntimeError):
                self.process.check()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.002)


class Ours(Server):
    """``twistd s3store``."""

    key = "strict"
    family = "twisted-s3"
    title = "twisted-s3"
    durability = "file and directory synced"

    @classmethod
    def program(cls) -> str | None:
        return sys.executable

    @classmethod
    def version(cls) -> str:
        return twisted_s3.__version__

    def command(self, port: int) -> Sequence[str]:
        endpoint = f"tcp:{port}:interface=127.0.0.1"
        if certificate := self.way.certificate:
            endpoint = f"ssl:{port}:interface=127.0.0.1:certKey={certificate.certificate}:privateKey={certificate.key}"
        twistd = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()", "-n", "--pidfile=", "s3store"]
        options = [f"--durability={self.key}", f"--workers={self.way.workers}", f"--region={REGION}"]
        return [*twistd, f"--endpoint={endpoint}", f"--data-dir={self.data}", "--no-access-log", *options]

    def environ(self) -> Mapping[str, str]:
        root = str(Path(__file__).parent.parent)
        return {"PYTHONPATH": root, "S3STORE_ACCESS_KEY": ACCESS_KEY, "S3STORE_SECRET_KEY": SECRET_KEY}


class OursUnsynced(Ours):
    """``twistd s3store --durability none``."""

    key = "none"
    title = "twisted-s3 unsynced"
    durability = "nothing synced"


class Nanio(Server):
    """https://pypi.org/project/nanio/"""

    key = family = title = "nanio"
    durability = "file synced"
    cannot: ClassVar = {"tls": "serves no TLS"}

    @classmethod
    def program(cls) -> str | None:
        return _installed("nanio")

    def command(self, port: int) -> Sequence[str]:
        options = [f"--port={port}", f"--workers={self.way.workers}", f"--data-dir={self.data}"]
        return [str(self.program()), "serve", "--host=127.0.0.1", "--no-access-log", "--log-level=error", *options]

    def environ(self) -> Mapping[str, str]:
        return {"NANIO_ACCESS_KEY": ACCESS_KEY, "NANIO_SECRET_KEY": SECRET_KEY, "NANIO_REGION": REGION}


class Rclone(Server):
    """https://rclone.org/commands/rclone_serve_s3/"""

    key = family = title = "rclone"
    durability = "nothing synced"

    @classmethod
    def program(cls) -> str | None:
        return _installed("rclone")

    def command(self, port: int) -> Sequence[str]:
        options = [f"--addr=127.0.0.1:{port}", f"--auth-key={ACCESS_KEY},{SECRET_KEY}", "--config=/dev/null"]
        if certificate := self.way.certificate:
            options += [f"--cert={certificate.certificate}", f"--key={certificate.key}"]
        return [str(self.program()), "serve", "s3", *options, f"--cache-dir={self._folder}", str(self.data)]


class Nginx(Server):
    """nginx with its DAV module: no S3, no signatures, no ETags of content. The limit."""

    ask_version = ("-v",)

    key = family = title = "nginx"
    durability = "nothing synced"
    cannot: ClassVar = {
        "list": "not S3: no listing of keys",
        "multi-delete": "not S3: no DeleteObjects",
        "multipart": "not S3: no multipart uploads",
    }

    @classmethod
    def program(cls) -> str | None:
        return _installed("nginx")

    def command(self, port: int) -> Sequence[str]:
        secure = "http"
        listen = ""
        if certificate := self.way.certificate:
            secure = "https"
            listen = f" ssl; ssl_certificate {certificate.certificate}; ssl_certificate_key {certificate.key}"
        temporary = self._folder / "nginx-temporary"
        temporary.mkdir(exist_ok=True)
        settings = self._folder / f"nginx-{secure}-{self.way.workers}.conf"
        settings.write_text(
            f"""
daemon off; worker_processes {self.way.workers}; pid {self._folder}/nginx-{port}.pid; error_log stderr error;
{"user root;" if os.geteuid() == 0 else ""}
events {{ worker_connections 1024; }}
http {{
    access_log off; sendfile on; keepalive_requests 1000000000; client_max_body_size 0;
    client_body_temp_path {temporary}; proxy_temp_path {temporary}; fastcgi_temp_path {temporary};
    uwsgi_temp_path {temporary}; scgi_temp_path {temporary};
    server {{
        listen 127.0.0.1:{port}{listen};
        root {self.data}; dav_methods PUT DELETE COPY; create_full_put_path on;
    }}
}}
"""
        )
        return [str(self.program()), "-c", str(settings), "-e", "stderr"]

    def target(
        self, method: str, path: str, query: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> str:
        return path

    def create_bucket(self, name: str) -> None:
        (self.data / name).mkdir(exist_ok=True)

    def copying(self, source: str, path: str) -> tuple[str, Mapping[str, str]]:
        return "COPY", {"Destination": f"{self.url}{path}"}


#: The family of ours.
OURS = Ours.family

#: All, by key.
SERVERS: Mapping[str, type[Server]] = {one.key: one for one in (Ours, OursUnsynced, Nanio, Rclone, Nginx)}


def installed() -> Sequence[str]:
    """The keys of the servers that are here."""
    return [key for key, server in SERVERS.items() if server.program()]


def _installed(name: str) -> str | None:
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/bin")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
