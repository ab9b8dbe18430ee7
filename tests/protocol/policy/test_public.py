"""The meaning of public."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.protocol.policy.asking import bucket_policy, statement
from twisted_s3.protocol.policy.public import is_public


class PublicTests(SynchronousTestCase):
    def check(self, expected: bool, **changes: Any) -> None:
        self.assertIs(is_public(bucket_policy(statement(**changes))), expected, changes)

    def test_principals(self) -> None:
        self.check(True)
        self.check(True, Principal={"AWS": "*"})
        self.check(True, Principal={"AWS": ["*", "111122223333"]})
        self.check(False, Principal={"AWS": "111122223333"})
        self.check(False, Principal={"AWS": "arn:aws:iam::s3tenant1:root"})
        self.check(False, Principal={"CanonicalUser": "a" * 64})
        self.check(False, Principal={"Service": "logging.s3.amazonaws.com"})
        self.check(False, Effect="Deny")

    def test_addresses(self) -> None:
        for networks, public in (
            ("10.0.0.0/32", False),
            (["192.0.2.0/24", "2001:db8::/32"], False),
            ("10.0.0.0/8", False),
            ("0.0.0.0/0", True),
            ("10.0.0.0/7", True),
            ("::/0", True),
            ("2001::/31", True),
            (["192.0.2.0/24", "0.0.0.0/1"], True),
        ):
            self.check(public, Condition={"IpAddress": {"aws:SourceIp": networks}})
        self.check(True, Condition={"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}})
        self.check(True, Condition={"IpAddressIfExists": {"aws:SourceIp": "192.0.2.0/24"}})

    def test_fixed_values(self) -> None:
        for operator, key, value, public in (
            ("StringEquals", "aws:SourceVpc", "vpc-91237329", False),
            ("StringLike", "aws:SourceVpc", "vpc-*", True),
            ("StringLike", "aws:SourceVpc", "vpc-91237329", False),
            ("StringEquals", "aws:SourceVpc", ["vpc-1", "${aws:x}"], True),
            ("StringNotEquals", "aws:SourceVpc", "vpc-1", True),
            ("StringEqualsIfExists", "aws:SourceVpc", "vpc-1", True),
            ("ForAllValues:StringEquals", "aws:SourceVpc", "vpc-1", True),
            ("ForAnyValue:StringEquals", "aws:PrincipalOrgID", "o-1", False),
            ("ArnLike", "aws:PrincipalArn", "arn:aws:iam::1:user/a", False),
            ("ArnLike", "aws:SourceArn", "arn:aws:s3:::*", True),
            ("Null", "aws:SourceVpc", "false", True),
            ("StringEquals", "aws:userid", "AIDAX", False),
            ("StringLike", "aws:userid", "AROAX:*", True),
            ("StringEquals", "aws:Referer", "https://a.example", True),
        ):
            self.check(public, Condition={operator: {key: value}})

    def test_one_public_statement_is_enough(self) -> None:
        fixed = statement(Principal={"AWS": "111122223333"})
        self.assertFalse(is_public(bucket_policy(fixed, fixed)))
        self.assertTrue(is_public(bucket_policy(fixed, statement())))
        self.assertTrue(is_public(bucket_policy(statement(), statement(Effect="Deny"))))
