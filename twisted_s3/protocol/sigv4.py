"""AWS Signature Version 4, in the ``Authorization`` header and in the query.

"Authenticating Requests (AWS Signature Version 4)" in the Amazon S3 API Reference
(https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html).
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Collection
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import sha256
from operator import methodcaller
from typing import ClassVar, Protocol
from urllib.parse import quote_from_bytes, unquote_to_bytes

from msgspec import Struct

from twisted_s3.discreet import Discreet
from twisted_s3.errors import S3Error
from twisted_s3.protocol.head import RequestHead

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
SIGNED_CHUNKS = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_CHUNKS_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_CHUNKS_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
PAYLOAD_MODES = frozenset({UNSIGNED_PAYLOAD, SIGNED_CHUNKS, SIGNED_CHUNKS_TRAILER, UNSIGNED_CHUNKS_TRAILER})

#: The query parameters of a presigned URL, all of which must be there.
QUERY_PARAMETERS = (
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Signature",
    "X-Amz-Date",
    "X-Amz-SignedHeaders",
    "X-Amz-Expires",
)

#: How far a request's time may be from ours, in seconds.
MAX_SKEW = 900
#: How long a presigned URL may live, in seconds.
MAX_LIFETIME = 604800

_HEX_SHA256 = re.compile("[0-9a-fA-F]{64}")
_HEADER = re.compile(r"AWS4-HMAC-SHA256 +Credential=([^,\s]+), *SignedHeaders=([^,\s]+), *Signature=([^,\s]+)")
_DATE = re.compile("[0-9]{8}")
_TIMESTAMP = re.compile("[0-9]{8}T(?:[01][0-9]|2[0-3])[0-9]{4}Z")
_LIFETIME = re.compile("-?[0-9]{1,18}")
_SIGNED_HEADERS = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+(?:;[a-z0-9!#$%&'*+.^_`|~-]+)*", re.IGNORECASE)
_HEADER_NAME = re.compile("[a-z0-9!#$%&'*+.^_`|~-]+")
_CONTROL = re.compile("[\\x00-\\x1f\\x7f]")
_RUN_OF_SPACE = re.compile(r"[ \t\n\r\f\v]+")

# Text that decoding and encoding again would not change: then neither is done.
_ESCAPE = rb"%(?:[0189A-F][0-9A-F]|2[0-9A-CF]|3[A-F]|40|5[B-E]|60|7[B-DF])"
_CANONICAL_PATH = re.compile(rb"/(?:[A-Za-z0-9._~/-]++|" + _ESCAPE + rb")*+")
_PIECES = rb"(?:[A-Za-z0-9._~-]++|" + _ESCAPE + rb")*+"
_ITEM = _PIECES + rb"=" + _PIECES
_CANONICAL_ITEM = re.compile(_ITEM)
_CANONICAL_QUERY = re.compile(_ITEM + rb"(?:&" + _ITEM + rb")*+")
_by_name_then_value = methodcaller("partition", b"=")


class Claim(Discreet, Struct, frozen=True):
    """What a request says of who signed it, and how.

    :ivar date: of the credential scope, ``YYYYMMDD``.
    :ivar signed_headers: as sent, joined by semicolons.
    :ivar timestamp: the request's time as it was signed, ``YYYYMMDDTHHMMSSZ``.
    :ivar time: the same in seconds since the epoch.
    :ivar lifetime: of a presigned URL, in seconds; None for the header form.
    :ivar payload: the value of ``x-amz-content-sha256`` that was signed.
    """

    HIDDEN: ClassVar = ("signature",)

    access_key: str
    date: str
    signed_headers: str
    signature: str
    timestamp: str
    time: float
    payload: str
    lifetime: int | None = None


class Seed(Discreet, Struct, frozen=True):
    """A verified signature, and the key that made it: where a chain of chunk signatures begins."""

    HIDDEN: ClassVar = ("signature", "signing_key")

    access_key: str
    signature: str
    signing_key: bytes
    scope: str
    timestamp: str

    def sign(self, text: bytes) -> str:
        """The signature of a string to sign, in hex."""
        return hmac.digest(self.signing_key, text, "sha256").hex()


def clock_text(seconds: float) -> str:
    """A time as S3's error documents write it."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def timestamp_seconds(text: str) -> float | None:
    """The seconds since the epoch of a ``YYYYMMDDTHHMMSSZ``; None when it is not one."""
    if _TIMESTAMP.fullmatch(text) is None:
        return None
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None


def http_date_seconds(text: str) -> float | None:
    """The seconds since the epoch of an RFC 9110 date; None when it is not one."""
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def headers_in_query(head: RequestHead, also: Collection[str] = (), without: Collection[str] = ()) -> dict[str, str]:
    """The parameters of a presigned URL that count as headers, by lower-case name, where there is no such header.

    Those that no header could carry are left out: line ends in them would make one signed text out of two requests.

    :param also: lower-case names that count besides ``x-amz-*``.
    :param without: lower-case names that do not.
    """
    found: dict[str, str] = {}
    for name, value in head.pairs:
        lower = name.lower()
        if (
            (lower.startswith("x-amz-") or lower in also)
            and lower not in without
            and lower not in head.headers
            and _HEADER_NAME.fullmatch(lower)
            and _CONTROL.search(value) is None
        ):
            found.setdefault(lower, value)
    return found


def request_seconds(head: RequestHead) -> float:
    """The time of a request by its ``x-amz-date`` or else its ``Date``.

    :raise S3Error: ``AccessDenied`` for none, one that can not be read, and one before 1970.
    """
    stamped = head.header("x-amz-date")
    text = (head.header("date") or "") if stamped is None else stamped
    seconds = timestamp_seconds(text)
    if seconds is None:
        seconds = http_date_seconds(text)
    if seconds is None or seconds < 0:
        raise S3Error("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header")
    return seconds


def check_skew(seconds: float, sent: str, now: float) -> None:
    """:raise S3Error: ``RequestTimeTooSkewed``."""
    if not -MAX_SKEW <= seconds - now <= MAX_SKEW:
        raise S3Error(
            "RequestTimeTooSkewed",
            elements={
                "RequestTime": sent,
                "ServerTime": clock_text(now),
                "MaxAllowedSkewMilliseconds": str(MAX_SKEW * 1000),
            },
        )


def mismatch(access_key: str, string_to_sign: bytes, provided: str, canonical: bytes = b"") -> S3Error:
    """The ``SignatureDoesNotMatch`` that shows the client what we signed."""
    elements = {
        "AWSAccessKeyId": access_key,
        "StringToSign": string_to_sign.decode("utf-8", "replace"),
        "SignatureProvided": provided,
        "StringToSignBytes": string_to_sign.hex(" "),
    }
    if canonical:
        elements["CanonicalRequest"] = canonical.decode("utf-8", "replace")
        elements["CanonicalRequestBytes"] = canonical.hex(" ")
    return S3Error("SignatureDoesNotMatch", elements=elements)


def canonical_path(path: bytes) -> str:
    """The path with exactly the bytes escaped that are neither unreserved nor a slash; no other normalisation."""
    if _CANONICAL_PATH.fullmatch(path):
        return path.decode("ascii")
    return quote_from_bytes(unquote_to_bytes(path), safe="/") or "/"


def canonical_query(query: bytes) -> str:
    """The query's decoded and newly escaped pairs, sorted, without ``X-Amz-Signature``."""
    items = query.split(b"&")
    if _CANONICAL_QUERY.fullmatch(query) is None:
        items = [_canonical_item(item) for item in items]
    items = [item for item in items if item and not item.startswith(b"X-Amz-Signature=")]
    if len(items) > 1:
        items.sort(key=_by_name_then_value)
    return b"&".join(items).decode("ascii")


def _canonical_item(item: bytes) -> bytes:
    if not item or _CANONICAL_ITEM.fullmatch(item):
        return item
    name, _, value = item.partition(b"=")
    return b"%b=%b" % (_escape_again(name), _escape_again(value))


def _escape_again(text: bytes) -> bytes:
    return quote_from_bytes(unquote_to_bytes(text.replace(b"+", b" ")), safe="").encode("ascii")


def _query_as_sent(query: bytes) -> str:
    items = [item if b"=" in item else item + b"=" for item in query.split(b"&") if item]
    items = [item for item in items if not item.startswith(b"X-Amz-Signature=")]
    return b"&".join(sorted(items, key=_by_name_then_value)).decode("latin-1")


def _canonical_headers(head: RequestHead, names: list[str]) -> str:
    lines = []
    for name in names:
        values = head.headers.get(name, ())
        value = values[0] if len(values) == 1 else ",".join([_RUN_OF_SPACE.sub(" ", each) for each in values])
        if "  " in value or "\t" in value:
            value = _RUN_OF_SPACE.sub(" ", value)
        lines.append(f"{name}:{value}\n")
    return "".join(lines)


def _refuse_unsigned(head: RequestHead, signed: list[str], presigned: bool) -> None:
    # The value of x-amz-content-sha256 is part of the canonical request by itself in the header form.
    missing = [name for name in head.headers if name.startswith("x-amz-") and name not in signed]
    if not presigned and "x-amz-content-sha256" in missing:
        missing.remove("x-amz-content-sha256")
    if "host" not in signed:
        missing.append("host")
    if missing:
        raise S3Error(
            "AccessDenied",
            "There were headers present in the request which were not signed",
            {"HeadersNotSigned": ", ".join(sorted(missing))},
        )


class ErrorMaker(Protocol):
    """Makes the error that refuses a credential: where it came from decides the code."""

    def __call__(self, text: str, **elements: str) -> S3Error:
        """Make it out of what is wrong, with further elements for the document."""


def _malformed(text: str, **elements: str) -> S3Error:
    return S3Error("AuthorizationHeaderMalformed", f"The authorization header is malformed; {text}", elements)


def _bad_query(text: str, **elements: str) -> S3Error:
    return S3Error("AuthorizationQueryParametersError", text, elements)


def _bad_credential(text: str, **elements: str) -> S3Error:
    return _bad_query(f"Error parsing the X-Amz-Credential parameter; {text}", **elements)


def _components(authorization: str) -> tuple[str, str, str]:
    """Credential, SignedHeaders and Signature of an ``Authorization`` header."""
    match = _HEADER.fullmatch(authorization)
    if match is not None:
        return match[1], match[2], match[3]
    components = authorization[len(ALGORITHM) :].strip().split(",")
    if len(components) != 3:
        raise _malformed(
            "the authorization header requires three components: Credential, SignedHeaders, and Signature.",
        )
    found = {}
    for component in components:
        name, equals, value = component.strip().partition("=")
        if not equals:
            raise _malformed(f'the authorization component "{component.strip()}" is malformed.')
        found[name.strip()] = value.strip()
    for name in ("Credential", "SignedHeaders", "Signature"):
        if not found.get(name):
            raise _malformed(f"missing {name}.")
    return found["Credential"], found["SignedHeaders"], found["Signature"]


def _lifetime_seconds(text: str) -> int:
    if _LIFETIME.fullmatch(text) is None:
        raise _bad_query("X-Amz-Expires should be a number")
    seconds = int(text)
    if seconds < 0:
        raise _bad_query("X-Amz-Expires must be non-negative")
    if seconds > MAX_LIFETIME:
        raise _bad_query(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than "
            f"{MAX_LIFETIME} seconds",
        )
    return seconds


def _check_lifetime(claim: Claim, lifetime: int, now: float) -> None:
    if claim.time - now > MAX_SKEW:
        raise S3Error("AccessDenied", "Request is not valid yet", {"ServerTime": clock_text(now)})
    if now > claim.time + lifetime:
        raise S3Error(
            "AccessDenied",
            "Request has expired",
            {
                "X-Amz-Expires": str(lifetime),
                "Expires": clock_text(claim.time + lifetime),
                "ServerTime": clock_text(now),
            },
        )


def _string_to_sign(seed: Seed, request: str) -> tuple[bytes, bytes]:
    """The canonical request's bytes (headers are latin-1 here, so as sent) and the string to sign."""
    canonical = request.encode("latin-1", "replace")
    text = f"{ALGORITHM}\n{seed.timestamp}\n{seed.scope}\n{sha256(canonical).hexdigest()}"
    return canonical, text.encode("utf-8")


class SignatureV4:
    """Reads and verifies Version 4 signatures for one region.

    :ivar region: that every credential scope must name.
    """

    def __init__(self, region: str, service: str = "s3", capacity: int = 1024) -> None:
        self.region = region
        self._service = service
        self._capacity = capacity
        self._scope_tail = f"/{region}/{service}/aws4_request"
        self._keys: dict[tuple[str, str], bytes] = {}

    def claim_header(self, head: RequestHead, authorization: str) -> Claim:
        """Read the header form.

        :raise S3Error: ``AuthorizationHeaderMalformed``, ``AccessDenied`` (no date), ``InvalidRequest`` or
            ``InvalidArgument`` (``x-amz-content-sha256``).
        """
        credential, signed_headers, signature = _components(authorization)
        access_key, date = self.scope(credential, _malformed)
        if _SIGNED_HEADERS.fullmatch(signed_headers) is None:
            raise _malformed("missing SignedHeaders.")
        timestamp = head.header("x-amz-date") or ""
        seconds = timestamp_seconds(timestamp)
        if seconds is None:
            seconds = request_seconds(head)
            timestamp = datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%dT%H%M%SZ")
        if timestamp[:8] != date:
            raise _malformed(f'Invalid credential date "{date}". This date is not the same as X-Amz-Date.')
        payload = head.header("x-amz-content-sha256")
        if payload is None:
            raise S3Error("InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
        if payload not in PAYLOAD_MODES and _HEX_SHA256.fullmatch(payload) is None:
            raise S3Error(
                "InvalidArgument",
                f"x-amz-content-sha256 must be {UNSIGNED_PAYLOAD}, {UNSIGNED_CHUNKS_TRAILER}, {SIGNED_CHUNKS}, "
                f"{SIGNED_CHUNKS_TRAILER} or a valid sha256 value.",
                {"ArgumentName": "x-amz-content-sha256", "ArgumentValue": payload},
            )
        return Claim(access_key, date, signed_headers, signature, timestamp, seconds, payload)

    def claim_query(self, head: RequestHead) -> Claim:
        """Read a presigned URL.

        :raise S3Error: ``AuthorizationQueryParametersError``.
        """
        parameters = head.parameters
        values = [parameters.get(name) for name in QUERY_PARAMETERS]
        if None in values:
            raise _bad_query(
                "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, "
                "X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
            )
        algorithm, credential, signature, timestamp, signed_headers, lifetime = (value or "" for value in values)
        if algorithm != ALGORITHM:
            raise _bad_query(f'X-Amz-Algorithm only supports "{ALGORITHM}"')
        access_key, date = self.scope(credential, _bad_credential)
        seconds = timestamp_seconds(timestamp)
        if seconds is None:
            raise _bad_query("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
        if timestamp[:8] != date:
            raise _bad_query(
                f'Invalid credential date "{date}". This date is not the same as X-Amz-Date: "{timestamp[:8]}".',
            )
        if _SIGNED_HEADERS.fullmatch(signed_headers) is None:
            raise _bad_query("X-Amz-SignedHeaders must name the signed headers")
        said = (value for name, value in head.pairs if value and name.lower() == "x-amz-content-sha256")
        payload = next(said, "") or head.header("x-amz-content-sha256") or UNSIGNED_PAYLOAD
        return Claim(
            access_key, date, signed_headers, signature, timestamp, seconds, payload, _lifetime_seconds(lifetime)
        )

    def verify(self, claim: Claim, head: RequestHead, secret_key: str, now: float) -> Seed:
        """Check time, signed headers and signature.

        :param now: seconds since the epoch.
        :raise S3Error: ``RequestTimeTooSkewed``, ``AccessDenied`` (expired, not valid yet, headers not signed),
            ``SignatureDoesNotMatch``.
        """
        if claim.lifetime is None:
            check_skew(claim.time, claim.timestamp, now)
        else:
            _check_lifetime(claim, claim.lifetime, now)
        names = claim.signed_headers.lower().split(";")
        names.sort()
        _refuse_unsigned(head, names, claim.lifetime is not None)
        scope = claim.date + self._scope_tail
        key = self.signing_key(secret_key, claim.date)
        seed = Seed(claim.access_key, claim.signature, key, scope, claim.timestamp)
        tail = f"{_canonical_headers(head, names)}\n{claim.signed_headers}\n{claim.payload}"
        path, query = canonical_path(head.path), canonical_query(head.query) if head.query else ""
        canonical, to_sign = _string_to_sign(seed, f"{head.method}\n{path}\n{query}\n{tail}")
        provided = claim.signature.encode("utf-8")
        if hmac.compare_digest(seed.sign(to_sign).encode("ascii"), provided):
            return seed
        # Some clients sign path and query with the escapes they send, whatever these are.
        as_sent = f"{head.method}\n{head.path.decode('latin-1')}\n{_query_as_sent(head.query)}\n{tail}"
        if hmac.compare_digest(seed.sign(_string_to_sign(seed, as_sent)[1]).encode("ascii"), provided):
            return seed
        raise mismatch(claim.access_key, to_sign, claim.signature, canonical)

    def scope(self, credential: str, error: ErrorMaker) -> tuple[str, str]:
        """Access key and date of a credential. :raise S3Error: what ``error`` makes."""
        fields = credential.rsplit("/", 4)
        if len(fields) != 5 or not fields[0]:
            raise error('the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".')
        access_key, date, region, service, terminal = fields
        if _DATE.fullmatch(date) is None:
            raise error(
                f'incorrect date format "{date}". This date in the credential must be in the format "yyyyMMdd".',
            )
        if region != self.region:
            raise error(f"the region '{region}' is wrong; expecting '{self.region}'", Region=self.region)
        if service != self._service:
            raise error(f'incorrect service "{service}". This endpoint belongs to "{self._service}".')
        if terminal != "aws4_request":
            raise error(f'incorrect terminal "{terminal}". This endpoint uses "aws4_request".')
        return access_key, date

    def signing_key(self, secret_key: str, date: str) -> bytes:
        """The key for a day (``YYYYMMDD``)."""
        key = self._keys.get((secret_key, date))
        if key is None:
            key = ("AWS4" + secret_key).encode("utf-8")
            for text in (date, self.region, self._service, "aws4_request"):
                key = hmac.digest(key, text.encode("utf-8"), "sha256")
            if len(self._keys) >= self._capacity:
                del self._keys[next(iter(self._keys))]
            self._keys[secret_key, date] = key
        return key
