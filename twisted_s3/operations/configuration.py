"""The configuration documents of buckets: one row for each kind, and three operations that serve them all.

What is written is checked and stored in one step under the bucket's lock, and seen by all processes with their next
request.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from twisted_s3.errors import S3Error
from twisted_s3.model import Bucket
from twisted_s3.operations.call import DOCUMENT_LIMIT, MEDIUM_DOCUMENT, SHORT_DOCUMENT, Answer, Call, Services, document
from twisted_s3.operations.headers import require_digest
from twisted_s3.protocol import cors, website, xmldocs
from twisted_s3.protocol.access import defaults, ownership, publicblock
from twisted_s3.protocol.access.acl import ACL, GROUPS, Grants, load_grants
from twisted_s3.protocol.encryption.defaults import ENCRYPTED, accepted
from twisted_s3.protocol.encryption.defaults import ENCRYPTION as ENCRYPTION_NAME
from twisted_s3.protocol.lifecycle.documents import lifecycle_document, parse_lifecycle
from twisted_s3.protocol.lifecycle.rules import ALL_CLASSES, BY_CLASS
from twisted_s3.protocol.policy.documents import parse_bucket_policy
from twisted_s3.protocol.policy.public import is_public
from twisted_s3.protocol.requestdocs import parse_tagging
from twisted_s3.protocol.tagging import tagging_document

#: Gives what to store of a document that came for a bucket. It runs under the bucket's lock, off the reactor's
#: thread, and raises :class:`S3Error` to refuse the document.
Accept = Callable[[bytes, Bucket, Services], bytes]


def _nothing_else(bucket: Bucket) -> Bucket:
    return bucket


#: What is stored in place of a document that was removed, where it would otherwise come back as the default.
_REMOVED = b""

#: How many tags a bucket may have.
_MAX_BUCKET_TAGS = 50


class Option(Struct, frozen=True):
    """A header of a write that is kept beside the document, and given back with it.

    :ivar values: that it can have; the first where it is not there.
    :ivar what: as the error for other values calls it.
    """

    header: str
    values: tuple[str, ...]
    what: str

    @property
    def name(self) -> str:
        """Under which it is kept in ``Bucket.configurations``."""
        return self.header

    def wanted(self, call: Call) -> str:
        """The value that a write asks for. :raise S3Error: ``InvalidRequest``."""
        value = call.head.header(self.header) or self.values[0]
        if value not in self.values:
            raise S3Error("InvalidRequest", f"Invalid {self.what} found: {value}")
        return value

    def of(self, bucket: Bucket) -> str:
        """The value that a bucket has."""
        return (bucket.configuration(self.name) or self.values[0].encode()).decode()


class Configuration(Struct, frozen=True):
    """A kind of configuration document. Its methods are the operations on it.

    :ivar name: under which it is kept in ``Bucket.configurations``.
    :ivar missing: the code of the error where a bucket has none; "" where there always is a default.
    :ivar default: what a bucket has for which nothing was ever said; None: nothing.
    :ivar removable: whether a bucket whose document was removed has none, rather than the default again.
    :ivar put_status: the HTTP status for a document that was stored.
    :ivar option: a header that goes with it.
    :ivar limit: how long a document may be, in bytes as it comes.
    :ivar digest: whether it must come with a digest or checksum.
    :ivar effect: what else about the bucket changes with a document that is stored.
    """

    name: str
    accept: Accept
    missing: str = ""
    default: Callable[[Services], bytes] | None = None
    removable: bool = True
    media_type: str = "application/xml"
    put_status: int = 200
    option: Option | None = None
    limit: int = DOCUMENT_LIMIT
    digest: bool = False
    effect: Callable[[Bucket], Bucket] = _nothing_else

    def of(self, bucket: Bucket, services: Services) -> bytes | None:
        """The document that a bucket has, None for none."""
        return bucket.configuration(self.name, None if self.default is None else self.default(services))

    def require(self, call: Call) -> bytes:
        """The document of the bucket of a call. :raise S3Error: ``missing``."""
        found = None if call.bucket is None else self.of(call.bucket, call.services)
        if found is None:
            raise S3Error(self.missing, elements={"BucketName": call.bucket_name})
        return found

    async def put(self, call: Call) -> Answer:
        """Store the document that comes as the body.

        :raise S3Error: ``MissingRequestBodyError``, ``MaxMessageLengthExceeded``, ``InvalidRequest`` where a digest
            is missing, or what `accept` raises.
        """
        if self.digest:
            require_digest(call.head)
        body = await call.document(self.limit)
        if not body.strip():
            raise S3Error("MissingRequestBodyError")

        option = None if self.option is None else self.option.wanted(call).encode()

        def change(bucket: Bucket) -> Bucket:
            accepted = self.accept(body, bucket, call.services)
            changed = self.effect(bucket).with_configuration(self.name, accepted)
            return changed if self.option is None else changed.with_configuration(self.option.name, option)

        return Answer(self.put_status, self._option_header(await call.store.change_bucket(call.bucket_name, change)))

    async def get(self, call: Call) -> Answer:
        """Give the document. :raise S3Error: ``missing``."""
        headers = [] if call.bucket is None else self._option_header(call.bucket)
        return Answer(200, [("Content-Type", self.media_type), *headers], self.require(call))

    async def delete(self, call: Call) -> Answer:
        """Remove the document, if there is one."""
        kept = _REMOVED if self.default is not None and self.removable else None

        def change(bucket: Bucket) -> Bucket:
            changed = bucket.with_configuration(self.name, kept)
            return changed if self.option is None else changed.with_configuration(self.option.name, None)

        await call.store.change_bucket(call.bucket_name, change)
        return Answer(204)

    def _option_header(self, bucket: Bucket) -> Sequence[tuple[str, str]]:
        return [] if self.option is None else [(self.option.header, self.option.of(bucket))]


def _accept_policy(body: bytes, bucket: Bucket, services: Services) -> bytes:
    policy = parse_bucket_policy(body, bucket.name)
    if services.defaults.block_of(bucket).block_policy and is_public(policy):
        raise S3Error("AccessDenied", "The bucket policy is public and is prevented by the BlockPublicPolicy setting")
    return body


def _accept_ownership(body: bytes, bucket: Bucket, services: Services) -> bytes:
    mode = ownership.parse_ownership(body)
    kept = bucket.configuration(ACL)
    if mode == ownership.ENFORCED and kept is not None and not _is_private(load_grants(kept)):
        raise S3Error("InvalidBucketAclWithObjectOwnership")
    return ownership.ownership_document(mode)


def _is_private(grants: Grants) -> bool:
    """Whether nobody but one, who can only be the owner, may do anything."""
    return len({grant.grantee for grant in grants}) <= 1 and not any(grant.grantee in GROUPS for grant in grants)


def _accept_block(body: bytes, bucket: Bucket, services: Services) -> bytes:
    return publicblock.public_access_block_document(publicblock.parse_public_access_block(body))


def _accept_tags(body: bytes, bucket: Bucket, services: Services) -> bytes:
    return tagging_document(parse_tagging(body, _MAX_BUCKET_TAGS))


def _accept_lifecycle(body: bytes, bucket: Bucket, services: Services) -> bytes:
    return lifecycle_document(parse_lifecycle(body))


def _accept_cors(body: bytes, bucket: Bucket, services: Services) -> bytes:
    return cors.cors_document(cors.parse_cors(body))


def _accept_website(body: bytes, bucket: Bucket, services: Services) -> bytes:
    return website.website_document(website.parse_website(body))


#: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketWebsite.html
WEBSITE = Configuration("website", _accept_website, "NoSuchWebsiteConfiguration", limit=website.MAX_SIZE)

#: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketCors.html
CORS = Configuration("cors", _accept_cors, "NoSuchCORSConfiguration", limit=cors.MAX_SIZE, digest=True)

#: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketEncryption.html
ENCRYPTION = Configuration(
    ENCRYPTION_NAME,
    lambda body, bucket, services: accepted(body, bucket),
    "ServerSideEncryptionConfigurationNotFoundError",
    lambda services: ENCRYPTED if services.defaults.encrypted else b"",
    removable=False,
)

#: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html
POLICY = Configuration(
    "policy",
    _accept_policy,
    "NoSuchBucketPolicy",
    media_type="application/json",
    put_status=204,
    limit=MEDIUM_DOCUMENT,
)

#: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketOwnershipControls.html
OWNERSHIP = Configuration(
    defaults.OWNERSHIP,
    _accept_ownership,
    "OwnershipControlsNotFoundError",
    lambda services: services.defaults.documents()[defaults.OWNERSHIP],
    limit=SHORT_DOCUMENT,
)

#: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutPublicAccessBlock.html
PUBLIC_ACCESS_BLOCK = Configuration(
    defaults.BLOCK,
    _accept_block,
    "NoSuchPublicAccessBlockConfiguration",
    lambda services: services.defaults.documents()[defaults.BLOCK],
    limit=SHORT_DOCUMENT,
)

#: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketTagging.html
TAGGING = Configuration("tagging", _accept_tags, "NoSuchTagSet", put_status=204, limit=MEDIUM_DOCUMENT)

#: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html
LIFECYCLE_MINIMUM = Option(
    "x-amz-transition-default-minimum-object-size", (ALL_CLASSES, BY_CLASS), "TransitionDefaultMinimumObjectSize"
)
LIFECYCLE = Configuration("lifecycle", _accept_lifecycle, "NoSuchLifecycleConfiguration", option=LIFECYCLE_MINIMUM)


async def get_bucket_policy_status(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketPolicyStatus.html"""
    policy = parse_bucket_policy(POLICY.require(call), call.bucket_name)
    public = xmldocs.element("IsPublic", "true" if is_public(policy) else "false")
    return document(xmldocs.document("PolicyStatus", public))
