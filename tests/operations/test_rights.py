"""Which right each operation asks for, and that nothing is read of a body before all checks."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.operations.clients import BUCKET, OperationTestCase, served
from tests.serving import ALICE, REGION, Server
from twisted_s3.credentials import Users
from twisted_s3.errors import S3Error
from twisted_s3.interfaces import IAuthorizer, IBody
from twisted_s3.model import Properties, Upload
from twisted_s3.operations.call import Answer, ObjectLimits, Services
from twisted_s3.operations.table import OPERATIONS
from twisted_s3.protocol.access.request import AccessRequest
from twisted_s3.protocol.authentication import Authenticator
from twisted_s3.protocol.head import RequestHead
from twisted_s3.protocol.payload import Payload
from twisted_s3.storage.memory import MemoryStore
from twisted_s3.web.gate import Gate, Passage, Target

Right = tuple[str, str | None, str | None]


@implementer(IAuthorizer)
class Recorder:
    """Lets everybody do everything but ``refused``, and keeps what was asked."""

    def __init__(self) -> None:
        self.asked: list[Right] = []
        self.refused: set[Right] = set()

    async def authorize(self, request: AccessRequest) -> None:
        """Record the question."""
        right = (request.action, None if request.bucket is None else request.bucket.name, request.key)
        self.asked.append(right)
        if right in self.refused:
            raise S3Error("AccessDenied")


class Rights(OperationTestCase):
    """The authoriser sees action, bucket and key."""

    def setUp(self) -> None:
        """An authoriser to look at."""
        self.recorder = Recorder()
        self.asked: set[str] = set()

    async def start_server(self, **changes: Any) -> Server:
        """A server that asks the recorder."""
        return await super().start_server(authorizer=self.recorder, **changes)

    @served()
    def test_each_operation(self, server: Server) -> None:
        """Every operation that boto3 can call asks for exactly its right."""
        client = server.client()
        there = {"Bucket": BUCKET}
        at = {"Bucket": BUCKET, "Key": "k"}
        asked = self.asked

        def asks(operation: str, *rights: Right, **parameters: Any) -> dict[str, Any]:
            self.recorder.asked.clear()
            result = getattr(client, operation)(**parameters)
            self.assertEqual(self.recorder.asked, list(rights), operation)
            asked.add(client.meta.method_to_api_mapping[operation])
            return dict(result or {})

        read = ("s3:GetObject", BUCKET, "k")
        write = ("s3:PutObject", BUCKET, "k")
        asks("list_buckets", ("s3:ListAllMyBuckets", None, None))
        asks("create_bucket", ("s3:CreateBucket", None, None), **there)
        asks("head_bucket", ("s3:ListBucket", BUCKET, None), **there)
        asks("get_bucket_location", ("s3:GetBucketLocation", BUCKET, None), **there)
        asks("put_object", write, **at, Body=b"bytes")
        asks("get_object", read, **at)
        asks("head_object", read, **at)
        self.versions(asks)
        copies = [("s3:PutObject", BUCKET, "to"), read]
        asks("copy_object", *copies, Bucket=BUCKET, Key="to", CopySource=f"{BUCKET}/k")
        asks("list_objects", ("s3:ListBucket", BUCKET, None), **there)
        asks("list_objects_v2", ("s3:ListBucket", BUCKET, None), **there)
        asks("list_object_versions", ("s3:ListBucketVersions", BUCKET, None), **there)
        tags = {"TagSet": [{"Key": "a", "Value": "b"}]}
        asks("put_object_tagging", ("s3:PutObjectTagging", BUCKET, "k"), **at, Tagging=tags)
        asks("get_object_tagging", ("s3:GetObjectTagging", BUCKET, "k"), **at)
        tagged = [("s3:GetObjectTagging", BUCKET, "k"), ("s3:PutObjectTagging", BUCKET, "to")]
        asks("copy_object", *copies, *tagged, Bucket=BUCKET, Key="to", CopySource=f"{BUCKET}/k")
        asks("delete_object_tagging", ("s3:DeleteObjectTagging", BUCKET, "k"), **at)
        own = ("s3:GetObjectAttributes", BUCKET, "k")
        asks("get_object_attributes", own, read, **at, ObjectAttributes=["ETag"])
        renamed = {"Bucket": BUCKET, "Key": "new", "RenameSource": "k"}
        moving = [("s3:GetObject", BUCKET, "k"), ("s3:DeleteObject", BUCKET, "k")]
        asks("rename_object", ("s3:PutObject", BUCKET, "new"), *moving, **renamed)
        client.rename_object(**at, RenameSource="new")
        upload = {**at, "UploadId": asks("create_multipart_upload", write, **at)["UploadId"]}
        asks("upload_part", write, **upload, PartNumber=1, Body=b"part")
        part = asks("upload_part_copy", write, read, **upload, PartNumber=1, CopySource=f"{BUCKET}/k")
        asks("list_parts", ("s3:ListMultipartUploadParts", BUCKET, "k"), **upload)
        asks("list_multipart_uploads", ("s3:ListBucketMultipartUploads", BUCKET, None), **there)
        parts = {"Parts": [{"PartNumber": 1, "ETag": part["CopyPartResult"]["ETag"]}]}
        asks("complete_multipart_upload", write, **upload, MultipartUpload=parts)
        upload["UploadId"] = client.create_multipart_upload(**at)["UploadId"]
        asks("abort_multipart_upload", ("s3:AbortMultipartUpload", BUCKET, "k"), **upload)
        asks("delete_object", ("s3:DeleteObject", BUCKET, "k"), **at)
        keys = {"Objects": [{"Key": "a"}, {"Key": "b"}]}
        each = [("s3:DeleteObject", BUCKET, key) for key in ("a", "b")]
        asks("delete_objects", *each, **there, Delete=keys)
        client.delete_object(Bucket=BUCKET, Key="to")
        asked |= self.configurations(client)
        self.locks(client, asks)
        self.settings(asks)
        self.absent(client, asks)
        asks("get_bucket_versioning", ("s3:GetBucketVersioning", BUCKET, None), **there)
        suspended = {"VersioningConfiguration": {"Status": "Suspended"}}
        asks("put_bucket_versioning", ("s3:PutBucketVersioning", BUCKET, None), **there, **suspended)
        asks("delete_bucket", ("s3:DeleteBucket", BUCKET, None), **there)
        discontinued = {"RestoreObject", "SelectObjectContent", "GetObjectTorrent"}
        built = {op.name for op in OPERATIONS if op.handler is not None} - discontinued
        modelled = set(client.meta.method_to_api_mapping.values())
        self.assertEqual(asked, built & modelled)

    def versions(self, asks: Callable[..., Any]) -> None:
        """A version that is named needs the right for versions; ACLs have rights of their own."""
        at = {"Bucket": BUCKET, "Key": "k"}
        for operation, action in (
            ("get_object", "GetObjectVersion"),
            ("get_object_acl", "GetObjectVersionAcl"),
            ("get_object_tagging", "GetObjectVersionTagging"),
        ):
            asks(operation, (f"s3:{action}", BUCKET, "k"), **at, VersionId="null")
        asks("get_bucket_acl", ("s3:GetBucketAcl", BUCKET, None), Bucket=BUCKET)
        asks("get_object_acl", ("s3:GetObjectAcl", BUCKET, "k"), **at)
        full = "bucket-owner-full-control"
        asks("put_bucket_acl", ("s3:PutBucketAcl", BUCKET, None), Bucket=BUCKET, ACL=full)
        asks("put_object_acl", ("s3:PutObjectAcl", BUCKET, "k"), **at, ACL=full)

    def settings(self, asks: Callable[..., Any]) -> None:
        """Documents whose rights are not named as their operations are."""
        rule = {"ID": "a", "Status": "Enabled", "Filter": {"Prefix": "a"}, "Expiration": {"Days": 1}}
        cors = {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]}
        website = {"IndexDocument": {"Suffix": "index.html"}}
        by_default = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
        for operation, action, parameters in (
            ("put_bucket_cors", "PutBucketCORS", {"CORSConfiguration": cors}),
            ("get_bucket_cors", "GetBucketCORS", {}),
            ("delete_bucket_cors", "PutBucketCORS", {}),
            (
                "put_bucket_encryption",
                "PutEncryptionConfiguration",
                {"ServerSideEncryptionConfiguration": {"Rules": [by_default]}},
            ),
            ("get_bucket_encryption", "GetEncryptionConfiguration", {}),
            ("delete_bucket_encryption", "PutEncryptionConfiguration", {}),
            (
                "put_bucket_lifecycle_configuration",
                "PutLifecycleConfiguration",
                {"LifecycleConfiguration": {"Rules": [rule]}},
            ),
            ("get_bucket_lifecycle_configuration", "GetLifecycleConfiguration", {}),
            ("delete_bucket_lifecycle", "PutLifecycleConfiguration", {}),
            ("put_bucket_notification_configuration", "PutBucketNotification", {"NotificationConfiguration": {}}),
            ("get_bucket_notification_configuration", "GetBucketNotification", {}),
            (
                "put_bucket_request_payment",
                "PutBucketRequestPayment",
                {"RequestPaymentConfiguration": {"Payer": "BucketOwner"}},
            ),
            ("put_bucket_logging", "PutBucketLogging", {"BucketLoggingStatus": {}}),
            ("get_bucket_logging", "GetBucketLogging", {}),
            ("put_bucket_website", "PutBucketWebsite", {"WebsiteConfiguration": website}),
            ("get_bucket_website", "GetBucketWebsite", {}),
            ("delete_bucket_website", "DeleteBucketWebsite", {}),
            ("get_bucket_request_payment", "GetBucketRequestPayment", {}),
            (
                "put_bucket_accelerate_configuration",
                "PutAccelerateConfiguration",
                {"AccelerateConfiguration": {"Status": "Suspended"}},
            ),
            ("get_bucket_accelerate_configuration", "GetAccelerateConfiguration", {}),
            ("put_bucket_abac", "PutBucketAbac", {"AbacStatus": {"Status": "Disabled"}}),
            ("get_bucket_abac", "GetBucketAbac", {}),
            ("list_bucket_analytics_configurations", "GetAnalyticsConfiguration", {}),
            ("list_bucket_intelligent_tiering_configurations", "GetIntelligentTieringConfiguration", {}),
            ("list_bucket_inventory_configurations", "GetInventoryConfiguration", {}),
            ("list_bucket_metrics_configurations", "GetMetricsConfiguration", {}),
            ("delete_bucket_replication", "PutReplicationConfiguration", {}),
        ):
            asks(operation, (f"s3:{action}", BUCKET, None), Bucket=BUCKET, **parameters)

    def absent(self, client: Any, asks: Callable[..., Any]) -> None:
        """That there is nothing is for those to know who may read, or remove, what there could be."""

        def asks_in_vain(operation: str, action: str, **parameters: Any) -> None:
            with self.assertRaises(ClientError):
                asks(operation, Bucket=BUCKET, **parameters)
            self.assertEqual(self.recorder.asked, [(f"s3:{action}", BUCKET, None)], operation)
            self.asked.add(client.meta.method_to_api_mapping[operation])

        asks_in_vain("get_bucket_replication", "GetReplicationConfiguration")
        for kind in ("analytics", "intelligent_tiering", "inventory", "metrics"):
            noun = "".join(word.capitalize() for word in kind.split("_"))
            for verb, right in (("get", "Get"), ("delete", "Put")):
                asks_in_vain(f"{verb}_bucket_{kind}_configuration", f"{right}{noun}Configuration", Id="a")

    def locks(self, client: Any, asks: Callable[..., Any]) -> None:
        """Who brings a lock must be allowed to set it; who says to get past one must be allowed that."""
        at = {"Bucket": "locked", "Key": "k"}
        asks(
            "create_bucket",
            ("s3:CreateBucket", None, None),
            ("s3:PutBucketObjectLockConfiguration", None, None),
            ("s3:PutBucketVersioning", None, None),
            Bucket="locked",
            ObjectLockEnabledForBucket=True,
        )
        own = "BucketObjectLockConfiguration"
        enabled = {"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}}
        asks("put_object_lock_configuration", (f"s3:Put{own}", "locked", None), Bucket="locked", **enabled)
        asks("get_object_lock_configuration", (f"s3:Get{own}", "locked", None), Bucket="locked")

        def right(action: str) -> Right:
            return (f"s3:{action}", "locked", "k")

        retention = {"Mode": "GOVERNANCE", "RetainUntilDate": datetime(2100, 1, 1, tzinfo=UTC)}
        locked = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": retention["RetainUntilDate"]}
        brought = right("PutObject"), right("PutObjectRetention"), right("PutObjectLegalHold")
        asks("put_object", *brought, **at, Body=b"bytes", **locked, ObjectLockLegalHoldStatus="ON")
        bypass = {"BypassGovernanceRetention": True}
        changing = right("PutObjectRetention"), right("BypassGovernanceRetention")
        asks("put_object_retention", *changing, **at, Retention=retention, **bypass)
        asks("put_object_legal_hold", right("PutObjectLegalHold"), **at, LegalHold={"Status": "OFF"})
        asks("get_object_retention", right("GetObjectRetention"), **at)
        asks("get_object_legal_hold", right("GetObjectLegalHold"), **at)
        told = right("GetObject"), right("GetObjectRetention"), right("GetObjectLegalHold")
        version = {"VersionId": asks("head_object", *told, **at)["VersionId"]}
        deleting = right("DeleteObjectVersion"), right("BypassGovernanceRetention")
        asks("delete_object", *deleting, **at, **version, **bypass)
        client.delete_bucket(Bucket="locked")

    def configurations(self, client: Any) -> set[str]:
        """Ask for what a bucket is told, and by whom; give the names of the operations."""
        policy = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{BUCKET}"}
        documents = {
            "bucket_policy": {"Policy": json.dumps({"Statement": policy})},
            "bucket_ownership_controls": {"OwnershipControls": {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}},
            "public_access_block": {"PublicAccessBlockConfiguration": {"BlockPublicAcls": True}},
            "bucket_tagging": {"Tagging": {"TagSet": [{"Key": "a", "Value": "b"}]}},
        }
        rights = {
            "public_access_block": "BucketPublicAccessBlock",
            "delete_bucket_ownership_controls": "PutBucketOwnershipControls",
            "delete_public_access_block": "PutBucketPublicAccessBlock",
            "delete_bucket_tagging": "PutBucketTagging",
        }
        names = set()
        for kind, document in documents.items():
            for verb, parameters in (("put", document), ("get", {}), ("delete", {})):
                operation = f"{verb}_{kind}"
                names.add(client.meta.method_to_api_mapping[operation])
                noun = rights.get(kind, "".join(word.capitalize() for word in kind.split("_")))
                self.recorder.asked.clear()
                getattr(client, operation)(Bucket=BUCKET, **parameters)
                action = rights.get(operation, f"{verb.capitalize()}{noun}")
                self.assertEqual(self.recorder.asked, [(f"s3:{action}", BUCKET, None)], operation)
                if operation == "put_bucket_policy":
                    self.recorder.asked.clear()
                    client.get_bucket_policy_status(Bucket=BUCKET)
                    self.assertEqual(self.recorder.asked, [("s3:GetBucketPolicyStatus", BUCKET, None)])
                    names.add("GetBucketPolicyStatus")
        return names

    @served()
    def test_refused(self, server: Server) -> None:
        """A source that may not be read is not copied; of many keys only those that may go are deleted."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        for key in ("a", "b"):
            client.put_object(Bucket=BUCKET, Key=key, Body=key.encode())
        upload = {"Bucket": BUCKET, "Key": "to"}
        upload["UploadId"] = client.create_multipart_upload(**upload)["UploadId"]
        self.recorder.refused = {("s3:GetObject", BUCKET, "a"), ("s3:DeleteObject", BUCKET, "a")}
        source = {"CopySource": f"{BUCKET}/a"}
        self.refused("AccessDenied", 403, client.copy_object, Bucket=BUCKET, Key="to", **source)
        self.refused("AccessDenied", 403, client.upload_part_copy, **upload, PartNumber=1, **source)
        result = client.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "a"}, {"Key": "b"}]})
        self.assertEqual([entry["Key"] for entry in result["Deleted"]], ["b"])
        self.assertEqual([(e["Key"], e["Code"]) for e in result["Errors"]], [("a", "AccessDenied")])
        self.recorder.refused = set()
        self.assertEqual(self.body(client, "a"), b"a")
        self.assertNotIn("Parts", client.list_parts(**upload))


class RightsOverTLS(Rights):
    """The same over HTTPS."""

    tls = True


@implementer(IBody)
class Unread:
    """A body that nobody may read yet."""

    length: int | None = 5

    async def read(self) -> bytes:
        """Fail."""
        raise AssertionError("the body was read before all was checked")


class ChecksFirst(SynchronousTestCase):
    """What can be refused by the head alone is refused before the body is asked for."""

    def setUp(self) -> None:
        """A store with an object and an upload, behind a gate that lets everybody in."""
        self.store = MemoryStore(Clock())
        self.recorder = Recorder()
        limits = ObjectLimits(put=10)
        services = Services(self.store, Users([ALICE]), self.recorder, Clock(), REGION, limits)
        self.gate = Gate(services, Authenticator(REGION))
        self.upload: Upload = self.successResultOf(Deferred.fromCoroutine(self.fill()))

    async def fill(self) -> Upload:
        """Make what the requests are about."""
        await self.store.create_bucket(BUCKET, "", REGION)
        staged = await self.store.stage(BUCKET, Payload())
        await staged.commit("k", Properties())
        return await self.store.create_upload(BUCKET, "k", Properties(), "", "CRC32", "COMPOSITE")

    def ask(self, method: str, target: str, headers: Mapping[str, str]) -> Deferred[Answer]:
        """Send a request's head through the gate."""
        path, _, query = target.partition("?")
        _, bucket, *key = path.split("/", 2)
        values = {name: [value] for name, value in {"content-length": "5", **headers}.items()}
        head = RequestHead(method, path.encode(), query.encode(), values)
        place = Target(bucket.encode(), key[0].encode() if key else b"")
        return Deferred.fromCoroutine(self.gate.answer(head, place, Unread(), Passage()))

    def check(self, code: str, method: str, target: str, **headers: str) -> None:
        """Assert that the head of a request is enough to refuse it."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        failure = self.failureResultOf(self.ask(method, target, named))
        self.assertIsInstance(failure.value, S3Error, failure)
        self.assertEqual(failure.value.code, code, (method, target, headers))

    def test_the_body_is_noticed(self) -> None:
        """What nothing is wrong with does read its body: the tests below can fail."""
        for method, target, headers in (
            ("PUT", "/bucket/k", {}),
            ("PUT", f"/bucket/k?partNumber=1&uploadId={self.upload.id}", {}),
            ("POST", f"/bucket/k?uploadId={self.upload.id}", {}),
            ("POST", "/bucket?delete", {"content-md5": "A" * 22 + "=="}),
            ("PUT", "/other", {}),
        ):
            self.failureResultOf(self.ask(method, target, headers), AssertionError)

    def test_writes(self) -> None:
        """PutObject and CreateBucket."""
        self.check("NoSuchBucket", "PUT", "/absent/k")
        self.check("PreconditionFailed", "PUT", "/bucket/k", if_none_match="*")
        self.check("NoSuchKey", "PUT", "/bucket/new", if_match="x")
        self.check("NotImplemented", "PUT", "/bucket/k", if_match="*")
        self.check("EntityTooLarge", "PUT", "/bucket/k", content_length="11")
        self.check("InvalidDigest", "PUT", "/bucket/k", content_md5="x")
        self.check("InvalidRequest", "PUT", "/bucket/k", x_amz_checksum_crc32="x")
        self.check("InvalidStorageClass", "PUT", "/bucket/k", x_amz_storage_class="PAPER")
        self.check("MetadataTooLarge", "PUT", "/bucket/k", x_amz_meta_a="x" * 2048)
        self.check("InvalidArgument", "PUT", "/bucket/k", x_amz_tagging="a=b&a=c")
        self.check("InvalidTag", "PUT", "/bucket/k", x_amz_tagging="a=%7B")
        self.check("AccessDenied", "PUT", "/bucket/k", x_amz_expected_bucket_owner="somebody")
        self.check("NotImplemented", "PUT", "/bucket/k?newest")
        self.check("KeyTooLongError", "PUT", "/bucket/" + "k" * 1025)
        self.check("InvalidBucketName", "PUT", "/x")
        self.check("MaxMessageLengthExceeded", "PUT", "/other", content_length=str(1 << 30))
        self.recorder.refused = {("s3:PutObjectTagging", BUCKET, "k")}
        self.check("AccessDenied", "PUT", "/bucket/k", x_amz_tagging="a=b")
        self.check("AccessDenied", "POST", "/bucket/k?uploads", x_amz_tagging="a=b")
        self.recorder.refused = {("s3:PutObject", BUCKET, "k")}
        self.check("AccessDenied", "PUT", "/bucket/k")

    def test_parts(self) -> None:
        """UploadPart and CompleteMultipartUpload."""
        part = f"/bucket/k?partNumber=1&uploadId={self.upload.id}"
        self.check("InvalidArgument", "PUT", f"/bucket/k?partNumber=0&uploadId={self.upload.id}")
        self.check("NoSuchUpload", "PUT", "/bucket/k?partNumber=1&uploadId=absent")
        self.check("EntityTooLarge", "PUT", part, content_length="11")
        self.check("InvalidRequest", "PUT", part, x_amz_checksum_sha1="A" * 27 + "=")
        complete = f"/bucket/k?uploadId={self.upload.id}"
        self.check("NoSuchUpload", "POST", "/bucket/k?uploadId=absent")
        self.check("NoSuchUpload", "POST", complete.replace("/k?", "/other?"))
        self.check("PreconditionFailed", "POST", complete, if_none_match="*")
        self.check("NotImplemented", "POST", complete, if_match="*")
        self.check("MaxMessageLengthExceeded", "POST", complete, content_length=str(1 << 30))

    def test_deletions(self) -> None:
        """DeleteObjects."""
        self.check("InvalidRequest", "POST", "/bucket?delete")
        self.check("NoSuchBucket", "POST", "/absent?delete")
        digest = "A" * 22 + "=="
        self.check(
            "MaxMessageLengthExceeded", "POST", "/bucket?delete", content_length=str(1 << 30), content_md5=digest
        )

    def test_what_takes_no_body(self) -> None:
        """Reads, copies and the beginning of an upload never ask for one."""
        for method, target, headers in (
            ("GET", "/bucket/k", {}),
            ("POST", "/bucket/k?uploads", {}),
            ("PUT", "/bucket/copy", {"x-amz-copy-source": "bucket/k"}),
            ("DELETE", "/bucket/k", {}),
        ):
            answer = self.successResultOf(self.ask(method, target, headers))
            self.assertLess(answer.status, 300, target)
