"""An upload becomes one version, however often and wherever it is completed."""

from __future__ import annotations

import errno
import threading
from functools import partial
from typing import Any

from msgspec import structs
from twisted.trial.unittest import TestCase

from tests.storage.filesystem.disks import ObservedDisk
from tests.storage.filesystem.kit import FilesystemKit
from tests.storage.kit import BUCKET, pattern
from twisted_s3.model import ENABLED, ObjectVersion
from twisted_s3.protocol.walks import VersionWalk
from twisted_s3.storage.filesystem.disk import IDisk


class CompletedTwiceTests(FilesystemKit, TestCase):
    """Two at once copy the parts, and the first can not end the upload, as if it had crashed right before."""

    def wrap(self, disk: IDisk) -> IDisk:
        self.copying = threading.Barrier(2)
        self.ends = 0
        return ObservedDisk(disk, self.watch)  # type: ignore[return-value]

    def watch(self, name: str, args: tuple[Any, ...]) -> None:
        if name == "copy_range" and args[3] == 0:
            self.copying.wait(30)
        if name == "rename" and b"/uploads/" in args[0]:
            self.ends += 1
            if self.ends == 1:
                raise OSError(errno.EIO, "crashed")

    async def test_both_assemble(self) -> None:
        await self.store.change_bucket(BUCKET, partial(structs.replace, versioning=ENABLED))
        upload = await self.begin()
        parts = [await self.put_part(upload, number, pattern(1000, number)) for number in (2, 7)]
        first, second = await self.together([self.complete(upload, parts), self.complete(upload, parts)])
        assert isinstance(first, ObjectVersion)
        assert isinstance(second, ObjectVersion)
        self.assertEqual(first.version_id, second.version_id)

        def page(walk: VersionWalk) -> list[str]:
            return [listed.version.version_id for listed in walk.versions("big")]

        self.assertEqual(await self.store.list_versions(BUCKET, page), [first.version_id])
        self.assertEqual(await self.store.list_uploads(BUCKET), [])
