"""How tests of operations reach a server: with boto3, and with single requests that botocore only signs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPSConnection
from ssl import create_default_context
from typing import Any

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from lxml import etree
from msgspec import Struct
from twisted.internet.defer import Deferred

from tests.serving import ALICE, Server, ServingTestCase
from twisted_s3.model import User

BUCKET = "bucket"


class Response(Struct, frozen=True):
    """What came back: ``headers`` by lower-case name."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The code of the error document, "" for none."""
        return self.element("Code") if self.status >= 300 and self.body else ""

    def element(self, name: str) -> str:
        """The text of the first element of that name."""
        return etree.fromstring(self.body).findtext(f".//{{*}}{name}") or ""


def send(
    server: Server,
    method: str,
    target: str,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    user: User = ALICE,
    payload: str | None = None,
) -> Response:
    """Send one signed request whose target (path and query) goes out as it is written.

    :param payload: the ``x-amz-content-sha256`` to sign instead of that of the body.
    """
    request = AWSRequest(method, server.url + target, dict(headers or {}), body)
    signer = S3SigV4Auth(Credentials(user.access_key, user.secret_key), "s3", "us-east-1")
    if payload is not None:
        signer.payload = lambda request: payload
    signer.add_auth(request)
    return send_plain(server, method, target, body, dict(request.headers.items()))


def send_plain(
    server: Server, method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> Response:
    """Send one request as it is; its headers in UTF-8, its body in one chunk where they say that it is chunked."""
    host = server.url.partition("//")[2]
    if server.authority is None:
        connection: HTTPConnection = HTTPConnection(host, timeout=30)
    else:
        connection = HTTPSConnection(host, timeout=30, context=create_default_context(cafile=server.authority))
    try:
        raw = {name: value.encode() for name, value in (headers or {}).items()}
        connection.request(method, target, body or None, raw, encode_chunked=True)
        answer = connection.getresponse()
        return Response(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()


class OperationTestCase(ServingTestCase):
    """Tests of operations, over HTTP; a subclass with ``tls`` repeats them over HTTPS."""

    grace = 0.1

    def refused(self, code: str, status: int, call: Callable[..., Any], **parameters: Any) -> dict[str, Any]:
        """Assert that a call of a client gets an error; give the parsed answer."""
        with self.assertRaises(ClientError) as caught:
            call(**parameters)
        response = caught.exception.response
        found = response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]
        self.assertEqual(found, (code, status), response)
        return dict(response)

    def body(self, client: Any, key: str, bucket: str = BUCKET) -> bytes:
        """The bytes of an object."""
        return bytes(client.get_object(Bucket=bucket, Key=key)["Body"].read())


def served(**changes: Any) -> Callable[[Callable[[Any, Server], None]], Callable[[Any], Deferred[None]]]:
    """Make a method a test: it runs in a thread, with a server of its own to talk to."""

    def decorate(work: Callable[[Any, Server], None]) -> Callable[[Any], Deferred[None]]:
        def run(self: Any) -> Deferred[None]:
            async def test() -> None:
                server = await self.start_server(**changes)
                try:
                    await self.in_thread(work, self, server)
                finally:
                    server.close_clients()

            return Deferred.fromCoroutine(test())

        run.__name__, run.__doc__ = work.__name__, work.__doc__
        return run

    return decorate
