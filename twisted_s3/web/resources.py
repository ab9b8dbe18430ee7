"""The resource tree: service, bucket, key. It can hang anywhere in a ``twisted.web`` site."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from itertools import count
from secrets import token_bytes, token_hex

from msgspec import Struct, structs
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request
from zope.interface import implementer

from twisted_s3.errors import S3Error
from twisted_s3.operations.announcing import Origin
from twisted_s3.operations.call import Answer, Headers
from twisted_s3.protocol.head import RequestHead
from twisted_s3.protocol.names import bucket_of_host
from twisted_s3.web.bodies import ClientGone, NoBody, RequestBody, SpooledBody
from twisted_s3.web.gate import Gate, Passage, Target
from twisted_s3.web.render import error_answer, render
from twisted_s3.web.request import IStreamingResource
from twisted_s3.web.subject import with_subject

_log = Logger()

Body = RequestBody | SpooledBody | NoBody


class RequestIds:
    """Ids that name a request (``x-amz-request-id``) and this server (``x-amz-id-2``) in answers and logs."""

    def __init__(self) -> None:
        self.host_id = b64encode(token_bytes(33)).decode("ascii")
        self._prefix = token_hex(4).upper()
        self._count = count(1)

    def new(self) -> str:
        """The id of another request: 16 characters."""
        return f"{self._prefix}{next(self._count) & 0xFFFFFFFF:08X}"


class Finished(Struct, frozen=True):
    """A request that was answered, or whose client left, for whoever keeps a log.

    :ivar status: None when the client left before an answer began.
    :ivar sent: bytes of the answer's body.
    :ivar received: bytes of the request's body as sent.
    :ivar seconds: from the end of the head to the end of the answer.
    """

    passage: Passage
    head: RequestHead
    request_id: str
    remote: str
    status: int | None
    sent: int
    received: int
    seconds: float
    error: str = ""


@implementer(IStreamingResource)
class S3Resource(Resource):
    """The service: its children are buckets, or keys where a bucket's name is the host's.

    :param gate: what lets requests through.
    :param domains: host names below which a label is a bucket (virtual-hosted style).
    :param ids: where request ids come from.
    :param drain_bytes: how much of an unwanted body is read to keep the connection.
    :param finished: called for every request at its end.
    """

    def __init__(
        self,
        gate: Gate,
        domains: Sequence[str] = (),
        ids: RequestIds | None = None,
        drain_bytes: int = 1 << 20,
        finished: Callable[[Finished], None] | None = None,
    ) -> None:
        super().__init__()
        self._gate = gate
        self._domains = tuple(domains)
        self.ids = ids if ids is not None else RequestIds()
        self._drain_bytes = drain_bytes
        self._finished = finished

    def getChild(self, path: bytes, request: Request) -> Resource:
        """The bucket or the key that the request's path names, whatever ``twisted.web`` made of the path."""
        return TargetResource(self, self._target(request, len(request.prepath) - 1))

    def render(self, request: Request) -> int:
        """Answer a request for the service itself."""
        return self.serve(request, self._target(request, len(request.prepath)))

    def _target(self, request: Request, depth: int) -> Target:
        """What a request is about, the first ``depth`` segments of whose path lead here."""
        rest = self._rest(request, depth)
        bucket = self._virtual_bucket(request)
        if bucket:
            return Target(bucket.encode("utf-8"), rest, virtual=True)
        name, _, key = rest.partition(b"/")
        return Target(name, key)

    def _rest(self, request: Request, depth: int) -> bytes:
        """The raw path behind its first ``depth`` segments."""
        rest: bytes = request.path
        for _ in range(depth):
            _, _, rest = rest[1:].partition(b"/")
            rest = b"/" + rest
        return rest[1:]

    def _virtual_bucket(self, request: Request) -> str | None:
        if not self._domains:
            return None
        host = request.requestHeaders.getRawHeaders(b"Host")
        return bucket_of_host(host[0].decode("latin-1"), self._domains) if host else None

    def serve(self, request: Request, target: Target) -> int:
        """Answer a request for ``target``."""
        serving = Deferred.fromCoroutine(self._serve(request, target))
        serving.addErrback(_give_up, request)
        return int(NOT_DONE_YET)

    async def _serve(self, request: Request, target: Target) -> None:
        clock = self._gate.services.clock
        began = clock.seconds()
        request_id = self.ids.new()
        body = _body_of(request)
        head = head_of(request)
        remote = getattr(request.client, "host", "") or ""
        passage = Passage(origin=Origin(request_id, remote))
        error = ""
        gone = False
        shared: Headers = ()
        try:
            try:
                shared = await self._gate.shared(head, target)
                answer = await self._answer(head, target, body, passage)
                error = await self.send(request, _with(answer, shared), body, request_id)
            except S3Error as refusal:
                error = refusal.code
                await self._refuse(request, with_subject(refusal, passage, head), shared, body, request_id)
            except ClientGone:
                raise
            except Exception:
                _log.failure("{operation} failed", operation=passage.operation, request_id=request_id)
                error = "InternalError"
                await self._refuse(request, S3Error("InternalError"), shared, body, request_id)
        except ClientGone:
            gone = True
            error = error or "ClientGone"
        status = request.code if request.startedWriting else None
        seconds = clock.seconds() - began
        try:
            # Whoever has the answer finds it in the log.
            self._tell(
                Finished(passage, head, request_id, remote, status, request.sentLength, body.received, seconds, error)
            )
        finally:
            if not gone:
                request.finish()

    def _tell(self, request: Finished) -> None:
        if self._finished is not None:
            self._finished(request)

    async def _refuse(self, request: Request, error: S3Error, shared: Headers, body: Body, request_id: str) -> None:
        """Send an error; where another answer has begun, end the connection, for that one must not look whole."""
        if request.startedWriting:
            _abort(request)
            raise ClientGone
        answer = self._error_answer(error, request, request_id)
        await self.send(request, _with(answer, shared), body, request_id)

    async def _answer(self, head: RequestHead, target: Target, body: Body, passage: Passage) -> Answer:
        """The answer to a request. :raise S3Error: the refusal."""
        if head.method == "OPTIONS" and target.bucket:
            return await self._gate.preflight(head, target, passage)
        return await self._gate.answer(head, target, body, passage)

    def _error_answer(self, error: S3Error, request: Request, request_id: str) -> Answer:
        """The answer that an error becomes."""
        return error_answer(error, request.path.decode("latin-1"), request_id, self.ids.host_id)

    async def send(self, request: Request, answer: Answer, body: Body, request_id: str) -> str:
        """Send an answer; first get a body that nobody wanted out of the way, or see that the connection ends.

        Gives the code of an error that the answer ends with, else "".
        """
        try:
            drained = await body.drain(self._drain_bytes)
            if request._disconnected:
                raise ClientGone
            if not drained:
                request.channel.persistent = False
            return await render(request, answer, request_id, self.ids.host_id)
        finally:
            if answer.download is not None:
                answer.download.opened.close()


class TargetResource(Resource):
    """A bucket or a key, at the end of the path."""

    isLeaf = True

    def __init__(self, service: S3Resource, target: Target) -> None:
        super().__init__()
        self._service = service
        self._target = target

    def render(self, request: Request) -> int:
        """Answer, whatever the method."""
        return self._service.serve(request, self._target)


def _with(answer: Answer, headers: Headers) -> Answer:
    """The answer with more headers."""
    return structs.replace(answer, headers=(*answer.headers, *headers)) if headers else answer


def head_of(request: Request) -> RequestHead:
    """The head of a ``twisted.web`` request."""
    query = request.uri.partition(b"?")[2]
    headers = {
        name.decode("latin-1").lower(): [value.decode("latin-1") for value in values]
        for name, values in request.requestHeaders.getAllRawHeaders()
    }
    return RequestHead(request.method.decode("latin-1"), request.path, query, headers, request.isSecure())


def _abort(request: Request) -> None:
    """End the connection at once, so that what was sent of an answer does not look whole."""
    if not request._disconnected:
        request.channel.transport.abortConnection()


def _give_up(failure: Failure, request: Request) -> None:
    _log.failure("A request can not be answered", failure)
    if not request.finished:
        _abort(request)


def _body_of(request: Request) -> Body:
    body = getattr(request, "body", None)
    if body is not None:
        return body  # type: ignore[no-any-return]
    content = request.content
    content.seek(0, 2)
    length = content.tell()
    content.seek(0)
    return SpooledBody(content, length)
