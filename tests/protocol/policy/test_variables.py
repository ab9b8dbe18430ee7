"""Policy variables."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.protocol.policy.asking import ALICE, ALLOW, DENY, NEUTRAL, ask, bucket_policy, statement
from twisted_s3.protocol.policy.patterns import glob
from twisted_s3.protocol.policy.variables import compile_pattern

KEYS = {"aws:username": ("al*ice",), "s3:prefix": ("a", "b"), "aws:userid": ("",)}


def matches(pattern: str, text: str, variables: bool = True) -> bool | None:
    """Whether a pattern matches; None where a variable in it has no value."""
    matcher = compile_pattern(pattern, glob, True, variables).matcher(KEYS)
    return None if matcher is None else matcher(text)


class VariableTests(SynchronousTestCase):
    def test_table(self) -> None:
        for pattern, text, expected in (
            ("home/${aws:username}/*", "home/al*ice/x", True),
            ("home/${aws:username}/*", "home/alXice/x", False),
            ("home/${AWS:UserName}/*", "home/al*ice/", True),
            ("${ aws:username , 'x' }", "al*ice", True),
            ("${aws:nothing, 'no body*'}", "no body*", True),
            ("${aws:nothing, 'no body*'}", "no bodyX", False),
            ("${aws:nothing,''}", "", True),
            ("${aws:nothing}", "", None),
            ("x${aws:userid}y", "xy", True),
            ("${s3:prefix}", "a", None),
            ("${s3:prefix, 'c'}", "c", True),
            ("${*}${?}${$}", "*?$", True),
            ("${*}", "x", False),
            ("a${", "a${", True),
            ("${}", "${}", True),
            ("${x, y}", "${x, y}", True),
            ("$a}", "$a}", True),
        ):
            self.assertEqual(matches(pattern, text), expected, (pattern, text))

    def test_without_variables_the_text_stands_for_itself(self) -> None:
        self.assertTrue(matches("${aws:username}*", "${aws:username}x", variables=False))

    def test_a_value_is_no_pattern(self) -> None:
        policy = bucket_policy(statement(Resource="arn:aws:s3:::b/${aws:username}/*"))
        self.assertIs(ask(policy, key="x/y", keys={"aws:username": ("*",)}), NEUTRAL)
        self.assertIs(ask(policy, key="*/y", keys={"aws:username": ("*",)}), ALLOW)

    def test_only_the_current_version_has_them(self) -> None:
        changes = {"Resource": "arn:aws:s3:::b/${aws:username}"}
        keys = {"aws:username": ("alice",)}
        self.assertIs(ask(bucket_policy(statement(**changes)), key="alice", keys=keys), ALLOW)
        old = bucket_policy(statement(**changes), version="2008-10-17")
        self.assertIs(ask(old, key="alice", keys=keys), NEUTRAL)
        self.assertIs(ask(old, key="${aws:username}", keys=keys), ALLOW)

    def test_without_a_value_nothing_is_allowed(self) -> None:
        home = "arn:aws:s3:::b/${aws:username}/*"
        condition = {"StringNotEquals": {"s3:prefix": "${aws:username}"}}
        listing = {"Action": "s3:ListBucket", "Resource": "arn:aws:s3:::b", "Condition": condition}
        asked = {"action": "s3:ListBucket", "key": None, "keys": {"s3:prefix": ("x",)}}
        for effect, positive, negative in (("Allow", NEUTRAL, NEUTRAL), ("Deny", NEUTRAL, DENY)):
            self.assertIs(ask(bucket_policy(statement(Effect=effect, Resource=home))), positive)
            inverted = bucket_policy(statement(Effect=effect, Resource=None, NotResource=home))
            self.assertIs(ask(inverted), negative)
            self.assertIs(ask(bucket_policy(statement(Effect=effect, **listing)), ALICE, **asked), negative)

    @given(st.text("${}*?',: ab", max_size=20), st.text("ab${}*?", max_size=10))
    def test_any_text_compiles(self, pattern: str, text: str) -> None:
        self.assertIn(matches(pattern, text), (True, False, None))
        self.assertTrue(compile_pattern(pattern, glob, False, False).matcher({})(pattern))  # type: ignore[misc]

    def test_long_values_take_no_long_time(self) -> None:
        pattern = compile_pattern("*${aws:useragent}" * 1000 + "x", glob, True, True)
        matcher = pattern.matcher({"aws:useragent": ("a" * 8000,)})
        assert matcher is not None
        self.assertFalse(matcher("a" * 8000))
        self.assertFalse(compile_pattern("${" + " " * 20000, glob, True, True).matcher({})("x"))  # type: ignore[misc]
