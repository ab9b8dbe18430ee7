"""What tests of Object Lock share."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import md5
from typing import Any

from tests.operations.clients import BUCKET, OperationTestCase
from tests.serving import Server

GOVERNANCE, COMPLIANCE = "GOVERNANCE", "COMPLIANCE"
LATER = datetime(2100, 1, 1, tzinfo=UTC)
SOONER = datetime(2090, 1, 1, tzinfo=UTC)
AT = {"Bucket": BUCKET, "Key": "k"}
HEADERS = {"x-amz-object-lock-mode": GOVERNANCE, "x-amz-object-lock-retain-until-date": "2100-01-01T00:00:00Z"}
DIGEST = {"content-md5": "XUFAKrxLKna5cZ2REBfFkg=="}
LEGAL_HOLD = {"ObjectLockLegalHoldStatus": "ON"}


def retained(mode: str = GOVERNANCE, until: datetime = LATER) -> dict[str, Any]:
    """The parameters of a write that brings a retention."""
    return {"ObjectLockMode": mode, "ObjectLockRetainUntilDate": until}


def digest_of(body: bytes) -> dict[str, str]:
    """The header that carries the digest of a body."""
    return {"content-md5": b64encode(md5(body).digest()).decode()}


class LockCase(OperationTestCase):
    """What the tests share."""

    def locked(self, server: Server, default: Mapping[str, Any] | None = None) -> Any:
        """A client, whose bucket has Object Lock."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET, ObjectLockEnabledForBucket=True)
        if default is not None:
            self.set_default(client, default)
        return client

    def set_default(self, client: Any, default: Mapping[str, Any]) -> None:
        """Give the bucket a default retention."""
        rule = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": default}}
        client.put_object_lock_configuration(Bucket=BUCKET, ObjectLockConfiguration=rule)

    def history(self, client: Any) -> list[tuple[str, str]]:
        """Key and id of every version and delete marker."""
        answer = client.list_object_versions(Bucket=BUCKET)
        entries = [*answer.get("Versions", []), *answer.get("DeleteMarkers", [])]
        return sorted((entry["Key"], entry["VersionId"]) for entry in entries)

    def lock_of(self, client: Any, **version: str) -> tuple[str | None, datetime | None, str | None]:
        """What HeadObject tells of a lock; GetObject and the operations for it must agree."""
        head = client.head_object(**AT, **version)
        names = ("ObjectLockMode", "ObjectLockRetainUntilDate", "ObjectLockLegalHoldStatus")
        found = tuple(head.get(name) for name in names)
        got = client.get_object(**AT, **version)
        self.assertEqual(tuple(got.get(name) for name in names), found)
        if found[0] is None:
            self.refused("NoSuchObjectLockConfiguration", 404, client.get_object_retention, **AT, **version)
        else:
            retention = client.get_object_retention(**AT, **version)["Retention"]
            self.assertEqual(retention, {"Mode": found[0], "RetainUntilDate": found[1]})
        if found[2] is None:
            self.refused("NoSuchObjectLockConfiguration", 404, client.get_object_legal_hold, **AT, **version)
        else:
            self.assertEqual(client.get_object_legal_hold(**AT, **version)["LegalHold"], {"Status": found[2]})
        return found  # type: ignore[return-value]

    @contextmanager
    def nothing_changes(self, client: Any) -> Iterator[None]:
        """Assert that versions and the lock of the key stay."""
        before = self.history(client), self.lock_of(client)
        yield
        self.assertEqual((self.history(client), self.lock_of(client)), before)
