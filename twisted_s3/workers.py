"""Several processes behind the same sockets: the parent binds and supervises, the workers serve.

The parent gives each worker the listening sockets as descriptors and, on its standard input, one line of JSON
(:class:`Greeting`). That input then stays open: its end tells the worker that the parent is gone. What a worker
writes is taken for lines of a log that are formatted already. :mod:`twisted_s3.worker` is the other side.
"""

# mypy: disable-error-code=no-untyped-call
from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, structs
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IProcessTransport, IReactorTime
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.runner.procmon import LoggingProtocol, ProcessMonitor
from zope.interface import implementer

from twisted_s3.listeners import Listeners
from twisted_s3.logformat import RELAY
from twisted_s3.settings import Settings

#: The least number that a listening socket has in a worker.
FIRST_SOCKET = 3

#: Seconds that a worker gets beyond the grace of its requests before it is killed.
KILL_MARGIN = 10.0


class Greeting(Struct, frozen=True):
    """What a worker is told.

    :ivar sockets: descriptors, one for each endpoint of the settings, those of websites last.
    :ivar compose: full name of the :data:`twisted_s3.serving.Compose`.
    :ivar housekeeping: whether this worker does the periodic jobs.
    """

    settings: Settings
    sockets: tuple[int, ...]
    compose: str
    housekeeping: bool

    def to_line(self) -> bytes:
        """As one line."""
        fields = structs.asdict(self) | {"settings": self.settings.to_json()}
        return json.dumps(fields).encode("ascii") + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Greeting:
        """What :meth:`to_line` wrote."""
        fields = json.loads(line)
        settings = Settings.from_json(fields["settings"])
        return cls(settings, tuple(fields["sockets"]), fields["compose"], fields["housekeeping"])


_relay = Logger(namespace=RELAY)


class _WorkerProtocol(ProcessProtocol):
    """Between a worker and what :class:`ProcessMonitor` wants to know of it."""

    def __init__(self, monitored: LoggingProtocol, spawner: _Spawner) -> None:
        self.monitored = monitored
        self._spawner = spawner
        self._partial = {1: b"", 2: b""}

    def makeConnection(self, process: IProcessTransport) -> None:
        self.monitored.makeConnection(process)
        super().makeConnection(process)

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        *lines, self._partial[childFD] = (self._partial[childFD] + data).split(b"\n")
        for line in lines:
            _relay.info("{line}", line=line.decode("utf-8", "backslashreplace"))

    def processEnded(self, reason: Failure) -> None:
        for descriptor, rest in self._partial.items():
            if rest:
                self.childDataReceived(descriptor, b"\n")
        self._spawner.ended(self, reason)
        self.monitored.processEnded(reason)


@implementer(IReactorTime)
class _Spawner:
    """What a :class:`ProcessMonitor` takes for its reactor: its processes inherit sockets and are greeted."""

    _log = Logger()

    def __init__(self, reactor: Any, sockets: Sequence[int], greetings: Mapping[str, Greeting]) -> None:
        self._reactor = reactor
        self._sockets = sockets
        self._greetings = greetings
        self._running: set[_WorkerProtocol] = set()
        self._idle: list[Deferred[None]] = []

    def seconds(self) -> float:
        """See :class:`IReactorTime`."""
        return float(self._reactor.seconds())

    def callLater(self, delay: float, callable: Any, *args: object, **kwargs: object) -> Any:
        """See :class:`IReactorTime`."""
        return self._reactor.callLater(delay, callable, *args, **kwargs)

    def getDelayedCalls(self) -> Any:
        """See :class:`IReactorTime`."""
        return self._reactor.getDelayedCalls()

    def spawnProcess(self, processProtocol: LoggingProtocol, executable: str, args: Any, **options: Any) -> Any:
        """See :class:`twisted.internet.interfaces.IReactorProcess`."""
        protocol = _WorkerProtocol(processProtocol, self)
        descriptors: dict[int, int | str] = {0: "w", 1: "r", 2: "r"}
        descriptors |= dict(enumerate(self._sockets, FIRST_SOCKET))
        self._running.add(protocol)
        try:
            transport = self._reactor.spawnProcess(protocol, executable, args, childFDs=descriptors, **options)
        except BaseException:
            self._running.discard(protocol)
            raise
        transport.writeToChild(0, self._greetings[processProtocol.name].to_line())
        self._log.info("{name} started, process {pid}", name=processProtocol.name, pid=transport.pid)
        return transport

    def ended(self, protocol: _WorkerProtocol, reason: Failure) -> None:
        """A worker has ended."""
        self._running.discard(protocol)
        name, how = protocol.monitored.name, reason.getErrorMessage()
        self._log.info("{name} ended: {how}", name=name, how=how)
        if not self._running:
            idle, self._idle = self._idle, []
            for waiter in idle:
                waiter.callback(None)

    def signal(self, name: str) -> None:
        """Send a signal to all workers."""
        for protocol in list(self._running):
            try:
                protocol.transport.signalProcess(name)  # type: ignore[union-attr]
            except ProcessExitedAlready:
                continue

    def when_idle(self) -> Deferred[None]:
        """Fires when no worker runs."""
        waiter: Deferred[None] = Deferred()
        if self._running:
            self._idle.append(waiter)
        else:
            waiter.callback(None)
        return waiter


class Workers(Service):
    """Binds the sockets of some settings and keeps as many workers running as these say.

    :param compose: full name of the :data:`twisted_s3.serving.Compose` that the workers use.
    :param environ: what the workers get for their environment.
    """

    _log = Logger()

    def __init__(self, settings: Settings, compose: str, reactor: Any, environ: Mapping[str, str]) -> None:
        self.listeners = Listeners(reactor, settings.endpoints, websites=settings.website_endpoint)
        self._settings = settings
        self._compose = compose
        self._reactor = reactor
        self._environ = dict(environ) | {"PYTHONPATH": os.pathsep.join(os.path.abspath(path) for path in sys.path)}
        self._bound: Deferred[None] | None = None
        self._spawner: _Spawner | None = None
        self._monitor: ProcessMonitor | None = None

    def privilegedStartService(self) -> None:
        """Bind the sockets.

        :raise ListenError: when one can not be bound.
        """
        super().privilegedStartService()
        self._bound = self.listeners.bind()

    def startService(self) -> None:
        """Start the workers. Connections made before they are up wait."""
        super().startService()
        started = Deferred.fromCoroutine(self._start())
        started.addErrback(lambda failure: self._log.failure("the workers can not start", failure))

    async def _start(self) -> None:
        if self._bound is not None:
            await self._bound
        if not self.running:
            return
        sockets = self.listeners.descriptors()
        numbers = tuple(range(FIRST_SOCKET, FIRST_SOCKET + len(sockets)))
        greetings = {
            f"worker {n}": Greeting(self._settings, numbers, self._compose, housekeeping=n == 1)
            for n in range(1, self._settings.workers + 1)
        }
        self._spawner = _Spawner(self._reactor, sockets, greetings)
        self._monitor = ProcessMonitor(self._spawner)  # type: ignore[arg-type]
        self._monitor.killTime = self._settings.shutdown_grace + KILL_MARGIN  # type: ignore[assignment]
        self._monitor.maxRestartDelay = 30
        for name in greetings:
            arguments = [sys.executable, "-P", "-m", "twisted_s3.worker"]
            self._monitor.addProcess(name, arguments, env=self._environ)
        for address in self.listeners.addresses():
            self._log.info("listening on {address}", address=address)
        for address in self.listeners.website_addresses():
            self._log.info("websites on {address}", address=address)
        self._monitor.startService()

    def reload(self) -> None:
        """Tell the workers to load their users anew."""
        if self._spawner is not None:
            self._spawner.signal("HUP")

    def stopService(self) -> Deferred[None]:
        """Tell the workers to finish; those that take too long are killed. Fires when all have ended."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        closed = Deferred.fromCoroutine(self.listeners.close())
        if self._monitor is not None and self._spawner is not None:
            self._monitor.stopService()
            await self._spawner.when_idle()
        await closed
