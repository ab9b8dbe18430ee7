"""Where a server is put together: store, authentication, authorisation and web."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted_s3.access import PolicyAuthorizer
from twisted_s3.accesslog import AccessEntry, AccessLog
from twisted_s3.bucketlogs import BucketLogs
from twisted_s3.interfaces import ICredentials, IObjectStore
from twisted_s3.keyring import KeyFile, Keyring, in_threads_of, keyring_path
from twisted_s3.lifecycle.job import LifecycleRounds, Pace
from twisted_s3.lifecycle.telling import witnessing
from twisted_s3.model import Bucket
from twisted_s3.operations.call import Services
from twisted_s3.operations.notifying import Notifier
from twisted_s3.periodic import Job
from twisted_s3.protocol.access.defaults import BucketDefaults
from twisted_s3.protocol.access.publicblock import ALL_BLOCKED, NOTHING_BLOCKED
from twisted_s3.protocol.authentication import Authenticator
from twisted_s3.protocol.names import is_bucket_name
from twisted_s3.serving import Composition
from twisted_s3.settings import Settings
from twisted_s3.storage.filesystem.store import FilesystemStore
from twisted_s3.web.gate import Gate
from twisted_s3.web.limits import HTTPLimits
from twisted_s3.web.resources import Finished, RequestIds, S3Resource
from twisted_s3.web.site import S3Site
from twisted_s3.web.website import WebsiteResource

#: Seconds between two looks whether it is time to look for damage.
SCRUB_LOOKS = 60.0


def compose(settings: Settings, credentials: ICredentials, reactor: Any) -> Composition:
    """The parts of a server over the data directory of ``settings``."""
    store = FilesystemStore(
        settings.data_dir,
        reactor,
        durable=settings.durability == "strict",
        threads=settings.disk_threads,
        min_free=settings.min_free,
        verify_reads=settings.verify_reads,
        event_limit=settings.event_queue_limit,
        is_bucket_name=is_bucket_name,
    )
    names, deliveries = _deliveries(settings, store, reactor)
    notifier = Notifier(store.events, names, reactor, settings.region)
    ids = RequestIds()

    def account(bucket: Bucket) -> str:
        user = None if bucket.owner else credentials.get_owner("")
        return bucket.owner if user is None else user.canonical_id

    logs = BucketLogs(store, account, reactor, settings.region, ids.host_id, settings.bucket_log_interval)
    site, website = _sites(settings, store, credentials, reactor, notifier, ids, logs)
    jobs = [*_jobs(settings, store, reactor, notifier), *deliveries]
    return Composition(store, site, store.clean, jobs, store.take_lease, website, [logs.job()])


def _deliveries(settings: Settings, store: FilesystemStore, reactor: Any) -> tuple[Sequence[str], Sequence[Job]]:
    """The names of the targets of events, and what delivers to them."""
    if settings.config is None:
        return (), ()
    # Who names no targets does not wait for what delivers.
    from twisted_s3.delivery.configured import load_targets
    from twisted_s3.delivery.jobs import delivery_jobs

    targets = load_targets(settings.config)
    return [target.name for target in targets], delivery_jobs(targets, store.events, reactor)


def _jobs(settings: Settings, store: FilesystemStore, reactor: Any, notifier: Notifier) -> Sequence[Job]:
    """What is done now and then, by one of the processes over the directory."""
    jobs = []
    if settings.scrub != "off":
        scrubber = store.scrubber(reactor, settings.scrub == "deep", settings.scrub_rate, settings.scrub_interval)
        jobs.append(Job("scrub", SCRUB_LOOKS, scrubber.run, scrubber.hurry))
    if settings.lifecycle_interval:
        pace = Pace(settings.lifecycle_interval, settings.lifecycle_day_seconds, settings.lifecycle_rate)
        jobs.append(LifecycleRounds(store, reactor, pace, notes=store, witnessed=witnessing(notifier)).job())
    return jobs


def _sites(
    settings: Settings,
    store: IObjectStore,
    credentials: ICredentials,
    reactor: Any,
    notifier: Notifier,
    ids: RequestIds,
    logs: BucketLogs,
) -> tuple[S3Site, S3Site]:
    """The endpoint, and the websites."""
    defaults = BucketDefaults(
        settings.default_object_ownership,
        ALL_BLOCKED if settings.default_public_access_block else NOTHING_BLOCKED,
        encrypted=settings.default_encryption != "none",
    )
    authorizer = PolicyAuthorizer(defaults, settings.region)
    keyring = Keyring(KeyFile(keyring_path(settings), reactor.seconds), in_threads_of(reactor))
    services = Services(
        store,
        credentials,
        authorizer,
        reactor,
        settings.region,
        defaults=defaults,
        threads=reactor,
        server_keys=keyring,
        named_keys=keyring,
        customer_keys_over_http=settings.sse_c_over_http,
        notifier=notifier,
    )
    strict = settings.presigned_checksums == "check"
    gate = Gate(services, Authenticator(settings.region, settings.allow_sigv2, strict))
    access_log = AccessLog(settings.access_log)

    def finished(request: Finished) -> None:
        logs.record(request)
        if access_log.enabled:
            access_log.record(_entry(request, reactor.seconds()))

    resource = S3Resource(gate, settings.domain, ids, settings.drain_limit, finished)
    websites = WebsiteResource(gate, settings.website_domain, ids, settings.drain_limit, finished)
    limits = HTTPLimits(
        header_bytes=settings.max_header_bytes,
        header_count=settings.max_headers,
        header_timeout=settings.header_timeout,
        idle_timeout=settings.idle_timeout,
        drain_bytes=settings.drain_limit,
        connections=settings.max_connections,
    )
    return S3Site(resource, ids, limits, reactor), S3Site(websites, ids, limits, reactor)


def _entry(request: Finished, now: float) -> AccessEntry:
    passage = request.passage
    return AccessEntry(
        time=now - request.seconds,
        operation=passage.operation,
        bucket=passage.bucket or None,
        key=passage.key or None,
        status=request.status,
        bytes_sent=request.sent,
        bytes_received=request.received,
        milliseconds=request.seconds * 1000,
        requester=passage.user.access_key if passage.user else None,
        remote=request.remote,
        request_id=request.request_id,
        error=request.error or None,
    )
