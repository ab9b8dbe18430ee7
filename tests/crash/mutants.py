"""The store with one durability step left out, or made one step too late, at one place of its code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from operator import itemgetter
from random import Random
from threading import get_ident
from types import FrameType
from typing import Any
from unittest.mock import patch

import attrs
from msgspec import Struct

from tests.crash.deeds import Deed, check
from tests.crash.machine import Broken, Tally, run_episode
from tests.crash.strokes import STROKES
from tests.crash.upkeep import UPKEEP
from tests.storage.filesystem.disks import LOOKING
from twisted_s3.storage.filesystem.disk import IDisk
from twisted_s3.storage.filesystem.layout import parent
from twisted_s3.storage.filesystem.metadata import Metadata
from twisted_s3.storage.filesystem.record import dump_pointer
from twisted_s3.storage.filesystem.sync import DirectorySync

DEEDS = (*UPKEEP, *STROKES)

_STORE = "twisted_s3.storage.filesystem."
_SYNC = _STORE + "sync"
#: Where every call passes, so that it tells nothing apart.
_PLUMBING = frozenset(_STORE + name for name in ("sync", "store", "staging", "intake"))
#: How many functions make a place.
_DEPTH = 2

REMOVED = "removed"
#: The sync of a file comes after the next sync of a directory, that of a directory after the next other change.
LATE = "late"


@attrs.frozen(order=True)
class Place:
    """One step at one place of the code.

    :ivar step: ``fsync``, ``fsync_directory`` or ``ancestor`` (the sync of a directory above one that is new).
    :ivar functions: the innermost first, and who called it.
    """

    step: str
    functions: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.step} in {' < '.join(self.functions)}"


def here(step: str) -> Place:
    """The place of a call to the disk that is under way."""
    functions: list[str] = []
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and len(functions) < _DEPTH:
        module = frame.f_globals.get("__name__", "")
        if module.startswith(_STORE) and module not in _PLUMBING:
            name = frame.f_code.co_qualname
            if not name.endswith((">", "_held", "_locked")):
                functions.append(name)
        elif module == _SYNC and frame.f_locals.get("unanchored"):
            step = "ancestor"
        frame = frame.f_back
    return Place(step, tuple(functions[:1] if step == "ancestor" else functions))


class _Steps:
    """A disk that is told of each sync before it is made."""

    def __init__(self, disk: IDisk) -> None:
        self._disk = disk

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._disk, name)
        if name in ("fsync", "fsync_directory"):
            return lambda *args: self.sync(here(name), lambda: call(*args))
        if name in LOOKING or name in ("close", "lock", "open"):
            return call

        def change(*args: Any) -> Any:
            result = call(*args)
            self.changed()
            return result

        return change

    def sync(self, place: Place, make: Callable[[], object]) -> None:
        """A step is due; ``make`` makes it."""
        raise NotImplementedError

    def changed(self) -> None:
        """Something else was changed."""


class PlacesDisk(_Steps):
    """Notes all places."""

    def __init__(self, disk: IDisk, places: set[Place]) -> None:
        super().__init__(disk)
        self._places = places

    def sync(self, place: Place, make: Callable[[], object]) -> None:
        """Note it."""
        self._places.add(place)
        make()


class _MutantDisk(_Steps):
    """Leaves the step out, or makes it late, and now and then has the power fail soon after."""

    def __init__(self, disk: IDisk, place: Place, how: str, random: Random) -> None:
        super().__init__(disk)
        self._place = place
        self._how = how
        self._random = random
        self._due: dict[int, Callable[[], object]] = {}

    def sync(self, place: Place, make: Callable[[], object]) -> None:
        if place != self._place:
            make()
            if place.step != "fsync" and self._place.step == "fsync":
                self._make_up()
            return
        disk: Any = self._disk
        if disk.crash_after is not None and self._random.random() < 0.5:
            disk.crash_after = min(disk.crash_after, disk.changes + self._random.randint(0, 4))
        if self._how == LATE:
            self._due[get_ident()] = make

    def changed(self) -> None:
        if self._place.step != "fsync":
            self._make_up()

    def _make_up(self) -> None:
        """Make the step that is due."""
        due = self._due.pop(get_ident(), None)
        if due is not None:
            # Its file may have been closed meanwhile, its directory removed.
            with suppress(OSError):
                due()


class Mutant(Struct, frozen=True):
    """A store with a defect.

    :ivar name: what is wrong.
    :ivar wrap: goes around the disk.
    :ivar patched: makes the change of the code, while it is entered.
    """

    name: str
    wrap: Callable[[IDisk], IDisk] = lambda disk: disk
    patched: Callable[[], AbstractContextManager[object]] = nullcontext


def mutant_of(place: Place, how: str) -> Mutant:
    """The store with a step left out or late."""
    random = Random(0)
    return Mutant(f"{place}: {how}", lambda disk: _MutantDisk(disk, place, how, random))  # type: ignore[arg-type,return-value]


def find_places(episodes: int) -> set[Place]:
    """All places that so many episodes come through."""
    places: set[Place] = set()
    for seed in range(episodes):
        run_episode(seed, Tally(), lambda disk: PlacesDisk(disk, places))  # type: ignore[arg-type,return-value]
    return places


def find_deeds() -> Mapping[Place, Sequence[Deed]]:
    """All places that the deeds come through, and which do, the shortest first."""
    reached: dict[Place, list[tuple[int, Deed]]] = {}
    for deed in DEEDS:
        places: set[Place] = set()
        calls = check(deed, lambda disk, places=places: PlacesDisk(disk, places))  # type: ignore[misc]
        for place in places:
            reached.setdefault(place, []).append((calls, deed))
    return {place: [deed for _, deed in sorted(found, key=itemgetter(0))] for place, found in reached.items()}


def deed_to_notice(mutant: Mutant, deeds: Sequence[Deed]) -> Deed | None:
    """The first of the deeds that goes wrong; None when none does."""
    with mutant.patched():
        for deed in deeds:
            try:
                check(deed, mutant.wrap)
            except AssertionError:
                return deed
    return None


def episodes_to_notice(mutant: Mutant, episodes: int, first: int = 0) -> int | None:
    """How many episodes it takes until a promise is broken; None when it takes more than ``episodes``."""
    with mutant.patched():
        for seed in range(first, first + episodes):
            try:
                run_episode(seed, Tally(), mutant.wrap)
            except Broken:
                return seed - first + 1
    return None


def _anchor_first(self: Any, directory: bytes) -> None:
    try:
        unanchored = []
        above = directory
        while above and not self._disk.is_anchored(above):
            unanchored.append(above)
            above = parent(above)
        for name in reversed(unanchored):
            self._disk.anchor(name)
        for name in (directory, *map(parent, unanchored)):
            self._sync_one(name)
    except FileNotFoundError:
        pass


def _never_look_above(self: Any, directory: bytes) -> None:
    with suppress(FileNotFoundError):
        self._sync_one(directory)


def _pointer_first(self: Any, descriptor: Any, stamp: Any, record: bytes) -> bytes:
    side = f"{self._disk.fstat(descriptor).ctime_ns:032x}"
    path = b".s3store/records/%b/%b" % (side[:2].encode(), side.encode())
    self._disk.setxattr(descriptor, "user.s3store", dump_pointer(side, stamp))
    self._disk.fsync(descriptor)
    self._files.save(record, path, replace=True, top=b".s3store/records")
    return path


#: What is wrong in another way than a step that is missing or late.
REORDERED = (
    Mutant(
        "a directory is anchored before it is synced",
        patched=lambda: patch.object(DirectorySync, "sync", _anchor_first),
    ),
    Mutant("new directories are not synced", patched=lambda: patch.object(DirectorySync, "sync", _never_look_above)),
    Mutant(
        "the side file comes after what points to it",
        patched=lambda: patch.object(Metadata, "_write_beside", _pointer_first),
    ),
)
