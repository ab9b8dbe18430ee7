"""CORS rules: the document, and what they allow."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_s3.errors import S3Error
from twisted_s3.protocol.cors import (
    MAX_ID,
    MAX_RULES,
    METHODS,
    CORSRequest,
    CORSRule,
    cors_document,
    cors_headers,
    cors_request,
    parse_cors,
    preflight_request,
)
from twisted_s3.protocol.head import RequestHead

PLAIN = st.text("ab.:/\u00e5", max_size=6)
PATTERNS = st.one_of(PLAIN, st.tuples(PLAIN, PLAIN).map("*".join))
METHOD_LISTS = st.lists(st.sampled_from(METHODS), min_size=1, max_size=5).map(tuple)
RULES = st.builds(
    CORSRule,
    st.lists(PATTERNS, min_size=1, max_size=4).map(tuple),
    METHOD_LISTS,
    st.lists(PATTERNS, max_size=4).map(tuple),
    st.lists(PLAIN, max_size=4).map(tuple),
    st.none() | st.integers(0, 2**40),
    st.none() | st.text("ab <&\u00e5\r\n\t", max_size=8),
)
REQUESTS = st.builds(CORSRequest, PLAIN, st.sampled_from([*METHODS, "PATCH"]), st.lists(PLAIN, max_size=3).map(tuple))
PIECES = st.sampled_from(
    [
        "<CORSConfiguration>",
        "</CORSConfiguration>",
        "<CORSRule>",
        "</CORSRule>",
        "<AllowedOrigin>*</AllowedOrigin>",
        "<AllowedOrigin>**</AllowedOrigin>",
        "<AllowedMethod>GET</AllowedMethod>",
        "<AllowedHeader>x-*</AllowedHeader>",
        "<ExposeHeader>etag</ExposeHeader>",
        "<MaxAgeSeconds>5</MaxAgeSeconds>",
        "<MaxAgeSeconds>-5</MaxAgeSeconds>",
        "<ID>a</ID>",
        "x",
    ]
)


def written(*rules: str) -> bytes:
    """A document of rules."""
    return (
        f"<CORSConfiguration>{''.join(f'<CORSRule>{rule}</CORSRule>' for rule in rules)}</CORSConfiguration>".encode()
    )


LEAST = "<AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</AllowedOrigin>"


class Documents(SynchronousTestCase):
    """What a configuration may say."""

    @given(st.lists(RULES, min_size=1, max_size=3).map(tuple))
    def test_round_trip(self, rules: tuple[CORSRule, ...]) -> None:
        """What is written is read again."""
        self.assertEqual(parse_cors(cors_document(rules)), rules)

    @given(st.lists(PIECES, max_size=12))
    def test_nothing_but_refusals(self, pieces: list[str]) -> None:
        """Any document is read or refused."""
        try:
            rules = parse_cors("".join(pieces).encode())
        except S3Error:
            return
        self.assertTrue(rules)

    def refused(self, body: bytes) -> tuple[str, str]:
        """Code and message for a document."""
        with self.assertRaises(S3Error) as caught:
            parse_cors(body)
        return caught.exception.code, caught.exception.message

    def test_malformed(self) -> None:
        """What is not in the schema."""
        for body in (
            b"",
            b"<CORSConfiguration/>",
            b"<CORSConfiguration>x</CORSConfiguration>",
            b"<CORSConfiguration><Rule/></CORSConfiguration>",
            written(""),
            written("<AllowedMethod>GET</AllowedMethod>"),
            written("<AllowedOrigin>*</AllowedOrigin>"),
            written(LEAST + "<ID>a</ID><ID>b</ID>"),
            written(LEAST + "<MaxAgeSeconds>1</MaxAgeSeconds><MaxAgeSeconds>1</MaxAgeSeconds>"),
            written(LEAST + "<MaxAgeSeconds>x</MaxAgeSeconds>"),
            written(LEAST + "<MaxAgeSeconds></MaxAgeSeconds>"),
            written(LEAST + "<Other/>"),
            written(LEAST + "<AllowedHeader><a/></AllowedHeader>"),
        ):
            self.assertEqual(self.refused(body)[0], "MalformedXML", body)

    def test_reasons(self) -> None:
        """What the schema allows and S3 does not, in its words."""
        for rule, message in (
            (
                "<AllowedMethod>PATCH</AllowedMethod><AllowedOrigin>*</AllowedOrigin>",
                "Found unsupported HTTP method in CORS config. Unsupported method is PATCH",
            ),
            (
                "<AllowedMethod>get</AllowedMethod><AllowedOrigin>*</AllowedOrigin>",
                "Found unsupported HTTP method in CORS config. Unsupported method is get",
            ),
            (
                "<AllowedMethod>GET</AllowedMethod><AllowedOrigin>http://*.*</AllowedOrigin>",
                'AllowedOrigin "http://*.*" can not have more than one wildcard.',
            ),
            (
                LEAST + "<AllowedHeader>x-*-*</AllowedHeader>",
                'AllowedHeader "x-*-*" can not have more than one wildcard.',
            ),
            (
                LEAST + "<ExposeHeader>x-*</ExposeHeader>",
                'ExposeHeader "x-*" contains wildcard. We currently do not support wildcard for ExposeHeader.',
            ),
        ):
            self.assertEqual(self.refused(written(rule)), ("InvalidRequest", message))

    def test_limits(self) -> None:
        """As many rules and as long a name as may be, and one more."""
        self.assertEqual(len(parse_cors(written(*[LEAST] * MAX_RULES))), MAX_RULES)
        self.assertEqual(self.refused(written(*[LEAST] * (MAX_RULES + 1)))[0], "InvalidRequest")
        parse_cors(written(f"{LEAST}<ID>{'i' * MAX_ID}</ID>"))
        self.assertEqual(self.refused(written(f"{LEAST}<ID>{'i' * (MAX_ID + 1)}</ID>"))[0], "InvalidArgument")

    def test_empty_origin(self) -> None:
        """It is accepted, and lets nobody in."""
        rules = parse_cors(written("<AllowedMethod>GET</AllowedMethod><AllowedOrigin/>"))
        self.assertEqual(rules[0].origins, ("",))
        self.assertEqual(cors_headers(rules, CORSRequest("http://a", "GET")), ())


def fits(pattern: str, text: str) -> bool:
    """Whether a text is of a pattern, by another way."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL) is not None


def naive(rules: tuple[CORSRule, ...], asked: CORSRequest) -> tuple[CORSRule, str] | None:
    """The rule that counts and the origin that it names, told slowly."""
    for rule in rules:
        origins = [pattern for pattern in rule.origins if fits(pattern, asked.origin)]
        headers = [any(fits(pattern.lower(), name) for pattern in rule.headers) for name in asked.headers]
        if asked.method in rule.methods and origins and all(headers):
            return rule, "*" if origins[0] == "*" else asked.origin
    return None


class Evaluation(SynchronousTestCase):
    """What rules allow."""

    @given(st.lists(RULES, max_size=4).map(tuple), REQUESTS)
    def test_against_reference(self, rules: tuple[CORSRule, ...], asked: CORSRequest) -> None:
        """The first rule that fits in all gives the headers."""
        found = dict(cors_headers(rules, asked))
        expected = naive(rules, asked)
        if expected is None:
            self.assertEqual(found, {})
            return
        rule, origin = expected
        wanted = {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Methods": ", ".join(rule.methods),
            "Vary": "Origin, Access-Control-Request-Headers, Access-Control-Request-Method",
        }
        if origin != "*":
            wanted["Access-Control-Allow-Credentials"] = "true"
        if rule.max_age is not None:
            wanted["Access-Control-Max-Age"] = str(rule.max_age)
        if asked.headers:
            wanted["Access-Control-Allow-Headers"] = ", ".join(asked.headers)
        if rule.exposed:
            wanted["Access-Control-Expose-Headers"] = ", ".join(rule.exposed).encode().decode("latin-1")
        self.assertEqual(found, wanted)

    def test_order(self) -> None:
        """The first rule and the first pattern of it count."""
        rules = (CORSRule(("http://*", "*"), ("GET",)), CORSRule(("*",), ("PUT",), max_age=1))
        for origin, method, shown in (
            ("http://a", "GET", "http://a"),
            ("https://a", "GET", "*"),
            ("http://a", "PUT", "*"),
            ("http://a", "DELETE", None),
        ):
            found = dict(cors_headers(rules, CORSRequest(origin, method)))
            self.assertEqual(found.get("Access-Control-Allow-Origin"), shown, (origin, method))

    def test_case(self) -> None:
        """Names of headers are alike in any case, origins and methods are not."""
        rules = (CORSRule(("http://A",), ("GET",), ("X-Amz-*",)),)
        asked = cors_request(
            RequestHead(
                "OPTIONS",
                b"/b/k",
                b"",
                {
                    "origin": ["http://A"],
                    "access-control-request-method": ["GET"],
                    "access-control-request-headers": ["X-AMZ-Date,x-amz-acl , "],
                },
            )
        )
        assert asked is not None
        self.assertEqual(asked.headers, ("x-amz-date", "x-amz-acl"))
        self.assertTrue(cors_headers(rules, asked))
        self.assertEqual(cors_headers(rules, CORSRequest("http://a", "GET")), ())
        self.assertEqual(cors_headers(rules, CORSRequest("http://A", "get")), ())


class Requests(SynchronousTestCase):
    """What a request asks for."""

    def head(self, method: str, **headers: str) -> RequestHead:
        """A request with some headers."""
        return RequestHead(method, b"/b/k", b"", {name.replace("_", "-"): [value] for name, value in headers.items()})

    def test_simple(self) -> None:
        """The method is its own, if it has no other."""
        self.assertIsNone(cors_request(self.head("GET", access_control_request_method="PUT")))
        self.assertEqual(cors_request(self.head("GET", origin="null")), CORSRequest("null", "GET"))
        asked = cors_request(self.head("GET", origin="o", access_control_request_method="PUT"))
        self.assertEqual(asked, CORSRequest("o", "PUT"))

    def test_preflight(self) -> None:
        """It must name origin and method."""
        head = self.head("OPTIONS", origin="o", access_control_request_method="PUT")
        self.assertEqual(preflight_request(head), CORSRequest("o", "PUT"))
        for headers, message in (
            ({"origin": "o"}, "Invalid Access-Control-Request-Method: null"),
            ({"origin": "o", "access_control_request_method": "PATCH"}, "Invalid Access-Control-Request-Method: PATCH"),
            (
                {"access_control_request_method": "PUT"},
                "Insufficient information. Origin request header needed.",
            ),
        ):
            with self.assertRaises(S3Error) as caught:
                preflight_request(self.head("OPTIONS", **headers))
            self.assertEqual((caught.exception.code, caught.exception.message), ("BadRequest", message))
