"""Listing uploads does not read the same records again and again, and never shows what is gone."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import TestCase

from tests.storage.filesystem.disks import ObservedDisk
from tests.storage.filesystem.kit import FilesystemKit
from tests.storage.kit import BUCKET
from twisted_s3.storage.filesystem.disk import IDisk


class ListingTests(FilesystemKit, TestCase):
    opened = 0

    def wrap(self, disk: IDisk) -> IDisk:
        return ObservedDisk(disk, self.watch)  # type: ignore[return-value]

    def watch(self, name: str, args: tuple[Any, ...]) -> None:
        self.opened += name == "open" and args[0].endswith(b"upload.json")

    async def test_records_are_read_once(self) -> None:
        uploads = [await self.begin(f"key-{number:02}") for number in range(20)]
        self.opened = 0
        for _ in range(3):
            self.assertEqual(await self.store.list_uploads(BUCKET), uploads)
        self.assertEqual(self.opened, 20)
        other = self.another_store()
        await other.start()
        self.addCleanup(other.stop)
        await other.abort_upload(BUCKET, uploads[0].key, uploads[0].id)
        self.assertEqual(await self.store.list_uploads(BUCKET), uploads[1:])
