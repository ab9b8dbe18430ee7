"""Large bodies: some connections, each in a thread of its own, that send or take bytes as fast as it goes."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

MIB = 1 << 20

#: What bodies are made of.
BLOCK = memoryview(bytes(range(256)) * (MIB // 256))
PIECE = 256 << 10
PATIENCE = 300.0


class Answer(Struct, frozen=True):
    """An answer; ``headers`` by lower-case name. ``body`` is what was kept of it, ``length`` what came."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    length: int


class Client:
    """One connection that is kept. Blocking; for one thread."""

    def __init__(self, authority: str, tls: ssl.SSLContext | None = None) -> None:
        self.authority = authority
        host, _, port = authority.partition(":")
        self._socket = socket.create_connection((host, int(port)), PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self._socket = tls.wrap_socket(self._socket, server_hostname=host)
        self._piece = bytearray(PIECE)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def call(
        self, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b"", size: int = 0
    ) -> Answer:
        """A request and its answer, whose body is kept.

        :param size: bytes of a body made of :data:`BLOCK`, in place of ``body``.
        """
        self._send(method, target, headers or {}, body, size)
        return self._receive(method, keep=True)

    def drain(self, method: str, target: str, headers: Mapping[str, str] | None = None, size: int = 0) -> Answer:
        """A request and its answer, whose body is taken and forgotten."""
        self._send(method, target, headers or {}, b"", size)
        return self._receive(method, keep=False)

    def _send(self, method: str, target: str, headers: Mapping[str, str], body: bytes, size: int) -> None:
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self.authority}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if body or size or method in ("PUT", "POST"):
            lines.append(f"Content-Length: {len(body) or size}")
        self._socket.sendall("\r\n".join((*lines, "", "")).encode() + body)
        for at in range(0, size, MIB):
            self._socket.sendall(BLOCK[: size - at])

    def _receive(self, method: str, keep: bool) -> Answer:
        got = b""
        while (end := got.find(b"\r\n\r\n")) < 0:
            more = self._socket.recv(65536)
            if not more:
                raise RuntimeError(f"no answer to {method}, only {got!r}")
            got += more
        first, *lines = got[:end].decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        status = int(first.split()[1])
        rest = got[end + 4 :]
        if method == "HEAD" or status in (204, 304):
            return Answer(status, headers, b"", 0)
        if "chunked" in headers.get("transfer-encoding", ""):
            body = self._chunks(rest)
            return Answer(status, headers, body, len(body))
        length = int(headers["content-length"])
        return Answer(status, headers, self._take(rest, length, keep or status >= 300), length)

    def _take(self, rest: bytes, length: int, keep: bool) -> bytes:
        pieces, left = [rest], length - len(rest)
        while left > 0:
            count = self._socket.recv_into(self._piece, min(left, PIECE))
            if not count:
                raise RuntimeError(f"an answer ended {left} bytes too early")
            left -= count
            if keep:
                pieces.append(bytes(self._piece[:count]))
        return b"".join(pieces)

    def _chunks(self, rest: bytes) -> bytes:
        body = bytearray()
        while True:
            while (end := rest.find(b"\r\n")) < 0:
                rest += self._more()
            size = int(rest[:end].split(b";")[0], 16)
            while len(rest) < end + 2 + size + 2:
                rest += self._more()
            body += rest[end + 2 : end + 2 + size]
            rest = rest[end + 4 + size :]
            if not size:
                return bytes(body)

    def _more(self) -> bytes:
        more = self._socket.recv(1 << 20)
        if not more:
            raise RuntimeError("a chunked answer ended too early")
        return more


def side_by_side(works: Sequence[Callable[[], float]]) -> float:
    """Run all at once, each in a thread; give what they gave together, for each second.

    :raise RuntimeError: when one fails.
    """
    given: list[float] = []
    errors: list[BaseException] = []

    def run(work: Callable[[], float]) -> None:
        try:
            given.append(work())
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,), daemon=True) for work in works]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise RuntimeError(str(errors[0])) from errors[0]
    return sum(given) / (time.perf_counter() - began)
