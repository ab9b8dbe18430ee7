"""Where the faults of a test take effect: between the gate and the operation, and where the answer is sent."""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import structs
from twisted.internet.task import deferLater

from twisted_s3.errors import S3Error
from twisted_s3.interfaces import IBody
from twisted_s3.operations.call import Answer
from twisted_s3.operations.dispatch import find_operation
from twisted_s3.operations.patience import Work
from twisted_s3.protocol.head import RequestHead
from twisted_s3.protocol.names import decode_key
from twisted_s3.protocol.xmldocs import error_document
from twisted_s3.testing.faults import CutAnswer, Faults, Proceed
from twisted_s3.web.bodies import ClientGone, NoBody
from twisted_s3.web.flow import flush
from twisted_s3.web.gate import PREFLIGHT, Gate, Passage, Target
from twisted_s3.web.render import prepare
from twisted_s3.web.resources import S3Resource

if TYPE_CHECKING:
    from twisted.web.server import Request

#: Turns of the reactor until what was written, over TLS as well, is in the hands of the kernel.
_TURNS = 4


class FaultyGate(Gate, frozen=True):
    """A gate before which things can go wrong."""

    faults: Faults

    async def answer(self, head: RequestHead, target: Target, body: IBody, passage: Passage) -> Answer:
        """See `Gate`."""

        def pass_gate(body: IBody) -> Awaitable[Answer]:
            return Gate.answer(self, head, target, body, passage)

        return await self._meeting_faults(find_operation(target.level, head).name, target, passage, pass_gate, body)

    async def preflight(self, head: RequestHead, target: Target, passage: Passage) -> Answer:
        """See `Gate`."""

        def pass_gate(body: IBody) -> Awaitable[Answer]:
            return Gate.preflight(self, head, target, passage)

        return await self._meeting_faults(PREFLIGHT, target, passage, pass_gate, NoBody())

    async def _meeting_faults(
        self, operation: str, target: Target, passage: Passage, proceed: Proceed, body: IBody
    ) -> Answer:
        bucket = decode_key(target.bucket) if target.bucket else ""
        key = decode_key(target.key) if target.key else ""
        passage.operation, passage.bucket, passage.key = operation, bucket, key
        for fault in reversed(self.faults.taken(operation, bucket, key)):
            proceed = partial(fault.effect, proceed)
        return await proceed(body)


class FaultyResource(S3Resource):
    """A resource tree whose answers can break off."""

    def __init__(self, gate: Gate, reactor: Any, **options: Any) -> None:
        super().__init__(gate, **options)
        self._reactor = reactor

    async def send(self, request: Request, answer: Answer, body: Any, request_id: str) -> str:
        """See `S3Resource`."""
        if not isinstance(answer, CutAnswer):
            return await super().send(request, answer, body, request_id)
        try:
            if answer.later is not None:
                answer = structs.replace(answer, body=await self._came_to(request, answer.later, request_id))
            if answer.after is not None:
                prepare(request, answer, request_id, self.ids.host_id)
                request.write(await _beginning(answer, answer.after))
                flush(request)
        finally:
            if answer.download is not None:
                answer.download.opened.close()
        for _ in range(_TURNS if answer.reset else 0):
            await deferLater(self._reactor, 0)
        if not request._disconnected:
            if answer.reset:
                request.channel.transport.abortConnection()
            else:
                request.channel.loseConnection()
        raise ClientGone

    async def _came_to(self, request: Request, later: Work[Answer], request_id: str) -> bytes:
        """The document that a long operation comes to, without the white space that would keep its reader waiting."""
        while not await later.wait():
            pass
        try:
            return later.result().body
        except S3Error as error:
            return error_document(error, request.path.decode("latin-1"), request_id, self.ids.host_id)


async def _beginning(answer: Answer, length: int) -> bytes:
    if answer.download is None:
        return answer.body[:length]
    span = answer.download.range
    return await answer.download.opened.read(span.start, min(length, span.length))
