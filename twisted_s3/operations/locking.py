"""Object Lock: the operations on it, the locks that writes bring along, and the leave to get past one.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import structs

from twisted_s3.errors import S3Error
from twisted_s3.model import ENABLED, UNLOCKED, Bucket, ObjectLock, ObjectVersion
from twisted_s3.operations.call import SHORT_DOCUMENT, Answer, Call, Services, document
from twisted_s3.operations.configuration import Configuration
from twisted_s3.operations.headers import require_digest
from twisted_s3.operations.versioning import version_named
from twisted_s3.protocol import objectlock
from twisted_s3.protocol.head import RequestHead
from twisted_s3.protocol.xmlreading import boolean_of

#: The document of a bucket that has no default retention.
ENABLED_DOCUMENT = objectlock.lock_configuration_document(None)

_ENABLED_HEADER = "x-amz-bucket-object-lock-enabled"


def _accept(body: bytes, bucket: Bucket, services: Services) -> bytes:
    default = objectlock.parse_lock_configuration(body)
    if bucket.versioning != ENABLED:
        raise S3Error(
            "InvalidBucketState",
            "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration",
        )
    return objectlock.lock_configuration_document(default)


def _with_lock(bucket: Bucket) -> Bucket:
    return structs.replace(bucket, object_lock=True)


#: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectLockConfiguration.html
#: It turns Object Lock on, which nothing turns off again.
LOCK = Configuration(
    "object-lock", _accept, "ObjectLockConfigurationNotFoundError", limit=SHORT_DOCUMENT, digest=True, effect=_with_lock
)


def wants_lock(head: RequestHead) -> bool:
    """Whether a bucket is to be made with Object Lock. :raise S3Error: ``InvalidArgument``."""
    value = head.header(_ENABLED_HEADER)
    if value is None:
        return False
    try:
        return boolean_of(value)
    except S3Error:
        elements = {"ArgumentName": _ENABLED_HEADER, "ArgumentValue": value}
        raise S3Error("InvalidArgument", elements=elements) from None


async def put_object_retention(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectRetention.html"""
    require_digest(call.head)
    now = call.services.clock.seconds()
    wanted = await call.parsed(lambda body: objectlock.parse_retention(body, now), SHORT_DOCUMENT)
    version_id, known = version_named(call), _keys(wanted, now)
    await call.authorize("s3:PutObjectRetention", call.bucket, call.key, version_id=version_id, known=known)
    _require_lock(call)
    bypass = await may_bypass(call, call.key, version_id)
    await _change(call, lambda lock: objectlock.changed_retention(lock, wanted, now, bypass))
    return Answer(200)


async def get_object_retention(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectRetention.html"""
    lock = await _lock(call)
    if not lock.mode:
        raise S3Error("NoSuchObjectLockConfiguration")
    return document(objectlock.retention_document(lock))


async def put_object_legal_hold(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectLegalHold.html"""
    require_digest(call.head)
    hold = await call.parsed(objectlock.parse_legal_hold, SHORT_DOCUMENT)
    known = _keys(ObjectLock(legal_hold=hold), 0)
    await call.authorize("s3:PutObjectLegalHold", call.bucket, call.key, version_id=version_named(call), known=known)
    _require_lock(call)
    await _change(call, lambda lock: structs.replace(lock, legal_hold=hold))
    return Answer(200)


async def get_object_legal_hold(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectLegalHold.html"""
    lock = await _lock(call)
    if lock.legal_hold is None:
        raise S3Error("NoSuchObjectLockConfiguration")
    return document(objectlock.legal_hold_document(lock.legal_hold))


async def requested_lock(call: Call) -> ObjectLock:
    """The lock that a write asks for, by the right to set it.

    :raise S3Error: ``InvalidArgument`` for the headers; ``AccessDenied``; ``InvalidRequest`` where the bucket has no
        Object Lock.
    """
    head = call.head if call.form is None else call.form
    lock = objectlock.lock_of(head, call.services.clock.seconds())
    if lock == UNLOCKED:
        return lock
    if call.form is None and (call.verified is None or call.verified.seed is None):
        message = "Put Object requests with Object Lock parameters require AWS Signature Version 4"
        raise S3Error("InvalidArgument", message, {"ArgumentName": "Authorization"})
    if lock.mode:
        await call.authorize("s3:PutObjectRetention", call.bucket, call.key, creates=True)
    if lock.legal_hold is not None:
        await call.authorize("s3:PutObjectLegalHold", call.bucket, call.key, creates=True)
    _require_lock(call, "Bucket is missing ObjectLockConfiguration")
    return lock


def default_lock(call: Call) -> ObjectLock:
    """The lock of an object that is made now in the bucket of a call without asking for one."""
    bucket = call.bucket
    if bucket is None or not bucket.object_lock:
        return UNLOCKED
    stored = bucket.configuration(LOCK.name)
    default = None if stored is None else objectlock.parse_lock_configuration(stored)
    return UNLOCKED if default is None else default.lock(call.services.clock.seconds())


def require_lock_digest(call: Call, lock: ObjectLock, what: str = "Put Object") -> None:
    """Bytes that are to be locked must come with a digest. :raise S3Error: ``InvalidRequest``.

    :param lock: that the write asks for; the bucket's default counts as well.
    """
    lock = lock.with_default(default_lock(call))
    if lock.mode or lock.legal_hold:
        header = "Content-MD5 OR x-amz-checksum- HTTP header"
        why = f"{header} is required for {what} requests with Object Lock parameters"
        require_digest(call.head if call.form is None else call.form, why)


async def may_bypass(call: Call, key: str, version_id: str | None) -> bool:
    """Whether who asks may destroy or change what is retained in GOVERNANCE mode, and says so."""
    asked = call.head.header(objectlock.BYPASS_HEADER)
    if asked is None or asked.strip().lower() != "true" or call.bucket is None or not call.bucket.object_lock:
        return False
    try:
        await call.authorize("s3:BypassGovernanceRetention", call.bucket, key, version_id=version_id)
    except S3Error as error:
        if error.code != "AccessDenied":
            raise
        return False
    return True


async def lock_headers(call: Call, version: ObjectVersion) -> Sequence[tuple[str, str]]:
    """The headers that tell the lock of a version, to those who may read it."""
    if version.lock == UNLOCKED:
        return ()
    headers: list[tuple[str, str]] = []
    for action, told in (
        ("s3:GetObjectRetention", objectlock.retention_headers(version.lock)),
        ("s3:GetObjectLegalHold", objectlock.legal_hold_headers(version.lock)),
    ):
        try:
            await call.authorize(action, call.bucket, call.key, version_id=version_named(call))
        except S3Error:
            continue
        headers += told
    return headers


async def _lock(call: Call) -> ObjectLock:
    """The lock of the version that is named. :raise S3Error: ``InvalidRequest`` where the bucket has no Object Lock."""
    _require_lock(call)
    version = await call.store.head_object(call.bucket_name, call.key, version_named(call))
    call.hold(version, version_named(call))
    return version.lock


async def _change(call: Call, change: Callable[[ObjectLock], ObjectLock]) -> None:
    """Change the lock of the version that has the key at that moment, or that is named; all else about it stays."""

    def changed(version: ObjectVersion) -> ObjectVersion:
        call.hold(version, version_named(call))
        return structs.replace(version, lock=change(version.lock))

    await call.store.change_object(call.bucket_name, call.key, changed, version_named(call))


def _require_lock(call: Call, message: str = "Bucket is missing Object Lock Configuration") -> None:
    if call.bucket is None or not call.bucket.object_lock:
        raise S3Error("InvalidRequest", message)


def _keys(lock: ObjectLock, now: float) -> Mapping[str, tuple[str, ...]]:
    """The condition keys of a lock that the body of a request asks for."""
    keys = {}
    for name, value in (*objectlock.retention_headers(lock), *objectlock.legal_hold_headers(lock)):
        keys[f"s3:{name.removeprefix('x-amz-')}"] = (value,)
    if lock.mode:
        keys["s3:object-lock-remaining-retention-days"] = (str(objectlock.remaining_days(lock.until, now)),)
    return keys
