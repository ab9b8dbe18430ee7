"""The head of an HTTP request as S3 sees it: everything but the body."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar, overload
from urllib.parse import unquote_to_bytes

from msgspec import Struct

from twisted_s3.discreet import Discreet
from twisted_s3.errors import S3Error

T = TypeVar("T")


class _once(Generic[T]):
    """A property that is computed once. ``functools.cached_property`` takes a lock for it before Python 3.12."""

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute = compute
        self._name = compute.__name__
        self.__doc__ = compute.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> _once[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> T | _once[T]:
        if instance is None:
            return self
        value = instance.__dict__[self._name] = self._compute(instance)
        return value


def split_query(query: bytes) -> Sequence[tuple[str, str]]:
    """Split a raw query into decoded (name, value) pairs; a name without ``=`` has the value "".

    A ``+`` is a space, as AWS reads it. Bytes that are not UTF-8 raise ``InvalidURI``.

    :raise S3Error: ``InvalidURI``.
    """
    if not query:
        return ()
    try:
        text = query.decode("utf-8")
    except UnicodeDecodeError:
        raise S3Error("InvalidURI") from None
    pairs = []
    for item in text.split("&"):
        if item:
            name, _, value = item.partition("=")
            if "%" in item or "+" in item:
                name, value = _decode(name), _decode(value)
            pairs.append((name, value))
    return pairs


def _names_in(query: bytes) -> Sequence[bytes]:
    return [item.partition(b"=")[0] for item in query.split(b"&") if item]


def _decode(text: str) -> str:
    try:
        return unquote_to_bytes(text.replace("+", " ")).decode("utf-8")
    except UnicodeDecodeError:
        raise S3Error("InvalidURI") from None


class RequestHead(Discreet, Struct, frozen=True, dict=True):
    """A request without its body.

    :ivar method: upper case.
    :ivar path: the path of the request target, its bytes as sent.
    :ivar query: the query as sent, without the ``?``.
    :ivar headers: lower-case name to the values in order, each stripped, decoded as latin-1.
    :ivar secure: whether it came over TLS.

    Its ``repr`` has the names of headers and parameters only: signatures, tokens and keys are among the values.
    """

    method: str
    path: bytes
    query: bytes
    headers: Mapping[str, Sequence[str]]
    secure: bool = False

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """What is shown of it."""
        shown = {"query": _names_in(self.query), "headers": sorted(self.headers)}
        return [(name, shown.get(name, value)) for name, value in super().__rich_repr__()]

    def header(self, name: str) -> str | None:
        """The value of a header by its lower-case name, several joined by commas; None if absent."""
        values = self.headers.get(name)
        if values is None:
            return None
        return values[0] if len(values) == 1 else ",".join(values)

    @_once
    def pairs(self) -> Sequence[tuple[str, str]]:
        """The query's decoded (name, value) pairs in order."""
        return split_query(self.query)

    @_once
    def parameters(self) -> Mapping[str, str]:
        """The query's decoded parameters; of a repeated name the first."""
        return dict(reversed(self.pairs))
