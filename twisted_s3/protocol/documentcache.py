"""Documents that were parsed, kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class DocumentCache(Generic[P, T]):
    """Keeps what the documents say that were asked for last.

    The document, with whatever else its meaning depends on, is the key, so that an entry can not be out of date.

    :param parse: reads a document.
    :param size: how many are kept.
    """

    def __init__(self, parse: Callable[P, T], size: int = 256) -> None:
        self._parse = parse
        self._size = size
        self._parsed: dict[tuple[object, ...], T] = {}

    def __len__(self) -> int:
        return len(self._parsed)

    def get(self, *asked: P.args, **named: P.kwargs) -> T:
        """What a document says. The arguments are those of the parser.

        :raise S3Error: what the parser raises.
        """
        key = (asked, *named.items())
        try:
            parsed = self._parsed.pop(key)
        except KeyError:
            parsed = self._parse(*asked, **named)
            if len(self._parsed) >= self._size:
                del self._parsed[next(iter(self._parsed))]
        self._parsed[key] = parsed
        return parsed
