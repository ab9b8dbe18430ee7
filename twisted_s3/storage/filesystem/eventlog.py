"""The log of events that wait to be delivered: lines behind each other, of all processes. May block.

The log is cut into segments: files whose names are growing numbers. What is appended under the lock of a key is in the
order in which that key was written. A line that a crash tore off is left out when the log is read; whatever is synced
is whole. When all segments together would be too large the oldest goes, and what was in it is lost.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from zlib import crc32

from twisted.logger import Logger

from twisted_s3.queueing import Content, Line, Position, Stretch
from twisted_s3.storage.filesystem.disk import Access, Descriptor, IDisk
from twisted_s3.storage.filesystem.files import Files
from twisted_s3.storage.filesystem.layout import EVENT_LOG
from twisted_s3.storage.filesystem.locks import Locks
from twisted_s3.storage.filesystem.sync import DirectorySync

#: How large all segments together may be, in bytes, unless told otherwise, and how many there are then.
DEFAULT_LIMIT = 256 << 20
_SEGMENTS = 16
#: More of a segment could not be told by a position.
_LARGEST_SEGMENT = 1 << 30

#: How much is read at a time; no line is nearly as long.
_READ_BYTES = 256 << 10


class EventLog:
    """The log of one data directory.

    :param now: gives the time of day, in seconds since the epoch.
    :param limit: how large all segments together may be, in bytes.
    """

    _log = Logger()

    def __init__(
        self,
        disk: IDisk,
        files: Files,
        directories: DirectorySync,
        locks: Locks,
        now: Callable[[], float],
        limit: int = DEFAULT_LIMIT,
    ) -> None:
        self._disk = disk
        self._files = files
        self._directories = directories
        self._locks = locks
        self._now = now
        self._segment_bytes = min(max(limit // _SEGMENTS, 4096), _LARGEST_SEGMENT)
        self._segments = max(limit // self._segment_bytes, _SEGMENTS)
        self._newest = 0

    def append(self, content: Content, durable: bool) -> Position:
        """Add a line behind all others; with ``durable`` it is on stable storage when this returns."""
        text = json.dumps(content, separators=(",", ":")).encode()
        line = b"%08x %b\n" % (crc32(text), text)
        with self._locks.events():
            number, descriptor, size = self._last()
            try:
                torn = size and self._disk.read(descriptor, size - 1, 1) != b"\n"
                start = size + 1 if torn else size
                self._disk.write(descriptor, size, [b"\n", line] if torn else [line])
            except BaseException:
                self._disk.close(descriptor)
                raise
        try:
            if durable:
                self._disk.fsync(descriptor)
        finally:
            self._disk.close(descriptor)
        return Position(number, start)

    def read(self, start: Position) -> Stretch:
        """The lines from ``start`` on, some at a time; none at the end."""
        numbers = [number for number in self._numbers() if number >= start.segment]
        if not numbers:
            return Stretch((), start)
        lost = start.segment not in (0, numbers[0])
        if numbers[0] != start.segment:
            start = Position(numbers[0])
        data = self._bytes(start)
        whole, newline, _ = data.rpartition(b"\n")
        if not newline:
            # The rest of a segment that has a follower was torn off.
            ended = len(data) >= _READ_BYTES or len(numbers) > 1
            return Stretch((), self._after(start, len(data), numbers) if ended else start, lost)
        lines, at = [], start
        for raw in whole.split(b"\n"):
            behind = Position(at.segment, at.offset + len(raw) + 1)
            content = _content(raw)
            if content is not None:
                lines.append(Line(at, behind, content))
            at = behind
        return Stretch(lines, at, lost)

    def scan(self, start: Position) -> Iterator[Line]:
        """All lines from ``start`` to the end."""
        while True:
            stretch = self.read(start)
            yield from stretch.lines
            if stretch.behind == start:
                return
            start = stretch.behind

    def trim(self, before: Position) -> None:
        """Remove the segments that end before a position; never the last."""
        with self._locks.events():
            for number in self._numbers()[:-1]:
                if number < before.segment:
                    self._remove(number)

    def _bytes(self, start: Position) -> bytes:
        try:
            descriptor = self._disk.open(_path(start.segment), Access.READ)
        except FileNotFoundError:
            return b""
        try:
            return self._disk.read(descriptor, start.offset, _READ_BYTES)
        finally:
            self._disk.close(descriptor)

    def _after(self, start: Position, skipped: int, numbers: Sequence[int]) -> Position:
        if skipped >= _READ_BYTES:
            return Position(start.segment, start.offset + skipped)
        return Position(numbers[1])

    def _last(self) -> tuple[int, Descriptor, int]:
        """Open the segment to append to: its number and its size."""
        for number in (self._newest, max(self._numbers(), default=0)):
            opened = self._open_unless_full(number)
            if opened is not None:
                return opened
        return self._begin_segment()

    def _open_unless_full(self, number: int) -> tuple[int, Descriptor, int] | None:
        try:
            descriptor = self._disk.open(_path(number), Access.WRITE)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            size = self._disk.fstat(descriptor).size
            if size < self._segment_bytes and number != self._newest:
                # Whoever began it may have been killed before its name was on stable storage.
                self._directories.sync(EVENT_LOG)
                self._newest = number
        except BaseException:
            self._disk.close(descriptor)
            raise
        if size >= self._segment_bytes:
            self._disk.close(descriptor)
            return None
        return number, descriptor, size

    def _begin_segment(self) -> tuple[int, Descriptor, int]:
        self._files.ensure(EVENT_LOG)
        numbers = self._numbers()
        self._make_room(numbers)
        # A log that was removed and begun anew goes on behind where it was.
        number = max([int(self._now()), *(known + 1 for known in numbers)])
        descriptor = self._disk.open(_path(number), Access.NEW)
        try:
            self._directories.sync(EVENT_LOG)
        except BaseException:
            self._disk.close(descriptor)
            raise
        self._newest = number
        return number, descriptor, 0

    def _make_room(self, numbers: Sequence[int]) -> None:
        excess = len(numbers) + 1 - self._segments
        for number in numbers[: max(excess, 0)]:
            self._log.critical("the log of events is full: segment {number} goes, undelivered", number=number)
            self._remove(number)

    def _remove(self, number: int) -> None:
        with suppress(FileNotFoundError):
            self._disk.unlink(_path(number))

    def _numbers(self) -> Sequence[int]:
        try:
            names = self._disk.scan(EVENT_LOG)
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(int(name) for name, _ in names if name.isdigit())


def _path(number: int) -> bytes:
    return b"%b/%010d" % (EVENT_LOG, number)


def _content(raw: bytes) -> Content | None:
    """What a line says; None when it is not whole."""
    check, _, text = raw.partition(b" ")
    try:
        if int(check, 16) != crc32(text):
            return None
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


@contextmanager
def logged(log: Logger, what: str) -> Iterator[None]:
    """Log the failures of the disk, of something that is as well left undone."""
    try:
        yield
    except OSError:
        log.failure("{what}", what=what)
