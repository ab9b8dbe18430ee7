"""What is kept about a target of events: how far it has come, and the letters that it would not take. May block.

Letters are files of their own, under the position in the log that they had, so that they sort as they happened.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress

from msgspec import structs
from twisted.logger import Logger

from twisted_s3.queueing import BEGINNING, Letter, Position
from twisted_s3.storage.filesystem.disk import IDisk
from twisted_s3.storage.filesystem.files import Files
from twisted_s3.storage.filesystem.layout import EVENTS, parent
from twisted_s3.storage.filesystem.sync import DirectorySync

_TARGETS = EVENTS + b"/targets"
_DEAD, _AGAIN = b"dead", b"again"

#: How many dead letters a target has at most; the oldest go.
MAX_DEAD_LETTERS = 10_000
_AT_A_TIME = 100


class Deliveries:
    """What is kept about the targets of one data directory."""

    _log = Logger()

    def __init__(self, disk: IDisk, files: Files, directories: DirectorySync) -> None:
        self._disk = disk
        self._files = files
        self._directories = directories

    def cursor(self, target: str) -> Position:
        """The position before which all is delivered."""
        raw = self._files.load(_path(target, b"cursor"))
        try:
            return BEGINNING if raw is None else Position.of(raw.decode().strip())
        except ValueError:
            return BEGINNING

    def advance(self, target: str, position: Position) -> None:
        """Set the cursor."""
        self._save(f"{position}\n".encode(), _path(target, b"cursor"))

    def bury(self, target: str, letter: Letter) -> None:
        """Keep a letter among the dead ones."""
        names = self._names(target, _DEAD)
        for name in names[: max(len(names) + 1 - MAX_DEAD_LETTERS, 0)]:
            self._log.critical("{target} has too many dead letters: {name} goes", target=target, name=name)
            self._unlink(_path(target, _DEAD, name))
        text = json.dumps(structs.asdict(letter), indent=1).encode()
        self._save(text, _path(target, _DEAD, letter.name))

    def dead(self, target: str) -> Sequence[Letter]:
        """The dead letters, the oldest first."""
        return self._letters(target, _DEAD)

    def again(self, target: str) -> Sequence[Letter]:
        """The letters that are to be tried again, the oldest first, some at a time."""
        return self._letters(target, _AGAIN, _AT_A_TIME)

    def retry(self, target: str, name: str) -> bool:
        """Have a dead letter tried again. Gives whether there was one of that name."""
        source, goal = _path(target, _DEAD, name), _path(target, _AGAIN, name)
        self._files.ensure(parent(goal))
        # No crash may keep the move and lose where it went.
        self._directories.reach(parent(goal))
        found = True
        try:
            self._disk.rename(source, goal)
        except FileNotFoundError:
            found = False
        # Also when there was none: whoever moved or removed it may have been killed before this was on stable storage.
        self._directories.sync(parent(goal))
        self._directories.sync(parent(source))
        return found

    def done(self, target: str, letter: Letter) -> None:
        """Forget a letter that was tried again: it was delivered, or is dead anew."""
        self._unlink(_path(target, _AGAIN, letter.name))

    def discard(self, target: str, name: str) -> bool:
        """Forget a dead letter. Gives whether there was one of that name."""
        return self._unlink(_path(target, _DEAD, name))

    def targets(self) -> Sequence[str]:
        """The names of the targets of which something is kept."""
        with suppress(FileNotFoundError):
            return sorted(name.decode() for name, _ in self._disk.scan(_TARGETS))
        return []

    def _letters(self, target: str, folder: bytes, most: int = MAX_DEAD_LETTERS) -> Sequence[Letter]:
        letters: list[Letter] = []
        for name in self._names(target, folder):
            if len(letters) == most:
                break
            raw = self._files.load(_path(target, folder, name))
            letter = None if raw is None else load_letter(raw)
            if letter is not None:
                letters.append(letter)
            elif raw is not None:
                self._log.error("{target} has a file that is no letter: {name}", target=target, name=name)
        return letters

    def _names(self, target: str, folder: bytes) -> Sequence[str]:
        with suppress(FileNotFoundError, NotADirectoryError):
            return sorted(name.decode() for name, _ in self._disk.scan(_path(target, folder)))
        return []

    def _save(self, document: bytes, path: bytes) -> None:
        self._files.ensure(parent(path))
        self._files.save(document, path, replace=True, top=EVENTS)

    def _unlink(self, path: bytes) -> bool:
        found = True
        try:
            self._disk.unlink(path)
        except (FileNotFoundError, NotADirectoryError):
            found = False
        self._directories.sync(parent(path))
        return found


#: The end of the last year that can be written, in seconds since the epoch.
_LATEST = 253_402_300_800


def load_letter(raw: bytes) -> Letter | None:
    """What the file of a letter says; None when it is none, whoever wrote it."""
    try:
        letter = Letter(**json.loads(raw))
    except (ValueError, TypeError, RecursionError):
        return None
    texts = isinstance(letter.name, str) and isinstance(letter.problem, str) and isinstance(letter.message, dict)
    known = type(letter.attempts) is int and type(letter.time) in (int, float)
    return letter if texts and known and 0 <= letter.time < _LATEST else None


def _path(target: str, *rest: bytes | str) -> bytes:
    parts = [part.encode() if isinstance(part, str) else part for part in rest]
    return b"/".join((_TARGETS, target.encode(), *parts))
