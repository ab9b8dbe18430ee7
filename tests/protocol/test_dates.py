"""Dates in and out."""

from __future__ import annotations

from email.utils import formatdate

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_s3.protocol.dates import (
    format_http_date,
    format_iso8601,
    parse_http_date,
    parse_iso8601_basic,
    whole_seconds,
)

MOMENT = 784111777.0  # the example of RFC 9110


class DatesTests(SynchronousTestCase):
    def test_three_forms(self) -> None:
        for text in (
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "sun, 06 nov 1994 08:49:37 gmt",
        ):
            self.assertEqual(parse_http_date(text), MOMENT, text)

    def test_two_digit_years(self) -> None:
        self.assertEqual(parse_http_date("Thursday, 01-Jan-70 00:00:00 GMT"), 0.0)
        self.assertEqual(parse_http_date("Tuesday, 01-Jan-69 00:00:00 GMT"), 3124224000.0)

    def test_leap_second(self) -> None:
        self.assertEqual(parse_http_date("Sat, 31 Dec 2016 23:59:60 GMT"), 1483228799.0)

    def test_not_dates(self) -> None:
        for text in (
            "",
            "yesterday",
            "0",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 31 Feb 1994 08:49:37 GMT",
            "Sun, 06 Xyz 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 06 Nov 0000 08:49:37 GMT",
            "Sun, ٠٦ Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 GMT\n",
        ):
            self.assertIsNone(parse_http_date(text), text)

    def test_iso8601(self) -> None:
        self.assertEqual(format_iso8601(1255369830.0), "2009-10-12T17:50:30.000Z")
        self.assertEqual(format_iso8601(1255369830.999), "2009-10-12T17:50:30.000Z")

    def test_basic(self) -> None:
        self.assertEqual(parse_iso8601_basic("20130524T000000Z"), 1369353600.0)
        for text in ("", "20130524", "20130524T000000", "20131324T000000Z", "2013-05-24T00:00:00Z"):
            self.assertIsNone(parse_iso8601_basic(text), text)

    def test_before_the_epoch(self) -> None:
        self.assertEqual(format_http_date(-0.5), "Wed, 31 Dec 1969 23:59:59 GMT")

    def test_any_mtime_can_be_written(self) -> None:
        self.assertEqual(format_iso8601(1e18), "9999-12-31T23:59:59.000Z")
        self.assertEqual(format_http_date(-1e18), "Mon, 01 Jan 0001 00:00:00 GMT")

    @given(st.floats(min_value=0, max_value=4102444800))
    def test_as_the_standard_library(self, moment: float) -> None:
        text = format_http_date(moment)
        self.assertEqual(text, formatdate(int(moment), usegmt=True))
        self.assertEqual(parse_http_date(text), whole_seconds(moment))

    @given(st.text())
    def test_garbage(self, text: str) -> None:
        parse_http_date(text)
        parse_iso8601_basic(text)
