"""Objects of 4 KiB, one request for each, many different keys, 16 connections."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from itertools import cycle, takewhile

from benchmarks.exchange import exchange
from benchmarks.servers import Server, Way
from benchmarks.work import RATE, SMALL, Figures, Metric, Place, Workload, head, prefixes_there, put_all, small_paths
from benchmarks.wrk import storm

BUCKET = "small"

#: New keys that a round of PUTs has for each second: more than any server takes.
NEW_A_SECOND = 10_000


def prefixes(place: Place, server: Server) -> None:
    """The bucket is there, without its objects."""
    prefixes_there(server, BUCKET)


def stored(place: Place, server: Server) -> None:
    """The bucket with its objects is there."""
    prefixes(place, server)
    last = small_paths(BUCKET, place.scale.keys)[-1]
    if not (server.data / last[1:]).exists():
        put_all(server, small_paths(BUCKET, place.scale.keys), SMALL)


def get(place: Place, server: Server) -> Figures:
    """GET."""
    targets = [server.target("GET", path) for path in small_paths(BUCKET, place.scale.keys)]
    with server.client() as client:
        answer = client.call("GET", targets[0])
        if answer.status != 200 or answer.length != SMALL:
            raise RuntimeError(f"GET: {answer}")
    return {"rate": storm(server.url, "GET", targets, place.scale.seconds).rate}


def for_a_while(requests: Iterable[bytes], seconds: float) -> Iterator[bytes]:
    """The requests, until the time is over."""
    until = time.perf_counter() + seconds
    return takewhile(lambda _: time.perf_counter() < until, requests)


def head_object(place: Place, server: Server) -> Figures:
    """HEAD, and GET in the same way: wrk waits for the body of an answer to HEAD."""
    paths = small_paths(BUCKET, place.scale.keys)
    rates = []
    for method in ("HEAD", "GET"):
        heads = cycle([head(server, method, path) for path in paths])
        rates.append(exchange(server.authority, for_a_while(heads, place.scale.seconds / 2)).rate)
    return {"rate": rates[0], "of GET": rates[0] / rates[1]}


def put(place: Place, server: Server) -> Figures:
    """PUT of new keys."""
    paths = small_paths(BUCKET, int(NEW_A_SECOND * place.scale.seconds), f"new{place.fresh()}-")
    targets = [server.target("PUT", path) for path in paths]
    return {"rate": storm(server.url, "PUT", targets, place.scale.seconds, size=SMALL).rate}


def delete(place: Place, server: Server) -> Figures:
    """DELETE of what is there."""
    paths = small_paths(BUCKET, place.scale.keys, f"old{place.fresh()}-")
    put_all(server, paths, SMALL)
    return {"rate": exchange(server.authority, [head(server, "DELETE", path) for path in paths]).rate}


TWO = Way(workers=2)

WORKLOADS = (
    Workload("get-4k", "GET 4 KiB", RATE, get, stored),
    Workload("head-4k", "HEAD 4 KiB", (*RATE, Metric("of GET", "x")), head_object, stored),
    Workload("put-4k", "PUT 4 KiB", RATE, put, prefixes, writes=True),
    Workload("delete-4k", "DELETE 4 KiB", RATE, delete, prefixes, writes=True),
    Workload("get-4k-2w", "GET 4 KiB, 2 workers", RATE, get, stored, way=TWO),
    Workload("put-4k-2w", "PUT 4 KiB, 2 workers", RATE, put, prefixes, writes=True, way=TWO),
)
