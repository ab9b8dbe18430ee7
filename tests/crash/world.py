"""A store on a simulated disk, driven without a reactor, and what its clients know about it."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from functools import partial
from itertools import count
from random import Random
from tempfile import gettempdir
from typing import Any, TypeVar
from unittest.mock import patch

import attrs
from msgspec import Struct, structs
from twisted.internet.defer import Deferred, fail, succeed

from tests.crash.inodes import PowerOff
from tests.crash.oracle import Clock, Held, History, Write
from tests.crash.schedule import Baton, BatonEvent
from tests.crash.simulated import SimulatedDisk
from tests.storage.kit import OWNER
from twisted_s3.model import ENABLED, ObjectVersion, Properties, Upload
from twisted_s3.storage import copying
from twisted_s3.storage.filesystem import staging, sync
from twisted_s3.storage.filesystem.disk import IDisk
from twisted_s3.storage.filesystem.eventlog import DEFAULT_LIMIT
from twisted_s3.storage.filesystem.store import FilesystemStore

T = TypeVar("T")

BUCKETS = ("alpha", "beta")
#: Keys side by side, above each other, in the same new folders, and such as no path can hold.
KEYS = ("k", "d", "d/x", "d/y", "d/e/f", "a//b", "y" * 300)
PART_NUMBERS = range(1, 5)
#: Bodies go to the disk in pieces of this size, so that a few kilobytes are a large object.
_PIECE_BYTES = 1024


class InlinePool:
    """A :class:`twisted_s3.storage.filesystem.pool.DiskPool` whose jobs run where they are ordered."""

    def start(self) -> None:
        """There are no threads."""

    async def stop(self) -> None:
        """There are no threads."""

    def run(self, job: Callable[..., T], *args: Any, undo: Callable[[T], object] | None = None) -> Deferred[T]:
        """Call ``job``."""
        try:
            return succeed(job(*args))
        except Exception:
            return fail()


class NoTurns:
    """A :class:`twisted_s3.storage.filesystem.turns.Turns` that lets all in: it is the locks that are tried here."""

    @asynccontextmanager
    async def taken(self, *names: str) -> AsyncIterator[None]:
        """Wait for nobody."""
        yield

    async def settled(self) -> None:
        """Nobody waits."""


class StandInReactor:
    """The time of a disk, and jobs for later."""

    def __init__(self, disk: SimulatedDisk, later: Callable[[Callable[[], object]], object]) -> None:
        self._disk = disk
        self._later = later

    def seconds(self) -> float:
        """The time of day."""
        return self._disk.now_ns / 1e9

    def callFromThread(self, call: Callable[..., object], *args: Any) -> None:
        """Call it later."""
        self._later(partial(call, *args))


def now(awaitable: Awaitable[T]) -> T:
    """The result of a coroutine that waits for nothing."""
    running = awaitable.__await__()
    try:
        next(running)
    except StopIteration as ended:
        return ended.value  # type: ignore[no-any-return]
    raise AssertionError("it waits")


def open_store(
    disk: SimulatedDisk,
    later: Callable[[Callable[[], object]], object],
    wrap: Callable[[IDisk], IDisk] = lambda disk: disk,
    min_free: int = 0,
    event_limit: int = DEFAULT_LIMIT,
) -> FilesystemStore:
    """A store that is not yet started.

    :param later: takes what the store leaves for later.
    :param wrap: what to put around the disk.
    """

    def instead(real: IDisk) -> IDisk:
        real.shut()
        return wrap(disk)

    reactor: Any = StandInReactor(disk, later)
    store = FilesystemStore(gettempdir(), reactor, wrap=instead, min_free=min_free, event_limit=event_limit)
    store._pool = InlinePool()  # type: ignore[assignment]
    store._turns = NoTurns()  # type: ignore[assignment]
    return store


@contextmanager
def reproducible(baton: Baton) -> Iterator[None]:
    """Have the store wait by the baton and choose names in order, and take small pieces for large."""
    numbers = count(1)

    @attrs.define(eq=False)
    class Batch:
        done: BatonEvent = attrs.field(factory=baton.event)
        error: OSError | None = None

    with ExitStack() as stack:
        stack.enter_context(patch.object(sync, "_Batch", Batch))
        stack.enter_context(patch.object(staging, "PIECE_BYTES", _PIECE_BYTES))
        stack.enter_context(patch.object(staging, "COPY_BYTES", _PIECE_BYTES))
        stack.enter_context(patch.object(copying, "_PIECE_BYTES", _PIECE_BYTES))
        for name, module in list(sys.modules.items()):
            if name.startswith("twisted_s3.storage.filesystem") and hasattr(module, "token_hex"):
                made = lambda size: hashlib.sha512(b"%d" % next(numbers)).hexdigest()[: 2 * size]  # noqa: E731
                stack.enter_context(patch.object(module, "token_hex", made))
        yield


class Shape(Struct, frozen=True):
    """What kind of disk it is, and how many processes use it."""

    unnamed: bool = True
    attribute_bytes: int | None = 4000
    atomic_renames: bool = True
    processes: int = 1

    @classmethod
    def sample(cls, random: Random) -> Shape:
        """One of all shapes."""
        return cls(
            unnamed=random.random() < 0.7,
            attribute_bytes=random.choice((4000, 4000, 4000, 150, None)),
            processes=random.choice((1, 1, 2)),
        )

    def disk(self) -> SimulatedDisk:
        """A new disk."""
        return SimulatedDisk(self.unnamed, self.attribute_bytes, self.atomic_renames)


@attrs.define(eq=False)
class KnownUpload:
    """An upload that a client was told of.

    :ivar alive: whether it is there.
    :ivar parts: number to ETag and size.
    :ivar activity: counts all that is done to it.
    :ivar working: how many are writing a part.
    :ivar completing: whether somebody has ever tried to complete it.
    """

    bucket: str
    upload: Upload
    alive: History[bool]
    parts: dict[int, History[tuple[str, int] | None]]
    activity: int = 0
    working: int = 0
    completing: bool = False


@attrs.define(eq=False)
class BucketDeletion:
    """The end of all uploads of a bucket, if it comes.

    :ivar ends: of those that were there when it was asked for.
    :ivar late: of those that were begun meanwhile, before or after it.
    """

    bucket: str
    deletions: list[BucketDeletion]
    ends: list[tuple[History[bool], Write[bool]]]
    late: list[tuple[History[bool], Write[bool]]] = attrs.field(factory=list)

    def acknowledge(self) -> None:
        """The bucket is gone."""
        self.deletions.remove(self)
        for alive, end in self.ends:
            alive.acknowledge(end)
        for alive, end in self.late:
            alive.expire(end)

    def refuse(self) -> None:
        """The bucket stays."""
        self.deletions.remove(self)
        for alive, end in (*self.ends, *self.late):
            alive.refuse(end)


@attrs.define(eq=False)
class Birth:
    """A version that may come to be, and whose id nobody knows yet."""

    bucket: str
    key: str
    held: Held


@attrs.define(eq=False)
class Rename:
    """An object that may be in one of two places."""

    source: History[Held | None]
    target: History[Held | None]
    held: Held
    left: Write[Held | None]
    arrived: Write[Held | None]


class World:
    """Disk, stores, and all that clients did since the last loss of power.

    :ivar versioned: the buckets that keep all versions.
    :ivar births: the versions that are being written there.
    :ivar starting: the buckets and keys of uploads that are being begun.
    :ivar log: what happened, in words.
    """

    def __init__(self, random: Random, shape: Shape, odds: float = 0.3) -> None:
        self.random = random
        self.shape = shape
        self.baton = Baton(random, odds, self._check_power)
        self.disk = shape.disk()
        self.clock = Clock()
        self.buckets: dict[str, History[str | None]] = {name: History(self.clock, None) for name in BUCKETS}
        self.keys: dict[tuple[str, str], History[Held | None]] = {
            (bucket, key): History(self.clock, None) for bucket in BUCKETS for key in KEYS
        }
        self.versioned: set[str] = set()
        self.versions: dict[tuple[str, str, str], History[Held | None]] = {}
        self.births: list[Birth] = []
        self.uploads: dict[str, KnownUpload] = {}
        self.starting: list[tuple[str, str]] = []
        self.renames: list[Rename] = []
        self.deletions: list[BucketDeletion] = []
        self.bodies: dict[str, bytes] = {}
        self.stores: list[FilesystemStore] = []
        self.log: list[str] = []
        self._made = 0

    def use(self, disk: SimulatedDisk) -> None:
        """Go on with another disk, with no store open."""
        self.disk = disk
        self.stores = []

    def open(self, wrap: Callable[[IDisk], IDisk] = lambda disk: disk) -> None:
        """Open and start the stores of all processes. :raise PowerOff: where the disk says so."""
        self.stores = [open_store(self.disk, self._later, wrap) for _ in range(self.shape.processes)]
        for store in self.stores:
            self.run(store.start())

    def run(self, awaitable: Awaitable[T]) -> T:
        """Run one thing alone, with all that it leaves for later."""
        result: list[T] = []
        self.baton.run(lambda: result.append(now(awaitable)))
        return result[0]

    def connect(self) -> None:
        """Let clients change places at every call to the disk."""
        self.disk.before = self.baton.offer
        self.disk.wait = self.baton.wait

    def body(self) -> bytes:
        """Bytes that nobody has written before."""
        self._made += 1
        size = self.random.choice((0, 5, 300, 700, 3000))
        return self.remember(hashlib.shake_128(b"%d" % self._made).digest(max(size, 4)))

    def part_body(self) -> bytes:
        """Bytes for a part, often of the same size."""
        self._made += 1
        size = self.random.choice((600, 600, 600, 600, 200, 1500))
        return self.remember(hashlib.shake_128(b"part %d" % self._made).digest(size))

    def remember(self, body: bytes, etag: str = "") -> bytes:
        """Note what an ETag stands for."""
        self.bodies[etag or hashlib.md5(body).hexdigest()] = body
        return body

    def properties(self) -> Properties:
        """Little or much metadata."""
        self._made += 1
        user = {"n": str(self._made)}
        if self.random.random() < 0.25:
            user["big"] = "x" * 5000
        return Properties({"Content-Type": "text/plain"}, user, {"t": "1"} if self.random.random() < 0.5 else {})

    def add_upload(self, bucket: str, upload: Upload) -> KnownUpload:
        """A client was told of an upload."""
        parts: dict[int, History[tuple[str, int] | None]] = {n: History(self.clock, None) for n in PART_NUMBERS}
        known = KnownUpload(bucket, upload, History(self.clock, True), parts)
        self.uploads[upload.id] = known
        for deletion in self.deletions:
            if deletion.bucket == bucket:
                deletion.late.append((known.alive, known.alive.begin(False)))
        return known

    def begin_deletion(self, bucket: str) -> BucketDeletion:
        """A client asks for the end of a bucket."""
        inside = [known.alive for known in self.uploads.values() if known.bucket == bucket]
        for known in self.uploads.values():
            known.activity += known.bucket == bucket
        deletion = BucketDeletion(bucket, self.deletions, [(alive, alive.begin(False)) for alive in inside])
        self.deletions.append(deletion)
        return deletion

    def is_being_deleted(self, bucket: str) -> bool:
        """Whether a client has asked for that."""
        return any(deletion.bucket == bucket for deletion in self.deletions)

    def note(self, text: str) -> None:
        """Say what happens."""
        self.log.append(text)

    def make_bucket(self, name: str, versioned: bool) -> None:
        """Have a bucket."""
        self.run(self.stores[0].create_bucket(name, OWNER, "us-east-1"))
        self.buckets[name].settle(OWNER)
        if versioned:
            self.run(self.stores[0].change_bucket(name, lambda bucket: structs.replace(bucket, versioning=ENABLED)))
            self.versioned.add(name)

    def expect(self, bucket: str, key: str, held: Held) -> Birth:
        """A version is being written."""
        birth = Birth(bucket, key, held)
        if bucket in self.versioned:
            self.births.append(birth)
        return birth

    def version(self, bucket: str, key: str, version: ObjectVersion) -> History[Held | None]:
        """What is known of a version that somebody has seen, perhaps before its writer was told of it."""
        place = bucket, key, version.version_id
        if place not in self.versions:
            birth = next(birth for birth in self.births if (birth.key, birth.held.etag) == (key, version.etag))
            # It may still be lost, with all that is then done to it.
            self.versions[place] = History(self.clock, None)
            self.versions[place].begin(birth.held)
        return self.versions[place]

    def miscarry(self, birth: Birth) -> None:
        """It was refused."""
        if birth in self.births:
            self.births.remove(birth)

    def bear(self, birth: Birth, version_id: str) -> None:
        """It was acknowledged."""
        if birth in self.births:
            self.births.remove(birth)
            self.versions.setdefault((birth.bucket, birth.key, version_id), History(self.clock, birth.held))

    def die(self) -> None:
        """All processes have ended."""
        self.deletions.clear()
        things: list[History[Any]] = [*self.buckets.values(), *self.keys.values(), *self.versions.values()]
        for history in things:
            history.die()
        for known in self.uploads.values():
            known.working = 0
            known.alive.die()
            for part in known.parts.values():
                part.die()

    def _later(self, job: Callable[[], object]) -> None:
        def live() -> None:
            with suppress(PowerOff):
                job()

        self.baton.spawn(live)

    def _check_power(self) -> None:
        if self.disk.off:
            raise PowerOff
