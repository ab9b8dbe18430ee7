"""Policy documents: what is refused, and with which words."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.protocol.policy.asking import (
    ALICE,
    ALLOW,
    BOB,
    NEUTRAL,
    ask,
    bucket_policy,
    document,
    refusal,
    statement,
    user_policy,
)
from twisted_s3.protocol.documentcache import DocumentCache
from twisted_s3.protocol.policy.documents import MAX_SIZE, parse_bucket_policy, parse_user_policy

NOT_JSON = "Policies must be valid JSON and the first byte must be '{'"
BAD_JSON = "This policy contains invalid Json"
SYNTAX = "Invalid policy syntax."
PRINCIPAL = "Invalid principal in policy"
RESOURCE = "Policy has invalid resource"
ACTION = "Policy has invalid action"
APPLY = "Action does not apply to any resource(s) in statement"
CONDITIONS = "Conditions do not apply to combination of actions and resources in statement"
BUCKET = "arn:aws:s3:::b"
TEXTS = (
    (b"", NOT_JSON),
    (b"[]", NOT_JSON),
    (b' {"Statement": []}', NOT_JSON),
    (b"\xef\xbb\xbf{}", NOT_JSON),
    (b"{", BAD_JSON),
    (b"{}x", BAD_JSON),
    (b'{"a": NaN}', BAD_JSON),
    (b'{"Id": "\xff"}', BAD_JSON),
    (b'{"Id": "a", "Id": "b"}', BAD_JSON),
    (b'{"a":' + b"[" * 100_000, BAD_JSON),
    (b"{}", "Missing required field Statement"),
    (b'{"Statement": []}', "Could not parse the policy: Statement is empty!"),
    (b'{"Statement": "x"}', SYNTAX),
    (b'{"Statement": [1]}', SYNTAX),
    (b'{"Statement": [null]}', SYNTAX),
    (b'{"Statement": [{}]}', "Missing required field Effect"),
    (b'{"statement": []}', "Unknown field statement"),
    (b'{"a\\u0000\\ud800": 1}', "Unknown field a??"),
    (b'{"Version": "2020-01-01", "Statement": []}', "The policy must contain a valid version string"),
    (b'{"Version": ["2012-10-17"], "Statement": []}', "The policy must contain a valid version string"),
    (b'{"Id": 5, "Statement": []}', SYNTAX),
)
STATEMENTS: tuple[tuple[dict[str, Any], str], ...] = (
    ({"Effect": "allow"}, "Invalid effect: allow"),
    ({"Effect": True}, SYNTAX),
    ({"Sid": 1}, SYNTAX),
    ({"condition": {}}, "Unknown field condition"),
    ({"Principal": None}, "Missing required field Principal"),
    ({"Principal": {}}, "Missing required field Principal cannot be empty!"),
    ({"Principal": "alice"}, SYNTAX),
    ({"Principal": ["*"]}, SYNTAX),
    ({"Principal": {"AWS": 5}}, SYNTAX),
    ({"Principal": {"AWS": []}}, PRINCIPAL),
    ({"Principal": {"AWS": "alice"}}, PRINCIPAL),
    ({"Principal": {"AWS": "arn:aws:iam::1:user/*"}}, PRINCIPAL),
    ({"Principal": {"AWS": "arn:aws:iam::1:group/g"}}, PRINCIPAL),
    ({"Principal": {"AWS": "arn:aws:iam:::root"}}, PRINCIPAL),
    ({"Principal": {"AWS": "arn:aws:s3:::b"}}, PRINCIPAL),
    ({"Principal": {"AWS": ["*", "x"]}}, PRINCIPAL),
    ({"Principal": {"CanonicalUser": "*"}}, PRINCIPAL),
    ({"Principal": {"Service": "*"}}, PRINCIPAL),
    ({"Principal": {"Federated": "*"}}, PRINCIPAL),
    ({"Principal": {"Group": "x"}}, PRINCIPAL),
    ({"NotPrincipal": "*"}, "Statement/policy already has instance of Principal"),
    ({"Principal": None, "NotPrincipal": {"AWS": "1" * 12}}, "Allow with NotPrincipal is not allowed."),
    ({"Action": None}, "Missing required field Action"),
    ({"Action": []}, "Missing required field Action cannot be empty!"),
    ({"NotAction": "s3:PutObject"}, "Statement/policy already has instance of Action"),
    ({"Action": 5}, SYNTAX),
    ({"Action": [["s3:GetObject"]]}, SYNTAX),
    ({"Action": "GetObject"}, ACTION),
    ({"Action": "s3:Nothing"}, ACTION),
    ({"Action": ["s3:GetObject", "ec2:*"]}, ACTION),
    ({"Resource": None}, "Missing required field Resource"),
    ({"Resource": ""}, "Missing required field Resource cannot be empty!"),
    ({"NotResource": BUCKET}, "Statement/policy already has instance of Resource"),
    ({"Resource": "*"}, RESOURCE),
    ({"Resource": "b/*"}, RESOURCE),
    ({"Resource": "arn:aws:s3:::other/*"}, RESOURCE),
    ({"Resource": "arn:aws:s3:::bb/*"}, RESOURCE),
    ({"Resource": ["arn:aws:s3:::b/*", "arn:aws:s3:us-east-1:1:b/*"]}, RESOURCE),
    ({"Resource": None, "NotResource": "arn:aws:s3:::other/*"}, RESOURCE),
    ({"Resource": BUCKET}, APPLY),
    ({"Action": "s3:ListBucket"}, APPLY),
    ({"Action": ["s3:GetObject", "s3:ListBucket"]}, APPLY),
    ({"Action": "s3:ListAllMyBuckets", "Resource": "arn:aws:s3:::*"}, APPLY),
    ({"Condition": []}, SYNTAX),
    ({"Condition": {"Bool": "x"}}, SYNTAX),
    ({"Condition": {"Bool": {"aws:SecureTransport": []}}}, SYNTAX),
    ({"Condition": {"Bool": {"aws:SecureTransport": None}}}, SYNTAX),
    ({"Condition": {"Bool": {"aws:SecureTransport": {}}}}, SYNTAX),
    ({"Condition": {"Same": {"aws:Referer": "x"}}}, "Invalid Condition type : Same"),
    ({"Condition": {"StringEquals": {"Referer": "x"}}}, "Policy has an invalid condition key"),
    ({"Condition": {"StringEquals": {"s3:x-acl": "x"}}}, "Policy has an invalid condition key"),
    ({"Condition": {"StringEquals": {"s3:prefix": "x"}}}, CONDITIONS),
    (
        {
            "Action": ["s3:ListBucket", "s3:GetBucketLocation"],
            "Resource": BUCKET,
            "Condition": {"StringEquals": {"s3:prefix": "x"}},
        },
        CONDITIONS,
    ),
    ({"Condition": {"IpAddress": {"aws:SourceIp": "1.2.3"}}}, "Invalid IP address in Conditions"),
    ({"Condition": {"NotIpAddress": {"aws:SourceIp": "1.2.3.4/33"}}}, "Invalid IP address in Conditions"),
    ({"Condition": {"NumericEquals": {"aws:x": "ten"}}}, "Policy has an invalid condition value"),
    ({"Condition": {"DateEquals": {"aws:x": "2024-02-30"}}}, "Policy has an invalid condition value"),
    ({"Condition": {"Bool": {"aws:x": "yes"}}}, "Policy has an invalid condition value"),
    ({"Condition": {"Null": {"aws:x": "yes"}}}, "Policy has an invalid condition value"),
    ({"Condition": {"BinaryEquals": {"aws:x": "?"}}}, "Policy has an invalid condition value"),
)
ACCEPTED: tuple[dict[str, Any], ...] = (
    {"Sid": "Several words", "Effect": "Deny"},
    {"Principal": {"AWS": "111122223333", "CanonicalUser": ["a" * 64], "Service": "logging.s3.amazonaws.com"}},
    {"Principal": {"AWS": ["arn:aws:iam::tenant:root", "arn:aws-cn:iam::1:role/path/r", "*"]}},
    {"Principal": {"AWS": "arn:aws:sts::111122223333:assumed-role/r/session", "Federated": "accounts.example"}},
    {"Effect": "Deny", "Principal": None, "NotPrincipal": {"AWS": "arn:aws:iam:::user/some one"}},
    {"Action": "*", "Resource": [BUCKET, BUCKET + "/*"]},
    {"Action": "S3:GETOBJECT"},
    {"Action": "s3:ListBucket", "Resource": [BUCKET, BUCKET + "/*"]},
    {"Action": "s3:ListBucket", "Resource": ["arn:aws:s3:::*", "arn:aws:s3:::*/*"]},
    {"Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "arn:aws:s3:::?*"},
    {"Action": None, "NotAction": "s3:GetObject", "Resource": BUCKET},
    {"Resource": None, "NotResource": BUCKET},
    {"Resource": "arn:aws:s3:::${aws:PrincipalTag/bucket}/x"},
    {"Condition": {}},
    {"Condition": {"NumericLessThan": {"aws:EpochTime": 1.5e3}, "Bool": {"aws:SecureTransport": [True, "false"]}}},
    {"Condition": {"StringEquals": {"S3:ExistingObjectTag/Some Key": "x"}}},
    {"Action": "s3:*", "Resource": "arn:aws:s3:::b*", "Condition": {"StringLike": {"s3:prefix": "x"}}},
)


class BucketPolicyTests(SynchronousTestCase):
    def test_refused_texts(self) -> None:
        for text, reason in TEXTS:
            found = refusal(lambda text=text: parse_bucket_policy(text, "b"))  # type: ignore[misc]
            self.assertEqual(found, ("MalformedPolicy", reason), text[:60])

    def test_refused_statements(self) -> None:
        for changes, reason in STATEMENTS:
            found = refusal(lambda changes=changes: bucket_policy(statement(**changes)))  # type: ignore[misc]
            self.assertEqual(found, ("MalformedPolicy", reason), changes)

    def test_every_statement_is_looked_at(self) -> None:
        found = refusal(lambda: bucket_policy(statement(), statement(Effect="x")))
        self.assertEqual(found, ("MalformedPolicy", "Invalid effect: x"))

    def test_accepted(self) -> None:
        for changes in ACCEPTED:
            self.assertIsNone(refusal(lambda changes=changes: bucket_policy(statement(**changes))), changes)  # type: ignore[misc]

    def test_elements(self) -> None:
        text = json.dumps({"Id": "i", "Statement": statement(Sid="s")}).encode()
        policy = parse_bucket_policy(text, "b")
        self.assertEqual((policy.id, policy.version, policy.statements[0].sid), ("i", "2008-10-17", "s"))

    def test_size(self) -> None:
        def text(extra: int, indent: int | None = None) -> bytes:
            padded = {"Statement": [statement(Sid="x" * extra)]}
            return json.dumps(padded, separators=(",", ":") if indent is None else None, indent=indent).encode()

        fits = MAX_SIZE - len(text(0))
        self.assertEqual(len(text(fits)), MAX_SIZE)
        self.assertIsNone(refusal(lambda: parse_bucket_policy(text(fits), "b")))
        self.assertIsNone(refusal(lambda: parse_bucket_policy(text(fits, indent=8), "b")))
        reason = "Normalized policy document exceeds the maximum allowed size of 20480 bytes"
        self.assertEqual(refusal(lambda: parse_bucket_policy(text(fits + 1), "b")), ("MalformedPolicy", reason))

    @given(st.binary(max_size=60))
    def test_garbage(self, data: bytes) -> None:
        for text in (data, b"{" + data, b'{"Statement":[{' + data + b"}]}"):
            for parse in (parse_user_policy, lambda one: parse_bucket_policy(one, "b")):
                found = refusal(lambda text=text, parse=parse: parse(text))  # type: ignore[misc]
                self.assertEqual((found or ("MalformedPolicy",))[0], "MalformedPolicy")

    @given(
        st.dictionaries(
            st.sampled_from(("Sid", "Effect", "Principal", "NotPrincipal", "Action", "Resource", "Condition", "x")),
            st.recursive(
                st.sampled_from(("*", "Allow", "s3:*", "arn:aws:s3:::b*", "AWS", "${", 1, 2.5, None, True, "")),
                lambda inner: st.one_of(
                    st.lists(inner, max_size=2),
                    st.dictionaries(st.sampled_from(("AWS", "Bool", "Null", "aws:x", "StringLike")), inner, max_size=2),
                ),
                max_leaves=6,
            ),
        )
    )
    def test_wrong_shapes(self, changes: dict[str, Any]) -> None:
        for fields in (changes, {**statement(), **changes}):
            found = refusal(lambda fields=fields: parse_bucket_policy(document(fields), "b"))  # type: ignore[misc]
            self.assertEqual((found or ("MalformedPolicy",))[0], "MalformedPolicy")


class UserPolicyTests(SynchronousTestCase):
    def test_refusals(self) -> None:
        for changes, reason in (
            ({}, "Policy document should not specify a principal."),
            ({"Principal": None, "NotPrincipal": "*"}, "Policy document should not specify a principal."),
            ({"Principal": None, "Resource": "b/*"}, 'Resource b/* must be in ARN format or "*".'),
            ({"Principal": None, "Action": "s3:Nothing"}, "Policy has invalid action"),
            (
                {"Principal": None, "Action": "GetObject"},
                "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
            ),
            ({"Principal": None, "Condition": {"Same": {}}}, "Invalid Condition type : Same"),
        ):
            found = refusal(lambda changes=changes: user_policy(statement(**changes)))  # type: ignore[misc]
            self.assertEqual(found, ("MalformedPolicy", reason), changes)

    def test_any_bucket_and_any_service(self) -> None:
        policy = user_policy(statement(Principal=None, Action=["s3:Get*", "iam:*"], Resource="*"))
        self.assertIs(ask(policy, BOB, bucket="any"), ALLOW)
        self.assertIs(ask(policy, BOB, action="s3:PutObject"), NEUTRAL)
        everything = user_policy(statement(Principal=None, Action="*", Resource="*"))
        self.assertIs(ask(everything, action="s3:ListAllMyBuckets", bucket="*", key=None), ALLOW)
        # What applies to no resource of the statement is inert in the policy of a user, not refused.
        self.assertIs(ask(user_policy(statement(Principal=None, Action="s3:ListBucket")), ALICE), NEUTRAL)


class CacheTests(SynchronousTestCase):
    def test_keeps_what_was_asked_for_last(self) -> None:
        cache = DocumentCache(parse_bucket_policy, 2)
        texts = [document(statement(Sid=str(number))) for number in range(3)]
        first = cache.get(texts[0], "b")
        second = cache.get(texts[1], "b")
        self.assertIs(cache.get(texts[0], "b"), first)
        cache.get(texts[2], "b")
        self.assertEqual(len(cache), 2)
        self.assertIs(cache.get(texts[0], "b"), first)
        self.assertIsNot(cache.get(texts[1], "b"), second)

    def test_a_text_is_for_its_bucket(self) -> None:
        cache = DocumentCache(parse_bucket_policy)
        cache.get(document(statement()), "b")
        self.assertEqual(refusal(lambda: cache.get(document(statement()), "c")), ("MalformedPolicy", RESOURCE))
        self.assertEqual(len(cache), 1)
