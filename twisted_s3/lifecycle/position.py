"""How far the job has come, kept durably, so that whoever has it next goes on there."""

from __future__ import annotations

import json

from msgspec import Struct, structs
from zope.interface import implementer

from twisted_s3.interfaces import INotes

#: The name of the job, of its lease and of its note.
NAME = "lifecycle"


class Position(Struct, frozen=True):
    """How far it has come.

    :ivar bucket: the one that it is at, "" between two rounds.
    :ivar start: the key to go on with.
    :ivar completed: when the last round ended, 0.0 for never.
    """

    bucket: str = ""
    start: str = ""
    completed: float = 0.0


async def load_position(notes: INotes) -> Position:
    """The position on record; the beginning where there is none that can be read."""
    raw = await notes.load_note(NAME)
    try:
        found = json.loads(raw or b"{}")
        position = Position(str(found["bucket"]), str(found["start"]), float(found["completed"]))
        # Half of a surrogate pair is in no key.
        (position.bucket + position.start).encode()
        return position
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return Position()


async def save_position(notes: INotes, position: Position) -> None:
    """Put a position on record."""
    await notes.save_note(NAME, json.dumps(structs.asdict(position)).encode())


@implementer(INotes)
class PassingNotes:
    """Notes that are lost with the process: for a store that only one has."""

    def __init__(self) -> None:
        self._notes: dict[str, bytes] = {}

    async def load_note(self, name: str) -> bytes | None:
        """The note of that name, None for none."""
        return self._notes.get(name)

    async def save_note(self, name: str, note: bytes) -> None:
        """Keep a note."""
        self._notes[name] = note
