"""RenameObject over HTTP and HTTPS, in memory and on files."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from botocore.exceptions import ClientError
from twisted.internet import reactor

from tests.operations.clients import BUCKET, OperationTestCase, send, served
from tests.serving import BOB, Server
from twisted_s3.interfaces import IObjectStore
from twisted_s3.storage.filesystem.store import FilesystemStore

OTHER_ETAG = '"00000000000000000000000000000000"'


class Renaming(OperationTestCase):
    """One object gets another key."""

    def prepared(self, server: Server) -> Any:
        """A client, and an object with all that an object can have."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        said = {"Metadata": {"a": "b"}, "ContentType": "x/y", "Tagging": "t=1", "StorageClass": "STANDARD_IA"}
        client.put_object(Bucket=BUCKET, Key="old name", Body=b"bytes", **said)
        return client

    def keys(self, client: Any) -> list[str]:
        """All keys of the bucket."""
        return [entry["Key"] for entry in client.list_objects_v2(Bucket=BUCKET).get("Contents", [])]

    @served()
    def test_renames(self, server: Server) -> None:
        """Everything goes along, also the time; the source is encoded, with or without its bucket."""
        client = self.prepared(server)
        kept = ("ETag", "LastModified", "Metadata", "ContentType", "StorageClass", "ContentLength", "ChecksumCRC32")
        before = client.head_object(Bucket=BUCKET, Key="old name", ChecksumMode="ENABLED")
        key = "old name"
        for source, target in (
            ("old%20name", "new/näme"),
            ("/new/n%C3%A4me", "new"),
            (f"/{BUCKET}/new", f"{BUCKET}/x"),
            (f"{BUCKET}/x", "x+y%z"),
            ("x+y%25z", "w" * 300),
            ("w" * 300, "old name"),
        ):
            client.rename_object(Bucket=BUCKET, Key=target, RenameSource=source)
            self.assertEqual(self.keys(client), [target])
            self.refused("404", 404, client.head_object, Bucket=BUCKET, Key=key)
            after = client.head_object(Bucket=BUCKET, Key=target, ChecksumMode="ENABLED")
            self.assertEqual({name: after[name] for name in kept}, {name: before[name] for name in kept})
            self.assertEqual(self.body(client, target), b"bytes")
            tags = client.get_object_tagging(Bucket=BUCKET, Key=target)["TagSet"]
            self.assertEqual(tags, [{"Key": "t", "Value": "1"}])
            key = target

    @served()
    def test_conditions(self, server: Server) -> None:
        """On the source, and on the destination, which is replaced when they hold."""
        client = self.prepared(server)
        etag = client.head_object(Bucket=BUCKET, Key="old name")["ETag"]
        there = client.put_object(Bucket=BUCKET, Key="there", Body=b"there")["ETag"]
        now = client.head_object(Bucket=BUCKET, Key="there")["LastModified"]
        before = now - timedelta(hours=1)
        rename = {"Bucket": BUCKET, "Key": "there", "RenameSource": "old%20name"}
        for condition in (
            {"SourceIfMatch": OTHER_ETAG},
            {"SourceIfNoneMatch": etag},
            {"SourceIfUnmodifiedSince": before},
            {"DestinationIfMatch": OTHER_ETAG},
            {"DestinationIfNoneMatch": "*"},
            {"DestinationIfUnmodifiedSince": before},
            {"DestinationIfModifiedSince": now},
        ):
            self.refused("PreconditionFailed", 412, client.rename_object, **rename, **condition)
        self.refused("NotImplemented", 501, client.rename_object, **rename, DestinationIfNoneMatch=there)
        for condition in ({"DestinationIfMatch": there}, {"DestinationIfModifiedSince": before}):
            absent = {**rename, "Key": "absent"}
            self.refused("PreconditionFailed", 412, client.rename_object, **absent, **condition)
        self.assertEqual(self.keys(client), ["old name", "there"])
        self.assertEqual((self.body(client, "old name"), self.body(client, "there")), (b"bytes", b"there"))
        conditions = {"SourceIfMatch": etag, "SourceIfUnmodifiedSince": now, "DestinationIfMatch": there}
        client.rename_object(**rename, **conditions)
        self.assertEqual((self.keys(client), self.body(client, "there")), (["there"], b"bytes"))
        back = {"Bucket": BUCKET, "Key": "back", "RenameSource": "there"}
        client.rename_object(**back, DestinationIfNoneMatch="*", SourceIfModifiedSince=before, SourceIfNoneMatch=there)
        self.assertEqual(self.keys(client), ["back"])

    @served()
    def test_refused(self, server: Server) -> None:
        """Sources that are missing or malformed, and what AWS does not rename."""
        client = self.prepared(server)
        to = {"Bucket": BUCKET, "Key": "to"}
        self.refused("NoSuchKey", 404, client.rename_object, **to, RenameSource="absent")
        self.refused("NoSuchBucket", 404, client.rename_object, Bucket="absent", Key="to", RenameSource="old%20name")
        self.refused("InvalidRequest", 400, client.rename_object, **to, RenameSource="to")
        self.refused("InvalidRequest", 400, client.rename_object, **to, RenameSource="folder/")
        self.refused("InvalidRequest", 400, client.rename_object, Bucket=BUCKET, Key="f/", RenameSource="old%20name")
        self.refused("KeyTooLongError", 400, client.rename_object, **to, RenameSource="k" * 1025)
        self.refused("AccessDenied", 403, server.client(BOB).rename_object, **to, RenameSource="old%20name")
        for headers in ({}, {"x-amz-rename-source": ""}, {"x-amz-rename-source": "/"}, {"x-amz-rename-source": "%ff"}):
            answer = send(server, "PUT", f"/{BUCKET}/to?renameObject", b"", headers)
            self.assertEqual((answer.status, answer.code), (400, "InvalidArgument"), headers)
        source = {"x-amz-rename-source": "old%20name"}
        for token in ("", "x" * 65, "a b"):
            answer = send(server, "PUT", f"/{BUCKET}/to?renameObject", b"", {**source, "x-amz-client-token": token})
            self.assertEqual((answer.status, answer.code), (400, "InvalidArgument"), token)
        answer = send(server, "PUT", f"/{BUCKET}/to?renameObject", b"", {**source, "x-amz-copy-source": f"{BUCKET}/x"})
        self.assertEqual((self.keys(client), answer.status), (["to"], 200))

    @served()
    def test_races(self, server: Server) -> None:
        """Many rename one object at once: one wins, and the object is always there once."""
        client = self.prepared(server)
        clients = [server.client() for _ in range(8)]

        def rename(number: int) -> bool:
            try:
                clients[number].rename_object(Bucket=BUCKET, Key=f"to/{number}", RenameSource="old%20name")
            except ClientError as error:
                self.assertEqual(error.response["Error"]["Code"], "NoSuchKey")
                return False
            return True

        for _ in range(5):
            with ThreadPoolExecutor(8) as pool:
                won = [number for number, done in enumerate(pool.map(rename, range(8))) if done]
            self.assertEqual(len(won), 1)
            self.assertEqual(self.keys(client), [f"to/{won[0]}"])
            client.rename_object(Bucket=BUCKET, Key="old name", RenameSource=f"to/{won[0]}")


class RenamingOverTLS(Renaming):
    """The same over HTTPS."""

    tls = True


class RenamingFiles(Renaming):
    """The same over files."""

    def make_store(self) -> IObjectStore:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return FilesystemStore(folder.name, reactor, durable=False, threads=4)
