"""An S3 server as a Twisted service: a store, a site, the sockets, and the jobs around them."""

# mypy: disable-error-code=no-untyped-call
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_s3.interfaces import ICredentials, IObjectStore
from twisted_s3.listeners import Listeners
from twisted_s3.reaper import Reaper
from twisted_s3.settings import Settings


class ISite(IProtocolFactory):
    """The factory of an endpoint's connections."""

    def drain(grace: float) -> Deferred[None]:
        """Fire when no request is running; end those that still run after ``grace`` seconds."""


@attrs.frozen
class Composition:
    """The parts of one server that know of each other."""

    store: IObjectStore
    site: ISite


#: Makes the parts for some settings; the last argument is the reactor. Touches neither disk nor network.
Compose = Callable[[Settings, ICredentials, Any], Composition]


class S3Service(Service):
    """Serves a store on sockets.

    Starting binds the sockets at once (:exc:`twisted_s3.listeners.ListenError`), starts the store, and then accepts
    connections. Stopping closes the sockets at once, lets running requests finish, and then stops the store.

    :param grace: seconds that running requests get to finish when the service stops.
    :param reaper: the job that removes old uploads; None where another process has it.
    :param failed: called when the service can not start after all; by default that is only logged.
    """

    _log = Logger()

    def __init__(
        self,
        composition: Composition,
        listeners: Listeners,
        grace: float,
        reaper: Reaper | None = None,
        failed: Callable[[Failure], object] | None = None,
    ) -> None:
        self._store = composition.store
        self._site = composition.site
        self._listeners = listeners
        self._grace = grace
        self._reaper = reaper
        self._failed = failed
        self._bound: Deferred[None] | None = None
        self._started: Deferred[None] | None = None
        self._waiting: list[Deferred[None]] = []
        self._ready = False

    @classmethod
    def from_settings(
        cls,
        settings: Settings,
        credentials: ICredentials,
        compose: Compose,
        reactor: Any,
        failed: Callable[[Failure], object] | None = None,
        adopted: tuple[int, ...] = (),
        reap: bool = True,
    ) -> S3Service:
        """The service that ``settings`` describe, in this process.

        :param adopted: descriptors of sockets that listen already, one for each endpoint of the settings.
        :param reap: whether this process removes old uploads.
        """
        composition = compose(settings, credentials, reactor)
        listeners = Listeners(reactor, settings.endpoints, adopted)
        reaper = Reaper(composition.store, settings.upload_expiry, reactor) if reap else None
        return cls(composition, listeners, settings.shutdown_grace, reaper, failed)

    @property
    def listeners(self) -> Listeners:
        """The sockets, for the addresses that they are bound to."""
        return self._listeners

    def when_ready(self) -> Deferred[None]:
        """Fires when connections are accepted; fails when the service can not start."""
        waiter: Deferred[None] = Deferred()
        if self._ready:
            waiter.callback(None)
        else:
            self._waiting.append(waiter)
        return waiter

    def privilegedStartService(self) -> None:
        """Bind the sockets.

        :raise ListenError: when one can not be bound.
        """
        super().privilegedStartService()
        self._bound = self._listeners.bind(self._site)

    def startService(self) -> None:
        """Start the store, then accept connections."""
        super().startService()
        self._started = Deferred.fromCoroutine(self._start())
        self._started.addErrback(self._fail)

    async def _start(self) -> None:
        if self._bound is not None:
            await self._bound
        await self._store.start()
        if not self.running:
            return
        self._listeners.open()
        if self._reaper is not None:
            self._reaper.start()
        self._ready = True
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.callback(None)

    def _fail(self, failure: Failure) -> None:
        self._log.failure("the server can not start", failure)
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.errback(failure)
        if self._failed is not None:
            self._failed(failure)

    def stopService(self) -> Deferred[None]:
        """Refuse connections, let running requests finish, stop the store. Fires when all is done."""
        super().stopService()
        self._ready = False
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        try:
            await self._listeners.close()
            if self._started is not None:
                await self._started
            if self._reaper is not None:
                await self._reaper.stop()
            await self._site.drain(self._grace)
        finally:
            await self._store.stop()
