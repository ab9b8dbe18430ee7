"""ListObjects, ListObjectsV2, ListObjectVersions."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct, structs

from twisted_s3.errors import S3Error
from twisted_s3.model import ObjectVersion
from twisted_s3.operations.call import Answer, Call, document
from twisted_s3.protocol import xmldocs
from twisted_s3.protocol.listing import (
    Page,
    encode_token,
    list_page,
    objects_start,
    page_size,
    start_after_marker,
    wants_url_encoding,
)
from twisted_s3.protocol.versionlisting import check_version_marker, versions_page


class _Query(Struct, frozen=True):
    """What the three listings have in common."""

    prefix: str
    delimiter: str
    max_keys: int
    url: bool

    @classmethod
    def of(cls, call: Call) -> _Query:
        return cls(
            call.parameter("prefix") or "",
            call.parameter("delimiter") or "",
            page_size("max-keys", call.parameter("max-keys")),
            wants_url_encoding(call.parameter("encoding-type")),
        )

    async def run(self, call: Call, start: str | None) -> tuple[Page, Sequence[ObjectVersion]]:
        """The page that begins at ``start`` (None: behind everything)."""
        return await call.store.list_keys(
            call.bucket_name,
            lambda walk: list_page(walk, self.prefix, self.delimiter, start, self.max_keys),
            lambda page: page.keys,
        )


async def list_objects(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjects.html"""
    query = _Query.of(call)
    marker = call.parameter("marker") or ""
    page, objects = await query.run(call, start_after_marker(marker, query.prefix, query.delimiter))
    return document(
        xmldocs.list_objects_result(
            call.bucket_name, page, objects, call.object_owner, marker=marker, **structs.asdict(query)
        )
    )


async def list_objects_v2(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html"""
    if call.parameter("list-type") != "2":
        raise S3Error(
            "InvalidArgument",
            "Invalid List Type specified in Request",
            {"ArgumentName": "list-type", "ArgumentValue": call.parameter("list-type") or ""},
        )
    query = _Query.of(call)
    token = call.parameter("continuation-token")
    start_after = call.parameter("start-after") or ""
    page, objects = await query.run(call, objects_start(token, start_after))
    return document(
        xmldocs.list_objects_v2_result(
            call.bucket_name,
            page,
            objects,
            call.object_owner if call.parameter("fetch-owner") == "true" else None,
            start_after=start_after,
            continuation_token=token,
            next_token=None if page.next_start is None else encode_token(page.next_start),
            **structs.asdict(query),
        )
    )


async def list_object_versions(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html"""
    query = _Query.of(call)
    key_marker = call.parameter("key-marker") or ""
    version_marker = call.parameter("version-id-marker")
    check_version_marker(key_marker, version_marker)
    page = await call.store.list_versions(
        call.bucket_name,
        lambda walk: versions_page(walk, query.prefix, query.delimiter, key_marker, version_marker, query.max_keys),
    )
    return document(
        xmldocs.list_versions_result(
            call.bucket_name,
            page,
            call.object_owner,
            key_marker=key_marker,
            version_id_marker=version_marker or "",
            **structs.asdict(query),
        )
    )
