"""Ready-made user policies."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.protocol.policy.asking import ALICE, ALLOW, NEUTRAL, ask
from twisted_s3.operations.table import OPERATIONS
from twisted_s3.protocol.policy.actions import ACTIONS, OBJECT
from twisted_s3.protocol.policy.canned import CANNED, canned_policy

READ = ("s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectTagging", "s3:ListMultipartUploadParts")
WRITE = ("s3:PutObject", "s3:AbortMultipartUpload", "s3:PutObjectTagging")
DELETE = ("s3:DeleteObject", "s3:DeleteObjectVersion")
LIST = ("s3:ListBucket", "s3:ListBucketVersions", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads")
RULE = (
    "s3:PutBucketPolicy",
    "s3:DeleteBucket",
    "s3:PutObjectAcl",
    "s3:BypassGovernanceRetention",
    "s3:PutObjectRetention",
    "s3:PutBucketVersioning",
)


class CannedTests(SynchronousTestCase):
    def may(self, name: str, action: str, bucket: str = "b") -> bool:
        key = "key" if ACTIONS[action] == OBJECT else None
        decision = ask(canned_policy(name), ALICE, action, key, bucket=bucket)
        self.assertIn(decision, (ALLOW, NEUTRAL))
        return decision is ALLOW

    def test_table(self) -> None:
        allowed = {
            "readonly": {*READ, *LIST},
            "readwrite": {*READ, *LIST, *WRITE, *DELETE},
            "writeonly": {*WRITE, "s3:GetBucketLocation", "s3:ListBucketMultipartUploads", READ[-1]},
            "administrator": {*READ, *LIST, *WRITE, *DELETE, *RULE},
        }
        self.assertEqual(set(allowed), set(CANNED))
        for name, actions in allowed.items():
            for action in (*READ, *LIST, *WRITE, *DELETE, *RULE):
                self.assertIs(self.may(name, action), action in actions, (name, action))

    def test_administrator_may_do_all_there_is(self) -> None:
        for operation in OPERATIONS:
            if operation.handler is not None and ACTIONS[operation.action] != "account":
                self.assertTrue(self.may("administrator", operation.action), operation.name)

    def test_everybody_lists_buckets(self) -> None:
        for name in CANNED:
            self.assertIs(ask(canned_policy(name + ":x"), action="s3:ListAllMyBuckets", key=None, bucket="*"), ALLOW)

    def test_buckets(self) -> None:
        for bucket, expected in (("photos", True), ("backups-7", True), ("photos2", False), ("b", False)):
            for action in ("s3:GetObject", "s3:ListBucket"):
                self.assertIs(self.may("readonly:photos, backups-*", action, bucket), expected, (bucket, action))
        self.assertFalse(self.may("administrator:photos", "s3:PutBucketPolicy", "b"))

    def test_no_such_policy(self) -> None:
        for name in (
            "",
            "root",
            "ReadOnly",
            "readonly:",
            "readonly:a,,b",
            "readonly:a/b",
            'readonly:a"',
            "readonly:${x}",
        ):
            self.assertRaises(ValueError, canned_policy, name)
