"""A history of what clients asked and were told, and whether any order of events explains it.

A key is an atomic register: each write takes effect at one moment between its beginning and its end, and each read
gives what the last one before some moment of its own has left. That is checked as far as it follows from intervals
alone: what is read was written, whole, by a write that began before the read ended, and no other write lies wholly
between that and the read. A write counts as done when it is acknowledged or has been read, whichever is earlier: nobody
may read the old after somebody has read the new.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import attrs
from msgspec import Struct

from tests.proofs.promises import State


@attrs.define(eq=False)
class Write:
    """A write, or a deletion.

    :ivar state: what it leaves, None for nothing.
    :ivar ended: when it was acknowledged.
    :ivar done: when it had certainly taken effect.
    """

    state: State | None
    begun: float
    ended: float = math.inf
    done: float = math.inf


class Read(Struct, frozen=True):
    """What somebody saw.

    :ivar fits: whether a state is what was seen.
    :ivar own: the write that this is the condition of, which it can not have seen.
    """

    what: str
    begun: float
    ended: float
    fits: Mapping[str, object] | State | None
    own: Write | None = None

    def sees(self, state: State | None) -> bool:
        """Whether this is what was seen: all of it, or, of a listing, ETag and size."""
        if isinstance(self.fits, Mapping):
            return state is not None and all(getattr(state, name) == value for name, value in self.fits.items())
        return state == self.fits


class History:
    """The events of one client; `check` takes those of all."""

    def __init__(self) -> None:
        self.writes: dict[str, list[Write]] = defaultdict(list)
        self.reads: dict[str, list[Read]] = defaultdict(list)


def check(histories: Iterable[History]) -> Sequence[str]:
    """What no order of events explains, as sentences."""
    writes: dict[str, list[Write]] = defaultdict(lambda: [Write(None, -math.inf, -math.inf, -math.inf)])
    reads: dict[str, list[Read]] = defaultdict(list)
    for history in histories:
        for key, some in history.writes.items():
            writes[key] += some
        for key, looks in history.reads.items():
            reads[key] += looks
    return [complaint for key in sorted(reads) for complaint in _check_key(key, writes[key], reads[key])]


def _check_key(key: str, writes: Sequence[Write], reads: Sequence[Read]) -> Iterable[str]:
    sources = []
    for read in reads:
        sources.append([write for write in writes if write is not read.own and read.sees(write.state)])
        if isinstance(read.fits, State) and len(sources[-1]) == 1:
            sources[-1][0].done = min(sources[-1][0].done, read.ended)
    for read, candidates in zip(reads, sources, strict=True):
        if not candidates:
            yield f"{key}: {read.what} saw what nobody wrote: {read.fits}"
        elif all(write.begun > read.ended for write in candidates):
            yield f"{key}: {read.what} saw what was not yet written: {read.fits}"
        elif not any(write.begun <= read.ended and not _is_covered(write, read, writes) for write in candidates):
            yield f"{key}: {read.what} saw what had been overwritten before it began: {read.fits}"


def _is_covered(write: Write, read: Read, writes: Sequence[Write]) -> bool:
    return any(write.done < other.begun and other.done < read.begun for other in writes if other is not read.own)
