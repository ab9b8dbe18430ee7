"""Who sent a request, by header, by query and by form."""

from __future__ import annotations

import time

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from twisted.trial.unittest import SynchronousTestCase

from tests.protocol.signing import REGION, USER, check, make_head, refusal, signed, with_headers
from twisted_s3.errors import S3Error
from twisted_s3.protocol.authentication import Authenticator
from twisted_s3.protocol.payload import payload_for

HOWS = ("v4 header", "v4 query", "v2 header", "v2 query")
TEMPORARY = structs.replace(USER, session_token="token/+=", expires=4e9)


class ClaimTests(SynchronousTestCase):
    def test_anonymous(self) -> None:
        self.assertIsNone(Authenticator(REGION).claim(make_head("GET", "/bucket/key?v=1")))

    def test_access_key(self) -> None:
        for how in HOWS:
            claim = Authenticator(REGION).claim(signed(how=how))
            assert claim is not None
            self.assertEqual(claim.access_key, USER.access_key)

    def test_unsupported_type(self) -> None:
        for value in ("Basic dXNlcjpzZWNyZXQ=", "Bearer abc", "", "aws4-hmac-sha256 x", "AWS4-HMAC-SHA256Credential=x"):
            error = refusal(make_head("GET", "/", {"authorization": value}))
            self.assertEqual((error.code, error.message), ("InvalidArgument", "Unsupported Authorization Type"))
            self.assertNotIn("dXNlcjpzZWNyZXQ=", repr(error.elements))

    def test_two_mechanisms(self) -> None:
        header = signed().headers["authorization"][0]
        both = "&".join(signed(how=how).query.decode("ascii") for how in ("v4 query", "v2 query"))
        for head in (
            with_headers(signed(how="v4 query"), authorization=header),
            with_headers(signed(how="v2 query"), authorization=header),
            make_head("GET", f"/bucket/key?{both}"),
            make_head("GET", "/", [("authorization", header), ("authorization", header)]),
        ):
            error = refusal(head)
            self.assertEqual(error.code, "InvalidArgument")
            self.assertTrue(error.message.startswith("Only one auth mechanism allowed"))

    def test_sigv2_off(self) -> None:
        authenticator = Authenticator(REGION, allow_sigv2=False)
        for how in ("v2 header", "v2 query"):
            error = self.assertRaises(S3Error, authenticator.claim, signed(how=how))
            self.assertEqual(error.code, "InvalidRequest")
            self.assertIn("Please use AWS4-HMAC-SHA256.", error.message)
        self.assertIsNotNone(authenticator.claim(signed()))


class VerifyTests(SynchronousTestCase):
    def test_unknown_key(self) -> None:
        for how in HOWS:
            error = refusal(signed(how=how), user=None)
            self.assertEqual(error.code, "InvalidAccessKeyId")
            self.assertEqual(error.elements, {"AWSAccessKeyId": USER.access_key})

    def test_token(self) -> None:
        for how in HOWS:
            head = signed(how=how, user=TEMPORARY)
            verified = check(head, TEMPORARY)
            assert verified is not None
            self.assertIs(verified.user, TEMPORARY)
            self.assertNotIn("token/", repr(verified))
            for user in (USER, structs.replace(TEMPORARY, session_token="token/+")):
                self.assertEqual(refusal(head, user=user).code, "InvalidToken", how)
            self.assertEqual(refusal(signed(how=how), user=TEMPORARY).code, "InvalidToken", how)

    def test_expired_token(self) -> None:
        now = time.time()
        for how in HOWS:
            head = signed(how=how, user=TEMPORARY)
            user = structs.replace(TEMPORARY, expires=now)
            self.assertIsNotNone(check(head, user, now - 1))
            self.assertEqual(refusal(head, user=user, now=now).code, "ExpiredToken", how)

    def test_implied_headers(self) -> None:
        head = signed("PUT", "/bucket/key?x-amz-acl=private&X-Amz-Meta-A=b&x=1", how="v4 query")
        verified = check(head)
        assert verified is not None
        self.assertEqual(dict(verified.implied), {"x-amz-acl": "private", "x-amz-meta-a": "b"})
        verified = check(signed("PUT", "/bucket/key?x-amz-acl=private"))
        assert verified is not None
        self.assertEqual(dict(verified.implied), {})

    def test_checksum_of_an_empty_body_in_a_presigned_url(self) -> None:
        """It says nothing about the body to come; any other one does."""
        for value, implied in (("AAAAAA==", {}), ("AAAAAQ==", {"x-amz-checksum-crc32": "AAAAAQ=="})):
            query = f"x-amz-checksum-crc32={value.replace('=', '%3D')}&x-amz-sdk-checksum-algorithm=CRC32"
            verified = check(signed("PUT", f"/bucket/key?{query}", how="v4 query"))
            assert verified is not None
            self.assertEqual(dict(verified.implied), {"x-amz-sdk-checksum-algorithm": "CRC32"} | implied)


fields = st.sampled_from(
    [
        "AWS4-HMAC-SHA256",
        "Credential=",
        f"K/20130524/{REGION}/s3/aws4_request",
        "SignedHeaders=host",
        "Signature=ab",
        ", ",
        " ",
        "AWS ",
        "a:b",
        "X-Amz-Date=20130524T000000Z",
        "99999999T999999Z",
        "Wed, 99 Foo 20000000 00:00:00 +9999",
        "X-Amz-Expires=1",
        "X-Amz-Algorithm=AWS4-HMAC-SHA256",
        f"X-Amz-Credential=K/20130524/{REGION}/s3/aws4_request",
        "X-Amz-SignedHeaders=host",
        "X-Amz-Signature=é",
        "AWSAccessKeyId=a&Expires=99999999999&Signature=%e2%82%ac",
        "&",
    ]
)
garbage = st.lists(fields | st.text(max_size=8), max_size=10).map("".join)


class GarbageTests(SynchronousTestCase):
    @settings(max_examples=400, deadline=None)
    @given(
        garbage,
        st.binary(max_size=30),
        st.lists(fields | st.text(st.characters(codec="utf-8"), max_size=8), max_size=10).map("&".join),
        st.dictionaries(
            st.sampled_from(["authorization", "x-amz-date", "date", "x-amz-content-sha256", "host", "x-amz-acl"]),
            garbage,
            max_size=5,
        ),
    )
    def test_only_s3_errors(self, method: str, path: bytes, query: str, headers: dict[str, str]) -> None:
        head = make_head(method, "/", headers)
        head = structs.replace(head, path=path, query=query.encode("utf-8"))
        try:
            verified = check(head, now=1369353600.0)
            payload_for(head, verified)
        except S3Error:
            return
        self.assertIsNone(verified)

    @settings(max_examples=200, deadline=None)
    @given(st.sampled_from(HOWS), st.integers(0, 400), st.integers(33, 126))
    def test_one_byte_of_the_credentials(self, how: str, at: int, to: int) -> None:
        original = head = signed(how=how)
        raw = head.headers["authorization"][0].encode("latin-1") if "header" in how else head.query
        at %= len(raw)
        broken = raw[:at] + bytes([to]) + raw[at + 1 :]
        if "header" in how:
            head = with_headers(head, authorization=broken.decode("latin-1"))
        else:
            head = structs.replace(head, query=broken)
        try:
            verified = check(head)
        except S3Error:
            return
        # The same text (an escape in lower case), or no credentials at all any more.
        if verified is not None:
            self.assertTrue(broken == raw or head.parameters == original.parameters)
