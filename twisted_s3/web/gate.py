"""The gate that every request passes: which operation, who asks, may they. Only then does the operation run.

Nothing of the body is read here, so ``100 Continue`` is not sent before the gate is passed. A form is let through
unseen: its fields say who sends it, so its operation asks.
"""

from __future__ import annotations

from functools import cached_property

import msgspec
from msgspec import Struct, structs

from twisted_s3.errors import S3Error
from twisted_s3.interfaces import IBody, IForesight
from twisted_s3.model import Bucket, User
from twisted_s3.operations.announcing import Origin
from twisted_s3.operations.call import Answer, Call, Handler, Headers, Moved, Services
from twisted_s3.operations.cors import Sharing
from twisted_s3.operations.dispatch import find_operation
from twisted_s3.operations.headers import check_expected_owner
from twisted_s3.operations.table import BUCKET, OBJECT, SERVICE, Operation
from twisted_s3.protocol.authentication import Authenticator, Verified
from twisted_s3.protocol.head import RequestHead
from twisted_s3.protocol.names import check_bucket_name, check_key, decode_key
from twisted_s3.protocol.policy.actions import versioned

#: What the access log calls a preflight.
PREFLIGHT = "Preflight"

#: How often an object may be replaced between the decision about it and its use.
_ATTEMPTS = 10


class Target(Struct, frozen=True):
    """What a path names, its bytes as sent. ``bucket`` and ``key`` are empty where it names none.

    :ivar virtual: whether the bucket's name came from the host.
    """

    bucket: bytes = b""
    key: bytes = b""
    virtual: bool = False

    @property
    def level(self) -> str:
        """``service``, ``bucket`` or ``object``."""
        if not self.bucket:
            return SERVICE
        return OBJECT if self.key else BUCKET


class Passage(Struct):
    """What became known of a request on its way, for the access log.

    :ivar origin: known from the start.
    :ivar record: what is recorded about the bucket, once that is known.
    """

    operation: str = "-"
    bucket: str = ""
    key: str = ""
    user: User | None = None
    origin: Origin = msgspec.field(default_factory=Origin)
    record: Bucket | None = None


class Gate(Struct, frozen=True, dict=True):
    """Lets requests through to their operations.

    A preflight comes from a browser rather than from a user. It is no operation, and nobody signs it.
    """

    services: Services
    authenticator: Authenticator

    @cached_property
    def _sharing(self) -> Sharing:
        return Sharing(self.services.store)

    async def shared(self, head: RequestHead, target: Target) -> Headers:
        """The headers that any answer to a request has for a script of another origin. Nothing is raised."""
        if "origin" not in head.headers:
            return ()
        try:
            return await self._sharing.headers(head, _text(target.bucket))
        except S3Error:
            return ()

    async def preflight(self, head: RequestHead, target: Target, passage: Passage) -> Answer:
        """Answer a browser that asks what a script may send. :raise S3Error: the refusal."""
        passage.operation = PREFLIGHT
        passage.bucket = _text(target.bucket)
        passage.key = decode_key(target.key) if target.key else ""
        return await self._sharing.preflight(head, passage.bucket, target.level)

    async def read_publicly(self, head: RequestHead, bucket: Bucket, key: str, body: IBody, passage: Passage) -> Answer:
        """GetObject or HeadObject for somebody of whom nothing is known. :raise S3Error: the refusal.

        :param head: of a request without a query, whatever its path.
        """
        check_key(key)
        operation = find_operation(OBJECT, head)
        assert operation.handler is not None
        call = Call(self.services, self.authenticator, head, body, None, None, bucket.name, key, bucket, passage.origin)
        return await self._operate(operation, operation.handler, call)

    async def answer(self, head: RequestHead, target: Target, body: IBody, passage: Passage) -> Answer:
        """Run the operation that a request means, if its sender may.

        :raise S3Error: the refusal, of the gate or of the operation.
        """
        passage.bucket = _text(target.bucket)
        passage.key = decode_key(target.key) if target.key else ""
        operation = find_operation(target.level, head)
        passage.operation = operation.name
        verified = None if operation.form else await self._authenticate(head, target)
        user = passage.user = None if verified is None else verified.user
        if verified is not None and verified.implied:
            # Header values are latin-1. What the URL implies may choose the operation: x-amz-copy-source does.
            implied = {name: [value.encode().decode("latin-1")] for name, value in verified.implied.items()}
            head = structs.replace(head, headers={**head.headers, **implied})
            operation = find_operation(target.level, head)
            passage.operation = operation.name
        if operation.handler is None:
            raise S3Error("NotImplemented", elements={"Header": operation.subresource or operation.name})
        if passage.key:
            check_key(passage.key)
        bucket = passage.record = await self._bucket(operation, passage.bucket)
        if bucket is not None:
            check_expected_owner(head, bucket)
        call = Call(
            self.services,
            self.authenticator,
            head,
            body,
            verified,
            user,
            passage.bucket,
            passage.key,
            bucket,
            passage.origin,
        )
        try:
            return await self._operate(operation, operation.handler, call)
        finally:
            passage.user, passage.key = call.user, call.key

    async def _operate(self, operation: Operation, handler: Handler, call: Call) -> Answer:
        for _ in range(_ATTEMPTS if operation.method in ("GET", "HEAD", "DELETE") else 1):
            try:
                return await self._attempt(operation, handler, call)
            except Moved:
                # Nothing was done yet, and no body was read. Perhaps its sender may do it to the new object, too.
                call.basis.clear()
        raise Moved

    async def _attempt(self, operation: Operation, handler: Handler, call: Call) -> Answer:
        if operation.each:
            self._foresee(operation, call)
        elif not operation.form:
            await self._authorize(operation, call)
        try:
            return await handler(call)
        except S3Error as error:
            if error.code == "NoSuchKey" and call.bucket is not None and not operation.copies:
                await call.admit_absence(call.bucket, call.key)
            raise

    def _foresee(self, operation: Operation, call: Call) -> None:
        """Read no body of somebody who will be allowed nothing of what it could say.

        :raise S3Error: ``AccessDenied``.
        """
        authorizer = self.services.authorizer
        if call.bucket is None or not IForesight.providedBy(authorizer):
            return
        if not authorizer.might_allow(call.user, call.bucket, {operation.action, versioned(operation.action)}):
            raise S3Error("AccessDenied")

    async def _authorize(self, operation: Operation, call: Call) -> None:
        """Ask for the right. Who may not read an object, but list, is told when there is none, as on AWS."""
        version_id = call.parameter("versionId")
        try:
            await call.authorize(operation.action, call.bucket, call.key or None, version_id=version_id)
        except S3Error:
            if operation.action == "s3:GetObject" and call.bucket is not None and version_id is None:
                await call.admit_absence(call.bucket, call.key)
                if await call.present(call.bucket_name, call.key, None) is None:
                    raise S3Error("NoSuchKey", elements={"Key": call.key}) from None
            raise

    async def _authenticate(self, head: RequestHead, target: Target) -> Verified | None:
        claim = self.authenticator.claim(head)
        if claim is None:
            return None
        user = await self.services.credentials.get_user(claim.access_key)
        if user is None:
            raise S3Error("InvalidAccessKeyId", elements={"AWSAccessKeyId": claim.access_key})
        virtual = _text(target.bucket) if target.virtual else None
        return self.authenticator.verify(claim, head, user, self.services.clock.seconds(), virtual)

    async def _bucket(self, operation: Operation, name: str) -> Bucket | None:
        if not name or operation.creates:
            return None
        check_bucket_name(name)
        return await self.services.store.get_bucket(name)


def _text(raw: bytes) -> str:
    return decode_key(raw) if raw else ""
