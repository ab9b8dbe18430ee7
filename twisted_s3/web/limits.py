"""The sizes and times that bound a connection."""

from __future__ import annotations

from msgspec import Struct


class HTTPLimits(Struct, frozen=True):
    """Bounds against slow and oversized clients. Sizes in bytes, times in seconds.

    :ivar header_bytes: request line and headers together.
    :ivar header_count: number of header lines.
    :ivar header_timeout: for a whole head, from its first byte.
    :ivar idle_timeout: between requests, and for each next piece of a body in either direction.
    :ivar close_timeout: for a client to read the last answer and close, while it may go on sending.
    :ivar drain_bytes: how much of an unwanted body is read and dropped to keep the connection.
    :ivar connections: open at once; beyond it 503 SlowDown.
    :ivar refusals: connections at once that are being told so; beyond it they are closed unheard.
    """

    header_bytes: int = 16384
    header_count: int = 200
    header_timeout: float = 30.0
    idle_timeout: float = 60.0
    close_timeout: float = 30.0
    drain_bytes: int = 1 << 20
    connections: int = 10_000
    refusals: int = 250
