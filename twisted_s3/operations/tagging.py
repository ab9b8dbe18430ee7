"""PutObjectTagging, GetObjectTagging, DeleteObjectTagging, and the tags that other operations bring along."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import structs

from twisted_s3.errors import S3Error
from twisted_s3.model import Bucket, ObjectVersion
from twisted_s3.operations.call import SHORT_DOCUMENT, Answer, Call, document
from twisted_s3.operations.notifying import changing
from twisted_s3.operations.versioning import version_header, version_named
from twisted_s3.protocol.copysource import CopySource
from twisted_s3.protocol.events import TAGGING_DELETE, TAGGING_PUT
from twisted_s3.protocol.requestdocs import parse_tagging
from twisted_s3.protocol.tagging import HEADER, tagging_document


async def put_object_tagging(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html"""
    return Answer(200, await _set_tags(call, await call.parsed(parse_tagging, SHORT_DOCUMENT), TAGGING_PUT))


async def get_object_tagging(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectTagging.html"""
    version = await call.store.head_object(call.bucket_name, call.key, version_named(call))
    call.hold(version, version_named(call))
    return document(tagging_document(version.properties.tags), version_header(call.bucket, version))


async def delete_object_tagging(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjectTagging.html"""
    return Answer(204, await _set_tags(call, {}, TAGGING_DELETE))


async def _set_tags(call: Call, tags: Mapping[str, str], event: str) -> Sequence[tuple[str, str]]:
    """Replace the tags of the version that has the key at that moment, or that is named; all else about it stays.

    :return: the headers that tell which it was.
    """

    def change(version: ObjectVersion) -> ObjectVersion:
        call.hold(version, version_named(call))
        return structs.replace(version, properties=structs.replace(version.properties, tags=tags))

    version = await call.store.change_object(
        call.bucket_name, call.key, change, version_named(call), call.witness(changing(event))
    )
    await call.announce(event, call.key, version)
    return version_header(call.bucket, version)


async def authorize_tagging(call: Call) -> None:
    """A write that brings tags needs the right to set them. :raise S3Error: ``AccessDenied``."""
    if HEADER in call.head.headers:
        await call.authorize("s3:PutObjectTagging", call.bucket, call.key, creates=True)


async def authorize_copying_tags(call: Call, bucket: Bucket, source: CopySource) -> None:
    """So does a copy that takes over tags, and the right to read them. :raise S3Error: ``AccessDenied``.

    :param bucket: that the source is in.
    """
    await call.authorize("s3:GetObjectTagging", bucket, source.key, version_id=source.version_id)
    await call.authorize("s3:PutObjectTagging", call.bucket, call.key, creates=True)


async def tagging_count(call: Call, version: ObjectVersion) -> Sequence[tuple[str, str]]:
    """The header that tells how many tags there are, to those who may read them."""
    if not version.properties.tags:
        return ()
    try:
        version_id = call.parameter("versionId")
        await call.authorize("s3:GetObjectTagging", call.bucket, call.key, version_id=version_id)
    except S3Error:
        return ()
    return (("x-amz-tagging-count", str(len(version.properties.tags))),)
