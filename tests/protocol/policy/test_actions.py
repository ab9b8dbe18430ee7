"""The table of actions."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_s3.operations.table import BUCKET, OBJECT, OPERATIONS
from twisted_s3.protocol.policy import actions
from twisted_s3.protocol.policy.actions import ACTIONS, ActionSet, matching_actions, versioned
from twisted_s3.protocol.policy.keys import CONDITION_KEY_FAMILIES, CONDITION_KEYS, actions_with


class ActionTests(SynchronousTestCase):
    def test_what_operations_need_is_known(self) -> None:
        for operation in OPERATIONS:
            if operation.handler is None:
                continue
            kind = ACTIONS[operation.action]
            if operation.level == OBJECT:
                self.assertEqual(kind, actions.OBJECT, operation.name)
            elif operation.level == BUCKET and operation.name not in ("DeleteObjects", "PostObject"):
                self.assertEqual(kind, actions.BUCKET, operation.name)

    def test_keys_come_with_known_actions(self) -> None:
        for table in (CONDITION_KEYS, CONDITION_KEY_FAMILIES):
            for key, names in table.items():
                self.assertEqual(key, key.lower())
                self.assertLessEqual(names or frozenset(), set(ACTIONS), key)

    def test_actions_with(self) -> None:
        self.assertIsNone(actions_with("aws:whatever"))
        self.assertIsNone(actions_with("s3:tlsversion"))
        self.assertEqual(actions_with("s3:prefix"), {"s3:ListBucket", "s3:ListBucketVersions"})
        self.assertIn("s3:PutObject", actions_with("s3:requestobjecttag/a/b") or ())
        for key in ("", "aws:", "s3:", "s3:none", "prefix", "s3:existingobjecttag", "s3:existingobjecttag/", "ec2:x"):
            self.assertRaises(KeyError, actions_with, key)

    def test_versioned(self) -> None:
        self.assertEqual(versioned("s3:GetObject"), "s3:GetObjectVersion")
        self.assertEqual(versioned("s3:PutObjectTagging"), "s3:PutObjectVersionTagging")
        self.assertEqual(versioned("s3:DeleteObject"), "s3:DeleteObjectVersion")
        for action in ("s3:PutObject", "s3:GetObjectRetention", "s3:ListBucket", "s3:GetObjectVersion"):
            self.assertEqual(versioned(action), action)

    def test_patterns(self) -> None:
        self.assertEqual(matching_actions("S3:getobject"), {"s3:GetObject"})
        self.assertEqual(matching_actions("s3:*"), set(ACTIONS))
        self.assertEqual(matching_actions("s3:?etObjectAcl"), {"s3:GetObjectAcl"})
        self.assertEqual(matching_actions("s3:nothing"), set())
        named = ActionSet.of(["s3:Get*", "S3:PutObject"])
        self.assertTrue(named.includes("s3:getobject"))
        self.assertTrue(named.includes("s3:putobject"))
        self.assertFalse(named.includes("s3:putobjectacl"))
