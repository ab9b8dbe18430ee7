"""What tells whether a file or directory is still as it was when it was read."""

from __future__ import annotations

from twisted_s3.storage.filesystem.disk import Stat

#: What changed so many nanoseconds before it was read may change again without a new time: kernels stamp with the
#: time of the last timer tick, 10 ms or less apart.
_SETTLE_NS = 20_000_000

#: The same for filesystems that keep whole seconds, or pairs of them.
_COARSE_SETTLE_NS = 2_020_000_000

Mark = tuple[int, int, int]


def mark(found: Stat) -> Mark:
    """What is different after any change, once the thing is settled."""
    return found.inode, found.mtime_ns, found.ctime_ns


def is_settled(found: Stat, now_ns: int) -> bool:
    """Whether any change after ``now_ns`` will show in the mark.

    The time of change decides, for nobody can set it; the other may lie in the future, as an archive had it.
    """
    coarse = found.ctime_ns % 1_000_000_000 == 0
    return now_ns - found.ctime_ns > (_COARSE_SETTLE_NS if coarse else _SETTLE_NS)
