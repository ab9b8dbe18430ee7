"""PutObject, GetObject, HeadObject."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import structs

from twisted_s3.errors import S3Error
from twisted_s3.interfaces import Condition, IOpenedObject, always
from twisted_s3.model import ByteRange, ObjectVersion
from twisted_s3.operations.acl import new_object
from twisted_s3.operations.call import Answer, Call, Download, discarding
from twisted_s3.operations.encryption import check_key, sealing_for, unlock
from twisted_s3.operations.headers import (
    checksum_headers,
    etag_header,
    refuse_unbuilt,
    validators,
)
from twisted_s3.operations.lifecycle import expiration
from twisted_s3.operations.locking import default_lock, lock_headers, requested_lock, require_lock_digest
from twisted_s3.operations.notifying import making
from twisted_s3.operations.tagging import authorize_tagging, tagging_count
from twisted_s3.operations.versioning import made_header, version_header, version_named
from twisted_s3.protocol.conditions import check_read, range_applies, write_condition
from twisted_s3.protocol.events import CREATED_PUT
from twisted_s3.protocol.head import RequestHead
from twisted_s3.protocol.multipart import part_number
from twisted_s3.protocol.properties import headers_of, properties_of
from twisted_s3.protocol.ranges import parse_range

_OVERRIDES = {
    "response-cache-control": "Cache-Control",
    "response-content-disposition": "Content-Disposition",
    "response-content-encoding": "Content-Encoding",
    "response-content-language": "Content-Language",
    "response-content-type": "Content-Type",
    "response-expires": "Expires",
}


async def put_object(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html"""
    if call.parameter("partNumber") is not None:
        raise S3Error("InvalidArgument", "This operation does not accept a part number without an upload id.")
    refuse_unbuilt(call.head)
    await authorize_tagging(call)
    lock = await requested_lock(call)
    made = await new_object(call, properties_of(call.head))
    condition = await condition_of(call, call.head)
    limit = call.services.limits.put
    require_lock_digest(call, lock)
    payload = call.payload(limit)
    if payload.size is None and "transfer-encoding" not in call.head.headers:
        raise S3Error("MissingContentLength")
    sealing = await sealing_for(call, call.head)
    await check_early(call, condition)
    async with discarding(call.store.stage(call.bucket_name, sealing.payload(payload))) as staged:
        await call.receive(staged, limit if payload.size is None else None)
        lock = lock.with_default(default_lock(call))
        witness = call.witness(making(CREATED_PUT))
        version = await staged.commit(call.key, made.properties, condition, made.owner, lock, witness)
    await call.announce(CREATED_PUT, call.key, version)
    headers = [etag_header(version.etag), *checksum_headers(version), *made_header(call.bucket, version)]
    return Answer(200, [*headers, *sealing.headers, *expiration(call, version)])


async def condition_of(call: Call, head: RequestHead) -> Condition:
    """The condition of a write, for who may know what it tells: ``If-Match`` tells whether an ETag is the object's.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html#conditional-write-etags

    :raise S3Error: ``AccessDenied`` for ``If-Match`` without the right to read the object; as `write_condition` does.
    """
    condition = write_condition(head)
    if head.header("if-match") is not None:
        await call.authorize("s3:GetObject", call.bucket, call.key)
    return call.held(condition)


async def check_early(call: Call, condition: Condition) -> None:
    """Refuse a conditional write before its body is sent for nothing. What counts is the check at the commit."""
    if condition is always:
        return
    try:
        current = await call.store.head_object(call.bucket_name, call.key)
    except S3Error as error:
        if error.code != "NoSuchKey":
            raise
        condition(None)
    else:
        condition(current)


async def get_object(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html"""
    opened = await call.store.open_object(call.bucket_name, call.key, version_named(call))
    try:
        call.hold(opened.version, version_named(call))
        return await _read(call, opened.version, opened, await unlock(call, opened))
    except BaseException:
        opened.close()
        raise


async def head_object(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html"""
    version = await call.store.head_object(call.bucket_name, call.key, version_named(call))
    call.hold(version, version_named(call))
    return await _read(call, version, None, check_key(call, version))


async def _read(
    call: Call, version: ObjectVersion, opened: IOpenedObject | None, encryption: Sequence[tuple[str, str]]
) -> Answer:
    check_read(call.head, version, call.services.clock.seconds())
    span, extra = _selected(call, version)
    whole = span is None
    if span is None:
        span = ByteRange(0, version.size)
    else:
        extra = [*extra, ("Content-Range", f"bytes {span.start}-{span.stop - 1}/{version.size}")]
    headers = [*validators(version), *_described(call, version), *await tagging_count(call, version), *extra]
    headers += await lock_headers(call, version)
    headers += [*version_header(call.bucket, version), *encryption, *expiration(call, version)]
    if whole and call.head.header("x-amz-checksum-mode") == "ENABLED":
        headers += checksum_headers(version)
    headers.append(("Content-Length", str(span.length)))
    return Answer(200 if whole else 206, headers, download=None if opened is None else Download(opened, span))


def _selected(call: Call, version: ObjectVersion) -> tuple[ByteRange | None, Sequence[tuple[str, str]]]:
    """Which bytes are asked for (None: all), and the headers that go with a part."""
    wanted = call.head.header("range")
    number = call.parameter("partNumber")
    if number is not None:
        if wanted is not None:
            raise S3Error("InvalidRequest", "Cannot specify both Range header and partNumber query parameter")
        return _part(call, version, number)
    if wanted is None or not range_applies(call.head, version):
        return None, ()
    return parse_range(wanted, version.size), ()


def _part(call: Call, version: ObjectVersion, text: str) -> tuple[ByteRange | None, Sequence[tuple[str, str]]]:
    number = part_number(text)
    if number > max(len(version.parts), 1):
        actual = str(max(len(version.parts), 1))
        raise S3Error("InvalidPartNumber", elements={"ActualPartCount": actual, "PartNumberRequested": text})
    described = call.head.header("x-amz-checksum-mode") == "ENABLED"
    if not version.parts:
        whole = ByteRange(0, version.size) if version.size else None
        return whole, tuple(checksum_headers(version)) if whole and described else ()
    start = sum(part.size for part in version.parts[: number - 1])
    part = version.parts[number - 1]
    headers = [("x-amz-mp-parts-count", str(len(version.parts)))]
    if described:
        headers += checksum_headers(structs.replace(version, checksums=part.checksums))
    return (ByteRange(start, start + part.size) if part.size else None), headers


def _described(call: Call, version: ObjectVersion) -> Iterator[tuple[str, str]]:
    """The object's own headers, overridden as the query says."""
    overrides = {}
    for parameter, value in call.head.parameters.items():
        if parameter in _OVERRIDES:
            if call.verified is None:
                raise S3Error(
                    "InvalidRequest", "Request specific response headers cannot be used for anonymous GET requests."
                )
            overrides[_OVERRIDES[parameter]] = _header_text(parameter, value)
    for name, value in headers_of(version.properties):
        if name not in overrides:
            yield name, value
    yield from overrides.items()


def _header_text(parameter: str, value: str) -> str:
    """A parameter's value as the value of a header."""
    encoded = value.encode("utf-8").decode("latin-1")
    if any(character < " " or character == "\x7f" for character in encoded):
        raise S3Error(
            "InvalidArgument",
            "Header value cannot be represented using ISO-8859-1.",
            {"ArgumentName": parameter, "ArgumentValue": value},
        )
    return encoded
