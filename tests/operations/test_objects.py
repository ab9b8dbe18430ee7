"""PutObject, GetObject, HeadObject."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from hashlib import md5

from tests.operations.clients import BUCKET, OperationTestCase, send, send_plain, served
from tests.serving import Server
from twisted_s3.operations.call import ObjectLimits

TEN = b"0123456789"


class Objects(OperationTestCase):
    """Objects written in one request, and read."""

    @served()
    def test_headers(self, server: Server) -> None:
        """Every standard header and all user metadata come back, from HEAD and GET."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        said = {
            "CacheControl": "max-age=60",
            "ContentDisposition": 'attachment; filename="x.txt"',
            "ContentEncoding": "gzip",
            "ContentLanguage": "de, en",
            "ContentType": "text/plain; charset=utf-8",
            "WebsiteRedirectLocation": "/elsewhere",
            "StorageClass": "STANDARD_IA",
            "Metadata": {"plain": "Value", "empty": "", "odd": "a=?b?=c", "dash-ed": "1"},
        }
        expires = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
        put = client.put_object(Bucket=BUCKET, Key="k", Body=TEN, Expires=expires, **said)
        self.assertEqual(put["ETag"], f'"{md5(TEN).hexdigest()}"')
        self.assertEqual(put["ChecksumType"], "FULL_OBJECT")
        for got in (client.get_object(Bucket=BUCKET, Key="k"), client.head_object(Bucket=BUCKET, Key="k")):
            self.assertEqual({name: got.get(name) for name in said}, said)
            self.assertEqual(got["ExpiresString"], "Wed, 02 Jan 2030 03:04:05 GMT")
            self.assertEqual((got["ETag"], got["ContentLength"], got["AcceptRanges"]), (put["ETag"], 10, "bytes"))
            self.assertLess(abs(got["LastModified"] - datetime.now(UTC)), timedelta(seconds=60))
        self.assertEqual(self.body(client, "k"), TEN)
        client.put_object(Bucket=BUCKET, Key="bare", Body=b"")
        bare = client.head_object(Bucket=BUCKET, Key="bare")
        self.assertEqual((bare["ContentType"], bare["ContentLength"], bare["Metadata"]), ("binary/octet-stream", 0, {}))
        self.assertNotIn("StorageClass", bare)
        self.assertNotIn("ContentEncoding", bare)
        self.assertEqual(self.body(client, "bare"), b"")

    @served()
    def test_unicode_metadata(self, server: Server) -> None:
        """Text beyond ASCII may be sent as UTF-8 or as RFC 2047 words, and comes back as the latter."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        for sent in ("=?UTF-8?B?Z3LDvG4=?=", "=?utf-8?q?gr=C3=BCn?=", "grün"):
            answer = send(server, "PUT", f"/{BUCKET}/k", b"x", {"x-amz-meta-colour": sent})
            self.assertEqual(answer.status, 200, sent)
            self.assertEqual(client.head_object(Bucket=BUCKET, Key="k")["Metadata"], {"colour": "=?utf-8?b?Z3LDvG4=?="})

    @served(object_limits=ObjectLimits(put=20))
    def test_put_refused(self, server: Server) -> None:
        """Each refusal has its code, and leaves what was there."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        client.put_object(Bucket=BUCKET, Key="k", Body=TEN)
        put = {"Bucket": BUCKET, "Key": "k", "Body": b"new"}
        self.refused("MetadataTooLarge", 400, client.put_object, **put, Metadata={"a": "x" * 2048})
        self.refused("InvalidStorageClass", 400, client.put_object, **put, StorageClass="PAPER")
        self.refused("KeyTooLongError", 400, client.put_object, **{**put, "Key": "k" * 1025})
        self.refused("EntityTooLarge", 400, client.put_object, **{**put, "Body": b"x" * 21})
        self.refused("AccessControlListNotSupported", 400, client.put_object, **put, ACL="public-read")
        self.refused("AccessControlListNotSupported", 400, client.put_object, **put, ACL="private")
        wrong = b64encode(md5(b"other").digest()).decode()
        self.refused("BadDigest", 400, client.put_object, **put, ContentMD5=wrong)
        self.refused("InvalidDigest", 400, client.put_object, **put, ContentMD5="nonsense")
        target = f"/{BUCKET}/k"
        self.assertEqual(send(server, "PUT", target + "?versionId=null", b"new").code, "InvalidArgument")
        self.assertEqual(send(server, "PUT", target + "?partNumber=1", b"new").code, "InvalidArgument")
        chunked = {"Transfer-Encoding": "chunked"}
        self.assertEqual(send(server, "PUT", target, b"x" * 21, chunked).code, "EntityTooLarge")
        self.assertEqual(self.body(client, "k"), TEN)
        self.assertEqual(client.list_objects_v2(Bucket=BUCKET)["KeyCount"], 1)
        longest, right = "ü" * 512, b64encode(md5(b"new").digest()).decode()
        client.put_object(Bucket=BUCKET, Key=longest, Body=b"new", ContentMD5=right, Metadata={"a": "x" * 2047})
        self.assertEqual(self.body(client, longest), b"new")
        self.assertEqual(send(server, "PUT", target, b"x" * 20, chunked).status, 200)
        self.assertEqual(self.body(client, "k"), b"x" * 20)

    @served()
    def test_ranges(self, server: Server) -> None:
        """First and last, open, suffix, clamped, beyond; other forms are the whole object."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        etag = client.put_object(Bucket=BUCKET, Key="k", Body=TEN)["ETag"]
        table = {
            "bytes=2-4": (b"234", "2-4"),
            "bytes=7-": (b"789", "7-9"),
            "bytes=-2": (b"89", "8-9"),
            "bytes=8-99": (b"89", "8-9"),
            "bytes=-99": (TEN, "0-9"),
            "bytes=0-0": (b"0", "0-0"),
        }
        for header, (body, span) in table.items():
            got = client.get_object(Bucket=BUCKET, Key="k", Range=header)
            found = got["Body"].read(), got["ContentRange"], got["ContentLength"]
            self.assertEqual(found, (body, f"bytes {span}/10", len(body)), header)
            self.assertEqual(got["ResponseMetadata"]["HTTPStatusCode"], 206)
            head = client.head_object(Bucket=BUCKET, Key="k", Range=header)
            self.assertEqual((head["ContentRange"], head["ContentLength"]), (f"bytes {span}/10", len(body)))
        for header in ("bytes=4-2", "bytes=0-1,3-4", "lines=0-1", "bytes=x-"):
            got = client.get_object(Bucket=BUCKET, Key="k", Range=header)
            self.assertEqual((got["Body"].read(), got["ResponseMetadata"]["HTTPStatusCode"]), (TEN, 200), header)
        beyond = self.refused("InvalidRange", 416, client.get_object, Bucket=BUCKET, Key="k", Range="bytes=10-")
        self.assertEqual(beyond["Error"]["ActualObjectSize"], "10")
        self.assertEqual(beyond["ResponseMetadata"]["HTTPHeaders"]["content-range"], "bytes */10")
        client.put_object(Bucket=BUCKET, Key="empty", Body=b"")
        self.refused("InvalidRange", 416, client.get_object, Bucket=BUCKET, Key="empty", Range="bytes=0-")
        for validator, status in ((etag, 206), ('"other"', 200)):
            answer = send(server, "GET", f"/{BUCKET}/k", b"", {"Range": "bytes=0-1", "If-Range": validator})
            self.assertEqual(answer.status, status, validator)
        client.get_object(Bucket=BUCKET, Key="k", PartNumber=1)["Body"].read()
        self.refused("InvalidPartNumber", 416, client.get_object, Bucket=BUCKET, Key="k", PartNumber=2)
        both = {"Range": "bytes=0-1", "PartNumber": 1}
        self.refused("InvalidRequest", 400, client.get_object, Bucket=BUCKET, Key="k", **both)

    @served()
    def test_conditions(self, server: Server) -> None:
        """If-Match, If-None-Match and the two dates, for GET and HEAD."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        etag = client.put_object(Bucket=BUCKET, Key="k", Body=TEN)["ETag"]
        now = client.head_object(Bucket=BUCKET, Key="k")["LastModified"]
        before = now - timedelta(hours=1)
        for call, failed in ((client.get_object, "PreconditionFailed"), (client.head_object, "412")):
            read = {"Bucket": BUCKET, "Key": "k"}
            call(**read, IfMatch=etag)
            call(**read, IfMatch="*")
            call(**read, IfNoneMatch='"other"')
            call(**read, IfModifiedSince=before)
            call(**read, IfUnmodifiedSince=now)
            call(**read, IfMatch=etag, IfUnmodifiedSince=before)
            call(**read, IfNoneMatch='"other"', IfModifiedSince=now)
            self.refused(failed, 412, call, **read, IfMatch='"other"')
            self.refused(failed, 412, call, **read, IfUnmodifiedSince=before)
            self.refused("304", 304, call, **read, IfModifiedSince=now)
            unmodified = self.refused("304", 304, call, **read, IfNoneMatch=etag)
            self.assertEqual(unmodified["ResponseMetadata"]["HTTPHeaders"]["etag"], etag)

    @served()
    def test_overrides(self, server: Server) -> None:
        """``response-*`` parameters stand in for stored headers, for those who signed."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        client.put_object(Bucket=BUCKET, Key="k", Body=TEN, ContentType="text/plain", CacheControl="no-store")
        wanted = {
            "CacheControl": "max-age=1",
            "ContentDisposition": "inline",
            "ContentEncoding": "br",
            "ContentLanguage": "fr",
            "ContentType": "image/png",
        }
        asked = {f"Response{name}": value for name, value in wanted.items()}
        expires = datetime(2031, 1, 1, tzinfo=UTC)
        for call in (client.get_object, client.head_object):
            got = call(Bucket=BUCKET, Key="k", **asked, ResponseExpires=expires)
            self.assertEqual({name: got[name] for name in wanted}, wanted)
            self.assertIn("2031", got["ExpiresString"])
        evil = send(server, "GET", f"/{BUCKET}/k?response-content-type=a%0d%0ax-evil%3A1")
        self.assertEqual((evil.status, evil.code), (400, "InvalidArgument"))
        self.assertEqual(client.get_object(Bucket=BUCKET, Key="k")["ContentType"], "text/plain")

    @served()
    def test_missing(self, server: Server) -> None:
        """What is not there, and versions that nothing here has."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        client.put_object(Bucket=BUCKET, Key="k", Body=TEN)
        missing = self.refused("NoSuchKey", 404, client.get_object, Bucket=BUCKET, Key="x")
        self.assertEqual(missing["Error"]["Key"], "x")
        self.refused("404", 404, client.head_object, Bucket=BUCKET, Key="x")
        self.refused("NoSuchBucket", 404, client.get_object, Bucket="absent", Key="x")
        self.assertEqual(client.get_object(Bucket=BUCKET, Key="k", VersionId="null")["Body"].read(), TEN)
        self.refused("InvalidArgument", 400, client.get_object, Bucket=BUCKET, Key="k", VersionId="abc")
        self.assertEqual(send(server, "GET", f"/{BUCKET}/k?versionId=").code, "InvalidArgument")

    @served()
    def test_presigned_copy(self, server: Server) -> None:
        """A Version 2 URL carries ``x-amz-copy-source`` in its query: it must copy, not store nothing."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        client.put_object(Bucket=BUCKET, Key="k", Body=TEN)
        client.put_object(Bucket=BUCKET, Key="to", Body=b"old")
        copy = {"Bucket": BUCKET, "Key": "to", "CopySource": f"{BUCKET}/k", "Metadata": {"a": "b"}}
        url = client.generate_presigned_url("copy_object", Params={**copy, "MetadataDirective": "REPLACE"})
        self.assertIn("x-amz-copy-source=", url)
        answer = send_plain(server, "PUT", url.removeprefix(server.url))
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(self.body(client, "to"), TEN)
        self.assertEqual(client.head_object(Bucket=BUCKET, Key="to")["Metadata"], {"a": "b"})
        put = {"Bucket": BUCKET, "Key": "grün", "Metadata": {"colour": "green"}}
        url = client.generate_presigned_url("put_object", Params=put).removeprefix(server.url)
        self.assertEqual(send_plain(server, "PUT", url, b"new").status, 200)
        self.assertEqual(client.head_object(Bucket=BUCKET, Key="grün")["Metadata"], {"colour": "green"})


class ObjectsOverTLS(Objects):
    """The same over HTTPS."""

    tls = True
