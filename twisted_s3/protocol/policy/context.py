"""The condition keys of a request, each worked out when a policy first asks for it.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/amazon-s3-policy-keys.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec import Struct

from twisted_s3.errors import S3Error
from twisted_s3.protocol.authentication import Verified
from twisted_s3.protocol.copysource import parse_copy_source
from twisted_s3.protocol.dates import format_iso8601, parse_iso8601_basic
from twisted_s3.protocol.head import RequestHead, split_query
from twisted_s3.protocol.policy.evaluation import EXISTING_TAG
from twisted_s3.protocol.policy.operators import parse_address, parse_date
from twisted_s3.protocol.policy.principals import Principal

Values = tuple[str, ...]


def _no_tags() -> Mapping[str, str]:
    return {}


class Circumstances(Struct, frozen=True):
    """All that condition keys come from.

    :ivar verified: None for an anonymous request.
    :ivar address: of the sender, "" if unknown.
    :ivar time: seconds since the epoch.
    :ivar region: of this server.
    :ivar resource_account: of the owner of the bucket.
    :ivar tls_version: ``1.2``, "" without TLS or if unknown.
    :ivar authentication: ``POST`` for a form; else "", the head tells.
    :ivar existing_tags: loads the tags of the object as it is. Called at most once, and only when a policy asks.
    :ivar known: keys, by lower-case name, that the head does not tell, such as what the body says. They win.
    """

    head: RequestHead
    principal: Principal
    verified: Verified | None
    time: float
    address: str = ""
    region: str = ""
    resource_account: str = ""
    tls_version: str = ""
    authentication: str = ""
    existing_tags: Callable[[], Mapping[str, str]] = _no_tags
    known: Mapping[str, Values] = {}


_Source = Callable[[Circumstances], str | None]


def _header(name: str) -> _Source:
    return lambda about: about.head.header(name)


def _parameter(name: str) -> _Source:
    return lambda about: about.head.parameters.get(name)


def _truth(value: bool) -> str:
    return "true" if value else "false"


def _address(about: Circumstances) -> str | None:
    try:
        return str(parse_address(about.address))
    except ValueError:
        return None


def _user_id(about: Circumstances) -> str:
    return about.principal.canonical_id or "anonymous"


def _principal_account(about: Circumstances) -> str | None:
    return about.principal.account or about.principal.canonical_id or None


def _authentication(about: Circumstances) -> str | None:
    if about.authentication or about.verified is None:
        return about.authentication or None
    return "REST-QUERY-STRING" if about.verified.presigned else "REST-HEADER"


def _signature_version(about: Circumstances) -> str | None:
    if about.verified is None:
        return None
    return "AWS" if about.verified.seed is None else "AWS4-HMAC-SHA256"


def _signature_age(about: Circumstances) -> str | None:
    """Milliseconds since a Version 4 signature was made."""
    if about.verified is None or about.verified.seed is None:
        return None
    made = parse_iso8601_basic(about.verified.seed.timestamp)
    return None if made is None else str(max(0, int((about.time - made) * 1000)))


def _copy_source(about: Circumstances) -> str | None:
    """``bucket/key``, however it was written, so that no spelling gets past a policy."""
    value = about.head.header("x-amz-copy-source")
    if value is None:
        return None
    try:
        source = parse_copy_source(value)
    except S3Error:
        return value
    return f"{source.bucket}/{source.key}"


def _remaining_retention_days(about: Circumstances) -> str | None:
    try:
        until = parse_date(about.head.header("x-amz-object-lock-retain-until-date") or "")
    except ValueError:
        return None
    return str(max(0, -int((about.time - until) // 86400)))


def _creates_object(about: Circumstances) -> str | None:
    """Whether a request with the right to put objects makes one: the parts of an upload and its beginning do not."""
    parameters = about.head.parameters
    if about.head.method == "PUT":
        return _truth("uploadId" not in parameters)
    return _truth("uploads" not in parameters) if about.head.method == "POST" else None


_HEADERS = (
    "x-amz-acl",
    "x-amz-bucket-namespace",
    "x-amz-content-sha256",
    "x-amz-grant-full-control",
    "x-amz-grant-read",
    "x-amz-grant-read-acp",
    "x-amz-grant-write",
    "x-amz-grant-write-acp",
    "x-amz-metadata-directive",
    "x-amz-object-annotation-directive",
    "x-amz-object-if-match",
    "x-amz-object-ownership",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-storage-class",
    "x-amz-website-redirect-location",
)

#: Where the value of each key comes from; no value: the request does not have the key.
SOURCES: Mapping[str, _Source] = {
    "aws:currenttime": lambda about: format_iso8601(about.time),
    "aws:epochtime": lambda about: str(int(about.time)),
    "aws:principalaccount": _principal_account,
    "aws:principalarn": lambda about: about.principal.arn or None,
    "aws:principalisawsservice": lambda about: "false",
    "aws:principaltype": lambda about: "Anonymous" if about.principal.anonymous else "User",
    "aws:referer": _header("referer"),
    "aws:requestedregion": lambda about: about.region or None,
    "aws:resourceaccount": lambda about: about.resource_account or None,
    "aws:securetransport": lambda about: _truth(about.head.secure),
    "aws:sourceip": _address,
    "aws:useragent": _header("user-agent"),
    "aws:userid": _user_id,
    "aws:username": lambda about: about.principal.name or None,
    "aws:viaawsservice": lambda about: "false",
    "s3:authtype": _authentication,
    "s3:delimiter": _parameter("delimiter"),
    "s3:if-match": _header("if-match"),
    "s3:if-none-match": _header("if-none-match"),
    "s3:max-keys": _parameter("max-keys"),
    "s3:object-lock-legal-hold": _header("x-amz-object-lock-legal-hold"),
    "s3:object-lock-mode": _header("x-amz-object-lock-mode"),
    "s3:object-lock-remaining-retention-days": _remaining_retention_days,
    "s3:object-lock-retain-until-date": _header("x-amz-object-lock-retain-until-date"),
    "s3:objectcreationoperation": _creates_object,
    "s3:prefix": _parameter("prefix"),
    "s3:resourceaccount": lambda about: about.resource_account or None,
    "s3:signatureage": _signature_age,
    "s3:signatureversion": _signature_version,
    "s3:tlsversion": lambda about: about.tls_version or None,
    "s3:versionid": _parameter("versionId"),
    "s3:x-amz-copy-source": _copy_source,
    **{f"s3:{name}": _header(name) for name in _HEADERS},
}

_REQUEST_TAG, _REQUEST_TAG_KEYS = "s3:requestobjecttag/", "s3:requestobjecttagkeys"


class RequestKeys(Mapping[str, Sequence[str]]):
    """The condition keys of a request, by lower-case name. Keys that the request does not have are absent."""

    def __init__(self, circumstances: Circumstances) -> None:
        self._about = circumstances
        self._found: dict[str, Values] = dict(circumstances.known)
        self._existing: Mapping[str, str] | None = None
        self._requested: Mapping[str, str] | None = None

    def __getitem__(self, key: str) -> Values:
        values = self._found.get(key)
        if values is None:
            values = self._found[key] = self._work_out(key)
        if not values:
            raise KeyError(key)
        return values

    def get(self, key: str, default: Sequence[str] = ()) -> Sequence[str]:  # type: ignore[override]
        """The values of a key, of which there are none when the request does not have it."""
        values = self._found.get(key)
        if values is None:
            values = self._found[key] = self._work_out(key)
        return values or default

    def __iter__(self) -> Iterator[str]:
        names = [EXISTING_TAG + name for name in _folded(self._existing_tags())]
        names += [_REQUEST_TAG + name for name in _folded(self._request_tags())]
        return iter({key: None for key in (*SOURCES, _REQUEST_TAG_KEYS, *names, *self._found) if self.get(key)})

    def __len__(self) -> int:
        return len(list(iter(self)))

    def _work_out(self, key: str) -> Values:
        source = SOURCES.get(key)
        if source is not None:
            value = source(self._about)
            return () if value is None else (value,)
        if key.startswith(EXISTING_TAG):
            return _tag(self._existing_tags(), key.removeprefix(EXISTING_TAG))
        if key.startswith(_REQUEST_TAG):
            return _tag(self._request_tags(), key.removeprefix(_REQUEST_TAG))
        return tuple(self._request_tags()) if key == _REQUEST_TAG_KEYS else ()

    def _existing_tags(self) -> Mapping[str, str]:
        if self._existing is None:
            self._existing = self._about.existing_tags()
        return self._existing

    def _request_tags(self) -> Mapping[str, str]:
        if self._requested is None:
            text = self._about.head.header("x-amz-tagging") or ""
            try:
                self._requested = dict(split_query(text.encode("latin-1")))
            except (S3Error, UnicodeEncodeError):
                self._requested = {}
        return self._requested


def _folded(tags: Mapping[str, str]) -> Sequence[str]:
    return [name.lower() for name in tags]


def _tag(tags: Mapping[str, str], folded: str) -> Values:
    """The values of the tags whose names, in lower case, are the one given: condition keys know no case."""
    return tuple(value for name, value in tags.items() if name.lower() == folded)
