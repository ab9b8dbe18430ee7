"""``s3store events``: dead letters, seen from outside."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_s3.commands.main import main
from twisted_s3.commands.offline import store_of
from twisted_s3.queueing import Letter


class Commands(SynchronousTestCase):
    """A data directory with dead letters."""

    def setUp(self) -> None:
        """Two dead letters of one target."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.data = folder.name
        Path(self.data, ".s3store", "buckets").mkdir(parents=True)
        Path(self.data, ".s3store", "staging").mkdir()
        deliveries = store_of(Path(self.data)).deliveries
        record = {"eventName": "ObjectCreated:Put", "s3": {"object": {"key": "a+b"}}}
        for name in ("0000000000000001", "0000000000000002"):
            deliveries.bury("hook", Letter(name, {"Records": [record]}, "the answer is 400", 1, 0.0))

    def run_command(self, *arguments: str) -> tuple[int, str]:
        """Run a command. Gives status and output."""
        out, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
            status = main(["events", arguments[0], "--data-dir", self.data, *arguments[1:]], {})
        return status, out.getvalue() + errors.getvalue()

    def test_list(self) -> None:
        """One line for each, or a document."""
        status, text = self.run_command("list", "hook")
        self.assertEqual(status, 0)
        first, _ = text.splitlines()
        self.assertEqual(
            first, "0000000000000001 1970-01-01T00:00:00.000Z ObjectCreated:Put a+b: the answer is 400 (1 times)"
        )
        _, text = self.run_command("list", "hook", "--json")
        self.assertEqual(json.loads(text.splitlines()[1])["name"], "0000000000000002")
        self.assertEqual(self.run_command("list", "nobody"), (0, ""))

    def test_no_letters(self) -> None:
        """A file among the letters that is none hides no other, whatever is in it."""
        folder = Path(self.data, ".s3store/events/targets/hook/dead")
        good = (folder / "0000000000000001").read_text()
        typed = good.replace('"attempts": 1', '"attempts": "1"')
        self.assertNotEqual(typed, good)
        for number, text in enumerate(("", "{", "[]", "{}", '"a"', "[" * 100_000, typed)):
            (folder / f"000000000000001{number}").write_text(text)
        status, text = self.run_command("list", "hook")
        self.assertEqual((status, len(text.splitlines())), (0, 2))
        self.assertIn("2 dead", self.run_command("status")[1])

    def test_strange_messages(self) -> None:
        """Whatever a letter holds, it is shown, and so are the others. One of no time is none."""
        deliveries = store_of(Path(self.data)).deliveries
        strange: list[Any] = [[], None, [{}], [1], 7, {}, [{"eventName": "x", "s3": []}], [{"s3": {"object": None}}]]
        for number, records in enumerate(strange):
            deliveries.bury("odd", Letter(f"{number:016}", {"Records": records}, "why", 1, 0.0))
        deliveries.bury("odd", Letter(f"{20:016}", {"Event": "s3:TestEvent"}, "why", 1, 0.0))
        for number, time in enumerate((float("nan"), float("inf"), -1.0, 1e300), 30):
            deliveries.bury("odd", Letter(f"{number:016}", {"Event": "x"}, "why", 1, time))
        status, text = self.run_command("list", "odd")
        subjects = [line.split("Z ")[1] for line in text.splitlines()]
        expected = ["an unknown message: why (1 times)"] * len(strange) + ["s3:TestEvent: why (1 times)"]
        self.assertEqual((status, subjects), (0, expected))

    def test_retry_and_discard(self) -> None:
        """They leave the dead ones."""
        self.assertEqual(self.run_command("retry", "hook", "0000000000000002"), (0, "1 will be tried again.\n"))
        self.assertIn("1 dead, 1 to be tried again", self.run_command("status")[1])
        self.assertEqual(self.run_command("discard", "hook", "--all"), (0, "1 thrown away.\n"))
        self.assertIn("0 dead, 1 to be tried again", self.run_command("status")[1])

    def test_refused(self) -> None:
        """Letters that are not there, and none at all."""
        for arguments in (("retry", "hook", "1"), ("discard", "hook"), ("retry", "nobody", "x")):
            status, text = self.run_command(*arguments)
            self.assertEqual(status, 1)
            self.assertIn("s3store: events:", text)
        self.assertIn("2 dead", self.run_command("status")[1])
