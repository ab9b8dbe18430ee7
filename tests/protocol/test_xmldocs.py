"""The XML documents that we send, read by botocore's own parsers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar
from xml.etree import ElementTree

import botocore.session
from botocore.handlers import decode_list_object, decode_list_object_v2, decode_list_object_versions
from botocore.parsers import create_parser
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_s3.errors import S3Error
from twisted_s3.model import COMPOSITE, FULL_OBJECT, Bucket, ListedVersion, ObjectVersion, Part, Properties, Upload
from twisted_s3.protocol.listing import BucketsPage, Page, PartsPage, UploadsPage
from twisted_s3.protocol.versionlisting import VersionsPage
from twisted_s3.protocol.xmldocs import (
    NAMESPACE,
    PROLOG,
    Deleted,
    DeleteFailure,
    Owner,
    complete_multipart_upload_result,
    copy_object_result,
    copy_part_result,
    delete_result,
    element,
    error_document,
    initiate_multipart_upload_result,
    list_buckets_result,
    list_multipart_uploads_result,
    list_objects_result,
    list_objects_v2_result,
    list_parts_result,
    list_versions_result,
    location_constraint,
)

MODEL = botocore.session.get_session().get_service_model("s3")
PARSER = create_parser("rest-xml")
MOMENT = 1_700_000_000.9
SHOWN = datetime.fromtimestamp(1_700_000_000, UTC)
ETAG = "d41d8cd98f00b204e9800998ecf8427e"
ODD_KEYS = ("<&>\"'", " a ", "a\tb\nc\rd", "é\U0001f600", "a+b%20%", "]]>")
CONTROL_KEY = "a\x01\x1f\x7f\ufffe"
OWNER = Owner("f" * 64, "Ann")


def owners(id: str) -> Owner:
    """An owner with a name."""
    return Owner(id or "f" * 64, "Ann")


def version(key: str, **changes: Any) -> ObjectVersion:
    """A version of a key."""
    return ObjectVersion(key, 7, ETAG, MOMENT, **changes)


def parse(operation: str, body: bytes, status: int = 200) -> dict[str, Any]:
    """What botocore makes of a response body."""
    response = {"headers": {}, "status_code": status, "body": body}
    found = PARSER.parse(response, MODEL.operation_model(operation).output_shape)
    found.pop("ResponseMetadata", None)
    return dict(found)


def undeclared(operation: str, body: bytes) -> list[str]:
    """The element names of a document that the service model does not know."""
    shape = MODEL.operation_model(operation).output_shape
    payload = shape.serialization.get("payload")
    shape = shape.members[payload] if payload else shape
    return _undeclared(ElementTree.fromstring(body), shape)


def _undeclared(node: ElementTree.Element, shape: Any) -> list[str]:
    if shape.type_name == "list":
        if shape.serialization.get("flattened"):
            return _undeclared(node, shape.member)
        return [name for child in node for name in _undeclared(child, shape.member)]
    if shape.type_name != "structure":
        return []
    members = {}
    for name, member in shape.members.items():
        flat = member.type_name == "list" and member.serialization.get("flattened")
        listed = member.member.serialization.get("name") if flat else None
        members[member.serialization.get("name") or listed or name] = member
    names = []
    for child in node:
        tag = child.tag.replace("{" + NAMESPACE + "}", "")
        names += _undeclared(child, members[tag]) if tag in members else [tag]
    return names


class DocumentTestCase(SynchronousTestCase):
    maxDiff = None

    def check(self, operation: str, body: bytes, expected: Mapping[str, Any]) -> None:
        self.assertTrue(body.startswith(PROLOG))
        self.assertEqual(parse(operation, body), expected)
        self.assertEqual(undeclared(operation, body), [])


class ErrorTests(SynchronousTestCase):
    def test_error(self) -> None:
        error = S3Error("NoSuchKey", elements={"Key": "a<b"})
        body = error_document(error, "/bucket/a<b", "REQ", "HOST")
        self.assertEqual(
            body,
            b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code>'
            b"<Message>The specified key does not exist.</Message><Key>a&lt;b</Key>"
            b"<Resource>/bucket/a&lt;b</Resource><RequestId>REQ</RequestId><HostId>HOST</HostId></Error>",
        )
        found = parse("GetObject", body, 404)
        self.assertEqual(found["Error"]["Code"], "NoSuchKey")
        self.assertEqual(found["Error"]["Key"], "a<b")


class EscapeTests(SynchronousTestCase):
    @given(st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")))
    def test_round_trip(self, text: str) -> None:
        self.assertEqual(ElementTree.fromstring(element("K", text)).text or "", text)

    def test_white_space_survives(self) -> None:
        self.assertEqual(ElementTree.fromstring(element("K", " \t\r\n ")).text, " \t\r\n ")

    def test_what_xml_can_not_hold(self) -> None:
        self.assertEqual(element("K", "\0\x01\x1f\x7f\ufffe\ud800"), "<K>&#x0;&#x1;&#x1F;&#x7F;&#xFFFE;&#xD800;</K>")

    @given(st.text())
    def test_always_utf8(self, text: str) -> None:
        element("K", text).encode("utf-8")


class BucketTests(DocumentTestCase):
    def test_list_buckets(self) -> None:
        page = BucketsPage((Bucket("aaa", MOMENT, "", "eu-west-1"), Bucket("bbb", MOMENT)), "token")
        self.check(
            "ListBuckets",
            list_buckets_result(page, OWNER, "a"),
            {
                "Owner": {"ID": "f" * 64, "DisplayName": "Ann"},
                "Buckets": [
                    {"Name": "aaa", "CreationDate": SHOWN, "BucketRegion": "eu-west-1"},
                    {"Name": "bbb", "CreationDate": SHOWN},
                ],
                "Prefix": "a",
                "ContinuationToken": "token",
            },
        )

    def test_no_buckets(self) -> None:
        expected = {"Owner": {"ID": "x"}, "Buckets": []}
        self.check("ListBuckets", list_buckets_result(BucketsPage(), Owner("x")), expected)

    def test_location(self) -> None:
        for region, text in (("us-east-1", None), ("eu-west-1", "eu-west-1")):
            root = ElementTree.fromstring(location_constraint(region))
            self.assertEqual((root.tag, root.text), (f"{{{NAMESPACE}}}LocationConstraint", text))


class ListObjectsTests(DocumentTestCase):
    ENTRY: ClassVar = {"LastModified": SHOWN, "ETag": f'"{ETAG}"', "Size": 7, "StorageClass": "STANDARD"}
    PERSON: ClassVar = {"ID": "f" * 64, "DisplayName": "Ann"}

    def test_v1(self) -> None:
        page = Page(ODD_KEYS, ("p<q/",), True, "p<q/", "x")
        objects = [version(key) for key in ODD_KEYS]
        body = list_objects_result("bucket", page, objects, owners, prefix="p&", delimiter="/", marker='m"', max_keys=7)
        self.check(
            "ListObjects",
            body,
            {
                "Name": "bucket",
                "Prefix": "p&",
                "Marker": 'm"',
                "NextMarker": "p<q/",
                "MaxKeys": 7,
                "Delimiter": "/",
                "IsTruncated": True,
                "Contents": [{"Key": key, **self.ENTRY, "Owner": self.PERSON} for key in ODD_KEYS],
                "CommonPrefixes": [{"Prefix": "p<q/"}],
            },
        )

    def test_v1_empty(self) -> None:
        expected = {"Name": "bucket", "Prefix": "", "Marker": "", "MaxKeys": 1000, "IsTruncated": False}
        self.check("ListObjects", list_objects_result("bucket", Page(), [], owners), expected)

    def test_v1_next_marker_needs_a_delimiter(self) -> None:
        page = Page(("a",), (), True, "a", "a\0")
        self.assertNotIn("NextMarker", parse("ListObjects", list_objects_result("b", page, [version("a")], owners)))

    def test_v2(self) -> None:
        checksums = {"CRC32": "AAAAAA==", "SHA256": "x"}
        objects = [
            version("a", checksums=checksums, checksum_type=COMPOSITE, properties=Properties(storage_class="GLACIER"))
        ]
        page = Page(("a", "vanished"), ("a/",), True, "vanished", "x")
        body = list_objects_v2_result(
            "bucket", page, objects, prefix="a", delimiter="/", start_after="A", next_token="next", max_keys=3
        )
        self.check(
            "ListObjectsV2",
            body,
            {
                "Name": "bucket",
                "Prefix": "a",
                "StartAfter": "A",
                "NextContinuationToken": "next",
                "KeyCount": 2,
                "MaxKeys": 3,
                "Delimiter": "/",
                "IsTruncated": True,
                "Contents": [
                    {
                        "Key": "a",
                        **self.ENTRY,
                        "StorageClass": "GLACIER",
                        "ChecksumAlgorithm": ["CRC32", "SHA256"],
                        "ChecksumType": "COMPOSITE",
                    }
                ],
                "CommonPrefixes": [{"Prefix": "a/"}],
            },
        )

    def test_v2_token_and_owner(self) -> None:
        page = Page(("a",), (), False, "a")
        body = list_objects_v2_result(
            "bucket", page, [version("a")], owners, start_after="A", continuation_token="token"
        )
        found = parse("ListObjectsV2", body)
        self.assertEqual(found["ContinuationToken"], "token")
        self.assertEqual(found["StartAfter"], "A")
        self.assertEqual(found["Contents"][0]["Owner"], self.PERSON)

    def test_url_encoding(self) -> None:
        keys = (*ODD_KEYS, CONTROL_KEY, "\0")
        names = {"prefix": "p +\x01", "delimiter": "\x02"}
        page = Page(keys, (CONTROL_KEY + "/",), True, CONTROL_KEY, "x")
        objects = [version(key) for key in keys]
        context = {"encoding_type_auto_set": True}
        first = parse("ListObjects", list_objects_result("b", page, objects, owners, marker="m\x01", url=True, **names))
        self.assertEqual(first["EncodingType"], "url")
        decode_list_object(first, context)
        self.assertEqual((first["Marker"], first["NextMarker"]), ("m\x01", CONTROL_KEY))
        second = parse("ListObjectsV2", list_objects_v2_result("b", page, objects, start_after="s ", url=True, **names))
        decode_list_object_v2(second, context)
        self.assertEqual((second["Prefix"], second["StartAfter"]), ("p +\x01", "s "))
        listed = tuple(ListedVersion(item, True) for item in objects)
        versions = VersionsPage(listed, (CONTROL_KEY + "/",), True, CONTROL_KEY)
        third = parse(
            "ListObjectVersions",
            list_versions_result("b", versions, owners, key_marker="k\x01", url=True, **names),
        )
        decode_list_object_versions(third, context)
        self.assertEqual((third["KeyMarker"], third["NextKeyMarker"]), ("k\x01", CONTROL_KEY))
        self.assertEqual([entry["Key"] for entry in third["Versions"]], list(keys))
        for found in (first, second):
            self.assertEqual([entry["Key"] for entry in found["Contents"]], list(keys))
        for found in (first, second, third):
            self.assertEqual(found["CommonPrefixes"], [{"Prefix": CONTROL_KEY + "/"}])
            self.assertEqual(found["Delimiter"], "\x02")

    def test_versions(self) -> None:
        marker = ObjectVersion("a", 0, "", MOMENT, version_id="2", delete_marker=True)
        listed = (ListedVersion(marker, True), ListedVersion(version("a"), False))
        page = VersionsPage(listed, ("a/",), True, "a", "null")
        body = list_versions_result(
            "bucket", page, owners, prefix="a", delimiter="/", key_marker="K", version_id_marker="null"
        )
        self.check(
            "ListObjectVersions",
            body,
            {
                "Name": "bucket",
                "Prefix": "a",
                "KeyMarker": "K",
                "VersionIdMarker": "null",
                "NextKeyMarker": "a",
                "NextVersionIdMarker": "null",
                "MaxKeys": 1000,
                "Delimiter": "/",
                "IsTruncated": True,
                "Versions": [
                    {"Key": "a", "VersionId": "null", "IsLatest": False, **self.ENTRY, "Owner": self.PERSON},
                ],
                "DeleteMarkers": [
                    {
                        "Key": "a",
                        "VersionId": "2",
                        "IsLatest": True,
                        "LastModified": SHOWN,
                        "Owner": self.PERSON,
                    },
                ],
                "CommonPrefixes": [{"Prefix": "a/"}],
            },
        )

    def test_versions_behind_a_group(self) -> None:
        page = VersionsPage((), ("a/",), True, "a/")
        found = parse("ListObjectVersions", list_versions_result("b", page, owners, delimiter="/"))
        self.assertEqual(found["NextKeyMarker"], "a/")
        self.assertNotIn("NextVersionIdMarker", found)

    def test_each_owner_is_asked_for_once(self) -> None:
        asked: list[str] = []

        def ask(id: str) -> Owner:
            asked.append(id)
            return Owner(id)

        objects = [version(key, owner=owner) for key, owner in (("a", "x"), ("b", "y"), ("c", "x"))]
        list_objects_result("b", Page(("a", "b", "c")), objects, ask)
        self.assertEqual(asked, ["x", "y"])


class ResultTests(DocumentTestCase):
    CHECKSUMS: ClassVar = {"CRC64NVME": "AAAAAAAAAAA=", "SHA1": "x"}

    def test_copy_object(self) -> None:
        body = copy_object_result(version("a", checksums=self.CHECKSUMS, checksum_type=FULL_OBJECT))
        result = {
            "LastModified": SHOWN,
            "ETag": f'"{ETAG}"',
            "ChecksumType": "FULL_OBJECT",
            "ChecksumCRC64NVME": "AAAAAAAAAAA=",
            "ChecksumSHA1": "x",
        }
        self.check("CopyObject", body, {"CopyObjectResult": result})

    def test_copy_part(self) -> None:
        body = copy_part_result(Part(1, 5, ETAG, {"CRC32": "x"}, MOMENT))
        result = {"LastModified": SHOWN, "ETag": f'"{ETAG}"', "ChecksumCRC32": "x"}
        self.check("UploadPartCopy", body, {"CopyPartResult": result})

    def test_create_multipart_upload(self) -> None:
        body = initiate_multipart_upload_result("b", Upload("id", "a&b", 0.0))
        self.check("CreateMultipartUpload", body, {"Bucket": "b", "Key": "a&b", "UploadId": "id"})

    def test_complete_multipart_upload(self) -> None:
        made = version("a&b", checksums={"SHA256": "x-2"}, checksum_type=COMPOSITE)
        self.check(
            "CompleteMultipartUpload",
            complete_multipart_upload_result("http://h/b/a%26b", "b", made),
            {
                "Location": "http://h/b/a%26b",
                "Bucket": "b",
                "Key": "a&b",
                "ETag": f'"{ETAG}"',
                "ChecksumSHA256": "x-2",
                "ChecksumType": "COMPOSITE",
            },
        )

    def test_list_parts(self) -> None:
        upload = Upload("id", "key", MOMENT, checksum_algorithm="CRC32", checksum_type=COMPOSITE)
        page = PartsPage((Part(2, 5, ETAG, {"CRC32": "x"}, MOMENT),), True, 2)
        self.check(
            "ListParts",
            list_parts_result("b", upload, page, OWNER, marker=1, max_parts=1),
            {
                "Bucket": "b",
                "Key": "key",
                "UploadId": "id",
                "Initiator": {"ID": "f" * 64, "DisplayName": "Ann"},
                "Owner": {"ID": "f" * 64, "DisplayName": "Ann"},
                "StorageClass": "STANDARD",
                "PartNumberMarker": 1,
                "NextPartNumberMarker": 2,
                "MaxParts": 1,
                "IsTruncated": True,
                "ChecksumAlgorithm": "CRC32",
                "ChecksumType": "COMPOSITE",
                "Parts": [
                    {"PartNumber": 2, "LastModified": SHOWN, "ETag": f'"{ETAG}"', "Size": 5, "ChecksumCRC32": "x"}
                ],
            },
        )

    def test_list_multipart_uploads(self) -> None:
        person = {"ID": "f" * 64, "DisplayName": "Ann"}
        page = UploadsPage((Upload("id", "a b", MOMENT),), ("g/",), True, "a b", "id")
        self.check(
            "ListMultipartUploads",
            list_multipart_uploads_result(
                "b", page, owners, prefix="p", delimiter="/", key_marker="k", upload_id_marker="u", max_uploads=2
            ),
            {
                "Bucket": "b",
                "KeyMarker": "k",
                "UploadIdMarker": "u",
                "NextKeyMarker": "a b",
                "NextUploadIdMarker": "id",
                "Delimiter": "/",
                "Prefix": "p",
                "MaxUploads": 2,
                "IsTruncated": True,
                "Uploads": [
                    {
                        "Key": "a b",
                        "UploadId": "id",
                        "Initiator": person,
                        "Owner": person,
                        "StorageClass": "STANDARD",
                        "Initiated": SHOWN,
                    }
                ],
                "CommonPrefixes": [{"Prefix": "g/"}],
            },
        )
        found = parse(
            "ListMultipartUploads", list_multipart_uploads_result("b", page, owners, key_marker="+", url=True)
        )
        self.assertEqual((found["Uploads"][0]["Key"], found["KeyMarker"]), ("a+b", "%2B"))
        self.assertEqual(found["EncodingType"], "url")

    def test_delete_objects(self) -> None:
        body = delete_result(
            [Deleted(" a "), Deleted("b", "null")], [DeleteFailure("<c>", S3Error("AccessDenied"), "null")]
        )
        self.check(
            "DeleteObjects",
            body,
            {
                "Deleted": [{"Key": " a "}, {"Key": "b", "VersionId": "null"}],
                "Errors": [
                    {"Key": "<c>", "VersionId": "null", "Code": "AccessDenied", "Message": "Access Denied"},
                ],
            },
        )
        self.check("DeleteObjects", delete_result([], []), {})
