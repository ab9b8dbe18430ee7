"""GetObjectAttributes, on objects in one piece and in parts, with checksums of every kind."""

from __future__ import annotations

from typing import Any

from tests.operations.clients import BUCKET, OperationTestCase, send, served
from tests.serving import BOB, Server
from twisted_s3.operations.call import ObjectLimits
from twisted_s3.protocol import checksums

ALL = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
AT = {"Bucket": BUCKET, "Key": "k"}
PARTS = (b"a" * 10, b"b" * 20, b"c" * 30, b"d")
MANY = ObjectLimits(part=1)


def checksum(algorithm: str, data: bytes) -> str:
    """The checksum of some bytes."""
    total = checksums.new(algorithm)
    total.update(data)
    return total.value()


class Attributes(OperationTestCase):
    """What is asked for, and nothing else."""

    def prepared(self, server: Server) -> Any:
        """A client and an object in one piece."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        client.put_object(**AT, Body=b"bytes", ChecksumAlgorithm="SHA256", StorageClass="STANDARD_IA")
        return client

    def uploaded(self, client: Any, **said: str) -> None:
        """An object in parts."""
        place = {**AT, "UploadId": client.create_multipart_upload(**AT, **said)["UploadId"]}
        parts = []
        for number, body in enumerate(PARTS, 1):
            parts.append(
                {"PartNumber": number, "ETag": client.upload_part(**place, PartNumber=number, Body=body)["ETag"]}
            )
        client.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})

    def asked(self, client: Any, *names: str, **said: Any) -> dict[str, Any]:
        """The attributes of the object."""
        found = client.get_object_attributes(**AT, ObjectAttributes=list(names or ALL), **said)
        del found["ResponseMetadata"]
        return dict(found)

    @served()
    def test_one_piece(self, server: Server) -> None:
        """Everything, and each alone."""
        client = self.prepared(server)
        head = client.head_object(**AT)
        expected: dict[str, Any] = {
            "ETag": head["ETag"].strip('"'),
            "Checksum": {"ChecksumSHA256": checksum("SHA256", b"bytes"), "ChecksumType": "FULL_OBJECT"},
            "StorageClass": "STANDARD_IA",
            "ObjectSize": 5,
        }
        self.assertEqual(self.asked(client), {**expected, "LastModified": head["LastModified"]})
        for name in ALL:
            found = self.asked(client, name)
            self.assertEqual(found.pop("LastModified"), head["LastModified"])
            self.assertEqual(found, {name: expected[name]} if name in expected else {})
        client.put_object(**AT, Body=b"")
        self.assertEqual(self.asked(client, "ObjectSize", "StorageClass")["StorageClass"], "STANDARD")

    @served(object_limits=MANY)
    def test_composite(self, server: Server) -> None:
        """A composite checksum without the number of parts; the parts, page by page, each with its checksum."""
        client = self.prepared(server)
        for algorithm in ("CRC32", "CRC32C", "SHA1", "SHA256"):
            calm = server.client(request_checksum_calculation="when_required")
            self.uploaded(calm, ChecksumAlgorithm=algorithm)
            member = f"Checksum{algorithm}"
            values = [checksum(algorithm, part) for part in PARTS]
            composite = checksums.composite(algorithm, values)
            head = client.head_object(**AT, ChecksumMode="ENABLED")
            self.assertEqual((head[member], head["ChecksumType"]), (composite, "COMPOSITE"))
            found = self.asked(client)
            self.assertEqual(found["ETag"], head["ETag"].strip('"'))
            self.assertEqual(found["ObjectSize"], 61)
            shown = {member: composite.removesuffix("-4"), "ChecksumType": "COMPOSITE"}
            self.assertEqual(found["Checksum"], shown)
            parts = [
                {"PartNumber": number, "Size": len(part), member: values[number - 1]}
                for number, part in enumerate(PARTS, 1)
            ]
            whole = found["ObjectParts"]
            self.assertEqual(whole.pop("Parts"), parts)
            paging = {"IsTruncated": False, "MaxParts": 1000, "NextPartNumberMarker": 4, "PartNumberMarker": 0}
            self.assertEqual(whole, {**paging, "TotalPartsCount": 4})
            page = self.asked(client, "ObjectParts", MaxParts=2, PartNumberMarker=1)["ObjectParts"]
            self.assertEqual(page.pop("Parts"), parts[1:3])
            paging = {"IsTruncated": True, "MaxParts": 2, "NextPartNumberMarker": 3, "PartNumberMarker": 1}
            self.assertEqual(page, {**paging, "TotalPartsCount": 4})
            page = self.asked(client, "ObjectParts", MaxParts=2, PartNumberMarker=3)["ObjectParts"]
            self.assertEqual((page["Parts"], page["IsTruncated"]), (parts[3:], False))
            self.assertNotIn("Parts", self.asked(client, "ObjectParts", PartNumberMarker=4)["ObjectParts"])

    @served(object_limits=MANY)
    def test_full_object(self, server: Server) -> None:
        """A checksum of all bytes, made out of those of the parts; of these only the number is shown."""
        client = self.prepared(server)
        calm = server.client(request_checksum_calculation="when_required")
        ways = [{"ChecksumAlgorithm": name, "ChecksumType": "FULL_OBJECT"} for name in ("CRC32", "CRC32C", "CRC64NVME")]
        for said in (*ways, {}):
            self.uploaded(calm, **said)
            algorithm = said.get("ChecksumAlgorithm", "CRC64NVME")
            member, value = f"Checksum{algorithm}", checksum(algorithm, b"".join(PARTS))
            found = self.asked(client)
            self.assertEqual(found["Checksum"], {member: value, "ChecksumType": "FULL_OBJECT"})
            self.assertEqual(found["ObjectParts"], {"TotalPartsCount": 4})
            head = client.head_object(**AT, ChecksumMode="ENABLED")
            self.assertEqual((head[member], head["ChecksumType"]), (value, "FULL_OBJECT"))
            entry = client.list_objects_v2(Bucket=BUCKET)["Contents"][0]
            self.assertEqual((entry["ChecksumAlgorithm"], entry["ChecksumType"]), ([algorithm], "FULL_OBJECT"))

    @served()
    def test_refused(self, server: Server) -> None:
        """Codes and texts; conditions; versions that are not there; rights."""
        client = self.prepared(server)
        for value, code, text in (
            (None, "InvalidRequest", "either missing or empty"),
            ("", "InvalidRequest", "either missing or empty"),
            (" , ", "InvalidRequest", "either missing or empty"),
            ("ETag,Dummy", "InvalidArgument", "Invalid attribute name specified."),
            ("etag", "InvalidArgument", "Invalid attribute name specified."),
        ):
            headers = {} if value is None else {"x-amz-object-attributes": value}
            answer = send(server, "GET", f"/{BUCKET}/k?attributes", b"", headers)
            self.assertEqual((answer.status, answer.code), (400, code), value)
            self.assertIn(text, answer.element("Message"))
        self.assertEqual(answer.element("ArgumentValue"), "etag")
        call = client.get_object_attributes
        self.refused("NoSuchKey", 404, call, Bucket=BUCKET, Key="absent", ObjectAttributes=ALL)
        self.refused("InvalidArgument", 400, call, **AT, VersionId="abc", ObjectAttributes=ALL)
        self.assertEqual(call(**AT, VersionId="null", ObjectAttributes=["ObjectSize"])["ObjectSize"], 5)
        self.refused("AccessDenied", 403, server.client(BOB).get_object_attributes, **AT, ObjectAttributes=ALL)
        wants = {"x-amz-object-attributes": "ETag"}
        for condition, status in (({"If-Match": "x"}, 412), ({"If-None-Match": "*"}, 304), ({"If-Match": "*"}, 200)):
            answer = send(server, "GET", f"/{BUCKET}/k?attributes", b"", {**wants, **condition})
            self.assertEqual(answer.status, status)
        for number in ("x", "-1", "9" * 30):
            ignored = {"x-amz-max-parts": number, "x-amz-part-number-marker": number}
            answer = send(server, "GET", f"/{BUCKET}/k?attributes", b"", {**wants, **ignored})
            self.assertEqual(answer.status, 200)
        self.assertTrue(
            answer.body.startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n<GetObjectAttributesResponse ')
        )


class AttributesOverTLS(Attributes):
    """The same over HTTPS."""

    tls = True
