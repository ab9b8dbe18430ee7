"""The contract, run against the filesystem store, on a disk that can everything and on one that can little."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Sequence

from twisted.internet import reactor
from twisted.python.components import proxyForInterface
from twisted.trial.unittest import TestCase

from tests.storage.contract import StoreContract
from twisted_s3.storage.filesystem.beneath import open_by_names
from twisted_s3.storage.filesystem.disk import Descriptor, IDisk, UnsyncedDisk
from twisted_s3.storage.filesystem.realdisk import RealDisk
from twisted_s3.storage.filesystem.store import FilesystemStore


class FilesystemStoreContractTests(StoreContract, TestCase):
    """The contract, without syncing: what a power failure leaves is tested elsewhere."""

    def make_store(self) -> FilesystemStore:
        root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, root)
        self.addCleanup(self._assert_nothing_left, root)
        return FilesystemStore(root, reactor, durable=False, threads=4, wrap=lambda disk: self.wrap(root, disk))

    def wrap(self, root: str, disk: IDisk) -> IDisk:
        """The disk of a store."""
        return disk

    def _assert_nothing_left(self, root: str) -> None:
        """Nothing is staged, and nothing is open, when a store has stopped."""
        self.assertEqual(os.listdir(os.path.join(root, ".s3store", "staging")), [])
        left = [link for link in map(_opened, os.listdir("/proc/self/fd")) if link.startswith(root)]
        self.assertEqual(left, [])


class PlainFilesystemContractTests(FilesystemStoreContractTests):
    """A system without ``openat2``, on a filesystem without unnamed files and extended attributes."""

    def wrap(self, root: str, disk: IDisk) -> IDisk:
        """Another disk instead."""
        disk.shut()
        return DiskWithoutAttributes(UnsyncedDisk(RealDisk(root, unnamed=False, opener=open_by_names)))


class DiskWithoutAttributes(proxyForInterface(IDisk, "disk")):  # type: ignore[misc]
    """A disk that knows no extended attributes."""

    def getxattr(self, descriptor: Descriptor, name: str) -> bytes | None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    def setxattr(self, descriptor: Descriptor, name: str, value: bytes) -> None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    def look(self, directory: bytes, names: Sequence[bytes], attribute: str) -> Sequence[None]:
        return [None] * len(names)


def _opened(descriptor: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except FileNotFoundError:
        return ""
