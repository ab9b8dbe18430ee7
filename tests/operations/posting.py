"""What tests of upload forms share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zope.interface import implementer

from tests.forms import (
    CONTENT_TYPE,
    encode_policy,
    form_body,
    policy_document,
    scope_fields,
    sign_v2,
    sign_v4,
)
from tests.operations.clients import BUCKET, OperationTestCase, Response, send_plain
from tests.serving import ALICE, BOB, Server
from twisted_s3.errors import ERRORS, S3Error
from twisted_s3.interfaces import IAuthorizer
from twisted_s3.model import ObjectVersion, User
from twisted_s3.protocol.access.request import AccessRequest

#: Somebody whose key is temporary.
CAROL = User("CAROLKEY", "carols-secret-0123456789", "c" * 64, administrator=True, session_token="carols-token")
DAVE = User("DAVEKEY", "daves-secret-0123456789", "d" * 64, administrator=True, session_token="old", expires=1.0)
ANY = [["starts-with", "$key", ""], {"bucket": BUCKET}]


@implementer(IAuthorizer)
class Open:
    """Lets everybody do everything, but for one action."""

    def __init__(self, closed: str = "") -> None:
        self._closed = closed

    async def authorize(self, request: AccessRequest) -> None:
        """:raise S3Error: ``AccessDenied``."""
        if request.action == self._closed:
            raise S3Error("AccessDenied")


def post(
    server: Server,
    fields: Mapping[str, str],
    file: bytes | None = b"hello",
    filename: str = "name.txt",
    path: str = f"/{BUCKET}",
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Send a form."""
    body = form_body(fields, file, filename)
    return send_plain(server, "POST", path, body, {"Content-Type": CONTENT_TYPE, **(headers or {})})


def signed(
    conditions: Sequence[Any] = (),
    fields: Mapping[str, str] | None = None,
    user: User = ALICE,
    version: int = 4,
    document: Any = None,
    when: float | None = None,
) -> dict[str, str]:
    """The fields of a form whose policy holds for them, and has these conditions too."""
    given = {"key": "key", **(fields or {})}
    scope = scope_fields(user, "us-east-1", when) if version == 4 else {}
    exact = [{name: value} for name, value in {**given, **scope}.items() if name != "key"]
    made = policy_document([*ANY, *exact, *conditions]) if document is None else document
    policy = encode_policy(made)
    return {**given, **(sign_v4(user, policy, scope) if version == 4 else sign_v2(user, policy))}


def version_of(server: Server, key: str) -> ObjectVersion:
    """An object's version, from a store in memory, which does not wait."""
    waiting = server.store.head_object(BUCKET, key).__await__()
    try:
        next(waiting)
    except StopIteration as done:
        version: ObjectVersion = done.value
        return version
    raise AssertionError("the store waits")


class PostingTestCase(OperationTestCase):
    """Tests that send forms."""

    users = (ALICE, BOB, CAROL, DAVE)

    def make(self, server: Server) -> Any:
        """The bucket, and a client for it."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        return client

    def denied(self, response: Response, code: str, message: str | None = None) -> None:
        """Check a refusal."""
        self.assertEqual((response.code, response.status), (code, ERRORS[code][0]), response)
        if message is not None:
            self.assertEqual(response.element("Message"), message)
