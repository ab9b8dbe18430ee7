"""ListObjects, ListObjectsV2, ListObjectVersions, through boto3's paginators."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.operations.clients import BUCKET, OperationTestCase, send, served
from tests.serving import ALICE, Server

KEYS = ("a-b", "a.txt", "a/y", "a/z/1", "b", "c d+%", "photos//x", "ü")


def keys_of(pages: Iterable[dict[str, Any]], member: str = "Contents") -> list[str]:
    """The keys of all pages."""
    return [entry["Key"] for page in pages for entry in page.get(member, ())]


def groups_of(pages: Iterable[dict[str, Any]]) -> list[str]:
    """The common prefixes of all pages."""
    return [entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", ())]


class Listing(OperationTestCase):
    """What a bucket holds."""

    def prepared(self, server: Server) -> Any:
        """A client, and a bucket with ``KEYS``."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        for key in KEYS:
            client.put_object(Bucket=BUCKET, Key=key, Body=key.encode())
        return client

    @served()
    def test_paging(self, server: Server) -> None:
        """All three, by one, by three and at once, with and without prefix and delimiter: nothing lost or repeated."""
        client = self.prepared(server)
        for operation, member in (
            ("list_objects", "Contents"),
            ("list_objects_v2", "Contents"),
            ("list_object_versions", "Versions"),
        ):
            paginator = client.get_paginator(operation)
            for size in (1, 3, 1000):

                def pages(**query: str) -> list[dict[str, Any]]:
                    return list(
                        paginator.paginate(Bucket=BUCKET, PaginationConfig={"PageSize": size}, **query)  # noqa: B023
                    )

                self.assertEqual(keys_of(pages(), member), sorted(KEYS), (operation, size))
                found = pages(Delimiter="/")
                self.assertEqual(groups_of(found), ["a/", "photos/"], (operation, size))
                self.assertEqual(keys_of(found, member), ["a-b", "a.txt", "b", "c d+%", "ü"], (operation, size))
                found = pages(Prefix="a/", Delimiter="/")
                self.assertEqual((groups_of(found), keys_of(found, member)), (["a/z/"], ["a/y"]), (operation, size))
                self.assertEqual(groups_of(pages(Delimiter="//")), ["photos//"])
                self.assertEqual(keys_of(pages(Prefix="absent"), member), [])
                self.assertEqual(groups_of(pages(Delimiter="+")), ["c d+"])

    @served()
    def test_members(self, server: Server) -> None:
        """What each entry and each page says."""
        client = self.prepared(server)
        first = client.list_objects_v2(Bucket=BUCKET, MaxKeys=2, StartAfter="a-b", FetchOwner=True, Delimiter="/")
        shown = {
            name: first[name] for name in ("Name", "KeyCount", "MaxKeys", "StartAfter", "Delimiter", "IsTruncated")
        }
        self.assertEqual(
            shown,
            {"Name": BUCKET, "KeyCount": 2, "MaxKeys": 2, "StartAfter": "a-b", "Delimiter": "/", "IsTruncated": True},
        )
        entry = first["Contents"][0]
        self.assertEqual((entry["Key"], entry["Size"], entry["StorageClass"]), ("a.txt", 5, "STANDARD"))
        self.assertEqual(entry["ETag"], client.head_object(Bucket=BUCKET, Key="a.txt")["ETag"])
        self.assertEqual(entry["Owner"], {"ID": ALICE.canonical_id, "DisplayName": "alice"})
        self.assertEqual((entry["ChecksumAlgorithm"], entry["ChecksumType"]), (["CRC32"], "FULL_OBJECT"))
        self.assertEqual(groups_of([first]), ["a/"])
        token = first["NextContinuationToken"]
        second = client.list_objects_v2(Bucket=BUCKET, ContinuationToken=token, StartAfter="zzz", MaxKeys=1)
        self.assertEqual((keys_of([second]), second["ContinuationToken"]), (["b"], token))
        self.assertNotIn("Owner", second["Contents"][0])
        none = client.list_objects_v2(Bucket=BUCKET, MaxKeys=0)
        self.assertEqual((none["KeyCount"], none["IsTruncated"]), (0, False))
        self.assertEqual(keys_of([client.list_objects_v2(Bucket=BUCKET, StartAfter="photos//x")]), ["ü"])

    @served()
    def test_first_version(self, server: Server) -> None:
        """V1 has markers: NextMarker only with a delimiter."""
        client = self.prepared(server)
        page = client.list_objects(Bucket=BUCKET, MaxKeys=1, Marker="a-b")
        self.assertEqual((keys_of([page]), page["Marker"], page["IsTruncated"]), (["a.txt"], "a-b", True))
        self.assertNotIn("NextMarker", page)
        self.assertEqual(page["Contents"][0]["Owner"]["ID"], ALICE.canonical_id)
        page = client.list_objects(Bucket=BUCKET, MaxKeys=1, Marker="a.txt", Delimiter="/")
        self.assertEqual((groups_of([page]), page["NextMarker"]), (["a/"], "a/"))
        page = client.list_objects(Bucket=BUCKET, Marker="a/", Delimiter="/", MaxKeys=1)
        self.assertEqual((groups_of([page]), keys_of([page])), ([], ["b"]))

    @served()
    def test_versions(self, server: Server) -> None:
        """Every object is its own ``null`` version, the latest."""
        client = self.prepared(server)
        page = client.list_object_versions(Bucket=BUCKET, MaxKeys=1)
        entry = page["Versions"][0]
        self.assertEqual((entry["Key"], entry["VersionId"], entry["IsLatest"]), ("a-b", "null", True))
        self.assertEqual((page["NextKeyMarker"], page["NextVersionIdMarker"]), ("a-b", "null"))
        self.assertNotIn("DeleteMarkers", page)
        page = client.list_object_versions(Bucket=BUCKET, KeyMarker="a-b", VersionIdMarker="null", MaxKeys=1)
        self.assertEqual(keys_of([page], "Versions"), ["a.txt"])
        objects = [
            {"Key": entry["Key"], "VersionId": entry["VersionId"]}
            for entry in client.list_object_versions(Bucket=BUCKET)["Versions"]
        ]
        self.assertNotIn("Errors", client.delete_objects(Bucket=BUCKET, Delete={"Objects": objects}))
        client.delete_bucket(Bucket=BUCKET)

    @served()
    def test_encoding(self, server: Server) -> None:
        """``encoding-type=url`` encodes names and says so; unasked nothing is encoded."""
        self.prepared(server)
        control = "ctl\x01\x7f"
        self.assertEqual(send(server, "PUT", f"/{BUCKET}/ctl%01%7F", b"x").status, 200)
        for query in ("list-type=2&", "", "versions&"):
            encoded = send(server, "GET", f"/{BUCKET}?{query}encoding-type=url&prefix=c%20d&delimiter=%25")
            self.assertEqual(encoded.element("EncodingType"), "url")
            self.assertEqual(encoded.element("CommonPrefixes/{*}Prefix"), "c+d%2B%25")
            self.assertEqual(encoded.element("Delimiter"), "%25")
            self.assertIn(b"<Prefix>c+d</Prefix>", encoded.body)
            plain = send(server, "GET", f"/{BUCKET}?{query}prefix=c%20d")
            self.assertIn(b"<Key>c d+%</Key>", plain.body)
            self.assertNotIn(b"EncodingType", plain.body)
            answer = send(server, "GET", f"/{BUCKET}?{query}encoding-type=html")
            self.assertEqual((answer.status, answer.code), (400, "InvalidArgument"))
        client = server.client()
        for operation in (client.list_objects, client.list_objects_v2):
            self.assertEqual(keys_of([operation(Bucket=BUCKET, Prefix="ctl")]), [control])

    @served()
    def test_refused(self, server: Server) -> None:
        """Malformed parameters."""
        self.prepared(server)
        for query in (
            "list-type=2&max-keys=x",
            "list-type=2&max-keys=-1",
            "max-keys=9999999999",
            "list-type=2&continuation-token=x",
            "list-type=2&continuation-token=",
            "list-type=3",
            "list-type",
            "versions&version-id-marker=null",
            "versions&key-marker=a&version-id-marker=other",
            "versions&key-marker=a&version-id-marker=",
        ):
            answer = send(server, "GET", f"/{BUCKET}?{query}")
            self.assertEqual((answer.status, answer.code), (400, "InvalidArgument"), query)
        self.assertEqual(send(server, "GET", f"/{BUCKET}?max-keys=5000").element("MaxKeys"), "1000")
        self.assertEqual(send(server, "GET", f"/{BUCKET}?v=1").status, 200)


class ListingOverTLS(Listing):
    """The same over HTTPS."""

    tls = True
