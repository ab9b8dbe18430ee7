"""A request that begins when its headers are complete."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.web import server
from zope.interface import Interface

from twisted_s3.errors import S3Error
from twisted_s3.web.bodies import ClientGone, NoBody, RequestBody


class IStreamingResource(Interface):
    """Marks a resource that reads ``request.body`` as it comes. So do all below it."""


class S3Request(server.Request):
    """One request on an :class:`~twisted_s3.web.channel.S3Channel`.

    A resource that does not stream (`IStreamingResource`) sees what ``twisted.web`` shows it: a request whose body has
    come, with ``content``, ``args`` and cookies.

    :ivar body: its body, to be read as it comes; None once it has been spooled.
    """

    body: RequestBody | NoBody | None = None
    _begun = False
    _streams_body = False

    def begin(self, command: bytes, target: bytes, version: bytes, body: RequestBody | NoBody) -> None:
        """The headers are complete: find the resource and let it answer."""
        self._begun = True
        self.body = body
        self.method, self.clientproto = command, version
        self.uri = _origin_form(target)
        self.path, _, _ = self.uri.partition(b"?")
        self.args: dict[bytes, list[bytes]] = {}
        if self._streams():
            self._streams_body = True
            self.defaultContentType = None
            self.process()
        else:
            Deferred.fromCoroutine(self._process_whole(body)).addErrback(self.processingFailed)

    def _streams(self) -> bool:
        """Whether what the path leads to streams, as far as the tree can tell without being asked to make resources."""
        found = self.channel.site.resource
        for segment in self.path[1:].split(b"/"):
            if IStreamingResource.providedBy(found):
                return True
            found = getattr(found, "children", {}).get(unquote_to_bytes(segment))
        return bool(IStreamingResource.providedBy(found))

    def process(self) -> None:
        """Find the resource and let it answer; the headers of the answer are all its own."""
        if not self._streams_body:
            super().process()
            return
        self.site = self.channel.site
        self.prepath: list[bytes] = []
        segments = self.path[1:].split(b"/")
        self.postpath = [unquote_to_bytes(segment) for segment in segments] if b"%" in self.path else segments
        try:
            self.render(self.site.getResourceFor(self))
        except BaseException:
            self.processingFailed(Failure())  # type: ignore[no-untyped-call]

    async def _process_whole(self, body: RequestBody | NoBody) -> None:
        """Take in the body, then go on as ``twisted.web`` does."""
        self.gotLength(body.length)
        try:
            while data := await body.read():
                self.content.write(data)
        except ClientGone:
            return
        except S3Error as error:
            self.channel.persistent = False
            self.setResponseCode(error.status)
            self.finish()
            return
        self.body = None
        self.parseCookies()
        super().requestReceived(self.method, self.uri, self.clientproto)

    def handleContentChunk(self, data: bytes) -> None:
        """More of the body has come."""
        assert isinstance(self.body, RequestBody)
        self.body.deliver(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """The body has come whole, or there is none."""
        if not self._begun:
            self.begin(command, path, version, self.body or NoBody())
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
