"""What AWS refuses, and storage classes as labels."""

from __future__ import annotations

from typing import Any

from tests.operations.clients import BUCKET, OperationTestCase, send, served
from tests.serving import Server
from twisted_s3.protocol.properties import STORAGE_CLASSES

AT = {"Bucket": BUCKET, "Key": "k"}


class Refusals(OperationTestCase):
    """RestoreObject, SelectObjectContent, GetObjectTorrent."""

    def prepared(self, server: Server, **said: str) -> Any:
        """A client and an object."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        client.put_object(**AT, Body=b"a,b\n", **said)
        return client

    @served()
    def test_restore(self, server: Server) -> None:
        """Refused for objects that are not archived; the others are there already."""
        client = self.prepared(server)
        request = {"RestoreRequest": {"Days": 1, "GlacierJobParameters": {"Tier": "Bulk"}}}
        failed = self.refused("InvalidObjectState", 403, client.restore_object, **AT, **request)
        self.assertEqual(failed["Error"]["Message"], "Restore is not allowed for the object's current storage class")
        self.refused("InvalidObjectState", 403, client.restore_object, **AT)
        for archive in ("GLACIER", "DEEP_ARCHIVE"):
            client.put_object(**AT, Body=b"x", StorageClass=archive)
            restored = client.restore_object(**AT, **request)
            self.assertEqual(restored["ResponseMetadata"]["HTTPStatusCode"], 200)
            self.assertEqual(self.body(client, "k"), b"x")
        self.refused("NoSuchKey", 404, client.restore_object, Bucket=BUCKET, Key="absent", **request)
        self.refused("InvalidArgument", 400, client.restore_object, **AT, VersionId="abc", **request)
        for body in (b"<Other/>", b"<RestoreRequest><Days>0</Days></RestoreRequest>", b"x"):
            answer = send(server, "POST", f"/{BUCKET}/k?restore", body)
            self.assertEqual((answer.status, answer.code), (400, "MalformedXML"), body)

    @served()
    def test_discontinued(self, server: Server) -> None:
        """Select and torrents: 405, as AWS answers."""
        client = self.prepared(server)
        select = {"Expression": "SELECT * FROM S3Object", "ExpressionType": "SQL"}
        serial = {"InputSerialization": {"CSV": {}}, "OutputSerialization": {"CSV": {}}}
        self.refused("MethodNotAllowed", 405, client.select_object_content, **AT, **select, **serial)
        self.refused("MethodNotAllowed", 405, client.get_object_torrent, **AT)
        answer = send(server, "GET", f"/{BUCKET}/k?torrent")
        found = answer.element("Method"), answer.element("ResourceType"), answer.headers["allow"]
        self.assertEqual(found, ("GET", "TORRENT", "DELETE, GET, HEAD, PUT"))

    @served()
    def test_storage_classes(self, server: Server) -> None:
        """Every class is kept by every way to write, and shown; STANDARD is not shown in headers."""
        client = self.prepared(server)
        for label in sorted(STORAGE_CLASSES):
            client.put_object(**AT, Body=b"x", StorageClass=label)
            shown = None if label == "STANDARD" else label
            self.assertEqual(client.head_object(**AT).get("StorageClass"), shown)
            self.assertEqual(client.get_object(**AT).get("StorageClass"), shown)
            self.assertEqual(client.list_objects_v2(Bucket=BUCKET)["Contents"][0]["StorageClass"], label)
        client.copy_object(**AT, CopySource=f"{BUCKET}/k", StorageClass="GLACIER_IR")
        self.assertEqual(client.head_object(**AT)["StorageClass"], "GLACIER_IR")
        upload = client.create_multipart_upload(**AT, StorageClass="ONEZONE_IA")["UploadId"]
        self.assertEqual(client.list_parts(**AT, UploadId=upload)["StorageClass"], "ONEZONE_IA")
        self.assertEqual(client.list_multipart_uploads(Bucket=BUCKET)["Uploads"][0]["StorageClass"], "ONEZONE_IA")
        for call, said in (
            (client.put_object, {"Body": b"x"}),
            (client.copy_object, {"CopySource": f"{BUCKET}/k"}),
            (client.create_multipart_upload, {}),
        ):
            self.refused("InvalidStorageClass", 400, call, **AT, **said, StorageClass="standard")


class RefusalsOverTLS(Refusals):
    """The same over HTTPS."""

    tls = True
