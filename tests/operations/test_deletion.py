"""DeleteObject and DeleteObjects."""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import md5, sha256
from typing import Any

from tests.operations.clients import BUCKET, OperationTestCase, send, served
from tests.serving import BOB, Server
from twisted_s3 import model
from twisted_s3.storage.memory import MemoryStore


class FailingStore(MemoryStore):
    """A store with a bug."""

    async def delete_object(self, bucket: str, key: str, *args: Any, **named: Any) -> model.Deletion:
        """Fail for one key."""
        if key == "broken":
            raise ZeroDivisionError
        return await super().delete_object(bucket, key, *args, **named)


class Deletion(OperationTestCase):
    """Objects removed one by one and by the thousand."""

    def make_store(self) -> FailingStore:
        """A store that fails where a test asks it to."""
        from twisted.internet import reactor

        return FailingStore(reactor)

    @served()
    def test_match_needs_reading(self, server: Server) -> None:
        """Who may delete but not read can not find out ETags; any object will do for who asks for none."""
        client, bob = server.client(), server.client(BOB)
        client.create_bucket(Bucket=BUCKET)

        def allow(*actions: str) -> None:
            statement: dict[str, Any] = {
                "Effect": "Allow",
                "Principal": {"AWS": BOB.canonical_id},
                "Action": list(actions),
            }
            statement["Resource"] = f"arn:aws:s3:::{BUCKET}/*"
            client.put_bucket_policy(
                Bucket=BUCKET, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
            )

        allow("s3:DeleteObject")
        etag = client.put_object(Bucket=BUCKET, Key="k", Body=b"1")["ETag"]
        for guess in (etag, '"guess"'):
            self.refused("AccessDenied", 403, bob.delete_object, Bucket=BUCKET, Key="k", IfMatch=guess)
            entry = {"Key": "k", "ETag": guess}
            (failure,) = bob.delete_objects(Bucket=BUCKET, Delete={"Objects": [entry]})["Errors"]
            self.assertEqual(failure["Code"], "AccessDenied")
        self.assertEqual(self.body(client, "k"), b"1")
        bob.delete_object(Bucket=BUCKET, Key="k", IfMatch="*")
        allow("s3:DeleteObject", "s3:GetObject")
        client.put_object(Bucket=BUCKET, Key="k", Body=b"1")
        self.refused("PreconditionFailed", 412, bob.delete_object, Bucket=BUCKET, Key="k", IfMatch='"guess"')
        bob.delete_object(Bucket=BUCKET, Key="k", IfMatch=etag)
        self.assertNotIn("Contents", client.list_objects_v2(Bucket=BUCKET))

    @served()
    def test_one(self, server: Server) -> None:
        """A missing key is no error; a version that is not there is one, and nothing goes."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        client.put_object(Bucket=BUCKET, Key="k", Body=b"1")
        self.refused("InvalidArgument", 400, client.delete_object, Bucket=BUCKET, Key="k", VersionId="abc")
        self.refused("AccessDenied", 403, server.client(BOB).delete_object, Bucket=BUCKET, Key="k")
        self.assertEqual(self.body(client, "k"), b"1")
        for version in ({"VersionId": "null"}, {}):
            answer = client.delete_object(Bucket=BUCKET, Key="k", **version)
            self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], 204)
            self.assertNotIn("DeleteMarker", answer)
        self.refused("NoSuchKey", 404, client.get_object, Bucket=BUCKET, Key="k")
        self.refused("NoSuchBucket", 404, client.delete_object, Bucket="absent", Key="k")

    @served()
    def test_many(self, server: Server) -> None:
        """1,000 keys at once, told or quiet; odd keys; a failure is that key's alone."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        odd = ["a/b", "a//", "../x", "ü & <b>", " space ", "tab\tand\nnewline"]
        for key in odd:
            client.put_object(Bucket=BUCKET, Key=key, Body=b"")
        keys = [*odd, *(f"{number:04}" for number in range(1000 - len(odd)))]
        objects = [{"Key": key} for key in keys]
        result = client.delete_objects(Bucket=BUCKET, Delete={"Objects": objects})
        self.assertEqual([entry["Key"] for entry in result["Deleted"]], keys)
        self.assertNotIn("Errors", result)
        self.assertNotIn("Contents", client.list_objects_v2(Bucket=BUCKET))
        client.put_object(Bucket=BUCKET, Key="q", Body=b"")
        entries = [
            {"Key": "q"},
            {"Key": "k" * 1025},
            {"Key": "v", "VersionId": "abc"},
            {"Key": "n", "VersionId": "null"},
        ]
        result = client.delete_objects(Bucket=BUCKET, Delete={"Quiet": True, "Objects": entries})
        self.assertNotIn("Deleted", result)
        self.assertEqual([entry["Code"] for entry in result["Errors"]], ["KeyTooLongError", "InvalidArgument"])
        self.assertNotIn("Contents", client.list_objects_v2(Bucket=BUCKET))

    @served()
    def test_failure(self, server: Server) -> None:
        """A bug in the deletion of one key hides none of the other outcomes."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        objects = [{"Key": key} for key in ("a", "broken", "b")]
        result = client.delete_objects(Bucket=BUCKET, Delete={"Objects": objects})
        self.assertEqual([entry["Key"] for entry in result["Deleted"]], ["a", "b"])
        self.assertEqual([entry["Code"] for entry in result["Errors"]], ["InternalError"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    @served()
    def test_many_refused(self, server: Server) -> None:
        """Without a digest, with a wrong one, too many, none, or no document: nothing goes."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        client.put_object(Bucket=BUCKET, Key="k", Body=b"1")
        body = b"<Delete><Object><Key>k</Key></Object></Delete>"
        right = b64encode(md5(body).digest()).decode()
        target = f"/{BUCKET}?delete"

        def code(body: bytes, **headers: str) -> tuple[int, str]:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            answer = send(server, "POST", target, body, named)
            return answer.status, answer.code

        self.assertEqual(code(body), (400, "InvalidRequest"))
        self.assertEqual(code(body, x_amz_sdk_checksum_algorithm="CRC32"), (400, "InvalidRequest"))
        self.assertEqual(code(body, Content_MD5=b64encode(bytes(16)).decode()), (400, "BadDigest"))
        self.assertEqual(code(body, Content_MD5="x"), (400, "InvalidDigest"))
        self.assertEqual(code(body, x_amz_checksum_sha256=b64encode(bytes(32)).decode()), (400, "BadDigest"))
        for malformed in (b"", b"<Delete/>", b"<Delete>", body.replace(b"Key", b"Kee")):
            digest = b64encode(md5(malformed).digest()).decode()
            self.assertEqual(code(malformed, Content_MD5=digest), (400, "MalformedXML"), malformed)
        many = {"Objects": [{"Key": "k"}] * 1001}
        self.refused("MalformedXML", 400, client.delete_objects, Bucket=BUCKET, Delete=many)
        self.assertEqual(self.body(client, "k"), b"1")
        self.assertEqual(code(body, Content_MD5=right), (200, ""))
        self.assertEqual(code(body, x_amz_checksum_sha256=b64encode(sha256(body).digest()).decode()), (200, ""))
        self.refused("NoSuchKey", 404, client.get_object, Bucket=BUCKET, Key="k")


class DeletionOverTLS(Deletion):
    """The same over HTTPS."""

    tls = True
