"""How encrypted bytes lie: which stored bytes hold which bytes of the object. Pure arithmetic.

What was written in one go, an object or a part of one, is a segment::

    magic (8)  salt (16)  frame  frame  ...

A frame is up to 64 KiB of the object and 16 bytes more, which authenticate them. Only the last one may be shorter, and
there always is one. So sizes and places follow from the size of what was written.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property

from msgspec import Struct

from twisted_s3.model import SEALED_MAGIC, ByteRange, ObjectVersion

#: Bytes of the object in a frame.
FRAME = 64 * 1024
#: Bytes that authenticate a frame.
TAG = 16
SALT = 16
#: Bytes before the first frame.
HEAD = len(SEALED_MAGIC) + SALT


def frame_count(size: int) -> int:
    """The number of frames of ``size`` bytes."""
    return max(1, -(-size // FRAME))


def stored_size(size: int) -> int:
    """How many bytes are stored for ``size`` bytes that are written in one go."""
    return HEAD + size + TAG * frame_count(size)


class Segment(Struct, frozen=True):
    """Bytes that were written in one go.

    :ivar number: of the part; 0 for an object that came in one piece.
    :ivar size: in bytes of the object.
    :ivar start: of the object's bytes.
    :ivar stored: where it begins in what is stored.
    """

    number: int
    size: int
    start: int
    stored: int

    @property
    def last_frame(self) -> int:
        """The number of its last frame."""
        return frame_count(self.size) - 1

    def frames(self, wanted: ByteRange) -> range:
        """The frames with the bytes ``wanted`` of the segment, of which there is one at least."""
        return range(wanted.start // FRAME, (wanted.stop - 1) // FRAME + 1)

    def place(self, frames: range) -> ByteRange:
        """Where frames lie in what is stored."""
        stop = min(HEAD + frames.stop * (FRAME + TAG), stored_size(self.size))
        return ByteRange(self.stored + HEAD + frames.start * (FRAME + TAG), self.stored + stop)


class Layout(Struct, frozen=True, dict=True):
    """The segments of an object, in order."""

    segments: Sequence[Segment]

    @classmethod
    def of(cls, version: ObjectVersion) -> Layout:
        """Those of a version that is encrypted."""
        written = [(part.number, part.size) for part in version.parts] or [(0, version.size)]
        segments = []
        start = stored = 0
        for number, size in written:
            segments.append(Segment(number, size, start, stored))
            start += size
            stored += stored_size(size)
        return cls(segments)

    @cached_property
    def _starts(self) -> Sequence[int]:
        return [segment.start for segment in self.segments]

    def cut(self, wanted: ByteRange) -> Iterator[tuple[Segment, ByteRange]]:
        """The segments with the bytes ``wanted`` of the object, and which of the bytes of each these are."""
        at = max(bisect_right(self._starts, wanted.start) - 1, 0)
        for segment in self.segments[at:]:
            start = max(wanted.start - segment.start, 0)
            stop = min(wanted.stop - segment.start, segment.size)
            if segment.start >= wanted.stop:
                return
            if start < stop:
                yield segment, ByteRange(start, stop)
