"""CopyObject and UploadPartCopy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from msgspec import structs

from twisted_s3.errors import S3Error
from twisted_s3.interfaces import IOpenedObject
from twisted_s3.model import Bucket, ByteRange, Properties
from twisted_s3.operations.acl import new_object
from twisted_s3.operations.call import Answer, Call, discarding, document
from twisted_s3.operations.encryption import part_sealing, sealing_for, unlock
from twisted_s3.operations.headers import check_expected_owner, refuse_unbuilt
from twisted_s3.operations.lifecycle import expiration
from twisted_s3.operations.locking import default_lock, requested_lock
from twisted_s3.operations.multipart import part_algorithms, upload_id
from twisted_s3.operations.notifying import making
from twisted_s3.operations.objects import check_early, condition_of
from twisted_s3.operations.tagging import authorize_copying_tags, authorize_tagging
from twisted_s3.operations.versioning import made_header, version_header
from twisted_s3.protocol import xmldocs
from twisted_s3.protocol.checksums import check_supported
from twisted_s3.protocol.conditions import check_copy_source
from twisted_s3.protocol.copysource import CopySource, parse_copy_source
from twisted_s3.protocol.encryption.headers import SOURCE_PREFIX, brings_encryption
from twisted_s3.protocol.events import CREATED_COPY
from twisted_s3.protocol.multipart import part_number
from twisted_s3.protocol.names import check_bucket_name, check_key
from twisted_s3.protocol.payload import Payload
from twisted_s3.protocol.properties import properties_of, storage_class_of
from twisted_s3.protocol.ranges import parse_copy_source_range
from twisted_s3.protocol.tagging import tags_of

_REDIRECT = "x-amz-website-redirect-location"


async def copy_object(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html"""
    return await call.eventually(_copy(call))


async def upload_part_copy(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html"""
    return await call.eventually(_copy_part(call))


async def _copy(call: Call) -> Answer:
    refuse_unbuilt(call.head)
    source = parse_copy_source(call.head.header("x-amz-copy-source") or "")
    replace = _directive(call, "x-amz-metadata-directive")
    replace_tags = _directive(call, "x-amz-tagging-directive")
    tags = tags_of(call.head) if replace_tags else {}
    if replace_tags:
        await authorize_tagging(call)
    lock = await requested_lock(call)
    condition = await condition_of(call, call.head)
    storage_class = storage_class_of(call.head)
    sealing = await sealing_for(call, call.head)
    if source == CopySource(call.bucket_name, call.key) and not replace:
        _check_changes_something(call)
    async with _opened(call, source) as (bucket, opened):
        await check_early(call, condition)
        copied = version_header(bucket, opened.version, "x-amz-copy-source-version-id")
        size = opened.version.size
        if size > call.services.limits.put:
            raise S3Error(
                "InvalidRequest",
                "The specified copy source is larger than the maximum allowable size for a copy source: "
                f"{call.services.limits.put}",
            )
        before = opened.version.properties
        properties = properties_of(call.head) if replace else _kept(call, before, storage_class)
        if not replace_tags and before.tags:
            await authorize_copying_tags(call, bucket, source)
        made = await new_object(call, structs.replace(properties, tags=tags if replace_tags else before.tags))
        payload = sealing.payload(Payload(_algorithms(call, opened)))
        async with discarding(call.store.stage(call.bucket_name, payload)) as staged:
            await staged.copy_from(opened, ByteRange(0, size))
            lock = lock.with_default(default_lock(call))
            witness = call.witness(making(CREATED_COPY))
            version = await staged.commit(call.key, made.properties, condition, made.owner, lock, witness)
    await call.announce(CREATED_COPY, call.key, version)
    headers = [*made_header(call.bucket, version), *copied, *sealing.headers, *expiration(call, version)]
    return document(xmldocs.copy_object_result(version), headers)


async def _copy_part(call: Call) -> Answer:
    number = part_number(call.parameter("partNumber"))
    refuse_unbuilt(call.head)
    source = parse_copy_source(call.head.header("x-amz-copy-source") or "")
    upload = await call.store.get_upload(call.bucket_name, call.key, upload_id(call))
    sealing = await part_sealing(call, upload)
    async with _opened(call, source) as (bucket, opened):
        copied = version_header(bucket, opened.version, "x-amz-copy-source-version-id")
        size = opened.version.size
        span = parse_copy_source_range(call.head.header("x-amz-copy-source-range"), size) or ByteRange(0, size)
        if span.length > call.services.limits.put:
            raise S3Error(
                "EntityTooLarge",
                elements={"ProposedSize": str(span.length), "MaxSizeAllowed": str(call.services.limits.put)},
            )
        payload = sealing.payload(Payload(part_algorithms(upload)), number)
        stored = sealing.stored_size(span.length)
        staging = call.store.stage_part(call.bucket_name, call.key, upload.id, number, stored, payload)
        async with discarding(staging) as staged:
            await staged.copy_from(opened, span)
            part = await staged.commit()
    return document(xmldocs.copy_part_result(part), [*copied, *sealing.headers])


@asynccontextmanager
async def _opened(call: Call, source: CopySource) -> AsyncIterator[tuple[Bucket, IOpenedObject]]:
    """The source of a copy, authorised as if it were read, its conditions held."""
    check_bucket_name(source.bucket)
    check_key(source.key)
    bucket = await call.store.get_bucket(source.bucket)
    await call.authorize("s3:GetObject", bucket, source.key, version_id=source.version_id)
    check_expected_owner(call.head, bucket, "x-amz-source-expected-bucket-owner")
    try:
        opened = await _open(call, source)
    except S3Error as error:
        if error.code == "NoSuchKey":
            await call.admit_absence(bucket, source.key)
        raise
    try:
        call.hold(opened.version, source.version_id, source.key, source.bucket)
        await unlock(call, opened, SOURCE_PREFIX)
        check_copy_source(call.head, opened.version, call.services.clock.seconds())
        yield bucket, opened
    finally:
        opened.close()


async def _open(call: Call, source: CopySource) -> IOpenedObject:
    try:
        return await call.store.open_object(source.bucket, source.key, source.version_id)
    except S3Error as error:
        if error.code != "MethodNotAllowed":
            raise
        message = "The source of a copy request may not specifically refer to a delete marker by version id."
        raise S3Error("InvalidRequest", message) from None


def _directive(call: Call, name: str) -> bool:
    """Whether a directive says REPLACE. :raise S3Error: ``InvalidArgument``."""
    value = call.head.header(name)
    if value not in (None, "COPY", "REPLACE"):
        what = "metadata" if "metadata" in name else "tagging"
        raise S3Error(
            "InvalidArgument", f"Unknown {what} directive.", {"ArgumentName": name, "ArgumentValue": value or ""}
        )
    return value == "REPLACE"


def _check_changes_something(call: Call) -> None:
    names = call.head.headers
    if "x-amz-storage-class" not in names and _REDIRECT not in names and not brings_encryption(call.head):
        raise S3Error(
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself without changing the "
            "object's metadata, storage class, website redirect location or encryption attributes.",
        )


def _kept(call: Call, source: Properties, storage_class: str) -> Properties:
    """The source's properties without what a copy never takes over: storage class and redirect."""
    headers = {name: value for name, value in source.headers.items() if name != _REDIRECT}
    redirect = call.head.header(_REDIRECT)
    if redirect is not None:
        headers[_REDIRECT] = redirect
    return structs.replace(source, headers=headers, storage_class=storage_class)


def _algorithms(call: Call, opened: IOpenedObject) -> tuple[str, ...]:
    """The checksums of a copy: the one asked for, else those of the source, else AWS's default."""
    asked = call.head.header("x-amz-checksum-algorithm")
    if asked is None:
        return tuple(opened.version.checksums) or ("CRC64NVME",)
    check_supported(asked.upper())
    return (asked.upper(),)
