"""Access control lists of buckets and objects, and the owner of what is written."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, structs

from twisted_s3.errors import S3Error
from twisted_s3.model import Bucket, Grant, ObjectVersion, Properties
from twisted_s3.operations.call import MEDIUM_DOCUMENT, Answer, Call, document
from twisted_s3.operations.notifying import changing
from twisted_s3.protocol.access import acl, ownership
from twisted_s3.protocol.access.acl import Grants
from twisted_s3.protocol.events import ACL_PUT
from twisted_s3.protocol.head import RequestHead


class NewObject(Struct, frozen=True):
    """What an object is made with: properties with its ACL, and the canonical id of its owner."""

    properties: Properties
    owner: str


async def new_object(call: Call, properties: Properties) -> NewObject:
    """Whose an object is that the request makes, and who may do what with it.

    :raise S3Error: ``AccessControlListNotSupported``, ``AccessDenied``, ``InvalidArgument`` and others for the headers.
    """
    assert call.bucket is not None
    head = call.head if call.form is None else call.form
    stated = acl.has_acl_headers(head)
    mode = call.services.defaults.ownership_of(call.bucket)
    of_bucket = call.bucket_owner
    if mode == ownership.ENFORCED:
        if stated:
            _refuse_while_enforced(call, head, of_bucket)
        return NewObject(structs.replace(properties, acl=None), of_bucket)
    given_away = mode == ownership.PREFERRED and head.header("x-amz-acl") == acl.BUCKET_OWNER_FULL_CONTROL
    owner = of_bucket if given_away else call.owner or of_bucket
    grants = None
    if stated:
        await call.authorize("s3:PutObjectAcl", call.bucket, call.key, creates=True)
        grants = acl.grants_of(head, owner, of_bucket, resolver(call))
        _refuse_public(call, call.bucket, grants)
    return NewObject(structs.replace(properties, acl=grants), owner)


def bucket_acl(call: Call, head: RequestHead, mode: str) -> Mapping[str, bytes]:
    """The ACL of a bucket that the request makes, as configuration documents.

    :raise S3Error: ``InvalidBucketAclWithObjectOwnership``, ``InvalidBucketAclWithBlockPublicAccessError``, and others
        for the headers.
    """
    grants = acl.grants_of(head, call.owner, call.owner, resolver(call))
    if grants is None or _is_private(grants, call.owner):
        return {}
    if mode == ownership.ENFORCED:
        raise S3Error("InvalidBucketAclWithObjectOwnership")
    if acl.is_public(grants) and call.services.defaults.block.block_acls:
        raise S3Error("InvalidBucketAclWithBlockPublicAccessError")
    return {acl.ACL: acl.dump_grants(grants)}


async def get_bucket_acl(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketAcl.html"""
    assert call.bucket is not None
    kept = None if _enforced(call, call.bucket) else call.bucket.configuration(acl.ACL)
    owner = call.bucket_owner
    return _shown(call, owner, acl.canned("private", owner, owner) if kept is None else acl.load_grants(kept))


async def put_bucket_acl(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketAcl.html"""
    owner, body = call.bucket_owner, await call.document(MEDIUM_DOCUMENT)

    def change(bucket: Bucket) -> Bucket:
        grants = _requested(call, bucket, body, owner)
        return bucket.with_configuration(acl.ACL, acl.dump_grants(grants))

    await call.store.change_bucket(call.bucket_name, change)
    return Answer(200)


async def get_object_acl(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAcl.html"""
    assert call.bucket is not None
    version = await call.store.head_object(call.bucket_name, call.key, call.parameter("versionId"))
    call.hold(version, call.parameter("versionId"))
    enforced = _enforced(call, call.bucket)
    owner = call.bucket_owner if enforced or not version.owner else version.owner
    grants = None if enforced else version.properties.acl
    return _shown(call, owner, acl.canned("private", owner, owner) if grants is None else grants)


async def put_object_acl(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectAcl.html"""
    assert call.bucket is not None
    bucket, body = call.bucket, await call.document(MEDIUM_DOCUMENT)

    def change(version: ObjectVersion) -> ObjectVersion:
        call.hold(version, call.parameter("versionId"))
        grants = _requested(call, bucket, body, version.owner or call.bucket_owner)
        kept = None if _enforced(call, bucket) else grants
        return structs.replace(version, properties=structs.replace(version.properties, acl=kept))

    version = await call.store.change_object(
        call.bucket_name, call.key, change, call.parameter("versionId"), call.witness(changing(ACL_PUT))
    )
    await call.announce(ACL_PUT, call.key, version)
    return Answer(200)


def _requested(call: Call, bucket: Bucket, body: bytes, owner: str) -> Grants:
    """The grants that a request sets, by its head or by its body."""
    of_bucket = call.bucket_owner
    stated = acl.has_acl_headers(call.head)
    if stated and body:
        raise S3Error("UnexpectedContent")
    if not stated and not body:
        raise S3Error("MissingSecurityHeader", elements={"MissingHeaderName": "x-amz-acl"})
    if stated:
        if _enforced(call, bucket):
            _refuse_while_enforced(call, call.head, of_bucket)
        grants = acl.grants_of(call.head, owner, of_bucket, resolver(call))
        assert grants is not None
    else:
        stated_owner, grants = acl.parse_acl(body, resolver(call))
        if _enforced(call, bucket) and not _is_private(grants, of_bucket):
            raise S3Error("AccessControlListNotSupported")
        if stated_owner not in ("", owner):
            raise S3Error("AccessDenied")
    _refuse_public(call, bucket, grants)
    return grants


def _refuse_while_enforced(call: Call, head: RequestHead, bucket_owner: str) -> None:
    """Where ACLs are off only what gives the owner of the bucket all is accepted, and changes nothing."""
    name = head.header("x-amz-acl")
    if name is None:
        grants = acl.grants_of(head, bucket_owner, bucket_owner, resolver(call))
        if grants is None or _is_private(grants, bucket_owner):
            return
    elif name == acl.BUCKET_OWNER_FULL_CONTROL:
        return
    raise S3Error("AccessControlListNotSupported")


def _refuse_public(call: Call, bucket: Bucket, grants: Grants | None) -> None:
    if grants is not None and acl.is_public(grants) and call.services.defaults.block_of(bucket).block_acls:
        raise S3Error("AccessDenied", "The ACL is public and is prevented by the BlockPublicAcls setting")


def _is_private(grants: Grants, owner: str) -> bool:
    return set(grants) == {Grant(owner, acl.FULL_CONTROL)}


def _enforced(call: Call, bucket: Bucket) -> bool:
    return call.services.defaults.ownership_of(bucket) == ownership.ENFORCED


def _shown(call: Call, owner: str, grants: Grants) -> Answer:
    return document(acl.acl_document(call.shown_owner(owner), grants, call.shown_owner))


def resolver(call: Call) -> acl.Resolve:
    """Finds grantees among the users of the server."""
    credentials = call.services.credentials

    def resolve(kind: str, text: str) -> str:
        user = (credentials.get_owner if kind == "id" else credentials.get_by_email)(text) if text else None
        if user is not None:
            return user.canonical_id
        if kind == "email":
            raise S3Error("UnresolvableGrantByEmailAddress", elements={"ArgumentValue": text})
        raise S3Error("InvalidArgument", "Invalid id", {"ArgumentName": "CanonicalUser/ID", "ArgumentValue": text})

    return resolve
