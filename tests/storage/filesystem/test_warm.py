"""The bytes of a file that was put by hand are not read while its key is locked."""

from __future__ import annotations

import os
import time
from functools import partial

from msgspec import structs
from twisted.trial.unittest import TestCase

from tests.storage.filesystem.disks import ObservedDisk, Script
from tests.storage.filesystem.kit import FilesystemKit
from tests.storage.kit import BUCKET, pattern
from twisted_s3.model import ENABLED, ObjectVersion
from twisted_s3.storage.filesystem.disk import IDisk

SIZE = 100_000


class WarmTests(FilesystemKit, TestCase):
    def wrap(self, disk: IDisk) -> IDisk:
        self.script = Script()
        return ObservedDisk(disk, self.script)  # type: ignore[return-value]

    async def setUp(self) -> None:
        await super().setUp()
        await self.store.change_bucket(BUCKET, partial(structs.replace, versioning=ENABLED))
        self.path("x").write_bytes(pattern(SIZE))
        os.utime(self.path("x"), (time.time() - 1000,) * 2)
        self.script.reset()

    def assert_warmed(self) -> None:
        """They were read, before the bucket was locked for the change."""
        calls = [
            "lock" if name == "open" and b"locks/bucket" in args[0] else "bytes"
            for name, args in self.script.calls
            if (name == "open" and b"locks/bucket" in args[0]) or (name == "read" and args[2] == SIZE)
        ]
        self.assertEqual(calls, ["bytes", "lock"])

    async def test_change(self) -> None:
        def change(version: ObjectVersion) -> ObjectVersion:
            return structs.replace(version, properties=structs.replace(version.properties, tags={"a": "b"}))

        await self.store.change_object(BUCKET, "x", change)
        self.assert_warmed()
        self.assertEqual((await self.store.head_object(BUCKET, "x")).properties.tags, {"a": "b"})

    async def test_delete_a_version(self) -> None:
        await self.store.delete_object(BUCKET, "x", version_id="null")
        self.assert_warmed()
        self.assertFalse(self.path("x").exists())
