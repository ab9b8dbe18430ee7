"""Conditional writes and deletions: what is refused leaves everything as it was."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError
from twisted.internet import reactor

from tests.operations.clients import BUCKET, OperationTestCase, send, served
from tests.operations.posting import post, signed
from tests.serving import BOB, Server
from twisted_s3.model import ObjectVersion, Properties
from twisted_s3.protocol.payload import Payload
from twisted_s3.storage.memory import MemoryStore

OLD, NEW = b"old", b"new"
CHANGES_NOTHING = '"00000000000000000000000000000000"'


class Overtaking(MemoryStore):
    """A store where another writer comes between the early look at a key named ``race-...`` and the commit."""

    async def head_object(
        self, bucket: str, key: str, version_id: str | None = None, unread: bool = False
    ) -> ObjectVersion:
        """Look, then let the rival write."""
        try:
            return await super().head_object(bucket, key, version_id, unread)
        finally:
            if key.startswith("race-") and not unread:
                staged = await self.stage(bucket, Payload())
                await staged.write(b"rival")
                await staged.commit(key, Properties())


class Conditional(OperationTestCase):
    """PutObject, CopyObject, CompleteMultipartUpload, DeleteObject, DeleteObjects under conditions."""

    def make_store(self) -> Overtaking:
        """A store with a rival in it."""
        return Overtaking(reactor)

    def writers(self, client: Any) -> dict[str, Any]:
        """Each way to write ``NEW`` to a key, under conditions."""

        def put(key: str, **conditions: str) -> None:
            client.put_object(Bucket=BUCKET, Key=key, Body=NEW, **conditions)

        def copy(key: str, **conditions: str) -> None:
            client.copy_object(Bucket=BUCKET, Key=key, CopySource=f"{BUCKET}/source", **conditions)

        def complete(key: str, **conditions: str) -> None:
            upload = client.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
            place = {"Bucket": BUCKET, "Key": key, "UploadId": upload}
            part = client.upload_part(**place, PartNumber=1, Body=NEW)
            parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
            try:
                client.complete_multipart_upload(**place, MultipartUpload=parts, **conditions)
            except BaseException:
                # The upload is as before: it can still be completed, or dropped.
                self.assertEqual(len(client.list_parts(**place)["Parts"]), 1)
                client.abort_multipart_upload(**place)
                raise

        return {"put": put, "copy": copy, "complete": complete}

    @served()
    def test_writes(self, server: Server) -> None:
        """412, 404 and 501, and success."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        client.put_object(Bucket=BUCKET, Key="source", Body=NEW)
        for name, write in self.writers(client).items():
            key = f"key-{name}"
            self.refused("NoSuchKey", 404, write, key=key, IfMatch=CHANGES_NOTHING)
            self.refused("404", 404, client.head_object, Bucket=BUCKET, Key=key)
            write(key, IfNoneMatch="*")
            self.assertEqual(self.body(client, key), NEW)
            etag = client.put_object(Bucket=BUCKET, Key=key, Body=OLD, Metadata={"a": "b"})["ETag"]
            failed = self.refused("PreconditionFailed", 412, write, key=key, IfNoneMatch="*")
            self.assertEqual(failed["Error"]["Condition"], "If-None-Match")
            self.refused("PreconditionFailed", 412, write, key=key, IfMatch=CHANGES_NOTHING)
            self.refused("NotImplemented", 501, write, key=key, IfMatch="*")
            self.refused("NotImplemented", 501, write, key=key, IfNoneMatch=etag)
            self.refused("NotImplemented", 501, write, key=key, IfNoneMatch="*", IfMatch=etag)
            got = client.get_object(Bucket=BUCKET, Key=key)
            self.assertEqual((got["Body"].read(), got["Metadata"], got["ETag"]), (OLD, {"a": "b"}, etag), name)
            write(key, IfMatch=etag.strip('"'))
            self.assertEqual(self.body(client, key), NEW)
        self.assertNotIn("Uploads", client.list_multipart_uploads(Bucket=BUCKET))

    @served()
    def test_overtaken(self, server: Server) -> None:
        """What counts is the condition at the commit: who was first stays."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        client.put_object(Bucket=BUCKET, Key="source", Body=NEW)
        for name, write in self.writers(client).items():
            key = f"race-{name}"
            self.refused("PreconditionFailed", 412, write, key=key, IfNoneMatch="*")
            self.assertEqual(self.body(client, key), b"rival")
            etag = client.put_object(Bucket=BUCKET, Key=key, Body=OLD)["ETag"]
            self.refused("PreconditionFailed", 412, write, key=key, IfMatch=etag)
            self.assertEqual(self.body(client, key), b"rival")

    @served()
    def test_parts_overtaken(self, server: Server) -> None:
        """What becomes of the key while an upload is under way is a conflict, even where the ETag is the same."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        at = {"Bucket": BUCKET, "Key": "k"}
        etag = client.put_object(**at, Body=OLD)["ETag"]
        uploads = [self.uploaded(client, "k") for _ in range(3)]
        first, second, third = uploads
        self.refused("PreconditionFailed", 412, client.complete_multipart_upload, **first, IfNoneMatch="*")
        client.delete_object(**at)
        complete = client.complete_multipart_upload
        failed = self.refused("ConditionalRequestConflict", 409, complete, **first, IfNoneMatch="*")
        self.assertEqual((failed["Error"]["Condition"], failed["Error"]["Key"]), ("If-None-Match", "k"))
        self.refused("NoSuchKey", 404, complete, **first, IfMatch=etag)
        self.refused("404", 404, client.head_object, **at)
        other = client.put_object(**at, Body=b"other")["ETag"]
        self.refused("PreconditionFailed", 412, complete, **first, IfMatch=etag)
        self.refused("ConditionalRequestConflict", 409, complete, **first, IfMatch=other)
        self.assertEqual(self.body(client, "k"), b"other")
        self.assertEqual(client.put_object(**at, Body=OLD)["ETag"], etag)
        failed = self.refused("ConditionalRequestConflict", 409, complete, **first, IfMatch=etag)
        self.assertEqual((failed["Error"]["Condition"], failed["Error"]["Key"]), ("If-Match", "k"))
        self.assertEqual(self.body(client, "k"), OLD)
        self.assertEqual(len(client.list_multipart_uploads(Bucket=BUCKET)["Uploads"]), 3)
        complete(**first)
        self.assertEqual(self.body(client, "k"), NEW, "without a condition nothing stands in the way")
        client.delete_object(**at)
        fourth = self.uploaded(client, "k")
        for late in (second, third):
            self.refused("ConditionalRequestConflict", 409, complete, **late, IfNoneMatch="*")
        complete(**fourth, IfNoneMatch="*")
        self.assertEqual(self.body(client, "k"), NEW)
        etag = client.head_object(**at)["ETag"]
        fifth = self.uploaded(client, "k")
        self.assertEqual(complete(**fifth, IfMatch=etag)["ETag"], etag)
        self.assertEqual(complete(**fifth, IfMatch=etag)["ETag"], etag, "the same request again")

    @served()
    def test_parts_of_versions(self, server: Server) -> None:
        """In a bucket with versions a delete marker is no object, and tags are no other version."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        at = {"Bucket": BUCKET, "Key": "k"}
        etag = client.put_object(**at, Body=OLD)["ETag"]
        begun = self.uploaded(client, "k")
        client.put_object_tagging(**at, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
        marker = client.delete_object(**at)["VersionId"]
        complete = client.complete_multipart_upload
        self.refused("NoSuchKey", 404, complete, **begun, IfMatch=etag)
        self.refused("ConditionalRequestConflict", 409, complete, **begun, IfNoneMatch="*")
        after = self.uploaded(client, "k")
        client.delete_object(**at, VersionId=marker)
        self.refused("PreconditionFailed", 412, complete, **after, IfNoneMatch="*")
        complete(**begun, IfMatch=etag)
        self.assertEqual(self.body(client, "k"), NEW)
        self.assertEqual(len(client.list_object_versions(Bucket=BUCKET)["Versions"]), 2)

    def uploaded(self, client: Any, key: str) -> dict[str, Any]:
        """What it takes to complete a new upload of ``NEW``."""
        place = {"Bucket": BUCKET, "Key": key}
        place["UploadId"] = client.create_multipart_upload(**place)["UploadId"]
        part = client.upload_part(**place, PartNumber=1, Body=NEW)
        return {**place, "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}}

    @served()
    def test_match_needs_reading(self, server: Server) -> None:
        """Who may write but not read can not find out ETags; that there must be no object, anybody may say."""
        client, bob = server.client(), server.client(BOB)
        client.create_bucket(Bucket=BUCKET)
        client.put_object(Bucket=BUCKET, Key="source", Body=NEW)

        def allow(action: str, keys: str) -> dict[str, Any]:
            return {
                "Effect": "Allow",
                "Principal": {"AWS": BOB.canonical_id},
                "Action": action,
                "Resource": f"arn:aws:s3:::{BUCKET}/{keys}",
            }

        rules = [allow("s3:*Object", "open-*"), allow("s3:GetObject", "source")]
        rules += [allow("s3:PutObject", "shut-*"), allow("s3:*Multipart*", "*")]
        policy = {"Version": "2012-10-17", "Statement": rules}
        client.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(policy))
        writers = {**self.writers(bob), "post": self.poster(server)}
        for name, write in writers.items():
            write(f"shut-{name}", IfNoneMatch="*")
            etag = client.put_object(Bucket=BUCKET, Key=f"shut-{name}", Body=OLD)["ETag"]
            for guess in (etag, CHANGES_NOTHING):
                self.refused("AccessDenied", 403, write, key=f"shut-{name}", IfMatch=guess)
            self.refused("AccessDenied", 403, write, key=f"shut-missing-{name}", IfMatch=etag)
            self.refused("PreconditionFailed", 412, write, key=f"shut-{name}", IfNoneMatch="*")
            self.assertEqual(self.body(client, f"shut-{name}"), OLD, name)
            self.refused("404", 404, client.head_object, Bucket=BUCKET, Key=f"shut-missing-{name}")
            client.put_object(Bucket=BUCKET, Key=f"open-{name}", Body=OLD)
            self.refused("PreconditionFailed", 412, write, key=f"open-{name}", IfMatch=CHANGES_NOTHING)
            write(f"open-{name}", IfMatch=etag)
            self.assertEqual(self.body(client, f"open-{name}"), NEW, name)
        client.put_object(Bucket=BUCKET, Key="open-from", Body=NEW)
        rename = {"Bucket": BUCKET, "RenameSource": "open-from", "DestinationIfMatch": etag}
        self.refused("AccessDenied", 403, bob.rename_object, Key="shut-put", **rename)
        self.assertEqual(self.body(client, "open-from"), NEW)
        client.put_object(Bucket=BUCKET, Key="open-to", Body=OLD)
        bob.rename_object(Key="open-to", **rename)
        self.assertEqual(self.body(client, "open-to"), NEW)

    def poster(self, server: Server) -> Any:
        """A way to write ``NEW`` by a form of Bob's, failing as those of clients do."""

        def write(key: str, **conditions: str) -> None:
            names = {"IfMatch": "If-Match", "IfNoneMatch": "If-None-Match"}
            fields = {"key": key, **{names[name]: value for name, value in conditions.items()}}
            answer = post(server, signed(fields=fields, user=BOB), NEW)
            if answer.status >= 300:
                status = {"HTTPStatusCode": answer.status}
                raise ClientError({"Error": {"Code": answer.code}, "ResponseMetadata": status}, "PostObject")

        return write

    @served()
    def test_deletions(self, server: Server) -> None:
        """If-Match decides; what S3 does not offer is 501."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        key = {"Bucket": BUCKET, "Key": "k"}
        for good in ("*", None):
            etag = client.put_object(**key, Body=OLD)["ETag"]
            self.refused("PreconditionFailed", 412, client.delete_object, **key, IfMatch=CHANGES_NOTHING)
            for header in ("If-None-Match", "If-Modified-Since", "If-Unmodified-Since"):
                answer = send(server, "DELETE", f"/{BUCKET}/k", b"", {header: "*"})
                self.assertEqual((answer.status, answer.code), (501, "NotImplemented"), header)
            self.assertEqual(self.body(client, "k"), OLD)
            client.delete_object(**key, IfMatch=good or etag)
            self.refused("NoSuchKey", 404, client.delete_object, **key, IfMatch=good or etag)
        client.delete_object(**key)

    @served()
    def test_deletions_below_a_marker(self, server: Server) -> None:
        """Where a delete marker is the newest, ``*`` fails, and an ETag finds nothing; no second marker comes."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        at = {"Bucket": BUCKET, "Key": "k"}
        self.refused("NoSuchKey", 404, client.delete_object, **at, IfMatch="*")
        put = client.put_object(**at, Body=OLD)
        marker = client.delete_object(**at, IfMatch="*")["VersionId"]
        failed = self.refused("PreconditionFailed", 412, client.delete_object, **at, IfMatch="*")
        self.assertEqual(failed["Error"]["Condition"], "If-Match")
        self.refused("NoSuchKey", 404, client.delete_object, **at, IfMatch=put["ETag"])
        asked = [{"Key": "k", "ETag": "*"}, {"Key": "k", "ETag": put["ETag"]}, {"Key": "absent", "ETag": "*"}]
        result = client.delete_objects(Bucket=BUCKET, Delete={"Objects": asked})
        codes = [(entry["Key"], entry["Code"]) for entry in result["Errors"]]
        self.assertEqual(codes, [("k", "PreconditionFailed"), ("k", "NoSuchKey"), ("absent", "NoSuchKey")])
        elsewhere = client.put_object(Bucket=BUCKET, Key="other", Body=OLD)["VersionId"]
        # What the key has on top says nothing about a version that it has not.
        self.refused("NoSuchKey", 404, client.delete_object, **at, VersionId=elsewhere, IfMatch="*")
        listed = client.list_object_versions(Bucket=BUCKET)
        self.assertEqual([found["VersionId"] for found in listed["DeleteMarkers"]], [marker])
        client.delete_object(**at, VersionId=marker)
        client.delete_object(**at, IfMatch="*")

    @served()
    def test_deletions_of_many(self, server: Server) -> None:
        """Each entry has its own condition and its own outcome."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        etag = client.put_object(Bucket=BUCKET, Key="match", Body=OLD)["ETag"]
        client.put_object(Bucket=BUCKET, Key="other", Body=OLD)
        objects = [
            {"Key": "match", "ETag": etag},
            {"Key": "other", "ETag": CHANGES_NOTHING},
            {"Key": "missing", "ETag": etag},
        ]
        result = client.delete_objects(Bucket=BUCKET, Delete={"Objects": objects})
        self.assertEqual([entry["Key"] for entry in result["Deleted"]], ["match"])
        failures = {entry["Key"]: entry["Code"] for entry in result["Errors"]}
        self.assertEqual(failures, {"other": "PreconditionFailed", "missing": "NoSuchKey"})
        self.assertEqual(self.body(client, "other"), OLD)


class ConditionalOverTLS(Conditional):
    """The same over HTTPS."""

    tls = True
