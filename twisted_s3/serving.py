"""What serves a site: the store behind it, the sockets before it, and the jobs around them."""

# mypy: disable-error-code=no-untyped-call
from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from msgspec import Struct
from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IProtocolFactory, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_s3.interfaces import ICredentials, IObjectStore
from twisted_s3.lateloading import LateLoading
from twisted_s3.listeners import Listeners
from twisted_s3.periodic import Job, Periodic, TakeLease
from twisted_s3.reaper import Reaper
from twisted_s3.settings import Settings


class ISite(IProtocolFactory):
    """The factory of an endpoint's connections."""

    def drain(grace: float) -> Deferred[None]:
        """Fire when no request is running; end those that still run after ``grace`` seconds."""


class Composition(Struct, frozen=True):
    """The parts of one server that know of each other.

    :ivar website: serves the buckets that are websites.
    :ivar clean: removes what crashes left behind in the store; None where there is nothing of the kind.
    :ivar jobs: what else is done now and then, by one process at a time.
    :ivar own_jobs: what each process does for itself; they end when the last request has.
    :ivar take_lease: makes sure of that where several processes share the store; None where they do not.
    """

    store: IObjectStore
    site: ISite
    clean: Callable[[], Awaitable[object]] | None = None
    jobs: Sequence[Job] = ()
    take_lease: TakeLease | None = None
    website: ISite | None = None
    own_jobs: Sequence[Job] = ()

    @property
    def sites(self) -> Sequence[ISite]:
        """All that is served."""
        return [self.site] if self.website is None else [self.site, self.website]


#: Makes the parts for some settings; the last argument is the reactor. Raises OSError when the disk refuses.
Compose = Callable[[Settings, ICredentials, Any], Composition]


class SiteService(Service):
    """Serves a store on sockets.

    Starting binds the sockets at once (:exc:`twisted_s3.listeners.ListenError`), makes and starts the store (OSError
    when the disk refuses at once), and then accepts connections. Stopping closes the sockets at once, lets running
    requests finish, and then stops the store.

    :param compose: makes the parts of the server, when the service starts.
    :param clock: of the periodic jobs.
    :param grace: seconds that running requests get to finish when the service stops.
    :param upload_expiry: age in seconds at which an unfinished upload goes; 0 for never.
    :param housekeeping: whether this process does the periodic jobs.
    :param failed: called when the service can not start after all; by default that is only logged.
    :param late: what is loaded once connections are accepted.
    """

    _log = Logger()

    def __init__(
        self,
        compose: Callable[[], Composition],
        listeners: Listeners,
        clock: IReactorTime,
        grace: float,
        upload_expiry: float = 0.0,
        housekeeping: bool = True,
        failed: Callable[[Failure], object] | None = None,
        late: LateLoading | None = None,
    ) -> None:
        self._compose = compose
        self._listeners = listeners
        self._clock = clock
        self._grace = grace
        self._upload_expiry = upload_expiry
        self._housekeeping = housekeeping
        self._failed = failed
        self._late = late
        self._periodic: Sequence[Reaper | Periodic] = ()
        self._own: Sequence[Periodic] = ()
        self._composition: Composition | None = None
        self._bound: Deferred[None] | None = None
        self._started: Deferred[None] | None = None
        self._waiting: list[Deferred[None]] = []
        self._ready = False
        self._failure: Failure | None = None

    @classmethod
    def from_settings(
        cls,
        settings: Settings,
        credentials: ICredentials,
        compose: Compose,
        reactor: Any,
        failed: Callable[[Failure], object] | None = None,
        adopted: tuple[int, ...] = (),
        housekeeping: bool = True,
    ) -> SiteService:
        """The service that ``settings`` describe, in this process.

        :param adopted: descriptors of sockets that listen already, one for each endpoint of the settings, those of
            websites last.
        """
        return cls(
            lambda: compose(settings, credentials, reactor),
            Listeners(reactor, settings.endpoints, adopted, settings.website_endpoint),
            reactor,
            settings.shutdown_grace,
            settings.upload_expiry,
            housekeeping,
            failed,
            LateLoading(reactor),
        )

    @property
    def listeners(self) -> Listeners:
        """The sockets, for the addresses that they are bound to."""
        return self._listeners

    def when_ready(self) -> Deferred[None]:
        """Fires when connections are accepted; fails when the service can not start."""
        waiter: Deferred[None] = Deferred()
        if self._ready:
            waiter.callback(None)
        elif self._failure is not None:
            waiter.errback(self._failure)
        else:
            self._waiting.append(waiter)
        return waiter

    def privilegedStartService(self) -> None:
        """Bind the sockets.

        :raise ListenError: when one can not be bound.
        """
        super().privilegedStartService()
        self._bound = self._listeners.bind()

    def startService(self) -> None:
        """Start the store, then accept connections.

        :raise OSError: when the disk refuses at once.
        """
        self._composition = self._compose()
        super().startService()
        self._started = Deferred.fromCoroutine(self._start(self._composition))
        self._started.addErrback(self._fail)

    async def _start(self, parts: Composition) -> None:
        if self._bound is not None:
            await self._bound
        await parts.store.start()
        if not self.running:
            return
        self._listeners.open(parts.site, parts.website)
        if self._housekeeping:
            reaper = Reaper(parts.store, self._upload_expiry, self._clock, parts.clean)
            self._periodic = [reaper, *(Periodic(job, self._clock, parts.take_lease) for job in parts.jobs)]
            for periodic in self._periodic:
                periodic.start()
        self._own = [Periodic(job, self._clock) for job in parts.own_jobs]
        for own in self._own:
            own.start()
        if self._late is not None:
            self._late.start()
        self._ready = True
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.callback(None)

    def _fail(self, failure: Failure) -> None:
        self._log.failure("the server can not start", failure)
        self._failure = failure
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
        await self._listeners.close()
        if self._composition is None or self._started is None:
            return
        try:
            await self._started
            if self._late is not None:
                self._late.stop()
            for periodic in self._periodic:
                await periodic.stop()
            await gatherResults([site.drain(self._grace) for site in self._composition.sites])
            for own in self._own:
                await own.stop()
        finally:
            await self._composition.store.stop()
