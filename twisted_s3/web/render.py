"""From an answer to bytes on the connection."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger
from twisted.web.http import datetimeToString
from twisted.web.http_headers import Headers

from twisted_s3.errors import S3Error
from twisted_s3.operations.call import Answer
from twisted_s3.operations.patience import Work
from twisted_s3.protocol.xmldocs import PROLOG, error_document
from twisted_s3.web.bodies import ClientGone
from twisted_s3.web.downloads import send_download
from twisted_s3.web.flow import flush

if TYPE_CHECKING:
    from twisted.web.server import Request

_log = Logger()

SERVER = "twisted-s3"

#: What names of headers are made of: RFC 9110, 5.6.2.
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_LINE_END = re.compile("\r\n|[\r\n\0]")
_LINES = re.compile(r"(?:[A-Za-z0-9!#$%&'*+.^_`|~-]++: [^\0\r\n]*+\r\n)*+")


def error_answer(error: S3Error, resource: str, request_id: str, host_id: str) -> Answer:
    """The answer that an error becomes. 304 has neither body nor type."""
    headers = tuple(error.headers.items())
    if error.status == 304:
        return Answer(304, headers)
    body = error_document(error, resource, request_id, host_id)
    return Answer(error.status, (*headers, ("Content-Type", "application/xml")), body)


def raw_error(error: S3Error, request_id: str, host_id: str) -> bytes:
    """A whole response for what was not a request: it has no resource, and nothing can follow it."""
    answer = error_answer(error, "", request_id, host_id)
    lines = [
        f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}",
        f"x-amz-request-id: {request_id}",
        f"x-amz-id-2: {host_id}",
        f"Server: {SERVER}",
        f"Date: {datetimeToString().decode('ascii')}",
        f"Content-Length: {len(answer.body)}",
        "Connection: close",
        *(f"{name}: {value}" for name, value in answer.headers),
    ]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + answer.body


class AnswerHeaders(Headers):
    """Response headers that go out as they are written: clients show the names of ``x-amz-meta-*`` to people.

    What `twisted.web` itself sets comes on top. A name that can be none, as an old record may hold it, is left out.
    """

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        text = "".join([f"{name}: {value}\r\n" for name, value in pairs])
        if _LINES.fullmatch(text) is None:
            pairs = [(name, _on_one_line(value)) for name, value in pairs if _TOKEN.fullmatch(name)]
            text = "".join([f"{name}: {value}\r\n" for name, value in pairs])
        self._lines = text.encode("latin-1")
        self._pairs = pairs
        self._by_name = {name.lower(): value for name, value in pairs}

    def getRawHeaders(self, name: Any, default: Any = None) -> Any:
        """The values of a header."""
        wanted = (name.decode("ascii") if isinstance(name, bytes) else name).lower()
        last = self._by_name.get(wanted)
        if last is None:
            return super().getRawHeaders(name, default)
        if len(self._by_name) == len(self._pairs):
            return [last.encode("latin-1")]
        return [value.encode("latin-1") for other, value in self._pairs if other.lower() == wanted]

    def getAllRawHeaders(self) -> Iterator[tuple[bytes, Sequence[bytes]]]:
        """All headers, ours as they were given."""
        yield from super().getAllRawHeaders()
        for name, value in self._pairs:
            yield name.encode("ascii"), (value.encode("latin-1"),)

    def lines(self) -> bytes:
        """All headers as they are written, each with the end of its line."""
        others = super().getAllRawHeaders()
        return b"".join([b"%b: %b\r\n" % (name, value) for name, values in others for value in values]) + self._lines


def _on_one_line(value: str) -> str:
    """A value without what ends lines."""
    return _LINE_END.sub(" ", value)


async def render(request: Request, answer: Answer, request_id: str, host_id: str) -> str:
    """Write an answer; finishing the request is for the caller. Gives the code of an error that it ends with, else "".

    :raise ClientGone: when the client left before its end.
    :raise Exception: what reading a download raises; then ``request.startedWriting`` says whether any of it is sent.
    """
    prepare(request, answer, request_id, host_id)
    error = ""
    if answer.download is not None:
        await send_download(request, answer.download)
    elif answer.later is not None:
        error = await _send_later(request, answer.later, request_id, host_id)
    else:
        request.write(b"" if request.method == b"HEAD" else answer.body)
    if request._disconnected:
        raise ClientGone
    return error


async def _send_later(request: Request, later: Work[Answer], request_id: str, host_id: str) -> str:
    """Begin a document, send white space until it is known, then the rest of it or that of the error it came to.

    A client that leaves does not keep the work from its end.
    """
    request.write(PROLOG)
    flush(request)
    while not await later.wait():
        if not request._disconnected:
            request.write(b" ")
            flush(request)
    code = ""
    try:
        body = later.result().body
    except Exception as failure:
        error = failure
        if not isinstance(error, S3Error):
            _log.failure("An operation failed after its answer had begun", request_id=request_id)
            error = S3Error("InternalError")
        code = error.code
        body = error_document(error, request.path.decode("latin-1"), request_id, host_id)
    if not request._disconnected:
        request.write(body.removeprefix(PROLOG))
    return code


def prepare(request: Request, answer: Answer, request_id: str, host_id: str) -> None:
    """Set status and headers of an answer, which go out with its first bytes."""
    pairs = [
        ("Server", SERVER),
        ("Date", str(datetimeToString(), "ascii")),
        ("x-amz-request-id", request_id),
        ("x-amz-id-2", host_id),
        *answer.headers,
    ]
    if answer.download is None and answer.later is None and answer.status not in (204, 304) and not _has_length(answer):
        pairs.append(("Content-Length", str(len(answer.body))))
    if not getattr(request.channel, "persistent", True):
        pairs.append(("Connection", "close"))
    request.setResponseCode(answer.status)
    request.responseHeaders = AnswerHeaders(pairs)


def _has_length(answer: Answer) -> bool:
    return any(name == "Content-Length" for name, _ in answer.headers)
