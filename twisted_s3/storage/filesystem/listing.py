"""The ordered walk over a bucket's keys, and the sorted directory listings that it goes through.

A walk costs what it yields: it seeks by bisection in the sorted names of each directory on the way to its
start, and reads no directory that lies before it. The sorted names are kept as long as the directory's
own times tell that nothing in it has changed, so that the pages of a large directory cost one scan.
"""

from __future__ import annotations

import errno
import threading
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from typing import Protocol

from msgspec import Struct
from twisted.internet.interfaces import IReactorTime

from twisted_s3.protocol.walks import KeyWalk
from twisted_s3.storage.filesystem.disk import IDisk, Kind, Stat
from twisted_s3.storage.filesystem.marks import Mark, is_settled, mark

#: How many names are kept unless told otherwise; a name takes about 80 bytes.
DEFAULT_NAMES_LIMIT = 2_000_000

_GONE = frozenset((errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG))

_SCANNERS = 16

#: For how many names the snapshot of a directory counts, beside its own: it takes about as much memory.
_DIRECTORY_WEIGHT = 8


class KeyTree(Protocol):
    """A folder of files in the order of their keys, where a directory ``a`` is compared as ``a/``."""

    @property
    def base(self) -> bytes:
        """The folder."""

    def components(self, key: str) -> Sequence[bytes]:
        """The names below the folder that lead to the first key >= ``key``."""

    def key(self, components: Sequence[bytes]) -> str | None:
        """The key of a file; None when it is not one."""


class _Snapshot(Struct, frozen=True):
    """The sorted names of a directory, and what told it apart before it was read."""

    mark: Mark
    names: Sequence[str]

    @property
    def weight(self) -> int:
        return len(self.names) + _DIRECTORY_WEIGHT


class DirectorySnapshots:
    """Sorted listings of directories, kept while they are true. Usable from several threads.

    :param disk: reads the directories.
    :param clock: the time of day, which has to be the filesystem's.
    :param limit: the number of names to keep; the listing that was not used for longest goes first.
    """

    def __init__(self, disk: IDisk, clock: IReactorTime, limit: int = DEFAULT_NAMES_LIMIT) -> None:
        self._disk = disk
        self._clock = clock
        self._limit = limit
        self._kept: OrderedDict[bytes, _Snapshot] = OrderedDict()
        self._size = 0
        self._guard = threading.Lock()
        self._scanning = [threading.Lock() for _ in range(_SCANNERS)]

    @property
    def size(self) -> int:
        """How many names are kept; every directory counts for eight more."""
        return self._size

    def names(self, path: bytes) -> Sequence[str]:
        """The names in a directory in order: of regular files, and of directories with a ``/`` at the end.

        Symlinks, other kinds and names that are not UTF-8 are left out. What is no directory has no names.

        :raise OSError: when the directory is there but can not be read.
        """
        names = self._find(path)
        if names is None:
            # One scan at a time for a path: those who wait for it find what it kept.
            with self._scanning[hash(path) % _SCANNERS]:
                names = self._find(path)
                if names is None:
                    names = self._scan(path)
        return names

    def _find(self, path: bytes) -> Sequence[str] | None:
        """The names that were kept, if they are still true; no names for what is not there."""
        found = self._stat(path)
        if found is None:
            self._forget(path)
            return ()
        with self._guard:
            snapshot = self._kept.get(path)
            if snapshot is None or snapshot.mark != mark(found):
                return None
            self._kept.move_to_end(path)
            return snapshot.names

    def _scan(self, path: bytes) -> Sequence[str]:
        self._forget(path)
        # The stat comes first: a change during the scan then makes the snapshot outdated, not wrong.
        now = int(self._clock.seconds() * 1_000_000_000)
        found = self._stat(path)
        if found is None:
            return ()
        try:
            names = _sorted_names(self._disk.scan(path))
        except OSError as error:
            if error.errno in _GONE:
                return ()
            raise
        if is_settled(found, now):
            self._keep(path, _Snapshot(mark(found), names))
        return names

    def _stat(self, path: bytes) -> Stat | None:
        try:
            return self._disk.stat(path)
        except OSError as error:
            if error.errno in _GONE:
                return None
            raise

    def _keep(self, path: bytes, snapshot: _Snapshot) -> None:
        if snapshot.weight > self._limit:
            return
        with self._guard:
            self._kept[path] = snapshot
            self._size += snapshot.weight
            while self._size > self._limit:
                _, oldest = self._kept.popitem(last=False)
                self._size -= oldest.weight

    def _forget(self, path: bytes) -> None:
        with self._guard:
            snapshot = self._kept.pop(path, None)
            if snapshot is not None:
                self._size -= snapshot.weight


def key_walk(snapshots: DirectorySnapshots, *trees: KeyTree) -> KeyWalk:
    """The walk over the keys of all ``trees``, in one order; a key in several of them is given once.

    It blocks on the disk. A directory that vanishes meanwhile gives nothing. It is for one page: starts have to be ever
    greater, and only the newest iterator may be used.

    :raise OSError: from the walk, when a directory can not be read.
    """

    routes = [(tree, _Route(snapshots, tree.base)) for tree in trees]

    def walk(start: str) -> Iterator[str]:
        previous = None
        for key in merge(*(_tree_keys(tree, route, start) for tree, route in routes)):
            if key != previous:
                yield key
                previous = key

    return walk


def _tree_keys(tree: KeyTree, route: _Route, start: str) -> Iterator[str]:
    first = b"/".join(tree.components(start)).decode()
    for path in route.paths(first):
        key = tree.key(path.encode().split(b"/"))
        if key is not None:
            yield key


def paths_from(snapshots: DirectorySnapshots, base: bytes, start: str) -> Iterator[str]:
    """The paths of all files below ``base`` from ``start`` on, in order."""
    return _Route(snapshots, base).paths(start)


class _Route:
    """The directories on the way to where a walk is.

    A walk that passes over groups begins anew behind each of them. The directories that lead to its new start are not
    looked at again: a page tells of them as they were when it came to them first, which was after it was asked for.
    """

    def __init__(self, snapshots: DirectorySnapshots, base: bytes) -> None:
        self._snapshots = snapshots
        self._base = base
        self._entered: dict[str, Sequence[str]] = {}

    def paths(self, start: str) -> Iterator[str]:
        """The paths of all files from ``start`` on, in order. Only the newest of these iterators may be used."""
        self._entered = {folder: names for folder, names in self._entered.items() if start.startswith(folder)}
        pending = [("", _names_from(self._enter(""), start))]
        while pending:
            folder, names = pending[-1]
            for name in names:
                path = folder + name
                if name[-1] != "/":
                    yield path
                    continue
                rest = start[len(path) :] if start.startswith(path) else ""
                pending.append((path, _names_from(self._enter(path), rest)))
                break
            else:
                pending.pop()
                if folder:
                    del self._entered[folder]

    def _enter(self, folder: str) -> Sequence[str]:
        names = self._entered.get(folder)
        if names is None:
            path = b"%b/%b" % (self._base, folder[:-1].encode()) if folder else self._base
            names = self._entered[folder] = self._snapshots.names(path)
        return names


def _names_from(names: Sequence[str], start: str) -> Iterator[str]:
    """The names that may lead to a path >= ``start``, without a copy of them."""
    first, slash, _ = start.partition("/")
    return map(names.__getitem__, range(bisect_left(names, first + slash), len(names)))


def _sorted_names(entries: Iterable[tuple[bytes, Kind]]) -> Sequence[str]:
    names = []
    for raw, kind in entries:
        if kind is Kind.OTHER:
            continue
        try:
            name = raw.decode()
        except UnicodeDecodeError:
            continue
        names.append(name if kind is Kind.FILE else name + "/")
    names.sort()
    return names
