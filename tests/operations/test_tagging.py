"""Tags of objects: set alone, brought along by writes, taken over by copies."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from twisted.internet import reactor

from tests.operations.clients import BUCKET, OperationTestCase, send, send_plain, served
from tests.serving import BOB, Server
from twisted_s3.interfaces import IObjectStore
from twisted_s3.storage.filesystem.store import FilesystemStore

AT = {"Bucket": BUCKET, "Key": "k"}
DOCUMENT = "<Tagging><TagSet>{}</TagSet></Tagging>"


def tag_set(**tags: str) -> dict[str, Any]:
    """Tags as boto3 takes them."""
    return {"TagSet": [{"Key": key, "Value": value} for key, value in tags.items()]}


def tags_at(client: Any, key: str = "k") -> dict[str, str]:
    """The tags of an object."""
    found = client.get_object_tagging(Bucket=BUCKET, Key=key)["TagSet"]
    return {tag["Key"]: tag["Value"] for tag in found}


class Tagging(OperationTestCase):
    """Object tagging."""

    def prepared(self, server: Server) -> Any:
        """A client, and an object without tags."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        client.put_object(**AT, Body=b"bytes", Metadata={"a": "b"}, ContentType="text/plain")
        return client

    @served()
    def test_life(self, server: Server) -> None:
        """Put, get, replace, delete; the object stays as it was."""
        client = self.prepared(server)
        before = client.get_object(**AT)
        self.assertEqual(tags_at(client), {})
        for tags in ({"größe": "1 + 2", "leer": ""}, {"other": "x" * 256}):
            client.put_object_tagging(**AT, Tagging=tag_set(**tags))
            self.assertEqual(tags_at(client), tags)
            for got in (client.head_object(**AT), client.get_object(**AT)):
                self.assertEqual(got["ResponseMetadata"]["HTTPHeaders"]["x-amz-tagging-count"], str(len(tags)))
        after = client.get_object(**AT)
        for name in ("ETag", "LastModified", "Metadata", "ContentType", "ContentLength"):
            self.assertEqual(after[name], before[name])
        self.assertEqual(after["Body"].read(), b"bytes")
        deleted = client.delete_object_tagging(**AT)
        self.assertEqual(deleted["ResponseMetadata"]["HTTPStatusCode"], 204)
        self.assertEqual(tags_at(client), {})
        self.assertNotIn("TagCount", client.get_object(**AT))

    @served()
    def test_writes(self, server: Server) -> None:
        """Put and Create bring tags along; an overwrite without drops them."""
        client = self.prepared(server)
        tags = {"a": "1 + 2", "ä": "/"}
        client.put_object(**AT, Body=b"x", Tagging="a=1+%2B+2&%C3%A4=/")
        self.assertEqual(tags_at(client), tags)
        self.assertEqual(client.get_object(**AT)["TagCount"], 2)
        client.put_object(**AT, Body=b"x")
        self.assertEqual(tags_at(client), {})
        upload = client.create_multipart_upload(**AT, Tagging="a=1%20%2b%202&%C3%A4=%2F")
        place = {**AT, "UploadId": upload["UploadId"]}
        part = client.upload_part(**place, PartNumber=1, Body=b"part")
        self.assertEqual(tags_at(client), {})
        parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
        client.complete_multipart_upload(**place, MultipartUpload=parts)
        self.assertEqual(tags_at(client), tags)

    @served()
    def test_presigned(self, server: Server) -> None:
        """A presigned URL brings tags in its query, as version 2 does, or in a header that it signs."""
        client = self.prepared(server)
        signers = ((client, {}), (server.client(signature_version="s3v4"), {"x-amz-tagging": "a=b+c"}))
        for signer, headers in signers:
            client.put_object(**AT, Body=b"untagged")
            url = signer.generate_presigned_url("put_object", {**AT, "Tagging": "a=b+c"})
            answer = send_plain(server, "PUT", url.removeprefix(server.url), b"body", headers)
            self.assertEqual((answer.status, tags_at(client)), (200, {"a": "b c"}), answer.body)

    @served()
    def test_copies(self, server: Server) -> None:
        """A copy takes over the tags, unless it is to replace them; metadata and tags each have their directive."""
        client = self.prepared(server)
        client.put_object_tagging(**AT, Tagging=tag_set(a="1"))
        to = {"Bucket": BUCKET, "Key": "to", "CopySource": f"{BUCKET}/k"}
        for said, expected in (
            ({}, {"a": "1"}),
            ({"TaggingDirective": "COPY", "Tagging": "b=2"}, {"a": "1"}),
            ({"TaggingDirective": "REPLACE", "Tagging": "b=2"}, {"b": "2"}),
            ({"TaggingDirective": "REPLACE"}, {}),
            ({"MetadataDirective": "REPLACE"}, {"a": "1"}),
        ):
            client.copy_object(**to, **said)
            self.assertEqual(tags_at(client, "to"), expected, said)
            metadata = {} if "MetadataDirective" in said else {"a": "b"}
            self.assertEqual(client.head_object(Bucket=BUCKET, Key="to")["Metadata"], metadata)
        refuse = {"TaggingDirective": "REPLACE", "Tagging": "b=2&b=3"}
        self.refused("InvalidArgument", 400, client.copy_object, **to, **refuse)
        self.refused("InvalidArgument", 400, client.copy_object, **to, TaggingDirective="MOVE")

    @served()
    def test_refused(self, server: Server) -> None:
        """Each refusal with its code; the tags stay."""
        client = self.prepared(server)
        client.put_object_tagging(**AT, Tagging=tag_set(kept="1"))
        tag = "<Tag><Key>{}</Key><Value>{}</Value></Tag>"
        for content, code in (
            (tag.format("", "1"), "InvalidTag"),
            (tag.format("k" * 129, "1"), "InvalidTag"),
            (tag.format("k", "v" * 257), "InvalidTag"),
            (tag.format("k", "{}"), "InvalidTag"),
            (tag.format("aws:k", "1"), "InvalidTag"),
            (tag.format("k", "1") * 2, "InvalidTag"),
            ("".join(tag.format(number, "") for number in range(11)), "BadRequest"),
            ("<Tag><Key>k</Key></Tag>", "MalformedXML"),
            ("<Other/>", "MalformedXML"),
            ("</TagSet>", "MalformedXML"),
        ):
            answer = send(server, "PUT", f"/{BUCKET}/k?tagging", DOCUMENT.format(content).encode())
            self.assertEqual((answer.status, answer.code), (400, code), content)
        self.assertEqual(send(server, "PUT", f"/{BUCKET}/k?tagging").code, "MalformedXML")
        for value, code in (
            ("a=1&a=2", "InvalidArgument"),
            ("=1", "InvalidArgument"),
            ("k=%7B", "InvalidTag"),
            ("&".join(f"k{number}" for number in range(11)), "BadRequest"),
        ):
            for method, target in (("PUT", "k"), ("POST", "k?uploads")):
                answer = send(server, method, f"/{BUCKET}/{target}", b"", {"x-amz-tagging": value})
                self.assertEqual((answer.status, answer.code), (400, code), value)
        self.assertEqual((tags_at(client), self.body(client, "k")), ({"kept": "1"}, b"bytes"))
        self.assertNotIn("Uploads", client.list_multipart_uploads(Bucket=BUCKET))
        absent = {"Bucket": BUCKET, "Key": "absent"}
        self.refused("NoSuchKey", 404, client.get_object_tagging, **absent)
        self.refused("NoSuchKey", 404, client.put_object_tagging, **absent, Tagging=tag_set(a="b"))
        self.refused("NoSuchKey", 404, client.delete_object_tagging, **absent)
        self.refused("InvalidArgument", 400, client.get_object_tagging, **AT, VersionId="abc")
        self.refused("AccessDenied", 403, server.client(BOB).get_object_tagging, **AT)
        self.refused(
            "BadDigest", 400, client.put_object_tagging, **AT, Tagging=tag_set(a="b"), ContentMD5="A" * 22 + "=="
        )

    @served()
    def test_races(self, server: Server) -> None:
        """Tags set while the object is replaced again and again never bring back anything of an older one."""
        client = self.prepared(server)
        clients = [server.client() for _ in range(8)]

        def put(number: int) -> None:
            text = str(number)
            clients[number % 8].put_object(**AT, Body=text.encode(), Metadata={"n": text}, Tagging=f"put={text}")

        def tag(number: int) -> None:
            if number % 3:
                clients[number % 8].put_object_tagging(**AT, Tagging=tag_set(late=str(number)))
            else:
                clients[number % 8].delete_object_tagging(**AT)

        for _ in range(3):
            with ThreadPoolExecutor(8) as pool:
                for done in [pool.submit(put if number % 2 else tag, number) for number in range(48)]:
                    done.result()
            got = client.get_object(**AT)
            body = got["Body"].read().decode()
            self.assertEqual(got["Metadata"], {"n": body})
            self.assertEqual(got["ContentLength"], len(body))
            tags = tags_at(client)
            self.assertTrue(tags == {"put": body} or set(tags) <= {"late"}, (tags, body))


class TaggingOverTLS(Tagging):
    """The same over HTTPS."""

    tls = True


class TaggingFiles(Tagging):
    """The same over files."""

    def make_store(self) -> IObjectStore:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return FilesystemStore(folder.name, reactor, durable=False, threads=4)
