"""Objects of 1 and 64 MiB, a few connections, and parts of one of 1 GiB."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import partial

from benchmarks.limits import hash_and_write
from benchmarks.servers import Server, Way
from benchmarks.streams import MIB, side_by_side
from benchmarks.work import ONE_CORE, RATE, STREAM, Figures, Place, Workload
from benchmarks.wrk import storm

BUCKET = "large"
CONNECTIONS = 4
RANGE = 64 << 10

#: Different objects of each size.
OBJECTS = 8


def _size(large: bool, place: Place) -> int:
    return place.scale.large if large else MIB


def stored(place: Place, server: Server, large: bool) -> None:
    """Some objects of the size are there."""
    server.create_bucket(BUCKET)
    with server.client() as client:
        for number in range(OBJECTS):
            path = f"/{BUCKET}/{'large' if large else 'medium'}-{number}"
            if not (server.data / path[1:]).exists():
                answer = client.drain("PUT", server.target("PUT", path), size=_size(large, place))
                if answer.status >= 300:
                    raise RuntimeError(f"PUT: {answer}")


def get(place: Place, server: Server, large: bool) -> Figures:
    """GET, each connection the next object."""
    name = "large" if large else "medium"

    def one(number: int, client: object) -> tuple[str, str, int]:
        return "GET", f"/{BUCKET}/{name}-{number % OBJECTS}", 0

    return _streams(place, server, one, _size(large, place))


def put(place: Place, server: Server, large: bool) -> Figures:
    """PUT, each under a new key, which is deleted when the round is over."""
    size = _size(large, place)
    round_ = place.fresh()
    written: list[str] = []

    def one(number: int, client: object) -> tuple[str, str, int]:
        written.append(f"/{BUCKET}/new-{round_}-{number}")
        return "PUT", written[-1], size

    server.create_bucket(BUCKET)
    figures = _streams(place, server, one, size)
    with server.client() as client:
        for path in written:
            client.call("DELETE", server.target("DELETE", path))
    return figures


def _streams(place: Place, server: Server, one: Callable[[int, object], tuple[str, str, int]], size: int) -> Figures:
    """Requests on all connections until the time is over and all are answered."""
    clients = [server.client() for _ in range(CONNECTIONS)]
    deadline = time.perf_counter() + place.scale.seconds

    def work(at: int) -> float:
        moved, number = 0, at
        while not moved or time.perf_counter() < deadline:
            method, path, body = one(number, clients[at])
            answer = clients[at].drain(method, server.target(method, path), size=body)
            if answer.status >= 300 or (method == "GET" and answer.length != size):
                raise RuntimeError(f"{method}: {answer}")
            moved += size
            number += CONNECTIONS
        return moved / 1e6

    try:
        return {"throughput": side_by_side([partial(work, at) for at in range(CONNECTIONS)])}
    finally:
        for client in clients:
            client.__exit__()


def huge_stored(place: Place, server: Server) -> None:
    """An object of 1 GiB is there."""
    server.create_bucket(BUCKET)
    if not (server.data / BUCKET / "huge").exists():
        with server.client() as client:
            answer = client.drain("PUT", server.target("PUT", f"/{BUCKET}/huge"), size=place.scale.huge)
            if answer.status >= 300:
                raise RuntimeError(f"PUT: {answer}")


def get_range(place: Place, server: Server) -> Figures:
    """64 KiB from anywhere in it."""
    dice = random.Random(place.fresh())
    target = server.target("GET", f"/{BUCKET}/huge")
    starts = [dice.randrange(place.scale.huge - RANGE) for _ in range(4096)]
    lines = [f"{target}\tbytes={start}-{start + RANGE - 1}" for start in starts]
    with server.client() as client:
        answer = client.drain("GET", target, {"Range": lines[0].partition("\t")[2]})
        if answer.status >= 300 or answer.length != RANGE:  # rclone calls it 200
            raise RuntimeError(f"GET of a range: {answer}")
    return {"rate": storm(server.url, "GET", lines, place.scale.seconds).rate}


def _stream(
    name: str,
    title: str,
    large: bool,
    way: Way = ONE_CORE,
    tls: bool = False,
    limit: Callable[[Place], Figures] | None = None,
) -> tuple[Workload, Workload]:
    fetch, send, keep = partial(get, large=large), partial(put, large=large), partial(stored, large=large)
    return (
        Workload(f"get-{name}", f"GET {title}", STREAM, fetch, keep, way=way, tls=tls),
        Workload(f"put-{name}", f"PUT {title}", STREAM, send, writes=True, way=way, tls=tls, limit=limit),
    )


WORKLOADS = (
    *_stream("1m", "1 MiB", False),
    *_stream("64m", "64 MiB", True, limit=hash_and_write),
    Workload("range-64k", "GET 64 KiB of 1 GiB", RATE, get_range, huge_stored),
    *_stream("64m-tls", "64 MiB, TLS", True, tls=True),
    *_stream("64m-2w", "64 MiB, 2 workers", True, way=Way(workers=2)),
)
