"""Upload forms: their bodies as browsers write them, and policies signed as the S3 documentation says."""

from __future__ import annotations

import hmac
import json
import time
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from twisted_s3.model import User

BOUNDARY = "----FormBoundary7MA4YWxkTrZu0gW"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def part(name: str, value: bytes, filename: str | None = None) -> bytes:
    """One part of a form."""
    disposition = f'form-data; name="{name}"'
    if filename is not None:
        disposition += f'; filename="{filename}"\r\nContent-Type: application/octet-stream'
    head = f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n\r\n"
    return head.encode() + value + b"\r\n"


def form_body(fields: Mapping[str, str], file: bytes | None = b"hello", filename: str = "name.txt") -> bytes:
    """A whole form, its file last; without one where ``file`` is None."""
    parts = [part(name, value.encode()) for name, value in fields.items()]
    if file is not None:
        parts.append(part("file", file, filename))
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def stamp(seconds: float) -> str:
    """A time as policies write it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def encode_policy(document: Any) -> str:
    """A policy as the field of a form holds it; text is taken as the JSON itself."""
    text = document if isinstance(document, str) else json.dumps(document)
    return b64encode(text.encode()).decode("ascii")


def policy_document(conditions: Sequence[Any], lifetime: float = 600) -> dict[str, Any]:
    """A policy document that expires ``lifetime`` seconds from now."""
    return {"expiration": stamp(time.time() + lifetime), "conditions": list(conditions)}


def sign_v2(user: User, policy: str) -> dict[str, str]:
    """The fields of a Version 2 form."""
    signature = b64encode(hmac.digest(user.secret_key.encode(), policy.encode(), "sha1")).decode("ascii")
    return {"AWSAccessKeyId": user.access_key, "policy": policy, "signature": signature}


def scope_fields(user: User, region: str, seconds: float | None = None) -> dict[str, str]:
    """The fields of a Version 4 form that its policy must name."""
    timestamp = datetime.fromtimestamp(time.time() if seconds is None else seconds, UTC).strftime("%Y%m%dT%H%M%SZ")
    fields = {
        "x-amz-algorithm": "AWS4-HMAC-SHA256",
        "x-amz-credential": f"{user.access_key}/{timestamp[:8]}/{region}/s3/aws4_request",
        "x-amz-date": timestamp,
    }
    if user.session_token is not None:
        fields["x-amz-security-token"] = user.session_token
    return fields


def sign_v4(user: User, policy: str, scope: Mapping[str, str]) -> dict[str, str]:
    """The fields of a Version 4 form. ``scope`` is from :func:`scope_fields`."""
    _, date, region, service, terminal = scope["x-amz-credential"].split("/")
    key = f"AWS4{user.secret_key}".encode()
    for text in (date, region, service, terminal):
        key = hmac.digest(key, text.encode(), "sha256")
    signature = hmac.digest(key, policy.encode(), "sha256").hex()
    return {**scope, "policy": policy, "x-amz-signature": signature}
