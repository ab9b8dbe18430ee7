"""Multipart uploads."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from urllib.parse import quote

from msgspec import structs

from twisted_s3.errors import S3Error
from twisted_s3.interfaces import Condition
from twisted_s3.model import FULL_OBJECT, Assembly, ObjectVersion, Part, Upload, mark_of
from twisted_s3.operations.acl import new_object
from twisted_s3.operations.call import Answer, Call, discarding, document
from twisted_s3.operations.encryption import check_upload_key, part_sealing, sealing_for
from twisted_s3.operations.headers import etag_header, refuse_unbuilt
from twisted_s3.operations.lifecycle import abortion, expiration
from twisted_s3.operations.locking import default_lock, requested_lock, require_lock_digest
from twisted_s3.operations.notifying import making
from twisted_s3.operations.objects import check_early, condition_of
from twisted_s3.operations.tagging import authorize_tagging
from twisted_s3.operations.versioning import made_header
from twisted_s3.protocol import xmldocs
from twisted_s3.protocol.checksums import DEFAULT, header_name
from twisted_s3.protocol.conditions import unless_conflicting
from twisted_s3.protocol.encryption.headers import encryption_headers
from twisted_s3.protocol.events import CREATED_MULTIPART
from twisted_s3.protocol.listing import UploadsPage, page_size, parts_page, uploads_page, wants_url_encoding
from twisted_s3.protocol.multipart import (
    check_object_claims,
    check_part_algorithm,
    check_part_claims,
    chosen_parts,
    declared_checksum,
    object_checksum,
    object_etag,
    part_number,
    without_checksums,
)
from twisted_s3.protocol.properties import properties_of
from twisted_s3.protocol.requestdocs import CompletedPart, parse_complete_multipart_upload

#: The largest list of parts, in bytes: 10,000 with the longest checksum, indented.
_DOCUMENT_LIMIT = 3 * 1024 * 1024


async def create_multipart_upload(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html"""
    refuse_unbuilt(call.head)
    await authorize_tagging(call)
    lock = await requested_lock(call)
    made = await new_object(call, properties_of(call.head))
    algorithm, kind = declared_checksum(call.head)
    sealing = await sealing_for(call, call.head)
    upload = await call.store.create_upload(
        call.bucket_name,
        call.key,
        made.properties,
        made.owner,
        algorithm,
        kind,
        lock,
        encryption=sealing.encryption,
        before=mark_of(await call.present(call.bucket_name, call.key, None)),
    )
    headers = [*sealing.headers, *abortion(call, upload)]
    if algorithm:
        headers += [("x-amz-checksum-algorithm", algorithm), ("x-amz-checksum-type", kind)]
    return document(xmldocs.initiate_multipart_upload_result(call.bucket_name, upload), headers)


def upload_id(call: Call) -> str:
    """The upload that a request names."""
    return call.parameter("uploadId") or ""


async def upload_part(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html"""
    number = part_number(call.parameter("partNumber"))
    refuse_unbuilt(call.head)
    upload = await call.store.get_upload(call.bucket_name, call.key, upload_id(call))
    check_part_algorithm(call.head, upload.checksum_algorithm)
    require_lock_digest(call, upload.lock, "Put Part")
    payload = call.payload(call.services.limits.put, part_algorithms(upload))
    if payload.size is None:
        raise S3Error("MissingContentLength")
    sealing = await part_sealing(call, upload)
    stored, sealed = sealing.stored_size(payload.size), sealing.payload(payload, number)
    staging = call.store.stage_part(call.bucket_name, call.key, upload.id, number, stored, sealed)
    async with discarding(staging) as staged:
        await call.receive(staged)
        part = await staged.commit()
    return Answer(200, [etag_header(part.etag), *_part_checksums(part), *sealing.headers])


def part_algorithms(upload: Upload) -> tuple[str, ...]:
    """The checksums that every part of an upload needs, whatever its sender computes."""
    return (upload.checksum_algorithm or DEFAULT,)


def _part_checksums(part: Part) -> Sequence[tuple[str, str]]:
    return [(header_name(algorithm), value) for algorithm, value in part.checksums.items()]


async def complete_multipart_upload(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html

    Asked again after it succeeded, it answers as the first time, as long as the object is there.
    """
    refuse_unbuilt(call.head)
    condition = await condition_of(call, call.head)
    try:
        complete = await _prepared(call, condition)
    except S3Error as error:
        return _completed(call, await _earlier(call, error))
    return await call.eventually(_complete(call, complete))


async def _complete(call: Call, complete: Callable[[], Awaitable[ObjectVersion]]) -> Answer:
    try:
        version = await complete()
    except S3Error as error:
        return _completed(call, await _earlier(call, error))
    await call.announce(CREATED_MULTIPART, call.key, version)
    return _completed(call, version)


async def _prepared(call: Call, condition: Condition) -> Callable[[], Awaitable[ObjectVersion]]:
    """Check all that can be checked beforehand. Gives what remains to be done."""
    upload = await call.store.get_upload(call.bucket_name, call.key, upload_id(call))
    # AWS keeps checksums that were asked for encrypted, too, and needs the key to put them together.
    check_upload_key(call, upload, required=bool(upload.checksum_algorithm))
    condition = unless_conflicting(condition, call.head, upload)
    await check_early(call, condition)
    # A checksum in the head of this request is that of the object, not of the document.
    bare = structs.replace(call, head=without_checksums(call.head))
    wanted = await bare.parsed(parse_complete_multipart_upload, _DOCUMENT_LIMIT)
    check_part_claims(wanted, upload.checksum_algorithm, upload.checksum_type)
    return partial(
        call.store.complete_upload,
        call.bucket_name,
        call.key,
        upload.id,
        partial(_assembly, call, upload, wanted),
        condition,
        call.witness(making(CREATED_MULTIPART)),
        default_lock=default_lock(call),
    )


def _assembly(call: Call, upload: Upload, wanted: Sequence[CompletedPart], stored: Sequence[Part]) -> Assembly:
    """What to make of the parts that are there. For any thread: with many of them it takes its time.

    :raise S3Error: when they are not those that are wanted, or do not come to what is claimed.
    """
    parts = chosen_parts(wanted, stored, call.services.limits.part)
    _check_total(call, parts)
    algorithm, kind = upload.checksum_algorithm or DEFAULT, upload.checksum_type or FULL_OBJECT
    checksum = object_checksum(parts, algorithm, kind)
    check_object_claims(call.head, parts, algorithm, kind, checksum)
    return Assembly(parts, object_etag(parts), {algorithm: checksum}, kind)


async def _earlier(call: Call, error: S3Error) -> ObjectVersion:
    """The object that the upload has become: another sending of the request may have made it and taken the parts.

    :raise S3Error: ``error`` when it has become none that is still there.
    """
    if error.code not in ("NoSuchUpload", "InvalidPart", "PreconditionFailed", "ConditionalRequestConflict"):
        raise error
    try:
        version = await call.store.head_object(call.bucket_name, call.key)
    except S3Error:
        raise error from None
    if not version.upload_id or version.upload_id != upload_id(call):
        raise error
    return version


def _check_total(call: Call, parts: Sequence[Part]) -> None:
    total, limit = sum(part.size for part in parts), call.services.limits.object
    if total > limit:
        raise S3Error("EntityTooLarge", elements={"ProposedSize": str(total), "MaxSizeAllowed": str(limit)})


def _completed(call: Call, version: ObjectVersion) -> Answer:
    scheme = "https" if call.head.secure else "http"
    host = call.head.header("host") or ""
    location = f"{scheme}://{host}/{call.bucket_name}/{quote(call.key, safe='/~')}"
    body = xmldocs.complete_multipart_upload_result(location, call.bucket_name, version)
    headers = [*made_header(call.bucket, version), *encryption_headers(version.encryption)]
    return document(body, [*headers, *expiration(call, version)])


async def abort_multipart_upload(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html"""
    await call.store.abort_upload(call.bucket_name, call.key, upload_id(call))
    return Answer(204)


async def list_parts(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html"""
    max_parts = page_size("max-parts", call.parameter("max-parts"))
    marker = page_size("part-number-marker", call.parameter("part-number-marker") or "0", 2**31)
    upload = await call.store.get_upload(call.bucket_name, call.key, upload_id(call))
    check_upload_key(call, upload)
    parts = await call.store.list_parts(call.bucket_name, call.key, upload.id)
    page = parts_page(parts, marker, max_parts)
    owner = call.object_owner(upload.owner)
    body = xmldocs.list_parts_result(call.bucket_name, upload, page, owner, marker=marker, max_parts=max_parts)
    return document(body, abortion(call, upload))


async def _begun(call: Call, key: str, upload_id: str) -> float | None:
    """When an upload was begun; None when there is none."""
    try:
        return (await call.store.get_upload(call.bucket_name, key, upload_id)).initiated if upload_id else None
    except S3Error as error:
        if error.code != "NoSuchUpload":
            raise
        return None


async def list_multipart_uploads(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html"""
    prefix, delimiter = call.parameter("prefix") or "", call.parameter("delimiter") or ""
    key_marker = call.parameter("key-marker") or ""
    id_marker = call.parameter("upload-id-marker") or ""
    most = page_size("max-uploads", call.parameter("max-uploads"))
    url = wants_url_encoding(call.parameter("encoding-type"))
    begun = await _begun(call, key_marker, id_marker)

    def cut(uploads: Iterable[Upload]) -> UploadsPage:
        return uploads_page(uploads, prefix, delimiter, key_marker, id_marker, most, begun)

    page = await call.store.page_uploads(call.bucket_name, cut)
    return document(
        xmldocs.list_multipart_uploads_result(
            call.bucket_name,
            page,
            call.object_owner,
            prefix=prefix,
            delimiter=delimiter,
            key_marker=key_marker,
            upload_id_marker=id_marker,
            max_uploads=most,
            url=url,
        )
    )
