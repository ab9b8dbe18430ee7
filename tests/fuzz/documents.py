"""The documents by which buckets are configured: each is read, used, written, and read again as the same."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from msgspec import structs

from tests.fuzz.heads import NOW, VERSION, attempt, head_of
from twisted_s3.model import Bucket, Upload
from twisted_s3.protocol import (
    bucketlogging,
    cors,
    notification,
    objectlock,
    requestdocs,
    switches,
    tagging,
    versioning,
    website,
)
from twisted_s3.protocol.access import acl, ownership, publicblock
from twisted_s3.protocol.encryption import defaults
from twisted_s3.protocol.encryption import headers as encryption
from twisted_s3.protocol.lifecycle import documents as lifecycles
from twisted_s3.protocol.lifecycle.evaluation import Calendar, Place, action
from twisted_s3.protocol.lifecycle.headers import abort_headers, expiration_headers
from twisted_s3.protocol.xmldocs import Owner

T = TypeVar("T")

_UPLOAD = Upload("upload", "key", NOW)
_BUCKET = Bucket("bucket", NOW, configurations={defaults.ENCRYPTION: defaults.ENCRYPTED})
_ASKED = website.Asked("http", "bucket.example.com:8080", "docs/\xe9 a#?", "a=b")


def _again(data: bytes, read: Callable[[bytes], T], write: Callable[[T], bytes]) -> T:
    """Read a document, which must survive being written. :raise S3Error: what ``read`` raises."""
    found = read(data)
    again = read(write(found))
    assert again == found, (found, again)
    return found


def _resolve(kind: str, text: str) -> str:
    return text or "x"


def _sendable(headers: object) -> None:
    """Headers can be sent."""
    assert isinstance(headers, tuple | list)
    for name, value in headers:
        name.encode("ascii")
        value.encode("latin-1")


def lifecycle(data: bytes) -> None:
    """``LifecycleConfiguration``, and what its rules do to a version and an upload."""
    found = _again(data, lifecycles.parse_lifecycle, lifecycles.lifecycle_document)
    _sendable(expiration_headers(found, VERSION))
    _sendable(abort_headers(found, _UPLOAD))
    for latest, now, day in itertools.product((True, False), (NOW, 4e9), (86400.0, 1.0)):
        place = Place(VERSION, latest, 0 if latest else 1, None if latest else NOW)
        action(found, place, True, now, Calendar(day))


def bucket_encryption(data: bytes) -> None:
    """``ServerSideEncryptionConfiguration``."""
    found = defaults.parse_bucket_encryption(data)
    written = defaults.bucket_encryption_document(found)
    # What was left open is written as the default that it is.
    said = structs.replace(found, default=structs.replace(found.default, bucket_key=bool(found.default.bucket_key)))
    assert defaults.parse_bucket_encryption(written) == said, (found, written)
    name = encryption.key_name(found.default.key)
    name.encode("ascii")
    defaults.parse_bucket_encryption(defaults.accepted(data, _BUCKET))


def cors_rules(data: bytes) -> None:
    """``CORSConfiguration``, and what it grants."""
    rules = _again(data, cors.parse_cors, cors.cors_document)
    for method in cors.METHODS:
        for origin in ("http://a.example.com", "null", "\xe9"):
            _sendable(cors.cors_headers(rules, cors.CORSRequest(origin, method, ("x-amz-date", "content-type"))))


def cors_request(data: bytes) -> None:
    """``Origin`` and ``Access-Control-Request-*``."""
    head = head_of(data)
    asked = cors.cors_request(head)
    rule = cors.CORSRule(("http://*", "*.org"), cors.METHODS, ("x-*",), ("etag",), 5)
    if asked is not None:
        _sendable(cors.cors_headers((rule,), asked))
    attempt(partial(cors.preflight_request, head))


def object_lock(data: bytes) -> None:
    """``ObjectLockConfiguration``, ``Retention`` and ``LegalHold``."""

    def default() -> None:
        found = _again(data, objectlock.parse_lock_configuration, objectlock.lock_configuration_document)
        if found is not None:
            _sendable(list(objectlock.retention_headers(found.lock(NOW))))

    def retention() -> None:
        lock = objectlock.parse_retention(data, NOW)
        if lock.mode:
            assert objectlock.parse_retention(objectlock.retention_document(lock), NOW) == lock, lock
        objectlock.is_locked(lock, NOW)
        objectlock.remaining_days(lock.until, NOW)

    hold = partial(_again, data, objectlock.parse_legal_hold, objectlock.legal_hold_document)
    attempt(partial(default), partial(retention), hold)


def events(data: bytes) -> None:
    """``NotificationConfiguration``, and what its rules want."""
    ids = map(str, itertools.count())
    found = notification.parse_notification(data, lambda: next(ids))
    again = notification.load_notification(notification.notification_document(found))
    assert list(again) == list(found), (found, again)
    for rule in found:
        rule.wants("ObjectCreated:Put", "photos/a.jpg")
        attempt(partial(getattr, rule, "destination"))
    attempt(partial(notification.check_destinations, found, "us-east-1", ("target",)))


def websites(data: bytes) -> None:
    """``WebsiteConfiguration``, and where it sends readers."""
    found = _again(data, website.parse_website, website.website_document)
    if found.elsewhere is not None:
        website.location(_ASKED, found.elsewhere).encode("ascii")
    for rule in found.rules:
        rule.applies(_ASKED.key, "404")
        website.location(_ASKED, rule.redirect, rule.prefix or "").encode("ascii")


def logging(data: bytes) -> None:
    """``BucketLoggingStatus``, and the keys of logs."""
    found = bucketlogging.parse_logging(data, _resolve)
    again = bucketlogging.load_logging(bucketlogging.logging_document(found, Owner))
    assert again == found, (found, again)
    if found is not None:
        bucketlogging.log_key(found, "account", "region", "bucket", NOW, NOW, "0" * 16)


def access_list(data: bytes) -> None:
    """``AccessControlPolicy``."""
    owner, grants = acl.parse_acl(data, _resolve)
    written = acl.acl_document(Owner(owner), grants, Owner)
    assert acl.parse_acl(written, _resolve) == (owner, grants), grants
    assert acl.load_grants(acl.dump_grants(grants)) == grants
    assert not acl.is_public(acl.without_public(grants))


def small(data: bytes) -> None:
    """Documents with a word or two: ownership, public access, versioning, who pays, acceleration, tags for access."""
    attempt(
        partial(_again, data, ownership.parse_ownership, ownership.ownership_document),
        partial(_again, data, publicblock.parse_public_access_block, publicblock.public_access_block_document),
        partial(_again, data, versioning.parse_versioning, versioning.versioning_document),
        *(
            partial(_again, data, switch.read, switch.write)
            for switch in (switches.REQUEST_PAYMENT, switches.ACCELERATION, switches.ABAC)
        ),
    )


def tags(data: bytes) -> None:
    """``Tagging`` of objects and of buckets."""
    for limit in (10, 50):
        attempt(partial(_again, data, partial(requestdocs.parse_tagging, limit=limit), tagging.tagging_document))
