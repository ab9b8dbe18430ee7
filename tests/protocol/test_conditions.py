"""Conditional requests."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_s3.errors import S3Error
from twisted_s3.interfaces import always
from twisted_s3.model import ObjectVersion
from twisted_s3.protocol.conditions import (
    check_copy_source,
    check_read,
    delete_condition,
    deletion_condition,
    range_applies,
    write_condition,
)
from twisted_s3.protocol.dates import format_http_date
from twisted_s3.protocol.head import RequestHead

ETAG = "d41d8cd98f00b204e9800998ecf8427e"
MODIFIED = 1_700_000_000.75
NOW = MODIFIED + 1000
VERSION = ObjectVersion("key", 5, ETAG, MODIFIED)
SAME = format_http_date(MODIFIED)
BEFORE = format_http_date(MODIFIED - 10)
AFTER = format_http_date(MODIFIED + 10)
FUTURE = format_http_date(NOW + 10)


def head(**headers: str) -> RequestHead:
    """A request with headers, whose names are written with underscores."""
    return RequestHead("GET", b"/b/k", b"", {name.replace("_", "-"): [value] for name, value in headers.items()})


def outcome(call: Callable[[], object]) -> tuple[str, str | None] | None:
    """The code and the Condition of the error that a call raises; None when it raises nothing."""
    try:
        call()
    except S3Error as error:
        return error.code, error.elements.get("Condition")
    return None


class ReadTests(SynchronousTestCase):
    def check(self, expected: str | None, condition: str | None = None, **headers: str) -> None:
        found = outcome(lambda: check_read(head(**headers), VERSION, NOW))
        self.assertEqual(found, None if expected is None else (expected, condition), headers)

    def test_if_match(self) -> None:
        for value in (ETAG, f'"{ETAG}"', "*", f'"x", "{ETAG}"', f"x,{ETAG}"):
            self.check(None, if_match=value)
        for value in ("x", '"x"', f'W/"{ETAG}"', "", f'"{ETAG}x"', ETAG[:-1], '"*"'):
            self.check("PreconditionFailed", "If-Match", if_match=value)

    def test_if_none_match(self) -> None:
        for value in (ETAG, f'"{ETAG}"', "*", f'W/"{ETAG}"', f'"x", W/"{ETAG}"'):
            self.check("NotModified", if_none_match=value)
        for value in ("x", '"x"', ""):
            self.check(None, if_none_match=value)

    def test_dates(self) -> None:
        self.check(None, if_modified_since=BEFORE)
        self.check("NotModified", if_modified_since=SAME)
        self.check("NotModified", if_modified_since=AFTER)
        self.check(None, if_modified_since=FUTURE)
        self.check("PreconditionFailed", "If-Unmodified-Since", if_unmodified_since=BEFORE)
        self.check(None, if_unmodified_since=SAME)
        self.check(None, if_unmodified_since=FUTURE)

    def test_unreadable_dates_are_ignored(self) -> None:
        self.check(None, if_modified_since="tomorrow", if_unmodified_since="2020-01-01")

    def test_precedence(self) -> None:
        self.check(None, if_match=ETAG, if_unmodified_since=BEFORE)
        self.check("PreconditionFailed", "If-Match", if_match="x", if_unmodified_since=AFTER)
        self.check(None, if_none_match="x", if_modified_since=AFTER)
        self.check("NotModified", if_none_match=ETAG, if_modified_since=BEFORE)
        self.check("PreconditionFailed", "If-Match", if_match="x", if_none_match=ETAG)
        self.check("NotModified", if_match=ETAG, if_none_match=ETAG)

    def test_not_modified_carries_the_validators(self) -> None:
        error = self.assertRaises(S3Error, check_read, head(if_none_match="*"), VERSION, NOW)
        self.assertEqual(error.status, 304)
        self.assertEqual(error.headers, {"ETag": f'"{ETAG}"', "Last-Modified": SAME})

    @given(st.text(max_size=40), st.text(max_size=40))
    def test_garbage(self, one: str, two: str) -> None:
        outcome(lambda: check_read(head(if_match=one, if_none_match=two), VERSION, NOW))
        outcome(lambda: check_read(head(if_modified_since=one, if_unmodified_since=two), VERSION, NOW))
        outcome(lambda: write_condition(head(if_match=one))(VERSION))
        outcome(lambda: delete_condition(head(if_match=one, x_amz_if_match_size=two))(VERSION))
        range_applies(head(if_range=one), VERSION)


class IfRangeTests(SynchronousTestCase):
    def test_applies(self) -> None:
        self.assertTrue(range_applies(head(), VERSION))
        for value in (f'"{ETAG}"', ETAG, SAME):
            self.assertTrue(range_applies(head(if_range=value), VERSION), value)

    def test_does_not_apply(self) -> None:
        for value in ('"x"', f'W/"{ETAG}"', BEFORE, AFTER, "*", ""):
            self.assertFalse(range_applies(head(if_range=value), VERSION), value)


class CopySourceTests(SynchronousTestCase):
    def check(self, condition: str | None, **headers: str) -> None:
        request = head(**{f"x_amz_copy_source_{name}": value for name, value in headers.items()})
        found = outcome(lambda: check_copy_source(request, VERSION, NOW))
        self.assertEqual(found, None if condition is None else ("PreconditionFailed", condition), headers)

    def test_conditions(self) -> None:
        self.check(None, if_match=ETAG)
        self.check("x-amz-copy-source-If-Match", if_match="x")
        self.check(None, if_none_match="x")
        self.check("x-amz-copy-source-If-None-Match", if_none_match=ETAG)
        self.check(None, if_modified_since=BEFORE)
        self.check("x-amz-copy-source-If-Modified-Since", if_modified_since=AFTER)
        self.check(None, if_modified_since=FUTURE)
        self.check(None, if_unmodified_since=AFTER)
        self.check("x-amz-copy-source-If-Unmodified-Since", if_unmodified_since=BEFORE)

    def test_precedence(self) -> None:
        self.check(None, if_match=ETAG, if_unmodified_since=BEFORE)
        self.check("x-amz-copy-source-If-None-Match", if_none_match=ETAG, if_modified_since=BEFORE)

    def test_headers_of_the_destination_do_not_count(self) -> None:
        self.assertIsNone(outcome(lambda: check_copy_source(head(if_match="x"), VERSION, NOW)))


class WriteTests(SynchronousTestCase):
    def test_none(self) -> None:
        self.assertIs(write_condition(head()), always)

    def test_if_none_match(self) -> None:
        condition = write_condition(head(if_none_match="*"))
        self.assertIsNone(outcome(lambda: condition(None)))
        self.assertEqual(outcome(lambda: condition(VERSION)), ("PreconditionFailed", "If-None-Match"))

    def test_if_match(self) -> None:
        for value in (ETAG, f'"{ETAG}"'):
            condition = write_condition(head(if_match=value))
            self.assertIsNone(outcome(lambda condition=condition: condition(VERSION)))
            self.assertEqual(outcome(lambda condition=condition: condition(None)), ("NoSuchKey", None))
        condition = write_condition(head(if_match='"x"'))
        self.assertEqual(outcome(lambda: condition(VERSION)), ("PreconditionFailed", "If-Match"))

    def test_not_offered(self) -> None:
        for headers, name in (
            ({"if_none_match": ETAG}, "If-None-Match"),
            ({"if_match": "*"}, "If-Match"),
            ({"if_match": ETAG, "if_none_match": "*"}, "If-Match,If-None-Match"),
            ({"if_modified_since": SAME}, "If-Modified-Since"),
            ({"if_unmodified_since": SAME}, "If-Unmodified-Since"),
        ):
            error = self.assertRaises(S3Error, write_condition, head(**headers))
            self.assertEqual((error.code, error.status), ("NotImplemented", 501))
            self.assertEqual(error.elements["Header"], name)


class DeleteTests(SynchronousTestCase):
    def check(self, expected: tuple[str, str | None] | None, current: ObjectVersion | None, **headers: str) -> None:
        self.assertEqual(outcome(lambda: delete_condition(head(**headers))(current)), expected, headers)

    def test_none(self) -> None:
        self.assertIs(delete_condition(head()), always)

    def test_if_match(self) -> None:
        for value in ("*", ETAG, f'"{ETAG}"'):
            self.check(None, VERSION, if_match=value)
            self.check(("NoSuchKey", None), None, if_match=value)
        self.check(("PreconditionFailed", "If-Match"), VERSION, if_match="x")

    def test_size(self) -> None:
        self.check(None, VERSION, x_amz_if_match_size="5")
        self.check(None, None, x_amz_if_match_size="5")
        self.check(("PreconditionFailed", "x-amz-if-match-size"), VERSION, x_amz_if_match_size="6")
        self.check(("PreconditionFailed", "x-amz-if-match-size"), VERSION, if_match=ETAG, x_amz_if_match_size="0")

    def test_time(self) -> None:
        name = "x-amz-if-match-last-modified-time"
        self.check(None, VERSION, x_amz_if_match_last_modified_time=SAME)
        self.check(None, None, x_amz_if_match_last_modified_time=SAME)
        self.check(("PreconditionFailed", name), VERSION, x_amz_if_match_last_modified_time=BEFORE)

    def test_unreadable(self) -> None:
        for headers in (
            {"x_amz_if_match_size": "-1"},
            {"x_amz_if_match_size": ""},
            {"x_amz_if_match_size": "²"},
            {"x_amz_if_match_last_modified_time": "now"},
        ):
            error = self.assertRaises(S3Error, delete_condition, head(**headers))
            self.assertEqual(error.code, "InvalidArgument")

    def test_entry_of_delete_objects(self) -> None:
        self.assertIs(deletion_condition(None), always)
        condition = deletion_condition(ETAG, 5, float(int(MODIFIED)))
        self.assertIsNone(outcome(lambda: condition(VERSION)))
