"""The access log."""

from __future__ import annotations

import io
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from twisted.logger import Logger, LogPublisher, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from twisted_s3.accesslog import NAMESPACE, AccessEntry, AccessLog
from twisted_s3.logformat import RELAY, flushing, make_observer

ENTRY = AccessEntry(
    time=1795176000.123,
    operation="GetObject",
    bucket="photos",
    key='a "b"\n\\c',
    status=206,
    bytes_sent=10,
    bytes_received=0,
    milliseconds=1.23456,
    requester="alice",
    remote="127.0.0.1",
    request_id="ABC",
)


class AccessLogTests(SynchronousTestCase):
    def test_one_event_for_a_request(self) -> None:
        with capturedLogs() as events:
            AccessLog().record(ENTRY)
        self.assertEqual([e["access"] for e in events], [ENTRY])

    def test_as_others_are(self) -> None:
        """Its events have what those of any logger have."""
        with capturedLogs() as events:
            Logger(NAMESPACE).info("{access}", access=ENTRY)
            AccessLog().record(ENTRY)
        # Other observers add to an event what the old kind of them wants.
        names = ("log_level", "log_namespace", "log_source", "log_format", "access")
        usual, ours = ([event[name] for name in names] for event in events)
        self.assertEqual(ours, usual)
        self.assertEqual(events[1].keys(), events[0].keys())
        self.assertGreaterEqual(events[1]["log_time"], events[0]["log_time"])

    def test_nothing_when_off(self) -> None:
        with capturedLogs() as events:
            AccessLog(enabled=False).record(ENTRY)
        self.assertEqual(events, [])

    def test_line(self) -> None:
        self.assertEqual(
            str(ENTRY),
            'operation="GetObject" bucket="photos" key="a \\"b\\"\\x0a\\\\c" status=206 bytes_sent=10 bytes_received=0 '
            'milliseconds=1.235 requester="alice" remote="127.0.0.1" request_id="ABC" error=-',
        )

    @given(st.text(st.characters()))
    def test_no_key_breaks_out_of_its_quotes(self, key: str) -> None:
        line = str(structs.replace(ENTRY, key=key))
        self.assertTrue(line.isprintable())
        _, _, rest = line.partition(' key="')
        end = 0
        while rest[end] != '"':
            end += 2 if rest[end] == "\\" else 1
        self.assertTrue(rest[end:].startswith('" status=206 '))


class LineTests(SynchronousTestCase):
    def lines(self, format: str, level: str, *emit: Any) -> list[str]:
        stream = io.BytesIO()
        publisher = LogPublisher(make_observer(flushing(stream), format, level))
        for namespace, method, text, values in emit:
            getattr(Logger(namespace=namespace, observer=publisher), method)(text, **values)
        return stream.getvalue().decode("ascii" if format == "json" else "utf-8").splitlines()

    def access(self, format: str, level: str = "info") -> list[str]:
        return self.lines(format, level, ("twisted_s3.access", "info", "{access}", {"access": ENTRY}))

    def test_text(self) -> None:
        [line] = self.lines("text", "info", ("a.b", "warn", "x={x}", {"x": "ü\n\x1b[2J"}))
        self.assertRegex(line, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z warn \[a\.b\] x=ü\\x0a\\x1b\[2J$")

    def test_json(self) -> None:
        [line] = self.lines("json", "info", ("a.b", "warn", "x={x}", {"x": "ü\n"}))
        fields = json.loads(line)
        self.assertRegex(fields.pop("time"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertEqual(fields, {"level": "warn", "logger": "a.b", "message": "x=ü\n"})

    def test_access_entry(self) -> None:
        [line] = self.access("text")
        self.assertEqual(line, f"2026-11-20T12:00:00.123Z info [twisted_s3.access] {ENTRY}")
        fields = json.loads(self.access("json")[0])
        self.assertEqual(fields["time"], "2026-11-20T12:00:00.123Z")
        self.assertEqual((fields["key"], fields["status"], fields["milliseconds"]), (ENTRY.key, 206, 1.235))

    def test_level(self) -> None:
        events = [("a", level, level, {}) for level in ("debug", "info", "warn", "error", "critical")]
        self.assertEqual(len(self.lines("text", "debug", *events)), 5)
        self.assertEqual(len(self.lines("text", "error", *events)), 2)

    def test_access_log_has_a_switch_of_its_own(self) -> None:
        self.assertEqual(len(self.access("text", "critical")), 1)

    def test_lines_of_other_processes_pass_unchanged(self) -> None:
        for format in ("text", "json"):
            lines = self.lines(format, "critical", (RELAY, "info", "{line}", {"line": '{"a": 1} '}))
            self.assertEqual(lines, ['{"a": 1} '])

    def test_traceback(self) -> None:
        def fail(logger: str) -> Any:
            stream = io.BytesIO()
            log = Logger(observer=LogPublisher(make_observer(flushing(stream), logger, "info")))
            try:
                raise ValueError("one\ntwo")
            except ValueError:
                log.failure("it failed")
            return stream.getvalue().decode().splitlines()

        first, *others = fail("text")
        self.assertIn("it failed", first)
        self.assertTrue(all(line.startswith("    ") for line in others))
        self.assertIn("ValueError", "".join(others))
        [line] = fail("json")
        self.assertIn("ValueError: one", json.loads(line)["traceback"])

    @given(st.text(st.characters()))
    def test_any_message_is_one_line(self, text: str) -> None:
        for format in ("text", "json"):
            self.assertEqual(len(self.lines(format, "info", ("a", "info", "{x}", {"x": text}))), 1)
