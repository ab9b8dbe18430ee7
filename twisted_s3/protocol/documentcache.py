"""Documents that were parsed, kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class DocumentCache(Generic[T]):
    """Keeps what the documents say that were asked for last.

    The document is the key, so that an entry can not be out of date.

    :param parse: reads a document.
    :param size: how many are kept.
    """

    def __init__(self, parse: Callable[[bytes], T], size: int = 256) -> None:
        self._parse = parse
        self._size = size
        self._parsed: dict[bytes, T] = {}

    def get(self, document: bytes) -> T:
        """What a document says. :raise S3Error: what the parser raises."""
        try:
            parsed = self._parsed.pop(document)
        except KeyError:
            parsed = self._parse(document)
            if len(self._parsed) >= self._size:
                del self._parsed[next(iter(self._parsed))]
        self._parsed[document] = parsed
        return parsed
