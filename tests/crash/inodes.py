"""What lies on a simulated disk, each thing twice: as the kernel shows it, and as it is on stable storage."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import attrs
from msgspec import Struct

from twisted_s3.storage.filesystem.disk import Kind, Stat

#: The unit in which unsynced bytes are kept or lost. Small, so that small files can be torn.
PAGE_BYTES = 256
#: Kernels stamp files with the time of the last timer tick.
TICK_NS = 4_000_000


class PowerOff(BaseException):
    """There is no power: nobody can catch this, and nothing can be done about it."""


class Crash(Struct, frozen=True):
    """What a loss of power does to what was not synced. Every combination is one that some filesystem may leave.

    :ivar names: changes of names and attributes: ``lost``, ``kept``, the first so many (``prefix``, as a journal
        leaves them) or ``any`` of them, each kept with the probability ``odds``.
    :ivar data: pages, sizes and times of files: ``lost``, ``kept`` or ``torn`` (each page old, new, zeros or garbage).
    """

    names: str
    data: str
    odds: float
    random: Random

    @classmethod
    def sample(cls, random: Random) -> Crash:
        """One of all crashes."""
        names = random.choice(("lost", "prefix", "prefix", "any", "any", "any", "kept"))
        data = random.choice(("lost", "lost", "torn", "torn", "kept"))
        return cls(names, data, random.choice((0.1, 0.5, 0.9)), random)

    def keeps(self) -> bool:
        """Whether one change of a name survives, where each is on its own."""
        return self.names == "kept" or (self.names == "any" and self.random.random() < self.odds)

    def kept_of(self, count: int) -> int:
        """How many of ``count`` changes survive that can only survive in their order."""
        if self.names in ("lost", "kept"):
            return count if self.names == "kept" else 0
        return self.random.randint(0, count)


@attrs.define(eq=False)
class Inode:
    """What files and directories have in common.

    :ivar attributes: extended attributes as the kernel shows them.
    :ivar pending_attributes: those set since the last sync, in order.
    :ivar stable_links: how many names lead here on stable storage.
    """

    number: int
    now: int
    links: int = 0
    opened: int = 0
    stable_links: int = 0
    attributes: dict[str, bytes] = attrs.field(factory=dict)
    stable_attributes: dict[str, bytes] = attrs.field(factory=dict)
    pending_attributes: list[tuple[str, bytes]] = attrs.field(factory=list)
    mtime_ns: int = 0
    ctime_ns: int = 0

    def __attrs_post_init__(self) -> None:
        self.touch(self.now)

    def touch(self, now: int, modified: bool = True) -> None:
        """Stamp a change."""
        self.ctime_ns = now - now % TICK_NS
        if modified:
            self.mtime_ns = self.ctime_ns

    def set_attribute(self, name: str, value: bytes) -> None:
        """Set an extended attribute, not yet on stable storage."""
        self.attributes[name] = value
        self.pending_attributes.append((name, value))

    def sync_attributes(self) -> None:
        """Bring the attributes to stable storage."""
        self.stable_attributes = dict(self.attributes)
        self.pending_attributes.clear()

    def surviving_attributes(self, crash: Crash) -> dict[str, bytes]:
        """The attributes after a crash."""
        kept = self.pending_attributes[: crash.kept_of(len(self.pending_attributes))]
        return {**self.stable_attributes, **dict(kept)}


@attrs.define(eq=False)
class File(Inode):
    """A regular file.

    :ivar content: as the kernel shows it.
    :ivar stable: as it is on stable storage.
    :ivar dirty: the pages that were written since, each with the first and the last byte of it that was. A crash
        harms no byte beside those ("powersafe overwrite").
    """

    content: bytearray = attrs.field(factory=bytearray)
    stable: bytes = b""
    stable_mtime_ns: int = 0
    dirty: dict[int, tuple[int, int]] = attrs.field(factory=dict)

    def stat(self) -> Stat:
        """What the store asks."""
        return Stat(Kind.FILE, len(self.content), self.mtime_ns, self.ctime_ns, self.number, self.links)

    def write(self, offset: int, data: bytes, now: int) -> None:
        """Write, leaving a hole where the file was shorter."""
        if data:
            if len(self.content) < offset:
                self._soil(len(self.content), offset)
                self.content.extend(bytes(offset - len(self.content)))
            self.content[offset : offset + len(data)] = data
            self._soil(offset, offset + len(data))
        self.touch(now)

    def truncate(self, size: int, now: int) -> None:
        """Set the size."""
        before = len(self.content)
        self._soil(min(size, before), max(size, before))
        del self.content[size:]
        self.content.extend(bytes(size - len(self.content)))
        self.touch(now)

    def sync(self) -> None:
        """Bring everything but the names to stable storage."""
        if self.dirty or len(self.stable) != len(self.content):
            self.stable = bytes(self.content)
            self.dirty.clear()
        self.stable_mtime_ns = self.mtime_ns
        self.sync_attributes()

    def lose_dirty(self) -> None:
        """What a failed sync does: the kernel still shows the bytes, takes them for clean, and has not stored them."""
        self.dirty.clear()

    def crashed(self, crash: Crash) -> File:
        """The file after a crash."""
        content = self._surviving(crash)
        keeps_time = crash.data == "kept" or (crash.data == "torn" and crash.random.random() < 0.5)
        after = File(self.number, 0, content=bytearray(content), stable=content)
        after.attributes = self.surviving_attributes(crash)
        after.stable_attributes = dict(after.attributes)
        after.mtime_ns = after.stable_mtime_ns = self.mtime_ns if keeps_time else self.stable_mtime_ns
        after.ctime_ns = self.ctime_ns
        return after

    def _soil(self, start: int, stop: int) -> None:
        for page in range(start // PAGE_BYTES, (stop + PAGE_BYTES - 1) // PAGE_BYTES):
            first, last = max(start, page * PAGE_BYTES), min(stop, (page + 1) * PAGE_BYTES)
            before = self.dirty.get(page, (first, last))
            self.dirty[page] = min(first, before[0]), max(last, before[1])

    def _surviving(self, crash: Crash) -> bytes:
        if crash.data == "lost":
            return self.stable
        if crash.data == "kept":
            # Not simply the content: a failed sync may have lost some of what the kernel shows.
            size, choices = len(self.content), (self.content,)
        else:
            size = crash.random.choice((len(self.stable), len(self.content)))
            noise = crash.random.randbytes(PAGE_BYTES)
            choices = (self.content, self.stable, bytes(size), noise * (size // PAGE_BYTES + 1))  # type: ignore[assignment]
        after = bytearray(self.stable[:size].ljust(size, b"\0"))
        for page in sorted(self.dirty):
            start, stop = self.dirty[page][0], min(self.dirty[page][1], size)
            if start < stop:
                origin = choices[0] if len(choices) == 1 else crash.random.choice(choices)
                after[start:stop] = bytes(origin[start:stop]).ljust(stop - start, b"\0")
        return bytes(after)


@attrs.define(eq=False)
class Directory(Inode):
    """A directory.

    :ivar entries: as the kernel shows them.
    :ivar stable: as they are on stable storage.
    """

    entries: dict[bytes, Inode] = attrs.field(factory=dict)
    stable: dict[bytes, Inode] = attrs.field(factory=dict)

    def stat(self) -> Stat:
        """What the store asks."""
        return Stat(Kind.DIRECTORY, 4096, self.mtime_ns, self.ctime_ns, self.number, 2)


@attrs.define(eq=False)
class Change:
    """A name that was given to something, or with None taken away.

    :ivar step: changes of one rename have the same.
    :ivar emptied: the directory that was removed.
    """

    directory: Directory
    name: bytes
    target: Inode | None
    step: int
    emptied: Directory | None = None


def apply(change: Change, entries: dict[bytes, Inode]) -> None:
    """Make a change of a name."""
    if change.target is None:
        entries.pop(change.name, None)
    else:
        entries[change.name] = change.target


def with_needed(changes: Sequence[Change], kept: set[Change], atomic_renames: bool) -> Sequence[Change]:
    """The changes that survive together with ``kept``, in order.

    No filesystem removes a directory without all that was removed from it before. And both changes of a rename survive
    together, with ``atomic_renames`` or when it is a directory that moves: those never have two names.
    """
    found: set[Change] = set()
    more = set(kept)
    while more:
        found |= more
        emptied = {change.emptied for change in more if change.emptied is not None}
        steps = {change.step for change in more}
        moved = {change.step for change in changes if isinstance(change.target, Directory)}
        more = {
            change
            for change in changes
            if change.directory in emptied or (change.step in steps and (atomic_renames or change.step in moved))
        } - found
    return [change for change in changes if change in found]


def surviving(changes: Sequence[Change], crash: Crash, atomic_renames: bool) -> Sequence[Change]:
    """Which of the changes of names that were not synced are there after a crash, in order.

    :param atomic_renames: whether both changes of a rename survive, or none.
    """
    if crash.names == "prefix":
        cut = crash.random.randint(0, len(changes))
        while atomic_renames and 0 < cut < len(changes) and changes[cut - 1].step == changes[cut].step:
            cut += 1
        return changes[:cut]
    decided: dict[object, bool] = {}
    kept = set()
    for change in changes:
        alone = change if not atomic_renames and isinstance(change.target, File) else change.step
        if alone not in decided:
            decided[alone] = crash.keeps()
        if decided[alone]:
            kept.add(change)
    return with_needed(changes, kept, atomic_renames)
