"""``s3store user``: what it does to the file, and that servers follow."""

from __future__ import annotations

import json
import stat
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_s3.commands.main import main
from twisted_s3.credentials import UserReload, Users, UserSources, canonical_id
from twisted_s3.model import User
from twisted_s3.settings import SettingsError
from twisted_s3.users import UserFile


class UsersCase(SynchronousTestCase):
    """A file that is not there yet."""

    def setUp(self) -> None:
        """Make room for it."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name, "folder", "users.json")
        self.file = UserFile(self.path, lambda: 1_000_000_000.0)

    def loaded(self) -> list[User]:
        """What a server makes of the file."""
        return list(UserSources(None, self.path, self.path.parent, {}).configured())


class Files(UsersCase):
    """What the commands do."""

    def test_add(self) -> None:
        """A user has what was said, and a new pair; nobody else can read the file."""
        key, secret = self.file.add({"name": "root"})
        self.file.add({"name": "reader", "email": "r@example.com", "policy": "readonly:photos"}, "READER")
        root, reader = self.loaded()
        self.assertEqual((root.access_key, root.secret_key, root.name), (key, secret, "root"))
        self.assertEqual((reader.access_key, reader.name, reader.email), ("READER", "reader", "r@example.com"))
        self.assertIn(b"photos", reader.policy or b"")
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)
        self.assertEqual([one.name for one in self.path.parent.iterdir() if one.suffix == ".json"], ["users.json"])

    def test_refused(self) -> None:
        """What breaks a rule leaves the file as it was, and nothing beside it."""
        self.file.add({"name": "root"}, "ROOT")
        before = self.path.read_bytes()
        for fields, key in (({"policy": "nothing"}, "NEW"), ({}, "ROOT"), ({}, "a,b"), ({"name": "\n"}, "NEW")):
            self.assertRaises(SettingsError, self.file.add, fields, key)
        self.assertRaises(SettingsError, self.file.remove, "NOBODY")
        self.assertRaises(SettingsError, self.file.rotate, "NOBODY")
        self.assertEqual(self.path.read_bytes(), before)
        self.assertEqual({one.name for one in self.path.parent.iterdir()}, {"users.json", ".users.json.lock"})
        self.path.write_text("{}")
        self.assertRaises(SettingsError, self.file.add, {}, "NEW")
        self.assertEqual(self.path.read_text(), "{}")

    def test_rotate(self) -> None:
        """The user stays the same; the old key ends; then it goes, and the user with the last one."""
        self.path.parent.mkdir()
        self.path.write_text('{"credentials": [{"accessKey": "OLDKEY", "secretKey": "old-secret", "email": "e@x"}]}')
        (before,) = self.loaded()
        key, secret = self.file.rotate("OLDKEY", 60.0)
        new, old = self.loaded()
        self.assertEqual((new.access_key, new.secret_key, new.expires), (key, secret, None))
        self.assertEqual((old.access_key, old.secret_key, old.expires), ("OLDKEY", "old-secret", 1_000_000_060.0))
        for user in (new, old):
            self.assertEqual(user.canonical_id, before.canonical_id)
            self.assertEqual((user.name, user.display_name, user.email), ("OLDKEY", "OLDKEY", "e@x"))
        self.assertIs(self.file.remove("OLDKEY"), False)
        third, _ = self.file.rotate(key, 0.0)
        (only,) = self.loaded()
        self.assertEqual((only.access_key, only.canonical_id), (third, canonical_id("OLDKEY")))
        self.assertIs(self.file.remove(third), True)
        self.assertEqual(json.loads(self.path.read_bytes()), {"credentials": []})

    def test_at_once(self) -> None:
        """Of commands at once none is lost."""
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: UserFile(self.path).add({"name": f"n{number}"}), range(16)))
        self.assertEqual({user.name for user in self.loaded()}, {f"n{number}" for number in range(16)})

    def test_followed(self) -> None:
        """A server sees that the file has changed, once, and loads it."""
        self.file.add({"name": "root"})
        known = Users()
        reload = UserReload(UserSources(None, self.path, self.path.parent, {}), known)
        self.assertIs(reload.changed(), False)
        self.file.add({"name": "second"}, "SECOND")
        self.assertEqual([reload.changed(), reload.changed()], [True, False])
        reload.reload()
        self.assertIsNotNone(known.get_owner(canonical_id("SECOND")))
        self.path.unlink()
        self.assertIs(reload.changed(), True)


class CommandLine(UsersCase):
    """What a person types and sees."""

    def run_command(self, *words: str, environ: Any = None) -> tuple[int, str, str]:
        """Exit status, output and errors."""
        out, errors = StringIO(), StringIO()
        with redirect_stdout(out), redirect_stderr(errors):
            status = main(["user", *words], environ or {})
        return status, out.getvalue(), errors.getvalue()

    def test_commands(self) -> None:
        """Add, list, rotate, remove; secrets are shown once, when they are made."""
        file = ("--credentials", str(self.path))
        status, out, _ = self.run_command(*file, "add", "root", "--access-key", "ROOTKEY")
        secret = out.split()[-1]
        self.assertEqual((status, out), (0, f"Access key: ROOTKEY\nSecret key: {secret}\n"))
        self.run_command(*file, "add", "reader", "--policy", "readonly", "--email", "r@x", "--access-key", "READKEY")
        status, out, _ = self.run_command(*file, "rotate", "READKEY", "--grace", "3600")
        new = out.split()[2]
        status, listed, _ = self.run_command(*file, "list")
        self.assertNotIn(secret, listed)
        lines = listed.splitlines()
        self.assertEqual(lines[:2], [f"root {canonical_id('ROOTKEY')} first", "    ROOTKEY"])
        self.assertEqual(lines[2:4], [f"reader {canonical_id('READKEY')} r@x policy", f"    {new}"])
        self.assertRegex(lines[4], r"^    READKEY until 20\d\d-\d\d-\d\dT")
        _, out, _ = self.run_command(*file, "remove", "READKEY")
        self.assertEqual(out, "The key is gone; its user has others.\n")
        _, out, _ = self.run_command(*file, "remove", new)
        self.assertEqual(out, "The user is gone.\n")
        status, out, errors = self.run_command(*file, "remove", new)
        self.assertEqual((status, out), (1, ""))
        self.assertIn("nobody has the access key", errors)

    def test_which_file(self) -> None:
        """The variables of the server name it, too."""
        self.run_command("add", "root", environ={"S3STORE_CREDENTIALS": str(self.path)})
        self.assertEqual([user.name for user in self.loaded()], ["root"])
        folder = self.path.parent / "data"
        self.run_command("--data-dir", str(folder), "add", "root", environ={"S3STORE_CREDENTIALS": str(self.path)})
        self.assertTrue((folder / ".s3store" / "credentials.json").exists())
        self.assertEqual(len(self.loaded()), 1)
