"""Times as HTTP and S3 write them; inside they are seconds since the epoch (UTC).

HTTP dates follow RFC 9110, section 5.6.7; the XML documents of S3 write ISO 8601.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from time import gmtime

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH_NUMBERS = {name.lower(): number for number, name in enumerate(_MONTHS, 1)}

# Files made by hand may carry any mtime; the formats hold the years 1 to 9999.
_FIRST, _LAST = -62135596800, 253402300799

_HTTP_DATE = "%s, %02d %s %04d %02d:%02d:%02d GMT"
_ISO8601 = "%04d-%02d-%02dT%02d:%02d:%02d.000Z"

_CLOCK = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_ZONE = r"(?:GMT|UTC)"
_HTTP_DATES = tuple(
    re.compile(pattern, re.ASCII | re.IGNORECASE)
    for pattern in (
        rf"[a-z]{{3}}, (?P<day>\d\d) (?P<month>[a-z]{{3}}) (?P<year>\d{{4}}) {_CLOCK} {_ZONE}",
        rf"[a-z]{{6,9}}, (?P<day>\d\d)-(?P<month>[a-z]{{3}})-(?P<year>\d\d) {_CLOCK} {_ZONE}",
        rf"[a-z]{{3}} (?P<month>[a-z]{{3}}) (?P<day>[ \d]\d) {_CLOCK} (?P<year>\d{{4}})",
    )
)
_BASIC = re.compile(
    r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)T(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)Z", re.ASCII
)

_EXTENDED = re.compile(
    r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?)?",
    re.ASCII,
)


def whole_seconds(time: float) -> int:
    """A time in the precision in which S3 shows and compares it: cut off to whole seconds."""
    seconds = int(time // 1)
    return seconds if _FIRST <= seconds <= _LAST else min(max(seconds, _FIRST), _LAST)


def format_http_date(time: float) -> str:
    """Write an IMF-fixdate: ``Fri, 24 May 2013 00:00:00 GMT``."""
    year, month, day, hour, minute, second, weekday, _, _ = gmtime(whole_seconds(time))
    return _HTTP_DATE % (_DAYS[weekday], day, _MONTHS[month - 1], year, hour, minute, second)


def format_iso8601(time: float) -> str:
    """Write ``2009-10-12T17:50:30.000Z``. The milliseconds are always 0, as AWS sends them.

    So a listing and the ``Last-Modified`` header of one object name the same moment.
    """
    # The quickest way there is: a page of a listing has a thousand of these.
    return _ISO8601 % gmtime(whole_seconds(time))[:6]


def format_iso8601_milliseconds(time: float) -> str:
    """Write ``2009-10-12T17:50:30.123Z``, for what happens and is not compared."""
    return f"{format_iso8601(time)[:-4]}{int(time % 1 * 1000):03}Z"


def parse_http_date(text: str) -> float | None:
    """Read any of the three forms of RFC 9110; None for anything else, or for a day that does not exist.

    The two-digit years of RFC 850 dates are 1970 to 2069.
    """
    for pattern in _HTTP_DATES:
        match = pattern.fullmatch(text)
        if match is not None:
            month = _MONTH_NUMBERS.get(match["month"].lower(), 0)
            year = int(match["year"])
            if len(match["year"]) == 2:
                year += 1900 if year >= 70 else 2000
            return _timestamp(year, month, match)
    return None


def parse_iso8601_basic(text: str) -> float | None:
    """Read ``20130524T000000Z``, the form of ``x-amz-date``; None for anything else."""
    match = _BASIC.fullmatch(text)
    return None if match is None else _timestamp(int(match["year"]), int(match["month"]), match)


def parse_iso8601(text: str) -> float | None:
    """Read an ISO 8601 date, or date and time, in UTC where no zone is given; None for anything else."""
    if _EXTENDED.fullmatch(text) is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _timestamp(year: int, month: int, match: re.Match[str]) -> float | None:
    second = 59 if match["second"] == "60" else int(match["second"])
    try:
        moment = datetime(year, month, int(match["day"]), int(match["hour"]), int(match["minute"]), second, tzinfo=UTC)
    except ValueError:
        return None
    return moment.timestamp()
