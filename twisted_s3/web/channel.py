"""An HTTP/1.1 channel that hands a request over as soon as its headers are complete."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from twisted.internet.interfaces import IAddress, IDelayedCall, IHalfCloseableDescriptor, IHalfCloseableProtocol
from twisted.internet.tcp import Connection
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from twisted.web import http
from zope.interface import implementer

from twisted_s3.errors import S3Error
from twisted_s3.web.bodies import NoBody, RequestBody
from twisted_s3.web.flow import has_waiting
from twisted_s3.web.limits import HTTPLimits
from twisted_s3.web.render import AnswerHeaders, raw_error

#: Bytes of a body that are read from a socket at a time: each time costs the same, however many there are.
_BODY_BYTES = 256 * 1024

#: What ``twisted.web`` takes for a request line, if not all of it: method, target, version.
_REQUEST_LINE = re.compile(rb"([A-Z]++) ([!-~]++) (HTTP/1\.[01])")


@implementer(IHalfCloseableProtocol)
class S3Channel(http.HTTPChannel):
    """One connection. ``twisted.web`` parses; this class decides when a request begins, and when a body may flow.

    One clock watches whoever the connection waits for: the client to send a head, the next piece of a body, or to
    accept more of an answer. It stands still while the client waits for us.

    :ivar limits: sizes and times that bound a connection.
    :ivar refused: answer with 503 SlowDown whatever is asked, because there are too many connections.
    """

    limits: HTTPLimits
    refused = False
    persistent: bool = True
    timeOut: float | None = None
    _reading_head = True
    _closing = False
    _write_closed = False
    _body: RequestBody | None = None
    _held: http.Request | None = None
    _secure: bool | None = None
    _peer: IAddress | None = None
    _host: IAddress | None = None
    _deadline: float | None = None
    _alarm: IDelayedCall | None = None
    _unsent: list[bytes] | None = None

    # The connection

    def connectionMade(self) -> None:
        """Bound the head by the limits, and the time that it may take."""
        self.totalHeadersSize = self.limits.header_bytes
        self.MAX_LENGTH = self.limits.header_bytes
        self.maxHeaders = self.limits.header_count
        self.timeOut = self.limits.idle_timeout
        super().connectionMade()
        if self.refused:
            self._refuse(S3Error("SlowDown"))
            self.setTimeout(self.limits.close_timeout)

    def connectionLost(self, reason: Failure) -> None:
        """Tell the body's reader, then the requests, that the client has gone."""
        self._closing = True
        body, self._body = self._body, None
        if body is not None:
            body.lost()
        super().connectionLost(reason)
        self._cancel_alarm()
        self.factory.connection_lost(self)

    def readConnectionLost(self) -> None:
        """A client that closes only its sending side still gets the answer to what it sent."""
        if self._body is not None:
            self._body.fail(S3Error("IncompleteBody"))
        elif self._closing or not self._handlingRequest:
            self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """The last answer is on its way, and the client has a moment to read it."""
        self._write_closed = True
        self.setTimeout(self.limits.close_timeout)

    def dataReceived(self, data: bytes) -> None:
        """Parse. Bytes of a head do not set its clock back."""
        if self._closing:
            return
        if self._body is not None:
            self.resetTimeout()
        elif self._reading_head and self._between_requests():
            self.setTimeout(self.limits.header_timeout)
        LineReceiver.dataReceived(self, data)  # type: ignore[no-untyped-call]
        if self._reading_head and not self._busyReceiving and b"\n" in self._buffer:
            # What is left of a head that is not complete is part of a line, in which no line can end.
            self._refuse(S3Error("BadRequest"))

    def _between_requests(self) -> bool:
        return not self._receivedHeaderSize and not self._buffer

    def timeoutConnection(self) -> None:
        """A client that is slow in the middle of a request is told so; an idle one is just let go."""
        if self._write_closed:
            self.transport.loseConnection()
        elif self._closing or self._waitingForTransport:
            self.transport.abortConnection()
        elif self._body is not None:
            self._body.fail(S3Error("RequestTimeout"))
        elif self._between_requests():
            self._leave()
        else:
            self._refuse(S3Error("RequestTimeout"))

    # The clock

    def setTimeout(self, period: float | None) -> float | None:
        """Call :meth:`timeoutConnection` after ``period`` seconds instead of what was set before; None: not at all.

        A request sets the clock several times and rarely is late, so the delayed call is left where it is as long as
        it comes early enough, and looks at the deadline then.
        """
        before, self.timeOut = self.timeOut, period
        if period is None:
            self._deadline = None
            return before
        self._deadline = self.factory.reactor.seconds() + period
        if self._alarm is None or self._alarm.getTime() > self._deadline:
            self._cancel_alarm()
            self._alarm = self.factory.reactor.callLater(period, self._wake)
        return before

    def resetTimeout(self) -> None:
        """Begin the period that was set anew, if one was."""
        if self._deadline is not None and self.timeOut is not None:
            self._deadline = self.factory.reactor.seconds() + self.timeOut

    def _wake(self) -> None:
        self._alarm = None
        if self._deadline is None:
            return
        remaining = self._deadline - self.factory.reactor.seconds()
        if remaining > 0:
            self._alarm = self.factory.reactor.callLater(remaining, self._wake)
        else:
            self._deadline = None
            self.timeoutConnection()

    def _cancel_alarm(self) -> None:
        alarm, self._alarm = self._alarm, None
        if alarm is not None:
            alarm.cancel()

    # The head

    def lineReceived(self, line: bytes) -> None:
        """Refuse folded header lines, on which parsers disagree; else as ``twisted.web``."""
        if self._closing:
            return
        if line[:1] in (b" ", b"\t"):
            self._respondToBadRequestAndDisconnect()
        elif self._receivedHeaderSize:
            super().lineReceived(line)
        else:
            self._request_line_received(line)

    def _request_line_received(self, line: bytes) -> None:
        """As ``twisted.web``, which looks at each byte of a target in a loop of Python: it gets one that is short."""
        request = _REQUEST_LINE.fullmatch(line)
        if request is None:
            super().lineReceived(line)
            return
        super().lineReceived(b"%b / %b" % (request[1], request[3]))
        self._receivedHeaderSize = len(line)
        self._path = request[2]

    def lineLengthExceeded(self, line: bytes) -> None:
        """A line of the head is too long."""
        self._refuse(S3Error("RequestHeaderSectionTooLarge"))

    def headerReceived(self, line: bytes) -> bool:
        """Refuse characters that end lines elsewhere, and lengths with too many digits; else as ``twisted.web``."""
        try:
            if not any(byte in line for byte in b"\0\r\n"):
                return bool(super().headerReceived(line))
        except ValueError:
            pass
        self._respondToBadRequestAndDisconnect()
        return False

    def allHeadersReceived(self) -> None:
        """Begin the request. Its body, if it has one, waits until somebody asks for it."""
        if self._closing:
            return
        request = self.requests[-1]
        if not self._well_addressed(request):
            self._refuse(S3Error("BadRequest"))
            return
        self._reading_head = False
        self.setTimeout(None)
        self.persistent = self.persistent and self.checkPersistence(request, self._version)
        expects_continue = self._expects_continue(request)
        if self.length == 0:
            # A request without a body begins in requestReceived().
            sends_none = request.requestHeaders.hasHeader(b"Content-Length") and expects_continue
            request.body = NoBody(self.send_continue if sends_none else None)
            return
        self._body = RequestBody(self, self.length, expects_continue)
        self._receive_by(_BODY_BYTES)
        request.begin(self._command, self._path, self._version, self._body)

    def _well_addressed(self, request: http.Request) -> bool:
        """Whether target and ``Host`` are as RFC 9112, 3.2 wants them."""
        hosts = len(request.requestHeaders.getRawHeaders(b"Host", ()))
        if hosts > 1 or (not hosts and self._version == b"HTTP/1.1"):
            return False
        if self._path == b"*":
            return bool(self._command == b"OPTIONS")
        return bool(self._path.lower().startswith((b"/", b"http://", b"https://")))

    def _expects_continue(self, request: http.Request) -> bool:
        """Whether the client waits for leave to send its body, of which it has sent nothing yet."""
        expect = request.requestHeaders.getRawHeaders(b"Expect", ())
        return bool(b"100-continue" in map(bytes.lower, expect) and self._version == b"HTTP/1.1" and not self._buffer)

    # The body

    def rawDataReceived(self, data: bytes) -> None:
        """Part of a body, or of the next request, of which no more is kept than a little while this one is handled."""
        if self._closing or (self._body is not None and self._body.failed):
            return
        super().rawDataReceived(data)
        if self._handlingRequest and sum(map(len, self._dataBuffer)) > self._optimisticEagerReadSize:
            # `twisted.web` does not where the client takes no answers.
            self._networkProducer.pauseProducing()

    def allContentReceived(self) -> None:
        """The body has come whole."""
        if not self._closing:
            if self._body is not None:
                self._receive_by(Connection.bufferSize)
            self._body = None
            super().allContentReceived()

    def _receive_by(self, size: int) -> None:
        """Have up to ``size`` bytes read from the socket at a time. TLS has records of its own."""
        if self._is_plain():
            self.transport.bufferSize = size

    def send_continue(self) -> None:
        """Send ``100 Continue``."""
        self._send100Continue()

    def pause_reading(self) -> None:
        """Stop reading: enough of the body waits for its reader."""
        self._networkProducer.pauseProducing()

    def resume_reading(self) -> None:
        """Go on reading."""
        self._networkProducer.resumeProducing()

    def start_clock(self) -> None:
        """The reader of the body waits: the client is to blame if nothing comes."""
        self.setTimeout(self.limits.idle_timeout)

    def stop_clock(self) -> None:
        """The client is not to blame for the time that passes now."""
        self.setTimeout(None)

    # The answer

    def getPeer(self) -> IAddress:
        """The client's address, which does not change."""
        if self._peer is None:
            self._peer = super().getPeer()
        return self._peer

    def getHost(self) -> IAddress:
        """Our address, which does not change."""
        if self._host is None:
            self._host = super().getHost()
        return self._host

    def isSecure(self) -> bool:
        """Whether the connection is encrypted, which does not change."""
        if self._secure is None:
            self._secure = bool(super().isSecure())
        return self._secure

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes, headers: Any) -> None:
        """Write the head of an answer; ours waits for its body."""
        if isinstance(headers, AnswerHeaders):
            self._unsent = [b"%b %b %b\r\n%b\r\n" % (version, code, reason, headers.lines())]
        else:
            super().writeHeaders(version, code, reason, headers)

    def write(self, data: bytes) -> None:
        """Write more of an answer; a little of ours waits until the answer is done, or for :meth:`flush`."""
        if self._unsent is None:
            super().write(data)
            return
        self._unsent.append(data)
        if len(data) > Connection.SEND_LIMIT:
            self.flush()

    def writeSequence(self, iovec: Sequence[bytes]) -> None:
        """Write more of an answer."""
        self.write(b"".join(iovec))

    def flush(self) -> None:
        """Send what waits of an answer that is not done."""
        if self._unsent:
            data = b"".join(self._unsent)
            self._unsent.clear()
            self._send(data)

    def _send(self, data: bytes) -> None:
        """Hand over at once what the system takes, without having the reactor ask it first; the rest waits.

        Not where the client has sent more: what waits then is what makes its next requests wait, too.
        """
        transport = self.transport
        alone = not (self._buffer or self._dataBuffer)
        if alone and self._is_plain() and len(data) <= transport.SEND_LIMIT and not has_waiting(transport):
            sent = transport.writeSomeData(data)
            # Of a connection that is lost its own write finds out.
            data = data[sent:] if isinstance(sent, int) else data
        if data:
            transport.write(data)

    def _is_plain(self) -> bool:
        transport = self.transport
        return (
            isinstance(transport, Connection) and not transport.TLS and bool(transport.connected) and not self._closing
        )

    def pauseProducing(self) -> None:
        """The transport is full: now it is the client's turn."""
        super().pauseProducing()
        if not self._closing:
            self.setTimeout(self.limits.idle_timeout)

    def resumeProducing(self) -> None:
        """The transport has room."""
        if self._waitingForTransport:
            self.setTimeout(None)
        super().resumeProducing()
        held, self._held = self._held, None
        if held is not None:
            self.requestDone(held)

    def requestDone(self, request: http.Request) -> None:
        """The answer is written. What follows on the connection waits until the client has taken most of it, or
        answers would pile up.
        """
        self.flush()
        self._unsent = None
        if self._body is not None:
            self._body = None
            self.persistent = False
        if self.persistent and self._waitingForTransport:
            self._held = request
            return
        self._reading_head = True
        self._savedTimeOut = self.limits.idle_timeout
        super().requestDone(request)

    # The end

    def _refuse(self, error: S3Error) -> None:
        """Answer what is not a request that can be handled, and close."""
        if not self._closing:
            self.transport.write(raw_error(error, self.factory.new_request_id(), self.factory.host_id))
            self.loseConnection()

    def _respondToBadRequestAndDisconnect(self) -> None:
        if self._body is not None:
            self._body.fail(S3Error("IncompleteBody"))
            return
        too_large = self._receivedHeaderSize > self.totalHeadersSize or self._receivedHeaderCount > self.maxHeaders
        self._refuse(S3Error("RequestHeaderSectionTooLarge" if too_large else "BadRequest"))

    def loseConnection(self) -> None:
        """Close after what was written, and so that a client which is still sending can read it: a socket that is
        closed over unread bytes resets the connection.
        """
        if self._closing:
            return
        self.flush()
        self._closing = True
        self.setTimeout(self.limits.idle_timeout)
        self._networkProducer.resumeProducing()
        self._networkProducer.unregisterProducer()
        half_closes = IHalfCloseableDescriptor.providedBy(self.transport)
        if half_closes and not self.isSecure():
            self.transport.loseWriteConnection()
        else:
            # Over TLS this goes on reading until the client has closed as well.
            self.transport.loseConnection()

    def _leave(self) -> None:
        """Close a connection on which nothing is under way."""
        self._closing = True
        self.setTimeout(self.limits.close_timeout)
        self._networkProducer.unregisterProducer()
        self.transport.loseConnection()
        if self.isSecure():
            self.transport.transport.loseConnection()

    def finish(self) -> None:
        """Close after the request that is under way, if there is one; else now."""
        self.persistent = False
        if not self.requests and not self._closing:
            self._leave()
