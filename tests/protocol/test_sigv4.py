"""Signatures of version 4."""

from __future__ import annotations

import time
from hashlib import sha256
from urllib.parse import quote

from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from twisted.trial.unittest import SynchronousTestCase

from tests.protocol.signing import (
    ENDPOINT,
    REGION,
    USER,
    check,
    head_of,
    make_head,
    receive,
    refusal,
    signed,
    with_headers,
)
from twisted_s3.errors import S3Error
from twisted_s3.model import User
from twisted_s3.protocol.head import RequestHead
from twisted_s3.protocol.sigv4 import SignatureV4, canonical_path, canonical_query, timestamp_seconds

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#: Friday, 24 May 2013 00:00:00 UTC, the time of the published examples.
PUBLISHED = 1369353600.0

text = st.text(st.characters(codec="utf-8"), max_size=12)
keys = text.map(lambda key: "/bucket/" + quote(key, safe="/~"))
queries = st.dictionaries(st.text(st.characters(codec="utf-8"), min_size=1, max_size=8), text, max_size=4).map(
    lambda pairs: {name: value for name, value in pairs.items() if not name.startswith("X-Amz-")}
)
header_values = st.text(st.characters(codec="ascii", min_codepoint=32, max_codepoint=126), max_size=20)
headers = st.dictionaries(st.from_regex("x-amz-meta-[a-z]{1,5}", fullmatch=True), header_values, max_size=3)
users = st.builds(
    User,
    st.from_regex("[A-Z0-9/]{3,20}", fullmatch=True).filter(lambda key: key.strip("/") == key),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=8, max_size=40),
    st.just("0" * 64),
)


def target(path: str, query: dict[str, str]) -> str:
    """A path with a query."""
    pairs = "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in query.items())
    return f"{path}?{pairs}" if pairs else path


def published(signature: str, target: str, names: str, method: str = "GET", **headers: str) -> RequestHead:
    """A request of the examples in the Amazon S3 API Reference."""
    lines = {
        "host": "examplebucket.s3.amazonaws.com",
        "x-amz-date": "20130524T000000Z",
        "x-amz-content-sha256": EMPTY,
        **{name.replace("_", "-"): value for name, value in headers.items()},
        "authorization": "AWS4-HMAC-SHA256 "
        "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
        f"SignedHeaders={names},Signature={signature}",
    }
    return make_head(method, target, lines)


class PublishedTests(SynchronousTestCase):
    """The examples of "Signature Calculations for the Authorization Header" and "Using Query Parameters"."""

    def accepted(self, head: RequestHead) -> None:
        verified = check(head, now=PUBLISHED, region="us-east-1")
        assert verified is not None
        self.assertIs(verified.user, USER)

    def test_get_object(self) -> None:
        self.accepted(
            published(
                "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
                "/test.txt",
                "host;range;x-amz-content-sha256;x-amz-date",
                range="bytes=0-9",
            )
        )

    def test_put_object(self) -> None:
        for path in ("/test$file.text", "/test%24file.text"):
            self.accepted(
                published(
                    "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
                    path,
                    "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
                    "PUT",
                    date="Fri, 24 May 2013 00:00:00 GMT",
                    x_amz_storage_class="REDUCED_REDUNDANCY",
                    x_amz_content_sha256="44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
                )
            )

    def test_get_bucket_lifecycle(self) -> None:
        self.accepted(
            published(
                "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
                "/?lifecycle",
                "host;x-amz-content-sha256;x-amz-date",
            )
        )

    def test_list_objects(self) -> None:
        for query in ("max-keys=2&prefix=J", "prefix=J&max-keys=2", "prefix=%4A&max-keys=2"):
            self.accepted(
                published(
                    "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
                    f"/?{query}",
                    "host;x-amz-content-sha256;x-amz-date",
                )
            )

    def test_presigned(self) -> None:
        target = (
            "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
            "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
            "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
            "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
        )
        self.accepted(make_head("GET", target, {"host": "examplebucket.s3.amazonaws.com"}))


class BotocoreTests(SynchronousTestCase):
    @settings(max_examples=150, deadline=None)
    @given(keys, queries, headers, users, st.sampled_from(["GET", "PUT", "DELETE", "HEAD"]))
    def test_header(self, path: str, query: dict[str, str], headers: dict[str, str], user: User, method: str) -> None:
        head = signed(method, target(path, query), headers, user=user)
        verified = check(head, user)
        assert verified is not None and verified.seed is not None
        self.assertEqual((verified.payload, verified.presigned), (EMPTY, False))
        other = structs.replace(user, secret_key=user.secret_key + "x")
        self.assertEqual(refusal(head, user=other).code, "SignatureDoesNotMatch")

    @settings(max_examples=150, deadline=None)
    @given(keys, queries, headers, users, st.sampled_from(["GET", "PUT"]))
    def test_query(self, path: str, query: dict[str, str], headers: dict[str, str], user: User, method: str) -> None:
        head = signed(method, target(path, query), headers, how="v4 query", user=user)
        verified = check(head, user)
        assert verified is not None
        self.assertEqual((verified.payload, verified.presigned), ("UNSIGNED-PAYLOAD", True))
        other = structs.replace(user, secret_key=user.secret_key + "x")
        self.assertEqual(refusal(head, user=other).code, "SignatureDoesNotMatch")

    def test_path_signed_as_sent(self) -> None:
        # botocore signs the URL's path as it stands.
        for path in ("/bucket/a+b", "/bucket/a(b)!*'", "/bucket/%7e%41", "/bucket//..//.", "/bucket/a%2fb", "/"):
            check(signed(path=path))
            check(signed(path=path, how="v4 query"))

    def test_spaces_in_header_values(self) -> None:
        check(signed(headers={"x-amz-meta-a": "a   b \t c"}))

    def test_bytes_in_header_values(self) -> None:
        # U+00E0 and U+0085 have bytes in UTF-8 that are white space in latin-1.
        check(signed(headers={"x-amz-meta-a": "voilà  été"}))

    def test_repeated_header(self) -> None:
        head = signed(headers={"x-amz-meta-a": "1,2"})
        headers = {**head.headers, "x-amz-meta-a": ["1", "2"]}
        check(structs.replace(head, headers=headers))

    def test_date_header(self) -> None:
        check(signed(headers={"Date": "now"}))


class CanonicalTests(SynchronousTestCase):
    @given(st.binary(max_size=30))
    def test_path_is_stable(self, raw: bytes) -> None:
        once = canonical_path(b"/" + raw)
        self.assertEqual(canonical_path(once.encode("ascii")), once)

    @given(st.binary(max_size=30))
    def test_query_is_stable(self, raw: bytes) -> None:
        once = canonical_query(raw)
        self.assertEqual(canonical_query(once.encode("ascii")), once)

    def test_path(self) -> None:
        for raw, expected in (
            (b"", "/"),
            (b"/a%2fb", "/a/b"),
            (b"/%7E%41", "/~A"),
            (b"/a+b c", "/a%2Bb%20c"),
            (b"/%zz", "/%25zz"),
            (b"/\xff%FF", "/%FF%FF"),
        ):
            self.assertEqual(canonical_path(raw), expected)

    def test_query(self) -> None:
        for raw, expected in (
            (b"acl", "acl="),
            (b"b=2&a=1&a=0", "a=0&a=1&b=2"),
            (b"a-b=1&a=1", "a=1&a-b=1"),
            (b"a=x+y&&", "a=x%20y"),
            (b"a=b=c", "a=b%3Dc"),
            (b"a=1&X-Amz-Signature=f", "a=1"),
        ):
            self.assertEqual(canonical_query(raw), expected)


class TimestampTests(SynchronousTestCase):
    def test_moments(self) -> None:
        """Only what is a moment of the calendar, written in the one way."""
        self.assertEqual(timestamp_seconds("20130524T000000Z"), 1369353600.0)
        for text in (
            "20130524T240000Z",
            "20130524T006000Z",
            "20130524T000060Z",
            "20130230T000000Z",
            "00000101T000000Z",
        ):
            self.assertIsNone(timestamp_seconds(text), text)
        for text in ("2013-05-24T00:00:00Z", "20130524T000000", "20130524T000000Z ", "20130524t000000z"):
            self.assertIsNone(timestamp_seconds(text), text)


class RefusalTests(SynchronousTestCase):
    def malformed(self, authorization: str) -> S3Error:
        return refusal(with_headers(signed(), authorization=authorization))

    def test_wrong_region(self) -> None:
        error = refusal(signed(region="mars-1"))
        self.assertEqual(error.code, "AuthorizationHeaderMalformed")
        self.assertEqual(
            error.message, "The authorization header is malformed; the region 'mars-1' is wrong; expecting 'eu-west-1'"
        )
        self.assertEqual(error.elements["Region"], REGION)

    def test_wrong_region_presigned(self) -> None:
        error = refusal(signed(region="mars-1", how="v4 query"))
        self.assertEqual(error.code, "AuthorizationQueryParametersError")
        self.assertEqual(
            error.message,
            "Error parsing the X-Amz-Credential parameter; the region 'mars-1' is wrong; expecting 'eu-west-1'",
        )

    def test_malformed_headers(self) -> None:
        scope = f"K/20130524/{REGION}/s3/aws4_request"
        rest = "SignedHeaders=host, Signature=f"
        for authorization, words in (
            ("AWS4-HMAC-SHA256", "requires three components"),
            (f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host", "requires three components"),
            (f"AWS4-HMAC-SHA256 Credential, {rest}", 'component "Credential" is malformed'),
            (f"AWS4-HMAC-SHA256 Credential=, {rest}", "missing Credential."),
            (f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=", "missing Signature."),
            (f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=;, Signature=f", "missing SignedHeaders."),
            (f"AWS4-HMAC-SHA256 Credential=K/20130524, {rest}", "the Credential is mal-formed"),
            (f"AWS4-HMAC-SHA256 Credential=/1/{scope[1:]}, {rest}", "Invalid credential date"),
            (f"AWS4-HMAC-SHA256 Credential=K/2013/{REGION}/s3/aws4_request, {rest}", "incorrect date format"),
            (f"AWS4-HMAC-SHA256 Credential=K/20130524/{REGION}/ec2/aws4_request, {rest}", "incorrect service"),
            (f"AWS4-HMAC-SHA256 Credential=K/20130524/{REGION}/s3/aws5_request, {rest}", "incorrect terminal"),
            (f"AWS4-HMAC-SHA256 Credential={scope}, {rest}", "Invalid credential date"),
        ):
            error = self.malformed(authorization)
            self.assertEqual(error.code, "AuthorizationHeaderMalformed", authorization)
            self.assertIn(words, error.message)

    def test_components_in_any_order(self) -> None:
        head = signed()
        scheme, _, rest = head.headers["authorization"][0].partition(" ")
        turned = ",".join(reversed([part.strip() for part in rest.split(",")]))
        self.assertIsNotNone(check(with_headers(head, authorization=f"{scheme} {turned}")))

    def test_malformed_queries(self) -> None:
        head = signed(how="v4 query")
        query = head.query.decode("ascii")

        def changed(name: str, value: str | None) -> S3Error:
            items = [item for item in query.split("&") if not item.startswith(name + "=")]
            items += [] if value is None else [f"{name}={value}"]
            return refusal(structs.replace(head, query="&".join(items).encode("ascii")))

        for name, value, words in (
            ("X-Amz-Expires", "foo", "X-Amz-Expires should be a number"),
            ("X-Amz-Expires", "", "X-Amz-Expires should be a number"),
            ("X-Amz-Expires", "99999999999999999999", "X-Amz-Expires should be a number"),
            ("X-Amz-Expires", "-1", "X-Amz-Expires must be non-negative"),
            ("X-Amz-Expires", "604801", "X-Amz-Expires must be less than a week (in seconds); that is, the given "),
            ("X-Amz-Date", "Friday", "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\""),
            ("X-Amz-Date", "20131301T000000Z", "X-Amz-Date must be in the ISO8601 Long Format"),
            ("X-Amz-Date", "20130524T000000Z", "This date is not the same as X-Amz-Date"),
            ("X-Amz-Algorithm", "AWS4", 'X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"'),
            ("X-Amz-Credential", "K/s3", "the Credential is mal-formed"),
            ("X-Amz-Credential", f"K/2013/{REGION}/s3/aws4_request", "incorrect date format"),
            ("X-Amz-Credential", f"K/20130524/{REGION}/ec2/aws4_request", "incorrect service"),
            ("X-Amz-SignedHeaders", "%C3%A9", "X-Amz-SignedHeaders must name"),
            *((name, None, "Query-string authentication version 4 requires") for name in ("X-Amz-Date",)),
            ("X-Amz-Expires", None, "Query-string authentication version 4 requires"),
            ("X-Amz-Signature", None, "Query-string authentication version 4 requires"),
        ):
            error = changed(name, value)
            self.assertEqual(error.code, "AuthorizationQueryParametersError", (name, value))
            self.assertIn(words, error.message)

    def test_lifetime_limits(self) -> None:
        """No lifetime at all is a lifetime that is over."""
        self.assertIsNotNone(check(signed(how="v4 query", expires=604800)))
        error = refusal(signed(how="v4 query", expires=0), now=time.time() + 1)
        self.assertEqual((error.code, error.message), ("AccessDenied", "Request has expired"))

    def test_skew(self) -> None:
        head = signed()
        now = time.time()
        for offset in (-890, 890):
            self.assertIsNotNone(check(head, now=now + offset))
        for offset in (-910, 910):
            error = refusal(head, now=now + offset)
            self.assertEqual(error.code, "RequestTimeTooSkewed")
            self.assertEqual(error.elements["RequestTime"], head.headers["x-amz-date"][0])
            self.assertEqual(error.elements["MaxAllowedSkewMilliseconds"], "900000")
            self.assertRegex(error.elements["ServerTime"], "^....-..-..T..:..:..Z$")

    def test_expired(self) -> None:
        head = signed(how="v4 query", expires=60)
        now = time.time()
        self.assertIsNotNone(check(head, now=now + 50))
        error = refusal(head, now=now + 70)
        self.assertEqual((error.code, error.message), ("AccessDenied", "Request has expired"))
        self.assertEqual(set(error.elements), {"X-Amz-Expires", "Expires", "ServerTime"})
        error = refusal(head, now=now - 1000)
        self.assertEqual((error.code, error.message), ("AccessDenied", "Request is not valid yet"))

    def test_signature_does_not_match(self) -> None:
        head = structs.replace(signed(), path=b"/bucket/other")
        error = refusal(head)
        self.assertEqual(error.code, "SignatureDoesNotMatch")
        self.assertEqual(
            set(error.elements),
            {
                "AWSAccessKeyId",
                "StringToSign",
                "SignatureProvided",
                "StringToSignBytes",
                "CanonicalRequest",
                "CanonicalRequestBytes",
            },
        )
        self.assertTrue(error.elements["CanonicalRequest"].startswith("GET\n/bucket/other\n\nhost:127.0.0.1:9000\n"))
        self.assertTrue(error.elements["StringToSign"].startswith("AWS4-HMAC-SHA256\n"))
        self.assertTrue(error.elements["StringToSignBytes"].startswith("41 57 53 34 2d"))

    def test_unsigned_headers(self) -> None:
        for how in ("v4 header", "v4 query"):
            error = refusal(with_headers(signed("PUT", how=how), x_amz_copy_source="/other/key", x_amz_acl="private"))
            self.assertEqual(error.code, "AccessDenied")
            self.assertEqual(error.message, "There were headers present in the request which were not signed")
            self.assertEqual(error.elements["HeadersNotSigned"], "x-amz-acl, x-amz-copy-source")

    def test_unsigned_content_hash(self) -> None:
        error = refusal(with_headers(signed(how="v4 query"), x_amz_content_sha256=EMPTY))
        self.assertEqual(error.elements["HeadersNotSigned"], "x-amz-content-sha256")

    def test_content_hash_in_the_query(self) -> None:
        """A presigned URL that names the hash of its body holds the body to it, in whatever case it is named."""
        hashed = sha256(b"body").hexdigest()
        for name in ("X-Amz-Content-Sha256", "x-amz-content-sha256", "X-AMZ-CONTENT-SHA256"):
            request = AWSRequest("PUT", f"{ENDPOINT}/bucket/key?{name}={hashed}")
            signer = S3SigV4QueryAuth(Credentials(USER.access_key, USER.secret_key), "s3", REGION)
            signer.payload = lambda request: hashed
            signer.add_auth(request)
            head = head_of(request)
            self.assertEqual(receive(head, b"body")[0], b"body")
            self.assertEqual(refusal(head, b"evil").code, "XAmzContentSHA256Mismatch", name)

    def test_host_not_signed(self) -> None:
        head = signed()
        authorization = head.headers["authorization"][0].replace("=host;", "=")
        error = refusal(with_headers(head, authorization=authorization))
        self.assertEqual((error.code, error.elements["HeadersNotSigned"]), ("AccessDenied", "host"))

    def test_no_date(self) -> None:
        for date in (None, "yesterday"):
            error = refusal(with_headers(signed(), x_amz_date=date))
            self.assertEqual(error.code, "AccessDenied")
            self.assertEqual(error.message, "AWS authentication requires a valid Date or x-amz-date header")

    def test_content_sha256(self) -> None:
        error = refusal(with_headers(signed(), x_amz_content_sha256=None))
        self.assertEqual(error.code, "InvalidRequest")
        self.assertEqual(error.message, "Missing required header for this request: x-amz-content-sha256")
        for value in ("invalid", "unsigned-payload", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", EMPTY[1:]):
            error = refusal(with_headers(signed(), x_amz_content_sha256=value))
            self.assertEqual(error.code, "InvalidArgument")
            self.assertEqual(error.elements, {"ArgumentName": "x-amz-content-sha256", "ArgumentValue": value})


class KeyCacheTests(SynchronousTestCase):
    def test_bounded(self) -> None:
        signature = SignatureV4(REGION, capacity=2)
        head = signed()
        claim = signature.claim_header(head, head.headers["authorization"][0])
        for number in range(5):
            self.assertRaises(S3Error, signature.verify, claim, head, f"secret-{number}", time.time())
        self.assertEqual(len(signature._keys), 2)
        signature.verify(claim, head, USER.secret_key, time.time())

    def test_changed_secret(self) -> None:
        signature = SignatureV4(REGION)
        head = signed()
        claim = signature.claim_header(head, head.headers["authorization"][0])
        signature.verify(claim, head, USER.secret_key, time.time())
        self.assertRaises(S3Error, signature.verify, claim, head, "another secret", time.time())

    def test_no_secret_in_repr(self) -> None:
        verified = check(signed())
        assert verified is not None and verified.seed is not None
        self.assertNotIn(USER.secret_key, repr(verified))
        self.assertNotIn(repr(verified.seed.signing_key), repr(verified))
