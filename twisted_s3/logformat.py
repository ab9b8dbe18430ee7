"""How log events become lines: text or JSON, one event a line, filtered by level.

In text only a traceback takes further lines, each indented.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, BinaryIO

from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    LogEvent,
    LogLevel,
    LogLevelFilterPredicate,
    eventAsText,
    formatEvent,
)
from zope.interface import implementer

from twisted_s3.accesslog import NAMESPACE as ACCESS
from twisted_s3.accesslog import AccessEntry, escaped

#: The namespace of events whose ``line`` another process has formatted and filtered already.
RELAY = "twisted_s3.relay"

_TIMESTAMP = "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ"


def _timestamp(seconds: float) -> str:
    whole, thousandths = divmod(int(seconds * 1000), 1000)
    return _TIMESTAMP % (*time.gmtime(whole)[:6], thousandths)


def _traceback(event: LogEvent) -> str | None:
    if event.get("log_failure") is None:
        return None
    return eventAsText(event, includeTraceback=True, includeTimestamp=False, includeSystem=False)


def format_text(event: LogEvent) -> str:
    """An event as text, without the newline at its end."""
    if event.get("log_namespace") == RELAY:
        return str(event["line"])
    entry = event.get("access")
    time = _timestamp(entry.time if isinstance(entry, AccessEntry) else event["log_time"])
    level = event.get("log_level", LogLevel.info).name
    if isinstance(entry, AccessEntry):
        return f"{time} {level} [{ACCESS}] {entry}"
    line = f"{time} {level} [{event.get('log_namespace', '-')}] {escaped(formatEvent(event))}"
    traceback = _traceback(event)
    return "\n    ".join([line, *(escaped(part) for part in (traceback or "").splitlines())])


def format_json(event: LogEvent) -> str:
    """An event as one JSON object on one line, without the newline at its end."""
    if event.get("log_namespace") == RELAY:
        return str(event["line"])
    entry = event.get("access")
    fields: dict[str, Any] = {
        "time": _timestamp(entry.time if isinstance(entry, AccessEntry) else event["log_time"]),
        "level": event.get("log_level", LogLevel.info).name,
        "logger": event.get("log_namespace", "-"),
    }
    if isinstance(entry, AccessEntry):
        fields |= entry.fields()
    else:
        fields["message"] = formatEvent(event)
        traceback = _traceback(event)
        if traceback is not None:
            fields["traceback"] = traceback
    return json.dumps(fields)


FORMATS: dict[str, Callable[[LogEvent], str]] = {"text": format_text, "json": format_json}


@implementer(ILogObserver)
class LineObserver:
    """Writes each event as a line of UTF-8."""

    def __init__(self, write: Callable[[bytes], object], format: Callable[[LogEvent], str]) -> None:
        self._write = write
        self._format = format

    def __call__(self, event: LogEvent) -> None:
        """See :class:`twisted.logger.ILogObserver`."""
        self._write(self._format(event).encode("utf-8", "backslashreplace") + b"\n")


def make_observer(write: Callable[[bytes], object], format: str, level: str) -> ILogObserver:
    """An observer that writes lines.

    :param write: takes a whole line.
    :param format: ``text`` or ``json``.
    :param level: the least severe level that is written. The access log, which has a switch of its own, and lines
        that another process has filtered pass at any level.
    """
    predicate = LogLevelFilterPredicate(defaultLogLevel=LogLevel.levelWithName(level))
    for namespace in (ACCESS, RELAY):
        predicate.setLogLevelForNamespace(namespace, LogLevel.info)
    return FilteringLogObserver(LineObserver(write, FORMATS[format]), [predicate])


def flushing(stream: BinaryIO) -> Callable[[bytes], object]:
    """A ``write`` for :func:`make_observer` that leaves nothing in the stream's buffer."""

    def write(line: bytes) -> None:
        stream.write(line)
        stream.flush()

    return write
