"""What no bucket has here, and what tools ask of every bucket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from tests.operations.clients import BUCKET, OperationTestCase, send, served
from tests.operations.locks import digest_of
from tests.serving import Server

KINDS = ("analytics", "intelligent_tiering", "inventory", "metrics")
#: What Terraform's ``aws_s3_bucket`` reads of a bucket, in its order, and what it takes for "there is none".
TERRAFORM: Mapping[str, str] = {
    "head_bucket": "",
    "get_bucket_location": "",
    "get_bucket_policy": "NoSuchBucketPolicy",
    "get_bucket_acl": "",
    "get_bucket_cors": "NoSuchCORSConfiguration",
    "get_bucket_website": "NoSuchWebsiteConfiguration",
    "get_bucket_versioning": "",
    "get_bucket_accelerate_configuration": "",
    "get_bucket_request_payment": "",
    "get_bucket_lifecycle_configuration": "NoSuchLifecycleConfiguration",
    "get_bucket_replication": "ReplicationConfigurationNotFoundError",
    "get_bucket_encryption": "ServerSideEncryptionConfigurationNotFoundError",
    "get_object_lock_configuration": "ObjectLockConfigurationNotFoundError",
    "get_bucket_tagging": "NoSuchTagSet",
}
#: What its other resources, ``mc`` and rclone read besides.
OTHERS: Mapping[str, str] = {
    "get_bucket_abac": "",
    "get_bucket_notification_configuration": "",
    "get_bucket_ownership_controls": "",
    "get_public_access_block": "",
    "get_bucket_policy_status": "NoSuchBucketPolicy",
    "list_object_versions": "",
    "list_multipart_uploads": "",
}


class Probes(OperationTestCase):
    """A new bucket, looked at from all sides."""

    def answers(self, client: Any, asked: Mapping[str, str]) -> dict[str, dict[str, Any]]:
        """Ask, and assert that each operation answers, or says that there is nothing, with 404."""
        answers = {}
        for operation, absent in asked.items():
            try:
                answers[operation] = getattr(client, operation)(Bucket=BUCKET)
                code, status = "", 200
            except ClientError as error:
                code = error.response["Error"]["Code"]
                status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            self.assertEqual((code, status), (absent, 404 if absent else 200), operation)
        return answers

    @served()
    def test_terraform(self, server: Server) -> None:
        """Everything that is read of a bucket is answered as on AWS."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        answers = self.answers(client, TERRAFORM)
        self.assertEqual(answers["get_bucket_request_payment"]["Payer"], "BucketOwner")
        for operation in ("get_bucket_versioning", "get_bucket_accelerate_configuration"):
            self.assertNotIn("Status", answers[operation])
        self.assertIsNone(answers["get_bucket_location"]["LocationConstraint"])

    @served()
    def test_others(self, server: Server) -> None:
        """So is what other tools read."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        answers = self.answers(client, OTHERS)
        self.assertEqual(answers["get_bucket_abac"]["AbacStatus"], {"Status": "Disabled"})

    @served()
    def test_nothing_of_a_kind(self, server: Server) -> None:
        """Lists are empty, none can be got or deleted, and to put one is 501."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        for kind in KINDS:
            name = f"bucket_{kind}_configuration"
            listed = getattr(client, f"list_{name}s")(Bucket=BUCKET)
            self.assertIs(listed["IsTruncated"], False)
            self.assertEqual([key for key in listed if key.endswith("List")], [])
            for verb in ("get", "delete"):
                self.refused("NoSuchConfiguration", 404, getattr(client, f"{verb}_{name}"), Bucket=BUCKET, Id="a")
            answer = send(server, "PUT", f"/{BUCKET}?{kind.replace('_', '-')}&id=a", b"<x/>")
            self.assertEqual((answer.status, answer.code), (501, "NotImplemented"))
            self.refused("NoSuchBucket", 404, getattr(client, f"list_{name}s"), Bucket="absent")

    @served()
    def test_replication(self, server: Server) -> None:
        """There is none, which can be removed, and not be set."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        client.delete_bucket_replication(Bucket=BUCKET)
        answer = send(server, "PUT", f"/{BUCKET}?replication", b"<x/>")
        self.assertEqual((answer.status, answer.code), (501, "NotImplemented"))
        code = "ReplicationConfigurationNotFoundError"
        self.refused(code, 404, client.get_bucket_replication, Bucket=BUCKET)

    @served()
    def test_words(self, server: Server) -> None:
        """What can be said in one way is taken so, and the other way refused rather than forgotten."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        for query, root, member, taken, refused in (
            ("requestPayment", "RequestPaymentConfiguration", "Payer", "BucketOwner", "Requester"),
            ("accelerate", "AccelerateConfiguration", "Status", "Suspended", "Enabled"),
            ("abac", "AbacStatus", "Status", "Disabled", "Enabled"),
        ):
            target = f"/{BUCKET}?{query}"
            for word, code, status in ((taken, "", 200), (refused, "NotImplemented", 501), ("x", "MalformedXML", 400)):
                body = f"<{root}><{member}>{word}</{member}></{root}>".encode()
                answer = send(server, "PUT", target, body, digest_of(body))
                self.assertEqual((answer.status, answer.code), (status, code), (query, word))
                self.assertEqual(send(server, "GET", target).element(member), taken)
            for body in (b"<Other/>", f"<{root}/>".encode(), b"x"):
                answer = send(server, "PUT", target, body, digest_of(body))
                self.assertEqual((answer.status, answer.code), (400, "MalformedXML"), (query, body))
            self.assertEqual(send(server, "PUT", target, b"", digest_of(b"")).code, "MissingRequestBodyError")
        body = b"<RequestPaymentConfiguration><Payer>BucketOwner</Payer></RequestPaymentConfiguration>"
        self.assertEqual(send(server, "PUT", f"/{BUCKET}?requestPayment", body).code, "InvalidRequest")
