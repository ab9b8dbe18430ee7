"""Side files of records that no file has any more: a crash between their writing and their object's leaves them.

Nothing tells from a side file whose it is, so every file is asked. That takes its time, in which files move: whoever
moves a file that has a side file touches this first (:meth:`Metadata.hold`), and whoever makes one publishes its object
soon. So a side file that was neither referred to nor changed in a walk that began long after its last change belongs to
nothing. A file moved by hand could be missed; two walks in a row will not.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from twisted_s3.storage.filesystem.disk import Access, IDisk, Kind
from twisted_s3.storage.filesystem.layout import BUCKETS, QUARANTINE, RECORDS, STAGING, STATE
from twisted_s3.storage.filesystem.leftovers import Leftover
from twisted_s3.storage.filesystem.metadata import Metadata

_GONE = (FileNotFoundError, NotADirectoryError)
_WALKS = 2


class Orphans:
    """Looks for orphaned side files.

    :param now: gives the time of day, in seconds since the epoch.
    """

    def __init__(self, disk: IDisk, metadata: Metadata, now: Callable[[], float]) -> None:
        self._disk = disk
        self._metadata = metadata
        self._now = now

    def find(self, repair: bool, grace: float) -> Iterator[Leftover]:
        """Look for side files older than ``grace`` seconds that no file has; with ``repair``, remove them.

        Where a record can not be read, none is taken for an orphan.

        :raise OSError: when a file can not be read: it might have any of them.
        """
        limit = int((self._now() - grace) * 1e9)
        candidates = {path for path in self._side_files() if self._changed(path, limit) is False}
        for _ in range(_WALKS):
            for path in self._everything(candidates):
                known = self._side_files_of(path)
                if known is None:
                    detail = "its record can not be read: any side file may be its, so that none is taken for an orphan"
                    yield Leftover("unreadable", path, detail, removable=False)
                    return
                candidates.difference_update(known)
        for path in sorted(candidates):
            if self._changed(path, limit) is False:
                if repair:
                    self._metadata.forget(path)
                yield Leftover("metadata", path, "no file has it", removed=repair)

    def _side_files(self) -> Iterator[bytes]:
        for name, kind in self._disk.scan(RECORDS):
            if kind is Kind.DIRECTORY:
                folder = b"%b/%b" % (RECORDS, name)
                yield from (b"%b/%b" % (folder, file) for file, _ in self._disk.scan(folder))

    def _changed(self, path: bytes, limit: int) -> bool | None:
        """Whether it was changed after ``limit``, in nanoseconds since the epoch; None when it is gone."""
        try:
            return self._disk.stat(path).mtime_ns >= limit
        except _GONE:
            return None

    def _everything(self, wanted: set[bytes]) -> Iterator[bytes]:
        """All files that may have a side file, as long as any is ``wanted``. A file that moves may be missed."""
        pending = [b"%b" % name for name, kind in self._disk.scan(b"") if kind is Kind.DIRECTORY and name != STATE]
        pending += [BUCKETS, STAGING, QUARANTINE]
        while pending and wanted:
            directory = pending.pop()
            try:
                entries = self._disk.scan(directory)
            except _GONE:
                continue
            for name, kind in entries:
                path = b"%b/%b" % (directory, name)
                if kind is Kind.DIRECTORY:
                    pending.append(path)
                elif kind is Kind.FILE:
                    yield path

    def _side_files_of(self, path: bytes) -> Collection[bytes] | None:
        """The side files that a file may have; None when that can not be told."""
        try:
            descriptor = self._disk.open(path, Access.READ)
        except _GONE:
            return ()
        try:
            stat = self._disk.fstat(descriptor)
            if self._metadata.is_garbled(descriptor, stat):
                return None
            return list(self._metadata.side_files(descriptor, stat))
        finally:
            self._disk.close(descriptor)
