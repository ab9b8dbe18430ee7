"""Requests signed as clients sign them, for the tests of authentication and payloads."""

from __future__ import annotations

import hmac
import time
from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from urllib.parse import urlsplit
from zlib import crc32

import attrs
from botocore.auth import BaseSigner, HmacV1Auth, HmacV1QueryAuth, S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from msgspec import structs

from twisted_s3.errors import S3Error
from twisted_s3.model import Digest, User
from twisted_s3.protocol.authentication import Authenticator, Verified
from twisted_s3.protocol.head import RequestHead
from twisted_s3.protocol.payload import payload_for
from twisted_s3.protocol.sigv4 import SIGNED_CHUNKS, SIGNED_CHUNKS_TRAILER, UNSIGNED_CHUNKS_TRAILER, Seed

REGION = "eu-west-1"
ENDPOINT = "http://127.0.0.1:9000"
USER = User("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "0" * 64)
MODES = (SIGNED_CHUNKS, SIGNED_CHUNKS_TRAILER, UNSIGNED_CHUNKS_TRAILER)


def headers_of(pairs: Mapping[str, str] | Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """Headers as the front keeps them: UTF-8 bytes read as latin-1."""
    headers: dict[str, list[str]] = {}
    for name, value in pairs.items() if isinstance(pairs, Mapping) else pairs:
        headers.setdefault(name.lower(), []).append(value.encode("utf-8").decode("latin-1").strip(" \t"))
    return headers


def make_head(method: str, target: str, headers: Mapping[str, str] | Sequence[tuple[str, str]] = ()) -> RequestHead:
    """A head out of the request target as sent."""
    path, _, query = target.encode("utf-8").partition(b"?")
    return RequestHead(method, path, query, headers_of(headers))


def head_of(request: AWSRequest) -> RequestHead:
    """The head that botocore's request makes on the wire."""
    parts = urlsplit(request.url)
    headers = headers_of(list(request.headers.items()))
    headers.setdefault("host", [parts.netloc])
    return RequestHead(request.method, parts.path.encode("utf-8"), parts.query.encode("utf-8"), headers)


def signed(
    method: str = "GET",
    path: str = "/bucket/key",
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    how: str = "v4 header",
    user: User = USER,
    region: str = REGION,
    service: str = "s3",
    expires: int = 3600,
) -> RequestHead:
    """A head that botocore signed just now."""
    request = AWSRequest(method, ENDPOINT + path, headers=dict(headers or {}), data=body)
    credentials = Credentials(user.access_key, user.secret_key, user.session_token)
    signers: dict[str, BaseSigner] = {
        "v4 header": S3SigV4Auth(credentials, service, region),
        "v4 query": S3SigV4QueryAuth(credentials, service, region, expires=expires),
        "v2 header": HmacV1Auth(credentials),
        "v2 query": HmacV1QueryAuth(credentials, expires=expires),
    }
    signers[how].add_auth(request)
    if how == "v2 query":
        for name in list(request.headers):
            if name == "Date":
                del request.headers[name]
    return head_of(request)


def check(
    head: RequestHead,
    user: User | None = USER,
    now: float | None = None,
    region: str = REGION,
    virtual_bucket: str | None = None,
) -> Verified | None:
    """Authenticate a head; None for an anonymous one."""
    authenticator = Authenticator(region)
    claim = authenticator.claim(head)
    if claim is None:
        return None
    return authenticator.verify(claim, head, user, time.time() if now is None else now, virtual_bucket)


def receive(head: RequestHead, body: bytes, size: int = 0) -> tuple[bytes, Digest]:
    """Authenticate a head and take its body, in pieces of ``size`` (0: at once)."""
    payload = payload_for(head, check(head))
    size = size or len(body) or 1
    pieces: list[bytes] = []
    for at in range(0, len(body), size):
        pieces += payload.feed(body[at : at + size])
    return b"".join(pieces), payload.finish()


def refusal(head: RequestHead, body: bytes = b"", **options: object) -> S3Error:
    """The error that refuses a request; AssertionError when nothing does."""
    try:
        verified = check(head, **options)  # type: ignore[arg-type]
        payload = payload_for(head, verified)
        payload.feed(body)
        payload.finish()
    except S3Error as error:
        return error
    raise AssertionError("accepted")


def with_headers(head: RequestHead, **changes: str | None) -> RequestHead:
    """The head with headers (``_`` for ``-``) set, or removed where None."""
    headers = {name: list(values) for name, values in head.headers.items()}
    for name, value in changes.items():
        name = name.replace("_", "-")
        headers.pop(name, None)
        if value is not None:
            headers[name] = [value]
    return structs.replace(head, headers=headers)


def crc32_text(data: bytes) -> str:
    """The CRC32 as on the wire."""
    return b64encode(crc32(data).to_bytes(4, "big")).decode("ascii")


@attrs.define
class Chunks:
    """Frames a body as aws-chunked, as a client does."""

    seed: Seed
    previous: str = ""
    signatures: list[str] = attrs.field(factory=list)

    def sign(self, kind: str, *lines: str) -> str:
        """The next signature of the chain."""
        previous = self.previous or self.seed.signature
        text = "\n".join((f"AWS4-HMAC-SHA256-{kind}", self.seed.timestamp, self.seed.scope, previous, *lines))
        self.previous = hmac.new(self.seed.signing_key, text.encode("ascii"), sha256).hexdigest()
        self.signatures.append(self.previous)
        return self.previous

    def chunk(self, data: bytes) -> bytes:
        """A signed chunk."""
        signature = self.sign("PAYLOAD", sha256().hexdigest(), sha256(data).hexdigest())
        end = b"\r\n" if data else b""
        return b"%x;chunk-signature=%b\r\n%b%b" % (len(data), signature.encode("ascii"), data, end)

    def trailer(self, name: str, value: str) -> bytes:
        """A signed trailer."""
        signature = self.sign("TRAILER", sha256(f"{name}:{value}\n".encode("ascii")).hexdigest())
        return f"{name}:{value}\r\nx-amz-trailer-signature:{signature}\r\n".encode("ascii")


def streaming(pieces: Sequence[bytes], mode: str, **headers: str | None) -> tuple[RequestHead, list[bytes]]:
    """A signed PUT of an aws-chunked body, and the frames of that body."""
    data = b"".join(pieces)
    sent: dict[str, str | None] = {
        "content-encoding": "aws-chunked",
        "x-amz-content-sha256": mode,
        "x-amz-decoded-content-length": str(len(data)),
    }
    if mode != SIGNED_CHUNKS:
        sent["x-amz-trailer"] = "x-amz-checksum-crc32"
    sent.update((name.replace("_", "-"), value) for name, value in headers.items())
    head = sign_v4("PUT", "/bucket/key", {name: value for name, value in sent.items() if value is not None})
    verified = check(head)
    assert verified is not None and verified.seed is not None
    if mode == UNSIGNED_CHUNKS_TRAILER:
        frames = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces]
        frames += [b"0\r\n", f"x-amz-checksum-crc32:{crc32_text(data)}\r\n".encode("ascii"), b"\r\n"]
        return head, frames
    chunks = Chunks(verified.seed)
    frames = [chunks.chunk(piece) for piece in (*pieces, b"")]
    if mode == SIGNED_CHUNKS_TRAILER:
        frames.append(chunks.trailer("x-amz-checksum-crc32", crc32_text(data)))
    return head, [*frames, b"\r\n"]


def sign_v4(method: str, path: str, headers: Mapping[str, str], now: float | None = None) -> RequestHead:
    """Sign by hand what botocore's signer can not be told: the payload mode and the time.

    Path and header values must be canonical already.
    """
    moment = time.gmtime(time.time() if now is None else now)
    stamp, date = time.strftime("%Y%m%dT%H%M%SZ", moment), time.strftime("%Y%m%d", moment)
    lines = {"host": "127.0.0.1:9000", "x-amz-date": stamp, **headers}
    names = ";".join(sorted(lines))
    block = "".join(f"{name}:{lines[name]}\n" for name in sorted(lines))
    canonical = f"{method}\n{path}\n\n{block}\n{names}\n{lines['x-amz-content-sha256']}"
    scope = f"{date}/{REGION}/s3/aws4_request"
    key = b"AWS4" + USER.secret_key.encode("ascii")
    for part in scope.split("/"):
        key = hmac.new(key, part.encode("ascii"), sha256).digest()
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{sha256(canonical.encode('utf-8')).hexdigest()}"
    signature = hmac.new(key, text.encode("ascii"), sha256).hexdigest()
    lines["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={USER.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return make_head(method, path, lines)
