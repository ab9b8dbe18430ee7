"""The access log: one structured event for every request."""

from __future__ import annotations

from collections.abc import Mapping
from time import time

from msgspec import Struct
from twisted.logger import Logger, LogLevel

NAMESPACE = "twisted_s3.access"


def escaped(text: str, also: str = "") -> str:
    """``text`` on one line, with escapes for what a terminal could take amiss and for the characters in ``also``."""
    if text.isprintable() and not any(character in text for character in also):
        return text
    return "".join(_escape(c) if c in also or not c.isprintable() else c for c in text)


#: What can not stand in quotes as it is.
_QUOTING = '"\\'


def _escape(character: str) -> str:
    if character.isprintable():
        return "\\" + character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _quoted(text: str) -> str:
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return f'"{escaped(text, _QUOTING)}"'


class AccessEntry(Struct, frozen=True):
    """What is known of a request when its answer is done.

    :ivar time: when it began, seconds since the epoch.
    :ivar operation: as AWS names it (``GetObject``), "" when the request named none.
    :ivar bucket: None when the request names none.
    :ivar key: None when the request names none.
    :ivar status: HTTP status of the answer, None when the client left before it.
    :ivar bytes_sent: of the answer's body.
    :ivar bytes_received: of the request's body, as sent.
    :ivar milliseconds: from the end of the headers to the end of the answer.
    :ivar requester: access key, None for nobody.
    :ivar remote: address of the client.
    :ivar error: the S3 error code of a refusal, else None.
    """

    time: float
    operation: str
    bucket: str | None
    key: str | None
    status: int | None
    bytes_sent: int
    bytes_received: int
    milliseconds: float
    requester: str | None
    remote: str
    request_id: str
    error: str | None = None

    def fields(self) -> Mapping[str, str | int | float | None]:
        """Names and values, as they stand in a JSON line."""
        return {
            "operation": self.operation,
            "bucket": self.bucket,
            "key": self.key,
            "status": self.status,
            "bytes_sent": self.bytes_sent,
            "bytes_received": self.bytes_received,
            "milliseconds": round(self.milliseconds, 3),
            "requester": self.requester,
            "remote": self.remote,
            "request_id": self.request_id,
            "error": self.error,
        }

    def __str__(self) -> str:
        """One line of ``name=value``; texts are quoted."""
        words = []
        for name, value in self.fields().items():
            if isinstance(value, str):
                words.append(f"{name}={_quoted(value)}")
            else:
                words.append(f"{name}=-" if value is None else f"{name}={value}")
        return " ".join(words)


_log = Logger(namespace=NAMESPACE)
_EVENT = {
    "log_logger": _log,
    "log_level": LogLevel.info,
    "log_namespace": NAMESPACE,
    "log_source": None,
    "log_format": "{access}",
}


class AccessLog:
    """Where the web layer records its requests.

    :ivar enabled: whether anything is recorded; ask before making an entry.
    """

    def __init__(self, enabled: bool = True) -> None:
        self.enabled = enabled

    def record(self, entry: AccessEntry) -> None:
        """Log one request. Formats nothing: that is for who observes the log."""
        if self.enabled:
            # What `Logger.info` would hand over: it checks for each event what is the same for all of these.
            _log.observer({**_EVENT, "log_time": time(), "access": entry})
