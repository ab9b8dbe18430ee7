"""Where condition keys come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.protocol.policy.asking import ALICE, ALLOW, BOB, NEUTRAL, ask, bucket_policy, statement
from tests.protocol.signing import USER
from twisted_s3.protocol.authentication import Verified
from twisted_s3.protocol.head import RequestHead
from twisted_s3.protocol.policy.context import SOURCES, Circumstances, RequestKeys
from twisted_s3.protocol.policy.keys import actions_with
from twisted_s3.protocol.policy.principals import ANONYMOUS, Principal
from twisted_s3.protocol.sigv4 import Seed

NOW = 1_700_000_000.5


def keys(
    query: bytes = b"",
    headers: Mapping[str, str] | None = None,
    principal: Principal = ALICE,
    method: str = "GET",
    secure: bool = False,
    **changes: Any,
) -> RequestKeys:
    """The condition keys of a request."""
    lists = {name: [value] for name, value in (headers or {}).items()}
    head = RequestHead(method, b"/b/k", query, lists, secure)
    changes = {"verified": None, "time": NOW, **changes}
    return RequestKeys(Circumstances(head, principal, **changes))


class KeyTests(SynchronousTestCase):
    def test_sources_are_keys_of_s3(self) -> None:
        for key in SOURCES:
            actions_with(key)

    def test_headers(self) -> None:
        for name in ("acl", "metadata-directive", "server-side-encryption", "storage-class", "grant-read"):
            self.assertEqual(keys(headers={f"x-amz-{name}": "v"})[f"s3:x-amz-{name}"], ("v",), name)
        for key, name in (
            ("aws:referer", "referer"),
            ("aws:useragent", "user-agent"),
            ("s3:if-match", "if-match"),
            ("s3:if-none-match", "if-none-match"),
            ("s3:object-lock-mode", "x-amz-object-lock-mode"),
        ):
            self.assertEqual(keys(headers={name: "v"})[key], ("v",))
            self.assertNotIn(key, keys())

    def test_parameters(self) -> None:
        found = keys(b"prefix=a%2Fb&delimiter=/&max-keys=5&versionId=v")
        for key, value in (("prefix", "a/b"), ("delimiter", "/"), ("max-keys", "5"), ("versionid", "v")):
            self.assertEqual(found[f"s3:{key}"], (value,))
        self.assertEqual(keys(b"prefix=")["s3:prefix"], ("",))
        self.assertNotIn("s3:prefix", keys())

    def test_who(self) -> None:
        for principal, expected in (
            (ALICE, ("alice", ALICE.canonical_id, ALICE.arn, "User", ALICE.canonical_id)),
            (BOB, ("bob", BOB.canonical_id, BOB.arn, "User", BOB.account)),
            (ANONYMOUS, (None, "anonymous", None, "Anonymous", None)),
        ):
            found = keys(principal=principal)
            names = ("username", "userid", "principalarn", "principaltype", "principalaccount")
            for name, value in zip(names, expected, strict=True):
                self.assertEqual(found.get(f"aws:{name}"), () if value is None else (value,), name)

    def test_where_and_when(self) -> None:
        found = keys(address="::ffff:192.0.2.1", secure=True, region="r", resource_account="o", tls_version="1.3")
        for key, value in (
            ("aws:sourceip", "192.0.2.1"),
            ("aws:securetransport", "true"),
            ("aws:requestedregion", "r"),
            ("s3:resourceaccount", "o"),
            ("aws:resourceaccount", "o"),
            ("s3:tlsversion", "1.3"),
            ("aws:currenttime", "2023-11-14T22:13:20.000Z"),
            ("aws:epochtime", "1700000000"),
        ):
            self.assertEqual(found[key], (value,), key)
        self.assertEqual(keys()["aws:securetransport"], ("false",))
        for key in ("aws:sourceip", "s3:tlsversion", "aws:requestedregion"):
            self.assertNotIn(key, keys(address="unix"))

    def test_how_it_was_signed(self) -> None:
        seed = Seed("", "", b"", "", "20231114T221318Z")
        for verified, expected in (
            (None, (None, None, None)),
            (Verified(USER), ("REST-HEADER", "AWS", None)),
            (Verified(USER, seed=seed), ("REST-HEADER", "AWS4-HMAC-SHA256", "2500")),
            (Verified(USER, seed=seed, presigned=True), ("REST-QUERY-STRING", "AWS4-HMAC-SHA256", "2500")),
        ):
            found = keys(verified=verified)
            for name, value in zip(("authtype", "signatureversion", "signatureage"), expected, strict=True):
                self.assertEqual(found.get(f"s3:{name}"), () if value is None else (value,), name)
        self.assertEqual(keys(authentication="POST")["s3:authtype"], ("POST",))

    def test_copy_source_is_the_same_however_it_is_written(self) -> None:
        for written in ("b/p/k", "/b/p/k", "b%2Fp%2Fk", "/b/%70/k?versionId=v"):
            self.assertEqual(keys(headers={"x-amz-copy-source": written})["s3:x-amz-copy-source"], ("b/p/k",), written)
        self.assertEqual(keys(headers={"x-amz-copy-source": "b"})["s3:x-amz-copy-source"], ("b",))

    def test_tags_of_the_request(self) -> None:
        found = keys(headers={"x-amz-tagging": "Team=a+b&cost=%C3%A4"})
        self.assertEqual(found["s3:requestobjecttag/team"], ("a b",))
        self.assertEqual(found["s3:requestobjecttag/cost"], ("ä",))
        self.assertEqual(found["s3:requestobjecttagkeys"], ("Team", "cost"))
        for none in (keys(), keys(headers={"x-amz-tagging": ""}), keys(headers={"x-amz-tagging": "%ff=x"})):
            self.assertNotIn("s3:requestobjecttagkeys", none)
            self.assertNotIn("s3:requestobjecttag/team", none)

    def test_existing_tags_are_loaded_once_and_only_when_asked_for(self) -> None:
        loads = []

        def load() -> Mapping[str, str]:
            loads.append(1)
            return {"security": "public"}

        found = keys(existing_tags=load)
        plain, tagged = statement(), statement(Condition={"StringEquals": {"s3:ExistingObjectTag/security": "public"}})
        self.assertIs(ask(bucket_policy(plain), keys=found), ALLOW)
        self.assertEqual(loads, [])
        self.assertIs(ask(bucket_policy(tagged), keys=found), ALLOW)
        self.assertNotIn("s3:existingobjecttag/other", found)
        self.assertEqual(loads, [1])
        self.assertIs(ask(bucket_policy(tagged), keys=keys()), NEUTRAL)

    def test_policies_say_whether_they_need_existing_tags(self) -> None:
        for changes, expected in (
            ({}, False),
            ({"Condition": {"Null": {"S3:ExistingObjectTag/a": "true"}}}, True),
            ({"Condition": {"StringEquals": {"aws:username": "${s3:ExistingObjectTag/owner}"}}}, True),
            ({"Resource": "arn:aws:s3:::b/${s3:existingobjecttag/a}"}, True),
            ({"Action": "s3:PutObject", "Condition": {"Null": {"s3:RequestObjectTag/a": "true"}}}, False),
        ):
            policy = bucket_policy(statement(), statement(**changes))
            self.assertIs(policy.needs_existing_tags, expected, changes)

    def test_days_left(self) -> None:
        for until, days in (("2023-11-15T22:13:20Z", "1"), ("2023-11-15T22:13:22Z", "2"), ("2020-01-01", "0")):
            found = keys(headers={"x-amz-object-lock-retain-until-date": until})
            self.assertEqual(found["s3:object-lock-remaining-retention-days"], (days,), until)
        self.assertNotIn("s3:object-lock-remaining-retention-days", keys())

    def test_creates_an_object(self) -> None:
        for method, query, expected in (
            ("PUT", b"", "true"),
            ("PUT", b"partNumber=1&uploadId=u", "false"),
            ("POST", b"uploads", "false"),
            ("POST", b"uploadId=u", "true"),
        ):
            self.assertEqual(keys(query, method=method)["s3:objectcreationoperation"], (expected,), (method, query))

    def test_what_the_caller_knows_wins(self) -> None:
        found = keys(b"prefix=a", known={"s3:prefix": ("b",), "s3:locationconstraint": ("r",), "s3:delimiter": ()})
        self.assertEqual(found["s3:prefix"], ("b",))
        self.assertEqual(found["s3:locationconstraint"], ("r",))
        self.assertNotIn("s3:delimiter", found)

    def test_is_a_mapping(self) -> None:
        found = keys(b"prefix=a", existing_tags=lambda: {"A": "1"}, headers={"x-amz-tagging": "B=2"})
        names = set(found)
        self.assertLessEqual({"s3:prefix", "s3:existingobjecttag/a", "s3:requestobjecttag/b"}, names)
        self.assertEqual(len(found), len(names))
        self.assertTrue(all(found[name] for name in names))
        self.assertRaises(KeyError, lambda: found["nothing"])

    @given(
        st.dictionaries(
            st.sampled_from(("x-amz-tagging", "x-amz-copy-source", "x-amz-object-lock-retain-until-date")),
            st.text(st.characters(max_codepoint=255), max_size=20),
        ),
        st.text(max_size=10),
    )
    def test_no_head_is_too_strange(self, headers: dict[str, str], address: str) -> None:
        verified = Verified(USER, seed=Seed("", "", b"", "", ""))
        for name, values in keys(headers=headers, address=address, verified=verified).items():
            self.assertTrue(values, name)
