"""The requests that a server has answered, for assertions."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct

from twisted_s3.discreet import Discreet

if TYPE_CHECKING:
    from twisted_s3.web.resources import Finished


class RecordedRequest(Discreet, Struct, frozen=True):
    """A request that has ended.

    :ivar operation: as AWS names it; ``-`` for what was none.
    :ivar target: path and query as sent.
    :ivar headers: by lower-case name, repeated ones joined by commas.
    :ivar access_key: who sent it, None for nobody who is known.
    :ivar status: None when no answer began.
    :ivar error: the S3 error code; ``ClientGone`` when the connection ended first; else "".
    :ivar received: bytes of the body as sent, with whatever framing is in it.
    :ivar sent: bytes of the answer's body.
    """

    HIDDEN: ClassVar = ("headers",)

    operation: str
    bucket: str
    key: str
    method: str
    target: str
    headers: Mapping[str, str]
    access_key: str | None
    status: int | None
    error: str
    received: int
    sent: int
    secure: bool
    request_id: str

    @classmethod
    def of(cls, finished: Finished) -> RecordedRequest:
        """What is told of a request at its end."""
        head, passage = finished.head, finished.passage
        query = b"?" + head.query if head.query else b""
        return cls(
            operation=passage.operation,
            bucket=passage.bucket,
            key=passage.key,
            method=head.method,
            target=(head.path + query).decode("latin-1"),
            headers={name: ",".join(values) for name, values in head.headers.items()},
            access_key=None if passage.user is None else passage.user.access_key,
            status=finished.status,
            error=finished.error,
            received=finished.received,
            sent=finished.sent,
            secure=head.secure,
            request_id=finished.request_id,
        )


class Recorder:
    """The last requests, in the order in which they ended. A request is there before its client has the answer.

    :param limit: how many are kept.
    """

    def __init__(self, limit: int = 10_000) -> None:
        self._finished: deque[Finished] = deque(maxlen=limit)

    def record(self, finished: Finished) -> None:
        """Keep a request. It costs the server no more than this."""
        self._finished.append(finished)

    def __iter__(self) -> Iterator[RecordedRequest]:
        return iter([RecordedRequest.of(finished) for finished in self._finished.copy()])

    def __len__(self) -> int:
        return len(self._finished)

    @property
    def operations(self) -> Sequence[str]:
        """The names of the operations."""
        return [finished.passage.operation for finished in self._finished.copy()]

    def of(self, operation: str) -> Sequence[RecordedRequest]:
        """The requests for one operation."""
        return [request for request in self if request.operation == operation]

    def clear(self) -> None:
        """Forget all."""
        self._finished.clear()
