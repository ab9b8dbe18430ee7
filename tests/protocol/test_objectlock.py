"""The documents and headers of Object Lock, and what a lock forbids."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_s3.errors import S3Error
from twisted_s3.model import UNLOCKED, ObjectLock, ObjectVersion
from twisted_s3.protocol.head import RequestHead
from twisted_s3.protocol.objectlock import (
    COMPLIANCE,
    GOVERNANCE,
    DefaultRetention,
    changed_retention,
    deletion_guard,
    legal_hold_document,
    lock_configuration_document,
    lock_of,
    parse_legal_hold,
    parse_lock_configuration,
    parse_retention,
    parse_timestamp,
    remaining_days,
    retention_document,
)

NOW = 1_000_000_000.0
DAY = 86400.0
#: 2001-09-10T01:46:40, a day after NOW.
TOMORROW = NOW + DAY

modes = st.sampled_from([GOVERNANCE, COMPLIANCE])
#: Whole seconds up to the year 9999.
moments = st.integers(min_value=int(NOW) + 1, max_value=253402300799).map(float)
locks = st.one_of(
    st.builds(ObjectLock, legal_hold=st.sampled_from([None, True, False])),
    st.builds(
        ObjectLock,
        modes,
        st.integers(min_value=int(NOW) - 100, max_value=int(NOW) + 100).map(float),
        st.sampled_from([None, True, False]),
    ),
)
retentions = st.one_of(st.just(UNLOCKED), st.builds(ObjectLock, modes, st.integers(int(NOW), int(NOW) + 200)))


def version(lock: ObjectLock) -> ObjectVersion:
    """A version with a lock."""
    return ObjectVersion("k", 0, "", 0, lock=lock)


class Kit(SynchronousTestCase):
    """What the tests share."""

    def refused(self, code: str, call: object, *arguments: object) -> S3Error:
        """Assert that a call is refused."""
        error = self.assertRaises(S3Error, call, *arguments)
        self.assertEqual(error.code, code, arguments)
        assert isinstance(error, S3Error)
        return error


class LockConfiguration(Kit):
    """``ObjectLockConfiguration``."""

    @given(
        st.one_of(
            st.none(), st.builds(DefaultRetention, modes, st.sampled_from(["Days", "Years"]), st.integers(1, 100))
        )
    )
    def test_round_trip(self, default: DefaultRetention | None) -> None:
        """What is written is read."""
        self.assertEqual(parse_lock_configuration(lock_configuration_document(default)), default)

    @given(st.binary(max_size=200))
    def test_noise(self, body: bytes) -> None:
        """Anything else is refused."""
        self.refused("MalformedXML", parse_lock_configuration, body)

    def test_refused(self) -> None:
        """What AWS refuses, by the code that AWS has for it."""

        def document(retention: str) -> bytes:
            rule = f"<Rule><DefaultRetention>{retention}</DefaultRetention></Rule>"
            content = f"<ObjectLockEnabled>Enabled</ObjectLockEnabled>{rule}"
            return f"<ObjectLockConfiguration>{content}</ObjectLockConfiguration>".encode()

        for retention in (
            "",
            "<Mode>GOVERNANCE</Mode>",
            "<Days>1</Days>",
            "<Mode>GOVERNANCE</Mode><Days>1</Days><Years>1</Years>",
            "<Mode>governance</Mode><Days>1</Days>",
            "<Mode>GOVERNANCE</Mode><Days>one</Days>",
            "<Mode>GOVERNANCE</Mode><Days>1.5</Days>",
            "<Mode>GOVERNANCE</Mode><Days>1</Days><Weeks>1</Weeks>",
        ):
            self.refused("MalformedXML", parse_lock_configuration, document(retention))
        for body in (
            b"<ObjectLockConfiguration/>",
            b"<ObjectLockConfiguration><ObjectLockEnabled>Disabled</ObjectLockEnabled></ObjectLockConfiguration>",
            b"<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule/></ObjectLockConfiguration>",
        ):
            self.refused("MalformedXML", parse_lock_configuration, body)
        for unit, number, wrong in (
            ("Days", "0", "positive"),
            ("Years", "-1", "positive"),
            ("Days", "36501", "large"),
            ("Years", "101", "large"),
        ):
            body = document(f"<Mode>COMPLIANCE</Mode><{unit}>{number}</{unit}>")
            error = self.refused("InvalidArgument", parse_lock_configuration, body)
            self.assertEqual(error.elements, {"ArgumentName": unit, "ArgumentValue": number})
            self.assertIn(wrong, error.message)
        hold = document("<Mode>GOVERNANCE</Mode><Days>1</Days><DefaultEventHold><Days>1</Days></DefaultEventHold>")
        self.refused("NotImplemented", parse_lock_configuration, hold)

    def test_default(self) -> None:
        """A year has 365 days; a begun second counts."""
        self.assertEqual(DefaultRetention(GOVERNANCE, "Days", 2).lock(NOW), ObjectLock(GOVERNANCE, NOW + 2 * DAY))
        self.assertEqual(DefaultRetention(COMPLIANCE, "Years", 1).lock(NOW).until, NOW + 365 * DAY)
        self.assertEqual(DefaultRetention(GOVERNANCE, "Days", 1).lock(NOW + 0.1).until, NOW + DAY + 1)


class Retention(Kit):
    """``Retention`` and ``LegalHold``."""

    @given(modes, moments)
    def test_round_trip(self, mode: str, until: float) -> None:
        """What is written is read."""
        lock = ObjectLock(mode, until)
        self.assertEqual(parse_retention(retention_document(lock), NOW), lock)

    def test_legal_hold(self) -> None:
        """On or off."""
        for hold in (True, False):
            self.assertIs(parse_legal_hold(legal_hold_document(hold)), hold)
        for body in (b"", b"<LegalHold/>", b"<LegalHold><Status>on</Status></LegalHold>", b"<Retention/>"):
            self.refused("MalformedXML", parse_legal_hold, body)

    def test_retention(self) -> None:
        """It is empty, or has a mode and a date to come."""
        self.assertEqual(parse_retention(b"<Retention/>", NOW), UNLOCKED)
        date = "<RetainUntilDate>2001-09-10T01:46:40Z</RetainUntilDate>"
        for content in (
            "<Mode>GOVERNANCE</Mode>",
            date,
            f"<Mode>abc</Mode>{date}",
            "<Mode>GOVERNANCE</Mode><RetainUntilDate>tomorrow</RetainUntilDate>",
        ):
            self.refused("MalformedXML", parse_retention, f"<Retention>{content}</Retention>".encode(), NOW)
        body = f"<Retention><Mode>GOVERNANCE</Mode>{date}</Retention>".encode()
        self.assertEqual(parse_retention(body, NOW), ObjectLock(GOVERNANCE, TOMORROW))
        error = self.refused("InvalidArgument", parse_retention, body, TOMORROW)
        self.assertEqual(error.elements["ArgumentName"], "RetainUntilDate")
        self.refused("NotImplemented", parse_retention, b"<Retention><EventHold>ON</EventHold></Retention>", NOW)

    @given(st.datetimes(timezones=st.just(UTC), max_value=datetime(9999, 12, 31)))
    def test_timestamps(self, moment: datetime) -> None:
        """A timestamp is the moment that it names, rounded up to a whole second."""
        until = parse_timestamp(moment.isoformat().replace("+00:00", "Z"))
        assert until is not None
        self.assertTrue(0 <= until - moment.timestamp() < 1)
        self.assertEqual(parse_timestamp(moment.isoformat()), until)

    @given(st.text(max_size=30))
    def test_no_timestamp(self, text: str) -> None:
        """Anything else is none."""
        self.assertIsNone(parse_timestamp(text))

    def test_odd_timestamps(self) -> None:
        """Days that do not exist, half a form, a form of another kind."""
        for text in ("2001-02-30T00:00:00Z", "2001-02-03", "2001-02-03T00:00:00", "20010203T000000Z", "1e9"):
            self.assertIsNone(parse_timestamp(text), text)
        self.assertEqual(parse_timestamp("2001-09-10T03:46:39.5+02:00"), TOMORROW)


class Headers(Kit):
    """What the headers of a write ask for."""

    def lock(self, **headers: str) -> ObjectLock:
        """Read headers."""
        named = {f"x-amz-object-lock-{name.replace('_', '-')}": [value] for name, value in headers.items()}
        return lock_of(RequestHead("PUT", b"/", b"", named), NOW)

    def test_lock(self) -> None:
        """None, a retention, a legal hold."""
        self.assertEqual(self.lock(), UNLOCKED)
        date = "2001-09-10T01:46:40Z"
        asked = self.lock(mode=COMPLIANCE, retain_until_date=date, legal_hold="OFF")
        self.assertEqual(asked, ObjectLock(COMPLIANCE, TOMORROW, False))
        self.assertEqual(self.lock(legal_hold="ON"), ObjectLock(legal_hold=True))

    def test_refused(self) -> None:
        """What is no lock, and what is over."""
        date = "2001-09-10T01:46:40Z"
        for name, headers in (
            ("retain-until-date", {"mode": GOVERNANCE}),
            ("mode", {"retain_until_date": date}),
            ("mode", {"mode": "governance", "retain_until_date": date}),
            ("retain-until-date", {"mode": GOVERNANCE, "retain_until_date": "abc"}),
            ("retain-until-date", {"mode": GOVERNANCE, "retain_until_date": "2001-09-09T01:46:40Z"}),
            ("legal-hold", {"legal_hold": "on"}),
        ):
            error = self.assertRaises(S3Error, self.lock, **headers)
            found = error.code, error.elements["ArgumentName"]
            self.assertEqual(found, ("InvalidArgument", f"x-amz-object-lock-{name}"))


class Rules(Kit):
    """What a lock forbids."""

    @given(locks, st.booleans())
    def test_guard(self, lock: ObjectLock, bypass: bool) -> None:
        """A legal hold, a compliance retention that lasts, and, without leave, a governance retention that lasts."""
        lasts = lock.until > NOW
        kept = (
            lock.legal_hold or (lasts and lock.mode == COMPLIANCE) or (lasts and lock.mode == GOVERNANCE and not bypass)
        )
        guard = deletion_guard(NOW, bypass)
        if kept:
            self.refused("AccessDenied", guard, version(lock))
        else:
            guard(version(lock))
        guard(None)

    @given(locks, retentions, st.booleans())
    def test_changes(self, before: ObjectLock, wanted: ObjectLock, bypass: bool) -> None:
        """No change lets go, before its time, of what compliance holds, or, without leave, governance."""
        held = before.mode and before.until > NOW
        weaker = wanted.mode != before.mode or wanted.until < before.until
        if held and weaker and not (bypass and before.mode == GOVERNANCE):
            self.refused("AccessDenied", changed_retention, before, wanted, NOW, bypass)
            return
        after = changed_retention(before, wanted, NOW, bypass)
        self.assertEqual(after, ObjectLock(wanted.mode, wanted.until, before.legal_hold))

    def test_remaining_days(self) -> None:
        """Begun days count, days that are over do not."""
        for until, days in ((NOW - 1, 0), (NOW, 0), (NOW + 1, 1), (NOW + DAY, 1), (NOW + DAY + 1, 2)):
            self.assertEqual(remaining_days(until, NOW), days)

    def test_default_of_a_lock(self) -> None:
        """A default counts where there is no retention, whatever hold there is."""
        default = ObjectLock(GOVERNANCE, TOMORROW)
        self.assertEqual(UNLOCKED.with_default(default), default)
        self.assertEqual(ObjectLock(legal_hold=True).with_default(default), ObjectLock(GOVERNANCE, TOMORROW, True))
        own = ObjectLock(COMPLIANCE, NOW + 1, False)
        self.assertEqual(own.with_default(default), own)
