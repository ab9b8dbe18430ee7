"""A small site in place of the S3 one, for tests of what is around it."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.web.http import HTTPChannel
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from twisted_s3.interfaces import ICredentials
from twisted_s3.serving import Composition
from twisted_s3.settings import Settings
from twisted_s3.storage.memory import MemoryStore


class Tiny(Resource):
    """``/pid`` tells the process; ``/user/KEY`` whether there is one; ``/slow`` ends when the site drains."""

    isLeaf = True

    def __init__(self, credentials: ICredentials) -> None:
        super().__init__()
        self._credentials = credentials
        self.slow: list[Request] = []

    def render_GET(self, request: Request) -> bytes | int:
        if request.postpath[0] == b"slow":
            self.slow.append(request)
            request.write(b"begin")
            return NOT_DONE_YET
        if request.postpath[0] == b"user":
            asked = Deferred.fromCoroutine(self._credentials.get_user(request.postpath[1].decode()))
            found: list[object] = []
            asked.addCallback(found.append)
            return b"no" if found == [None] else b"yes"
        return b"%d" % os.getpid()


class TinyChannel(HTTPChannel):
    """Tells its site when it is gone."""

    def connectionLost(self, reason: Any) -> None:
        super().connectionLost(reason)
        self.site.gone()


class TinySite(Site):
    """Its slow requests go on until it is drained; only then do their bytes go out."""

    protocol = TinyChannel

    def __init__(self, resource: Tiny, reactor: Any) -> None:
        super().__init__(resource, reactor=reactor)
        self.tiny = resource
        self.graces: list[float] = []
        self._open = 0
        self._drained: Deferred[None] | None = None

    def buildProtocol(self, addr: Any) -> Any:
        channel = super().buildProtocol(addr)
        channel.site = self
        self._open += 1
        return channel

    def drain(self, grace: float) -> Deferred[None]:
        self.graces.append(grace)
        for request in self.tiny.slow:
            request.write(b" end")
            request.finish()
        if not self._open:
            return succeed(None)
        self._drained = Deferred()
        return self._drained

    def gone(self) -> None:
        """A channel is gone."""
        self._open -= 1
        if not self._open and self._drained is not None:
            self._drained.callback(None)


def compose(settings: Settings, credentials: ICredentials, reactor: Any) -> Composition:
    """A tiny server."""
    return Composition(MemoryStore(reactor), TinySite(Tiny(credentials), reactor))
