"""``s3store fsck``: what a person types and sees."""

from __future__ import annotations

import json

from twisted.trial.unittest import TestCase

from tests.commands.test_scrub import run
from tests.storage.filesystem.kit import FilesystemKit
from twisted_s3.storage.filesystem.versions import entry_of


class FsckCommandTests(FilesystemKit, TestCase):
    async def test_command(self) -> None:
        data = ("--data-dir", str(self.root))
        self.assertEqual(run("fsck", *data), (0, "0 found, 0 removed\n", ""))
        left = self.root / ".s3store/staging/left"
        left.write_bytes(b"1")
        line = "staging: .s3store/staging/left: a write that was broken off"
        self.assertEqual(run("fsck", *data), (1, f"{line} (can be removed)\n1 found, 0 removed\n", ""))
        self.assertTrue(left.exists())
        self.assertEqual(run("fsck", *data, "--repair"), (0, f"{line} (removed)\n1 found, 1 removed\n", ""))
        self.assertFalse(left.exists())

    async def test_json(self) -> None:
        stranger = entry_of(b"buckets/bucket/versions/78+", "null", 1).path.decode() + ".txt"
        (self.root / ".s3store" / stranger).parent.mkdir(parents=True)
        (self.root / ".s3store" / stranger).write_bytes(b"")
        status, out, _ = run("fsck", "--data-dir", str(self.root), "--repair", "--json")
        found, totals = map(json.loads, out.splitlines())
        self.assertEqual(
            (status, found["kind"], found["path"], found["removable"]), (1, "stranger", f".s3store/{stranger}", False)
        )
        self.assertEqual(totals, {"totals": {"found": 1, "removed": 0}})

    async def test_no_data_directory(self) -> None:
        self.assertEqual(run("fsck", "--data-dir", str(self.root / "nowhere"))[0], 2)
