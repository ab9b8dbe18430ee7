"""An HTTP/1.1 channel that hands a request over as soon as its headers are complete."""

from __future__ import annotations

from twisted.internet.interfaces import IHalfCloseableProtocol, ITCPTransport
from twisted.python.failure import Failure
from twisted.web import http
from zope.interface import implementer

from twisted_s3.errors import S3Error
from twisted_s3.web.bodies import RequestBody
from twisted_s3.web.limits import HTTPLimits
from twisted_s3.web.render import raw_error


@implementer(IHalfCloseableProtocol)
class S3Channel(http.HTTPChannel):
    """One connection. ``twisted.web`` parses; this class decides when a request begins, and when a body may flow.

    :ivar limits: sizes and times that bound a connection.
    :ivar refused: answer the first request with 503 SlowDown, because there are too many connections.
    """

    limits: HTTPLimits
    refused = False
    _reading_head = True
    _answered = False
    _closing = False
    _body: RequestBody | None = None

    # The connection

    def connectionMade(self) -> None:
        """Bound the head by the limits, and the time that it may take."""
        self.totalHeadersSize = self.limits.header_bytes
        self.MAX_LENGTH = self.limits.header_bytes
        self.maxHeaders = self.limits.header_count
        self.abortTimeout = self.limits.close_timeout
        self.timeOut = self.limits.idle_timeout
        super().connectionMade()
        if self.refused:
            self._refuse(S3Error("SlowDown"))

    def connectionLost(self, reason: Failure) -> None:
        """Tell the body's reader, then the requests, that the client has gone."""
        self._closing = True
        body, self._body = self._body, None
        if body is not None:
            body.lost()
        super().connectionLost(reason)
        self.factory.connection_lost(self)

    def readConnectionLost(self) -> None:
        """A client that only closes its sending side still gets the answer to what it sent whole."""
        if self._closing or self._body is not None or not self._handlingRequest:
            self.transport.loseConnection()
        else:
            self.persistent = False

    def writeConnectionLost(self) -> None:
        """Our own half close: nothing to do."""

    def dataReceived(self, data: bytes) -> None:
        """Parse. The clock of a head that is under way is not set back by every byte of it."""
        if self._closing:
            return
        if self._reading_head:
            if self._first_byte_of_head():
                self.setTimeout(self.limits.header_timeout)
        else:
            self.resetTimeout()
        http.basic.LineReceiver.dataReceived(self, data)

    def _first_byte_of_head(self) -> bool:
        return not self._receivedHeaderSize and not self._buffer

    def timeoutConnection(self) -> None:
        """A client that is slow in the middle of a request is told so; an idle one is just let go."""
        if self._closing:
            self.forceAbortClient()
        elif self._body is not None and not self._answered:
            self._body.fail(S3Error("RequestTimeout"))
        elif self._reading_head and not self._first_byte_of_head():
            self._refuse(S3Error("RequestTimeout"))
        else:
            self.loseConnection()

    # The head

    def lineReceived(self, line: bytes) -> None:
        """Refuse folded header lines, on which parsers disagree; else as ``twisted.web``."""
        if self._closing:
            return
        if line[:1] in (b" ", b"\t"):
            self._respondToBadRequestAndDisconnect()
        else:
            super().lineReceived(line)

    def lineLengthExceeded(self, line: bytes) -> None:
        """A line of the head is too long."""
        self._refuse(S3Error("RequestHeaderSectionTooLarge"))

    def allHeadersReceived(self) -> None:
        """Begin the request. Its body, if it has one, waits until somebody asks for it."""
        if self._closing:
            return
        request = self.requests[-1]
        self.persistent = self.checkPersistence(request, self._version)
        self._reading_head = False
        self._answered = False
        self.setTimeout(self.limits.idle_timeout)
        if self.length == 0:
            # The head of a request without a body becomes a request in requestReceived().
            return
        self._body = RequestBody(self, self.length, self._expects_continue(request))
        request.begin(self._command, self._path, self._version, self._body)

    def _expects_continue(self, request: http.Request) -> bool:
        expect = request.requestHeaders.getRawHeaders(b"Expect")
        return bool(expect) and expect[0].lower() == b"100-continue" and self._version == b"HTTP/1.1"

    def allContentReceived(self) -> None:
        """The body has come whole."""
        if self._closing:
            return
        answered, self._answered = self._answered, False
        self._body = None
        super().allContentReceived()
        if answered:
            self.requestDone(self.requests[0])

    def requestDone(self, request: http.Request) -> None:
        """The answer is written. The next request begins when the body of this one has come, if it ever does."""
        if self._body is not None:
            self._answered = True
            self._finish_body(self._body)
            return
        self._reading_head = True
        self._savedTimeOut = self.limits.idle_timeout
        super().requestDone(request)

    def _finish_body(self, body: RequestBody) -> None:
        if self.persistent and body.drainable(self.limits.drain_bytes):
            body.discard()
        else:
            self._close_gently()

    # The end

    def _close_gently(self) -> None:
        """Close so that a client which is still sending can read the answer: closing with unread bytes resets."""
        self._closing = True
        self._networkProducer.resumeProducing()
        self._networkProducer.unregisterProducer()
        self.setTimeout(self.limits.close_timeout)
        if ITCPTransport.providedBy(self.transport) and not self.isSecure():
            self.transport.loseWriteConnection()
        else:
            self.loseConnection()

    def finish(self) -> None:
        """Close after the request that is under way, if there is one; else now."""
        self.persistent = False
        if not self.requests:
            self.loseConnection()

    def _refuse(self, error: S3Error) -> None:
        """Answer what is not a request that can be handled, and close."""
        if not self._closing:
            self.transport.write(raw_error(error, self.factory.new_request_id(), self.factory.host_id))
            self._close_gently()

    def rawDataReceived(self, data: bytes) -> None:
        """Part of a body, or of the next request."""
        if not self._closing:
            super().rawDataReceived(data)

    def _respondToBadRequestAndDisconnect(self) -> None:
        if self._body is not None:
            self.persistent = False
            self._body.fail(S3Error("IncompleteBody"))
            return
        too_large = self._receivedHeaderSize > self.totalHeadersSize or self._receivedHeaderCount > self.maxHeaders
        self._refuse(S3Error("RequestHeaderSectionTooLarge" if too_large else "BadRequest"))

    # What a body may ask for

    @property
    def idleTimeout(self) -> float:
        """Seconds that a client may take to accept more of an answer."""
        return self.limits.idle_timeout

    def send_continue(self) -> None:
        """Send ``100 Continue``."""
        self._send100Continue()

    def pause_reading(self) -> None:
        """Stop reading; the client is not to blame for the time that passes now."""
        self.setTimeout(None)
        self._networkProducer.pauseProducing()

    def resume_reading(self) -> None:
        """Go on reading."""
        self.setTimeout(self.limits.idle_timeout)
        self._networkProducer.resumeProducing()
