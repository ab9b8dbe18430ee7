"""Checksums: sent in header or trailer, verified, stored, given back."""

from __future__ import annotations

from typing import Any

from tests.operations.clients import BUCKET, OperationTestCase, send, served
from tests.serving import Server
from twisted_s3.operations.call import ObjectLimits
from twisted_s3.protocol import checksums

BODY = b"The quick brown fox jumps over the lazy dog"
PARTS = (b"a" * 10, b"b" * 20)


def checksum(algorithm: str, data: bytes = BODY) -> str:
    """The checksum of some bytes."""
    total = checksums.new(algorithm)
    total.update(data)
    return total.value()


class Checksums(OperationTestCase):
    """All algorithms: boto3 sends them in headers over HTTP, in trailers over HTTPS."""

    @served()
    def test_algorithms(self, server: Server) -> None:
        """Computed by boto3, or given as a value; returned when asked for, and listed."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        for algorithm in checksums.ALGORITHMS:
            member, value = f"Checksum{algorithm}", checksum(algorithm)
            ways = [computed_by_client(algorithm, BODY), {member: value}]
            for said in ways:
                put = client.put_object(Bucket=BUCKET, Key=algorithm, Body=BODY, **said)
                self.assertEqual((put[member], put["ChecksumType"]), (value, "FULL_OBJECT"), said)
                read = {"Bucket": BUCKET, "Key": algorithm}
                for got in (client.get_object(**read), client.head_object(**read, ChecksumMode="ENABLED")):
                    self.assertEqual((got[member], got["ChecksumType"]), (value, "FULL_OBJECT"), said)
                self.assertNotIn(member, client.head_object(**read))
                self.assertNotIn(member, client.get_object(**read, Range="bytes=0-1"))
                self.assertEqual(client.get_object(**read, PartNumber=1)[member], value)
            listed = client.list_objects_v2(Bucket=BUCKET, Prefix=algorithm, MaxKeys=1)["Contents"]
            self.assertEqual(listed[0]["ChecksumAlgorithm"], [algorithm])
            copied = client.copy_object(Bucket=BUCKET, Key="copy", CopySource=f"{BUCKET}/{algorithm}")
            self.assertEqual(copied["CopyObjectResult"][member], value)

    @served()
    def test_default(self, server: Server) -> None:
        """CRC64NVME where the client sends none."""
        client = server.client(request_checksum_calculation="when_required")
        client.create_bucket(Bucket=BUCKET)
        put = client.put_object(Bucket=BUCKET, Key="k", Body=BODY)
        self.assertEqual(put["ChecksumCRC64NVME"], checksum("CRC64NVME"))
        head = client.head_object(Bucket=BUCKET, Key="k", ChecksumMode="ENABLED")
        self.assertEqual(head["ChecksumCRC64NVME"], checksum("CRC64NVME"))

    @served()
    def test_refused(self, server: Server) -> None:
        """A mismatch is BadDigest, what is no checksum InvalidRequest; the object stays."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        client.put_object(Bucket=BUCKET, Key="k", Body=b"old")
        for algorithm in checksums.ALGORITHMS:
            wrong = {f"Checksum{algorithm}": checksum(algorithm, b"other")}
            self.refused("BadDigest", 400, client.put_object, Bucket=BUCKET, Key="k", Body=BODY, **wrong)
            for value in ("AAAA", "not base64!", ""):
                header = {f"x-amz-checksum-{algorithm.lower()}": value}
                answer = send(server, "PUT", f"/{BUCKET}/k", BODY, header)
                self.assertEqual((answer.status, answer.code), (400, "InvalidRequest"), (algorithm, value))
        for headers in (
            {"x-amz-checksum-crc32": checksum("CRC32"), "x-amz-checksum-sha1": checksum("SHA1")},
            {"x-amz-checksum-adler": "AAAA"},
            {"x-amz-trailer": "x-amz-checksum-crc32"},
            {"x-amz-sdk-checksum-algorithm": "ADLER"},
        ):
            answer = send(server, "PUT", f"/{BUCKET}/k", BODY, headers)
            self.assertEqual((answer.status, answer.code), (400, "InvalidRequest"), headers)
        for value, code in ((checksum("CRC32", b"other"), "BadDigest"), ("AAAA", "InvalidRequest")):
            self.assertEqual(send_trailer(server, value), (400, code))
        self.assertEqual(self.body(client, "k"), b"old")
        self.assertEqual(send_trailer(server, checksum("CRC32")), (200, ""))
        self.assertEqual(self.body(client, "k"), BODY)

    @served(object_limits=ObjectLimits(part=10))
    def test_parts(self, server: Server) -> None:
        """Each part is verified, its checksum kept and held against what Complete claims, and the object's too."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        whole = b"".join(PARTS)
        for algorithm in checksums.ALGORITHMS:
            member = f"Checksum{algorithm}"
            kind = "FULL_OBJECT" if algorithm == "CRC64NVME" else "COMPOSITE"
            values = [checksum(algorithm, part) for part in PARTS]
            expected = checksums.composite(algorithm, values) if kind == "COMPOSITE" else checksum(algorithm, whole)
            place = {"Bucket": BUCKET, "Key": algorithm}
            made = client.create_multipart_upload(**place, ChecksumAlgorithm=algorithm)
            self.assertEqual((made["ChecksumAlgorithm"], made["ChecksumType"]), (algorithm, kind))
            place["UploadId"] = made["UploadId"]
            claims = []
            for number, part in enumerate(PARTS, 1):
                sent = client.upload_part(**place, PartNumber=number, Body=part, **computed_by_client(algorithm, part))
                self.assertEqual(sent[member], values[number - 1])
                claims.append({"PartNumber": number, "ETag": sent["ETag"], member: sent[member]})
            put = {**place, "PartNumber": 1, "Body": PARTS[0]}
            self.refused("BadDigest", 400, client.upload_part, **put, **{member: values[1]})
            other = "SHA1" if algorithm != "SHA1" else "CRC32"
            self.refused("InvalidRequest", 400, client.upload_part, **put, ChecksumAlgorithm=other)
            listed = client.list_parts(**place)["Parts"]
            self.assertEqual([part[member] for part in listed], values)
            complete = {**place, "MultipartUpload": {"Parts": claims}}
            swapped = {"Parts": [{**claims[0], member: values[1]}, claims[1]]}
            call = client.complete_multipart_upload
            if kind == "COMPOSITE":
                bare = {"Parts": [claims[0], {"PartNumber": 2, "ETag": claims[1]["ETag"]}]}
                missing = self.refused("InvalidRequest", 400, call, **{**complete, "MultipartUpload": bare})
                self.assertIn("missing for part 2", missing["Error"]["Message"])
            wrong_kind = "COMPOSITE" if kind == "FULL_OBJECT" else "FULL_OBJECT"
            self.refused("InvalidRequest", 400, call, **complete, ChecksumType=wrong_kind)
            self.refused("InvalidPart", 400, call, **{**complete, "MultipartUpload": swapped})
            self.refused("BadDigest", 400, call, **complete, **{member: values[0]})
            self.refused("InvalidRequest", 400, call, **complete, **{f"Checksum{other}": checksum(other)})
            self.refused("404", 404, client.head_object, Bucket=BUCKET, Key=algorithm)
            done = call(**complete, **{member: expected}, ChecksumType=kind, MpuObjectSize=len(whole))
            self.assertEqual((done[member], done["ChecksumType"]), (expected, kind))
            head = client.head_object(Bucket=BUCKET, Key=algorithm, ChecksumMode="ENABLED")
            self.assertEqual((head[member], head["ChecksumType"]), (expected, kind))
            self.assertEqual(self.body(client, algorithm), whole)
            read = {"Bucket": BUCKET, "Key": algorithm, "PartNumber": 2, "ChecksumMode": "ENABLED"}
            second = client.head_object(**read)
            self.assertEqual((second[member], second["ChecksumType"]), (values[1], kind))
            entry = client.list_objects_v2(Bucket=BUCKET, Prefix=algorithm, MaxKeys=1)["Contents"][0]
            self.assertEqual((entry["ChecksumAlgorithm"], entry["ChecksumType"]), ([algorithm], kind))
            copied = client.copy_object(Bucket=BUCKET, Key="copy", CopySource=f"{BUCKET}/{algorithm}")
            result = copied["CopyObjectResult"]
            self.assertEqual((result[member], result["ChecksumType"]), (checksum(algorithm, whole), "FULL_OBJECT"))

    @served(object_limits=ObjectLimits(part=10))
    def test_bare_parts(self, server: Server) -> None:
        """Parts that come without a checksum get that of their upload."""
        client = server.client(request_checksum_calculation="when_required")
        client.create_bucket(Bucket=BUCKET)
        place = {"Bucket": BUCKET, "Key": "k"}
        sums = {"ChecksumAlgorithm": "CRC32C", "ChecksumType": "FULL_OBJECT"}
        place["UploadId"] = client.create_multipart_upload(**place, **sums)["UploadId"]
        client.put_object(Bucket=BUCKET, Key="source", Body=PARTS[1])
        first = client.upload_part(**place, PartNumber=1, Body=PARTS[0])
        copy = {**place, "PartNumber": 2, "CopySource": f"{BUCKET}/source"}
        second = client.upload_part_copy(**copy)["CopyPartResult"]
        self.assertEqual(second["ChecksumCRC32C"], checksum("CRC32C", PARTS[1]))
        parts = [{"PartNumber": number, "ETag": part["ETag"]} for number, part in ((1, first), (2, second))]
        done = client.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
        self.assertEqual(done["ChecksumCRC32C"], checksum("CRC32C", b"".join(PARTS)))


def computed_by_client(algorithm: str, data: bytes) -> dict[str, Any]:
    """What makes boto3 send a checksum: the one that it does not compute itself is given to it."""
    return {"ChecksumMD5": checksum("MD5", data)} if algorithm == "MD5" else {"ChecksumAlgorithm": algorithm}


def send_trailer(server: Server, value: str) -> tuple[int, str]:
    """Put ``BODY`` with a CRC32 in the trailer; give status and code."""
    body = b"%x\r\n%b\r\n0\r\nx-amz-checksum-crc32:%b\r\n\r\n" % (len(BODY), BODY, value.encode())
    headers = {
        "Content-Encoding": "aws-chunked",
        "x-amz-decoded-content-length": str(len(BODY)),
        "x-amz-trailer": "x-amz-checksum-crc32",
    }
    answer = send(server, "PUT", f"/{BUCKET}/k", body, headers, payload="STREAMING-UNSIGNED-PAYLOAD-TRAILER")
    return answer.status, answer.code


class ChecksumsOverTLS(Checksums):
    """The same over HTTPS."""

    tls = True
