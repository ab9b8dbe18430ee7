"""Every operation against everybody who may not: the table says which there are, so none can be forgotten."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import md5
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

from botocore.auth import HmacV1Auth
from msgspec import structs
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.operations.clients import BUCKET
from tests.operations.requests import KEY, headers_of, target_of
from tests.protocol import signing
from tests.serving import REGION
from twisted_s3.access import PolicyAuthorizer
from twisted_s3.credentials import Users
from twisted_s3.errors import S3Error
from twisted_s3.interfaces import IBody
from twisted_s3.model import Properties, User
from twisted_s3.operations.call import Services
from twisted_s3.operations.table import OPERATIONS, Operation
from twisted_s3.protocol.authentication import Authenticator
from twisted_s3.protocol.head import RequestHead
from twisted_s3.protocol.payload import Payload
from twisted_s3.storage.memory import MemoryStore
from twisted_s3.web.bodies import SpooledBody
from twisted_s3.web.gate import Gate, Passage, Target

OWNER = structs.replace(signing.USER, name="owner", administrator=True)
OTHER = User("OTHERSKEY", "others-secret-0123456789", "f" * 64, "other")
WAYS = ("v4 header", "v4 query", "v2 header", "v2 query")
signed = partial(signing.signed, region=REGION)
QUERIES = ("v4 query", "v2 query")
#: What says that somebody is not who they say, or may not.
REFUSALS = frozenset({"AccessDenied", "SignatureDoesNotMatch", "InvalidAccessKeyId", "RequestTimeTooSkewed"})
#: What whoever holds a key may ask for, who is then shown or told nothing of others' buckets.
FOR_ALL = frozenset({"ListBuckets", "CreateBucket"})

ROUTED = [operation for operation in OPERATIONS if operation.routed]
#: A form is let through the gate: who sent it is in its body. See ``test_posting_refusals``.
GUARDED = [operation for operation in ROUTED if not operation.form]


def signed_by_v2(operation: Operation) -> bool:
    """Whether botocore's Version 2 knows the sub-resource of an operation: it has learnt none for years."""
    return not operation.subresource or operation.subresource in HmacV1Auth.QSAOfInterest


@implementer(IBody)
class Unread:
    """A body that nobody may read before all is checked."""

    length: int | None = 0
    read_by = ""

    async def read(self) -> bytes:
        """Fail in a way that shows."""
        raise ReadTooEarly


class ReadTooEarly(Exception):
    """A body was read."""


class Matrix(SynchronousTestCase):
    """Who is refused, by every operation."""

    def setUp(self) -> None:
        """A store with a bucket, an object and an upload, which all are the owner's."""
        self.clock = Clock()
        self.clock.advance(time.time())
        self.store = MemoryStore(self.clock)
        services = Services(self.store, Users([OWNER, OTHER]), PolicyAuthorizer(region=REGION), self.clock, REGION)
        self.gate = Gate(services, Authenticator(REGION))
        self.now(self.fill())
        self.before = self.state()

    async def fill(self) -> None:
        """Make what is there."""
        await self.store.create_bucket(BUCKET, OWNER.canonical_id, REGION)
        staged = await self.store.stage(BUCKET, Payload())
        await staged.write(b"secret")
        await staged.commit(KEY, Properties(tags={"a": "b"}), owner=OWNER.canonical_id)
        self.upload = await self.store.create_upload(BUCKET, KEY, Properties(), OWNER.canonical_id)

    def now(self, work: Any) -> Any:
        """The result of a coroutine that does not wait."""
        return self.successResultOf(Deferred.fromCoroutine(work))

    def state(self) -> object:
        """All that a request could change."""

        async def look() -> object:
            keys, _ = await self.store.list_keys(BUCKET, lambda walk: list(walk("")), lambda keys: ())
            version = await self.store.head_object(BUCKET, KEY)
            uploads = await self.store.list_uploads(BUCKET)
            return await self.store.list_buckets(), keys, version, uploads

        return self.now(look())

    def tearDown(self) -> None:
        """Whatever was tried, nothing has changed."""
        self.assertEqual(self.state(), self.before)

    def target(self, operation: Operation) -> str:
        """Path and query."""
        return target_of(operation, upload_id=self.upload.id)

    def head(self, operation: Operation, how: str, user: User = OWNER, **options: Any) -> RequestHead:
        """A signed head for an operation."""
        return signed(operation.method, self.target(operation), headers_of(operation), how=how, user=user, **options)

    def outcome(self, operation: Operation, head: RequestHead, body: Any = None) -> str:
        """The code of the error that the gate answers with; "" for no error, "read" where the body was asked for."""
        _, bucket, *key = head.path.decode().split("/", 2)
        place = Target(bucket.encode(), key[0].encode() if key else b"")
        passage = Passage()
        asked = Deferred.fromCoroutine(self.gate.answer(head, place, body or Unread(), passage))
        results: list[Any] = []
        asked.addBoth(results.append)
        self.assertEqual(passage.operation, operation.name)
        if not results:
            self.fail(f"{operation.name} waits for something")
        failure = getattr(results[0], "value", None)
        if isinstance(failure, ReadTooEarly):
            return "read"
        if failure is not None:
            self.assertIsInstance(failure, S3Error, results[0])
            return str(failure.code)
        self.answer = results[0]
        return ""

    def refused(self, case: str, heads: Callable[[Operation], Iterator[RequestHead]], *codes: str) -> None:
        """Assert that every operation refuses what ``heads`` makes for it. What is not built may say so first."""
        for operation in GUARDED:
            tried = 0
            for head in heads(operation):
                allowed = {*codes} if operation.handler else {*codes, "NotImplemented"}
                self.assertIn(self.outcome(operation, head), allowed, (case, operation.name))
                tried += 1
            self.assertTrue(tried, (case, operation.name))

    def test_forms(self) -> None:
        """There is one operation that authenticates by itself."""
        self.assertEqual([op.name for op in ROUTED if op not in GUARDED], ["PostObject"])

    def test_owner(self) -> None:
        """All these requests are refused for nothing but their sender: the owner's gets as far as it can."""
        for operation in GUARDED:
            if operation.method in ("GET", "HEAD") or operation.handler is None:
                for how in WAYS:
                    if how.startswith("v2") and not signed_by_v2(operation):
                        continue
                    code = self.outcome(operation, self.head(operation, how))
                    self.assertNotIn(code, REFUSALS, (operation.name, how))
                    self.assertEqual(code == "NotImplemented", operation.handler is None, operation.name)

    def test_nobody(self) -> None:
        """No credentials."""

        def heads(operation: Operation) -> Iterator[RequestHead]:
            yield signing.make_head(operation.method, self.target(operation), {"host": "h", **headers_of(operation)})

        self.refused("nobody", heads, "AccessDenied")

    def test_wrong_secret(self) -> None:
        """Who knows the access key only."""
        thief = structs.replace(OWNER, secret_key="guess-0123456789")

        def heads(operation: Operation) -> Iterator[RequestHead]:
            for how in WAYS:
                yield self.head(operation, how, thief)

        self.refused("wrong secret", heads, "SignatureDoesNotMatch")

    def test_unknown_key(self) -> None:
        """Who has a key that is nobody's."""

        def heads(operation: Operation) -> Iterator[RequestHead]:
            for how in WAYS:
                yield self.head(operation, how, structs.replace(OWNER, access_key="NOBODY"))

        self.refused("unknown key", heads, "InvalidAccessKeyId")

    def test_expired(self) -> None:
        """A URL after its time, and a signed request that somebody recorded."""
        made = {operation.name: [self.head(operation, how, expires=60) for how in WAYS] for operation in GUARDED}
        self.clock.advance(3600)
        self.refused("expired", lambda operation: iter(made[operation.name]), "AccessDenied", "RequestTimeTooSkewed")

    def test_another_user(self) -> None:
        """Who has a key of their own, and no rights here."""

        def heads(operation: Operation) -> Iterator[RequestHead]:
            for how in WAYS if signed_by_v2(operation) else ("v4 header", "v4 query"):
                yield self.head(operation, how, OTHER)

        for operation in GUARDED:
            for head in heads(operation):
                self.answer = None
                code = self.outcome(operation, head, self.document(operation))
                if operation.name == "ListBuckets":
                    self.assertEqual(code, "")
                    self.assertNotIn(BUCKET.encode(), self.answer.body)
                elif operation.name == "CreateBucket":
                    self.assertEqual(code, "BucketAlreadyExists")
                elif operation.each:
                    self.check_each(code)
                else:
                    allowed = {"AccessDenied"} if operation.handler else {"NotImplemented"}
                    self.assertIn(code, allowed, operation.name)

    def document(self, operation: Operation) -> object:
        """The body of a request that is read before it is known what it is about."""
        if operation.name == "CreateBucket":
            return SpooledBody(BytesIO(), 0)
        return None

    def check_each(self, code: str) -> None:
        """The document needs a digest in the head, which these heads have not: nothing was read."""
        self.assertEqual(code, "InvalidRequest")

    def test_another_users_keys(self) -> None:
        """DeleteObjects is answered key by key."""
        body = f"<Delete><Object><Key>{KEY}</Key></Object></Delete>".encode()
        digest = {"content-md5": b64encode(md5(body).digest()).decode()}
        operation = next(one for one in OPERATIONS if one.each)
        for how in QUERIES:
            head = signed("POST", self.target(operation), digest, how=how, user=OTHER)
            self.assertEqual(self.outcome(operation, head, SpooledBody(BytesIO(body), len(body))), "")
            self.assertIn(b"<Code>AccessDenied</Code>", self.answer.body)
            self.assertNotIn(b"<Deleted>", self.answer.body)

    def test_presigned_for_something_else(self) -> None:
        """A URL is good for one method, one path and one query."""

        def heads(operation: Operation) -> Iterator[RequestHead]:
            method = "DELETE" if operation.method == "GET" else "GET"
            path, _, query = self.target(operation).partition("?")
            others = [(method, self.target(operation)), (operation.method, path.rstrip("/") + "/x?" + query)]
            others.append((operation.method, f"{path}?{query}&versionId=null" if query else f"{path}?versionId=null"))
            for other_method, other in others:
                for how in QUERIES:
                    made = signed(other_method, other, headers_of(operation), how=how, user=OWNER)
                    yield self.moved(operation, made, how)
            for how in QUERIES if query else ():
                # Of a query Version 2 signs the sub-resources only.
                if how == "v4 query" or (signed_by_v2(operation) and operation.subresource):
                    made = signed(operation.method, path, headers_of(operation), how=how, user=OWNER)
                    yield self.moved(operation, made, how)

        self.refused("another request", heads, "SignatureDoesNotMatch")

    def moved(self, operation: Operation, made: RequestHead, how: str) -> RequestHead:
        """The credentials of a URL on the request for an operation."""
        names = ("X-Amz-",) if how == "v4 query" else ("AWSAccessKeyId", "Signature", "Expires")
        items = [item for item in made.query.split(b"&") if item.decode().startswith(names)]
        parts = urlsplit(self.target(operation))
        query = b"&".join([*([parts.query.encode()] if parts.query else []), *items])
        return structs.replace(made, method=operation.method, path=parts.path.encode(), query=query)
