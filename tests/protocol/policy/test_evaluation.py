"""What policies say of requests."""

from __future__ import annotations

import timeit
from typing import Any

from msgspec import structs
from twisted.trial.unittest import SynchronousTestCase

from tests.protocol.policy.asking import ALICE, ALLOW, BOB, DENY, NEUTRAL, ask, bucket_policy, statement
from twisted_s3.protocol.policy.evaluation import Request, evaluate, resource_arn
from twisted_s3.protocol.policy.principals import ANONYMOUS, Principal


class PrincipalTests(SynchronousTestCase):
    def check(self, named: Any, *included: Principal) -> None:
        policy = bucket_policy(statement(Principal=named))
        for principal in (ALICE, BOB, ANONYMOUS):
            self.assertIs(ask(policy, principal), ALLOW if principal in included else NEUTRAL, (named, principal))

    def test_everybody(self) -> None:
        self.check("*", ALICE, BOB, ANONYMOUS)
        self.check({"AWS": "*"}, ALICE, BOB, ANONYMOUS)
        self.check({"AWS": ["arn:aws:iam:::user/carol", "*"]}, ALICE, BOB, ANONYMOUS)

    def test_users(self) -> None:
        self.check({"CanonicalUser": ALICE.canonical_id}, ALICE)
        self.check({"CanonicalUser": [ALICE.canonical_id, BOB.canonical_id]}, ALICE, BOB)
        self.check({"AWS": "arn:aws:iam:::user/alice"}, ALICE)
        self.check({"AWS": ALICE.arn}, ALICE)
        self.check({"AWS": "arn:aws:iam:::user/bob"}, BOB)
        self.check({"AWS": BOB.arn}, BOB)
        self.check({"AWS": f"arn:aws:iam::{ALICE.canonical_id}:user/alice"}, ALICE)
        self.check({"AWS": "arn:aws:iam::111122223333:user/alice"})
        self.check({"AWS": "arn:aws:iam::999999999999:user/bob"})
        self.check({"AWS": "arn:aws:iam:::user/Alice"})

    def test_accounts(self) -> None:
        self.check({"AWS": "111122223333"}, BOB)
        self.check({"AWS": "arn:aws:iam::111122223333:root"}, BOB)
        self.check({"AWS": ["999999999999", "arn:aws:iam::tenant:root"]})
        self.check({"AWS": f"arn:aws:iam::{ALICE.canonical_id}:root"}, ALICE)
        self.check({"AWS": ALICE.canonical_id}, ALICE)

    def test_others_are_nobody_here(self) -> None:
        self.check({"Service": "logging.s3.amazonaws.com"})
        self.check({"Federated": "accounts.example"})
        self.check({"AWS": "arn:aws:iam::111122223333:role/bob"})

    def test_services(self) -> None:
        """A service is nobody else, and everybody is a service, too."""
        name = "logging.s3.amazonaws.com"
        logs = Principal(service=name)
        self.assertEqual((logs.anonymous, logs.arn), (False, ""))
        for who, decision in (
            ({"Service": name}, ALLOW),
            ({"Service": ["events.amazonaws.com", name]}, ALLOW),
            ("*", ALLOW),
            ({"Service": "events.amazonaws.com"}, NEUTRAL),
            ({"AWS": [ALICE.arn, ALICE.canonical_id]}, NEUTRAL),
        ):
            self.assertIs(ask(bucket_policy(statement(Principal=who)), logs), decision, who)

    def test_not_principal(self) -> None:
        policy = bucket_policy(statement(Effect="Deny", Principal=None, NotPrincipal={"AWS": ALICE.arn}))
        self.assertIs(ask(policy, ALICE), NEUTRAL)
        self.assertIs(ask(policy, BOB), DENY)
        self.assertIs(ask(policy, ANONYMOUS), DENY)

    def test_arn(self) -> None:
        self.assertEqual(ALICE.arn, "arn:aws:iam:::user/alice")
        self.assertEqual(BOB.arn, "arn:aws:iam::111122223333:user/bob")
        self.assertEqual(ANONYMOUS.arn, "")


class EvaluationTests(SynchronousTestCase):
    def test_actions(self) -> None:
        for action, asked, expected in (
            ("s3:GetObject", "s3:GetObject", ALLOW),
            ("S3:GETOBJECT", "s3:GetObject", ALLOW),
            ("s3:Get*", "s3:GetObjectAcl", ALLOW),
            ("s3:?etObject", "s3:GetObject", ALLOW),
            ("*", "s3:GetObject", ALLOW),
            (["s3:PutObject", "s3:GetObject"], "s3:GetObject", ALLOW),
            ("s3:GetObject", "s3:GetObjectAcl", NEUTRAL),
            ("s3:*", "iam:GetUser", NEUTRAL),
            ("*", "iam:GetUser", NEUTRAL),
        ):
            self.assertIs(ask(bucket_policy(statement(Action=action)), action=asked), expected, (action, asked))

    def test_not_action(self) -> None:
        policy = bucket_policy(statement(Action=None, NotAction=["s3:Put*", "s3:GetObjectAcl"]))
        self.assertIs(ask(policy), ALLOW)
        self.assertIs(ask(policy, action="s3:PutObject"), NEUTRAL)
        self.assertIs(ask(policy, action="s3:GetObjectAcl"), NEUTRAL)

    def test_resources(self) -> None:
        for resource, key, expected in (
            ("arn:aws:s3:::b/*", "a/b", ALLOW),
            ("arn:aws:s3:::b/a*", "a/b", ALLOW),
            ("arn:aws:s3:::b/A*", "a/b", NEUTRAL),
            ("arn:aws:s3:::b/?", "a", ALLOW),
            ("arn:aws:s3:::b/?", "ab", NEUTRAL),
            ("arn:aws:s3:::b*", "a", ALLOW),
            (["arn:aws:s3:::b/x", "arn:aws:s3:::b/a"], "a", ALLOW),
            ("arn:aws:s3:::b/a/", "a", NEUTRAL),
        ):
            self.assertIs(ask(bucket_policy(statement(Resource=resource)), key=key), expected, (resource, key))
        self.assertIs(ask(bucket_policy(statement()), bucket="bb"), NEUTRAL)

    def test_not_resource(self) -> None:
        policy = bucket_policy(statement(Resource=None, NotResource=["arn:aws:s3:::b/x*", "arn:aws:s3:::b/y"]))
        self.assertIs(ask(policy, key="z"), ALLOW)
        self.assertIs(ask(policy, key="xx"), NEUTRAL)
        self.assertIs(ask(policy, key="y"), NEUTRAL)

    def test_denying_wins(self) -> None:
        allow, deny = statement(), statement(Effect="Deny", Resource="arn:aws:s3:::b/secret/*")
        for statements in ((allow, deny), (deny, allow), (allow, deny, allow)):
            policy = bucket_policy(*statements)
            self.assertIs(ask(policy, key="x"), ALLOW)
            self.assertIs(ask(policy, key="secret/x"), DENY)
        self.assertIs(ask(bucket_policy(deny), key="x"), NEUTRAL)
        self.assertIs(evaluate((), Request(ALICE, "s3:GetObject", resource_arn("b", "x"))), NEUTRAL)

    def test_statements_of_several_policies(self) -> None:
        one, other = bucket_policy(statement()), bucket_policy(statement(Effect="Deny"))
        both = structs.replace(one, statements=one.statements + other.statements)
        self.assertIs(ask(both), DENY)

    def test_quick(self) -> None:
        condition = {"StringLike": {"aws:Referer": "https://*.example/*"}, "Bool": {"aws:SecureTransport": "true"}}
        policy = bucket_policy(statement(Condition=condition), statement(Effect="Deny", Action="s3:Put*"))
        keys = {"aws:referer": ("https://a.example/x",), "aws:securetransport": ("true",)}
        asked = Request(ALICE, "s3:GetObject", resource_arn("b", "x"), keys)
        self.assertIs(evaluate(policy.statements, asked), ALLOW)
        best = min(timeit.repeat(lambda: evaluate(policy.statements, asked), number=100, repeat=5)) / 100
        self.assertLess(best, 0.001)
