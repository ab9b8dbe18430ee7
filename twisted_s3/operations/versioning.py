"""PutBucketVersioning, GetBucketVersioning, and what requests and answers say about versions."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from twisted_s3.errors import S3Error
from twisted_s3.model import NULL_VERSION, SUSPENDED, Bucket, Deletion, ObjectVersion
from twisted_s3.operations.call import SHORT_DOCUMENT, Answer, Call, document
from twisted_s3.protocol.versioning import parse_versioning, versioning_document


async def put_bucket_versioning(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketVersioning.html"""
    state = await call.parsed(parse_versioning, SHORT_DOCUMENT)

    def change(bucket: Bucket) -> Bucket:
        if bucket.object_lock and state == SUSPENDED:
            raise S3Error(
                "InvalidBucketState",
                "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.",
            )
        return structs.replace(bucket, versioning=state)

    await call.store.change_bucket(call.bucket_name, change)
    return Answer(200)


async def get_bucket_versioning(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketVersioning.html"""
    return document(versioning_document("" if call.bucket is None else call.bucket.versioning))


def version_named(call: Call) -> str | None:
    """The version that a request names. The store checks what it can be."""
    return call.parameter("versionId")


def version_header(
    bucket: Bucket | None, version: ObjectVersion, name: str = "x-amz-version-id"
) -> Sequence[tuple[str, str]]:
    """The header that tells the version, in a bucket that is or was versioned."""
    return [(name, version.version_id)] if bucket is not None and bucket.versioning else []


def made_header(bucket: Bucket | None, version: ObjectVersion) -> Sequence[tuple[str, str]]:
    """The header that tells which version a write made: none for the ``null`` version, as AWS has it."""
    return [] if version.version_id == NULL_VERSION else version_header(bucket, version)


def deletion_headers(deletion: Deletion) -> Sequence[tuple[str, str]]:
    """The headers that tell what a deletion did."""
    headers = [] if deletion.version_id is None else [("x-amz-version-id", deletion.version_id)]
    return [*headers, ("x-amz-delete-marker", "true")] if deletion.delete_marker else headers
