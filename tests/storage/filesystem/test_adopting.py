"""Copies of whole objects whose digests are on record: the file is copied, and nobody reads it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from hashlib import md5
from typing import Any

from awscrt.checksums import crc64nvme
from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from tests.storage.filesystem.disks import ObservedDisk
from tests.storage.filesystem.kit import FilesystemKit
from tests.storage.kit import BUCKET, OTHER, OWNER, pattern
from twisted_s3.errors import S3Error
from twisted_s3.interfaces import IPayload
from twisted_s3.model import SSE_S3, ByteRange, Encryption, ObjectVersion, Properties
from twisted_s3.protocol.encryption.sealing import KEY_BYTES, SealedPayload
from twisted_s3.protocol.payload import Expectations, Payload
from twisted_s3.storage.filesystem import staging
from twisted_s3.storage.filesystem.disk import Access, IDisk
from twisted_s3.storage.filesystem.realdisk import RealDisk
from twisted_s3.storage.filesystem.store import FilesystemStore

SIZE = 700_000
BODY = pattern(SIZE)


class AdoptingTests(FilesystemKit, TestCase):
    """What is read of the source of a copy."""

    def wrap(self, disk: IDisk) -> IDisk:
        self.calls: list[str] = []
        self.then: Callable[[], object] | None = None
        return ObservedDisk(disk, self.watch)  # type: ignore[return-value]

    def watch(self, name: str, args: tuple[Any, ...]) -> None:
        self.calls.append(name)
        if name == "copy_range" and self.then is not None:
            self.then()

    async def copy(self, payload: IPayload | None = None, source: str = "x", span: ByteRange | None = None) -> bool:
        """Copy an object to ``y`` in the other bucket. Gives whether bytes were read."""
        opened = await self.store.open_object(BUCKET, source)
        staged = await self.store.stage(OTHER, payload or Payload())
        self.calls.clear()
        try:
            await staged.copy_from(opened, span or ByteRange(0, opened.version.size))
            read = bool({"read", "read_cached"} & set(self.calls))
            await staged.commit("y", Properties(), owner=OWNER)
        finally:
            opened.close()
            await staged.discard()
        return read

    async def assert_copied(self, body: bytes = BODY) -> ObjectVersion:
        """The copy is these bytes, and what is recorded of them is true."""
        version = await self.store.head_object(OTHER, "y")
        self.assertEqual((self.root / OTHER / "y").read_bytes(), body)
        self.assertEqual((version.size, version.at_rest), (len(body), f"{crc64nvme(body):016x}"))
        self.assertEqual(version.etag, md5(body).hexdigest())
        return version

    async def test_known(self) -> None:
        await self.put("x", BODY, payload=Payload(["CRC64NVME", "SHA256"]))
        known = await self.store.head_object(BUCKET, "x")
        self.assertFalse(await self.copy())
        version = await self.assert_copied()
        self.assertEqual(version.checksums, {"CRC64NVME": known.checksums["CRC64NVME"]})
        self.assertFalse(await self.copy(Payload(known.checksums)))
        self.assertEqual((await self.assert_copied()).checksums, known.checksums)

    async def test_part(self) -> None:
        """A whole object that becomes a part."""
        await self.put("x", BODY)
        opened = await self.store.open_object(BUCKET, "x")
        self.addCleanup(opened.close)
        upload = await self.begin()
        staged = await self.store.stage_part(BUCKET, "big", upload.id, 3, SIZE, Payload())
        self.calls.clear()
        await staged.copy_from(opened, ByteRange(0, SIZE))
        self.assertNotIn("read", self.calls)
        part = await staged.commit()
        self.assertEqual((part.size, part.etag), (SIZE, md5(BODY).hexdigest()))
        await self.complete(upload, [part])
        self.assertEqual(self.path("big").read_bytes(), BODY)
        # One that is too long for what was declared.
        other = await self.begin()
        short = await self.store.stage_part(BUCKET, "big", other.id, 1, SIZE - 1, Payload())
        await self.refused("IncompleteBody", short.copy_from(opened, ByteRange(0, SIZE)))

    async def test_what_has_to_be_read(self) -> None:
        """Parts of objects, small ones, other checksums, what the client expects, and what is encrypted."""
        await self.put("x", BODY)
        await self.put("small", b"small")
        sealed = SealedPayload(Payload(), os.urandom(KEY_BYTES), Encryption(SSE_S3, b"wrapped"))
        for payload, source, span in (
            (None, "small", None),
            (None, "x", ByteRange(0, SIZE - 1)),
            (Payload(["SHA1"]), "x", None),
            (Payload(expected=Expectations(size=SIZE)), "x", None),
            (sealed, "x", None),
        ):
            self.assertTrue(await self.copy(payload, source, span), (payload, source, span))

    async def test_objects_made_of_parts(self) -> None:
        """Their ETag is none of the bytes."""
        upload = await self.begin()
        parts = [await self.put_part(upload, 1, BODY)]
        await self.complete(upload, parts)
        self.assertTrue(await self.copy(source="big"))
        await self.assert_copied()

    async def test_verified_reads(self) -> None:
        """A store that holds what it reads against its checksums reads."""
        await self.put("x", BODY)
        store = FilesystemStore(self.root, reactor, durable=False, threads=2, wrap=self.wrap, verify_reads=True)
        await store.start()
        self.addCleanup(store.stop)
        self.store = store
        self.assertTrue(await self.copy())
        await self.assert_copied()

    async def test_changed_meanwhile(self) -> None:
        """A file that a hand changes while it is copied: the copy is what was read afterwards."""
        await self.put("x", BODY)
        other = pattern(SIZE, 1)

        def change() -> None:
            with self.path("x").open("r+b") as file:
                file.write(other)

        self.then = change
        self.assertTrue(await self.copy())
        self.assertEqual(self.calls.count("copy_range"), 1)
        await self.assert_copied(other)

    async def test_in_steps(self) -> None:
        """Others have their turn in the pool in the middle of a large copy."""
        self.patch(staging, "COPY_BYTES", 1 << 18)
        await self.put("x", BODY)
        self.assertFalse(await self.copy())
        self.assertEqual(self.calls.count("copy_range"), 3)
        await self.assert_copied()

    async def test_record_that_rots(self) -> None:
        """A record that is not as it was written is not handed on: the bytes are read."""
        for rotten in (md5(BODY).hexdigest().encode(), b"CRC64NVME"):
            await self.put("x", BODY)
            record = os.getxattr(self.path("x"), "user.s3store")
            at = record.index(rotten)
            record = record[:at] + (b"0" if record[at : at + 1] != b"0" else b"1") + record[at + 1 :]
            os.setxattr(self.path("x"), "user.s3store", record)
            self.assertTrue(await self.copy())
            version = await self.assert_copied()
            self.assertEqual(version.checksums.keys(), {"CRC64NVME"})

    async def test_written_back(self) -> None:
        """A large copy is on its way to the disk before it is synced."""
        begun = []
        disk = RealDisk(self.root / "other")
        self.addCleanup(disk.shut)
        disk._start_writeback = lambda *window: begun.append(window[1:])
        source, target = (disk.open(name, Access.NEW) for name in (b"a", b"b"))
        disk.truncate(source, 20 << 20)
        disk.copy_range(source, 0, target, 0, 20 << 20)
        self.assertEqual(begun, [(0, 8 << 20), (8 << 20, 8 << 20)])
        self.assertEqual(disk.fstat(target).size, 20 << 20)
        disk.close(source)
        disk.close(target)

    async def test_damaged(self) -> None:
        """The copy of a damaged object is damaged, which it shows, rather than a sound one of other bytes."""
        await self.put("x", BODY)
        stat = self.path("x").stat()
        with self.path("x").open("r+b") as file:
            file.seek(1000)
            file.write(bytes([BODY[1000] ^ 1]))
        os.utime(self.path("x"), ns=(stat.st_atime_ns, stat.st_mtime_ns))
        self.assertFalse(await self.copy())
        known, copied = await self.store.head_object(BUCKET, "x"), await self.store.head_object(OTHER, "y")
        self.assertEqual((copied.etag, copied.at_rest), (known.etag, f"{crc64nvme(BODY):016x}"))
        self.assertNotEqual((self.root / OTHER / "y").read_bytes(), BODY)

    async def test_disk_fails(self) -> None:
        """Nothing is left of a copy that the disk refuses, nor in the way of what was there."""
        await self.put("x", BODY)
        await self.put("y", b"before", bucket=OTHER)

        def fail() -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        self.then = fail
        with self.assertRaises(S3Error):
            await self.copy()
        self.assertEqual((self.root / OTHER / "y").read_bytes(), b"before")
        self.assertEqual(self.files(".s3store/staging"), [])

    async def test_closed(self) -> None:
        """An object that was closed lends nothing."""
        await self.put("x", BODY)
        opened = await self.store.open_object(BUCKET, "x")
        opened.close()
        staged = await self.store.stage(OTHER, Payload())
        with self.assertRaises(S3Error):
            await staged.copy_from(opened, ByteRange(0, SIZE))
        await staged.discard()
