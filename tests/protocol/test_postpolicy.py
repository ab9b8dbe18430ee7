"""Policy documents of upload forms."""

from __future__ import annotations

import contextlib
import time
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.forms import encode_policy, policy_document
from twisted_s3.errors import S3Error
from twisted_s3.protocol.postpolicy import PostPolicy, parse_policy

EXPIRATION = "2030-01-02T03:04:05.678Z"
SECONDS = 1893553445.0


def parsed(*conditions: Any) -> PostPolicy:
    """A policy with these conditions."""
    return parse_policy(encode_policy({"expiration": EXPIRATION, "conditions": conditions}))


def verdict(fields: Mapping[str, str], *conditions: Any, bucket: str = "bucket", now: float = 0) -> str:
    """The message that refuses a form, "" when nothing does. The policy allows every bucket."""
    try:
        parsed(*conditions, ["starts-with", "$bucket", ""]).check(fields, bucket, now)
    except S3Error as error:
        assert (error.code, error.status) == ("AccessDenied", 403)
        return error.message
    return ""


def failed(condition: str) -> str:
    """The message of a condition that does not hold."""
    return f"Invalid according to Policy: Policy Condition failed: {condition}"


class Documents(SynchronousTestCase):
    """What is a policy."""

    def refused(self, document: Any, message: str, code: str = "InvalidPolicyDocument") -> None:
        """Check the refusal of a document."""
        error = self.assertRaises(S3Error, parse_policy, encode_policy(document))
        self.assertEqual((error.code, error.message), (code, message))

    def test_document(self) -> None:
        """Expiration, conditions of every kind, the bounds of the size."""
        policy = parsed(
            {"bucket": "b"}, ["eq", "$key", "k"], ["Starts-With", "$acl", ""], ["content-length-range", 2, 9]
        )
        self.assertEqual(next(str(each) for each in policy.conditions), '["eq", "$bucket", "b"]')
        self.assertEqual(len(policy.conditions), 3)
        self.assertEqual((policy.expiration, policy.smallest, policy.largest), (SECONDS, 2, 9))
        self.assertEqual(parsed().largest, None)

    def test_ranges(self) -> None:
        """Several hold together; numbers may be quoted."""
        policy = parsed(["content-length-range", "2", "9"], ["content-length-range", 1, 5])
        self.assertEqual((policy.smallest, policy.largest), (2, 5))

    def test_bad_json(self) -> None:
        """Not base64, not UTF-8, not JSON, not an object."""
        for encoded in ("%%%", "e30", encode_policy("{"), b64encode(b'"\xff"').decode(), "", encode_policy("[" * 9000)):
            error = self.assertRaises(S3Error, parse_policy, encoded)
            self.assertEqual((error.code, error.message), ("InvalidPolicyDocument", "Invalid Policy: Invalid JSON."))
        for document in ("[]", "1", '{"expiration": NaN}', '{"expiration": ' + "9" * 5000 + "}"):
            self.refused(document, "Invalid Policy: Invalid JSON.")

    def test_as_documented(self) -> None:
        """The examples of AWS have a comma after the last item, and escapes that JSON lacks."""
        conditions = '[{"key": "a,]\\$\\v\\\\\\"\\u00e9"}, ],\n'
        text = f'{{"expiration": "{EXPIRATION}", "conditions": {conditions}}}'
        self.assertEqual(parse_policy(encode_policy(text)).conditions[0].value, 'a,]$\v\\"é')

    def test_missing(self) -> None:
        """Names are case-sensitive."""
        self.refused({"EXPIRATION": EXPIRATION, "conditions": []}, "Invalid Policy: Policy missing expiration.")
        self.refused({"expiration": EXPIRATION, "CONDITIONS": []}, "Invalid Policy: Policy missing conditions.")

    def test_bad_expiration(self) -> None:
        """ISO 8601 in UTC."""
        for text in ("tomorrow", "2030-02-30T00:00:00Z", "2030-01-01 00:00:00", "2030-01-01T00:00:00+00:00", 5):
            self.refused(
                {"expiration": text, "conditions": []}, f"Invalid Policy: Invalid 'expiration' value: '{text}'"
            )

    def test_bad_conditions(self) -> None:
        """Each with its own text."""
        simple = "Invalid Simple-Condition: "
        for condition, text in (
            ("x", "Invalid condition test: must be a List or Object."),
            ({}, simple + "Simple-Conditions must have exactly one property specified."),
            ({"a": "1", "b": "2"}, simple + "Simple-Conditions must have exactly one property specified."),
            ({"a": 1}, simple + "value must be a string."),
            ([], "Invalid Condition: missing operation identifier."),
            (["ne", "$a", "b"], "Invalid Condition: unknown operation 'ne'."),
            (["eq", "$a"], "Invalid eq: wrong number of arguments."),
            (["content-length-range", 0], "Invalid content-length-range: wrong number of arguments."),
            (["content-length-range", 0, 1.5], "Invalid content-length-range: arguments must be integers."),
            (["content-length-range", 0, True], "Invalid content-length-range: arguments must be integers."),
            (["starts-with", "$a", 1], "Invalid starts-with: arguments must be strings."),
        ):
            self.refused({"expiration": EXPIRATION, "conditions": [condition]}, f"Invalid Policy: {text}")
        self.refused(
            {"expiration": EXPIRATION, "conditions": {}}, "Invalid Policy: Invalid 'conditions' value: must be a List."
        )
        for condition, text in (
            (["eq", "key", "k"], '["eq", "key", "k"]'),
            (["content-length-range", "a", 1], '["content-length-range", "a", 1]'),
        ):
            self.refused({"expiration": EXPIRATION, "conditions": [condition]}, failed(text), "AccessDenied")

    @given(
        st.recursive(
            st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
            lambda inner: st.one_of(
                st.lists(inner, max_size=4),
                st.dictionaries(st.sampled_from(["expiration", "conditions", "key"]), inner),
            ),
        ),
        st.binary(max_size=40),
    )
    def test_garbage(self, document: Any, raw: bytes) -> None:
        """Nothing but S3Error."""
        for encoded in (
            encode_policy(document),
            encode_policy({"expiration": EXPIRATION, "conditions": document}),
            encode_policy({"expiration": EXPIRATION, "conditions": [document]}),
            b64encode(raw).decode(),
            raw.decode("latin-1"),
        ):
            with contextlib.suppress(S3Error):
                parse_policy(encoded).check({"key": "k"}, "b", 0)


class Checks(SynchronousTestCase):
    """Whether a form keeps to its policy."""

    def test_expired(self) -> None:
        """At the second that it says."""
        self.assertEqual(verdict({}, now=SECONDS - 0.1), "")
        self.assertEqual(verdict({}, now=SECONDS), "Invalid according to Policy: Policy expired.")

    def test_exact(self) -> None:
        """In both spellings; values are case-sensitive, names are not."""
        for condition in ({"aCl": "private"}, ["eq", "$aCl", "private"]):
            self.assertEqual(verdict({"acl": "private"}, condition), "")
            for fields in ({}, {"acl": "Private"}, {"acl": ""}):
                self.assertEqual(verdict(fields, condition), failed('["eq", "$aCl", "private"]'))

    def test_prefix(self) -> None:
        """An empty one allows any value."""
        condition = ["starts-with", "$key", "user/"]
        self.assertEqual(verdict({"key": "user/x"}, condition), "")
        self.assertEqual(verdict({"key": "use"}, condition), failed('["starts-with", "$key", "user/"]'))
        self.assertEqual(verdict({}, condition), failed('["starts-with", "$key", "user/"]'))
        self.assertEqual(verdict({"key": "x"}, ["starts-with", "$key", ""]), "")

    def test_content_types(self) -> None:
        """Of a list each must have the prefix."""
        condition = ["starts-with", "$Content-Type", "image/"]
        self.assertEqual(verdict({"content-type": "image/png, image/jpeg"}, condition), "")
        self.assertNotEqual(verdict({"content-type": "image/png,text/html"}, condition), "")
        self.assertEqual(verdict({"x-amz-meta-a": "a,b"}, ["starts-with", "$x-amz-meta-a", "a"]), "")

    def test_bucket(self) -> None:
        """The one that the form was sent to counts, not the one that it names."""
        self.assertEqual(verdict({}, {"bucket": "bucket"}), "")
        self.assertEqual(
            verdict({"bucket": "mine"}, {"bucket": "mine"}, bucket="yours"), failed('["eq", "$bucket", "mine"]')
        )

    def test_extra_fields(self) -> None:
        """Every field must be named, but those that sign the form and those to be ignored."""
        free = dict.fromkeys(("policy", "signature", "x-amz-signature", "awsaccesskeyid", "x-ignore-me"), "")
        self.assertEqual(verdict({**free, "key": "k"}, {"key": "k"}), "")
        self.assertEqual(
            verdict({"tagging": "", "key": "k", "content-type": ""}, {"key": "k"}),
            "Invalid according to Policy: Extra input fields: content-type, tagging",
        )

    def test_bucket_must_be_named(self) -> None:
        """A policy for no bucket is a policy for none."""
        error = self.assertRaises(S3Error, parsed({"key": "k"}).check, {"key": "k"}, "bucket", 0)
        self.assertEqual(error.message, "Invalid according to Policy: Extra input fields: bucket")

    def test_fresh_document(self) -> None:
        """A document as other tests make it is good for its time."""
        policy = parse_policy(encode_policy(policy_document([{"bucket": "b"}], 60)))
        policy.check({}, "b", time.time())
        self.assertRaises(S3Error, policy.check, {}, "b", time.time() + 61)

    @given(
        st.dictionaries(st.sampled_from(["key", "acl", "x-ignore-a", "policy"]), st.text("ab", max_size=2)),
        st.lists(
            st.one_of(
                st.dictionaries(
                    st.sampled_from(["key", "ACL", "bucket"]), st.text("ab", max_size=2), min_size=1, max_size=1
                ),
                st.tuples(
                    st.sampled_from(["eq", "starts-with"]),
                    st.sampled_from(["$key", "$Acl", "$bucket"]),
                    st.text("ab", max_size=2),
                ).map(list),
            ),
            max_size=3,
        ),
        st.text("ab", max_size=2),
    )
    def test_against_a_plain_reading(self, fields: dict[str, str], conditions: list[Any], bucket: str) -> None:
        """The same verdict as rules written out one by one."""
        allowed, named = True, {"policy", "x-ignore-a", "bucket"}
        values = {**fields, "bucket": bucket}
        for condition in conditions:
            operator, name, wanted = (
                condition if isinstance(condition, list) else ("eq", *next(iter(condition.items())))
            )
            name = name.replace("$", "").lower()
            named.add(name)
            if operator == "eq":
                allowed = allowed and name in values and values[name] == wanted
            else:
                allowed = allowed and values.get(name, "")[: len(wanted)] == wanted
        allowed = allowed and set(fields) <= named
        self.assertEqual(verdict(fields, *conditions, bucket=bucket) == "", allowed)
