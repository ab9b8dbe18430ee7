"""The parts of a server by name, for a process that is this server and nothing else."""

from __future__ import annotations

import gc
from importlib import import_module
from typing import Any

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall
from twisted.python.reflect import namedAny

from twisted_s3.serving import Compose

#: The functions of checksums, in a library that takes long to load.
_LATE = "awscrt.checksums"


def load_compose(name: str) -> Compose:
    """Import what puts a server together. :param name: the full name of a :data:`twisted_s3.serving.Compose`.

    What is there then stays until the process ends, so from now on it is not searched for garbage: that takes a part
    of the start, and would later hold up requests for as long as it takes to look at every function and class.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        compose: Compose = namedAny(name)  # type: ignore[no-untyped-call]
    finally:
        gc.freeze()
        if collecting:
            gc.enable()
    return compose


class LateLoading(Service):
    """Loads what the start does without and uploads need, before the first one holds up all others by it.

    :param reactor: an ``IReactorTime`` with threads.
    :param seconds: after the start, when who waited for it has had an answer.
    """

    def __init__(self, reactor: Any, seconds: float = 1.0) -> None:
        self._reactor = reactor
        self._seconds = seconds
        self._waiting: IDelayedCall | None = None

    def startService(self) -> None:
        """Wait, then load."""
        super().startService()  # type: ignore[no-untyped-call]
        self._waiting = self._reactor.callLater(self._seconds, self._load)

    def stopService(self) -> None:
        """Load no more."""
        super().stopService()  # type: ignore[no-untyped-call]
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.cancel()

    def _load(self) -> None:
        self._waiting = None
        self._reactor.callInThread(import_module, _LATE)
