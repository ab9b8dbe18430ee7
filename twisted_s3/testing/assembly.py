"""A server for tests, put together on some reactor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

from msgspec import Struct

from twisted_s3.access import PolicyAuthorizer
from twisted_s3.credentials import Users
from twisted_s3.errors import S3Error
from twisted_s3.events import Subscriptions
from twisted_s3.interfaces import IAuthorizer, ICredentials, IObjectStore
from twisted_s3.keyring import Keyring, KeysInMemory
from twisted_s3.lifecycle.job import Pace
from twisted_s3.lifecycle.telling import lifecycle_job
from twisted_s3.listeners import Listeners
from twisted_s3.model import User
from twisted_s3.operations.announcing import Announcer
from twisted_s3.operations.call import Services
from twisted_s3.protocol.walks import VersionWalk
from twisted_s3.serving import Composition, SiteService
from twisted_s3.storage.memory import DEFAULT_LIMIT_BYTES, MemoryStore
from twisted_s3.testing.clock import ForgivingAuthenticator, MovableClock
from twisted_s3.testing.faults import Faults
from twisted_s3.testing.faulty import FaultyGate, FaultyResource
from twisted_s3.testing.recorder import Recorder
from twisted_s3.web.limits import HTTPLimits
from twisted_s3.web.resources import Finished, RequestIds
from twisted_s3.web.site import S3Site


class Options(Struct, frozen=True):
    """What a test can choose about its server.

    :ivar users: beside the administrator, whose key pair the server names.
    :ivar credentials: who holds which key, in place of administrator and users.
    :ivar domains: host names below which a label is a bucket.
    :ivar limit_bytes: what the store in memory holds.
    :ivar make_store: makes another store for a reactor (and a clock to tell times by); such a server can not be reset.
    :ivar port: 0 for any that is free.
    :ivar upload_expiry: age in seconds at which an unfinished multipart upload goes; 0 for never.
    """

    region: str = "us-east-1"
    users: Sequence[User] = ()
    credentials: ICredentials | None = None
    domains: Sequence[str] = ()
    limit_bytes: int = DEFAULT_LIMIT_BYTES
    make_store: Callable[[Any, MovableClock], IObjectStore] | None = None
    authorizer: IAuthorizer | None = None
    port: int = 0
    upload_expiry: float = 0.0


class Assembly:
    """The parts of a server. All but ``faults`` and ``recorder`` belong to the reactor's thread."""

    def __init__(self, reactor: Any, administrator: User, options: Options, endpoint: str) -> None:
        self.clock = MovableClock(reactor)
        self.faults = Faults(reactor)
        self.recorder = Recorder()
        self.events = Subscriptions()
        self._administrator = administrator
        self._region = options.region
        if options.make_store is None:
            self.store: IObjectStore = MemoryStore(self.clock, options.limit_bytes)
        else:
            self.store = options.make_store(reactor, self.clock)
        keyring = Keyring(KeysInMemory(self.clock.seconds))
        services = Services(
            store=self.store,
            credentials=options.credentials or Users([administrator, *options.users]),
            authorizer=PolicyAuthorizer() if options.authorizer is None else options.authorizer,
            clock=self.clock,
            region=options.region,
            server_keys=keyring,
            named_keys=keyring,
            announcer=Announcer(self.events, self.clock, options.region),
        )
        gate = FaultyGate(services, ForgivingAuthenticator(options.region, self.clock), self.faults)
        ids, limits = RequestIds(), HTTPLimits()
        self._resource = FaultyResource(
            gate, reactor, domains=options.domains, ids=ids, drain_bytes=limits.drain_bytes, finished=self._finished
        )
        site = S3Site(self._resource, ids, limits, reactor)
        # As fast as it goes, so that what is due is gone as soon as a test has moved the clock.
        lifecycle = lifecycle_job(self.store, self.clock, Pace(rate=0), services.announcer)
        self._service = SiteService(
            lambda: Composition(self.store, site, jobs=[lifecycle]),
            Listeners(reactor, (endpoint,)),
            self.clock,
            grace=0.0,
            upload_expiry=options.upload_expiry,
        )

    def _finished(self, finished: Finished) -> None:
        self.recorder.record(finished)

    async def start(self) -> str:
        """Start it. Gives the URL of the endpoint."""
        self._service.privilegedStartService()
        try:
            self._service.startService()
            await self._service.when_ready()
        except BaseException:
            await self._service.stopService()
            raise
        (address,) = self._service.listeners.addresses()
        return address

    async def stop(self) -> None:
        """Stop it. Requests that still run are broken off."""
        self.faults.clear()
        self.faults.break_off()
        await self._service.stopService()

    def reset(self) -> dict[str, Any]:
        """Forget all objects, faults and requests, and go back to the present.

        :return: what is forgotten. To let go of it takes time for every object.
        :raise TypeError: when the store is not the one in memory.
        """
        if not isinstance(self.store, MemoryStore):
            raise TypeError("only the store in memory can be reset")
        forgotten = dict(vars(self.store))
        self.store.reset()
        self.calm()
        self.recorder.clear()
        return forgotten

    def calm(self) -> None:
        """End all faults, and go back to the present."""
        self.faults.clear()
        self.faults.release()
        self.clock.reset()

    async def create_bucket(self, name: str | None) -> str:
        """Make a bucket of the administrator. Gives its name."""
        name = f"test-{uuid4().hex}" if name is None else name
        await self.store.create_bucket(name, self._administrator.canonical_id, self._region)
        return name

    async def delete_bucket(self, name: str) -> None:
        """Delete a bucket with all that is in it. Nothing happens if there is none."""
        try:
            for key, version_id in await self.store.list_versions(name, _all_versions):
                await self.store.delete_object(name, key, version_id=version_id)
            await self.store.delete_bucket(name)
        except S3Error as error:
            if error.code != "NoSuchBucket":
                raise


def _all_versions(walk: VersionWalk) -> Sequence[tuple[str, str]]:
    return [(key, listed.version.version_id) for key in walk.keys("") for listed in walk.versions(key)]
