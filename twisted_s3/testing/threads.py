"""A reactor that nobody else knows, in a thread of its own."""

# mypy: disable-error-code=no-untyped-call
from __future__ import annotations

import os
from collections.abc import Callable
from threading import Thread
from typing import TypeVar

from twisted.internet.pollreactor import PollReactor
from twisted.internet.threads import blockingCallFromThread

T = TypeVar("T")


class PrivateReactor(PollReactor):
    """A reactor beside the global one, which need not exist. It takes no signals."""

    # Code that asks which thread is the global reactor's must not be told ours.
    _registerAsIOThread = False

    def dispose(self) -> None:
        """Close what wakes it, which Twisted keeps for the life of the process."""
        for reader in list(self._internalReaders):
            self.removeReader(reader)
            reader.connectionLost(None)
        self._internalReaders.clear()


class ReactorThread:
    """Runs a private reactor from `start` to `stop`. Of a forked process it is no part."""

    def __init__(self, name: str) -> None:
        self.reactor = PrivateReactor()
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._process = os.getpid()

    def _run(self) -> None:
        try:
            self.reactor.run(installSignalHandlers=False)
        finally:
            self.reactor.dispose()

    @property
    def here(self) -> bool:
        """Whether the thread runs, in this process."""
        return self._process == os.getpid() and self._thread.is_alive()

    def start(self) -> None:
        """Begin to run."""
        self._thread.start()

    def call(self, function: Callable[..., T], *args: object) -> T:
        """Call a function in the thread, and wait for what it returns or raises; of a Deferred, for its result.

        :raise RuntimeError: when the thread does not run.
        """
        if not self.here:
            raise RuntimeError("the server does not run in this process")
        result: T = blockingCallFromThread(self.reactor, function, *args)
        return result

    def stop(self) -> None:
        """End the thread, and wait until it has ended."""
        if self.here:
            self.reactor.callFromThread(self.reactor.stop)
            self._thread.join()
