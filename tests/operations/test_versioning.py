"""Versions, delete markers and the state of a bucket, as clients see them."""

from __future__ import annotations

from typing import Any

from tests.operations.clients import BUCKET, OperationTestCase, send, served
from tests.serving import ALICE, Server

UNKNOWN = "0123456789abcdef" * 2


class Versioning(OperationTestCase):
    """A bucket that keeps versions."""

    def versioned(self, server: Server, state: str = "Enabled") -> Any:
        """A client, whose bucket is versioned."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": state})
        return client

    def listed(self, client: Any, **parameters: Any) -> list[tuple[str, str, bool, bool]]:
        """Key, id, whether a delete marker, whether the latest."""
        answer = client.list_object_versions(Bucket=BUCKET, **parameters)
        found = [(entry["Key"], entry["VersionId"], False, entry["IsLatest"]) for entry in answer.get("Versions", [])]
        return found + [
            (entry["Key"], entry["VersionId"], True, entry["IsLatest"]) for entry in answer.get("DeleteMarkers", [])
        ]

    @served()
    def test_state(self, server: Server) -> None:
        """It is set, shown, and never unset; what asks for more is refused."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        self.assertNotIn("Status", client.get_bucket_versioning(Bucket=BUCKET))
        for state in ("Enabled", "Suspended", "Enabled"):
            client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": state})
            self.assertEqual(client.get_bucket_versioning(Bucket=BUCKET)["Status"], state)
        for body, code, status in (
            (b"<VersioningConfiguration/>", "IllegalVersioningConfigurationException", 400),
            (b"<VersioningConfiguration><Status>Off</Status></VersioningConfiguration>", "MalformedXML", 400),
            (b"<VersioningConfiguration><Other/></VersioningConfiguration>", "MalformedXML", 400),
            (b"", "MalformedXML", 400),
            (
                b"<VersioningConfiguration><Status>Enabled</Status><MfaDelete>Enabled</MfaDelete>"
                b"</VersioningConfiguration>",
                "NotImplemented",
                501,
            ),
        ):
            answer = send(server, "PUT", f"/{BUCKET}?versioning", body)
            self.assertEqual((answer.status, answer.code), (status, code), body)
        self.assertEqual(client.get_bucket_versioning(Bucket=BUCKET)["Status"], "Enabled")
        self.refused("NoSuchBucket", 404, client.get_bucket_versioning, Bucket="absent")

    @served()
    def test_put_and_get(self, server: Server) -> None:
        """Each PUT is a version, and each can be read."""
        client = self.versioned(server)
        ids = [client.put_object(Bucket=BUCKET, Key="k", Body=b"%d" % n)["VersionId"] for n in range(3)]
        self.assertEqual(len(set(ids)), 3)
        for number, version_id in enumerate(ids):
            answer = client.get_object(Bucket=BUCKET, Key="k", VersionId=version_id)
            self.assertEqual((answer["Body"].read(), answer["VersionId"]), (b"%d" % number, version_id))
            self.assertEqual(client.head_object(Bucket=BUCKET, Key="k", VersionId=version_id)["VersionId"], version_id)
        answer = client.get_object(Bucket=BUCKET, Key="k")
        self.assertEqual((answer["Body"].read(), answer["VersionId"]), (b"2", ids[2]))
        self.refused("NoSuchVersion", 404, client.get_object, Bucket=BUCKET, Key="k", VersionId=UNKNOWN)
        self.refused("InvalidArgument", 400, client.get_object, Bucket=BUCKET, Key="k", VersionId="abc")
        self.refused("404", 404, client.head_object, Bucket=BUCKET, Key="k", VersionId=UNKNOWN)
        answer = send(server, "GET", f"/{BUCKET}/k?versionId=")
        self.assertEqual((answer.status, answer.code), (400, "InvalidArgument"))

    @served()
    def test_unversioned(self, server: Server) -> None:
        """Nobody hears of versions in a bucket that was never versioned."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        self.assertNotIn("VersionId", client.put_object(Bucket=BUCKET, Key="k", Body=b"1"))
        self.assertNotIn("VersionId", client.get_object(Bucket=BUCKET, Key="k"))
        self.assertEqual(client.get_object(Bucket=BUCKET, Key="k", VersionId="null")["Body"].read(), b"1")
        self.assertEqual(self.listed(client), [("k", "null", False, True)])
        self.assertNotIn("VersionId", client.delete_object(Bucket=BUCKET, Key="k"))

    @served()
    def test_delete_markers(self, server: Server) -> None:
        """What a marker hides is 404, the marker itself 405; removing it brings the object back."""
        client = self.versioned(server)
        kept = client.put_object(Bucket=BUCKET, Key="k", Body=b"1")["VersionId"]
        answer = client.delete_object(Bucket=BUCKET, Key="k")
        marker = answer["VersionId"]
        self.assertIs(answer["DeleteMarker"], True)
        for method in ("GET", "HEAD"):
            hidden = send(server, method, f"/{BUCKET}/k")
            self.assertEqual(hidden.status, 404)
            self.assertEqual(hidden.headers["x-amz-delete-marker"], "true")
            self.assertEqual(hidden.headers["x-amz-version-id"], marker)
            refused = send(server, method, f"/{BUCKET}/k?versionId={marker}")
            self.assertEqual(refused.status, 405)
            self.assertEqual(refused.headers["x-amz-delete-marker"], "true")
            self.assertEqual(refused.headers["x-amz-version-id"], marker)
            self.assertEqual(refused.headers["allow"], "DELETE")
            self.assertIn("last-modified", refused.headers)
        self.assertNotIn("x-amz-delete-marker", send(server, "GET", f"/{BUCKET}/absent").headers)
        self.assertNotIn("Contents", client.list_objects_v2(Bucket=BUCKET))
        self.assertEqual(self.listed(client), [("k", kept, False, False), ("k", marker, True, True)])
        # A marker counts as missing.
        self.refused("NoSuchKey", 404, client.put_object, Bucket=BUCKET, Key="k", Body=b"", IfMatch='"x"')
        answer = client.delete_object(Bucket=BUCKET, Key="k", VersionId=marker)
        self.assertEqual((answer["DeleteMarker"], answer["VersionId"]), (True, marker))
        self.assertEqual(self.body(client, "k"), b"1")
        answer = client.delete_object(Bucket=BUCKET, Key="k", VersionId=kept)
        self.assertEqual(answer["VersionId"], kept)
        self.assertNotIn("DeleteMarker", answer)
        self.assertEqual(self.listed(client), [])

    @served()
    def test_create_over_a_marker(self, server: Server) -> None:
        client = self.versioned(server)
        client.put_object(Bucket=BUCKET, Key="k", Body=b"1")
        self.refused("PreconditionFailed", 412, client.put_object, Bucket=BUCKET, Key="k", Body=b"", IfNoneMatch="*")
        client.delete_object(Bucket=BUCKET, Key="k")
        client.put_object(Bucket=BUCKET, Key="k", Body=b"2", IfNoneMatch="*")
        self.assertEqual(self.body(client, "k"), b"2")

    @served()
    def test_delete_many(self, server: Server) -> None:
        """Versions and keys in one request, each answered with what became of it."""
        client = self.versioned(server)
        first = client.put_object(Bucket=BUCKET, Key="a", Body=b"1")["VersionId"]
        client.put_object(Bucket=BUCKET, Key="a", Body=b"2")
        client.put_object(Bucket=BUCKET, Key="b", Body=b"3")
        gone = client.delete_object(Bucket=BUCKET, Key="c")["VersionId"]
        entries = [{"Key": "a", "VersionId": first}, {"Key": "b"}, {"Key": "c", "VersionId": gone}]
        deleted = client.delete_objects(Bucket=BUCKET, Delete={"Objects": entries})["Deleted"]
        self.assertEqual(deleted[0], {"Key": "a", "VersionId": first})
        self.assertEqual((deleted[1]["Key"], deleted[1]["DeleteMarker"]), ("b", True))
        self.assertNotIn("VersionId", deleted[1])
        marker = deleted[1]["DeleteMarkerVersionId"]
        self.assertEqual(
            deleted[2], {"Key": "c", "VersionId": gone, "DeleteMarker": True, "DeleteMarkerVersionId": gone}
        )
        self.refused("NoSuchKey", 404, client.get_object, Bucket=BUCKET, Key="b")
        self.assertIn(("b", marker, True, True), self.listed(client))

    @served()
    def test_suspended(self, server: Server) -> None:
        client = self.versioned(server)
        kept = client.put_object(Bucket=BUCKET, Key="k", Body=b"1")["VersionId"]
        client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
        for body in (b"2", b"3"):
            # As AWS has it: reads and deletions name the null version, writes do not.
            self.assertNotIn("VersionId", client.put_object(Bucket=BUCKET, Key="k", Body=body))
            self.assertEqual(client.get_object(Bucket=BUCKET, Key="k")["VersionId"], "null")
        self.assertEqual(self.listed(client), [("k", "null", False, True), ("k", kept, False, False)])
        copy = client.copy_object(Bucket=BUCKET, Key="k", CopySource={"Bucket": BUCKET, "Key": "k", "VersionId": kept})
        self.assertEqual((copy.get("VersionId"), copy["CopySourceVersionId"]), (None, kept))
        place = {"Bucket": BUCKET, "Key": "k"}
        place["UploadId"] = client.create_multipart_upload(**place)["UploadId"]
        part = {"PartNumber": 1, "ETag": client.upload_part(**place, PartNumber=1, Body=b"4")["ETag"]}
        self.assertNotIn("VersionId", client.complete_multipart_upload(**place, MultipartUpload={"Parts": [part]}))
        self.assertEqual(self.listed(client), [("k", "null", False, True), ("k", kept, False, False)])
        self.assertEqual(self.body(client, "k"), b"4")
        answer = client.delete_object(Bucket=BUCKET, Key="k")
        self.assertEqual((answer["VersionId"], answer["DeleteMarker"]), ("null", True))
        self.assertEqual(self.listed(client), [("k", kept, False, False), ("k", "null", True, True)])

    @served()
    def test_copy(self, server: Server) -> None:
        """From any version, also onto its own key, but not from a delete marker."""
        client = self.versioned(server)
        old = client.put_object(Bucket=BUCKET, Key="k", Body=b"old", Metadata={"a": "b"})["VersionId"]
        client.put_object(Bucket=BUCKET, Key="k", Body=b"new")
        source = {"Bucket": BUCKET, "Key": "k", "VersionId": old}
        answer = client.copy_object(Bucket=BUCKET, Key="k", CopySource=source)
        self.assertEqual(answer["CopySourceVersionId"], old)
        found = client.get_object(Bucket=BUCKET, Key="k")
        self.assertEqual((found["Body"].read(), found["VersionId"]), (b"old", answer["VersionId"]))
        self.assertEqual(found["Metadata"], {"a": "b"})
        marker = client.delete_object(Bucket=BUCKET, Key="k")["VersionId"]
        copy = client.copy_object
        self.refused("NoSuchKey", 404, copy, Bucket=BUCKET, Key="x", CopySource={"Bucket": BUCKET, "Key": "k"})
        for version_id, code, status in ((marker, "InvalidRequest", 400), (UNKNOWN, "NoSuchVersion", 404)):
            source["VersionId"] = version_id
            self.refused(code, status, copy, Bucket=BUCKET, Key="x", CopySource=source)
        upload = client.create_multipart_upload(Bucket=BUCKET, Key="m")["UploadId"]
        source["VersionId"] = old
        part = client.upload_part_copy(Bucket=BUCKET, Key="m", UploadId=upload, PartNumber=1, CopySource=source)
        self.assertEqual(part["CopySourceVersionId"], old)
        parts = {"Parts": [{"PartNumber": 1, "ETag": part["CopyPartResult"]["ETag"]}]}
        made = client.complete_multipart_upload(Bucket=BUCKET, Key="m", UploadId=upload, MultipartUpload=parts)
        self.assertEqual(client.head_object(Bucket=BUCKET, Key="m")["VersionId"], made["VersionId"])

    @served()
    def test_tags_and_attributes(self, server: Server) -> None:
        """They belong to one version."""
        client = self.versioned(server)
        old = client.put_object(Bucket=BUCKET, Key="k", Body=b"1")["VersionId"]
        client.put_object(Bucket=BUCKET, Key="k", Body=b"22")
        tags = {"TagSet": [{"Key": "a", "Value": "b"}]}
        answer = client.put_object_tagging(Bucket=BUCKET, Key="k", VersionId=old, Tagging=tags)
        self.assertEqual(answer["VersionId"], old)
        self.assertEqual(client.get_object_tagging(Bucket=BUCKET, Key="k")["TagSet"], [])
        found = client.get_object_tagging(Bucket=BUCKET, Key="k", VersionId=old)
        self.assertEqual((found["TagSet"], found["VersionId"]), (tags["TagSet"], old))
        client.delete_object_tagging(Bucket=BUCKET, Key="k", VersionId=old)
        self.assertEqual(client.get_object_tagging(Bucket=BUCKET, Key="k", VersionId=old)["TagSet"], [])
        attributes = {"Bucket": BUCKET, "Key": "k", "ObjectAttributes": ["ObjectSize"]}
        self.assertEqual(client.get_object_attributes(**attributes, VersionId=old)["ObjectSize"], 1)
        self.assertEqual(client.get_object_attributes(**attributes)["ObjectSize"], 2)
        marker = client.delete_object(Bucket=BUCKET, Key="k")["VersionId"]
        self.refused("MethodNotAllowed", 405, client.get_object_tagging, Bucket=BUCKET, Key="k", VersionId=marker)

    @served()
    def test_pages(self, server: Server) -> None:
        """By one entry at a time everything comes once, in order."""
        client = self.versioned(server)
        for key in ("a", "b/c", "b/d", "e"):
            for _ in range(2):
                client.put_object(Bucket=BUCKET, Key=key, Body=b"")
            client.delete_object(Bucket=BUCKET, Key=key)
        for parameters in ({}, {"Delimiter": "/"}, {"Prefix": "b/"}):
            whole = client.list_object_versions(Bucket=BUCKET, **parameters)
            paginator = client.get_paginator("list_object_versions")
            pages = list(paginator.paginate(Bucket=BUCKET, PaginationConfig={"PageSize": 1}, **parameters))
            for name in ("Versions", "DeleteMarkers", "CommonPrefixes"):
                found = [entry for page in pages for entry in page.get(name, [])]
                self.assertEqual(found, whole.get(name, []), (parameters, name))
        self.refused(
            "InvalidArgument", 400, client.list_object_versions, Bucket=BUCKET, KeyMarker="a", VersionIdMarker="abc"
        )

    @served()
    def test_bucket_not_empty(self, server: Server) -> None:
        """A bucket can be deleted when its last version and marker are gone."""
        client = self.versioned(server)
        client.put_object(Bucket=BUCKET, Key="k", Body=b"1")
        client.delete_object(Bucket=BUCKET, Key="k")
        self.refused("BucketNotEmpty", 409, client.delete_bucket, Bucket=BUCKET)
        for key, version_id, *_ in self.listed(client):
            client.delete_object(Bucket=BUCKET, Key=key, VersionId=version_id)
        client.delete_bucket(Bucket=BUCKET)

    @served()
    def test_owner_of_a_marker(self, server: Server) -> None:
        client = self.versioned(server)
        client.delete_object(Bucket=BUCKET, Key="k")
        marker = client.list_object_versions(Bucket=BUCKET)["DeleteMarkers"][0]
        self.assertEqual(marker["Owner"]["ID"], ALICE.canonical_id)


class VersioningOverTLS(Versioning):
    """The same over HTTPS."""

    tls = True
