"""What the tests of the filesystem store share."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.task import deferLater

from tests.storage.kit import BUCKET, StoreKit
from twisted_s3.storage.filesystem.disk import IDisk
from twisted_s3.storage.filesystem.store import FilesystemStore


class FilesystemKit(StoreKit):
    """A test case with a filesystem store on the real disk, below `root`."""

    store: FilesystemStore
    durable = False

    def make_store(self) -> FilesystemStore:
        self.root = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        return self.another_store()

    def another_store(self) -> FilesystemStore:
        """A store over the same directory."""
        return FilesystemStore(self.root, reactor, durable=self.durable, threads=4, wrap=self.wrap)

    def wrap(self, disk: IDisk) -> IDisk:
        """Puts something around the disk."""
        return disk

    async def idle(self) -> None:
        """Wait until the store has done also what nobody waits for."""
        while self.store._pool._under_way:
            await deferLater(reactor, 0)

    def path(self, key: str) -> Path:
        """The file of a key."""
        return self.root / BUCKET / key

    def files(self, below: str) -> Sequence[str]:
        """All files and empty directories below a directory, by path."""
        return sorted(
            os.path.relpath(os.path.join(folder, name), self.root / below)
            for folder, folders, names in os.walk(self.root / below)
            for name in (*names, *(name for name in folders if not os.listdir(os.path.join(folder, name))))
        )
