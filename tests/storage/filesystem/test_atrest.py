"""Every object has a checksum of its bytes as they lie on the disk, however it came there."""

from __future__ import annotations

import json
import os
import time
from functools import partial

from awscrt.checksums import crc64nvme
from msgspec import structs
from twisted.trial.unittest import TestCase

from tests.storage.filesystem.kit import FilesystemKit
from tests.storage.kit import BUCKET, pattern
from twisted_s3.model import ENABLED, ByteRange, ObjectVersion
from twisted_s3.protocol.payload import Payload

PART = 5 << 18


class AtRestTests(FilesystemKit, TestCase):
    async def assert_at_rest(self, key: str, body: bytes, version_id: str | None = None) -> ObjectVersion:
        """The object is these bytes, and what is recorded of them is true."""
        version = await self.store.head_object(BUCKET, key, version_id)
        self.assertEqual((version.size, version.at_rest), (len(body), f"{crc64nvme(body):016x}"))
        return version

    async def test_put(self) -> None:
        for size in (0, 1, 700_000):
            await self.put("x", pattern(size), payload=Payload(["CRC32"]))
            version = await self.assert_at_rest("x", pattern(size))
            # It is no client's business.
            self.assertEqual(set(version.checksums), {"CRC32"})

    async def test_multipart_in_a_grid(self) -> None:
        upload = await self.begin()
        bodies = [pattern(PART, 1), pattern(PART, 2), pattern(7, 3)]
        parts = [await self.put_part(upload, n, body, Payload(["SHA256"])) for n, body in enumerate(bodies, 1)]
        version = await self.complete(upload, parts)
        self.assertEqual(version.checksum_type, "COMPOSITE")
        await self.assert_at_rest("big", b"".join(bodies))

    async def test_multipart_that_is_assembled(self) -> None:
        upload = await self.begin()
        bodies = {2: pattern(10, 1), 5: pattern(PART, 2), 9: pattern(7, 3)}
        parts = [await self.put_part(upload, n, body) for n, body in bodies.items()]
        # A part that is sent again lies apart.
        parts[1] = await self.put_part(upload, 5, pattern(PART, 4))
        await self.complete(upload, parts)
        await self.assert_at_rest("big", bodies[2] + pattern(PART, 4) + bodies[9])

    async def test_copy(self) -> None:
        await self.put("x", pattern(700_000))
        opened = await self.store.open_object(BUCKET, "x")
        self.addCleanup(opened.close)
        upload = await self.begin()
        staged = await self.store.stage_part(BUCKET, "big", upload.id, 1, 600_000, Payload(["SHA1"]))
        await staged.copy_from(opened, ByteRange(100_000, 700_000))
        await self.complete(upload, [await staged.commit()])
        await self.assert_at_rest("big", pattern(700_000)[100_000:])

    async def test_put_by_hand(self) -> None:
        self.path("x").write_bytes(b"by hand")
        os.utime(self.path("x"), (time.time() - 1000,) * 2)
        await self.assert_at_rest("x", b"by hand")
        self.assertIn("f", json.loads(os.getxattr(self.path("x"), "user.s3store")))
        self.path("x").write_bytes(b"edited")
        await self.assert_at_rest("x", b"edited")

    async def test_what_keeps_the_bytes_keeps_it(self) -> None:
        await self.put("x", pattern(100))
        await self.store.change_object(BUCKET, "x", lambda version: structs.replace(version, owner="other"))
        await self.store.rename_object(BUCKET, "x", "a/y")
        await self.assert_at_rest("a/y", pattern(100))
        await self.store.change_bucket(BUCKET, partial(structs.replace, versioning=ENABLED))
        await self.store.rename_object(BUCKET, "a/y", "z")
        version = await self.assert_at_rest("z", pattern(100))
        await self.put("z", pattern(200))
        await self.assert_at_rest("z", pattern(100), version.version_id)
