"""Nothing outside the data directory is read or written, whatever lies in it, and whenever somebody swaps it.

Each operation meets a symbolic link in place of an object, of a folder on the way and of a bucket, FIFOs, sockets and
devices; each is swapped in before each of its calls to the disk, too.
"""

from __future__ import annotations

import errno
import os
import shutil
import socket
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec import structs
from twisted.trial.unittest import TestCase

from tests.storage.filesystem.disks import ObservedDisk
from tests.storage.filesystem.kit import FilesystemKit
from tests.storage.kit import BUCKET, OWNER, PlainPayload, pattern
from twisted_s3.errors import S3Error
from twisted_s3.interfaces import VersionWalk
from twisted_s3.model import ENABLED, ByteRange, ObjectVersion, Properties
from twisted_s3.storage.filesystem.beneath import open_by_names
from twisted_s3.storage.filesystem.disk import IDisk
from twisted_s3.storage.filesystem.realdisk import RealDisk

SECRET = b"a secret outside"
KEY = "d/e/k"

Operation = Callable[["LinkKit"], Awaitable[object]]


class LinkKit(FilesystemKit):
    """A store, and a directory outside with a file at every place that a link could lead to."""

    before: Callable[[str], object] | None = None

    async def setUp(self) -> None:
        self.outside = Path(self.enterContext(tempfile.TemporaryDirectory())) / "outside"
        (self.outside / "d/e").mkdir(parents=True)
        for name in ("k", "e/k", "d/e/k"):
            (self.outside / name).parent.mkdir(exist_ok=True)
            (self.outside / name).write_bytes(SECRET)
        self.untouched = self.state()
        await super().setUp()

    def state(self) -> Mapping[str, object]:
        """All that is outside: names, bytes, times of change and attributes."""
        return {
            str(path.relative_to(self.outside)): (
                path.is_file() and path.read_bytes(),
                path.stat().st_mtime_ns,
                os.listxattr(path),
            )
            for path in (self.outside, *self.outside.rglob("*"))
        }

    def wrap(self, disk: IDisk) -> IDisk:
        return ObservedDisk(disk, self.watch)  # type: ignore[return-value]

    def watch(self, name: str, args: tuple[Any, ...]) -> None:
        if self.before is not None:
            self.before(name)

    async def attempt(self, operation: Operation) -> object:
        """The result, or the refusal, in which nothing of the outside may be."""
        try:
            result = await operation(self)
        except S3Error as error:
            result = error
        except OSError as error:
            # What looks after the directory as a whole can end at a link.
            self.assertIn(error.errno, (errno.ELOOP, errno.ENOTDIR))
            result = error.errno
        self.flushLoggedErrors()
        self.assertNotIn(SECRET, repr(result).encode())
        self.assertNotIn(str(len(SECRET)), getattr(result, "etag", ""))
        self.assertEqual(self.state(), self.untouched)
        return result

    async def body(self, key: str) -> bytes:
        """GET."""
        opened = await self.store.open_object(BUCKET, key)
        try:
            return await self.read(opened)
        finally:
            opened.close()

    async def copy(self, source: str, target: str) -> ObjectVersion:
        """CopyObject."""
        opened = await self.store.open_object(BUCKET, source)
        try:
            staged = await self.store.stage(BUCKET, PlainPayload())
            try:
                await staged.copy_from(opened, ByteRange(0, opened.version.size))
                return await staged.commit(target, Properties())
            finally:
                await staged.discard()
        finally:
            opened.close()

    async def upload(self, key: str) -> ObjectVersion:
        """A multipart upload, whole."""
        upload = await self.begin(key)
        return await self.complete(upload, [await self.put_part(upload, 1, b"part")])

    async def versions(self) -> list[ObjectVersion]:
        """ListObjectVersions."""

        def page(walk: VersionWalk) -> list[ObjectVersion]:
            return [listed.version for key in walk.keys("") for listed in walk.versions(key)]

        return list(await self.store.list_versions(BUCKET, page))

    async def scrub(self) -> list[object]:
        """Every byte is held against its record."""
        return [step.finding for step in self.store.integrity.scrub.walk(deep=True) if step.finding is not None]

    async def quarantine(self) -> list[object]:
        """What is damaged is taken away."""
        steps = list(self.store.integrity.scrub.walk(deep=True))
        return [self.store.integrity.quarantine.take(step.finding) for step in steps if step.finding is not None]

    async def repair(self) -> list[object]:
        """Leftovers are removed."""
        return list(self.store.integrity.fsck.find(repair=True))


def tagged(version: ObjectVersion) -> ObjectVersion:
    """With other tags."""
    return structs.replace(version, properties=Properties(tags={"t": "1"}))


OPERATIONS: Mapping[str, Operation] = {
    "get": lambda kit: kit.body(KEY),
    "head": lambda kit: kit.store.head_object(BUCKET, KEY),
    "glance": lambda kit: kit.store.head_object(BUCKET, KEY, unread=True),
    "list": lambda kit: kit.keys(),
    "list versions": lambda kit: kit.versions(),
    "put": lambda kit: kit.put(KEY, b"mine"),
    "copy from": lambda kit: kit.copy(KEY, "copy"),
    "copy to": lambda kit: kit.copy("sound", KEY),
    "tag": lambda kit: kit.store.change_object(BUCKET, KEY, tagged),
    "rename from": lambda kit: kit.store.rename_object(BUCKET, KEY, "renamed"),
    "rename to": lambda kit: kit.store.rename_object(BUCKET, "sound", KEY),
    "upload": lambda kit: kit.upload(KEY),
    "delete": lambda kit: kit.store.delete_object(BUCKET, KEY, owner=OWNER),
    "scrub": lambda kit: kit.scrub(),
    "quarantine": lambda kit: kit.quarantine(),
    "repair": lambda kit: kit.repair(),
}


class TrapTests(LinkKit, TestCase):
    """What lies there from the start."""

    def in_place_of(self, key: str) -> Path:
        """The path of a key or folder, with nothing at it and all above it there."""
        path = self.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    async def assert_harmless(self, versioned: bool = False) -> None:
        """No operation does anything outside; the key can be used none the less."""
        if versioned:
            await self.store.change_bucket(BUCKET, lambda bucket: structs.replace(bucket, versioning=ENABLED))
        for name in ("get", "head", "glance", "copy from", "tag", "rename from"):
            refused = await self.attempt(OPERATIONS[name])
            self.assertEqual(getattr(refused, "code", refused), "NoSuchKey", name)
        self.assertEqual(await self.keys(), [])
        for name, operation in OPERATIONS.items():
            await self.put("sound", b"sound")
            await self.attempt(operation)
            if name in ("put", "copy to", "rename to", "upload"):
                self.assertNotEqual(await self.body(KEY), SECRET, name)
                await self.store.delete_object(BUCKET, KEY, owner=OWNER)
        self.assertEqual(await self.attempt(OPERATIONS["scrub"]), [])

    async def test_an_object(self) -> None:
        for versioned in (False, True):
            for target in (self.outside / "k", self.outside, Path("/nowhere"), Path("/dev/zero")):
                self.in_place_of(KEY).symlink_to(target)
                await self.assert_harmless(versioned)
                self.assertTrue(self.path(KEY).is_symlink())
                self.path(KEY).unlink()
                await self.store.delete_object(BUCKET, "sound")
                await self.store.delete_object(BUCKET, "renamed")

    async def test_a_folder_on_the_way(self) -> None:
        for folder, target in (("d", self.outside / "d"), ("d/e", self.outside), ("d/e", Path("../../../.."))):
            shutil.rmtree(self.path("d"), ignore_errors=True)
            self.in_place_of(folder).symlink_to(target)
            await self.assert_harmless()
            self.assertTrue(self.path(folder).is_symlink())
            self.path(folder).unlink()
            await self.store.delete_object(BUCKET, "sound")

    async def test_a_bucket(self) -> None:
        shutil.rmtree(self.root / BUCKET)
        (self.root / BUCKET).symlink_to(self.outside)
        for name, operation in OPERATIONS.items():
            refused = await self.attempt(operation)
            if name not in ("scrub", "quarantine", "repair"):
                self.assertEqual(getattr(refused, "code", refused), "NoSuchBucket", name)
        self.assertNotIn(BUCKET, [bucket.name for bucket in await self.store.list_buckets()])
        await self.refused("NoSuchBucket", self.store.delete_bucket(BUCKET))
        await self.refused("BucketAlreadyExists", self.store.create_bucket(BUCKET, OWNER, ""))
        self.assertEqual(self.state(), self.untouched)

    async def test_what_is_no_file(self) -> None:
        address = self.in_place_of(KEY)
        os.mkfifo(address)
        await self.assert_harmless()
        address.unlink()
        await self.store.delete_object(BUCKET, "sound")
        with socket.socket(socket.AF_UNIX) as listening:
            # The path itself may be too long for a socket's.
            self.addCleanup(os.chdir, os.getcwd())
            os.chdir(address.parent)
            listening.bind("k")
        await self.assert_harmless()

    async def test_a_hard_link(self) -> None:
        """It is a file like any other, so it can be read; what is written goes to another inode."""
        linked = self.outside / "hard"
        linked.write_bytes(b"linked")
        for operation in ("put", "copy to", "rename to", "upload", "delete", "rename from"):
            path = self.in_place_of(KEY)
            path.unlink(missing_ok=True)
            try:
                os.link(linked, path)
            except OSError:
                # Another filesystem.
                return
            before = linked.stat()
            await self.put("sound", b"sound")
            self.assertEqual(await self.body(KEY), b"linked")
            await OPERATIONS[operation](self)
            after = linked.stat()
            self.assertEqual(linked.read_bytes(), b"linked", operation)
            self.assertEqual((after.st_ino, after.st_mtime_ns), (before.st_ino, before.st_mtime_ns), operation)

    async def test_a_folder_of_ours(self) -> None:
        """A server whose own folders lead elsewhere does not start, or does not write there."""
        for folder in ("", "/staging", "/buckets", "/locks", "/records"):
            root = Path(self.enterContext(tempfile.TemporaryDirectory()))
            (root / ".s3store").mkdir()
            place = root / f".s3store{folder}"
            if place.exists():
                place.rmdir()
            place.symlink_to(self.outside)
            self.root = root
            store = self.another_store()
            try:
                await store.start()
                await store.create_bucket(BUCKET, OWNER, "")
                self.store = store
                await self.put("k", b"", properties=Properties(user={"big": "x" * 20_000}))
            except S3Error:
                pass
            else:
                self.fail(f"{folder} was followed")
            finally:
                await store.stop()
            self.flushLoggedErrors()
            self.assertEqual(self.state(), self.untouched)


class NamesTests(LinkKit, TestCase):
    """Names that lead out are keys like any other, or no names at all."""

    async def test_keys(self) -> None:
        inside = str(self.outside)
        for key in ("..", "../outside/k", "/etc/passwd", "a/../../outside/k", inside + "/k", "./k", f"{inside}//k"):
            await self.refused("NoSuchKey", self.store.open_object(BUCKET, key))
            await self.put(key, b"mine")
            self.assertEqual(await self.body(key), b"mine")
            await self.store.rename_object(BUCKET, key, key + "/..")
            self.assertEqual(await self.keys(), [key + "/.."])
            await self.store.delete_object(BUCKET, key + "/..")
        self.assertEqual(self.state(), self.untouched)
        self.assertEqual(os.listdir(self.root / BUCKET), [])

    async def test_buckets_and_uploads(self) -> None:
        for name in ("..", ".", "../outside", "/etc", "", "a/b", ".s3store", str(self.outside)):
            for attempt in (self.store.get_bucket(name), self.store.list_uploads(name), self.store.delete_bucket(name)):
                error = await self.refused_somehow(attempt)
                self.assertIn(error.code, ("NoSuchBucket", "InvalidBucketName"), name)
            await self.refused("InvalidBucketName", self.store.create_bucket(name, OWNER, ""))
        for upload_id in ("..", "../../../../../outside", "/etc", "", "0" * 47 + "/"):
            await self.refused("NoSuchUpload", self.store.get_upload(BUCKET, "k", upload_id))
            await self.refused("NoSuchUpload", self.store.abort_upload(BUCKET, "k", upload_id))
        self.assertEqual(self.state(), self.untouched)

    async def refused_somehow(self, attempt: Awaitable[object]) -> S3Error:
        """The refusal."""
        try:
            result = await attempt
        except S3Error as error:
            return error
        return self.fail(f"not refused: {result!r}")


class SwapTests(LinkKit, TestCase):
    """Between any two calls to the disk somebody puts a link in the place of what was looked at.

    :cvar stride: every so many calls it is tried.
    """

    stride = 5

    async def sweep(self, name: str, place: str, target: Path) -> None:
        """Swap before each call of an operation in turn."""
        calls = 1
        at = 0
        while at < calls:
            for path in (self.root / BUCKET, self.root / (BUCKET + "-real")):
                if path.is_symlink():
                    path.unlink()
                shutil.rmtree(path, ignore_errors=True)
            self.path(KEY).parent.mkdir(parents=True)
            await self.put(KEY, pattern(100))
            await self.put("sound", b"sound")
            calls = 0

            def swap(call: str, at: int = at) -> None:
                nonlocal calls
                if calls == at:
                    swapped = self.root / place
                    if swapped.exists():
                        swapped.rename(self.root / (BUCKET + "-real") if place == BUCKET else swapped.with_name("real"))
                    swapped.parent.mkdir(parents=True, exist_ok=True)
                    swapped.symlink_to(target)
                calls += 1

            self.before = swap
            try:
                await self.attempt(OPERATIONS[name])
            finally:
                self.before = None
            await self.idle()
            self.assertEqual(self.state(), self.untouched, f"{name}, call {at}")
            at += self.stride

    async def test_an_object(self) -> None:
        for name in OPERATIONS:
            await self.sweep(name, f"{BUCKET}/{KEY}", self.outside / "k")

    async def test_a_folder_on_the_way(self) -> None:
        for name in OPERATIONS:
            await self.sweep(name, f"{BUCKET}/d", self.outside / "d")

    async def test_a_bucket(self) -> None:
        for name in OPERATIONS:
            await self.sweep(name, BUCKET, self.outside)


class ByNamesTests(SwapTests):
    """The same where the kernel opens no paths without links, so that they are opened name by name."""

    def wrap(self, disk: IDisk) -> IDisk:
        assert isinstance(disk, RealDisk) or hasattr(disk, "disk")
        real: Any = getattr(disk, "disk", disk)
        real._open = open_by_names
        return super().wrap(disk)

    test_an_object = None  # type: ignore[assignment]
    test_a_bucket = None  # type: ignore[assignment]
