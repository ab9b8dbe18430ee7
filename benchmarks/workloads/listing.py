"""Lists of many keys, deletes of many, and what a request costs as a bucket grows."""

from __future__ import annotations

import hashlib
import html
import random
import re
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from statistics import median

from benchmarks.planting import plant
from benchmarks.servers import OURS, Server
from benchmarks.streams import BLOCK, Client
from benchmarks.work import LONG, SMALL, SMOKE, STANDARD, Figures, Metric, Place, Workload, put_all

KEY = re.compile(rb"<Key>([^<]*)</Key>")
GROUP = re.compile(rb"<CommonPrefixes>\s*<Prefix>([^<]*)</Prefix>")
TOKEN = re.compile(rb"<NextContinuationToken>([^<]*)</NextContinuationToken>")

#: Seconds after which a list is given up; the rate is then that of the keys so far.
PATIENCE = 30.0

#: Keys in one DeleteObjects, and in one page.
MOST = 1000

#: Requests of each kind for the curve.
PAGES, GETS, PUTS = 5, 200, 100

TREE = "tree"


def flat_key(number: int) -> str:
    """The key of that number in a flat bucket."""
    return f"k{number:07}"


def flat(place: Place, server: Server, count: int) -> str:
    """The bucket with so many keys, which is there afterwards."""
    bucket = f"flat{count}"
    plant(place, server, bucket, [flat_key(number) for number in range(count)])
    return bucket


def page(client: Client, server: Server, bucket: str, query: Mapping[str, str]) -> bytes:
    """One page of ListObjectsV2."""
    answer = client.call("GET", server.target("GET", f"/{bucket}", {"list-type": "2", **query}))
    if answer.status != 200:
        raise RuntimeError(f"LIST: {answer}")
    return answer.body


def pages(client: Client, server: Server, bucket: str, query: Mapping[str, str]) -> Iterator[bytes]:
    """All pages."""
    token: Mapping[str, str] = {}
    while True:
        body = page(client, server, bucket, {**query, **token})
        yield body
        found = TOKEN.search(body)
        if not found:
            return
        token = {"continuation-token": html.unescape(found[1].decode())}


def _size(place: Place) -> Mapping[str, str]:
    return {"max-keys": str(place.scale.page)}


def list_all(place: Place, server: Server) -> Figures:
    """The flat bucket, from the first key to the last."""
    count = place.scale.listed
    seen = 0
    began = time.perf_counter()
    with server.client() as client:
        for body in pages(client, server, f"flat{count}", _size(place)):
            seen += len(KEY.findall(body))
            if time.perf_counter() - began > PATIENCE:
                break
    return {"rate": seen / (time.perf_counter() - began), "seen": seen / count}


def tree_keys(place: Place) -> Sequence[str]:
    """Keys four levels deep."""
    width = range(place.scale.width)
    return [f"{a}/folder-{b}/{c}/file-{d}" for a, b, c, d in product(width, width, width, width)]


def tree_stored(place: Place, server: Server) -> None:
    """The deep tree is there."""
    plant(place, server, TREE, tree_keys(place))


def list_tree(place: Place, server: Server) -> Figures:
    """Every folder of the tree by a LIST with delimiter, as a file browser would that opens all."""
    folders, asked, seen = [""], 0, 0
    began = time.perf_counter()
    with server.client() as client:
        while folders:
            prefix = folders.pop()
            for body in pages(client, server, TREE, {"prefix": prefix, "delimiter": "/", **_size(place)}):
                folders += [group.decode() for group in GROUP.findall(body)]
                seen += len(KEY.findall(body))
                asked += 1
            if time.perf_counter() - began > PATIENCE:
                break
    return {"rate": asked / (time.perf_counter() - began), "seen": seen / place.scale.width**4}


def delete_many(place: Place, server: Server) -> Figures:
    """One DeleteObjects."""
    bucket = "many"
    server.create_bucket(bucket)
    round_ = place.fresh()
    keys = [f"m{round_}-{number}" for number in range(min(MOST, place.scale.keys))]
    put_all(server, [f"/{bucket}/{key}" for key in keys], SMALL)
    objects = "".join(f"<Object><Key>{key}</Key></Object>" for key in keys)
    body = f"<Delete><Quiet>true</Quiet>{objects}</Delete>".encode()
    digest = b64encode(hashlib.md5(body).digest()).decode()
    with server.client() as client:
        target = server.target("POST", f"/{bucket}", {"delete": ""})
        began = time.perf_counter()
        answer = client.call("POST", target, {"Content-MD5": digest}, body)
        seconds = time.perf_counter() - began
        if answer.status != 200 or b"<Error>" in answer.body:
            raise RuntimeError(f"DeleteObjects: {answer}")
        left = client.call("HEAD", server.target("HEAD", f"/{bucket}/{keys[0]}"))
        if left.status != 404:
            raise RuntimeError("DeleteObjects deleted nothing")
    return {"rate": len(keys) / seconds}


def curve_stored(place: Place, server: Server) -> None:
    """A flat bucket of each size."""
    for size in _sizes(place, server):
        flat(place, server, size)


def _sizes(place: Place, server: Server) -> Sequence[int]:
    most = max(place.scale.sizes) if server.family == OURS else place.scale.rivals
    return [size for size in place.scale.sizes if size <= most]


def curve(place: Place, server: Server) -> Figures:
    """One request at a time in each bucket."""
    figures: dict[str, float] = {}
    for size in _sizes(place, server):
        with server.client() as client:
            cost = _cost(place, server, client, size)
            figures |= {f"{what} of {size}": milliseconds for what, milliseconds in cost.items()}
    return figures


def _cost(place: Place, server: Server, client: Client, size: int) -> Mapping[str, float]:
    """The first page, one in the middle, GETs, PUTs of new keys."""
    bucket = f"flat{size}"
    figures = {}
    if "list" not in server.cannot:
        first = _size(place)
        middle = {"start-after": flat_key(size // 2), **first}
        figures["first page"] = _milliseconds(PAGES, lambda: page(client, server, bucket, first))
        figures["middle page"] = _milliseconds(PAGES, lambda: page(client, server, bucket, middle))
    gets, puts = min(GETS, place.scale.keys), min(PUTS, place.scale.keys)
    numbers = iter(random.Random(size).choices(range(size), k=gets))
    figures["GET"] = _milliseconds(gets, lambda: _call(client, server, "GET", f"/{bucket}/{flat_key(next(numbers))}"))
    paths = [f"/{bucket}/x{place.fresh()}" for _ in range(puts)]
    waiting = iter(paths)
    figures["PUT"] = _milliseconds(puts, lambda: _call(client, server, "PUT", next(waiting)))
    for path in paths:
        _call(client, server, "DELETE", path)
    return figures


def _call(client: Client, server: Server, method: str, path: str) -> None:
    body = bytes(BLOCK[:SMALL]) if method == "PUT" else b""
    answer = client.call(method, server.target(method, path), body=body)
    if answer.status >= 300:
        raise RuntimeError(f"{method}: {answer}")


def _milliseconds(times: int, work: Callable[[], object]) -> float:
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return median(taken) * 1000


LIST = (Metric("rate", "keys/s"), Metric("seen", "of the keys"))
TREE_LIST = (Metric("rate", "pages/s"), Metric("seen", "of the keys"))

#: Metrics of all sizes that any scale has.
SIZES = sorted({size for scale in (SMOKE, STANDARD, LONG) for size in scale.sizes})
CURVES = ("first page", "middle page", "GET", "PUT")
CURVE = [Metric(f"{what} of {size}", "ms", False) for what in CURVES for size in SIZES]

WORKLOADS = (
    Workload(
        "list-flat",
        "LIST of a flat bucket to the end",
        LIST,
        list_all,
        lambda place, server: flat(place, server, place.scale.listed),
        needs=["list"],
        once=True,
    ),
    Workload(
        "list-tree", "LIST with delimiter, deep tree", TREE_LIST, list_tree, tree_stored, needs=["list"], once=True
    ),
    Workload(
        "delete-1000",
        "DeleteObjects of 1,000",
        (Metric("rate", "keys/s"),),
        delete_many,
        writes=True,
        needs=["multi-delete"],
    ),
    Workload("curve", "Cost as a bucket grows", CURVE, curve, curve_stored, once=True),
)
