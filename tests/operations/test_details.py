"""The finer points of reading, and conditions on deletions that only some clients know."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.operations.clients import BUCKET, OperationTestCase, Response, send, served
from tests.serving import Server
from twisted_s3.operations.call import ObjectLimits

AT = {"Bucket": BUCKET, "Key": "k"}
TEN = b"0123456789"
#: Headers that no two answers share.
OWN = ("date", "x-amz-request-id", "x-amz-id-2")


class Details(OperationTestCase):
    """GetObject, HeadObject, DeleteObject, DeleteObjects."""

    def prepared(self, server: Server) -> Any:
        """A client, and an object with all that an object can have."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        client.put_object(**AT, Body=TEN, ContentLanguage="de-CH", Metadata={"a": "b"}, Tagging="t=1&u=2")
        return client

    def both(self, server: Server, target: str, headers: dict[str, str] | None = None) -> Response:
        """GET; HEAD must answer the same without the body."""
        got = send(server, "GET", target, b"", headers)
        head = send(server, "HEAD", target, b"", headers)
        named = [{name: value for name, value in answer.headers.items() if name not in OWN} for answer in (got, head)]
        if got.status >= 400:
            for answer in named:
                answer.pop("content-length", None)
        self.assertEqual((head.status, head.body, named[1]), (got.status, b"", named[0]), (target, headers))
        return got

    @served()
    def test_head_as_get(self, server: Server) -> None:
        """HEAD has every header that GET has, whatever is asked."""
        client = self.prepared(server)
        etag = client.head_object(**AT)["ETag"]
        place = f"/{BUCKET}/k"
        enabled = {"x-amz-checksum-mode": "ENABLED"}
        for target, headers, status, seen in (
            (place, {}, 200, {"content-language": "de-CH", "x-amz-meta-a": "b", "x-amz-tagging-count": "2"}),
            (place, enabled, 200, {"x-amz-checksum-type": "FULL_OBJECT"}),
            (place, {"Range": "bytes=2-3"}, 206, {"content-range": "bytes 2-3/10", "content-length": "2"}),
            (place, {"Range": "bytes=-3"}, 206, {"content-range": "bytes 7-9/10"}),
            (f"{place}?partNumber=1", enabled, 206, {"content-range": "bytes 0-9/10"}),
            (f"{place}?response-content-type=x/y&response-expires=never", {}, 200, {"content-type": "x/y"}),
            (f"{place}?versionId=null", {}, 200, {"etag": etag}),
            (place, {"If-None-Match": etag}, 304, {"etag": etag}),
            (place, {"If-Match": "x"}, 412, {}),
            (place, {"Range": "bytes=10-"}, 416, {}),
            (f"{place}?partNumber=2", {}, 416, {}),
            (f"{place}?partNumber=0", {}, 400, {}),
            (f"/{BUCKET}/absent", {}, 404, {}),
        ):
            answer = self.both(server, target, headers)
            self.assertEqual(answer.status, status, (target, headers))
            self.assertEqual({name: answer.headers[name] for name in seen}, seen)
        self.assertNotIn("x-amz-missing-meta", answer.headers)

    @served()
    def test_several_ranges(self, server: Server) -> None:
        """More than one range, and what is none, is ignored: the whole object, 200."""
        self.prepared(server)
        for header in ("bytes=0-1,4-5", "bytes=0-0, -1", "bytes=5-2", "items=0-1", "bytes=x-y"):
            answer = self.both(server, f"/{BUCKET}/k", {"Range": header})
            self.assertEqual((answer.status, answer.body, answer.headers["content-length"]), (200, TEN, "10"), header)
            self.assertNotIn("content-range", answer.headers)

    @served()
    def test_if_range(self, server: Server) -> None:
        """The range counts while the object is the one that the client knows."""
        client = self.prepared(server)
        head = client.head_object(**AT)
        modified = head["ResponseMetadata"]["HTTPHeaders"]["last-modified"]
        for validator, status in (
            (head["ETag"], 206),
            (modified, 206),
            ('"other"', 200),
            (f"W/{head['ETag']}", 200),
            ("Thu, 01 Jan 1970 00:00:00 GMT", 200),
        ):
            answer = self.both(server, f"/{BUCKET}/k", {"Range": "bytes=0-1", "If-Range": validator})
            self.assertEqual((answer.status, answer.body), (status, TEN[:2] if status == 206 else TEN), validator)

    @served()
    def test_expires(self, server: Server) -> None:
        """Kept as it was sent, also where it is no date."""
        client = self.prepared(server)
        for sent in ("Wed, 02 Jan 2030 03:04:05 GMT", "0", "-1", "soon"):
            send(server, "PUT", f"/{BUCKET}/k", TEN, {"Expires": sent})
            self.assertEqual(self.both(server, f"/{BUCKET}/k").headers["expires"], sent)
            client.copy_object(Bucket=BUCKET, Key="copy", CopySource=f"{BUCKET}/k")
            self.assertEqual(self.both(server, f"/{BUCKET}/copy").headers["expires"], sent)

    @served(object_limits=ObjectLimits(part=1))
    def test_parts(self, server: Server) -> None:
        """Each part alone, with the number of parts; beyond the last 416."""
        client = self.prepared(server)
        place = {**AT, "UploadId": client.create_multipart_upload(**AT, ChecksumAlgorithm="SHA1")["UploadId"]}
        parts = []
        for number in (1, 2, 3):
            sent = client.upload_part(**place, PartNumber=number, Body=TEN[:number], ChecksumAlgorithm="SHA1")
            parts.append({"PartNumber": number, "ETag": sent["ETag"], "ChecksumSHA1": sent["ChecksumSHA1"]})
        client.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
        for number in (1, 2, 3):
            answer = self.both(server, f"/{BUCKET}/k?partNumber={number}", {"x-amz-checksum-mode": "ENABLED"})
            self.assertEqual((answer.status, answer.body), (206, TEN[:number]))
            found = [
                answer.headers[name] for name in ("x-amz-mp-parts-count", "x-amz-checksum-type", "x-amz-checksum-sha1")
            ]
            self.assertEqual(found, ["3", "COMPOSITE", parts[number - 1]["ChecksumSHA1"]])
        beyond = self.both(server, f"/{BUCKET}/k?partNumber=4")
        self.assertEqual((beyond.status, beyond.code), (416, "InvalidPartNumber"))

    @served()
    def test_deletion_by_size_and_time(self, server: Server) -> None:
        """``x-amz-if-match-size`` and ``-last-modified-time``, alone, together, and per key."""
        client = self.prepared(server)
        modified = client.head_object(**AT)["LastModified"]
        wrong = modified - timedelta(hours=1)
        for said in (
            {"IfMatchSize": 9},
            {"IfMatchLastModifiedTime": wrong},
            {"IfMatchSize": 10, "IfMatchLastModifiedTime": wrong},
            {"IfMatchSize": 10, "IfMatch": "x"},
        ):
            self.refused("PreconditionFailed", 412, client.delete_object, **AT, **said)
        for name, value in (("x-amz-if-match-size", "ten"), ("x-amz-if-match-last-modified-time", "soon")):
            answer = send(server, "DELETE", f"/{BUCKET}/k", b"", {name: value})
            self.assertEqual((answer.status, answer.code), (400, "InvalidArgument"))
        entries = [{"Key": "k", "Size": 9}, {"Key": "k", "LastModifiedTime": wrong}, {"Key": "absent", "Size": 1}]
        result = client.delete_objects(Bucket=BUCKET, Delete={"Objects": entries})
        self.assertEqual([error["Code"] for error in result["Errors"]], ["PreconditionFailed"] * 2)
        self.assertEqual(self.body(client, "k"), TEN)
        client.delete_object(**AT, IfMatchSize=10, IfMatchLastModifiedTime=modified)
        self.refused("404", 404, client.head_object, **AT)
        client.put_object(**AT, Body=TEN)
        entry = {"Key": "k", "Size": 10, "LastModifiedTime": client.head_object(**AT)["LastModified"]}
        result = client.delete_objects(Bucket=BUCKET, Delete={"Objects": [entry]})
        self.assertEqual([deleted["Key"] for deleted in result["Deleted"]], ["k"])


class DetailsOverTLS(Details):
    """The same over HTTPS."""

    tls = True
