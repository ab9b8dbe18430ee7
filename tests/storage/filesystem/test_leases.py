"""Leases: one at a time has one, and whatever fails, no descriptor stays open."""

from __future__ import annotations

import errno
import os
from typing import Any

from twisted.trial.unittest import TestCase

from tests.storage.filesystem.disks import ObservedDisk
from tests.storage.filesystem.kit import FilesystemKit
from twisted_s3.errors import S3Error
from twisted_s3.storage.filesystem.disk import IDisk


class LeaseTests(FilesystemKit, TestCase):
    """By the name of a job."""

    failing = False

    def wrap(self, disk: IDisk) -> IDisk:
        """Locks fail when they are told to."""
        observed: IDisk = ObservedDisk(disk, self.watch)
        return observed

    def watch(self, name: str, args: tuple[Any, ...]) -> None:
        """Fail a lock."""
        if name == "lock" and self.failing:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    def leases(self) -> int:
        """How many descriptors of the lease are open."""
        found = 0
        for name in os.listdir("/proc/self/fd"):
            try:
                found += os.readlink(f"/proc/self/fd/{name}") == str(self.root / ".s3store/locks/lease-job")
            except FileNotFoundError:
                continue
        return found

    async def test_one_at_a_time(self) -> None:
        """Whoever comes second gets none until it is given back."""
        release = await self.store.take_lease("job")
        assert release is not None
        self.assertIsNone(await self.store.take_lease("job"))
        self.assertEqual(self.leases(), 1)
        release()
        again = await self.store.take_lease("job")
        assert again is not None
        again()
        self.assertEqual(self.leases(), 0)

    async def test_no_lock(self) -> None:
        """Where the lock can not be taken nothing stays open: the job tries for as long as the process lives."""
        self.failing = True
        with self.assertRaises(S3Error):
            await self.store.take_lease("job")
        self.assertEqual(self.leases(), 0)
