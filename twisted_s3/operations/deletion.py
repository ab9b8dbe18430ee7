"""DeleteObject and DeleteObjects."""

from __future__ import annotations

from contextlib import suppress

from msgspec import structs
from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger

from twisted_s3.errors import S3Error
from twisted_s3.interfaces import Condition, always
from twisted_s3.model import Deletion
from twisted_s3.operations.call import Answer, Call, Moved, document
from twisted_s3.operations.headers import require_digest
from twisted_s3.operations.locking import may_bypass
from twisted_s3.operations.notifying import removing
from twisted_s3.operations.versioning import deletion_headers, version_named
from twisted_s3.protocol import xmldocs
from twisted_s3.protocol.conditions import delete_condition, deletion_condition
from twisted_s3.protocol.events import REMOVED_DELETE, REMOVED_MARKER
from twisted_s3.protocol.names import check_key
from twisted_s3.protocol.objectlock import deletion_guard
from twisted_s3.protocol.requestdocs import DeleteEntry, parse_delete
from twisted_s3.protocol.xmldocs import Deleted, DeleteFailure

_log = Logger()

#: The largest list of keys, in bytes: 1,000 of 1,024 bytes with their tags, twice over for what must be escaped.
_DOCUMENT_LIMIT = 2 * 1024 * 1024

#: How many keys of one request are deleted at a time: enough for them to share directory syncs.
_AT_A_TIME = 32

#: How often one is decided about when it moves: more often than it can be in one request's list at a time.
_ATTEMPTS = _AT_A_TIME + 4


async def delete_object(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html"""
    condition = delete_condition(call.head)
    match, version_id = call.head.header("if-match"), version_named(call)
    await _authorize_match(call, match, call.key, version_id)
    deletion = await _delete(call, call.key, version_id, match, condition)
    return Answer(204, deletion_headers(deletion))


async def delete_objects(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html

    Each key is authorised and answered on its own.
    """
    require_digest(call.head)
    request = await call.parsed(parse_delete, _DOCUMENT_LIMIT)
    outcomes: list[Deleted | DeleteFailure] = []
    for start in range(0, len(request.entries), _AT_A_TIME):
        batch = request.entries[start : start + _AT_A_TIME]
        outcomes += await gatherResults([Deferred.fromCoroutine(_delete_entry(call, entry)) for entry in batch])
    deleted = () if request.quiet else [outcome for outcome in outcomes if isinstance(outcome, Deleted)]
    failures = [outcome for outcome in outcomes if isinstance(outcome, DeleteFailure)]
    return document(xmldocs.delete_result(deleted, failures))


async def _delete_entry(call: Call, entry: DeleteEntry) -> Deleted | DeleteFailure:
    try:
        check_key(entry.key)
        deletion = await _decide_and_delete(call, entry)
    except S3Error as error:
        return DeleteFailure(entry.key, error, entry.version_id)
    except Exception:
        _log.failure("DeleteObjects failed for {key!r}", key=entry.key)
        return DeleteFailure(entry.key, S3Error("InternalError"), entry.version_id)
    return Deleted(entry.key, entry.version_id, deletion.version_id if deletion.delete_marker else None)


async def _decide_and_delete(call: Call, entry: DeleteEntry) -> Deletion:
    """Delete what may be deleted. When it moves meanwhile, it is decided anew: another entry may name the same key.

    :raise S3Error: also ``OperationAborted``, when it moves again and again.
    """
    for _ in range(_ATTEMPTS):
        # Each entry rests on what it has seen itself: others must not take that away from under it.
        alone = structs.replace(call, basis={})
        with suppress(Moved):
            await alone.authorize("s3:DeleteObject", call.bucket, entry.key, version_id=entry.version_id)
            await _authorize_match(alone, entry.etag, entry.key, entry.version_id)
            condition = deletion_condition(entry.etag, entry.size, entry.last_modified)
            return await _delete(alone, entry.key, entry.version_id, entry.etag, condition)
    raise Moved


async def _authorize_match(call: Call, etag: str | None, key: str, version_id: str | None) -> None:
    """Who asks for an ETag learns whether it is that of the object, for which the right to read it is needed.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html

    :raise S3Error: ``AccessDenied``.
    """
    if etag is not None and etag.strip() != "*":
        await call.authorize("s3:GetObject", call.bucket, key, version_id=version_id)


async def _delete(call: Call, key: str, version_id: str | None, etag: str | None, condition: Condition) -> Deletion:
    """Delete a key or a version. ``*`` fails at a delete marker, where an ETag finds no key.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html
    """
    guard = await _guard(call, key, version_id)
    held = call.held(condition, version_id, key)
    witness = call.witness(removing(key, version_id is not None))
    try:
        deletion = await call.store.delete_object(call.bucket_name, key, held, version_id, guard, call.owner, witness)
    except S3Error as error:
        if etag is not None and etag.strip() == "*" and error.headers.get("x-amz-delete-marker") == "true":
            raise S3Error("PreconditionFailed", elements={"Condition": "If-Match"}) from None
        raise
    if deletion.delete_marker and version_id is None:
        await call.announce(REMOVED_MARKER, key, version_id=deletion.version_id)
    elif deletion:
        await call.announce(REMOVED_DELETE, key, version_id=deletion.version_id)
    return deletion


async def _guard(call: Call, key: str, version_id: str | None) -> Condition:
    """What keeps a locked version from being deleted.

    Without a version id nothing that is locked goes: buckets with Object Lock keep all versions.
    """
    if version_id is None:
        return always
    return deletion_guard(call.services.clock.seconds(), await may_bypass(call, key, version_id))
