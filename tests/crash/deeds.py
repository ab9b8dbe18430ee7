"""What is done at one stroke: it is broken off at each of its calls, in many ways, and asked for again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from msgspec import Struct

from tests.crash.inodes import Crash, PowerOff
from tests.crash.simulated import SimulatedDisk
from tests.crash.world import now, open_store
from twisted_s3.storage.filesystem.disk import IDisk
from twisted_s3.storage.filesystem.store import FilesystemStore

_KEPT = Crash("kept", "kept", 0.5, Random(0))
_LOST = Crash("lost", "lost", 0.5, Random(0))
_NAMES_KEPT = Crash("kept", "lost", 0.5, Random(0))
#: Segments of the log of events are then as small as can be.
_EVENT_LIMIT = 1
#: Of so many changes of names that were not synced each alone is lost, and each alone is kept.
_MOST = 8


class Deed(Struct, frozen=True):
    """Something that is done at one stroke, and durable when it returns.

    :ivar prepare: makes what it needs.
    :ivar see: all that it changes, as its users see it; called on a store of which nothing else is asked then.
    :ivar again: whether it may be asked for again when it was broken off, and is then done.
    """

    name: str
    prepare: Callable[[FilesystemStore], object]
    act: Callable[[FilesystemStore], object]
    see: Callable[[FilesystemStore], object]
    again: bool = True


def check(deed: Deed, wrap: Callable[[IDisk], IDisk] = lambda disk: disk) -> int:
    """Do it with a crash at each call that changes something. Gives how many calls that were.

    :param wrap: what to put around the disk while it is done.
    :raise AssertionError: when it is neither done nor undone, or not done though it was acknowledged.
    """
    ready = SimulatedDisk()
    deed.prepare(_open(ready))
    before = deed.see(_open(ready.power_off(_KEPT)))
    done = ready.power_off(_KEPT)
    deed.act(_open(done))
    after = deed.see(_open(done))
    _require(before != after, deed, "nothing happens")
    for at in range(10_000):
        disk = ready.power_off(_KEPT)
        store = _open(disk, wrap)
        disk.crash_after = disk.changes + at
        acknowledged = _done(deed, store)
        for end in _ends(disk):
            seen = _seen(deed, disk, end)
            allowed = (after,) if acknowledged else (before, after)
            _require(seen in allowed, deed, f"call {at}, {end.names} {end.data}: {seen}")
        if acknowledged:
            return at
        if deed.again:
            disk.kill()
            _require(_done(deed, _open(disk, wrap)), deed, "no power")
            seen = _seen(deed, disk, _LOST)
            _require(seen == after, deed, f"killed at call {at}, and asked for again: {seen}")
    raise AssertionError("it never ends")


class _Script(Random):
    """Decides which changes of names survive: one that is different from all others.

    :param odd: its number.
    :param kept: whether it is the one that survives.
    """

    def __init__(self, odd: int, kept: bool) -> None:
        super().__init__(0)
        self._odd = odd
        self._kept = kept
        self._asked = 0

    def random(self) -> float:
        """0.0 for what survives, else 1.0."""
        self._asked += 1
        return 0.0 if (self._asked - 1 == self._odd) == self._kept else 1.0

    def randint(self, a: int, b: int) -> int:
        """How many changes of attributes survive."""
        return a if self._kept else b


def _ends(disk: SimulatedDisk) -> Iterator[Crash]:
    """In what ways a failure ends now: the extremes, and each unsynced change of names against all others."""
    yield from (_LOST, _KEPT, _NAMES_KEPT, Crash("lost", "torn", 0.5, Random(0)))
    steps = len({change.step for change in disk._pending})
    for odd in range(min(steps, _MOST)):
        for kept in (True, False):
            yield Crash("any", "lost" if kept else "kept", 0.5, _Script(odd, kept))


def _open(disk: SimulatedDisk, wrap: Callable[[IDisk], IDisk] = lambda disk: disk) -> FilesystemStore:
    store = open_store(disk, lambda job: job(), wrap, event_limit=_EVENT_LIMIT)
    now(store.start())
    return store


def _done(deed: Deed, store: FilesystemStore) -> bool:
    try:
        deed.act(store)
    except PowerOff:
        return False
    return True


def _seen(deed: Deed, disk: SimulatedDisk, end: Crash) -> object:
    try:
        return deed.see(_open(disk.power_off(end)))
    except Exception as error:
        # A file that is torn, say.
        return error


def _require(truth: bool, deed: Deed, problem: str) -> None:
    if not truth:
        raise AssertionError(f"{deed.name}: {problem}")
