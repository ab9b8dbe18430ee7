"""Operations on the service and on buckets as such."""

from __future__ import annotations

from collections.abc import Mapping

from twisted_s3.errors import S3Error
from twisted_s3.operations.acl import bucket_acl
from twisted_s3.operations.call import SHORT_DOCUMENT, Answer, Call, document
from twisted_s3.operations.headers import refuse_unbuilt
from twisted_s3.operations.locking import ENABLED_DOCUMENT, LOCK, wants_lock
from twisted_s3.protocol import xmldocs
from twisted_s3.protocol.access.acl import has_acl_headers
from twisted_s3.protocol.access.defaults import OWNERSHIP
from twisted_s3.protocol.access.ownership import check_mode, ownership_document
from twisted_s3.protocol.listing import buckets_page, page_size
from twisted_s3.protocol.names import check_bucket_name
from twisted_s3.protocol.requestdocs import parse_create_bucket

_MAX_BUCKETS = 10_000


async def list_buckets(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html"""
    size = page_size("max-buckets", call.parameter("max-buckets"), _MAX_BUCKETS, 1)
    region = call.parameter("bucket-region")
    buckets = [
        bucket
        for bucket in await call.store.list_buckets()
        if _owned(call, bucket.owner) and region in (None, "", bucket.region or call.services.region)
    ]
    prefix = call.parameter("prefix") or ""
    page = buckets_page(buckets, prefix, call.parameter("continuation-token"), size)
    return document(xmldocs.list_buckets_result(page, call.shown_owner(call.owner), prefix))


def _owned(call: Call, owner: str) -> bool:
    user = call.user
    return user is not None and (owner == user.canonical_id or (not owner and user.administrator))


async def create_bucket(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html

    Creating one's own bucket again is 200 in us-east-1 and ``BucketAlreadyOwnedByYou`` elsewhere, as on AWS.
    """
    name, region = call.bucket_name, call.services.region
    check_bucket_name(name)
    refuse_unbuilt(call.head)
    object_lock = wants_lock(call.head)
    configurations = await _configurations(call, object_lock)
    _check_location(await call.parsed(parse_create_bucket, SHORT_DOCUMENT), region)
    try:
        await call.store.create_bucket(name, call.owner, region, object_lock, configurations)
    except S3Error as error:
        if error.code != "BucketAlreadyExists":
            raise
        existing = await call.store.get_bucket(name)
        if not _owned(call, existing.owner):
            raise
        # To say yes to a bucket that has no Object Lock would be to promise one.
        if region != "us-east-1" or (object_lock and not existing.object_lock):
            raise S3Error("BucketAlreadyOwnedByYou", elements={"BucketName": name}) from None
    return Answer(200, [("Location", f"/{name}")])


async def _configurations(call: Call, object_lock: bool) -> Mapping[str, bytes]:
    """The configuration documents that a new bucket has: ownership, public access block, Object Lock and ACL."""
    documents = dict(call.services.defaults.documents())
    if object_lock:
        for action in ("s3:PutBucketObjectLockConfiguration", "s3:PutBucketVersioning"):
            await call.authorize(action)
        documents[LOCK.name] = ENABLED_DOCUMENT
    mode = call.services.defaults.ownership
    stated = call.head.header("x-amz-object-ownership")
    if stated is not None:
        await call.authorize("s3:PutBucketOwnershipControls")
        mode = check_mode(stated)
        documents[OWNERSHIP] = ownership_document(mode)
    if has_acl_headers(call.head):
        await call.authorize("s3:PutBucketAcl")
    return {**documents, **bucket_acl(call, call.head, mode)}


def _check_location(location: str, region: str) -> None:
    if location == region or (not location and region == "us-east-1"):
        return
    if location and region == "us-east-1":
        raise S3Error("InvalidLocationConstraint", elements={"LocationConstraint": location})
    shown = location or "unspecified"
    raise S3Error(
        "IllegalLocationConstraintException",
        f"The {shown} location constraint is incompatible for the region specific endpoint this request was sent to.",
    )


async def head_bucket(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html"""
    return Answer(200, [("x-amz-bucket-region", _region(call)), ("x-amz-access-point-alias", "false")])


async def get_bucket_location(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html"""
    return document(xmldocs.location_constraint(_region(call)))


def _region(call: Call) -> str:
    recorded = "" if call.bucket is None else call.bucket.region
    return recorded or call.services.region


async def delete_bucket(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucket.html"""
    await call.store.delete_bucket(call.bucket_name)
    return Answer(204)
