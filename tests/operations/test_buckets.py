"""Buckets: listed, made, seen, located, deleted."""

from __future__ import annotations

from tests.operations.clients import BUCKET, OperationTestCase, send, served
from tests.serving import ALICE, BOB, Server


class Buckets(OperationTestCase):
    """Operations on the service and on buckets."""

    @served()
    def test_life(self, server: Server) -> None:
        """Made, seen, located, refused while it holds something, deleted."""
        client = server.client()
        made = client.create_bucket(Bucket=BUCKET)
        self.assertEqual(made["Location"], "/bucket")
        head = client.head_bucket(Bucket=BUCKET)
        self.assertEqual(head["BucketRegion"], "us-east-1")
        self.assertIsNone(client.get_bucket_location(Bucket=BUCKET)["LocationConstraint"])
        client.put_object(Bucket=BUCKET, Key="a", Body=b"a")
        self.refused("BucketNotEmpty", 409, client.delete_bucket, Bucket=BUCKET)
        self.assertEqual(self.body(client, "a"), b"a")
        client.delete_object(Bucket=BUCKET, Key="a")
        deleted = client.delete_bucket(Bucket=BUCKET)
        self.assertEqual(deleted["ResponseMetadata"]["HTTPStatusCode"], 204)
        self.refused("404", 404, client.head_bucket, Bucket=BUCKET)
        for call in (client.delete_bucket, client.get_bucket_location, client.list_objects_v2):
            self.refused("NoSuchBucket", 404, call, Bucket=BUCKET)
        self.refused("NoSuchBucket", 404, client.put_object, Bucket=BUCKET, Key="a", Body=b"a")

    @served()
    def test_create_again(self, server: Server) -> None:
        """The owner may, in us-east-1, and nothing is lost; another user may not, nor look into it."""
        alice, bob = server.client(), server.client(BOB)
        bob.create_bucket(Bucket="bobs")
        bob.put_object(Bucket="bobs", Key="k", Body=b"kept")
        bob.create_bucket(Bucket="bobs")
        self.assertEqual(self.body(bob, "k", "bobs"), b"kept")
        self.refused("BucketAlreadyExists", 409, alice.create_bucket, Bucket="bobs")
        alice.create_bucket(Bucket="alices")
        self.refused("BucketAlreadyExists", 409, bob.create_bucket, Bucket="alices")
        self.refused("403", 403, bob.head_bucket, Bucket="alices")
        self.refused("AccessDenied", 403, bob.get_bucket_location, Bucket="alices")
        self.refused("AccessDenied", 403, bob.delete_bucket, Bucket="alices")

    @served(region="eu-west-1")
    def test_elsewhere(self, server: Server) -> None:
        """Outside us-east-1 the location must be named, and one's own bucket can not be made again."""
        client = server.client(region="eu-west-1")
        here = {"LocationConstraint": "eu-west-1"}
        client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=here)
        response = self.refused(
            "BucketAlreadyOwnedByYou", 409, client.create_bucket, Bucket=BUCKET, CreateBucketConfiguration=here
        )
        self.assertEqual(response["Error"]["BucketName"], BUCKET)
        for location in ({"LocationConstraint": "us-west-2"}, {}):
            code = "IllegalLocationConstraintException"
            self.refused(code, 400, client.create_bucket, Bucket="other", CreateBucketConfiguration=location)
        self.assertEqual(client.get_bucket_location(Bucket=BUCKET)["LocationConstraint"], "eu-west-1")
        self.assertEqual(client.head_bucket(Bucket=BUCKET)["BucketRegion"], "eu-west-1")
        self.assertEqual([each["Name"] for each in client.list_buckets()["Buckets"]], [BUCKET])

    @served()
    def test_create_refused(self, server: Server) -> None:
        """Names, locations and wishes that can not be had make no bucket."""
        client = server.client()
        for name in ("Upper-Case", "ab.", "192.168.0.1", "a..b", "xn--abc", "under_score"):
            answer = send(server, "PUT", f"/{name}")
            self.assertEqual((answer.status, answer.code), (400, "InvalidBucketName"), name)
        self.refused(
            "InvalidLocationConstraint",
            400,
            client.create_bucket,
            Bucket=BUCKET,
            CreateBucketConfiguration={"LocationConstraint": "mars"},
        )
        self.refused("InvalidArgument", 400, client.create_bucket, Bucket=BUCKET, ObjectOwnership="Mine")
        code = "InvalidBucketAclWithObjectOwnership"
        self.refused(code, 400, client.create_bucket, Bucket=BUCKET, ACL="public-read")
        self.refused(code, 400, client.create_bucket, Bucket=BUCKET, GrantRead=f"id={BOB.canonical_id}")
        self.assertEqual(send(server, "PUT", f"/{BUCKET}", b"<what").code, "MalformedXML")
        self.assertEqual(client.list_buckets()["Buckets"], [])
        client.create_bucket(Bucket=BUCKET, ObjectLockEnabledForBucket=False, ObjectOwnership="BucketOwnerEnforced")
        client.create_bucket(Bucket="private", ACL="private")
        client.create_bucket(Bucket="named", CreateBucketConfiguration={"LocationConstraint": "us-east-1"})

    @served()
    def test_list(self, server: Server) -> None:
        """Prefix, pages and tokens; each user sees only what is theirs."""
        alice, bob = server.client(), server.client(BOB)
        for name in ("a-one", "a-three", "a-two", "b-one"):
            alice.create_bucket(Bucket=name)
        bob.create_bucket(Bucket="a-bobs")
        everything = alice.list_buckets()
        self.assertEqual([each["Name"] for each in everything["Buckets"]], ["a-one", "a-three", "a-two", "b-one"])
        self.assertEqual(everything["Owner"], {"ID": ALICE.canonical_id, "DisplayName": "alice"})
        self.assertEqual({each["BucketRegion"] for each in alice.list_buckets(Prefix="a")["Buckets"]}, {"us-east-1"})
        self.assertEqual([each["Name"] for each in bob.list_buckets()["Buckets"]], ["a-bobs"])
        pages = list(alice.get_paginator("list_buckets").paginate(Prefix="a-", PaginationConfig={"PageSize": 1}))
        self.assertEqual(
            [[each["Name"] for each in page["Buckets"]] for page in pages], [["a-one"], ["a-three"], ["a-two"]]
        )
        self.assertEqual([page["Prefix"] for page in pages], ["a-"] * 3)
        self.assertNotIn("ContinuationToken", pages[-1])
        self.assertEqual(alice.list_buckets(BucketRegion="eu-west-1")["Buckets"], [])
        self.assertEqual(len(alice.list_buckets(BucketRegion="us-east-1")["Buckets"]), 4)
        self.refused("InvalidArgument", 400, alice.list_buckets, ContinuationToken="nonsense")
        for size in ("0", "-1", "many"):
            self.assertEqual(send(server, "GET", f"/?max-buckets={size}").code, "InvalidArgument", size)

    @served()
    def test_expected_owner(self, server: Server) -> None:
        """``ExpectedBucketOwner`` guards against a bucket that is not whose one thinks."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        owner, other = ALICE.canonical_id, BOB.canonical_id
        client.put_object(Bucket=BUCKET, Key="k", Body=b"1", ExpectedBucketOwner=owner)
        self.refused(
            "AccessDenied", 403, client.put_object, Bucket=BUCKET, Key="k", Body=b"2", ExpectedBucketOwner=other
        )
        self.refused("AccessDenied", 403, client.get_object, Bucket=BUCKET, Key="k", ExpectedBucketOwner=other)
        copy = {"Bucket": BUCKET, "Key": "l", "CopySource": f"{BUCKET}/k"}
        self.refused("AccessDenied", 403, client.copy_object, **copy, ExpectedSourceBucketOwner=other)
        client.copy_object(**copy, ExpectedSourceBucketOwner=owner, ExpectedBucketOwner=owner)
        self.assertEqual(self.body(client, "l"), b"1")


class BucketsOverTLS(Buckets):
    """The same over HTTPS."""

    tls = True
