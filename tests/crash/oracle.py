"""What may be found after a crash, from what clients did and were told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import attrs
import msgspec
from msgspec import Struct

from twisted_s3.model import Properties

T = TypeVar("T")

_NEVER = float("inf")


class Held(Struct, frozen=True):
    """An object as a client sees it, or one part of it. ``etag`` stands for the bytes; they were compared with it."""

    etag: str
    size: int
    properties: Properties = msgspec.field(default_factory=Properties)
    checksums: tuple[tuple[str, str], ...] = ()
    owner: str = ""


class _Anything:
    """What a thing may be when nobody can tell what it will be."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


#: Equal to everything.
ANYTHING: Any = _Anything()


@attrs.define(eq=False)
class Write(Generic[T]):
    """Something that a client does to a thing.

    :ivar value: what the thing is then.
    :ivar ended: since when it can not happen any more.
    :ivar acknowledged: whether the client was told that it is done.
    """

    value: T
    begun: float
    ended: float = _NEVER
    acknowledged: bool = False


class Clock:
    """Counts what happens."""

    def __init__(self) -> None:
        self._now = 0.0

    def tick(self) -> float:
        """The next moment."""
        self._now += 1
        return self._now


class History(Generic[T]):
    """What was done to one thing since its state was last known for sure."""

    def __init__(self, clock: Clock, value: T) -> None:
        self._clock = clock
        self._writes = [Write(value, -1.0, 0.0)]

    def begin(self, value: T) -> Write[T]:
        """A client asks for something that makes the thing be ``value``. From here on it may be."""
        write = Write(value, self._clock.tick())
        self._writes.append(write)
        return write

    def acknowledge(self, write: Write[T]) -> None:
        """The client was told that it is done."""
        write.ended = self._clock.tick()
        write.acknowledged = True

    def die(self) -> None:
        """Whoever was at work is gone: what was asked for was done before now, or never will be."""
        for write in self._writes:
            self.expire(write)

    def expire(self, write: Write[T]) -> None:
        """Nobody knows whether it was done, but from now on it will not be."""
        write.ended = min(write.ended, self._clock.tick())

    def refuse(self, write: Write[T]) -> None:
        """The client was told that nothing was done."""
        self._writes.remove(write)

    def settle(self, value: T) -> None:
        """It is known for sure what the thing is, on stable storage."""
        self._writes = [Write(value, -1.0, 0.0)]

    @property
    def allowed(self) -> Sequence[T]:
        """What the thing may be: all but what was acknowledged before a write began that was acknowledged, too."""
        return self.allowed_without(None)

    def allowed_without(self, left_out: Write[T] | None) -> Sequence[T]:
        """What the thing may be if one of the writes did not happen."""
        latest = max((write.begun for write in self._writes if write.acknowledged), default=-1.0)
        return [write.value for write in self._writes if write.ended >= latest and write is not left_out]

    @property
    def count(self) -> int:
        """How many writes there were, the first state included."""
        return len(self._writes)
