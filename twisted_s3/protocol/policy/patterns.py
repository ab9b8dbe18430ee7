"""Wildcard patterns: ``*`` stands for any run of characters, also none and also ``/``; ``?`` for one character.

Matching never backtracks over a ``*``, so its time is bounded by the lengths of pattern and text whatever they hold:
patterns come from users.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from enum import Enum
from itertools import groupby

from msgspec import Struct


class Wild(Enum):
    """A wildcard."""

    ONE = "?"
    MANY = "*"


#: A pattern in pieces: text that stands for itself, and wildcards.
Tokens = Sequence[str | Wild]

#: Says whether a text matches.
Matcher = Callable[[str], bool]

_WILDCARDS = re.compile(r"([*?])")
_TOKENS: dict[str, Wild] = {wild.value: wild for wild in Wild}


def tokens_of(text: str) -> Tokens:
    """The tokens of a pattern."""
    return tuple(_TOKENS.get(piece, piece) for piece in _WILDCARDS.split(text) if piece)


class _Literal(Struct, frozen=True):
    """A run of text."""

    text: str

    @property
    def length(self) -> int:
        return len(self.text)

    def at(self, text: str, position: int) -> bool:
        return text.startswith(self.text, position)

    def find(self, text: str, start: int, end: int) -> int:
        return text.find(self.text, start, end)


class _Gapped:
    """A run of text with gaps of one character each. Searched for by the shift-and method."""

    def __init__(self, tokens: Tokens) -> None:
        self._pieces: list[tuple[int, str]] = []
        masks: dict[str, int] = {}
        self._gaps = 0
        offset = 0
        for token in tokens:
            if isinstance(token, Wild):
                self._gaps |= 1 << offset
                offset += 1
            else:
                self._pieces.append((offset, token))
                for place, character in enumerate(token, offset):
                    masks[character] = masks.get(character, 0) | 1 << place
                offset += len(token)
        self.length = offset
        self._masks = {character: mask | self._gaps for character, mask in masks.items()}

    def at(self, text: str, position: int) -> bool:
        return position + self.length <= len(text) and all(
            text.startswith(piece, position + offset) for offset, piece in self._pieces
        )

    def find(self, text: str, start: int, end: int) -> int:
        accepted = 1 << (self.length - 1)
        state = 0
        for place in range(start, end):
            state = (state << 1 | 1) & self._masks.get(text[place], self._gaps)
            if state & accepted:
                return place + 1 - self.length
        return -1


def _segment(tokens: Tokens) -> _Literal | _Gapped:
    if Wild.ONE in tokens:
        return _Gapped(tokens)
    return _Literal("".join(token for token in tokens if isinstance(token, str)))


def glob(tokens: Tokens) -> Matcher:
    """What matches the whole of a text against a pattern."""
    runs = [tuple(run) for many, run in groupby(tokens, lambda token: token is Wild.MANY) if not many]
    if Wild.MANY not in tokens:
        whole = _segment(tokens)
        if isinstance(whole, _Literal):
            return whole.text.__eq__
        return lambda text: len(text) == whole.length and whole.at(text, 0)
    head = _segment(runs.pop(0) if tokens[0] is not Wild.MANY else ())
    tail = _segment(runs.pop() if runs and tokens[-1] is not Wild.MANY else ())
    middle = tuple(_segment(run) for run in runs)

    def matches(text: str) -> bool:
        position, end = head.length, len(text) - tail.length
        if end < position or not head.at(text, 0) or not tail.at(text, end):
            return False
        for segment in middle:
            found = segment.find(text, position, end)
            if found < 0:
                return False
            position = found + segment.length
        return True

    return matches


def exact(tokens: Tokens) -> Matcher:
    """What matches a text that is the same."""
    return "".join(token if isinstance(token, str) else token.value for token in tokens).__eq__


def exact_ignoring_case(tokens: Tokens) -> Matcher:
    """What matches a text that is the same but for upper and lower case."""
    wanted = "".join(token if isinstance(token, str) else token.value for token in tokens).casefold()
    return lambda text: text.casefold() == wanted


def arn(tokens: Tokens) -> Matcher:
    """What matches an ARN, each of its six fields by itself; a lone ``*`` matches all.

    A ``*`` does not reach over a colon, but for those in the last field.
    """
    if list(tokens) == [Wild.MANY]:
        return lambda text: True
    fields: list[list[str | Wild]] = [[]]
    for token in tokens:
        if isinstance(token, Wild):
            fields[-1].append(token)
            continue
        first, *others = token.split(":", 6 - len(fields))
        fields[-1].append(first)
        fields.extend([other] for other in others)
    if len(fields) != 6:
        return lambda text: False
    globs = [glob([token for token in field if token != ""]) for field in fields]

    def matches(text: str) -> bool:
        parts = text.split(":", 5)
        return len(parts) == 6 and all(one(part) for one, part in zip(globs, parts, strict=True))

    return matches
