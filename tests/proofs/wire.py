"""Signed requests as bytes, and connections that carry them, without anything between the test and the socket."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from hashlib import sha256
from http.client import HTTPException, HTTPResponse
from urllib.parse import quote

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from lxml import etree
from msgspec import Struct

#: Seconds after which an answer that has not come will not come.
PATIENCE = 60.0


class Answer(Struct, frozen=True):
    """What came back: ``headers`` by lower-case name."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def etag(self) -> str:
        """The ETag without quotes."""
        return self.headers.get("etag", "").strip('"')

    def texts(self, name: str) -> list[str]:
        """The texts of all elements of that name in the document."""
        return [element.text or "" for element in etree.fromstring(self.body).iter(f"{{*}}{name}")]

    def text(self, name: str) -> str:
        """The text of the first element of that name; "" for none."""
        return next(iter(self.texts(name)), "")


class _Auth(S3SigV4Auth):
    """The payload hash is the one that the caller states."""

    def payload(self, request: AWSRequest) -> str:
        return str(request.context["payload"])


class Signer(Struct, frozen=True):
    """Makes whole requests for one server.

    :ivar authority: host and port.
    """

    authority: str
    access_key: str
    secret_key: str
    region: str = "us-east-1"

    def head(
        self, method: str, target: str, headers: Mapping[str, str], payload: str, length: int | None = None
    ) -> bytes:
        """The bytes of a signed head.

        :param payload: the value of ``x-amz-content-sha256``.
        :param length: the ``Content-Length``, which is not signed; None for none.
        """
        request = AWSRequest(method, f"http://{self.authority}{target}", headers=dict(headers))
        request.context["payload"] = payload
        _Auth(Credentials(self.access_key, self.secret_key), "s3", self.region).add_auth(request)
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self.authority}"]
        lines += [f"{name}: {value}" for name, value in request.headers.items()]
        if length is not None:
            lines.append(f"Content-Length: {length}")
        return "\r\n".join((*lines, "", "")).encode("ascii")

    def request(self, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> bytes:
        """The bytes of a signed request with its body."""
        return self.head(method, target, headers or {}, sha256(body).hexdigest(), len(body)) + body


class Connection:
    """One connection that is kept. Blocking; for one thread.

    :param tls: how to wrap it, None for plain TCP.
    """

    def __init__(self, authority: str, tls: ssl.SSLContext | None = None) -> None:
        host, _, port = authority.partition(":")
        self.socket = socket.create_connection((host, int(port)), PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname=host)

    @property
    def port(self) -> int:
        """Our end's port."""
        return int(self.socket.getsockname()[1])

    def send(self, request: bytes) -> None:
        """Send bytes of a request."""
        self.socket.sendall(request)

    def receive(self, method: str) -> Answer:
        """The answer. :raise OSError: when none comes, or not all of it."""
        response = HTTPResponse(self.socket, method=method)
        try:
            response.begin()
            body = response.read()
        except (ValueError, HTTPException) as error:
            raise ConnectionError from error
        finally:
            response.close()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, body)

    def close(self) -> None:
        """Close it."""
        self.socket.close()


def object_target(bucket: str, key: str) -> str:
    """The path of an object, escaped as a client escapes it."""
    return f"/{bucket}/{quote(key, safe='/~')}"


def complete_document(etags: Mapping[int, str]) -> bytes:
    """The body of CompleteMultipartUpload: part numbers to ETags."""
    parts = "".join(
        f'<Part><PartNumber>{number}</PartNumber><ETag>"{etag}"</ETag></Part>' for number, etag in sorted(etags.items())
    )
    return f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
