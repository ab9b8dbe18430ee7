"""What a start does without, and requests need soon."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from twisted.internet.interfaces import IDelayedCall

#: Libraries that take long to load: for checksums, and for documents.
_LATE = ("awscrt.checksums", "lxml.etree")


class LateLoading:
    """Loads libraries a moment after the start: the first request that needs one would hold up all others by it.

    :param reactor: an ``IReactorTime`` with threads.
    :param seconds: after the start, when who waited for it has had an answer.
    """

    def __init__(self, reactor: Any, seconds: float = 1.0) -> None:
        self._reactor = reactor
        self._seconds = seconds
        self._waiting: IDelayedCall | None = None

    def start(self) -> None:
        """Wait, then load in a thread."""
        self._waiting = self._reactor.callLater(self._seconds, self._load)

    def stop(self) -> None:
        """Load no more."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.cancel()

    def _load(self) -> None:
        self._waiting = None
        for name in _LATE:
            self._reactor.callInThread(import_module, name)
