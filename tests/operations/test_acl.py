"""ACLs, ownership and public access of buckets and objects, over a real socket, by two users and by anybody."""

from __future__ import annotations

import json
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.config import Config

from tests.operations.clients import BUCKET, OperationTestCase, Response, send, send_plain, served
from tests.serving import Server
from twisted_s3.model import User
from twisted_s3.protocol.access.acl import ALL_USERS, AUTHENTICATED_USERS, LOG_DELIVERY
from twisted_s3.protocol.access.defaults import BucketDefaults
from twisted_s3.protocol.access.ownership import ENFORCED, PREFERRED, WRITER
from twisted_s3.protocol.access.publicblock import NOTHING_BLOCKED

ROOT = User("ROOTKEY", "roots-secret-0123456789", "f" * 64, "root", administrator=True)
ALICE = User("ALICEKEY", "alice-secret-0123456789", "a" * 64, "alice", "alice@example.com")
BOB = User("BOBSKEY", "bobs-secret-0123456789", "b" * 64, "bob", "bob@example.com")
NOTHING = json.dumps({"Statement": {"Effect": "Deny", "Action": "s3:Put*", "Resource": "*"}}).encode()
OPEN = BucketDefaults(WRITER, NOTHING_BLOCKED)
XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


def anonymous(server: Server) -> Any:
    """A client without a key."""
    made = boto3.session.Session().client(
        "s3",
        endpoint_url=server.url,
        region_name="us-east-1",
        verify=server.authority,
        config=Config(signature_version=UNSIGNED, s3={"addressing_style": "path"}, retries={"max_attempts": 0}),
    )
    server.clients.append(made)
    return made


def grants(answer: Any) -> set[tuple[str, str]]:
    """The grants of a GetBucketAcl or GetObjectAcl."""
    return {(one["Grantee"].get("ID") or one["Grantee"]["URI"], one["Permission"]) for one in answer["Grants"]}


def policy_xml(*listed: str, owner: str = ALICE.canonical_id) -> bytes:
    """An ``AccessControlPolicy``."""
    return (
        f"<AccessControlPolicy><Owner><ID>{owner}</ID></Owner>"
        f"<AccessControlList>{''.join(listed)}</AccessControlList></AccessControlPolicy>"
    ).encode()


def grant_xml(kind: str, content: str, permission: str = "READ") -> str:
    """A ``Grant``."""
    return f'<Grant><Grantee {XSI} xsi:type="{kind}">{content}</Grantee><Permission>{permission}</Permission></Grant>'


class AccessCase(OperationTestCase):
    """A bucket of Alice's, where ACLs count and nothing is blocked."""

    users = (ROOT, ALICE, BOB)
    bucket_defaults = OPEN

    def prepared(self, server: Server, **parameters: Any) -> tuple[Any, Any, Any]:
        """Clients of Alice, of Bob, and of nobody; and the bucket."""
        alice = server.client(ALICE)
        alice.create_bucket(Bucket=BUCKET, **parameters)
        return alice, server.client(BOB), anonymous(server)

    def denied(self, call: Any, **parameters: Any) -> None:
        """Assert that a call is refused for want of a right."""
        self.refused("AccessDenied", 403, call, **parameters)


class Lists(AccessCase):
    """Setting, showing and obeying ACLs."""

    @served()
    def test_canned(self, server: Server) -> None:
        """Each canned ACL on a bucket and on objects of both."""
        alice, bob, _ = self.prepared(server, ACL="public-read-write")
        full = (ALICE.canonical_id, "FULL_CONTROL")
        canned: dict[str, set[tuple[str, str]]] = {
            "private": set(),
            "public-read": {(ALL_USERS, "READ")},
            "public-read-write": {(ALL_USERS, "READ"), (ALL_USERS, "WRITE")},
            "authenticated-read": {(AUTHENTICATED_USERS, "READ")},
        }
        self.assertEqual(grants(alice.get_bucket_acl(Bucket=BUCKET)), {full, *canned["public-read-write"]})
        for name, expected in canned.items():
            alice.put_object(Bucket=BUCKET, Key=name, Body=b"x", ACL=name)
            got = alice.get_object_acl(Bucket=BUCKET, Key=name)
            self.assertEqual(grants(got), {full, *expected}, name)
            self.assertEqual(got["Owner"], {"ID": ALICE.canonical_id, "DisplayName": "alice"})
            alice.put_bucket_acl(Bucket=BUCKET, ACL=name)
            self.assertEqual(grants(alice.get_bucket_acl(Bucket=BUCKET)), {full, *expected}, name)
        alice.put_bucket_acl(Bucket=BUCKET, ACL="log-delivery-write")
        delivery = {(LOG_DELIVERY, "WRITE"), (LOG_DELIVERY, "READ_ACP")}
        self.assertEqual(grants(alice.get_bucket_acl(Bucket=BUCKET)), {full, *delivery})
        alice.put_bucket_acl(Bucket=BUCKET, ACL="public-read-write")
        his = (BOB.canonical_id, "FULL_CONTROL")
        for name, permission in (("bucket-owner-read", "READ"), ("bucket-owner-full-control", "FULL_CONTROL")):
            bob.put_object(Bucket=BUCKET, Key=name, Body=b"x", ACL=name)
            self.assertEqual(
                grants(bob.get_object_acl(Bucket=BUCKET, Key=name)), {his, (ALICE.canonical_id, permission)}
            )
            alice.get_object(Bucket=BUCKET, Key=name)
        bob.put_object(Bucket=BUCKET, Key="his", Body=b"x")
        self.denied(alice.get_object, Bucket=BUCKET, Key="his")
        self.refused("InvalidArgument", 400, alice.put_object, Bucket=BUCKET, Key="k", ACL="everybody")
        self.refused("InvalidArgument", 400, alice.put_bucket_acl, Bucket=BUCKET, ACL="everybody")

    @served()
    def test_headers(self, server: Server) -> None:
        """Grants by id, group and e-mail; all that can be wrong with them."""
        alice, bob, nobody = self.prepared(server)
        at = {"Bucket": BUCKET, "Key": "k"}
        alice.put_object(
            **at,
            Body=b"x",
            GrantRead=f'id="{BOB.canonical_id}", uri="{AUTHENTICATED_USERS}"',
            GrantFullControl="emailAddress=Alice@example.com",
        )
        expected = {(BOB.canonical_id, "READ"), (AUTHENTICATED_USERS, "READ"), (ALICE.canonical_id, "FULL_CONTROL")}
        self.assertEqual(grants(alice.get_object_acl(**at)), expected)
        bob.get_object(**at)
        self.denied(bob.get_object_acl, **at)
        self.denied(nobody.get_object, **at)
        alice.put_object_acl(**at, GrantWriteACP=f"id={BOB.canonical_id}")
        self.denied(bob.get_object, **at)
        bob.put_object_acl(**at, ACL="public-read")
        nobody.get_object(**at)
        put = alice.put_object_acl
        self.refused("InvalidArgument", 400, put, **at, GrantRead="id=nobody")
        self.refused("InvalidArgument", 400, put, **at, GrantRead="uri=http://example.com/group")
        self.refused("InvalidArgument", 400, put, **at, GrantRead="somebody")
        self.refused("UnresolvableGrantByEmailAddress", 400, put, **at, GrantRead="emailAddress=nobody@example.com")
        self.refused("InvalidRequest", 400, put, **at, ACL="private", GrantRead=f"id={BOB.canonical_id}")
        self.assertEqual(
            grants(alice.get_object_acl(**at)), {(ALICE.canonical_id, "FULL_CONTROL"), (ALL_USERS, "READ")}
        )

    @served()
    def test_documents(self, server: Server) -> None:
        """An ACL goes round as a document; all that can be wrong with one."""
        alice, bob, _ = self.prepared(server)
        alice.put_object(Bucket=BUCKET, Key="k", Body=b"x")
        shown = alice.get_object_acl(Bucket=BUCKET, Key="k")
        document = {"Owner": shown["Owner"], "Grants": shown["Grants"]}
        bobs = {"Grantee": {"Type": "CanonicalUser", "ID": BOB.canonical_id}, "Permission": "READ_ACP"}
        document["Grants"].append(bobs)
        alice.put_object_acl(Bucket=BUCKET, Key="k", AccessControlPolicy=document)
        self.assertIn((BOB.canonical_id, "READ_ACP"), grants(bob.get_object_acl(Bucket=BUCKET, Key="k")))
        self.denied(bob.put_object_acl, Bucket=BUCKET, Key="k", ACL="public-read")
        his = grant_xml("CanonicalUser", f"<ID>{BOB.canonical_id}</ID>")

        def put(body: bytes, target: str = f"/{BUCKET}?acl", **headers: str) -> Response:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return send(server, "PUT", target, body, named, user=ALICE)

        for target in (f"/{BUCKET}?acl", f"/{BUCKET}/k?acl"):
            by_email = grant_xml("AmazonCustomerByEmail", "<EmailAddress>bob@example.com</EmailAddress>", "WRITE")
            self.assertEqual(put(policy_xml(his, by_email), target).status, 200)
            for body, code in (
                (b"", "MissingSecurityHeader"),
                (b"<a/>", "MalformedACLError"),
                (b"<AccessControlPolicy/>", "MalformedACLError"),
                (policy_xml("<Grant/>"), "MalformedACLError"),
                (policy_xml(grant_xml("CanonicalUser", "<URI>a</URI>")), "MalformedACLError"),
                (policy_xml(grant_xml("Robot", f"<ID>{BOB.canonical_id}</ID>")), "MalformedACLError"),
                (policy_xml(his.replace("READ", "EAT")), "MalformedACLError"),
                (policy_xml(grant_xml("CanonicalUser", "<ID>who</ID>")), "InvalidArgument"),
                (policy_xml(grant_xml("Group", "<URI>http://example.com</URI>")), "InvalidArgument"),
                (
                    policy_xml(grant_xml("AmazonCustomerByEmail", "<EmailAddress>x@y</EmailAddress>")),
                    "UnresolvableGrantByEmailAddress",
                ),
                (policy_xml(his, owner=BOB.canonical_id), "AccessDenied"),
            ):
                self.assertEqual(put(body, target).code, code, body)
            self.assertEqual(put(policy_xml(his), target, x_amz_acl="private").code, "UnexpectedContent")
            answer = send(server, "GET", target, user=ALICE)
            self.assertEqual(answer.element("Permission"), "READ")
        self.assertEqual(
            grants(alice.get_bucket_acl(Bucket=BUCKET)), {(BOB.canonical_id, "READ"), (BOB.canonical_id, "WRITE")}
        )

    @served()
    def test_bucket_permissions(self, server: Server) -> None:
        """What a bucket grants everybody: to list, to write, both."""
        alice, bob, nobody = self.prepared(server)
        alice.put_object(Bucket=BUCKET, Key="k", Body=b"x")
        self.denied(nobody.list_objects_v2, Bucket=BUCKET)
        self.denied(bob.get_object, Bucket=BUCKET, Key="missing")
        alice.put_bucket_acl(Bucket=BUCKET, ACL="public-read")
        self.assertEqual(nobody.list_objects_v2(Bucket=BUCKET)["KeyCount"], 1)
        self.denied(nobody.put_object, Bucket=BUCKET, Key="new", Body=b"x")
        self.denied(nobody.get_object, Bucket=BUCKET, Key="k")
        self.refused("NoSuchKey", 404, nobody.get_object, Bucket=BUCKET, Key="missing")
        alice.put_bucket_acl(Bucket=BUCKET, ACL="public-read-write")
        nobody.put_object(Bucket=BUCKET, Key="new", Body=b"x")
        bob.put_object(Bucket=BUCKET, Key="bobs", Body=b"x")
        owners = {one["Key"]: one["Owner"]["ID"] for one in alice.list_objects(Bucket=BUCKET)["Contents"]}
        self.assertEqual(owners, {"k": ALICE.canonical_id, "new": ALICE.canonical_id, "bobs": BOB.canonical_id})
        answer = bob.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "new"}, {"Key": "bobs"}]})
        self.assertEqual(len(answer["Deleted"]), 2)
        self.denied(bob.get_bucket_policy, Bucket=BUCKET)
        self.denied(bob.delete_bucket, Bucket=BUCKET)

    @served()
    def test_kept(self, server: Server) -> None:
        """Uploads in parts, copies and forms have ACLs, too; a copy takes none over."""
        alice, bob, nobody = self.prepared(server)
        upload = {"Bucket": BUCKET, "Key": "parts"}
        started = alice.create_multipart_upload(**upload, ACL="public-read")["UploadId"]
        part = alice.upload_part(**upload, UploadId=started, PartNumber=1, Body=b"x")["ETag"]
        parts = {"Parts": [{"PartNumber": 1, "ETag": part}]}
        alice.complete_multipart_upload(**upload, UploadId=started, MultipartUpload=parts)
        nobody.get_object(**upload)
        alice.copy_object(Bucket=BUCKET, Key="copy", CopySource=f"{BUCKET}/parts")
        self.denied(nobody.get_object, Bucket=BUCKET, Key="copy")
        alice.copy_object(Bucket=BUCKET, Key="open", CopySource=f"{BUCKET}/parts", ACL="public-read")
        nobody.get_object(Bucket=BUCKET, Key="open")
        bob.create_bucket(Bucket="bobs")
        bob.copy_object(Bucket="bobs", Key="copy", CopySource=f"{BUCKET}/open")
        self.denied(bob.copy_object, Bucket="bobs", Key="copy", CopySource=f"{BUCKET}/copy")
        self.assertEqual(bob.get_object_acl(Bucket="bobs", Key="copy")["Owner"]["ID"], BOB.canonical_id)
        alice.put_object(Bucket=BUCKET, Key="open", Body=b"new")
        self.denied(nobody.get_object, Bucket=BUCKET, Key="open")


class Ownership(AccessCase):
    """Whose objects are, and when ACLs do not count."""

    @served(bucket_defaults=BucketDefaults(ENFORCED, NOTHING_BLOCKED))
    def test_enforced(self, server: Server) -> None:
        """The bucket's owner owns what others write; no ACL can be set but the one that says so."""
        alice, bob, nobody = self.prepared(server, ACL="private")
        statement = {"Effect": "Allow", "Principal": {"AWS": BOB.canonical_id}, "Action": "s3:*"}
        resources = [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]
        document = json.dumps({"Version": "2012-10-17", "Statement": {**statement, "Resource": resources}})
        alice.put_bucket_policy(Bucket=BUCKET, Policy=document)
        at = {"Bucket": BUCKET, "Key": "k"}
        full = "bucket-owner-full-control"
        bob.put_object(**at, Body=b"x", ACL=full)
        bob.put_object(**at, Body=b"x", GrantFullControl=f"id={ALICE.canonical_id}")
        alice.put_object_acl(**at, ACL=full)
        whole = {(ALICE.canonical_id, "FULL_CONTROL")}
        for answer in (bob.get_object_acl(**at), alice.get_object_acl(**at), alice.get_bucket_acl(Bucket=BUCKET)):
            self.assertEqual((answer["Owner"]["ID"], grants(answer)), (ALICE.canonical_id, whole))
        refused = "AccessControlListNotSupported"
        for name in ("private", "public-read", "bucket-owner-read"):
            self.refused(refused, 400, bob.put_object, **at, Body=b"new", ACL=name)
            self.refused(refused, 400, bob.create_multipart_upload, **at, ACL=name)
            self.refused(refused, 400, bob.copy_object, Bucket=BUCKET, Key="c", CopySource=f"{BUCKET}/k", ACL=name)
            self.refused(refused, 400, alice.put_object_acl, **at, ACL=name)
            self.refused(refused, 400, alice.put_bucket_acl, Bucket=BUCKET, ACL=name)
        self.refused(refused, 400, alice.put_object_acl, **at, GrantRead=f"id={BOB.canonical_id}")
        his = policy_xml(grant_xml("CanonicalUser", f"<ID>{BOB.canonical_id}</ID>"))
        self.assertEqual(send(server, "PUT", f"/{BUCKET}/k?acl", his, user=ALICE).code, refused)
        self.assertEqual(self.body(alice, "k"), b"x")
        make = alice.create_bucket
        code = "InvalidBucketAclWithObjectOwnership"
        self.refused(code, 400, make, Bucket="other", ACL="public-read")
        self.refused(code, 400, make, Bucket="other", ACL="public-read", ObjectOwnership="BucketOwnerEnforced")
        make(Bucket="other", ACL="public-read", ObjectOwnership="ObjectWriter")
        self.assertEqual(nobody.list_objects_v2(Bucket="other")["KeyCount"], 0)

    @served()
    def test_modes(self, server: Server) -> None:
        """Who owns an object of another writer, by mode and ACL; going to enforced and back."""
        owners = {
            (WRITER, None): BOB,
            (WRITER, "bucket-owner-full-control"): BOB,
            (PREFERRED, None): BOB,
            (PREFERRED, "private"): BOB,
            (PREFERRED, "bucket-owner-full-control"): ALICE,
        }
        alice, bob, _ = self.prepared(server, ACL="public-read-write")
        for (mode, name), owner in owners.items():
            rules = {"Rules": [{"ObjectOwnership": mode}]}
            alice.put_bucket_ownership_controls(Bucket=BUCKET, OwnershipControls=rules)
            bob.put_object(Bucket=BUCKET, Key="k", Body=b"x", **({} if name is None else {"ACL": name}))
            (listed,) = alice.list_objects(Bucket=BUCKET)["Contents"]
            self.assertEqual(listed["Owner"]["ID"], owner.canonical_id, (mode, name))
            upload = {"Bucket": BUCKET, "Key": "u", **({} if name is None else {"ACL": name})}
            bob.create_multipart_upload(**upload)
            (found,) = alice.list_multipart_uploads(Bucket=BUCKET)["Uploads"]
            self.assertEqual(found["Owner"]["ID"], owner.canonical_id, (mode, name))
            alice.abort_multipart_upload(Bucket=BUCKET, Key="u", UploadId=found["UploadId"])
        rules = {"Rules": [{"ObjectOwnership": ENFORCED}]}
        put = alice.put_bucket_ownership_controls
        self.refused("InvalidBucketAclWithObjectOwnership", 400, put, Bucket=BUCKET, OwnershipControls=rules)
        alice.put_bucket_acl(Bucket=BUCKET, ACL="private")
        bob_reads = {"Bucket": BUCKET, "Key": "k"}
        put(Bucket=BUCKET, OwnershipControls=rules)
        self.denied(bob.get_object, **bob_reads)
        self.assertEqual(self.body(alice, "k"), b"x")


class PublicAccess(AccessCase):
    """The blocks against the public."""

    @served()
    def test_block_acls(self, server: Server) -> None:
        """No ACL that lets the public in can be set; what was set before stays."""
        alice, _, nobody = self.prepared(server)
        alice.put_object(Bucket=BUCKET, Key="k", Body=b"x", ACL="public-read")
        block = {"BlockPublicAcls": True}
        alice.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration=block)
        for name in ("public-read", "public-read-write", "authenticated-read"):
            self.denied(alice.put_bucket_acl, Bucket=BUCKET, ACL=name)
            self.denied(alice.put_object_acl, Bucket=BUCKET, Key="k", ACL=name)
            self.denied(alice.put_object, Bucket=BUCKET, Key="k", Body=b"new", ACL=name)
            self.denied(alice.create_multipart_upload, Bucket=BUCKET, Key="k", ACL=name)
        alice.put_object(Bucket=BUCKET, Key="other", Body=b"x", ACL="private")
        self.assertEqual(self.body(nobody, "k"), b"x")

    @served()
    def test_ignore_acls(self, server: Server) -> None:
        """ACLs that let the public in stay and do not count."""
        alice, bob, nobody = self.prepared(server, ACL="public-read")
        alice.put_object(Bucket=BUCKET, Key="k", Body=b"x", ACL="public-read")
        block = {"IgnorePublicAcls": True}
        alice.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration=block)
        for client in (bob, nobody):
            self.denied(client.list_objects_v2, Bucket=BUCKET)
            self.denied(client.get_object, Bucket=BUCKET, Key="k")
        alice.delete_public_access_block(Bucket=BUCKET)
        self.assertEqual(self.body(nobody, "k"), b"x")

    @served(bucket_defaults=BucketDefaults(WRITER))
    def test_new_bucket(self, server: Server) -> None:
        """A bucket can not be made public at once where new buckets block that."""
        alice = server.client(ALICE)
        code = "InvalidBucketAclWithBlockPublicAccessError"
        self.refused(code, 400, alice.create_bucket, Bucket=BUCKET, ACL="public-read")
        self.assertEqual(alice.list_buckets()["Buckets"], [])
        alice.create_bucket(Bucket=BUCKET, GrantRead=f"id={BOB.canonical_id}")
        self.assertEqual(server.client(BOB).list_objects_v2(Bucket=BUCKET)["KeyCount"], 0)

    @served()
    def test_policies(self, server: Server) -> None:
        """Anonymous reads by policy, with any query; denied by the policy; blocked by RestrictPublicBuckets."""
        alice, bob, nobody = self.prepared(server)
        alice.put_object(Bucket=BUCKET, Key="k", Body=b"x")
        public = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/*"}
        alice.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps({"Statement": public}))
        self.assertEqual(self.body(nobody, "k"), b"x")
        self.assertEqual(send_plain(server, "GET", f"/{BUCKET}/k?v=1").body, b"x")
        self.denied(nobody.get_object, Bucket=BUCKET, Key="missing")
        self.denied(nobody.list_objects_v2, Bucket=BUCKET)
        self.denied(nobody.put_object, Bucket=BUCKET, Key="k", Body=b"new")
        self.refused("NoSuchKey", 404, alice.get_object, Bucket=BUCKET, Key="missing")
        block = {"RestrictPublicBuckets": True}
        alice.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration=block)
        self.denied(nobody.get_object, Bucket=BUCKET, Key="k")
        self.denied(bob.get_object, Bucket=BUCKET, Key="k")
        self.assertEqual(self.body(alice, "k"), b"x")
        denied = {**public, "Effect": "Deny", "Action": "s3:*"}
        alice.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps({"Statement": denied}))
        self.denied(alice.get_object, Bucket=BUCKET, Key="k")
        self.denied(server.client(ROOT).get_object, Bucket=BUCKET, Key="k")
        alice.delete_bucket_policy(Bucket=BUCKET)
        self.assertEqual(self.body(alice, "k"), b"x")

    @served(bucket_defaults=BucketDefaults(ENFORCED, NOTHING_BLOCKED))
    def test_absence(self, server: Server) -> None:
        """That a key is not there is told to those who may list it, whether or not they may read."""
        alice, bob, nobody = self.prepared(server)
        alice.put_object(Bucket=BUCKET, Key="public/there", Body=b"x")
        listing = {
            "Effect": "Allow",
            "Principal": {"AWS": BOB.canonical_id},
            "Action": "s3:ListBucket",
            "Resource": f"arn:aws:s3:::{BUCKET}",
            "Condition": {"StringLike": {"s3:prefix": "public/*"}},
        }
        alice.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps({"Version": "2012-10-17", "Statement": listing}))
        self.refused("NoSuchKey", 404, bob.get_object, Bucket=BUCKET, Key="public/missing")
        self.denied(bob.get_object, Bucket=BUCKET, Key="public/there")
        self.denied(bob.get_object, Bucket=BUCKET, Key="private/missing")
        self.denied(nobody.get_object, Bucket=BUCKET, Key="public/missing")
        self.denied(bob.put_object_tagging, Bucket=BUCKET, Key="public/missing", Tagging={"TagSet": []})
        copy = {"Bucket": "bobs", "Key": "copy"}
        bob.create_bucket(Bucket="bobs")
        for key in ("public/missing", "private/missing"):
            self.denied(bob.copy_object, **copy, CopySource=f"{BUCKET}/{key}")

    @served()
    def test_owners_of_what_nobody_owns(self, server: Server) -> None:
        """A new bucket where ACLs count says nothing of ownership, as on AWS before it had that; a stated one does."""
        alice, _, _ = self.prepared(server)
        self.refused("OwnershipControlsNotFoundError", 404, alice.get_bucket_ownership_controls, Bucket=BUCKET)
        self.refused("NoSuchPublicAccessBlockConfiguration", 404, alice.get_public_access_block, Bucket=BUCKET)
        alice.create_bucket(Bucket="stated", ObjectOwnership=WRITER)
        (rule,) = alice.get_bucket_ownership_controls(Bucket="stated")["OwnershipControls"]["Rules"]
        self.assertEqual(rule["ObjectOwnership"], WRITER)

    @served(users=(ROOT, ALICE, User("RO", "readers-secret-0123", "d" * 64, policy=NOTHING)))
    def test_user_policy(self, server: Server) -> None:
        """A user whose policy allows nothing gets nothing."""
        alice, _, _ = self.prepared(server)
        reader = server.client(User("RO", "readers-secret-0123", "d" * 64))
        self.denied(reader.list_buckets)
        self.denied(reader.create_bucket, Bucket="mine")
        self.denied(reader.list_objects_v2, Bucket=BUCKET)
        alice.put_bucket_acl(Bucket=BUCKET, ACL="public-read")
        self.assertEqual(reader.list_objects_v2(Bucket=BUCKET)["KeyCount"], 0)


class ListsOverTLS(Lists):
    """The same over HTTPS."""

    tls = True
