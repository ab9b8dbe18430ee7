"""``s3store scrub``: what a person types and sees."""

from __future__ import annotations

import json
import os
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO

from twisted.trial.unittest import TestCase

from tests.storage.filesystem.test_scrub import ScrubKit, flip
from tests.storage.kit import pattern
from twisted_s3.commands.main import main


def run(*words: str) -> tuple[int, str, str]:
    """Exit status, output and errors of a command."""
    out, errors = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(errors):
        status = main(words, {})
    return status, out.getvalue(), errors.getvalue()


class ScrubCommandTests(ScrubKit, TestCase):
    async def test_command(self) -> None:
        data = ("--data-dir", str(self.root))
        for key in ("good", "bad"):
            await self.put(key, pattern(1000))
        status, out, _ = run("scrub", *data, "--deep")
        self.assertEqual((status, out.splitlines()[-1].split(",")[0]), (0, "4 files looked at"))
        flip(self.path("bad"), 500)
        self.assertEqual(run("scrub", *data)[0], 0)
        status, out, _ = run("scrub", *data, "--deep")
        self.assertEqual((status, out.splitlines()[0].split(": ")[:2]), (1, ["object bucket/bad", "bytes"]))
        self.assertEqual(run("scrub", *data, "--deep", "--bucket", "other-bucket")[0], 0)

    async def test_json_and_quarantine(self) -> None:
        await self.put("bad", pattern(1000))
        flip(self.path("bad"), 500)
        status, out, _ = run("scrub", "--data-dir", str(self.root), "--deep", "--json", "--quarantine")
        finding, totals = map(json.loads, out.splitlines())
        self.assertEqual(status, 1)
        self.assertEqual(
            (finding["bucket"], finding["key"], finding["kind"], finding["problem"], finding["path"]),
            ("bucket", "bad", "object", "bytes", "bucket/bad"),
        )
        expected = {"files": 3, "read": 1000, "unrecorded": 0, "damaged": 1, "quarantined": 1}
        self.assertEqual(totals, {"totals": expected})
        self.assertTrue(os.path.exists(self.root / finding["quarantine"] / "data"))
        self.assertEqual((run("scrub", "--data-dir", str(self.root), "--deep")[0], await self.keys()), (0, []))

    async def test_no_data_directory(self) -> None:
        status, _, errors = run("scrub", "--data-dir", str(self.root / "nowhere"))
        self.assertEqual((status, "is not a data directory" in errors), (2, True))
        self.assertFalse((self.root / "nowhere").exists())
