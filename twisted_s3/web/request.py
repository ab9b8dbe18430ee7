"""A request that begins when its headers are complete."""

from __future__ import annotations

from typing import Any

from twisted.web import server

from twisted_s3.web.bodies import NoBody, RequestBody


class S3Request(server.Request):
    """One request on an :class:`~twisted_s3.web.channel.S3Channel`.

    :ivar body: its body, to be read as it comes.
    """

    defaultContentType = None
    body: RequestBody | NoBody | None = None

    def __init__(self, channel: Any, *args: Any, **kw: Any) -> None:
        super().__init__(channel, *args, parsePOSTFormSubmission=False, **kw)

    def begin(self, command: bytes, target: bytes, version: bytes, body: RequestBody | NoBody) -> None:
        """The headers are complete: find the resource and let it answer."""
        self.body = body
        self.method, self.clientproto = command, version
        self.uri = _origin_form(target)
        self.path, _, _ = self.uri.partition(b"?")
        self.args: dict[bytes, list[bytes]] = {}
        self.process()

    def handleContentChunk(self, data: bytes) -> None:
        """More of the body has come."""
        assert isinstance(self.body, RequestBody)
        self.body.deliver(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """The body has come whole, or there is none."""
        if self.body is None:
            self.begin(command, path, version, NoBody())
        elif isinstance(self.body, RequestBody):
            self.body.end()


def _origin_form(target: bytes) -> bytes:
    """The path and query of a target that may be in absolute or asterisk form (RFC 9112, 3.2)."""
    if target.startswith(b"/"):
        return target
    rest = target.partition(b"://")[2]
    end = min((at for at in (rest.find(b"/"), rest.find(b"?")) if at >= 0), default=len(rest))
    rest = rest[end:]
    return rest if rest.startswith(b"/") else b"/" + rest
