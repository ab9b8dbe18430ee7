"""Who may do what: administrators, owners, the policies of users and of buckets, ACLs, and blocks against the public.

"How Amazon S3 authorizes a request" in the Amazon S3 User Guide
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-s3-evaluates-access-control.html).

Every user is an account of its own, and a policy in the settings is the operator's word, which holds everywhere.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from msgspec import Struct
from zope.interface import implementer

from twisted_s3.errors import S3Error
from twisted_s3.interfaces import IAuthorizer, IForesight
from twisted_s3.model import Bucket, ObjectVersion, User
from twisted_s3.protocol.access import acl
from twisted_s3.protocol.access.defaults import BucketDefaults
from twisted_s3.protocol.access.ownership import ENFORCED
from twisted_s3.protocol.access.publicblock import PublicAccessBlock
from twisted_s3.protocol.access.request import AccessRequest
from twisted_s3.protocol.documentcache import DocumentCache
from twisted_s3.protocol.policy.context import Circumstances, RequestKeys
from twisted_s3.protocol.policy.documents import parse_bucket_policy, parse_user_policy
from twisted_s3.protocol.policy.evaluation import Decision, Policy, Request, evaluate, resource_arn
from twisted_s3.protocol.policy.principals import ANONYMOUS, Principal
from twisted_s3.protocol.policy.public import is_public

#: What a user without a policy may do where nobody owns anything yet. Whose buckets a listing shows is for the
#: operation to decide.
OPEN_ACTIONS = frozenset(
    {
        "s3:CreateBucket",
        "s3:ListAllMyBuckets",
        "s3:PutBucketAcl",
        "s3:PutBucketObjectLockConfiguration",
        "s3:PutBucketOwnershipControls",
        "s3:PutBucketVersioning",
    }
)

#: What the right to write that an ACL gives does not include, whatever is written.
_LOCKING = frozenset({"s3:PutObjectLegalHold", "s3:PutObjectRetention"})

#: What no bucket policy can take from the owner, who could not mend it otherwise.
_MENDING = frozenset({"s3:DeleteBucketPolicy", "s3:GetBucketPolicy", "s3:PutBucketPolicy"})

#: The permission in the ACL of the bucket that allows an action.
_BUCKET_GRANTS: Mapping[str, str] = {
    "s3:ListBucket": acl.READ,
    "s3:ListBucketMultipartUploads": acl.READ,
    "s3:ListBucketVersions": acl.READ,
    "s3:AbortMultipartUpload": acl.WRITE,
    "s3:DeleteObject": acl.WRITE,
    "s3:ListMultipartUploadParts": acl.WRITE,
    "s3:PutObject": acl.WRITE,
    "s3:GetBucketAcl": acl.READ_ACP,
    "s3:PutBucketAcl": acl.WRITE_ACP,
}

#: The permission in the ACL of the object that allows an action.
_OBJECT_GRANTS: Mapping[str, str] = {
    "s3:GetObject": acl.READ,
    "s3:GetObjectAttributes": acl.READ,
    "s3:GetObjectTorrent": acl.READ,
    "s3:GetObjectVersion": acl.READ,
    "s3:GetObjectVersionAttributes": acl.READ,
    "s3:GetObjectVersionTorrent": acl.READ,
    "s3:GetObjectAcl": acl.READ_ACP,
    "s3:GetObjectVersionAcl": acl.READ_ACP,
    "s3:PutObjectAcl": acl.WRITE_ACP,
    "s3:PutObjectVersionAcl": acl.WRITE_ACP,
}

#: What is done to a key rather than to the object that it names, and so is for the bucket's owner to allow.
_KEY_ACTIONS = frozenset(
    {
        "s3:AbortMultipartUpload",
        "s3:BypassGovernanceRetention",
        "s3:DeleteObject",
        "s3:DeleteObjectVersion",
        "s3:ListMultipartUploadParts",
        "s3:PutObject",
    }
)


class _Words(Struct, frozen=True):
    """What the policies say of a request."""

    bucket: Decision
    user: Decision


@implementer(IAuthorizer, IForesight)
class PolicyAuthorizer:
    """Decides by all that AWS decides by.

    * The administrator may do everything, everybody else what a policy, an ACL or ownership allows.
    * What a bucket's policy or the user's own policy denies is denied, whatever else allows it.
    * A user with a policy may do what that allows, everywhere. A user without one may make buckets and do everything
      with them.

    :param defaults: of buckets that say nothing themselves.
    :param region: of the server.
    """

    def __init__(self, defaults: BucketDefaults | None = None, region: str = "us-east-1") -> None:
        self._defaults = BucketDefaults() if defaults is None else defaults
        self._region = region
        self._bucket_policies = DocumentCache(parse_bucket_policy)
        self._user_policies = DocumentCache(parse_user_policy)

    async def authorize(self, request: AccessRequest) -> None:
        """Return when the request may go on. :raise S3Error: ``AccessDenied``."""
        if not await self._allows(request):
            raise S3Error("AccessDenied")

    def might_allow(self, user: User | None, bucket: Bucket, actions: Collection[str]) -> bool:
        """Whether one of ``actions`` on some object could be allowed: all signed requests are given a hearing."""
        if user is not None:
            return True
        text = bucket.configuration("policy")
        if text is not None and _speaks_for(self._bucket_policies.get(text, bucket.name), ANONYMOUS, actions):
            return True
        if self._defaults.ownership_of(bucket) == ENFORCED:
            return False
        # What the owner of an object lets others do with it, its ACL says.
        return bucket.configuration(acl.ACL) is not None or not _KEY_ACTIONS.issuperset(actions)

    async def _allows(self, request: AccessRequest) -> bool:
        user, bucket = request.user, request.bucket
        text = None if bucket is None else bucket.configuration("policy")
        if user is not None and user.administrator and text is None:
            return True
        policy = None if text is None else self._bucket_policies.get(text, request.bucket_name)
        words = await self._words(request, policy)
        if Decision.DENY in (words.bucket, words.user):
            return False
        if user is not None and (user.administrator or words.user is Decision.ALLOW):
            return True
        if bucket is None:
            return user is not None and user.policy is None and request.action in OPEN_ACTIONS
        return await self._allowed_in(bucket, request, policy, words)

    async def _words(self, request: AccessRequest, policy: Policy | None) -> _Words:
        """What the policy of the bucket and that of the user say."""
        user = request.user
        own = None if user is None or user.policy is None else self._user_policies.get(user.policy)
        if policy is None and own is None:
            return _Words(Decision.NEUTRAL, Decision.NEUTRAL)
        needs_tags = any(one is not None and one.needs_existing_tags for one in (policy, own))
        existing = await request.version() if needs_tags and request.key is not None else None
        asked = self._asked(request, existing)
        by_bucket = Decision.NEUTRAL if policy is None else evaluate(policy.statements, asked)
        if by_bucket is Decision.DENY and request.action in _MENDING and _may_mend(user, request.bucket):
            by_bucket = Decision.NEUTRAL
        by_user = Decision.NEUTRAL if own is None else evaluate(own.statements, asked)
        return _Words(by_bucket, by_user)

    def _asked(self, request: AccessRequest, existing: ObjectVersion | None) -> Request:
        """The request in the terms of policies."""
        principal = principal_of(request.user)
        about = Circumstances(
            head=request.head,
            principal=principal,
            verified=request.verified,
            time=request.time,
            address=request.address,
            region=self._region,
            resource_account="" if request.bucket is None else request.bucket.owner,
            authentication=request.authentication,
            existing_tags=lambda: {} if existing is None else existing.properties.tags,
            known=request.known,
        )
        arn = resource_arn(request.bucket_name or "*", request.key)
        return Request(principal, request.action, arn, RequestKeys(about))

    async def _allowed_in(self, bucket: Bucket, request: AccessRequest, policy: Policy | None, words: _Words) -> bool:
        """Whether somebody may who is not the administrator, and whom no policy denies it."""
        user, action = request.user, request.action
        owner = _owns(user, bucket)
        unbound = user is not None and user.policy is None
        block = self._defaults.block_of(bucket)
        if policy is not None and block.restrict and not owner and is_public(policy):
            return False
        by_policy = (owner and unbound) or words.bucket is Decision.ALLOW
        if self._defaults.ownership_of(bucket) == ENFORCED:
            return by_policy
        if request.key is not None and not request.creates and action not in _KEY_ACTIONS:
            return await self._allowed_object(bucket, request, by_policy, block)
        if by_policy or (request.creates and unbound and action in _OBJECT_GRANTS):
            return True  # Who makes an object says who may see it, where no policy forbids that.
        permission = acl.WRITE if request.creates and action not in _LOCKING else _BUCKET_GRANTS.get(action)
        return self._granted_by_bucket(bucket, user, permission, block)

    async def _allowed_object(
        self, bucket: Bucket, request: AccessRequest, by_policy: bool, block: PublicAccessBlock
    ) -> bool:
        """Whether the object's owner, its ACL, or, where it is the bucket's owner's, the policy lets somebody in."""
        user = request.user
        version = await request.version()
        if version is None:
            # Who may list is told that there is nothing, as AWS does it.
            return by_policy or self._granted_by_bucket(bucket, user, acl.READ, block)
        owner = version.owner or bucket.owner
        if user is not None and user.policy is None and owner == user.canonical_id != "":
            return True
        if by_policy and owner == bucket.owner:
            return True
        permission = _OBJECT_GRANTS.get(request.action)
        return permission is not None and _granted(version.properties.acl, user, permission, block)

    def _granted_by_bucket(
        self, bucket: Bucket, user: User | None, permission: str | None, block: PublicAccessBlock
    ) -> bool:
        document = bucket.configuration(acl.ACL)
        if document is None or permission is None:
            return False
        return _granted(acl.load_grants(document), user, permission, block)


def _speaks_for(policy: Policy, principal: Principal, actions: Collection[str]) -> bool:
    """Whether a policy allows a principal one of ``actions`` somewhere, under some condition."""
    return any(
        statement.effect is Decision.ALLOW
        and any(statement.actions.includes(action.lower()) != ("Action" in statement.inverse) for action in actions)
        and (
            statement.principals is None
            or statement.principals.includes(principal) != ("Principal" in statement.inverse)
        )
        for statement in policy.statements
    )


def principal_of(user: User | None) -> Principal:
    """Whom policies see."""
    return ANONYMOUS if user is None else Principal(user.canonical_id, user.name or user.access_key)


def _owns(user: User | None, bucket: Bucket | None) -> bool:
    return user is not None and bucket is not None and bucket.owner == user.canonical_id != ""


def _may_mend(user: User | None, bucket: Bucket | None) -> bool:
    return _owns(user, bucket) or (user is not None and user.administrator)


def _granted(grants: acl.Grants | None, user: User | None, permission: str, block: PublicAccessBlock) -> bool:
    if not grants:
        return False
    counting = acl.without_public(grants) if block.ignore_acls else grants
    return acl.permits(counting, "" if user is None else user.canonical_id, permission)
