"""Conditional writes and deletions: what is refused leaves everything as it was."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor

from tests.operations.clients import BUCKET, OperationTestCase, send, served
from tests.serving import Server
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
            if key.startswith("race-"):
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
