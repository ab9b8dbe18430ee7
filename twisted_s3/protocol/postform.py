"""The fields of a browser upload: who signed them, and what they say about the object and the answer.

"Browser-based uploads using POST" in the Amazon S3 API Reference
(https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-UsingHTTPPOST.html) and, for Version 2, in the User Guide
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingHTTPPOST.html).
"""

from __future__ import annotations

import hmac
import re
from base64 import b64encode
from collections.abc import Mapping
from typing import ClassVar
from urllib.parse import quote, urlsplit

from msgspec import Struct, structs

from twisted_s3.discreet import Discreet
from twisted_s3.errors import S3Error
from twisted_s3.model import ObjectVersion
from twisted_s3.protocol.head import RequestHead
from twisted_s3.protocol.names import check_key
from twisted_s3.protocol.sigv4 import (
    ALGORITHM,
    MAX_SKEW,
    SignatureV4,
    clock_text,
    mismatch,
    timestamp_seconds,
)
from twisted_s3.protocol.xmldocs import PROLOG, element

#: Where a client's file name goes.
VARIABLE = "${filename}"

#: The fields of both signatures, as AWS writes their names.
_V4_FIELDS = ("policy", "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Signature")
_V4_MARKS = frozenset({"x-amz-algorithm", "x-amz-credential", "x-amz-signature"})
_V2_FIELDS = ("policy", "AWSAccessKeyId", "Signature")
_V2_MARKS = frozenset({"awsaccesskeyid", "signature"})

#: Fields that stand for a header of PutObject, besides ``x-amz-*``.
_HEADERS = frozenset(
    {
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-md5",
        "content-type",
        "expires",
        "if-match",
        "if-none-match",
    }
)
#: ``x-amz-*`` fields that belong to the form itself, or that have a form of their own here.
_NOT_HEADERS = frozenset(
    {
        "x-amz-algorithm",
        "x-amz-content-sha256",
        "x-amz-credential",
        "x-amz-date",
        "x-amz-security-token",
        "x-amz-signature",
        "x-amz-tagging",
    }
)
#: Headers of the request itself that count where the form has no such field.
_TOKEN = re.compile("[a-z0-9!#$%&'*+.^_`|~-]+")
_OF_REQUEST = ("if-match", "if-none-match")


class Claim(Discreet, Struct, frozen=True):
    """What a form says of who signed it.

    :ivar policy: the field as sent, which is what was signed.
    :ivar date: of the credential scope, ``YYYYMMDD``; "" for Version 2.
    :ivar time: the form's ``x-amz-date`` in seconds since the epoch; None for Version 2.
    """

    HIDDEN: ClassVar = ("policy", "signature", "token")

    access_key: str
    policy: str
    signature: str
    token: str | None = None
    date: str = ""
    time: float | None = None


def find_claim(fields: Mapping[str, str], v4: SignatureV4) -> Claim | None:
    """Who a form says it is from; None for one with neither signature nor policy.

    :param fields: by lower-case name.
    :raise S3Error: ``InvalidArgument``; ``AccessDenied`` for a policy that nobody signed.
    """
    version4, version2 = not _V4_MARKS.isdisjoint(fields), not _V2_MARKS.isdisjoint(fields)
    if version4 and version2:
        raise S3Error(
            "InvalidArgument",
            "Only one auth mechanism allowed; only the X-Amz-Signature or the Signature field should be specified",
            {"ArgumentName": "X-Amz-Signature"},
        )
    token = fields.get("x-amz-security-token")
    if version4:
        policy, algorithm, credential, timestamp, signature = (require(fields, name) for name in _V4_FIELDS)
        if algorithm != ALGORITHM:
            raise _refused("X-Amz-Algorithm", algorithm, f'X-Amz-Algorithm only supports "{ALGORITHM}"')
        access_key, date = v4.scope(credential, lambda text, **elements: _bad_credential(credential, text, elements))
        seconds = timestamp_seconds(timestamp)
        if seconds is None:
            text = "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\""
            raise _refused("X-Amz-Date", timestamp, text)
        if timestamp[:8] != date:
            text = f'Invalid credential date "{date}". This date is not the same as X-Amz-Date: "{timestamp[:8]}".'
            raise _refused("X-Amz-Credential", credential, text)
        return Claim(access_key, policy, signature, token, date, seconds)
    if version2:
        policy, access_key, signature = (require(fields, name) for name in _V2_FIELDS)
        return Claim(access_key, policy, signature, token)
    if "policy" in fields:
        raise S3Error("AccessDenied")
    return None


def verify(claim: Claim, secret_key: str, v4: SignatureV4, now: float) -> None:
    """Check the signature of a form. How long it is good for is for its policy to say.

    :param now: seconds since the epoch.
    :raise S3Error: ``SignatureDoesNotMatch``; ``AccessDenied`` for a form from the future.
    """
    if claim.time is not None and claim.time - now > MAX_SKEW:
        raise S3Error("AccessDenied", "Request is not valid yet", {"ServerTime": clock_text(now)})
    to_sign = claim.policy.encode("utf-8")
    if claim.date:
        expected = hmac.digest(v4.signing_key(secret_key, claim.date), to_sign, "sha256").hex().encode("ascii")
    else:
        expected = b64encode(hmac.digest(secret_key.encode("utf-8"), to_sign, "sha1"))
    if not hmac.compare_digest(expected, claim.signature.encode("utf-8")):
        raise mismatch(claim.access_key, to_sign, claim.signature)


def require(fields: Mapping[str, str], name: str) -> str:
    """The field of that name. :raise S3Error: ``InvalidArgument`` when it is not there or empty."""
    value = fields.get(name.lower())
    if not value:
        order = "If it is specified, please check the order of the fields."
        raise _refused(name, "", f"Bucket POST must contain a field named '{name}'.  {order}")
    return value


def expand(fields: Mapping[str, str], filename: str) -> Mapping[str, str]:
    """The fields with ``${filename}`` replaced by the last component of the client's file name."""
    base = filename.replace("\\", "/").rpartition("/")[2]
    return {name: value.replace(VARIABLE, base) for name, value in fields.items()}


def key_of(fields: Mapping[str, str]) -> str:
    """The key that a form names, variables expanded.

    :raise S3Error: ``InvalidArgument``, ``KeyTooLongError``.
    """
    if "key" not in fields:
        require(fields, "key")
    key = fields["key"]
    if not key:
        raise _refused("key", "", "User key must have a length greater than 0.")
    check_key(key)
    return key


def head_of(fields: Mapping[str, str], head: RequestHead) -> RequestHead:
    """The head of the PutObject that a form stands for.

    :param head: of the form's own request.
    """
    headers = {name: head.headers[name] for name in _OF_REQUEST if name in head.headers}
    for name, value in fields.items():
        if name == "acl":
            name = "x-amz-acl"
        if name in _HEADERS or (name.startswith("x-amz-") and name not in _NOT_HEADERS):
            if not _TOKEN.fullmatch(name):
                # It would be given back as the name of a header.
                raise S3Error("InvalidArgument", elements={"ArgumentName": name, "ArgumentValue": value})
            headers[name] = [value.encode("utf-8").decode("latin-1")]
    return structs.replace(head, headers=headers)


def redirect_of(fields: Mapping[str, str], bucket: str, version: ObjectVersion) -> str | None:
    """Where a form wants its sender to go next; None where it does not say, or names no URL."""
    wanted = fields.get("success_action_redirect") or fields.get("redirect") or ""
    if not wanted.isascii() or not wanted.isprintable() or " " in wanted:
        return None
    try:
        parts = urlsplit(wanted)
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return None
    facts = f"bucket={quote(bucket)}&key={quote(version.key, safe='')}&etag=%22{version.etag}%22"
    return parts._replace(query=f"{parts.query}&{facts}" if parts.query else facts).geturl()


def post_response(location: str, bucket: str, version: ObjectVersion) -> bytes:
    """Write ``PostResponse``, which has no namespace."""
    content = [
        element("Location", location),
        element("Bucket", bucket),
        element("Key", version.key),
        element("ETag", f'"{version.etag}"'),
    ]
    return PROLOG + f"<PostResponse>{''.join(content)}</PostResponse>".encode()


def _refused(name: str, value: str, text: str) -> S3Error:
    return S3Error("InvalidArgument", text, {"ArgumentName": name, "ArgumentValue": value})


def _bad_credential(credential: str, text: str, elements: Mapping[str, str]) -> S3Error:
    named = {"ArgumentName": "X-Amz-Credential", "ArgumentValue": credential, **elements}
    return S3Error("InvalidArgument", text, named)
