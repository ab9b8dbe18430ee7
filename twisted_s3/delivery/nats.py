"""A target that takes events by NATS.

It needs the package ``nats-py``, which runs on asyncio and gets a thread for that.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zope.interface import implementer

from twisted_s3.delivery.asynciothread import AsyncioThread
from twisted_s3.queueing import ITarget

MAX_SERVERS = 32


@implementer(ITarget)
class NATS:
    """Publishes messages under a subject.

    A server has a message when it has answered a ping that came behind it; with JetStream, when the stream has
    acknowledged it. The header ``Nats-Msg-Id`` lets a stream leave out what came twice.

    :param servers: URLs; the next one is tried where one is down.
    :param stream: whether a stream must acknowledge each message.
    :param timeout: seconds for one attempt.
    :param authority: file with the certificates that a server's must be signed by; by default those of the system.
    :param credentials: a ``.creds`` file.
    :param options: ``user``, ``password``, ``token``.
    """

    concurrency = 8

    def __init__(
        self,
        servers: Sequence[str],
        subject: str,
        reactor: Any,
        stream: bool = False,
        timeout: float = 10.0,
        authority: Path | None = None,
        credentials: Path | None = None,
        options: Mapping[str, str] | None = None,
    ) -> None:
        self._servers = list(servers)
        self._subject = subject
        self._reactor = reactor
        self._stream = stream
        self._timeout = timeout
        self._options: dict[str, Any] = dict(options or {})
        if credentials is not None:
            self._options["user_credentials"] = str(credentials)
        if any(url.startswith("tls:") for url in servers):
            self._options["tls"] = ssl.create_default_context(cafile=None if authority is None else str(authority))
        self._thread: AsyncioThread | None = None
        self._connection: Any = None
        self._lock: Any = None

    async def deliver(self, id: str, body: bytes) -> None:
        """Publish one message."""
        if self._thread is None:
            self._thread = AsyncioThread(self._reactor, "s3store nats")
        publishing = self._thread.run(lambda: self._publish(id, body))
        await publishing.addTimeout(self._timeout, self._reactor)

    async def close(self) -> None:
        """Close the connection, and end the thread."""
        thread, self._thread = self._thread, None
        if thread is not None:
            try:
                await thread.run(self._disconnect).addTimeout(self._timeout, self._reactor)
            finally:
                await thread.stop()
                # It belongs to the loop that has ended.
                self._lock = None

    # What follows runs in the loop of asyncio.

    async def _publish(self, id: str, body: bytes) -> None:
        connection = await self._connected()
        headers = {"Nats-Msg-Id": id, "Content-Type": "application/json"}
        if self._stream:
            await connection.jetstream().publish(self._subject, body, timeout=self._timeout, headers=headers)
        else:
            await connection.publish(self._subject, body, headers=headers)
            await connection.flush(timeout=max(1, int(self._timeout)))

    async def _connected(self) -> Any:
        import asyncio

        import nats

        if self._lock is None:
            self._lock = asyncio.Lock()
        async with self._lock:
            if self._connection is None or not self._connection.is_connected:
                await self._disconnect()
                # Whoever counts attempts also decides when to try again; nothing may wait in a buffer meanwhile.
                self._connection = await nats.connect(
                    servers=self._servers,
                    allow_reconnect=False,
                    max_reconnect_attempts=1,
                    connect_timeout=max(1, int(self._timeout)),
                    error_cb=_ignore,
                    **self._options,
                )
            return self._connection

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and not connection.is_closed:
            await connection.close()


async def _ignore(error: Exception) -> None:
    """What goes wrong on a connection fails the message that is on it."""
