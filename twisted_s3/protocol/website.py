"""Websites made of buckets: the configuration, and where a request is to go by it.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/WebsiteHosting.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketWebsite.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import quote

from msgspec import Struct

from twisted_s3.errors import S3Error
from twisted_s3.protocol.xmldocs import document, element
from twisted_s3.protocol.xmlreading import Element, children_of, members_of, name_of, parse_document, texts_of

#: How many rules a website may have, and how many bytes the document that brings them.
MAX_RULES = 50
MAX_SIZE = 128 * 1024

#: The header of an object in whose place a website sends readers elsewhere.
REDIRECT_HEADER = "x-amz-website-redirect-location"

_REDIRECT_CODES = frozenset({"301", "302", "303", "304", "305", "307", "308"})

#: What need not be escaped in a path (RFC 3986, 3.3), and what of a rule is taken as it is.
_PATH = "/!$&'()*+,;=:@~"
_LITERAL = _PATH + "#?%"


class Redirect(Struct, frozen=True):
    """Where to send readers. What is None stays as it was in the request.

    :ivar key: in place of the whole key.
    :ivar prefix: in place of the prefix on which the rule depends.
    """

    host: str | None = None
    protocol: str | None = None
    code: str | None = None
    key: str | None = None
    prefix: str | None = None


class RoutingRule(Struct, frozen=True):
    """Sends readers elsewhere: always, by the key, by the error that they would see, or by both.

    :ivar prefix: that the key must have.
    :ivar error: the HTTP status, in digits, that the answer would have.
    """

    redirect: Redirect
    prefix: str | None = None
    error: str | None = None

    def applies(self, key: str, error: str | None) -> bool:
        """Whether it is for a request for a key; ``error`` is the status that went wrong, None before anything did."""
        return self.error == error and key.startswith(self.prefix or "")


class Website(Struct, frozen=True):
    """How a bucket is shown.

    :ivar index: what is shown of a folder: the end of its key.
    :ivar error: key of what is shown in place of a client error.
    :ivar elsewhere: where all requests go.
    """

    index: str = ""
    error: str | None = None
    elsewhere: Redirect | None = None
    rules: tuple[RoutingRule, ...] = ()

    def rule_for(self, key: str, error: str | None = None) -> RoutingRule | None:
        """The first rule that applies."""
        return next((rule for rule in self.rules if rule.applies(key, error)), None)


def parse_website(body: bytes) -> Website:
    """Read ``WebsiteConfiguration``.

    :raise S3Error: ``MalformedXML``; ``InvalidArgument`` for a missing or bad index document and for what contradicts
        ``RedirectAllRequestsTo``; ``InvalidRequest`` for rules that can not be.
    """
    names = {"IndexDocument", "ErrorDocument", "RedirectAllRequestsTo", "RoutingRules"}
    members = members_of(parse_document(body, "WebsiteConfiguration"), names)
    if "RedirectAllRequestsTo" in members:
        if len(members) > 1:
            raise S3Error(
                "InvalidArgument",
                "RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules.",
                {"ArgumentName": "RedirectAllRequestsTo", "ArgumentValue": "not null"},
            )
        return Website(elsewhere=_elsewhere(members["RedirectAllRequestsTo"]))
    if "IndexDocument" not in members:
        raise S3Error(
            "InvalidArgument",
            "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty",
            {"ArgumentName": "IndexDocument", "ArgumentValue": "null"},
        )
    error = _only(members["ErrorDocument"], "Key") if "ErrorDocument" in members else None
    if error == "":
        raise S3Error("InvalidArgument", "The ErrorDocument Key is not well formed", _argument("ErrorDocument", error))
    rules = _rules(members["RoutingRules"]) if "RoutingRules" in members else ()
    return Website(_index(members["IndexDocument"]), error, None, rules)


def _only(node: Element, name: str) -> str:
    """The text of the one element in an element."""
    text = texts_of(node, {name}).get(name)
    if text is None:
        raise S3Error("MalformedXML")
    return text


def _argument(name: str, value: str) -> Mapping[str, str]:
    return {"ArgumentName": name, "ArgumentValue": value}


def _index(node: Element) -> str:
    suffix = _only(node, "Suffix")
    if not suffix or "/" in suffix:
        raise S3Error(
            "InvalidArgument", "The IndexDocument Suffix is not well formed", _argument("IndexDocument", suffix)
        )
    return suffix


def _elsewhere(node: Element) -> Redirect:
    texts = texts_of(node, {"HostName", "Protocol"})
    if not texts.get("HostName"):
        raise S3Error("MalformedXML")
    return Redirect(texts["HostName"], _protocol(texts.get("Protocol")))


def _protocol(text: str | None) -> str | None:
    if text is not None and text not in ("http", "https"):
        raise S3Error(
            "InvalidRequest",
            "Invalid protocol, protocol can be http or https. If not defined the protocol will be selected "
            "automatically.",
        )
    return text


def _rules(node: Element) -> tuple[RoutingRule, ...]:
    nodes = children_of(node)
    if not nodes or any(name_of(child) != "RoutingRule" for child in nodes):
        raise S3Error("MalformedXML")
    if len(nodes) > MAX_RULES:
        raise S3Error(
            "InvalidRequest",
            f"{len(nodes)} routing rules provided, the number of routing rules in a website configuration is limited "
            f"to {MAX_RULES}.",
        )
    return tuple(_rule(child) for child in nodes)


def _rule(node: Element) -> RoutingRule:
    members = members_of(node, {"Condition", "Redirect"})
    if "Redirect" not in members:
        raise S3Error("MalformedXML")
    redirect = _redirect(members["Redirect"])
    if "Condition" not in members:
        return RoutingRule(redirect)
    condition = texts_of(members["Condition"], {"KeyPrefixEquals", "HttpErrorCodeReturnedEquals"})
    if not condition:
        raise S3Error(
            "InvalidRequest",
            "Condition cannot be empty. To redirect all requests without a condition, the condition element shouldn't "
            "be present.",
        )
    error = condition.get("HttpErrorCodeReturnedEquals")
    if error is not None and not (error.isascii() and error.isdigit() and 400 <= int(error[:9]) <= 599):
        raise S3Error(
            "InvalidRequest", f"The provided HTTP error code ({error}) is not valid. Valid codes are 4XX or 5XX."
        )
    return RoutingRule(redirect, condition.get("KeyPrefixEquals"), error)


def _redirect(node: Element) -> Redirect:
    names = {"HostName", "Protocol", "HttpRedirectCode", "ReplaceKeyWith", "ReplaceKeyPrefixWith"}
    texts = texts_of(node, names)
    if not texts:
        raise S3Error("MalformedXML")
    code = texts.get("HttpRedirectCode")
    if code is not None and code not in _REDIRECT_CODES:
        raise S3Error(
            "InvalidRequest", f"The provided HTTP redirect code ({code}) is not valid. Valid codes are 3XX except 300."
        )
    if {"ReplaceKeyWith", "ReplaceKeyPrefixWith"} <= texts.keys():
        raise S3Error("InvalidRequest", "You can only define ReplaceKeyPrefix or ReplaceKey but not both.")
    return Redirect(
        texts.get("HostName"),
        _protocol(texts.get("Protocol")),
        code,
        texts.get("ReplaceKeyWith"),
        texts.get("ReplaceKeyPrefixWith"),
    )


def website_document(website: Website) -> bytes:
    """Write ``WebsiteConfiguration``."""
    return document("WebsiteConfiguration", *_elements(website))


def _elements(website: Website) -> Iterator[str]:
    if website.elsewhere is not None:
        yield f"<RedirectAllRequestsTo>{''.join(_redirect_elements(website.elsewhere))}</RedirectAllRequestsTo>"
        return
    yield f"<IndexDocument>{element('Suffix', website.index)}</IndexDocument>"
    if website.error is not None:
        yield f"<ErrorDocument>{element('Key', website.error)}</ErrorDocument>"
    if website.rules:
        yield f"<RoutingRules>{''.join(map(_rule_element, website.rules))}</RoutingRules>"


def _rule_element(rule: RoutingRule) -> str:
    condition = _texts({"HttpErrorCodeReturnedEquals": rule.error, "KeyPrefixEquals": rule.prefix})
    written = f"<Condition>{condition}</Condition>" if condition else ""
    return f"<RoutingRule>{written}<Redirect>{''.join(_redirect_elements(rule.redirect))}</Redirect></RoutingRule>"


def _redirect_elements(redirect: Redirect) -> str:
    return _texts(
        {
            "HostName": redirect.host,
            "HttpRedirectCode": redirect.code,
            "Protocol": redirect.protocol,
            "ReplaceKeyPrefixWith": redirect.prefix,
            "ReplaceKeyWith": redirect.key,
        }
    )


def _texts(values: Mapping[str, str | None]) -> str:
    return "".join(element(name, text) for name, text in values.items() if text is not None)


class Asked(Struct, frozen=True):
    """What a reader asked for.

    :ivar host: as the request has it, with its port.
    :ivar key: what the path names, decoded; ends with ``/`` or is empty for a folder.
    """

    protocol: str
    host: str
    key: str
    query: str = ""


def location(asked: Asked, redirect: Redirect, prefix: str = "") -> str:
    """The URL to which a redirect sends a reader.

    :param prefix: of the key, in whose place that of the redirect comes.
    """
    if redirect.key is not None:
        path = quote(redirect.key, safe=_LITERAL)
    elif redirect.prefix is not None:
        path = quote(redirect.prefix, safe=_LITERAL) + encoded(asked.key[len(prefix) :])
    else:
        path = encoded(asked.key)
    protocol, host = redirect.protocol or asked.protocol, redirect.host or asked.host
    return f"{protocol}://{quote(host, safe=':[]')}/{path}{_query(asked)}"


def folder_location(asked: Asked) -> str:
    """The path of the folder that a reader meant."""
    path = encoded(asked.key)
    if path.startswith("/"):
        # Two slashes at the start would begin the name of a host.
        path = "%2F" + path[1:]
    return f"/{path}/{_query(asked)}"


def encoded(key: str) -> str:
    """A key as part of a path."""
    return quote(key, safe=_PATH)


def _query(asked: Asked) -> str:
    return f"?{asked.query}" if asked.query else ""
