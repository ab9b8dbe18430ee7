"""RenameObject."""

from __future__ import annotations

from twisted_s3.errors import S3Error
from twisted_s3.operations.call import Answer, Call
from twisted_s3.operations.headers import refuse_unbuilt
from twisted_s3.operations.locking import default_lock
from twisted_s3.operations.notifying import either, making, removing
from twisted_s3.protocol.conditions import rename_conditions
from twisted_s3.protocol.copysource import parse_rename_source
from twisted_s3.protocol.events import CREATED_COPY, REMOVED_DELETE
from twisted_s3.protocol.names import check_key

_IDEMPOTENCY = "x-amz-client-token"


async def rename_object(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_RenameObject.html

    AWS has it in directory buckets only. A client token is not remembered: what was renamed is no longer there. In a
    bucket with Object Lock the version stays where it is, under a delete marker, and the new one has its lock too.
    """
    refuse_unbuilt(call.head)
    source = parse_rename_source(call.head.header("x-amz-rename-source"), call.bucket_name)
    _check_token(call)
    _check_keys(source, call.key)
    for action in ("s3:GetObject", "s3:DeleteObject"):
        await call.authorize(action, call.bucket, source)
    if call.head.header("if-match") is not None:
        # It tells whether an ETag is that of the object at the destination.
        await call.authorize("s3:GetObject", call.bucket, call.key)
    source_condition, condition = rename_conditions(call.head, call.services.clock.seconds())
    source_condition, condition = call.held(source_condition, key=source), call.held(condition)
    witness = call.witness(either(making(CREATED_COPY), removing(source)))
    version = await call.store.rename_object(
        call.bucket_name, source, call.key, source_condition, condition, witness, default_lock(call)
    )
    await call.announce(CREATED_COPY, call.key, version)
    await call.announce(REMOVED_DELETE, source)
    return Answer(200)


def _check_keys(source: str, target: str) -> None:
    check_key(source)
    if source.endswith("/") or target.endswith("/"):
        raise S3Error("InvalidRequest", "Objects whose keys end with the slash (/) delimiter can not be renamed.")
    if source == target:
        raise S3Error("InvalidRequest", "This rename request is illegal because it is trying to rename to itself.")


def _check_token(call: Call) -> None:
    token = call.head.header(_IDEMPOTENCY)
    if token is not None and not (0 < len(token) <= 64 and all("!" <= character <= "~" for character in token)):
        raise S3Error("InvalidArgument", elements={"ArgumentName": _IDEMPOTENCY, "ArgumentValue": token})
