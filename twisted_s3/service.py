"""An S3 server for Twisted applications: as a service with sockets of its own, and as a resource of another site."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from twisted.web.resource import IResource

from twisted_s3.access import PolicyAuthorizer
from twisted_s3.interfaces import IAuthorizer, ICredentials, IEventSink, IKeyService, IObjectStore
from twisted_s3.lateloading import LateLoading
from twisted_s3.lifecycle.job import Pace
from twisted_s3.lifecycle.telling import lifecycle_job
from twisted_s3.listeners import Listeners
from twisted_s3.operations.announcing import Announcer
from twisted_s3.operations.call import ObjectLimits, Services
from twisted_s3.protocol.access.defaults import BucketDefaults
from twisted_s3.protocol.authentication import Authenticator
from twisted_s3.serving import Composition, SiteService
from twisted_s3.web.gate import Gate
from twisted_s3.web.limits import HTTPLimits
from twisted_s3.web.resources import Finished, RequestIds, S3Resource
from twisted_s3.web.site import S3Site
from twisted_s3.web.website import WebsiteResource

_PACE = Pace()


class S3Service(SiteService):
    """An S3 server in any Twisted application. Servers of one process share nothing.

    Starting binds the endpoints at once, starts the store, and then accepts connections; ``when_ready`` tells when.
    Stopping gives running requests time, stops the store, and leaves no delayed call, thread or descriptor behind.

    :param store: where buckets and objects live; started and stopped with the service. If it has a method ``clean``,
        that is called now and then.
    :param credentials: who holds which key.
    :param endpoints: strings as ``twisted.internet.endpoints.serverFromString`` takes them; none to serve only
        `resource`, in a site of the application.
    :param authorizer: who may do what; by default policies, owners, ACLs and administrators
        (:class:`~twisted_s3.access.PolicyAuthorizer`).
    :param keys: what encrypts with ``AES256`` and ``aws:kms``, such as a :class:`~twisted_s3.keyring.Keyring`; without
        it both are refused.
    :param events: told of every object that is created or removed.
    :param region: the one that signatures must name.
    :param http_limits: what clients may send, and how long they may take.
    :param object_limits: how large objects and their parts may and must be.
    :param bucket_defaults: ownership and public access block of new buckets.
    :param domains: host names below which a label is a bucket.
    :param website_endpoints: strings of endpoints on which buckets are websites.
    :param website_domains: host names below which a website has the name of its bucket.
    :param allow_sigv2: whether the older signatures are accepted.
    :param grace: seconds that running requests get when the service stops.
    :param upload_expiry: age in seconds at which an unfinished multipart upload goes; 0 for never.
    :param lifecycle: how often and how fast the lifecycle rules of buckets are applied; None for never.
    :param finished: called for every request at its end.
    :param reactor: by default the global one.
    :param clock: tells the time, and runs the periodic jobs; by default the reactor.
    :param failed: called when the service can not start after all.
    :ivar resource: the resource tree, for a site of the application: ``root.putChild(b"s3", service.resource)``.
    :ivar website: the resource tree of the websites, for a site of the application.
    :ivar root: what the endpoints serve, by default `resource`; another tree may be set before the start.
    """

    def __init__(
        self,
        store: IObjectStore,
        credentials: ICredentials,
        endpoints: Sequence[str] = (),
        *,
        authorizer: IAuthorizer | None = None,
        keys: IKeyService | None = None,
        events: IEventSink | None = None,
        region: str = "us-east-1",
        domains: Sequence[str] = (),
        website_endpoints: Sequence[str] = (),
        website_domains: Sequence[str] = (),
        allow_sigv2: bool = True,
        http_limits: HTTPLimits | None = None,
        object_limits: ObjectLimits | None = None,
        bucket_defaults: BucketDefaults | None = None,
        grace: float = 30.0,
        upload_expiry: float = 0.0,
        lifecycle: Pace | None = _PACE,
        finished: Callable[[Finished], None] | None = None,
        reactor: Any = None,
        clock: IReactorTime | None = None,
        failed: Callable[[Failure], object] | None = None,
    ) -> None:
        if reactor is None:
            from twisted.internet import reactor
        clock = reactor if clock is None else clock
        limits = HTTPLimits() if http_limits is None else http_limits
        defaults = BucketDefaults() if bucket_defaults is None else bucket_defaults
        services = Services(
            store,
            credentials,
            PolicyAuthorizer(defaults, region) if authorizer is None else authorizer,
            clock,
            region,
            ObjectLimits() if object_limits is None else object_limits,
            defaults,
            announcer=None if events is None else Announcer(events, clock, region),
            threads=reactor,
            server_keys=keys,
            named_keys=keys,
        )
        gate = Gate(services, Authenticator(region, allow_sigv2))
        ids = RequestIds()
        self.resource = S3Resource(gate, domains, ids, limits.drain_bytes, finished)
        self.website = WebsiteResource(gate, website_domains, ids, limits.drain_bytes, finished)
        self.root: IResource = self.resource

        jobs = [] if lifecycle is None else [lifecycle_job(store, clock, lifecycle, services.announcer)]

        def composed() -> Composition:
            # A site that has been drained serves no more, so each start has its own.
            site, website = (S3Site(root, ids, limits, reactor) for root in (self.root, self.website))
            clean, take_lease = getattr(store, "clean", None), getattr(store, "take_lease", None)
            return Composition(store, site, clean, jobs, take_lease, website)

        super().__init__(
            composed,
            Listeners(reactor, endpoints, websites=website_endpoints),
            clock,
            grace,
            upload_expiry,
            failed=failed,
            late=LateLoading(reactor),
        )
