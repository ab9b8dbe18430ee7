"""Encrypted files on the disk: what happens to them by hand, and what that is taken for."""

from __future__ import annotations

import os
import shutil

from twisted.trial.unittest import TestCase

from tests.storage.encryption_contract import DATA_KEY, ENCRYPTION, sealed
from tests.storage.filesystem.test_scrub import ScrubKit, flip
from tests.storage.kit import BUCKET, OWNER, md5, pattern
from twisted_s3.model import SEALED_MAGIC, Encryption, ObjectVersion, Properties
from twisted_s3.protocol.encryption.frames import stored_size
from twisted_s3.protocol.encryption.sealing import Decipher

BODY = pattern(200_000)


class EncryptedFiles(ScrubKit, TestCase):
    """An encrypted file is never taken for a plain one, and a plain one not for an encrypted one."""

    async def decrypted(self, key: str = "k") -> bytes:
        """The bytes of an object, whole."""
        opened = await self.store.open_object(BUCKET, key)
        try:
            opened.unlock(Decipher(DATA_KEY, opened.version))
            return bytes(await opened.read(0, opened.version.size))
        finally:
            opened.close()

    async def stored(self, properties: Properties | None = None) -> ObjectVersion:
        """An encrypted object, whose file has its size."""
        version = await self.put("k", BODY, payload=sealed(), properties=properties)
        self.assertEqual(self.path("k").stat().st_size, stored_size(len(BODY)))
        self.assertTrue(self.path("k").read_bytes().startswith(SEALED_MAGIC))
        return version

    async def broken(self) -> None:
        """The object is still listed as it was, and can not be read."""
        version = await self.store.head_object(BUCKET, "k")
        self.assertEqual((version.size, version.encryption), (len(BODY), ENCRYPTION))
        with self.assertRaises(OSError):
            await self.decrypted()

    async def test_touched(self) -> None:
        """Another time of change changes nothing."""
        before = await self.stored()
        os.utime(self.path("k"), (1, 1))
        version = await self.store.head_object(BUCKET, "k")
        self.assertEqual((version.etag, version.last_modified), (before.etag, 1.0))
        self.assertEqual(await self.decrypted(), BODY)

    async def test_changed(self) -> None:
        """A byte that was changed, whether the time tells or not, in any region of the file."""
        await self.stored()
        raw, before = self.path("k").read_bytes(), self.path("k").stat()
        for at in (0, 10, 24, 70_000, len(raw) - 1):
            self.path("k").write_bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
            await self.broken()
            os.utime(self.path("k"), ns=(before.st_mtime_ns, before.st_mtime_ns))
            await self.broken()
        self.path("k").write_bytes(raw)
        self.assertEqual(await self.decrypted(), BODY)

    async def test_cut(self) -> None:
        """A file that was cut off, and one that was lengthened, of which all is still there."""
        for properties in (None, Properties(user={"long": "x" * 6000})):
            await self.stored(properties)
            raw = self.path("k").read_bytes()
            self.path("k").write_bytes(raw[:100_000])
            await self.broken()
            self.path("k").write_bytes(raw + b"more")
            self.assertEqual(await self.decrypted(), BODY)

    async def test_replaced(self) -> None:
        """A plain file that somebody writes in its place is an object at once."""
        await self.stored()
        self.path("k").write_bytes(b"by hand")
        version = await self.store.head_object(BUCKET, "k")
        self.assertEqual((version.size, version.etag, version.encryption), (7, md5(b"by hand"), None))
        self.assertEqual(await self.get("k"), b"by hand")

    async def test_copied(self) -> None:
        """A copy with its attributes can be read; one without says so, and is not taken for plain bytes."""
        await self.stored()
        shutil.copy2(self.path("k"), self.path("with"))
        self.assertEqual(await self.decrypted("with"), BODY)
        shutil.copyfile(self.path("k"), self.path("without"))
        for age in (0, 1000):
            os.utime(self.path("without"), (age, age))
            version = await self.store.head_object(BUCKET, "without")
            self.assertEqual(version.encryption, Encryption(""))
            with self.assertRaises(OSError):
                await self.get("without")

    async def test_overwritten(self) -> None:
        """A plain object in its place is plain."""
        await self.stored()
        await self.put("k", b"plain")
        self.assertEqual(await self.get("k"), b"plain")
        self.assertIsNone((await self.store.head_object(BUCKET, "k")).encryption)

    async def test_restart(self) -> None:
        """Another store over the directory finds all of it."""
        before = await self.stored(Properties(user={"long": "x" * 6000}))
        other = self.another_store()
        await other.start()
        self.addCleanup(other.stop)
        self.assertEqual(await other.head_object(BUCKET, "k"), before)

    async def test_verified_reads(self) -> None:
        """A store that verifies what is read takes the tags for it."""
        await self.stored()
        self.store._verify_reads = True
        self.assertEqual(await self.decrypted(), BODY)

    async def test_scrub(self) -> None:
        """Scrubbing needs no keys: it looks at the bytes as they are stored, of parts, too."""
        await self.stored()
        upload = await self.store.create_upload(BUCKET, "big", Properties(), OWNER, encryption=ENCRYPTION)
        for number in (1, 2):
            size = stored_size(100_000)
            staged = await self.store.stage_part(BUCKET, "big", upload.id, number, size, sealed(number))
            await staged.write(pattern(100_000, number))
            await staged.commit()
        self.assertEqual(self.findings(), [])
        await self.complete(upload, await self.parts(upload))
        self.assertEqual(await self.decrypted("big"), pattern(100_000, 1) + pattern(100_000, 2))
        self.assertEqual(self.findings(), [])
        flip(self.path("k"), 150_000)
        flip(self.path("big"), 150_000)
        self.assertEqual(self.findings(), [("object", "big", "bytes"), ("object", "k", "bytes")])

    async def test_scrub_of_what_was_touched(self) -> None:
        """Nobody edits what he can not read: whatever the times say, other bytes are damage."""
        for properties in (None, Properties(user={"long": "x" * 6000})):
            await self.stored(properties)
            raw = self.path("k").read_bytes()
            os.utime(self.path("k"), (1, 1))
            self.assertEqual(self.findings(), [])
            for damaged, problem in (
                (raw[:100_000], "size"),
                (raw + b"more", "size"),
                (raw[:-1] + bytes([raw[-1] ^ 1]), "bytes"),
                (raw[:20] + bytes([raw[20] ^ 1]) + raw[21:], "bytes"),
            ):
                self.path("k").write_bytes(damaged)
                os.utime(self.path("k"), (1, 1))
                self.assertEqual(self.findings(), [("object", "k", problem)])
                self.assertEqual(self.findings(deep=False), [("object", "k", "size")] if problem == "size" else [])
            self.path("k").write_bytes(raw)
            self.assertEqual(self.findings(), [])

    async def test_scrub_of_what_was_replaced(self) -> None:
        """A plain file in its place is an object of its own."""
        await self.stored()
        self.path("k").write_bytes(b"by hand")
        self.assertEqual(self.findings(), [])
