"""The keyring: its file, who changes it at the same time, and rotation."""

from __future__ import annotations

import json
import stat
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from threading import Thread
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_s3.errors import S3Error
from twisted_s3.interfaces import IKeyService
from twisted_s3.keyring import Key, KeyFile, Keyring, KeysInMemory, keyring_path, read_keys
from twisted_s3.settings import Settings, SettingsError


def result(work: Coroutine[Any, Any, Any]) -> Any:
    """What a coroutine comes to that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waits")


class KeyringCase(SynchronousTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "made" / "keyring.json"
        self.file = KeyFile(self.path, lambda: 0.0)

    def refused(self, code: str, work: Coroutine[Any, Any, Any]) -> None:
        """It is refused with a code."""
        error = self.assertRaises(S3Error, result, work)
        self.assertEqual(error.code, code)


class SettledFile(KeyFile):
    """A keyring file that counts how often it is settled, which fails at first."""

    settled = -1

    def settle(self) -> None:
        super().settle()
        self.settled += 1
        if not self.settled:
            raise OSError("not now")


class DurabilityTests(KeyringCase):
    def test_settled_before_use(self) -> None:
        """A key encrypts nothing before it is on stable storage, whoever made it; that is seen to once for each."""
        self.file.add("one")
        file = SettledFile(self.path)
        ring = Keyring(file)
        self.refused("InternalError", ring.generate("one", b""))
        for _ in range(3):
            result(ring.generate("one", b""))
        self.assertEqual(file.settled, 1)
        self.file.add("one")
        result(ring.generate("one", b""))
        self.assertEqual(file.settled, 2)


class FileTests(KeyringCase):
    def test_made(self) -> None:
        """The file is for its owner's eyes, and its folder too; times are those of the clock."""
        self.assertEqual(self.file.load(), ())
        made = self.file.add("name")
        self.assertEqual(self.file.load(), [made])
        self.assertEqual((made.name, made.created, len(made.secret)), ("name", "1970-01-01T00:00:00.000Z", 32))
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(self.path.parent.stat().st_mode), 0o700)
        self.assertFalse(self.file.exposed())
        self.path.chmod(0o640)
        self.assertTrue(self.file.exposed())

    def test_once(self) -> None:
        """Of many who need a key at the same time one makes it."""
        threads = [Thread(target=KeyFile(self.path).add, args=("name", True)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(self.file.load()), 1)

    def test_all_kept(self) -> None:
        """No key is lost when several are added at the same time."""
        threads = [Thread(target=KeyFile(self.path).add, args=(f"key{n}",)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual({key.name for key in self.file.load()}, {f"key{n}" for n in range(8)})

    def test_malformed(self) -> None:
        """What is no keyring is refused, and not written over."""
        good = {"id": "1", "name": "n", "created": "", "key": "A" * 43 + "="}
        entries: list[Any] = [
            "no",
            {**good, "more": ""},
            {**good, "key": "AAAA"},
            {**good, "key": "!"},
            {**good, "key": 1},
            {**good, "name": "no name"},
        ]
        texts = ["", "{", "[]", '{"keys": {}}', '{"keys": [], "more": 1}', json.dumps({"keys": [good, good]})]
        texts += [json.dumps({"keys": [entry]}) for entry in entries]
        self.path.parent.mkdir()
        for text in texts:
            self.path.write_text(text)
            self.assertRaises(SettingsError, self.file.load)
            self.assertRaises(SettingsError, self.file.add, "new")
            self.assertEqual(self.path.read_text(), text)
        self.path.write_text(json.dumps({"keys": [good]}))
        self.assertEqual([key.id for key in read_keys(self.path)], ["1"])

    def test_names(self) -> None:
        """Names have no white space, and no colon, which ARNs have."""
        for name in ("", "a b", "a:b", "/a", "x" * 300):
            self.assertRaises(SettingsError, self.file.add, name)

    def test_no_secret_shown(self) -> None:
        self.assertNotIn("0123456789", repr(Key("id", "name", "", b"0123456789")))

    def test_place(self) -> None:
        """A keyring that was configured must be there."""
        settings = Settings(data_dir=self.path.parent)
        self.assertEqual(keyring_path(settings), self.path.parent / ".s3store" / "keyring.json")
        settings = Settings(keyring=self.path)
        self.assertRaises(SettingsError, keyring_path, settings)
        self.file.add("name")
        self.assertEqual(keyring_path(settings), self.path)


class ServiceTests(KeyringCase):
    def test_interface(self) -> None:
        verifyObject(IKeyService, Keyring(KeysInMemory()))

    def test_rotation(self) -> None:
        """What is new is encrypted with the last key; the old ones still open what they did, also after a restart."""
        keyring = Keyring(self.file)
        first = result(keyring.generate("sse-s3", b"context"))
        self.file.add("sse-s3")
        second = result(keyring.generate("sse-s3", b"context"))
        self.assertNotEqual(first.key_id, second.key_id)
        for service in (keyring, Keyring(KeyFile(self.path))):
            for made in (first, second):
                self.assertEqual(result(service.unwrap(made.key_id, made.wrapped, b"context")), made.plain)

    def test_two_servers(self) -> None:
        """A key that one server made opens in another, without a restart."""
        one, other = Keyring(self.file), Keyring(KeyFile(self.path))
        made = result(one.generate("sse-s3", b""))
        self.assertEqual(result(other.unwrap(made.key_id, made.wrapped, b"")), made.plain)
        self.assertEqual(result(other.generate("sse-s3", b"")).key_id, made.key_id)

    def test_refusals(self) -> None:
        """Unknown names and ids, other contexts, and a keyring that can not be read."""
        keyring = Keyring(self.file)
        self.refused("KMS.NotFoundException", keyring.generate("name", b""))
        self.assertFalse(self.path.exists())
        made = result(keyring.generate("aws/s3", b"context"))
        self.refused("KMS.NotFoundException", keyring.unwrap("unknown", made.wrapped, b"context"))
        self.refused("InternalError", keyring.unwrap(made.key_id, made.wrapped, b"other"))
        self.refused("InternalError", keyring.unwrap(made.key_id, made.wrapped[:-1], b"context"))
        self.path.write_text("{")
        self.refused("InternalError", keyring.generate("aws/s3", b""))
        self.assertEqual(result(keyring.unwrap(made.key_id, made.wrapped, b"context")), made.plain)
        self.assertEqual(self.path.read_text(), "{")
