"""``s3store keyring``: what a person types and sees."""

from __future__ import annotations

import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.commands.test_scrub import run
from twisted_s3.keyring import read_keys


class KeyringCommandTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)

    def run_command(self, *words: str) -> tuple[int, str, str]:
        """A command about the keyring of a data directory."""
        return run("keyring", "--data-dir", str(self.root), *words)

    def test_keys(self) -> None:
        """Keys are added and rotated; no secret is shown."""
        self.assertEqual(self.run_command("list"), (0, "", ""))
        self.assertEqual(self.run_command("rotate")[0], 0)
        self.assertEqual(self.run_command("add", "invoices")[0], 0)
        self.assertEqual(self.run_command("rotate", "invoices")[0], 0)
        keys = read_keys(self.root / ".s3store/keyring.json")
        self.assertEqual([key.name for key in keys], ["sse-s3", "invoices", "invoices"])
        _, out, _ = self.run_command("list")
        shown = [line.split() for line in out.splitlines()]
        self.assertEqual([line[:2] for line in shown], [[key.name, key.id] for key in keys])
        self.assertEqual([line[3:] for line in shown], [["current"], [], ["current"]])
        self.assertEqual(len({len(line[1]) for line in shown}), 1)

    def test_refusals(self) -> None:
        """A name that is there is not added, one that is not there not rotated; neither changes anything."""
        self.run_command("add", "invoices")
        before = (self.root / ".s3store/keyring.json").read_bytes()
        for words in (("add", "invoices"), ("rotate", "missing"), ("add", "no name")):
            status, out, errors = self.run_command(*words)
            self.assertEqual((status, out), (1, ""))
            self.assertIn("s3store: keyring: ", errors)
        self.assertEqual((self.root / ".s3store/keyring.json").read_bytes(), before)

    def test_other_file(self) -> None:
        """The file may be anywhere."""
        path = self.root / "elsewhere.json"
        self.assertEqual(run("keyring", "--keyring", str(path), "add", "invoices")[0], 0)
        self.assertEqual([key.name for key in read_keys(path)], ["invoices"])
