"""How long requests take when the server is not at its limit, how long it takes to start, and its memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import count, cycle, islice

from benchmarks.exchange import exchange
from benchmarks.servers import Server
from benchmarks.streams import BLOCK, MIB, Client, side_by_side
from benchmarks.work import PREFIXES, SMALL, Figures, Metric, Place, Workload, head, small_paths
from benchmarks.workloads import small

#: Connections of the open load: enough that one is free when a request is due.
CONNECTIONS = 64

#: Clients of each kind, and bytes of their objects, for the memory.
STREAMS = 32
OBJECT = 16 * MIB


def latency(place: Place, server: Server, method: str) -> Figures:
    """The best rate, then requests at half of it, whether or not earlier ones have been answered."""
    requests = _requests(place, server, method)
    seconds = place.scale.seconds
    best = exchange(server.authority, small.for_a_while(requests, seconds)).rate
    paced = exchange(server.authority, islice(requests, max(20, int(best / 2 * seconds))), CONNECTIONS, best / 2)
    points = {"p50": 50, "p99": 99, "p99.9": 99.9}
    return {name: paced.percentile(point) * 1000 for name, point in points.items()} | {"at": best / 2}


def _requests(place: Place, server: Server, method: str) -> Iterator[bytes]:
    if method == "GET":
        return cycle([head(server, "GET", path) for path in small_paths(small.BUCKET, place.scale.keys)])
    round_ = place.fresh()
    body = bytes(BLOCK[:SMALL])
    paths = (f"/{small.BUCKET}/p{n % PREFIXES:02}/paced{round_}-{n}" for n in count())
    return (head(server, "PUT", path, SMALL) + body for path in paths)


def start(place: Place, server: Server) -> Figures:
    """Another server of the same kind: from the start of the program to the first answer, and its memory then."""
    other = type(server)(place.folder, server.way)
    try:
        return {"time": other.started_in, "RSS": other.process.memory()["rss"]}
    finally:
        other.end()


def memory(place: Place, server: Server) -> Figures:
    """32 PUTs and 32 GETs of 16 MiB at once, as fast as they go."""
    server.create_bucket("streams")
    size = min(OBJECT, place.scale.large)
    with server.client() as client:
        _move(server, client, "PUT", "source", size)
    works = []
    for number in range(STREAMS):
        for method, name in (("PUT", f"put-{number}"), ("GET", "source")):
            works.append(partial(_stream, server, method, name, size))
    side_by_side(works)
    weighed = server.process.memory()
    return {"peak": weighed["peak"], "after": weighed["rss"]}


def _stream(server: Server, method: str, name: str, size: int) -> float:
    with server.client() as client:
        return _move(server, client, method, name, size)


def _move(server: Server, client: Client, method: str, name: str, size: int) -> float:
    answer = client.drain(method, server.target(method, f"/streams/{name}"), size=size if method == "PUT" else 0)
    if answer.status >= 300:
        raise RuntimeError(f"{method}: {answer}")
    return size


LATENCY: Sequence[Metric] = [Metric(name, "ms", False) for name in ("p50", "p99", "p99.9")] + [Metric("at", "/s")]

START = (Metric("time", "s", False), Metric("RSS", "MiB", False))
MEMORY = (Metric("peak", "MiB", False), Metric("after", "MiB", False))

WORKLOADS = (
    Workload("latency-get", "GET 4 KiB at half load", LATENCY, partial(latency, method="GET"), small.stored),
    Workload(
        "latency-put", "PUT 4 KiB at half load", LATENCY, partial(latency, method="PUT"), small.prefixes, writes=True
    ),
    Workload("start", "Start to first answer", START, start),
    Workload("memory", "32 PUTs and 32 GETs at once", MEMORY, memory, once=True),
)
