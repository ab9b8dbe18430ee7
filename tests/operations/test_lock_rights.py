"""Object Lock: who may lock, who may get past a lock, who is told of one."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.operations.clients import BUCKET, send_plain, served
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
    retained,
)
from tests.serving import ALICE, BOB, Server
from twisted_s3.protocol.access.defaults import BucketDefaults


class Rights(LockCase):
    """Who may lock, who may get past a lock, who is told of one."""

    bucket_defaults = BucketDefaults(ownership="ObjectWriter")

    def allow(self, client: Any, *actions: str, **condition: Any) -> None:
        """Let Bob do something."""
        statement: dict[str, Any] = {
            "Effect": "Allow",
            "Principal": {"AWS": BOB.canonical_id},
            "Action": [f"s3:{action}" for action in actions],
            "Resource": [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"],
        }
        if condition:
            statement["Condition"] = condition
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        client.put_bucket_policy(Bucket=BUCKET, Policy=policy)

    @served(bucket_defaults=BucketDefaults())
    def test_bypass(self, server: Server) -> None:
        """Saying so is not enough: it needs the permission."""
        client, bob = self.locked(server), server.client(BOB)
        version = client.put_object(**AT, Body=b"x", **retained())["VersionId"]
        doomed = {**AT, "VersionId": version, "BypassGovernanceRetention": True}
        shorter = {"Retention": {"Mode": GOVERNANCE, "RetainUntilDate": SOONER}, "BypassGovernanceRetention": True}
        own = ["DeleteObjectVersion", "PutObjectRetention"]
        self.allow(client, *own)
        with self.nothing_changes(client):
            self.refused("AccessDenied", 403, bob.delete_object, **doomed)
            self.refused("AccessDenied", 403, bob.put_object_retention, **AT, **shorter)
            entry = {"Objects": [{"Key": "k", "VersionId": version}]}
            answer = bob.delete_objects(Bucket=BUCKET, Delete=entry, BypassGovernanceRetention=True)
            self.assertEqual(answer["Errors"][0]["Code"], "AccessDenied")
        self.allow(client, *own, "BypassGovernanceRetention")
        bob.put_object_retention(**AT, **shorter)
        bob.delete_object(**doomed)
        self.assertEqual(self.history(client), [])

    @served(bucket_defaults=BucketDefaults())
    def test_to_lock(self, server: Server) -> None:
        """The right to write is not the right to lock, and who may read need not be told of locks."""
        client, bob = self.locked(server), server.client(BOB)
        self.allow(client, "PutObject", "GetObject")
        for lock in (retained(), LEGAL_HOLD):
            self.refused("AccessDenied", 403, bob.put_object, **AT, Body=b"x", **lock)
            self.refused("AccessDenied", 403, bob.create_multipart_upload, **AT, **lock)
        self.assertEqual(self.history(client), [])
        client.put_object(**AT, Body=b"x", **retained(), **LEGAL_HOLD)
        told = bob.head_object(**AT)
        self.assertEqual([name for name in told if name.startswith("ObjectLock")], [])
        self.refused("AccessDenied", 403, bob.get_object_retention, **AT)
        self.refused("AccessDenied", 403, bob.get_object_legal_hold, **AT)
        self.refused("AccessDenied", 403, bob.put_object_legal_hold, **AT, LegalHold={"Status": "OFF"})
        self.allow(client, "GetObject", "GetObjectRetention", "PutObject", "PutObjectRetention")
        told = bob.head_object(**AT)
        self.assertEqual((told["ObjectLockMode"], told.get("ObjectLockLegalHoldStatus")), (GOVERNANCE, None))
        bob.put_object(**AT, Body=b"y", **retained())

    @served(bucket_defaults=BucketDefaults())
    def test_condition_keys(self, server: Server) -> None:
        """Policies see what headers and bodies ask for."""
        client, bob = self.locked(server), server.client(BOB)
        client.put_object(**AT, Body=b"x")
        soon = datetime.now(UTC) + timedelta(days=5)
        below = {"NumericLessThan": {"s3:object-lock-remaining-retention-days": "10"}}
        only = {"StringEquals": {"s3:object-lock-mode": GOVERNANCE}, **below}
        self.allow(client, "PutObjectRetention", **only)
        for mode, until in ((COMPLIANCE, soon), (GOVERNANCE, LATER)):
            retention = {"Mode": mode, "RetainUntilDate": until}
            self.refused("AccessDenied", 403, bob.put_object_retention, **AT, Retention=retention)
        self.assertEqual(self.lock_of(client), (None, None, None))
        bob.put_object_retention(**AT, Retention={"Mode": GOVERNANCE, "RetainUntilDate": soon})
        self.allow(client, "PutObjectLegalHold", StringEquals={"s3:object-lock-legal-hold": "ON"})
        bob.put_object_legal_hold(**AT, LegalHold={"Status": "ON"})
        self.refused("AccessDenied", 403, bob.put_object_legal_hold, **AT, LegalHold={"Status": "OFF"})
        self.assertEqual(self.lock_of(client)[2], "ON")
        self.allow(client, "PutObject", "PutObjectRetention", **below)
        self.refused("AccessDenied", 403, bob.put_object, **AT, Body=b"y", **retained(GOVERNANCE, LATER))
        bob.put_object(**AT, Body=b"y", **retained(GOVERNANCE, soon))

    @served()
    def test_acl_does_not_lock(self, server: Server) -> None:
        """The right to write that an ACL gives is not the right to lock."""
        client, bob = self.locked(server), server.client(BOB)
        client.put_bucket_acl(Bucket=BUCKET, GrantWrite=f'id="{BOB.canonical_id}"')
        self.refused("AccessDenied", 403, bob.put_object, **AT, Body=b"x", **retained())
        self.assertEqual(self.history(client), [])
        bob.put_object(**AT, Body=b"x")

    @served()
    def test_own_bucket(self, server: Server) -> None:
        """Everybody may make a bucket with Object Lock, and does with it what its owner may."""
        bob = server.client(BOB)
        bob.create_bucket(Bucket=BUCKET, ObjectLockEnabledForBucket=True)
        version = bob.put_object(**AT, Body=b"x", **retained())["VersionId"]
        self.refused("AccessDenied", 403, bob.delete_object, **AT, VersionId=version)
        bob.delete_object(**AT, VersionId=version, BypassGovernanceRetention=True)

    @served()
    def test_signature(self, server: Server) -> None:
        """A lock needs a signature of Version 4: nobody else can bring one."""
        self.locked(server)
        answer = send_plain(server, "PUT", f"/{BUCKET}/k", b"hello", {**HEADERS, **DIGEST})
        self.assertEqual(answer.status, 403)
        signed = server.client(ALICE, signature_version="s3")
        self.refused("InvalidArgument", 400, signed.put_object, **AT, Body=b"x", **retained())
