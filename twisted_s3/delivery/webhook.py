"""A target that takes events by HTTP.

Each message is a POST with the headers of `Standard Webhooks <https://www.standardwebhooks.com>`_: ``webhook-id`` (the
same for every attempt), ``webhook-timestamp``, and with a secret ``webhook-signature``, an HMAC-SHA256 over both and
the body.
"""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from treq.client import HTTPClient
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.ssl import Certificate, trustRootFromCertificates
from twisted.python.failure import Failure
from twisted.web.client import Agent, BrowserLikePolicyForHTTPS, HTTPConnectionPool
from zope.interface import implementer

from twisted_s3.queueing import ITarget, Refused

#: Statuses that say that this message will never be taken; all other failures may pass.
FINAL = frozenset({400, 405, 406, 410, 411, 413, 414, 415, 422, 431})

#: How much of an answer is read; who sends more loses the connection.
_ANSWER_BYTES = 64 << 10

_SECRET_PREFIX = "whsec_"  # noqa: S105


def signature(secret: bytes, id: str, timestamp: int, body: bytes) -> str:
    """The value of ``webhook-signature``."""
    signed = b"%b.%d.%b" % (id.encode(), timestamp, body)
    return "v1," + b64encode(hmac.new(secret, signed, sha256).digest()).decode()


def secret_bytes(text: str) -> bytes:
    """The key of a secret: base64 behind ``whsec_``, else the text itself. :raise ValueError: for bad base64."""
    if text.startswith(_SECRET_PREFIX):
        return b64decode(text.removeprefix(_SECRET_PREFIX), validate=True)
    return text.encode()


class _Drain(Protocol):
    """Reads an answer to its end, for the connection to be used again."""

    def __init__(self) -> None:
        self.ended: Deferred[None] = Deferred(lambda _: self._abort())
        self._left = _ANSWER_BYTES

    def dataReceived(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left < 0:
            self._abort()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self.ended.called:
            self.ended.callback(None)

    def _abort(self) -> None:
        if self.transport is not None:
            self.transport.loseConnection()


@implementer(ITarget)
class Webhook:
    """POSTs messages to a URL. Any 2xx status takes a message; redirects are not followed.

    :param secret: signs messages; b"" for none.
    :param authority: file with the certificates that a server's must be signed by; by default those of the system.
    :param headers: to send along.
    :param timeout: seconds for one attempt, from the connection to the end of the answer.
    :param reactor: connects, and tells the time.
    """

    def __init__(
        self,
        url: str,
        reactor: Any,
        secret: bytes = b"",
        authority: Path | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 10.0,
        concurrency: int = 8,
    ) -> None:
        self.concurrency = concurrency
        self._url = url
        self._reactor = reactor
        self._secret = secret
        self._headers = dict(headers or {})
        self._timeout = timeout
        trusted = None
        if authority is not None:
            pem = authority.read_bytes()
            begins = b"-----BEGIN CERTIFICATE-----"
            certificates = [Certificate.loadPEM(begins + part) for part in pem.split(begins)[1:]]
            trusted = trustRootFromCertificates(certificates)  # type: ignore[no-untyped-call]
        policy = BrowserLikePolicyForHTTPS() if trusted is None else BrowserLikePolicyForHTTPS(trusted)
        self._pool = HTTPConnectionPool(reactor, persistent=True)
        self._pool.maxPersistentPerHost = concurrency
        # What was sent on a connection that ends unanswered is sent anew by who counts attempts.
        self._pool.retryAutomatically = False
        self._client = HTTPClient(Agent(reactor, policy, connectTimeout=timeout, pool=self._pool))

    async def deliver(self, id: str, body: bytes) -> None:
        """POST one message."""
        posting = Deferred.fromCoroutine(self._post(id, body))
        await posting.addTimeout(self._timeout, self._reactor)

    async def _post(self, id: str, body: bytes) -> None:
        now = int(self._reactor.seconds())
        headers = {
            **self._headers,
            "Content-Type": "application/json",
            "User-Agent": "twisted-s3",
            "webhook-id": id,
            "webhook-timestamp": str(now),
        }
        if self._secret:
            headers["webhook-signature"] = signature(self._secret, id, now, body)
        response = await self._client.post(
            self._url, headers=headers, data=body, allow_redirects=False, unbuffered=True, reactor=self._reactor
        )
        drain = _Drain()
        response.deliverBody(drain)
        await drain.ended
        if 200 <= response.code < 300:
            return
        problem = f"the answer is {response.code}"
        raise Refused(problem) if response.code in FINAL else OSError(problem)

    async def close(self) -> None:
        """Close the connections that are kept."""
        await self._pool.closeCachedConnections()
