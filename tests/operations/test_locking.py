"""Object Lock, as clients see it: every way to lock, and every way to destroy what is locked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.operations.clients import BUCKET, send, served
from tests.operations.locks import (
    AT,
    COMPLIANCE,
    DIGEST,
    GOVERNANCE,
    HEADERS,
    LATER,
    LEGAL_HOLD,
    SOONER,
    LockCase,
    digest_of,
    retained,
)
from tests.operations.posting import post
from tests.serving import Server


class Configurations(LockCase):
    """The bucket's side."""

    @served()
    def test_created_with_lock(self, server: Server) -> None:
        """A bucket made with Object Lock is versioned for ever, and shows that it has one."""
        client = self.locked(server)
        got = client.get_object_lock_configuration(Bucket=BUCKET)
        self.assertEqual(got["ObjectLockConfiguration"], {"ObjectLockEnabled": "Enabled"})
        self.assertEqual(client.get_bucket_versioning(Bucket=BUCKET)["Status"], "Enabled")
        suspended = {"VersioningConfiguration": {"Status": "Suspended"}}
        self.refused("InvalidBucketState", 409, client.put_bucket_versioning, Bucket=BUCKET, **suspended)
        self.assertEqual(client.get_bucket_versioning(Bucket=BUCKET)["Status"], "Enabled")
        client.create_bucket(Bucket=BUCKET, ObjectLockEnabledForBucket=True)
        answer = send(server, "PUT", "/another", headers={"x-amz-bucket-object-lock-enabled": "yes"})
        self.assertEqual((answer.status, answer.code), (400, "InvalidArgument"))
        self.assertEqual([bucket["Name"] for bucket in client.list_buckets()["Buckets"]], [BUCKET])

    @served()
    def test_default_retention(self, server: Server) -> None:
        """It goes round, is replaced and removed; the lock itself stays."""
        client = self.locked(server)
        for default in ({"Mode": GOVERNANCE, "Days": 3}, {"Mode": COMPLIANCE, "Years": 100}):
            self.set_default(client, default)
            got = client.get_object_lock_configuration(Bucket=BUCKET)["ObjectLockConfiguration"]
            self.assertEqual(got, {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": default}})
        for wrong, code in (
            ({"Mode": GOVERNANCE, "Days": 1, "Years": 1}, "MalformedXML"),
            ({"Mode": "abc", "Days": 1}, "MalformedXML"),
            ({"Mode": GOVERNANCE}, "MalformedXML"),
            ({"Mode": GOVERNANCE, "Days": 0}, "InvalidArgument"),
            ({"Mode": GOVERNANCE, "Years": -1}, "InvalidArgument"),
            ({"Mode": GOVERNANCE, "Days": 999_999_999}, "InvalidArgument"),
        ):
            self.refused(code, 400, self.set_default, client=client, default=wrong)
        self.assertEqual(client.get_object_lock_configuration(Bucket=BUCKET)["ObjectLockConfiguration"], got)
        none = {"ObjectLockEnabled": "Enabled"}
        client.put_object_lock_configuration(Bucket=BUCKET, ObjectLockConfiguration=none)
        self.assertEqual(client.get_object_lock_configuration(Bucket=BUCKET)["ObjectLockConfiguration"], none)

    @served()
    def test_turned_on_later(self, server: Server) -> None:
        """A bucket that keeps versions can get one; others can not."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        put, enabled = (
            client.put_object_lock_configuration,
            {"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}},
        )
        missing = "ObjectLockConfigurationNotFoundError"
        for state in ("", "Suspended"):
            if state:
                client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": state})
            self.refused("InvalidBucketState", 409, put, Bucket=BUCKET, **enabled)
            self.refused(missing, 404, client.get_object_lock_configuration, Bucket=BUCKET)
        client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        put(Bucket=BUCKET, **enabled)
        version = client.put_object(**AT, Body=b"x", **LEGAL_HOLD)["VersionId"]
        self.refused("AccessDenied", 403, client.delete_object, **AT, VersionId=version)

    @served()
    def test_no_lock(self, server: Server) -> None:
        """Where a bucket has no Object Lock, nothing can be locked, and nobody is told that it was."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        version = client.put_object(**AT, Body=b"x")["ETag"]
        retention = {"Retention": {"Mode": GOVERNANCE, "RetainUntilDate": LATER}}
        for call, parameters in (
            (client.put_object, retained()),
            (client.put_object, LEGAL_HOLD),
            (client.create_multipart_upload, retained()),
            (client.copy_object, {"CopySource": f"{BUCKET}/k", "MetadataDirective": "REPLACE", **LEGAL_HOLD}),
            (client.put_object_retention, retention),
            (client.get_object_retention, {}),
            (client.put_object_legal_hold, {"LegalHold": {"Status": "ON"}}),
            (client.get_object_legal_hold, {}),
        ):
            self.refused("InvalidRequest", 400, call, **AT, **parameters)
        self.assertEqual(client.head_object(**AT)["ETag"], version)
        self.assertNotIn("Uploads", client.list_multipart_uploads(Bucket=BUCKET))
        create = {"Bucket": BUCKET, "ObjectLockEnabledForBucket": True}
        self.refused("BucketAlreadyOwnedByYou", 409, client.create_bucket, **create)
        client.delete_object(**AT, BypassGovernanceRetention=True)


class Writes(LockCase):
    """Every way to make an object, with a lock of its own or with the bucket's default."""

    def ways(self, server: Server, client: Any, **lock: Any) -> Iterator[tuple[str, str]]:
        """Make a version of the key in each way; give what the way is and the version id."""
        yield "put", client.put_object(**AT, Body=b"x", **lock)["VersionId"]
        client.put_object(Bucket=BUCKET, Key="source", Body=b"x")
        yield "copy", client.copy_object(**AT, CopySource=f"{BUCKET}/source", **lock)["VersionId"]
        upload = {**AT, "UploadId": client.create_multipart_upload(**AT, **lock)["UploadId"]}
        part = client.upload_part(**upload, PartNumber=1, Body=b"x")
        parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
        yield "complete", client.complete_multipart_upload(**upload, MultipartUpload=parts)["VersionId"]
        fields = {"x-amz-checksum-crc32": "jNwWgw=="}
        if lock:
            fields["x-amz-object-lock-mode"] = lock["ObjectLockMode"]
            fields["x-amz-object-lock-retain-until-date"] = lock["ObjectLockRetainUntilDate"].isoformat()
            fields["x-amz-object-lock-legal-hold"] = lock["ObjectLockLegalHoldStatus"]
        conditions = [{name: value} for name, value in fields.items()]
        form = client.generate_presigned_post(BUCKET, "k", dict(fields), conditions)
        answer = post(server, form["fields"], b"x")
        self.assertEqual(answer.status, 204, answer.body)
        yield "form", answer.headers["x-amz-version-id"]

    @served()
    def test_own_lock(self, server: Server) -> None:
        """It wins over the bucket's default, and is in force at once."""
        client = self.locked(server, {"Mode": COMPLIANCE, "Days": 1})
        for way, version in self.ways(server, client, **retained(GOVERNANCE, SOONER), **LEGAL_HOLD):
            self.assertEqual(self.lock_of(client, VersionId=version), (GOVERNANCE, SOONER, "ON"), way)
            self.refused("AccessDenied", 403, client.delete_object, **AT, VersionId=version)
            client.put_object_legal_hold(**AT, VersionId=version, LegalHold={"Status": "OFF"})
            self.assertEqual(self.lock_of(client, VersionId=version)[2], "OFF", way)
            self.refused("AccessDenied", 403, client.delete_object, **AT, VersionId=version)
            client.delete_object(**AT, VersionId=version, BypassGovernanceRetention=True)

    @served()
    def test_default(self, server: Server) -> None:
        """The bucket's default is counted from the making of the object."""
        client = self.locked(server, {"Mode": GOVERNANCE, "Days": 2})
        begun = datetime.now(UTC) - timedelta(seconds=1)
        for way, version in self.ways(server, client):
            mode, until, hold = self.lock_of(client, VersionId=version)
            assert until is not None
            self.assertEqual((mode, hold), (GOVERNANCE, None), way)
            self.assertTrue(
                begun <= until - timedelta(days=2) <= datetime.now(UTC) + timedelta(seconds=1), (way, until)
            )
            self.refused("AccessDenied", 403, client.delete_object, **AT, VersionId=version)

    @served()
    def test_nothing_inherited(self, server: Server) -> None:
        """Neither a new version nor a copy has the lock of what was there; a renamed object does."""
        client = self.locked(server)
        first = client.put_object(**AT, Body=b"x", **retained(), **LEGAL_HOLD)["VersionId"]
        copied = client.copy_object(**AT, CopySource=f"{BUCKET}/k", MetadataDirective="REPLACE")["VersionId"]
        self.assertEqual(self.lock_of(client, VersionId=copied), (None, None, None))
        client.delete_object(**AT, VersionId=copied)
        client.rename_object(Bucket=BUCKET, Key="new", RenameSource="k")
        head = client.head_object(Bucket=BUCKET, Key="new")
        self.assertEqual((head["ObjectLockMode"], head["ObjectLockLegalHoldStatus"]), (GOVERNANCE, "ON"))
        self.assertEqual(self.lock_of(client, VersionId=first), (GOVERNANCE, LATER, "ON"))

    @served()
    def test_renamed_under_default(self, server: Server) -> None:
        """A renamed object without a retention gets the default one, as every new version."""
        client = self.locked(server)
        client.put_object(**AT, Body=b"x")
        self.set_default(client, {"Mode": COMPLIANCE, "Years": 1})
        client.rename_object(Bucket=BUCKET, Key="new", RenameSource="k")
        self.assertEqual(client.head_object(Bucket=BUCKET, Key="new")["ObjectLockMode"], COMPLIANCE)

    @served()
    def test_digest(self, server: Server) -> None:
        """Bytes that are to be locked need Content-MD5 or a checksum; their signed hash is not enough."""
        client = self.locked(server)
        body, target = b"hello", f"/{BUCKET}/k"
        for headers in (HEADERS, {"x-amz-object-lock-legal-hold": "ON"}):
            answer = send(server, "PUT", target, body, headers)
            self.assertEqual((answer.status, answer.code), (400, "InvalidRequest"))
            self.assertIn("Content-MD5 OR x-amz-checksum-", answer.element("Message"))
        algorithm = {"x-amz-sdk-checksum-algorithm": "CRC32"}
        self.assertEqual(send(server, "PUT", target, body, {**HEADERS, **algorithm}).status, 400)
        self.assertEqual(self.history(client), [])
        self.assertEqual(send(server, "PUT", target, body).status, 200)
        self.assertEqual(send(server, "PUT", target, body, {**HEADERS, **DIGEST}).status, 200)
        self.assertEqual(send(server, "PUT", target, body, {**HEADERS, "x-amz-checksum-crc32": "NhCmhg=="}).status, 200)
        upload = client.create_multipart_upload(**AT, **retained())["UploadId"]
        part = f"{target}?partNumber=1&uploadId={upload}"
        answer = send(server, "PUT", part, body)
        self.assertEqual((answer.status, answer.code), (400, "InvalidRequest"))
        self.assertIn("Put Part", answer.element("Message"))
        self.assertNotIn("Parts", client.list_parts(**AT, UploadId=upload))
        self.assertEqual(send(server, "PUT", part, body, DIGEST).status, 200)
        self.set_default(client, {"Mode": GOVERNANCE, "Days": 1})
        self.assertEqual(send(server, "PUT", target, body).code, "InvalidRequest")
        self.assertEqual(send(server, "PUT", target, body, DIGEST).status, 200)

    @served()
    def test_bad_headers(self, server: Server) -> None:
        """What is no lock is refused, and stores nothing."""
        client = self.locked(server)
        mode, date, hold = "mode", "retain-until-date", "legal-hold"
        later = HEADERS["x-amz-object-lock-retain-until-date"]
        for lock in (
            {mode: GOVERNANCE},
            {date: later},
            {mode: "governance", date: later},
            {mode: GOVERNANCE, date: "abc"},
            {mode: GOVERNANCE, date: "2001-01-01T00:00:00Z"},
            {hold: "yes"},
        ):
            headers = {f"x-amz-object-lock-{name}": value for name, value in lock.items()}
            for method, target, body in (
                ("PUT", f"/{BUCKET}/k", b"hello"),
                ("POST", f"/{BUCKET}/k?uploads", b""),
            ):
                digest = DIGEST if body else {}
                answer = send(server, method, target, body, {**headers, **digest})
                self.assertEqual((answer.status, answer.code), (400, "InvalidArgument"), lock)
                self.assertTrue(answer.element("ArgumentName").startswith("x-amz-object-lock-"), lock)
        answer = send(server, "PUT", f"/{BUCKET}/k", b"hello", {"x-amz-object-lock-event-hold": "ON", **DIGEST})
        self.assertEqual((answer.status, answer.code), (501, "NotImplemented"))
        self.assertEqual(self.history(client), [])


class Deletions(LockCase):
    """Every way to destroy a version."""

    @served()
    def test_versions(self, server: Server) -> None:
        """By version id, one or many; in GOVERNANCE mode with leave, which must be asked for."""
        client = self.locked(server)
        version = client.put_object(**AT, Body=b"x", **retained())["VersionId"]
        entry = {"Delete": {"Objects": [{"Key": "k", "VersionId": version}]}}
        with self.nothing_changes(client):
            self.refused("AccessDenied", 403, client.delete_object, **AT, VersionId=version)
            answer = client.delete_objects(Bucket=BUCKET, **entry)
            self.assertNotIn("Deleted", answer)
            self.assertEqual([(e["Key"], e["Code"]) for e in answer["Errors"]], [("k", "AccessDenied")])
            answer = send(
                server,
                "DELETE",
                f"/{BUCKET}/k?versionId={version}",
                headers={"x-amz-bypass-governance-retention": "false"},
            )
            self.assertEqual(answer.status, 403)
        answer = client.delete_objects(Bucket=BUCKET, **entry, BypassGovernanceRetention=True)
        self.assertEqual([e["VersionId"] for e in answer["Deleted"]], [version])
        self.assertEqual(self.history(client), [])

    @served()
    def test_compliance_and_hold(self, server: Server) -> None:
        """Nobody gets past them."""
        client = self.locked(server)
        for lock in (retained(COMPLIANCE), LEGAL_HOLD):
            version = client.put_object(**AT, Body=b"x", **lock)["VersionId"]
            doomed = {**AT, "VersionId": version, "BypassGovernanceRetention": True}
            with self.nothing_changes(client):
                self.refused("AccessDenied", 403, client.delete_object, **doomed)
                entry = {"Objects": [{"Key": "k", "VersionId": version}]}
                answer = client.delete_objects(Bucket=BUCKET, Delete=entry, BypassGovernanceRetention=True)
                self.assertEqual(answer["Errors"][0]["Code"], "AccessDenied")
        client.put_object_legal_hold(**AT, LegalHold={"Status": "OFF"})
        client.delete_object(**AT, VersionId=version)
        self.refused("BucketNotEmpty", 409, client.delete_bucket, Bucket=BUCKET)

    @served()
    def test_without_version_id(self, server: Server) -> None:
        """Deletions, overwrites, copies and renames only put something on top; a marker can go again."""
        client = self.locked(server)
        version = client.put_object(**AT, Body=b"kept", **retained(COMPLIANCE), **LEGAL_HOLD)["VersionId"]
        client.put_object(Bucket=BUCKET, Key="other", Body=b"other")
        marker = client.delete_object(**AT)["VersionId"]
        client.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "k"}]})
        client.put_object(**AT, Body=b"new")
        client.copy_object(**AT, CopySource=f"{BUCKET}/other")
        client.rename_object(**AT, RenameSource="other")
        upload = {**AT, "UploadId": client.create_multipart_upload(**AT)["UploadId"]}
        part = client.upload_part(**upload, PartNumber=1, Body=b"part")
        parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
        client.complete_multipart_upload(**upload, MultipartUpload=parts)
        client.delete_object(**AT, VersionId=marker)
        self.assertEqual(client.get_object(**AT, VersionId=version)["Body"].read(), b"kept")
        self.assertEqual(self.lock_of(client, VersionId=version), (COMPLIANCE, LATER, "ON"))
        self.refused("AccessDenied", 403, client.delete_object, **AT, VersionId=version)

    @served()
    def test_null_version(self, server: Server) -> None:
        """What was there before versions came can be locked, and then no ``null`` version ever replaces it."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        client.put_object(**AT, Body=b"old")
        client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        enabled = {"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}}
        client.put_object_lock_configuration(Bucket=BUCKET, **enabled)
        retention = {"Mode": COMPLIANCE, "RetainUntilDate": LATER}
        client.put_object_retention(**AT, VersionId="null", Retention=retention)
        suspended = {"VersioningConfiguration": {"Status": "Suspended"}}
        self.refused("InvalidBucketState", 409, client.put_bucket_versioning, Bucket=BUCKET, **suspended)
        client.put_object(**AT, Body=b"new")
        self.refused("AccessDenied", 403, client.delete_object, **AT, VersionId="null")
        self.assertEqual(client.get_object(**AT, VersionId="null")["Body"].read(), b"old")

    @served()
    def test_markers_have_no_lock(self, server: Server) -> None:
        """A delete marker can neither be locked nor asked for a lock."""
        client = self.locked(server, {"Mode": COMPLIANCE, "Days": 1})
        client.put_object(**AT, Body=b"x")
        marker = {**AT, "VersionId": client.delete_object(**AT)["VersionId"]}
        self.refused("MethodNotAllowed", 405, client.get_object_retention, **marker)
        retention = {"Mode": GOVERNANCE, "RetainUntilDate": LATER}
        self.refused("MethodNotAllowed", 405, client.put_object_retention, **marker, Retention=retention)
        self.refused("NoSuchKey", 404, client.get_object_legal_hold, **AT)
        client.delete_object(**marker)


class Changes(LockCase):
    """What may become of a lock."""

    def change(self, client: Any, mode: str, until: datetime, **parameters: Any) -> None:
        """Set a retention."""
        client.put_object_retention(**AT, Retention={"Mode": mode, "RetainUntilDate": until}, **parameters)

    @served()
    def test_governance(self, server: Server) -> None:
        """It grows freely; all else must be asked for."""
        client = self.locked(server)
        client.put_object(**AT, Body=b"x", **retained(GOVERNANCE, SOONER))
        self.change(client, GOVERNANCE, SOONER)
        self.change(client, GOVERNANCE, LATER)
        with self.nothing_changes(client):
            for mode, until in ((GOVERNANCE, SOONER), (COMPLIANCE, LATER)):
                self.refused("AccessDenied", 403, self.change, client=client, mode=mode, until=until)
            self.refused("AccessDenied", 403, client.put_object_retention, **AT, Retention={})
        self.change(client, GOVERNANCE, SOONER, BypassGovernanceRetention=True)
        self.assertEqual(self.lock_of(client), (GOVERNANCE, SOONER, None))
        client.put_object_retention(**AT, Retention={}, BypassGovernanceRetention=True)
        self.assertEqual(self.lock_of(client), (None, None, None))

    @served()
    def test_compliance(self, server: Server) -> None:
        """It only grows."""
        client = self.locked(server)
        client.put_object(**AT, Body=b"x", **retained(COMPLIANCE, SOONER))
        self.change(client, COMPLIANCE, LATER)
        bypass = {"BypassGovernanceRetention": True}
        with self.nothing_changes(client):
            for mode, until in ((COMPLIANCE, SOONER), (GOVERNANCE, LATER)):
                self.refused("AccessDenied", 403, self.change, client=client, mode=mode, until=until, **bypass)
            self.refused("AccessDenied", 403, client.put_object_retention, **AT, Retention={}, **bypass)

    @served()
    def test_refused(self, server: Server) -> None:
        """What is no retention or hold changes nothing."""
        client = self.locked(server)
        client.put_object(**AT, Body=b"x", **LEGAL_HOLD)
        with self.nothing_changes(client):
            for body, code in (
                (b"", "MalformedXML"),
                (b"<Retention><Mode>GOVERNANCE</Mode></Retention>", "MalformedXML"),
                (
                    b"<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>2001-01-01T00:00:00Z</RetainUntilDate>"
                    b"</Retention>",
                    "InvalidArgument",
                ),
            ):
                answer = send(server, "PUT", f"/{BUCKET}/k?retention", body, digest_of(body))
                self.assertEqual((answer.status, answer.code), (400, code), body)
            for body in (b"", b"<LegalHold/>", b"<LegalHold><Status>abc</Status></LegalHold>"):
                answer = send(server, "PUT", f"/{BUCKET}/k?legal-hold", body, digest_of(body))
                self.assertEqual((answer.status, answer.code), (400, "MalformedXML"), body)
            for name in ("k?retention", "k?legal-hold", "?object-lock"):
                answer = send(server, "PUT", f"/{BUCKET}/{name}".replace("/?", "?"), b"<x/>")
                self.assertEqual((answer.status, answer.code), (400, "InvalidRequest"), name)
            absent = {"Bucket": BUCKET, "Key": "absent"}
            hold = {"LegalHold": {"Status": "OFF"}}
            self.refused("NoSuchKey", 404, client.put_object_legal_hold, **absent, **hold)
            self.refused("NoSuchVersion", 404, client.put_object_legal_hold, **AT, **hold, VersionId="0" * 32)

    @served()
    def test_all_else_stays(self, server: Server) -> None:
        """A lock changes nothing but itself, and tags and metadata do not touch it."""
        client = self.locked(server)
        client.put_object(**AT, Body=b"x", Metadata={"a": "b"}, Tagging="c=d")
        before = client.head_object(**AT)
        self.change(client, GOVERNANCE, LATER)
        client.put_object_legal_hold(**AT, LegalHold={"Status": "ON"})
        client.put_object_tagging(**AT, Tagging={"TagSet": []})
        after = client.head_object(**AT)
        for name in ("ETag", "LastModified", "Metadata", "VersionId"):
            self.assertEqual(after[name], before[name])
        self.assertEqual(self.lock_of(client), (GOVERNANCE, LATER, "ON"))


class LocksOverTLS(Writes, Deletions):
    """The same over HTTPS, where bodies come in chunks with a trailer."""

    tls = True
