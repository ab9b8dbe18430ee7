"""Object Lock: its documents and headers, what a lock forbids, and how it may change.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html

A retention ends at a whole second: what a client asks for is rounded up, so that the date that is shown is never
earlier than the one that holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from math import ceil

from msgspec import Struct, structs

from twisted_s3.errors import S3Error
from twisted_s3.interfaces import Condition
from twisted_s3.model import UNLOCKED, ObjectLock, ObjectVersion
from twisted_s3.protocol.dates import format_iso8601
from twisted_s3.protocol.head import RequestHead
from twisted_s3.protocol.xmldocs import document, element
from twisted_s3.protocol.xmlreading import Element, members_of, parse_document, text_of, texts_of

GOVERNANCE, COMPLIANCE = "GOVERNANCE", "COMPLIANCE"

MODE_HEADER = "x-amz-object-lock-mode"
DATE_HEADER = "x-amz-object-lock-retain-until-date"
HOLD_HEADER = "x-amz-object-lock-legal-hold"
BYPASS_HEADER = "x-amz-bypass-governance-retention"

_MODES = (GOVERNANCE, COMPLIANCE)
_DAY = 86400
#: How many days a unit of the default retention has, and how many of the unit there may be.
_UNITS: Mapping[str, tuple[int, int]] = {"Days": (1, 36_500), "Years": (365, 100)}
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,19}", re.ASCII)
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)


class DefaultRetention(Struct, frozen=True):
    """The retention of new objects of a bucket.

    :ivar unit: ``Days`` or ``Years``.
    """

    mode: str
    unit: str
    number: int

    def lock(self, created: float) -> ObjectLock:
        """The lock of an object that is created at a time."""
        days, _ = _UNITS[self.unit]
        return ObjectLock(self.mode, float(ceil(created + self.number * days * _DAY)))


def parse_lock_configuration(body: bytes) -> DefaultRetention | None:
    """Read ``ObjectLockConfiguration``: the default retention, None for none.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectLockConfiguration.html

    :raise S3Error: ``MalformedXML``; ``InvalidArgument`` for a period that is not positive or too long;
        ``NotImplemented`` for event holds.
    """
    members = members_of(parse_document(body, "ObjectLockConfiguration"), {"ObjectLockEnabled", "Rule"})
    enabled, rule = members.get("ObjectLockEnabled"), members.get("Rule")
    if enabled is None or text_of(enabled).strip() != "Enabled":
        raise S3Error("MalformedXML")
    if rule is None:
        return None
    retention = members_of(rule, {"DefaultRetention"}).get("DefaultRetention")
    if retention is None:
        raise S3Error("MalformedXML")
    return _default_retention(members_of(retention, {"Mode", "DefaultEventHold", *_UNITS}))


def _default_retention(members: Mapping[str, Element]) -> DefaultRetention:
    if "DefaultEventHold" in members:
        raise S3Error("NotImplemented", elements={"Header": "DefaultEventHold"})
    texts = {name: text_of(member).strip() for name, member in members.items()}
    units = texts.keys() & _UNITS.keys()
    if texts.get("Mode") not in _MODES or len(units) != 1:
        raise S3Error("MalformedXML")
    (unit,) = units
    if not _WHOLE_NUMBER.fullmatch(texts[unit]):
        raise S3Error("MalformedXML")
    number, (_, most) = int(texts[unit]), _UNITS[unit]
    if not 0 < number <= most:
        wrong = "too large." if number > 0 else "must be a positive integer value."
        raise _bad_argument(f"Default retention period {wrong}", unit, texts[unit])
    return DefaultRetention(texts["Mode"], unit, number)


def lock_configuration_document(default: DefaultRetention | None) -> bytes:
    """Write ``ObjectLockConfiguration``."""
    rule = ""
    if default is not None:
        retention = element("Mode", default.mode) + element(default.unit, default.number)
        rule = f"<Rule><DefaultRetention>{retention}</DefaultRetention></Rule>"
    return document("ObjectLockConfiguration", element("ObjectLockEnabled", "Enabled"), rule)


def parse_retention(body: bytes, now: float) -> ObjectLock:
    """Read ``Retention``, which is empty to remove one: a lock that has nothing but it.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectRetention.html

    :raise S3Error: ``MalformedXML``; ``InvalidArgument`` for a date that is over; ``NotImplemented`` for event holds.
    """
    root = parse_document(body, "Retention")
    members = members_of(root, {"Mode", "RetainUntilDate", "EventHold", "EventHoldDuration"})
    if members.keys() & {"EventHold", "EventHoldDuration"}:
        raise S3Error("NotImplemented", elements={"Header": "EventHold"})
    if not members:
        return UNLOCKED
    texts = {name: text_of(member).strip() for name, member in members.items()}
    until = parse_timestamp(texts.get("RetainUntilDate", ""))
    if texts.get("Mode") not in _MODES or until is None:
        raise S3Error("MalformedXML")
    _check_future(until, now, "RetainUntilDate", texts["RetainUntilDate"])
    return ObjectLock(texts["Mode"], until)


def retention_document(lock: ObjectLock) -> bytes:
    """Write ``Retention``."""
    return document("Retention", element("Mode", lock.mode), element("RetainUntilDate", format_iso8601(lock.until)))


def parse_legal_hold(body: bytes) -> bool:
    """Read ``LegalHold``: whether it is on.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectLegalHold.html

    :raise S3Error: ``MalformedXML``.
    """
    status = texts_of(parse_document(body, "LegalHold"), {"Status"}).get("Status", "").strip()
    if status not in ("ON", "OFF"):
        raise S3Error("MalformedXML")
    return status == "ON"


def legal_hold_document(hold: bool) -> bytes:
    """Write ``LegalHold``."""
    return document("LegalHold", element("Status", _status(hold)))


def parse_timestamp(text: str) -> float | None:
    """Read a timestamp of ISO 8601, rounded up to a whole second; None for anything else."""
    if not _TIMESTAMP.fullmatch(text):
        return None
    try:
        return float(ceil(datetime.fromisoformat(text).timestamp()))
    except (ValueError, OverflowError):
        return None


def lock_of(head: RequestHead, now: float) -> ObjectLock:
    """The lock that the headers of a write ask for.

    :raise S3Error: ``InvalidArgument``.
    """
    mode, date, hold = (head.header(name) for name in (MODE_HEADER, DATE_HEADER, HOLD_HEADER))
    if (mode is None) != (date is None):
        missing = MODE_HEADER if mode is None else DATE_HEADER
        message = f"{DATE_HEADER} and {MODE_HEADER} must both be supplied"
        raise S3Error("InvalidArgument", message, {"ArgumentName": missing})
    if hold not in (None, "ON", "OFF"):
        raise _bad_argument("Legal Hold must be either of 'ON' or 'OFF'", HOLD_HEADER, hold or "")
    lock = ObjectLock(legal_hold=None if hold is None else hold == "ON")
    if mode is None or date is None:
        return lock
    if mode not in _MODES:
        raise _bad_argument("Unknown wormMode directive.", MODE_HEADER, mode)
    until = parse_timestamp(date)
    if until is None:
        raise _bad_argument("The retain until date must be provided in ISO 8601 format", DATE_HEADER, date)
    _check_future(until, now, DATE_HEADER, date)
    return structs.replace(lock, mode=mode, until=until)


def retention_headers(lock: ObjectLock) -> Iterator[tuple[str, str]]:
    """The headers that tell the retention of a version, also one that is over."""
    if lock.mode:
        yield MODE_HEADER, lock.mode
        yield DATE_HEADER, format_iso8601(lock.until)


def legal_hold_headers(lock: ObjectLock) -> Iterator[tuple[str, str]]:
    """The header that tells the legal hold of a version, where there ever was one."""
    if lock.legal_hold is not None:
        yield HOLD_HEADER, _status(lock.legal_hold)


def remaining_days(until: float, now: float) -> int:
    """How many days, begun ones as well, a retention still lasts."""
    return max(0, ceil((until - now) / _DAY))


def deletion_guard(now: float, bypass: bool = False) -> Condition:
    """What keeps locked versions from being destroyed, as :meth:`IObjectStore.delete_object` asks for it.

    Whoever destroys versions passes it as the store's ``guard``: requests, and the rules of a bucket.

    :param now: the present time.
    :param bypass: whether who asks may destroy in spite of a retention in GOVERNANCE mode, and says so.
    """

    def guard(version: ObjectVersion | None) -> None:
        """:raise S3Error: ``AccessDenied``."""
        if version is not None and is_locked(version.lock, now, bypass):
            raise _protected()

    return guard


def is_locked(lock: ObjectLock, now: float, bypass: bool = False) -> bool:
    """Whether a version must not be destroyed."""
    return bool(lock.legal_hold) or _is_retained(lock, now, bypass)


def changed_retention(before: ObjectLock, wanted: ObjectLock, now: float, bypass: bool = False) -> ObjectLock:
    """A lock with another retention. One that holds may last longer; all else needs, in GOVERNANCE mode, ``bypass``.

    :raise S3Error: ``AccessDenied``.
    """
    grows = wanted.mode == before.mode and wanted.until >= before.until
    if not grows and _is_retained(before, now, bypass):
        raise _protected()
    return structs.replace(before, mode=wanted.mode, until=wanted.until)


def _is_retained(lock: ObjectLock, now: float, bypass: bool) -> bool:
    return lock.retains(now) and not (bypass and lock.mode == GOVERNANCE)


def _check_future(until: float, now: float, name: str, text: str) -> None:
    if until <= now:
        raise _bad_argument("The retain until date must be in the future!", name, text)


def _status(hold: bool) -> str:
    return "ON" if hold else "OFF"


def _protected() -> S3Error:
    return S3Error("AccessDenied", "Access Denied because object protected by object lock.")


def _bad_argument(message: str, name: str, value: str) -> S3Error:
    return S3Error("InvalidArgument", message, {"ArgumentName": name, "ArgumentValue": value})
