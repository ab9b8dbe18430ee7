"""A worker process: serves on sockets that it inherits. :mod:`twisted_s3.workers` starts it and talks to it."""

# mypy: disable-error-code=no-untyped-call
from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from twisted.internet.error import ReactorNotRunning
from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger, globalLogBeginner
from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_s3.credentials import UserReload, Users, UserSources
from twisted_s3.listeners import ListenError
from twisted_s3.loading import load_compose
from twisted_s3.logformat import flushing, make_observer
from twisted_s3.serving import SiteService
from twisted_s3.settings import SettingsError
from twisted_s3.workers import Greeting

STANDARD_INPUT = 0


@implementer(IReadDescriptor)
class Lifeline:
    """Waits for the end of a descriptor that the parent holds open for as long as it lives."""

    def __init__(self, descriptor: int, reactor: Any, ended: Callable[[], object]) -> None:
        self._descriptor = descriptor
        self._reactor = reactor
        self._ended = ended

    def fileno(self) -> int:
        """See :class:`twisted.internet.interfaces.IFileDescriptor`."""
        return self._descriptor

    def logPrefix(self) -> str:
        """See :class:`twisted.internet.interfaces.ILoggingContext`."""
        return "Lifeline"

    def doRead(self) -> None:
        """See :class:`twisted.internet.interfaces.IReadDescriptor`."""
        if not os.read(self._descriptor, 4096):
            self._end()

    def connectionLost(self, reason: Failure) -> None:
        """See :class:`twisted.internet.interfaces.IFileDescriptor`."""
        self._end()

    def _end(self) -> None:
        self._reactor.removeReader(self)
        self._ended()


class Worker:
    """The life of one worker.

    :ivar status: the exit status of the process.
    """

    _log = Logger()

    def __init__(self, greeting: Greeting, reactor: Any) -> None:
        self.status = 0
        self._reactor = reactor
        settings = greeting.settings
        self._sources = UserSources.of(settings, os.environ)
        self._users = Users()
        self._reload = UserReload(self._sources, self._users)
        self._service = SiteService.from_settings(
            settings,
            self._users,
            load_compose(greeting.compose),
            reactor,
            failed=self._failed,
            adopted=greeting.sockets,
            housekeeping=greeting.housekeeping,
        )

    def run(self) -> None:
        """Serve until told to stop, or until the parent is gone."""
        signal.signal(signal.SIGHUP, lambda *_: self._reactor.callFromThread(self._reload.reload))
        self._users.replace(self._sources.load())
        self._reactor.addReader(Lifeline(STANDARD_INPUT, self._reactor, self._orphaned))
        self._service.privilegedStartService()
        self._service.startService()
        self._reactor.addSystemEventTrigger("before", "shutdown", self._service.stopService)
        self._reactor.callWhenRunning(self._take_signals)
        self._reactor.run()

    def _take_signals(self) -> None:
        # The reactor's own handler minds a second SIGTERM, as it comes when a whole process group gets one.
        signal.signal(signal.SIGTERM, lambda *_: self._reactor.callFromThread(self._stop))

    def _orphaned(self) -> None:
        # The reactor disconnects its readers when it stops; that is no loss of the parent.
        if self._stop():
            self._log.warn("the parent process is gone")

    def _failed(self, failure: Failure) -> None:
        self.status = 1
        self._reactor.callWhenRunning(self._stop)

    def _stop(self) -> bool:
        try:
            self._reactor.stop()
        except ReactorNotRunning:
            return False
        return True


def main() -> int:
    """Run a worker; gives its exit status."""
    # A terminal sends Ctrl-C to the whole group; the parent tells its workers itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    line = sys.stdin.buffer.readline()
    if not line.endswith(b"\n"):
        return 1
    greeting = Greeting.from_line(line)
    settings = greeting.settings
    observer = make_observer(flushing(sys.stdout.buffer), settings.log_format, settings.log_level)
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)
    from twisted.internet import reactor

    worker = Worker(greeting, reactor)
    try:
        worker.run()
    except (SettingsError, ListenError, OSError) as error:
        Logger().critical("{error}", error=str(error))
        return 1
    return worker.status


if __name__ == "__main__":
    sys.exit(main())
