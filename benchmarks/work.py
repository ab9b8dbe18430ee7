"""What a workload is, and what it is given."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import attrs
from msgspec import Struct, structs

from benchmarks.exchange import exchange
from benchmarks.servers import Server, Way
from benchmarks.streams import BLOCK, MIB

#: Bytes of a small object.
SMALL = 4096

#: Prefixes that the keys are spread over.
PREFIXES = 16


class Scale(Struct, frozen=True):
    """How much of everything.

    :ivar seconds: how long a measurement of a rate takes.
    :ivar rounds: how often each is repeated.
    :ivar keys: different small objects.
    :ivar large: bytes of a large object.
    :ivar huge: bytes of a huge object.
    :ivar listed: keys of the flat bucket.
    :ivar sizes: sizes of buckets for the curve.
    :ivar rivals: the largest of these in which rivals take part.
    :ivar alone: keys from which on our objects are planted rather than uploaded.
    :ivar page: keys in a page of a list.
    :ivar width: of the tree at each of its four levels.
    """

    seconds: float = 1.5
    rounds: int = 3
    keys: int = 4000
    large: int = 64 * MIB
    huge: int = 1024 * MIB
    listed: int = 100_000
    sizes: Sequence[int] = (1_000, 10_000, 100_000, 1_000_000)
    rivals: int = 100_000
    alone: int = 5000
    page: int = 1000
    width: int = 10


STANDARD = Scale()
LONG = structs.replace(STANDARD, rounds=5, listed=1_000_000, rivals=1_000_000)
SMOKE = Scale(
    seconds=0.15,
    rounds=1,
    keys=50,
    large=2 * MIB,
    huge=20 * MIB,
    listed=120,
    sizes=(40, 120),
    alone=100,
    page=50,
    width=2,
)


@attrs.define
class Place:
    """Where a workload runs.

    :ivar folder: for files of its own.
    :ivar counter: goes up, so that no two measurements write the same keys.
    """

    scale: Scale
    folder: Path
    counter: int = 0

    def fresh(self) -> int:
        """A number that was not given before."""
        self.counter += 1
        return self.counter


class Metric(Struct, frozen=True):
    """A figure that a workload gives.

    :ivar unit: of the figure.
    :ivar more_is_better: else less is.
    """

    name: str
    unit: str
    more_is_better: bool = True


RATE = (Metric("rate", "/s"),)
#: One worker on the server's core, plain HTTP.
ONE_CORE = Way()
STREAM = (Metric("throughput", "MB/s"),)

Figures = Mapping[str, float]


class Workload(Struct, frozen=True):
    """Something to measure.

    :ivar measure: one round.
    :ivar prepare: once for each server, before the rounds. :raise Unable: when the server can not do it.
    :ivar writes: both durability modes of ours take part, else only the strict.
    :ivar needs: what the server must not name in ``cannot``.
    :ivar once: one round, whatever was asked for.
    :ivar rivals: others than ours take part.
    :ivar limit: what the machine does without a server; an entry of its own.
    """

    name: str
    title: str
    metrics: Sequence[Metric]
    measure: Callable[[Place, Server], Figures]
    prepare: Callable[[Place, Server], None] = lambda place, server: None
    writes: bool = False
    needs: Sequence[str] = ()
    way: Way = ONE_CORE
    tls: bool = False
    once: bool = False
    rivals: bool = True
    limit: Callable[[Place], Figures] | None = None


def small_paths(bucket: str, count: int, name: str = "k") -> Sequence[str]:
    """The paths of so many objects, over some prefixes, in an order of no system that is the same each time."""
    paths = [f"/{bucket}/p{number % PREFIXES:02}/{name}{number:07}" for number in range(count)]
    random.Random(count).shuffle(paths)
    return paths


def head(server: Server, method: str, path: str, size: int | None = None) -> bytes:
    """The bytes of a request, up to its body."""
    length = "" if size is None else f"Content-Length: {size}\r\n"
    return f"{method} {server.target(method, path)} HTTP/1.1\r\nHost: {server.authority}\r\n{length}\r\n".encode()


def put_all(server: Server, paths: Sequence[str], size: int, connections: int = 16) -> None:
    """Store an object under each path."""
    body = bytes(BLOCK[:size])
    exchange(server.authority, (head(server, "PUT", path, size) + body for path in paths), connections)


def prefixes_there(server: Server, bucket: str) -> None:
    """The bucket and all prefixes are there: rclone answers 500 when two requests make the same folder at once."""
    server.create_bucket(bucket)
    put_all(server, [f"/{bucket}/p{number:02}/first" for number in range(PREFIXES)], SMALL, connections=1)
