"""A fixed list of small requests, each sent once: as fast as it goes, or at a rate.

One thread and one epoll. It answers for about 20,000 requests a second; wrk, which can do more, can neither send each
request once nor keep to a rate.
"""

from __future__ import annotations

import re
import select
import socket
import time
from collections import deque
from collections.abc import Iterable, Sequence

from msgspec import Struct

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
CLOSE = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
READ = 1 << 18

#: Seconds without any answer, after which none will come.
PATIENCE = 120.0


class Exchange(Struct, frozen=True):
    """What came of it.

    :ivar seconds: from the first request to the last answer.
    :ivar latencies: seconds from the time when a request was due to the end of its answer, sorted.
    """

    seconds: float
    latencies: Sequence[float]

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds

    def percentile(self, percent: float) -> float:
        """Seconds within which so many of a hundred were answered."""
        return self.latencies[min(len(self.latencies) - 1, int(len(self.latencies) * percent / 100))]


class _Connection:
    """One request at a time."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self.open()

    def open(self) -> None:
        self.socket = socket.create_connection(self._address, PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.due = 0.0
        self._head = False
        self._buffer = b""

    def send(self, request: bytes, due: float) -> None:
        self.due = due
        self._head = request.startswith(b"HEAD ")
        self._buffer = b""
        self.socket.sendall(request)

    def receive(self) -> bytes | None:
        """The whole answer, once it is there."""
        got = self.socket.recv(READ)
        if not got:
            raise RuntimeError(f"the server closed a connection after {self._buffer[:500]!r}")
        self._buffer = self._buffer + got if self._buffer else got
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0 or not self._complete(end):
            return None
        return self._buffer

    def _complete(self, end: int) -> bool:
        buffer = self._buffer
        if self._head or buffer[9:12] in (b"204", b"304"):
            return True
        if found := LENGTH.search(buffer, 0, end + 2):
            return len(buffer) >= end + 4 + int(found[1])
        if CHUNKED.search(buffer, 0, end + 2):
            return buffer.endswith(b"\r\n0\r\n\r\n")
        raise RuntimeError(f"an answer of unknown length: {buffer[:500]!r}")


def exchange(
    authority: str, requests: Iterable[bytes], connections: int = 16, rate: float = 0.0, expect: bytes = b"2"
) -> Exchange:
    """Send all of the requests.

    :param rate: requests a second; one that is late because no connection is free is late in the latencies too. 0: each
        connection sends its next request when the last is answered.
    :param expect: how a status may begin.
    :raise RuntimeError: when an answer was another.
    """
    host, _, port = authority.partition(":")
    waiting = iter(requests)
    opened = [_Connection((host, int(port))) for _ in range(connections)]
    idle = deque(opened)
    poll = select.epoll()
    by_number = {}
    for connection in opened:
        poll.register(connection.socket, select.EPOLLIN)
        by_number[connection.socket.fileno()] = connection
    latencies: list[float] = []
    clock = time.perf_counter
    began = clock()
    sent = 0
    following = next(waiting, None)
    try:
        while following is not None or sent > len(latencies):
            while idle and following is not None:
                due = began + sent / rate if rate else clock()
                if due > clock():
                    break
                idle.popleft().send(following, due)
                sent += 1
                following = next(waiting, None)
            pause = PATIENCE
            if rate and idle and following is not None:
                pause = max(0.0, began + sent / rate - clock())
                if pause < 0.001:
                    # The timer of epoll knows milliseconds only.
                    pause = 0
            events = poll.poll(pause)
            if not events and pause == PATIENCE:
                raise RuntimeError("no answer")
            for number, _ in events:
                connection = by_number[number]
                answer = connection.receive()
                if answer is None:
                    continue
                latencies.append(clock() - connection.due)
                if not answer.startswith(expect, 9):
                    raise RuntimeError(f"answered {answer[:600]!r}")
                if CLOSE.search(answer, 0, answer.find(b"\r\n\r\n") + 2):
                    poll.unregister(connection.socket)
                    connection.socket.close()
                    del by_number[number]
                    connection.open()
                    poll.register(connection.socket, select.EPOLLIN)
                    by_number[connection.socket.fileno()] = connection
                idle.append(connection)
        seconds = clock() - began
    finally:
        poll.close()
        for connection in opened:
            connection.socket.close()
    latencies.sort()
    return Exchange(seconds, latencies)
