"""Cross-origin resource sharing: the rules of a bucket, and the headers that they give answers.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketCors.html

A preflight asks for one method and any number of headers. What is no preflight asks for its own method, and for what
headers of a preflight it has all the same, as on AWS.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from twisted_s3.errors import S3Error
from twisted_s3.protocol.head import RequestHead
from twisted_s3.protocol.xmldocs import document, element
from twisted_s3.protocol.xmlreading import Element, children_of, integer_of, name_of, parse_document, text_of

METHODS = ("GET", "PUT", "HEAD", "POST", "DELETE")

#: How many rules a bucket may have, how many bytes the document that brings them, and how many characters an ``ID``.
MAX_RULES = 100
MAX_SIZE = 64 * 1024
MAX_ID = 255

#: What the answer depends on, for whoever caches it.
_VARY = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"


class CORSRule(Struct, frozen=True):
    """Lets scripts from some origins do something.

    :ivar origins: patterns with at most one ``*``.
    :ivar headers: patterns with at most one ``*``, of the headers that scripts may send.
    :ivar exposed: headers of answers that scripts may see.
    :ivar max_age: seconds for which browsers may keep the answer to a preflight.
    """

    origins: tuple[str, ...]
    methods: tuple[str, ...]
    headers: tuple[str, ...] = ()
    exposed: tuple[str, ...] = ()
    max_age: int | None = None
    id: str | None = None


#: The rules of a bucket, of which the first that fits counts.
Rules = tuple[CORSRule, ...]


def parse_cors(body: bytes) -> Rules:
    """Read ``CORSConfiguration``.

    :raise S3Error: ``MalformedXML``; ``InvalidRequest`` for an unknown method, a pattern with two wildcards, a
        wildcard among exposed headers, and too many rules; ``InvalidArgument`` for an ``ID`` that is too long.
    """
    nodes = children_of(parse_document(body, "CORSConfiguration"))
    if not nodes or any(name_of(node) != "CORSRule" for node in nodes):
        raise S3Error("MalformedXML")
    if len(nodes) > MAX_RULES:
        raise S3Error(
            "InvalidRequest", f"The number of CORS rules should not exceed allowed limit of {MAX_RULES} rules."
        )
    return tuple(_rule(node) for node in nodes)


#: The elements of a rule: whether there may be several.
_MEMBERS = {
    "ID": False,
    "AllowedOrigin": True,
    "AllowedMethod": True,
    "AllowedHeader": True,
    "ExposeHeader": True,
    "MaxAgeSeconds": False,
}


def _rule(node: Element) -> CORSRule:
    found: dict[str, list[str]] = {name: [] for name in _MEMBERS}
    for child in children_of(node):
        name = name_of(child)
        if name not in found or (found[name] and not _MEMBERS[name]):
            raise S3Error("MalformedXML")
        found[name].append(text_of(child))
    if not found["AllowedOrigin"] or not found["AllowedMethod"]:
        raise S3Error("MalformedXML")
    for method in found["AllowedMethod"]:
        if method not in METHODS:
            raise S3Error(
                "InvalidRequest", f"Found unsupported HTTP method in CORS config. Unsupported method is {method}"
            )
    for name in ("AllowedOrigin", "AllowedHeader"):
        for pattern in found[name]:
            if pattern.count("*") > 1:
                raise S3Error("InvalidRequest", f'{name} "{pattern}" can not have more than one wildcard.')
    for header in found["ExposeHeader"]:
        if "*" in header:
            raise S3Error(
                "InvalidRequest",
                f'ExposeHeader "{header}" contains wildcard. We currently do not support wildcard for ExposeHeader.',
            )
    if any(len(id) > MAX_ID for id in found["ID"]):
        raise S3Error("InvalidArgument", f"ID length should not exceed allowed limit of {MAX_ID}")
    return CORSRule(
        tuple(found["AllowedOrigin"]),
        tuple(found["AllowedMethod"]),
        tuple(found["AllowedHeader"]),
        tuple(found["ExposeHeader"]),
        integer_of(found["MaxAgeSeconds"][0]) if found["MaxAgeSeconds"] else None,
        found["ID"][0] if found["ID"] else None,
    )


def cors_document(rules: Rules) -> bytes:
    """Write ``CORSConfiguration``."""
    return document("CORSConfiguration", *(f"<CORSRule>{''.join(_elements(rule))}</CORSRule>" for rule in rules))


def _elements(rule: CORSRule) -> Iterator[str]:
    if rule.id is not None:
        yield element("ID", rule.id)
    for name, values in (
        ("AllowedMethod", rule.methods),
        ("AllowedOrigin", rule.origins),
        ("AllowedHeader", rule.headers),
        ("ExposeHeader", rule.exposed),
    ):
        for value in values:
            yield element(name, value)
    if rule.max_age is not None:
        yield element("MaxAgeSeconds", rule.max_age)


class CORSRequest(Struct, frozen=True):
    """What a script wants to do.

    :ivar headers: that it wants to send, in lower case.
    """

    origin: str
    method: str
    headers: tuple[str, ...] = ()


def cors_request(head: RequestHead) -> CORSRequest | None:
    """What the script wants that sends a request, or for which a browser asks; None when no script is behind it."""
    origin = head.header("origin")
    if origin is None:
        return None
    method = head.header("access-control-request-method") or head.method
    names = (head.header("access-control-request-headers") or "").split(",")
    return CORSRequest(origin, method, tuple(name.strip().lower() for name in names if name.strip()))


def preflight_request(head: RequestHead) -> CORSRequest:
    """What a preflight asks for. :raise S3Error: ``BadRequest`` where it does not say that."""
    method = head.header("access-control-request-method")
    if method not in METHODS:
        raise S3Error("BadRequest", f"Invalid Access-Control-Request-Method: {method or 'null'}")
    asked = cors_request(head)
    if asked is None:
        raise S3Error("BadRequest", "Insufficient information. Origin request header needed.")
    return asked


def cors_headers(rules: Rules, asked: CORSRequest) -> Sequence[tuple[str, str]]:
    """The headers by which the first rule that fits lets a script go on; none where no rule fits."""
    for rule in rules:
        if asked.method in rule.methods and _allowed(rule.headers, asked.headers):
            for pattern in rule.origins:
                if _fits(pattern, asked.origin):
                    return tuple(_granted(rule, asked, "*" if pattern == "*" else asked.origin))
    return ()


def _granted(rule: CORSRule, asked: CORSRequest, origin: str) -> Iterator[tuple[str, str]]:
    yield "Access-Control-Allow-Origin", origin
    yield "Access-Control-Allow-Methods", ", ".join(rule.methods)
    if asked.headers:
        yield "Access-Control-Allow-Headers", ", ".join(asked.headers)
    if rule.exposed:
        yield "Access-Control-Expose-Headers", _as_header(", ".join(rule.exposed))
    if rule.max_age is not None:
        yield "Access-Control-Max-Age", str(rule.max_age)
    if origin != "*":
        yield "Access-Control-Allow-Credentials", "true"
    yield "Vary", _VARY


def _as_header(text: str) -> str:
    """Text of a document as the value of a header, which is latin-1 here."""
    return text.encode().decode("latin-1")


def _allowed(patterns: Sequence[str], names: Sequence[str]) -> bool:
    return all(any(_fits(pattern.lower(), name) for pattern in patterns) for name in names)


def _fits(pattern: str, text: str) -> bool:
    before, wild, after = pattern.partition("*")
    if not wild:
        return text == pattern
    return len(text) >= len(before) + len(after) and text.startswith(before) and text.endswith(after)
