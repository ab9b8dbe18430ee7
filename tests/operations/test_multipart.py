"""Multipart uploads."""

from __future__ import annotations

from hashlib import md5
from tempfile import TemporaryDirectory
from typing import Any

from twisted.internet import reactor

from tests.operations.clients import BUCKET, OperationTestCase, send, served
from tests.serving import ALICE, BOB, Server
from tests.storage.filesystem.disks import ObservedDisk
from twisted_s3.interfaces import IObjectStore
from twisted_s3.operations.call import ObjectLimits
from twisted_s3.storage.filesystem.store import FilesystemStore

#: So small that parts need not be 5 MiB.
SMALL = ObjectLimits(put=100, object=250, part=10)

DOCUMENT = '<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{}</CompleteMultipartUpload>'
PART = "<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>"


def etag_of(*parts: bytes) -> str:
    """The ETag of an object made of parts."""
    return f'"{md5(b"".join(md5(part).digest() for part in parts)).hexdigest()}-{len(parts)}"'


class Multipart(OperationTestCase):
    """Objects that come in parts."""

    def begun(self, server: Server, key: str = "k", **said: Any) -> tuple[Any, dict[str, str]]:
        """A client, and the place of a new upload."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        made = client.create_multipart_upload(Bucket=BUCKET, Key=key, **said)
        return client, {"Bucket": BUCKET, "Key": key, "UploadId": made["UploadId"]}

    def sent(self, client: Any, place: dict[str, str], *bodies: bytes, **said: Any) -> list[dict[str, Any]]:
        """Upload parts from number 1 on; give what Complete needs."""
        return [
            {"PartNumber": number, "ETag": client.upload_part(**place, PartNumber=number, Body=body, **said)["ETag"]}
            for number, body in enumerate(bodies, 1)
        ]

    @served(object_limits=SMALL)
    def test_life(self, server: Server) -> None:
        """Create, parts (one of them twice), Complete (twice), reads by part."""
        said = {"ContentType": "text/plain", "Metadata": {"a": "b"}, "StorageClass": "STANDARD_IA"}
        client, place = self.begun(server, "a b/ü", **said)
        self.refused("NoSuchKey", 404, client.get_object, Bucket=BUCKET, Key=place["Key"])
        bodies = [b"a" * 10, b"b" * 20, b"c"]
        self.sent(client, place, b"wrong" * 3)
        parts = self.sent(client, place, *bodies)
        self.assertEqual(parts[0]["ETag"], f'"{md5(bodies[0]).hexdigest()}"')
        self.assertNotIn("Contents", client.list_objects_v2(Bucket=BUCKET))
        self.refused("NoSuchKey", 404, client.get_object, Bucket=BUCKET, Key=place["Key"])
        done = client.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
        expected = (BUCKET, place["Key"], etag_of(*bodies), f"{server.url}/bucket/a%20b/%C3%BC")
        self.assertEqual((done["Bucket"], done["Key"], done["ETag"], done["Location"]), expected)
        again = client.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
        self.assertEqual(again["ETag"], done["ETag"])
        got = client.get_object(Bucket=BUCKET, Key=place["Key"])
        self.assertEqual((got["Body"].read(), got["ETag"]), (b"".join(bodies), done["ETag"]))
        self.assertEqual({name: got[name] for name in said}, said)
        for number, body in enumerate(bodies, 1):
            read = {"Bucket": BUCKET, "Key": place["Key"], "PartNumber": number}
            part = client.get_object(**read)
            self.assertEqual((part["Body"].read(), part["PartsCount"], part["ETag"]), (body, 3, done["ETag"]))
            head = client.head_object(**read)
            self.assertEqual((head["ContentLength"], head["PartsCount"]), (len(body), 3))
            self.assertEqual(head["ResponseMetadata"]["HTTPStatusCode"], 206)
        for number, code, status in ((4, "InvalidPartNumber", 416), (0, "InvalidArgument", 400)):
            self.refused(code, status, client.get_object, Bucket=BUCKET, Key=place["Key"], PartNumber=number)
        client.delete_object(Bucket=BUCKET, Key=place["Key"])
        self.refused("NoSuchUpload", 404, client.complete_multipart_upload, **place, MultipartUpload={"Parts": parts})
        for call in (client.list_parts, client.abort_multipart_upload):
            self.refused("NoSuchUpload", 404, call, **place)

    @served(object_limits=SMALL)
    def test_complete_refused(self, server: Server) -> None:
        """Each refusal has its code; the upload is as before and no object appears."""
        client, place = self.begun(server)
        one, two, three, four = self.sent(client, place, b"a" * 100, b"b" * 9, b"c" * 100, b"d" * 100)

        def refused(code: str, *parts: dict[str, Any], **said: Any) -> dict[str, Any]:
            chosen = {"Parts": list(parts)}
            return self.refused(code, 400, client.complete_multipart_upload, **place, MultipartUpload=chosen, **said)

        refused("InvalidPartOrder", three, one)
        refused("InvalidPartOrder", one, one)
        refused("InvalidPart", one, {**two, "ETag": one["ETag"]})
        refused("InvalidPart", one, {**two, "PartNumber": 5})
        refused("MalformedXML")
        small = refused("EntityTooSmall", one, two, three)["Error"]
        self.assertEqual((small["ProposedSize"], small["MinSizeAllowed"], small["PartNumber"]), ("9", "10", "2"))
        refused("EntityTooLarge", one, three, four)
        refused("InvalidRequest", one, two, MpuObjectSize=108)
        target = f"/{BUCKET}/k?uploadId={place['UploadId']}"
        for body in (b"", b"<x/>", DOCUMENT.format(PART.format("x", "y")).encode()):
            self.assertEqual(send(server, "POST", target, body).code, "MalformedXML", body)
        self.assertEqual(send(server, "POST", target + "&versionId=null", b"").code, "InvalidArgument")
        self.refused("404", 404, client.head_object, Bucket=BUCKET, Key="k")
        self.assertEqual(len(client.list_parts(**place)["Parts"]), 4)
        quoted = PART.format(1, one["ETag"].replace('"', "&quot;")) + PART.format(2, two["ETag"].strip('"'))
        answer = send(server, "POST", target, DOCUMENT.format(quoted).encode())
        self.assertEqual((answer.status, answer.element("ETag")), (200, etag_of(b"a" * 100, b"b" * 9)))

    @served(object_limits=SMALL)
    def test_parts_refused(self, server: Server) -> None:
        """Numbers, sizes, digests, uploads that are not there; an earlier part stays."""
        client, place = self.begun(server)
        self.sent(client, place, b"kept" * 4)
        put = {**place, "PartNumber": 1, "Body": b"new"}
        for number in (0, 10_001, -1):
            self.refused("InvalidArgument", 400, client.upload_part, **{**put, "PartNumber": number})
        self.refused("EntityTooLarge", 400, client.upload_part, **{**put, "Body": b"x" * 101})
        self.refused("NoSuchUpload", 404, client.upload_part, **{**put, "UploadId": "absent"})
        self.refused("NoSuchUpload", 404, client.upload_part, **{**put, "Key": "other"})
        self.refused("BadDigest", 400, client.upload_part, **put, ContentMD5="AAAAAAAAAAAAAAAAAAAAAA==")
        self.refused("AccessDenied", 403, server.client(BOB).upload_part, **put)
        target = f"/{BUCKET}/k?uploadId={place['UploadId']}"
        for query, code in (("", "InvalidArgument"), ("&partNumber=x", "InvalidArgument")):
            self.assertEqual(send(server, "PUT", target + query, b"new").code, code, query)
        listed = client.list_parts(**place)["Parts"]
        self.assertEqual([(part["PartNumber"], part["Size"]) for part in listed], [(1, 16)])
        self.assertEqual(client.upload_part(**{**put, "PartNumber": 10_000})["ETag"], f'"{md5(b"new").hexdigest()}"')

    @served(object_limits=SMALL)
    def test_create_refused(self, server: Server) -> None:
        """What an object could not have, an upload can not begin with."""
        client, place = self.begun(server)
        create = {"Bucket": BUCKET, "Key": "k"}
        self.refused("NoSuchBucket", 404, client.create_multipart_upload, Bucket="absent", Key="k")
        self.refused("InvalidStorageClass", 400, client.create_multipart_upload, **create, StorageClass="PAPER")
        self.refused("MetadataTooLarge", 400, client.create_multipart_upload, **create, Metadata={"a": "x" * 2048})
        self.refused("InvalidRequest", 400, client.create_multipart_upload, **create, ChecksumAlgorithm="ADLER")
        sums = {"ChecksumAlgorithm": "SHA256", "ChecksumType": "FULL_OBJECT"}
        self.refused("InvalidRequest", 400, client.create_multipart_upload, **create, **sums)
        uploads = client.list_multipart_uploads(Bucket=BUCKET)["Uploads"]
        self.assertEqual([upload["UploadId"] for upload in uploads], [place["UploadId"]])

    @served(object_limits=SMALL)
    def test_listings(self, server: Server) -> None:
        """ListParts and ListMultipartUploads, page by page; Abort."""
        client, place = self.begun(server, ChecksumAlgorithm="CRC32C", StorageClass="STANDARD_IA")
        self.sent(client, place, *(bytes([number]) * 10 for number in range(5)), ChecksumAlgorithm="CRC32C")
        pages = list(client.get_paginator("list_parts").paginate(**place, PaginationConfig={"PageSize": 2}))
        self.assertEqual([[part["PartNumber"] for part in page["Parts"]] for page in pages], [[1, 2], [3, 4], [5]])
        first = pages[0]
        shown = (first["ChecksumAlgorithm"], first["ChecksumType"], first["StorageClass"], first["Owner"]["ID"])
        self.assertEqual(shown, ("CRC32C", "COMPOSITE", "STANDARD_IA", ALICE.canonical_id))
        self.assertIn("ChecksumCRC32C", first["Parts"][0])
        self.assertNotIn("Parts", client.list_parts(**place, PartNumberMarker=5))
        target = f"/{BUCKET}/k?uploadId={place['UploadId']}"
        for query in ("max-parts=x", "part-number-marker=x"):
            self.assertEqual(send(server, "GET", f"{target}&{query}").code, "InvalidArgument", query)
        ids = [place["UploadId"]]
        for key in ("k", "a/1", "a/2", "z"):
            ids.append(client.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"])
        paginator = client.get_paginator("list_multipart_uploads")
        for size in (1, 2, 1000):
            config = {"PageSize": size}
            found = list(paginator.paginate(Bucket=BUCKET, PaginationConfig=config))
            uploads = [upload for page in found for upload in page["Uploads"]]
            self.assertEqual([upload["Key"] for upload in uploads], ["a/1", "a/2", "k", "k", "z"], size)
            self.assertEqual({upload["UploadId"] for upload in uploads}, set(ids), size)
            grouped = list(paginator.paginate(Bucket=BUCKET, Delimiter="/", PaginationConfig=config))
            groups = [group["Prefix"] for page in grouped for group in page.get("CommonPrefixes", ())]
            self.assertEqual(groups, ["a/"], size)
            keys = [upload["Key"] for page in grouped for upload in page.get("Uploads", ())]
            self.assertEqual(keys, ["k", "k", "z"], size)
        self.assertEqual(len(client.list_multipart_uploads(Bucket=BUCKET, Prefix="a/")["Uploads"]), 2)
        self.assertEqual(send(server, "GET", f"/{BUCKET}?uploads&max-uploads=x").code, "InvalidArgument")
        client.abort_multipart_upload(**place)
        self.refused("NoSuchUpload", 404, client.abort_multipart_upload, **place)
        self.refused("NoSuchUpload", 404, client.upload_part, **place, PartNumber=1, Body=b"x")
        self.assertEqual(len(client.list_multipart_uploads(Bucket=BUCKET)["Uploads"]), 4)
        client.delete_bucket(Bucket=BUCKET)

    @served(object_limits=SMALL)
    def test_part_copies(self, server: Server) -> None:
        """UploadPartCopy of the whole and of ranges; its refusals."""
        client, place = self.begun(server)
        source = bytes(range(100))
        made = client.put_object(Bucket=BUCKET, Key="source", Body=source)
        copy = {**place, "CopySource": f"{BUCKET}/source"}
        parts = []
        for number, span in ((1, None), (2, "bytes=10-29"), (3, "bytes=99-99")):
            asked = {} if span is None else {"CopySourceRange": span}
            result = client.upload_part_copy(**copy, PartNumber=number, **asked)["CopyPartResult"]
            parts.append({"PartNumber": number, "ETag": result["ETag"]})
        self.assertEqual(parts[0]["ETag"], made["ETag"])

        def refused(code: str, status: int, **changes: Any) -> None:
            self.refused(code, status, client.upload_part_copy, **{**copy, "PartNumber": 1, **changes})

        for span in ("bytes=0-100", "bytes=5-4", "bytes=-5", "bytes=5-", "5-6", "bytes=0-1,3-4"):
            refused("InvalidArgument", 400, CopySourceRange=span)
        refused("InvalidArgument", 400, PartNumber=0)
        refused("NoSuchKey", 404, CopySource=f"{BUCKET}/absent")
        refused("NoSuchUpload", 404, UploadId="absent")
        refused("PreconditionFailed", 412, CopySourceIfMatch='"other"')
        refused("PreconditionFailed", 412, CopySourceIfNoneMatch=made["ETag"])
        bob = server.client(BOB)
        bob.create_bucket(Bucket="bobs")
        upload = bob.create_multipart_upload(Bucket="bobs", Key="k")["UploadId"]
        theft = {"Bucket": "bobs", "Key": "k", "UploadId": upload, "PartNumber": 1, "CopySource": f"{BUCKET}/source"}
        self.refused("AccessDenied", 403, bob.upload_part_copy, **theft)
        self.assertNotIn("Parts", bob.list_parts(Bucket="bobs", Key="k", UploadId=upload))
        done = client.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
        self.assertEqual(done["ETag"], etag_of(source, source[10:30], source[99:]))
        self.assertEqual(self.body(client, "k"), source + source[10:30] + source[99:])

    @served()
    def test_five_mebibytes(self, server: Server) -> None:
        """The real limit, unless told otherwise."""
        client, place = self.begun(server)
        parts = self.sent(client, place, bytes(5 * 1024 * 1024 - 1), b"last")
        complete = client.complete_multipart_upload
        self.refused("EntityTooSmall", 400, complete, **place, MultipartUpload={"Parts": parts})
        parts = self.sent(client, place, bytes(5 * 1024 * 1024), b"last")
        complete(**place, MultipartUpload={"Parts": parts})
        self.assertEqual(client.head_object(Bucket=BUCKET, Key="k")["ContentLength"], 5 * 1024 * 1024 + 4)


class MultipartOverTLS(Multipart):
    """The same over HTTPS."""

    tls = True


class Records(OperationTestCase):
    """The time that Complete takes goes with the number of parts: each is looked at once."""

    opened = 0

    def make_store(self) -> IObjectStore:
        folder = self.enterContext(TemporaryDirectory())
        return FilesystemStore(
            folder, reactor, durable=False, threads=4, wrap=lambda disk: ObservedDisk(disk, self.watch)
        )

    def watch(self, name: str, args: tuple[Any, ...]) -> None:
        """Count the records of parts that are read."""
        self.opened += name == "open" and b"/parts/" in args[0]

    @served(object_limits=SMALL)
    def test_complete_reads_each_once(self, server: Server) -> None:
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        place = {"Bucket": BUCKET, "Key": "k"}
        place["UploadId"] = client.create_multipart_upload(**place)["UploadId"]
        parts = []
        for number in range(1, 11):
            part = client.upload_part(**place, PartNumber=number, Body=b"%010d" % number)
            parts.append({"PartNumber": number, "ETag": part["ETag"]})
        self.opened = 0
        client.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
        self.assertEqual(self.opened, len(parts))
