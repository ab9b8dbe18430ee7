"""CopyObject."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.operations.clients import BUCKET, OperationTestCase, send, served
from tests.serving import ALICE, BOB, Server
from twisted_s3.operations.call import ObjectLimits

SAID = {"ContentType": "text/plain", "CacheControl": "no-store", "Metadata": {"colour": "blue"}}


class Copying(OperationTestCase):
    """Objects made of others."""

    def prepared(self, server: Server) -> Any:
        """A client, and an object ``k`` with headers to copy."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        client.put_object(Bucket=BUCKET, Key="k", Body=b"bytes", StorageClass="STANDARD_IA", **SAID)
        return client

    def described(self, client: Any, key: str) -> dict[str, Any]:
        """What a HEAD says of what a copy takes over or not."""
        got = client.head_object(Bucket=BUCKET, Key=key)
        return {name: got.get(name) for name in (*SAID, "StorageClass", "WebsiteRedirectLocation") if got.get(name)}

    @served()
    def test_directives(self, server: Server) -> None:
        """COPY takes headers and metadata over but neither storage class nor redirect; REPLACE takes nothing."""
        client = self.prepared(server)
        client.put_object(
            Bucket=BUCKET, Key="k", Body=b"bytes", WebsiteRedirectLocation="/x", StorageClass="GLACIER", **SAID
        )
        source = {"CopySource": {"Bucket": BUCKET, "Key": "k"}, "Bucket": BUCKET, "Key": "to"}
        result = client.copy_object(**source)["CopyObjectResult"]
        self.assertEqual(result["ETag"], client.head_object(Bucket=BUCKET, Key="to")["ETag"])
        self.assertEqual(result["ChecksumType"], "FULL_OBJECT")
        self.assertEqual(self.described(client, "to"), SAID)
        client.copy_object(**source, Metadata={"a": "b"}, ContentType="x/y")
        self.assertEqual(self.described(client, "to"), SAID)
        client.copy_object(**source, MetadataDirective="REPLACE", Metadata={"a": "b"}, StorageClass="ONEZONE_IA")
        replaced = {"ContentType": "binary/octet-stream", "Metadata": {"a": "b"}, "StorageClass": "ONEZONE_IA"}
        self.assertEqual(self.described(client, "to"), replaced)
        client.copy_object(**source, TaggingDirective="COPY", WebsiteRedirectLocation="/y")
        self.assertEqual(self.described(client, "to"), {**SAID, "WebsiteRedirectLocation": "/y"})
        self.assertEqual(self.body(client, "to"), b"bytes")
        for directive in ("MetadataDirective", "TaggingDirective"):
            response = self.refused("InvalidArgument", 400, client.copy_object, **source, **{directive: "MOVE"})
            self.assertIn("directive", response["Error"]["Message"])
        self.refused("InvalidRequest", 400, client.copy_object, **source, ChecksumAlgorithm="ADLER")
        client.copy_object(**source, ChecksumAlgorithm="SHA256")
        self.assertIn("ChecksumSHA256", client.head_object(Bucket=BUCKET, Key="to", ChecksumMode="ENABLED"))

    @served()
    def test_onto_itself(self, server: Server) -> None:
        """Only to change something about it."""
        client = self.prepared(server)
        same = {"CopySource": f"{BUCKET}/k", "Bucket": BUCKET, "Key": "k"}
        self.refused("InvalidRequest", 400, client.copy_object, **same)
        self.refused("InvalidRequest", 400, client.copy_object, **same, MetadataDirective="COPY", Metadata={"a": "b"})
        self.assertEqual(self.described(client, "k"), {**SAID, "StorageClass": "STANDARD_IA"})
        client.copy_object(**same, StorageClass="STANDARD")
        self.assertEqual(self.described(client, "k"), SAID)
        client.copy_object(**same, MetadataDirective="REPLACE", Metadata={"a": "b"}, ContentType="x/y")
        self.assertEqual(self.described(client, "k"), {"ContentType": "x/y", "Metadata": {"a": "b"}})
        self.assertEqual(self.body(client, "k"), b"bytes")

    @served()
    def test_source_conditions(self, server: Server) -> None:
        """All four, each with 412 when it does not hold; nothing is made then."""
        client = self.prepared(server)
        copy = {"CopySource": f"{BUCKET}/k", "Bucket": BUCKET, "Key": "to"}
        got = client.head_object(Bucket=BUCKET, Key="k")
        etag, now = got["ETag"], got["LastModified"]
        before = now - timedelta(hours=1)
        for condition in (
            {"CopySourceIfMatch": '"other"'},
            {"CopySourceIfNoneMatch": etag},
            {"CopySourceIfUnmodifiedSince": before},
            {"CopySourceIfModifiedSince": now},
        ):
            self.refused("PreconditionFailed", 412, client.copy_object, **copy, **condition)
        self.refused("404", 404, client.head_object, Bucket=BUCKET, Key="to")
        client.copy_object(**copy, CopySourceIfMatch=etag, CopySourceIfUnmodifiedSince=before)
        client.copy_object(**copy, CopySourceIfNoneMatch='"other"', CopySourceIfModifiedSince=before)
        self.assertEqual(self.body(client, "to"), b"bytes")

    @served(object_limits=ObjectLimits(put=5))
    def test_refused(self, server: Server) -> None:
        """Sources that are missing, malformed, too large, or versions that nothing here has."""
        client = self.prepared(server)
        to = {"Bucket": BUCKET, "Key": "to"}
        self.refused("NoSuchKey", 404, client.copy_object, **to, CopySource=f"{BUCKET}/absent")
        self.refused("NoSuchBucket", 404, client.copy_object, **to, CopySource="absent/k")
        self.refused("NoSuchBucket", 404, client.copy_object, Bucket="absent", Key="to", CopySource=f"{BUCKET}/k")
        self.refused("InvalidBucketName", 400, client.copy_object, **to, CopySource="B_B/k")
        self.refused("KeyTooLongError", 400, client.copy_object, **to, CopySource=f"{BUCKET}/" + "k" * 1025)
        self.refused("InvalidArgument", 400, client.copy_object, **to, CopySource=f"{BUCKET}/k?versionId=abc")
        for malformed in ("k", "/", "bucket/", ""):
            answer = send(server, "PUT", f"/{BUCKET}/to", b"", {"x-amz-copy-source": malformed})
            self.assertEqual((answer.status, answer.code), (400, "InvalidArgument"), malformed)
        self.refused("404", 404, client.head_object, **to)
        client.copy_object(**to, CopySource={"Bucket": BUCKET, "Key": "k", "VersionId": "null"})
        self.assertEqual(self.body(client, "to"), b"bytes")

    @served(object_limits=ObjectLimits(put=20, part=1))
    def test_large_source(self, server: Server) -> None:
        """An object that is too large for one request is too large for one copy."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        place = {"Bucket": BUCKET, "Key": "k"}
        place["UploadId"] = client.create_multipart_upload(**place)["UploadId"]
        parts = []
        for number in (1, 2):
            etag = client.upload_part(**place, PartNumber=number, Body=b"x" * 20)["ETag"]
            parts.append({"PartNumber": number, "ETag": etag})
        client.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
        self.refused("InvalidRequest", 400, client.copy_object, Bucket=BUCKET, Key="to", CopySource=f"{BUCKET}/k")

    @served()
    def test_between_users(self, server: Server) -> None:
        """The source must be readable by who copies, and the destination writable."""
        alice, bob = self.prepared(server), server.client(BOB)
        bob.create_bucket(Bucket="bobs")
        from_alice = {"CopySource": f"{BUCKET}/k"}
        self.refused("AccessDenied", 403, bob.copy_object, Bucket="bobs", Key="stolen", **from_alice)
        self.refused("404", 404, bob.head_object, Bucket="bobs", Key="stolen")
        bob.put_object(Bucket="bobs", Key="mine", Body=b"mine")
        self.refused("AccessDenied", 403, bob.copy_object, Bucket=BUCKET, Key="k", CopySource="bobs/mine")
        alice.copy_object(Bucket="bobs", Key="given", **from_alice)
        self.assertEqual(self.body(bob, "given", "bobs"), b"bytes")
        alice.copy_object(Bucket=BUCKET, Key="k", CopySource="bobs/mine")
        self.assertEqual(self.body(alice, "k"), b"mine")
        owner = alice.list_objects(Bucket=BUCKET)["Contents"][0]["Owner"]
        self.assertEqual(owner["ID"], ALICE.canonical_id)

    @served()
    def test_odd_keys(self, server: Server) -> None:
        """Keys that need encoding, and the longest, as source and destination."""
        client = self.prepared(server)
        for key in ("a b+c%41?d#e&f", "ü/é//..", "x?versionId=y", "ü" * 512, "/lead", "100%"):
            client.put_object(Bucket=BUCKET, Key=key, Body=key.encode())
            client.copy_object(Bucket=BUCKET, Key="to", CopySource={"Bucket": BUCKET, "Key": key})
            self.assertEqual(self.body(client, "to"), key.encode())


class CopyingOverTLS(Copying):
    """The same over HTTPS."""

    tls = True
