"""The contract between what queues events with the writes that they tell of, and what delivers them."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

from msgspec import Struct
from zope.interface import Attribute, Interface

from twisted_s3.interfaces import Pending
from twisted_s3.model import Deletion, ObjectVersion

#: What a line of a queue says: JSON.
Content = Mapping[str, Any]


class Position(Struct, frozen=True, order=True):
    """A place in a queue."""

    segment: int
    offset: int = 0

    def __str__(self) -> str:
        """16 hex digits, which sort as positions do."""
        return f"{self.segment:08X}{self.offset:08X}"

    @classmethod
    def of(cls, text: str) -> Position:
        """What :meth:`__str__` wrote. :raise ValueError: for anything else."""
        if len(text) != 16:
            raise ValueError(f"{text!r} is no position")
        return cls(int(text[:8], 16), int(text[8:], 16))


#: Before everything.
BEGINNING = Position(0)


class Line(Struct, frozen=True):
    """A line, where it begins and where the next one does."""

    position: Position
    behind: Position
    content: Content


class Stretch(Struct, frozen=True):
    """Lines behind each other.

    :ivar behind: where to read on.
    :ivar lost: whether something was to be read before them that is no longer there.
    """

    lines: Sequence[Line]
    behind: Position
    lost: bool = False


class Letter(Struct, frozen=True):
    """A message that could not be delivered.

    :ivar name: tells it from the others of its target.
    :ivar message: what was to be delivered.
    :ivar problem: why it was not.
    :ivar attempts: how often that was tried.
    :ivar time: when it was given up, seconds since the epoch.
    """

    name: str
    message: Content
    problem: str
    attempts: int
    time: float


class IEventQueue(Interface):
    """Where events are queued, to survive whatever happens to the process."""

    def begin(bucket: str, key: str, change: ObjectVersion | Deletion, payload: Content, made: bool) -> Pending | None:
        """Queue the event of a commit that is about to be tried; it counts once that is committed. May block.

        :param payload: what is to be delivered, and to which targets.
        :param made: whether the commit makes the version or delete marker, and does not only change or remove it.
        :return: None where the commit goes on without its event.
        :raise OSError: when it can not be queued.
        """

    def announce(payload: Content) -> Awaitable[None]:
        """Queue something that tells of no commit."""


class IEventFeed(Interface):
    """What a queue tells those who deliver from it. Targets go by their names."""

    def read(start: Position) -> Awaitable[Stretch]:
        """The lines from a position on, some at a time; none at the end."""

    def happened(line: Line) -> Awaitable[bool]:
        """Whether the commit happened of which a line tells; waits for whoever is at work on it."""

    def cursor(target: str) -> Awaitable[Position]:
        """The position before which all is delivered."""

    def advance(target: str, position: Position, targets: Sequence[str]) -> Awaitable[None]:
        """Set the cursor, and let go of what all ``targets`` have."""

    def bury(target: str, letter: Letter) -> Awaitable[None]:
        """Keep a letter among the dead ones."""

    def again(target: str) -> Awaitable[Sequence[Letter]]:
        """Letters that are to be tried again, the oldest first, some at a time."""

    def done(target: str, letter: Letter) -> Awaitable[None]:
        """Forget a letter that was tried again."""


class Refused(Exception):
    """A target that will never take a message has said so."""


class ITarget(Interface):
    """Where events go."""

    concurrency: int = Attribute("How many messages may be on their way at once.")

    def deliver(id: str, body: bytes) -> Awaitable[None]:
        """Deliver one message; it is there when this fires.

        :param id: the same for each attempt.
        :raise Refused: when there is no point in trying again. All other errors are for now.
        """

    def close() -> Awaitable[None]:
        """Let go of connections and threads; it may be used again."""
