"""Configuration documents of buckets: put, got, removed, refused, and what holds without them."""

from __future__ import annotations

import json
from typing import Any

from tests.operations.clients import BUCKET, OperationTestCase, send, served
from tests.serving import Server

PUBLIC = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/*"}
OPEN = {
    "BlockPublicAcls": False,
    "IgnorePublicAcls": False,
    "BlockPublicPolicy": False,
    "RestrictPublicBuckets": False,
}


def policy(*statements: dict[str, Any]) -> str:
    """A policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


class Configurations(OperationTestCase):
    """Each kind of document goes round, over a real socket."""

    @served()
    def test_policy(self, server: Server) -> None:
        """A policy comes back as it was written, as JSON; then it is gone."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        self.refused("NoSuchBucketPolicy", 404, client.get_bucket_policy, Bucket=BUCKET)
        self.refused("NoSuchBucketPolicy", 404, client.get_bucket_policy_status, Bucket=BUCKET)
        text = policy({**PUBLIC, "Principal": {"AWS": "b" * 64}})
        done = client.put_bucket_policy(Bucket=BUCKET, Policy=text)
        self.assertEqual(done["ResponseMetadata"]["HTTPStatusCode"], 204)
        got = client.get_bucket_policy(Bucket=BUCKET)
        self.assertEqual(got["Policy"], text)
        self.assertEqual(got["ResponseMetadata"]["HTTPHeaders"]["content-type"], "application/json")
        self.assertIs(client.get_bucket_policy_status(Bucket=BUCKET)["PolicyStatus"]["IsPublic"], False)
        client.delete_bucket_policy(Bucket=BUCKET)
        self.refused("NoSuchBucketPolicy", 404, client.get_bucket_policy, Bucket=BUCKET)
        client.delete_bucket_policy(Bucket=BUCKET)

    @served()
    def test_bad_policy(self, server: Server) -> None:
        """What is no policy for this bucket is refused, and leaves the one there is."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        kept = policy({**PUBLIC, "Effect": "Deny"})
        client.put_bucket_policy(Bucket=BUCKET, Policy=kept)
        for text in ("[]", "{", policy({**PUBLIC, "Resource": "arn:aws:s3:::other/*"}), policy({"Effect": "Allow"})):
            self.refused("MalformedPolicy", 400, client.put_bucket_policy, Bucket=BUCKET, Policy=text)
        answer = send(server, "PUT", f"/{BUCKET}?policy")
        self.assertEqual((answer.status, answer.code), (400, "MissingRequestBodyError"))
        self.assertEqual(client.get_bucket_policy(Bucket=BUCKET)["Policy"], kept)

    @served()
    def test_public_policy(self, server: Server) -> None:
        """A public policy is refused while BlockPublicPolicy is on, as it is by default."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        self.refused("AccessDenied", 403, client.put_bucket_policy, Bucket=BUCKET, Policy=policy(PUBLIC))
        open_to_acls = {**OPEN, "BlockPublicAcls": True, "IgnorePublicAcls": True, "RestrictPublicBuckets": True}
        client.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration=open_to_acls)
        client.put_bucket_policy(Bucket=BUCKET, Policy=policy(PUBLIC))
        self.assertIs(client.get_bucket_policy_status(Bucket=BUCKET)["PolicyStatus"]["IsPublic"], True)

    @served()
    def test_public_access_block(self, server: Server) -> None:
        """All is blocked at first; what a document leaves out is not; a bucket without one blocks nothing."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)

        def block() -> dict[str, Any]:
            got = client.get_public_access_block(Bucket=BUCKET)
            return dict(got["PublicAccessBlockConfiguration"])

        self.assertEqual(block(), dict.fromkeys(OPEN, True))
        one = {"IgnorePublicAcls": True}
        client.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration=one)
        self.assertEqual(block(), {**OPEN, **one})
        client.delete_public_access_block(Bucket=BUCKET)
        self.refused("NoSuchPublicAccessBlockConfiguration", 404, client.get_public_access_block, Bucket=BUCKET)
        client.put_bucket_policy(Bucket=BUCKET, Policy=policy(PUBLIC))
        for body in (
            b"<a/>",
            b"<PublicAccessBlockConfiguration><BlockPublicAcls>x</BlockPublicAcls></PublicAccessBlockConfiguration>",
        ):
            answer = send(server, "PUT", f"/{BUCKET}?publicAccessBlock", body)
            self.assertEqual((answer.status, answer.code), (400, "MalformedXML"))

    @served()
    def test_ownership(self, server: Server) -> None:
        """Enforced at first; each mode goes round; then there is none."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)

        def mode() -> str:
            (rule,) = client.get_bucket_ownership_controls(Bucket=BUCKET)["OwnershipControls"]["Rules"]
            return str(rule["ObjectOwnership"])

        self.assertEqual(mode(), "BucketOwnerEnforced")
        for name in ("BucketOwnerPreferred", "ObjectWriter", "BucketOwnerEnforced"):
            rules = {"Rules": [{"ObjectOwnership": name}]}
            client.put_bucket_ownership_controls(Bucket=BUCKET, OwnershipControls=rules)
            self.assertEqual(mode(), name)
        client.delete_bucket_ownership_controls(Bucket=BUCKET)
        self.refused("OwnershipControlsNotFoundError", 404, client.get_bucket_ownership_controls, Bucket=BUCKET)
        for rules in ({"Rules": []}, {"Rules": [{"ObjectOwnership": "Mine"}]}):
            put = client.put_bucket_ownership_controls
            self.refused("MalformedXML", 400, put, Bucket=BUCKET, OwnershipControls=rules)

    @served()
    def test_tags(self, server: Server) -> None:
        """Up to 50 tags."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        self.refused("NoSuchTagSet", 404, client.get_bucket_tagging, Bucket=BUCKET)
        tags = [{"Key": f"k{number}", "Value": "v"} for number in range(10, 60)]
        client.put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": tags})
        self.assertEqual(client.get_bucket_tagging(Bucket=BUCKET)["TagSet"], tags)
        more = [*tags, {"Key": "more", "Value": "v"}]
        self.refused("BadRequest", 400, client.put_bucket_tagging, Bucket=BUCKET, Tagging={"TagSet": more})
        client.delete_bucket_tagging(Bucket=BUCKET)
        self.refused("NoSuchTagSet", 404, client.get_bucket_tagging, Bucket=BUCKET)

    @served()
    def test_no_bucket(self, server: Server) -> None:
        """Nothing of it works without a bucket."""
        client = server.client()
        self.refused("NoSuchBucket", 404, client.get_bucket_policy, Bucket=BUCKET)
        self.refused("NoSuchBucket", 404, client.put_bucket_policy, Bucket=BUCKET, Policy=policy(PUBLIC))
        self.refused("NoSuchBucket", 404, client.delete_bucket_policy, Bucket=BUCKET)


class ConfigurationsOverTLS(Configurations):
    """The same over HTTPS."""

    tls = True
