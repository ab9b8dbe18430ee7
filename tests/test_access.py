"""Who may do what: owner, other and anonymous, by ownership, policies, ACLs and blocks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from msgspec import structs
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_s3.access import PolicyAuthorizer
from twisted_s3.errors import S3Error
from twisted_s3.interfaces import IAuthorizer
from twisted_s3.model import Bucket, Grant, ObjectVersion, Properties, User
from twisted_s3.protocol.access import acl
from twisted_s3.protocol.access.defaults import BLOCK, OWNERSHIP, BucketDefaults
from twisted_s3.protocol.access.ownership import ENFORCED, PREFERRED, WRITER, ownership_document
from twisted_s3.protocol.access.publicblock import NOTHING_BLOCKED, PublicAccessBlock, public_access_block_document
from twisted_s3.protocol.access.request import AccessRequest
from twisted_s3.protocol.head import RequestHead
from twisted_s3.protocol.policy.canned import canned_document

ADMIN = User("admin", "secret-of-admin", "a" * 64, administrator=True)
ALICE = User("alice", "secret-of-alice", "b" * 64)
BOB = User("bob", "secret-of-bob", "c" * 64)
#: A user that was given no canonical id, which must not make it the owner of folders that have none.
NOBODY = User("nobody", "secret-of-nobody", "")
EVERYBODY = (ADMIN, ALICE, BOB, None)

OBJECTS = "arn:aws:s3:::b/*"


def statement(effect: str, action: str, principal: Any = "*", resource: Any = None, **more: Any) -> dict[str, Any]:
    """A statement about a bucket and its objects."""
    resources = ["arn:aws:s3:::b", OBJECTS] if resource is None else resource
    return {"Effect": effect, "Action": action, "Principal": principal, "Resource": resources, **more}


def bucket_with(
    *statements: Mapping[str, Any],
    owner: str = ALICE.canonical_id,
    mode: str = ENFORCED,
    block: PublicAccessBlock = NOTHING_BLOCKED,
    grants: tuple[Grant, ...] = (),
) -> Bucket:
    """A bucket of Alice's."""
    documents = {OWNERSHIP: ownership_document(mode), BLOCK: public_access_block_document(block)}
    if statements:
        documents["policy"] = json.dumps({"Version": "2012-10-17", "Statement": statements}).encode()
    if grants:
        documents[acl.ACL] = acl.dump_grants(grants)
    return Bucket("b", 0, owner, configurations=documents)


def object_of(owner: User, *grants: Grant, **tags: str) -> ObjectVersion:
    """An object with an ACL and tags."""
    return ObjectVersion("key", 1, "e", 0.0, Properties(acl=grants or None, tags=tags), owner=owner.canonical_id)


class Access(SynchronousTestCase):
    """What an authoriser says, without a server."""

    def setUp(self) -> None:
        """An authoriser."""
        self.authorizer = PolicyAuthorizer()
        self.loaded = 0

    def allows(
        self,
        user: User | None,
        action: str,
        bucket: Bucket | None,
        present: ObjectVersion | None = None,
        **more: Any,
    ) -> bool:
        """Whether somebody may do something to the bucket or, where the action is one for objects, its object."""

        async def version() -> ObjectVersion | None:
            self.loaded += 1
            return present

        key = "key" if "Object" in action and bucket is not None else None
        head = RequestHead("GET", b"/b/key", b"", more.pop("headers", {}), more.pop("secure", False))
        request = AccessRequest(user, action, bucket, "b", key, head, None, version, **more)
        refusals: list[Failure] = []
        deciding = Deferred.fromCoroutine(self.authorizer.authorize(request)).addErrback(refusals.append)
        self.successResultOf(deciding)
        for refusal in refusals:
            self.assertEqual((refusal.check(S3Error), refusal.value.code), (S3Error, "AccessDenied"))
        return not refusals

    def who(self, action: str, bucket: Bucket | None, *args: Any, users: Any = EVERYBODY, **more: Any) -> list[bool]:
        """Which of administrator, owner, other and anonymous may."""
        return [self.allows(user, action, bucket, *args, **more) for user in users]


class Plain(Access):
    """Without policies and ACLs."""

    def test_interface(self) -> None:
        """It is an authoriser."""
        verifyObject(IAuthorizer, self.authorizer)

    def test_owner(self) -> None:
        """The owner may do everything, and the administrator; nothing is loaded for that."""
        for action in ("s3:PutObject", "s3:GetObject", "s3:PutBucketPolicy", "s3:DeleteObjectVersion"):
            allowed = self.who(action, bucket_with(), users=(*EVERYBODY, NOBODY))
            self.assertEqual(allowed, [True, True, False, False, False], action)
        self.assertEqual(self.loaded, 0)

    def test_folder_made_by_hand_belongs_to_the_administrator(self) -> None:
        """It has no owner."""
        allowed = self.who("s3:GetObject", Bucket("b", 0), users=(ADMIN, ALICE, NOBODY, None))
        self.assertEqual(allowed, [True, False, False, False])
        allowed = self.who("s3:GetObject", bucket_with(owner="", mode=WRITER), users=(ADMIN, ALICE, NOBODY, None))
        self.assertEqual(allowed, [True, False, False, False])

    def test_without_a_bucket(self) -> None:
        """Everybody with a key may make buckets and list the own ones."""
        for action in ("s3:ListAllMyBuckets", "s3:CreateBucket"):
            self.assertEqual(self.who(action, None), [True, True, True, False])
        self.assertEqual(self.who("s3:GetObject", None), [True, False, False, False])


class BucketPolicies(Access):
    """What the policy of a bucket adds and takes away."""

    def test_public(self) -> None:
        """Everybody, for one action only."""
        bucket = bucket_with(statement("Allow", "s3:GetObject"))
        self.assertEqual(self.who("s3:GetObject", bucket), [True, True, True, True])
        self.assertEqual(self.who("s3:PutObject", bucket), [True, True, False, False])
        self.assertEqual(self.who("s3:GetObjectVersion", bucket), [True, True, False, False])

    def test_principals(self) -> None:
        """One user, by canonical id or by name."""
        for principal in ({"AWS": BOB.canonical_id}, {"CanonicalUser": BOB.canonical_id}):
            bucket = bucket_with(statement("Allow", "s3:GetObject", principal))
            self.assertEqual(self.who("s3:GetObject", bucket), [True, True, True, False], principal)
        named = bucket_with(statement("Allow", "s3:GetObject", {"AWS": "arn:aws:iam:::user/robert"}))
        self.assertEqual(self.allows(BOB, "s3:GetObject", named), False)
        self.assertEqual(self.allows(structs.replace(BOB, name="robert"), "s3:GetObject", named), True)

    def test_deny_wins(self) -> None:
        """Also over the owner and the administrator, except for mending the policy."""
        bucket = bucket_with(statement("Allow", "s3:*", {"AWS": BOB.canonical_id}), statement("Deny", "s3:*"))
        for action in ("s3:GetObject", "s3:ListBucket", "s3:PutBucketAcl"):
            self.assertEqual(self.who(action, bucket), [False, False, False, False])
        for action in ("s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"):
            self.assertEqual(self.who(action, bucket), [True, True, False, False])

    def test_circumstances(self) -> None:
        """Address, TLS and headers reach the conditions."""
        bucket = bucket_with(
            statement("Allow", "s3:GetObject", Condition={"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}),
            statement("Deny", "s3:GetObject", Condition={"Bool": {"aws:SecureTransport": "false"}}),
            statement("Deny", "s3:PutObject", Condition={"StringNotEquals": {"s3:x-amz-storage-class": "GLACIER"}}),
        )
        near = {"address": "192.0.2.7", "secure": True}
        self.assertEqual(self.who("s3:GetObject", bucket, **near), [True] * 4)
        self.assertEqual(self.who("s3:GetObject", bucket, **{**near, "secure": False}), [False] * 4)
        far = {"address": "198.51.100.7", "secure": True}
        self.assertEqual(self.who("s3:GetObject", bucket, **far), [True, True, False, False])
        self.assertEqual(self.who("s3:PutObject", bucket), [False] * 4)
        headers = {"x-amz-storage-class": ["GLACIER"]}
        self.assertEqual(self.who("s3:PutObject", bucket, headers=headers), [True, True, False, False])

    def test_existing_tags(self) -> None:
        """The object's tags are loaded where a policy looks at them, and only there."""
        condition = {"StringEquals": {"s3:ExistingObjectTag/public": "yes"}}
        bucket = bucket_with(statement("Allow", "s3:GetObject", Condition=condition))
        self.assertEqual(self.who("s3:GetObject", bucket, object_of(ALICE, public="yes")), [True] * 4)
        self.assertEqual(self.loaded, 4)
        for present in (None, object_of(ALICE), object_of(ALICE, public="no")):
            self.assertEqual(self.who("s3:GetObject", bucket, present), [True, True, False, False])
        self.loaded = 0
        self.who("s3:GetObject", bucket_with(statement("Allow", "s3:GetObject")))
        self.assertEqual(self.loaded, 0)

    def test_restricted(self) -> None:
        """A public policy lets nobody in but the owner while RestrictPublicBuckets is on; another one is as before."""
        block = PublicAccessBlock(restrict=True)
        public = statement("Allow", "s3:GetObject")
        to_bob = statement("Allow", "s3:ListBucket", {"AWS": BOB.canonical_id})
        bucket = bucket_with(public, to_bob, block=block)
        self.assertEqual(self.who("s3:GetObject", bucket), [True, True, False, False])
        self.assertEqual(self.who("s3:ListBucket", bucket), [True, True, False, False])
        self.assertEqual(self.who("s3:ListBucket", bucket_with(to_bob, block=block)), [True, True, True, False])


class UserPolicies(Access):
    """What the policy of a user adds and takes away."""

    def user(self, name: str, *statements: Mapping[str, Any]) -> User:
        """Bob with a ready-made policy, or one of statements."""
        document = {"Version": "2012-10-17", "Statement": statements} if statements else canned_document(name)
        return structs.replace(BOB, policy=json.dumps(document).encode())

    def test_ready_made(self) -> None:
        """They hold in every bucket that they name."""
        readonly, photos = self.user("readonly"), self.user("readwrite:photos")
        bucket = bucket_with()
        self.assertEqual([self.allows(readonly, f"s3:{n}", bucket) for n in ("GetObject", "PutObject")], [True, False])
        self.assertEqual(self.allows(readonly, "s3:ListAllMyBuckets", None), True)
        self.assertEqual(self.allows(readonly, "s3:CreateBucket", None), False)
        self.assertEqual(self.allows(photos, "s3:GetObject", bucket), False)

    def test_owning_is_not_enough(self) -> None:
        """A policy bounds what its user may do with own buckets, too; the bucket's policy can add to it."""
        user = self.user("readonly")
        bucket = bucket_with(owner=BOB.canonical_id)
        self.assertEqual([self.allows(user, f"s3:{n}", bucket) for n in ("GetObject", "PutObject")], [True, False])
        added = bucket_with(statement("Allow", "s3:PutObject", {"AWS": BOB.canonical_id}), owner=BOB.canonical_id)
        self.assertEqual(self.allows(user, "s3:PutObject", added), True)
        writable = bucket_with(owner=BOB.canonical_id, mode=WRITER)
        self.assertEqual(self.allows(user, "s3:PutObjectAcl", writable, object_of(BOB)), False)
        self.assertEqual(self.allows(user, "s3:PutObjectAcl", writable, creates=True), False)

    def test_deny_wins(self) -> None:
        """Each policy can deny what the other allows."""
        allow, deny = ({"Effect": e, "Action": "s3:GetObject", "Resource": "*"} for e in ("Allow", "Deny"))
        public = bucket_with(statement("Allow", "s3:GetObject"))
        self.assertEqual(self.allows(self.user("", deny), "s3:GetObject", public), False)
        closed = bucket_with(statement("Deny", "s3:GetObject", {"AWS": BOB.canonical_id}))
        self.assertEqual(self.allows(self.user("", allow), "s3:GetObject", closed), False)
        self.assertEqual(self.allows(self.user("", allow), "s3:GetObject", bucket_with()), True)

    def test_creating(self) -> None:
        """Which buckets a user may make is told by their names."""
        user = self.user("", {"Effect": "Allow", "Action": "s3:CreateBucket", "Resource": "arn:aws:s3:::b"})
        self.assertEqual(self.allows(user, "s3:CreateBucket", None), True)
        other = self.user("", {"Effect": "Allow", "Action": "s3:CreateBucket", "Resource": "arn:aws:s3:::c"})
        self.assertEqual(self.allows(other, "s3:CreateBucket", None), False)


class ACLs(Access):
    """What grants allow, where they count."""

    def test_bucket(self) -> None:
        """Each permission of the bucket's ACL allows its actions, for whom it is granted to."""
        actions = {
            acl.READ: ("s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads"),
            acl.WRITE: ("s3:PutObject", "s3:DeleteObject"),
            acl.READ_ACP: ("s3:GetBucketAcl",),
            acl.WRITE_ACP: ("s3:PutBucketAcl",),
        }
        everything = {action for some in actions.values() for action in some} | {"s3:GetBucketPolicy"}
        for permission, some in actions.items():
            for grantee, expected in (
                (BOB.canonical_id, [True, True, True, False]),
                (acl.AUTHENTICATED_USERS, [True, True, True, False]),
                (acl.ALL_USERS, [True] * 4),
            ):
                bucket = bucket_with(mode=WRITER, grants=(Grant(grantee, permission),))
                for action in everything:
                    wanted = expected if action in some else [True, True, False, False]
                    self.assertEqual(self.who(action, bucket), wanted, (permission, action))
        full = bucket_with(mode=PREFERRED, grants=(Grant(BOB.canonical_id, acl.FULL_CONTROL),))
        self.assertEqual(
            {action for action in everything if not self.allows(BOB, action, full)}, {"s3:GetBucketPolicy"}
        )

    def test_object(self) -> None:
        """Each permission of the object's ACL allows its actions; its owner may do everything with it."""
        actions = {
            acl.READ: ("s3:GetObject", "s3:GetObjectVersion"),
            acl.READ_ACP: ("s3:GetObjectAcl", "s3:GetObjectVersionAcl"),
            acl.WRITE_ACP: ("s3:PutObjectAcl", "s3:PutObjectVersionAcl"),
        }
        everything = {action for some in actions.values() for action in some} | {"s3:PutObjectTagging", "s3:PutObject"}
        bucket = bucket_with(mode=WRITER)
        for permission, some in actions.items():
            present = object_of(ALICE, Grant(BOB.canonical_id, permission))
            for action in everything:
                wanted = [True, True, action in some, False]
                self.assertEqual(self.who(action, bucket, present), wanted, (permission, action))
        # Bob's object in Alice's bucket: she may overwrite and delete it, not read it.
        theirs = object_of(BOB)
        self.assertEqual(self.who("s3:GetObject", bucket, theirs), [True, False, True, False])
        self.assertEqual(self.who("s3:PutObjectAcl", bucket, theirs), [True, False, True, False])
        self.assertEqual(self.who("s3:DeleteObject", bucket, theirs), [True, True, False, False])
        # Nor does her policy reach it.
        public = bucket_with(statement("Allow", "s3:GetObject"), mode=WRITER)
        self.assertEqual(self.who("s3:GetObject", public, theirs), [True, False, True, False])
        self.assertEqual(self.who("s3:GetObject", public, object_of(ALICE)), [True] * 4)
        # What a person dropped into the folder is the bucket owner's.
        dropped = structs.replace(theirs, owner="")
        self.assertEqual(self.who("s3:GetObject", bucket, dropped), [True, True, False, False])

    def test_enforced(self) -> None:
        """Where the bucket's owner owns everything no ACL counts."""
        bucket = bucket_with(grants=(Grant(acl.ALL_USERS, acl.FULL_CONTROL),))
        self.assertEqual(self.who("s3:ListBucket", bucket), [True, True, False, False])
        present = object_of(BOB, Grant(acl.ALL_USERS, acl.FULL_CONTROL))
        self.assertEqual(self.who("s3:GetObject", bucket, present), [True, True, False, False])

    def test_ignored(self) -> None:
        """IgnorePublicAcls takes what is granted to groups, and leaves what is granted to users."""
        block = PublicAccessBlock(ignore_acls=True)
        for grantee, expected in ((acl.ALL_USERS, False), (acl.AUTHENTICATED_USERS, False), (BOB.canonical_id, True)):
            bucket = bucket_with(mode=WRITER, block=block, grants=(Grant(grantee, acl.READ),))
            self.assertEqual(self.who("s3:ListBucket", bucket), [True, True, expected, False])
            present = object_of(ALICE, Grant(grantee, acl.READ))
            closed = bucket_with(mode=WRITER, block=block)
            self.assertEqual(self.who("s3:GetObject", closed, present), [True, True, expected, False])

    def test_missing(self) -> None:
        """That there is no object is told to those who may list."""
        listable = bucket_with(mode=WRITER, grants=(Grant(acl.ALL_USERS, acl.READ),))
        self.assertEqual(self.who("s3:GetObject", listable), [True] * 4)
        self.assertEqual(self.who("s3:GetObject", bucket_with(mode=WRITER)), [True, True, False, False])

    def test_new_object(self) -> None:
        """Who makes an object sets its ACL, where no policy denies it."""
        bucket = bucket_with(mode=WRITER)
        self.assertEqual(self.who("s3:PutObjectAcl", bucket, object_of(ALICE), creates=True), [True, True, True, False])
        denied = bucket_with(statement("Deny", "s3:PutObjectAcl"), mode=WRITER)
        self.assertEqual(self.who("s3:PutObjectAcl", denied, creates=True), [False] * 4)

    def test_defaults(self) -> None:
        """What a bucket does not say the defaults say; what was removed is as AWS has it."""
        grants = {acl.ACL: acl.dump_grants((Grant(acl.ALL_USERS, acl.READ),))}
        silent = Bucket("b", 0, ALICE.canonical_id, configurations=grants)
        self.assertEqual(self.who("s3:ListBucket", silent), [True, True, False, False])
        removed = Bucket("b", 0, ALICE.canonical_id, configurations={**grants, OWNERSHIP: b"", BLOCK: b""})
        self.assertEqual(self.who("s3:ListBucket", removed), [True] * 4)
        self.authorizer = PolicyAuthorizer(BucketDefaults(WRITER, NOTHING_BLOCKED))
        self.assertEqual(self.who("s3:ListBucket", silent), [True] * 4)
