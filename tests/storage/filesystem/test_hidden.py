"""A locked version in the overflow, which a file put by hand hides, outlives all that is done to the key."""

from __future__ import annotations

import errno
from pathlib import Path
from unittest.mock import patch

from msgspec import structs
from twisted.trial.unittest import TestCase

from tests.storage.filesystem.kit import FilesystemKit
from tests.storage.kit import BUCKET, OWNER
from twisted_s3.interfaces import VersionWalk
from twisted_s3.model import ENABLED, ObjectLock, ObjectVersion, Properties
from twisted_s3.protocol.objectlock import deletion_guard
from twisted_s3.protocol.payload import Payload
from twisted_s3.storage.filesystem.sync import DirectorySync

LOCK = ObjectLock("GOVERNANCE", 4e9)


class HiddenTests(FilesystemKit, TestCase):
    """A bucket with versions, with an object of which no path can be: a directory was in its place."""

    async def setUp(self) -> None:
        await super().setUp()
        await self.store.change_bucket(BUCKET, lambda bucket: structs.replace(bucket, versioning=ENABLED))
        await self.put("k/x", b"in the way")
        staged = await self.store.stage(BUCKET, Payload())
        await staged.write(b"locked")
        self.locked = await staged.commit("k", Properties(user={"a": "b"}), owner=OWNER, lock=LOCK)
        self.path("k/x").unlink()
        self.path("k").rmdir()
        self.path("k").write_bytes(b"by hand")
        self.assertEqual(await self.get("k"), b"by hand")

    async def assert_locked(self) -> None:
        """The version is there, whole, and can not be destroyed."""
        version_id = self.locked.version_id
        opened = await self.store.open_object(BUCKET, "k", version_id)
        try:
            self.assertEqual(await self.read(opened), b"locked")
            self.assertEqual((opened.version.lock, opened.version.properties), (LOCK, self.locked.properties))
        finally:
            opened.close()
        doomed = self.store.delete_object(BUCKET, "k", version_id=version_id, guard=deletion_guard(2e9))
        await self.refused("AccessDenied", doomed)

    async def versions(self) -> list[ObjectVersion]:
        """All versions of the key, the newest first."""

        def page(walk: VersionWalk) -> list[ObjectVersion]:
            return [listed.version for listed in walk.versions("k")]

        return list(await self.store.list_versions(BUCKET, page))

    async def test_delete(self) -> None:
        """The file that was put by hand stays a version, too."""
        await self.store.delete_object(BUCKET, "k", owner=OWNER)
        self.assertEqual([version.size for version in await self.versions()], [0, 7, 6])
        await self.assert_locked()

    async def test_delete_by_version(self) -> None:
        """Without the file, the locked one is current again."""
        await self.store.delete_object(BUCKET, "k", version_id="null", guard=deletion_guard(2e9))
        self.assertEqual(await self.get("k"), b"locked")
        await self.assert_locked()

    async def test_rename(self) -> None:
        await self.store.rename_object(BUCKET, "k", "new")
        self.assertEqual(await self.get("new"), b"by hand")
        await self.assert_locked()

    async def test_repair(self) -> None:
        found = list(self.store.integrity.fsck.find(True))
        self.assertIn("overflow", [one.kind for one in found])
        self.assertEqual(await self.get("k"), b"by hand")
        await self.assert_locked()

    async def test_put(self) -> None:
        """Another object in its place leaves it where it is, until the key is deleted."""
        await self.put("k", b"over")
        await self.store.delete_object(BUCKET, "k", owner=OWNER)
        await self.assert_locked()


class HiddenNullTests(FilesystemKit, TestCase):
    """The same of a version from the time before there were versions, whose id a file put by hand has, too."""

    async def setUp(self) -> None:
        await super().setUp()
        await self.put("k/x", b"in the way")
        await self.put("k", b"locked")
        self.path("k/x").unlink()
        self.path("k").rmdir()
        await self.store.change_bucket(BUCKET, lambda bucket: structs.replace(bucket, versioning=ENABLED))
        await self.store.change_object(BUCKET, "k", lambda version: structs.replace(version, lock=LOCK))

    async def assert_kept(self) -> None:
        """It shows again when the one on top of it has gone, and can not be destroyed."""
        await self.store.delete_object(BUCKET, "k", version_id="null", guard=deletion_guard(2e9))
        version = await self.store.head_object(BUCKET, "k", "null")
        self.assertEqual((version.size, version.lock), (6, LOCK))
        doomed = self.store.delete_object(BUCKET, "k", version_id="null", guard=deletion_guard(2e9))
        await self.refused("AccessDenied", doomed)

    async def test_delete(self) -> None:
        self.path("k").write_bytes(b"by hand")
        await self.store.delete_object(BUCKET, "k", owner=OWNER)
        await self.assert_kept()

    async def test_put(self) -> None:
        """Also when it has become a noncurrent version before."""
        await self.put("k", b"new")
        self.path("k").write_bytes(b"by hand")
        await self.put("k", b"newer")
        await self.assert_kept()

    async def test_name_left_by_a_crash(self) -> None:
        """Another name of a version whose lock was bypassed goes with it."""
        await self.put("k", b"new")
        folder = self.path("../.s3store/buckets/bucket/versions/6b+").resolve()
        (name,) = folder.iterdir()
        later = folder / name.name.replace(name.name[:16], f"{int(name.name[:16], 16) - 1:016x}")
        later.hardlink_to(name)
        await self.store.delete_object(BUCKET, "k", version_id="null", guard=deletion_guard(2e9, bypass=True))
        await self.refused("NoSuchVersion", self.store.head_object(BUCKET, "k", "null"))


class RepairTests(FilesystemKit, TestCase):
    """A hidden object in a bucket without versions."""

    async def test_a_disk_that_fails(self) -> None:
        """The repair says what the disk said, and closes what it opened once."""
        await self.put("k/x", b"in the way")
        await self.put("k", b"hidden")
        self.path("k/x").unlink()
        self.path("k").rmdir()
        self.path("k").write_bytes(b"by hand")
        before = len(list(Path("/proc/self/fd").iterdir()))
        with patch.object(DirectorySync, "sync", side_effect=OSError(errno.EIO, "broken")):
            error = self.assertRaises(OSError, list, self.store.integrity.fsck.find(True))
        self.assertEqual(error.errno, errno.EIO)
        del error
        self.assertEqual(len(list(Path("/proc/self/fd").iterdir())), before)
        self.assertEqual(await self.get("k"), b"by hand")
