"""PutObjectTagging, GetObjectTagging, DeleteObjectTagging, and the tags that other operations bring along."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import attrs

from twisted_s3.errors import S3Error
from twisted_s3.model import Bucket, ObjectVersion
from twisted_s3.operations.call import Answer, Call, document
from twisted_s3.operations.versioning import version_header, version_named
from twisted_s3.protocol.requestdocs import parse_tagging
from twisted_s3.protocol.tagging import HEADER, tagging_document


async def put_object_tagging(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html"""
    return Answer(200, await _set_tags(call, parse_tagging(await call.document())))


async def get_object_tagging(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectTagging.html"""
    version = await call.store.head_object(call.bucket_name, call.key, version_named(call))
    return document(tagging_document(version.properties.tags), version_header(call.bucket, version))


async def delete_object_tagging(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjectTagging.html"""
    return Answer(204, await _set_tags(call, {}))


async def _set_tags(call: Call, tags: Mapping[str, str]) -> Sequence[tuple[str, str]]:
    """Replace the tags of the version that has the key at that moment, or that is named; all else about it stays.

    :return: the headers that tell which it was.
    """

    def change(version: ObjectVersion) -> ObjectVersion:
        return attrs.evolve(version, properties=attrs.evolve(version.properties, tags=tags))

    version = await call.store.change_object(call.bucket_name, call.key, change, version_named(call))
    return version_header(call.bucket, version)


def authorize_tagging(call: Call) -> None:
    """A write that brings tags needs the right to set them. :raise S3Error: ``AccessDenied``."""
    if HEADER in call.head.headers:
        _authorize(call, "s3:PutObjectTagging")


def authorize_copying_tags(call: Call, source: Bucket, source_key: str) -> None:
    """So does a copy that takes over tags, and the right to read them. :raise S3Error: ``AccessDenied``."""
    call.services.authorizer.authorize(call.user, "s3:GetObjectTagging", source, source_key)
    _authorize(call, "s3:PutObjectTagging")


def tagging_count(call: Call, version: ObjectVersion) -> Iterator[tuple[str, str]]:
    """The header that tells how many tags there are, to those who may read them."""
    if version.properties.tags:
        try:
            _authorize(call, "s3:GetObjectTagging")
        except S3Error:
            return
        yield "x-amz-tagging-count", str(len(version.properties.tags))


def _authorize(call: Call, action: str) -> None:
    call.services.authorizer.authorize(call.user, action, call.bucket, call.key)
