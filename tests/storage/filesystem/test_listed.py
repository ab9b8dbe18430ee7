"""A listing tells of each key what a look at that key alone tells, whatever lies there and whoever comes in between."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from msgspec import structs
from twisted.trial.unittest import TestCase

from tests.storage.encryption_contract import ENCRYPTION, sealed
from tests.storage.filesystem.disks import NoAttributesDisk, ObservedDisk, SmallAttributesDisk
from tests.storage.filesystem.kit import FilesystemKit
from tests.storage.filesystem.test_look import Interrupted
from tests.storage.kit import BUCKET, OWNER, md5, pattern
from twisted_s3.errors import S3Error
from twisted_s3.model import ENABLED, ObjectVersion, Properties
from twisted_s3.storage.filesystem.disk import IDisk, UnsyncedDisk
from twisted_s3.storage.filesystem.realdisk import RealDisk

ATTRIBUTE = "user.s3store"
LONG_AGO = time.time() - 1000
RICH = Properties(
    headers={"Content-Type": "x/y", "Cache-Control": "é"},
    user={"a": "\U0001f600", "b": "x" * 500},
    tags={"t": ""},
    storage_class="STANDARD_IA",
)


class ListedKit(FilesystemKit):
    """A store whose listings can be held against the keys one by one."""

    async def listed(self, keys: Sequence[str]) -> dict[str, ObjectVersion]:
        """What a listing tells of these keys, in their order."""
        _, versions = await self.store.list_keys(BUCKET, lambda walk: None, lambda _: keys)
        found = {version.key: version for version in versions}
        self.assertEqual(list(found), [key for key in keys if key in found])
        self.assertEqual(len(found), len(versions))
        return found

    async def alone(self, key: str) -> ObjectVersion | None:
        """What a look at the key alone tells."""
        try:
            return await self.store.head_object(BUCKET, key)
        except S3Error as error:
            self.assertEqual(error.code, "NoSuchKey")
            return None

    async def plant(self) -> list[str]:
        """A key of every kind; gives them all."""
        for key in ("plain", "b", "b/c", "folder/", "//", ".", "..", "f/g/h", "é/日本", "x" * 300, "z\x01"):
            await self.put(key, key.encode())
        await self.put("empty")
        await self.put("rich", b"1", properties=RICH)
        await self.put("large", b"1", properties=structs.replace(RICH, user={"a": "x" * 5000}))
        await self.put("secret", pattern(100_000), payload=sealed())
        await self.put("secret touched", b"1", payload=sealed())
        os.utime(self.path("secret touched"), (1, 1))
        await self.put("secret bare", b"1", payload=sealed())
        if ATTRIBUTE in os.listxattr(self.path("secret bare")):
            os.removexattr(self.path("secret bare"), ATTRIBUTE)
        upload = await self.begin("parts")
        part = await self.put_part(upload, 1, pattern(1000))
        await self.complete(upload, [part])
        for key in ("edited", "touched", "garbled", "emptied", "deleted", "moved"):
            await self.put(key, b"as it was", properties=RICH)
        self.path("edited").write_bytes(b"another")
        os.utime(self.path("touched"), (LONG_AGO, LONG_AGO))
        os.setxattr(self.path("garbled"), ATTRIBUTE, b'{"v":1')
        os.setxattr(self.path("emptied"), ATTRIBUTE, b"")
        self.path("moved").rename(self.path("f/moved"))
        await self.store.delete_object(BUCKET, "deleted")
        for name, age in (("hand/old", 1000.0), ("hand/new", 0.0)):
            self.path(name).parent.mkdir(exist_ok=True)
            self.path(name).write_bytes(b"by hand")
            os.utime(self.path(name), (time.time() - age,) * 2)
        self.path("link").symlink_to("plain")
        self.path("linked").symlink_to("f")
        os.mkfifo(self.path("fifo"))
        keys = await self.keys()
        return sorted([*keys, "link", "linked/g/h", "fifo", "deleted", "moved", "f", "f/g", "plain/x", "never", "b/"])


class ListedTests(ListedKit, TestCase):
    """On a disk that can everything."""

    async def test_every_kind_of_key(self) -> None:
        keys = await self.plant()
        listed = await self.listed(keys)
        # What is computed is written down only where that is old enough, so nothing changes between these looks.
        for key in keys:
            self.assertEqual(listed.get(key), await self.alone(key), key)
        self.assertEqual(listed, await self.listed(keys))
        self.assertEqual(len(listed), len(keys) - 10)
        self.assertEqual(listed["rich"].properties, RICH)
        self.assertEqual(listed["edited"].etag, md5(b"another"))
        self.assertEqual((listed["secret"].size, listed["secret"].encryption), (100_000, ENCRYPTION))

    async def test_versioned(self) -> None:
        """A key whose newest version is a delete marker is not there; an older version is not shown."""
        await self.store.change_bucket(BUCKET, lambda bucket: structs.replace(bucket, versioning=ENABLED))
        for key in ("a", "b"):
            await self.put(key, b"1")
            await self.put(key, b"22")
        await self.store.delete_object(BUCKET, "b")
        listed = await self.listed(["a", "b"])
        self.assertEqual(listed, {"a": await self.alone("a")})
        self.assertEqual(listed["a"].size, 2)


class NoAttributesListedTests(ListedTests):
    """On a filesystem without extended attributes."""

    def wrap(self, disk: IDisk) -> IDisk:
        return NoAttributesDisk(disk)


class SmallAttributesListedTests(ListedTests):
    """On a filesystem whose attributes hold nothing but pointers."""

    def wrap(self, disk: IDisk) -> IDisk:
        return SmallAttributesDisk(disk)


class CallsTests(ListedKit, TestCase):
    """What a page costs, and what it does when calls fail."""

    failing: frozenset[str] = frozenset()

    def wrap(self, disk: IDisk) -> IDisk:
        self.calls: list[str] = []
        return ObservedDisk(disk, self.watch)  # type: ignore[return-value]

    def watch(self, name: str, args: tuple[Any, ...]) -> None:
        self.calls.append(name)
        if name in self.failing:
            raise OSError(5, "it fails")

    async def test_one_call_a_directory(self) -> None:
        """However many keys: opening none of them."""
        keys = [f"{folder}/{number}" for folder in "ab" for number in range(20)] + [str(i) for i in range(20)]
        for key in keys:
            await self.put(key, b"1")
        self.calls.clear()
        self.assertEqual(len(await self.listed(keys)), 60)
        self.assertEqual([name for name in self.calls if name != "stat"], ["look"] * 3)

    async def test_a_look_that_fails(self) -> None:
        """Each key is opened, as if nobody had looked."""
        keys = ["a", "b/c"]
        for key in keys:
            await self.put(key, b"1")
        before = await self.listed(keys)
        self.failing = frozenset({"look"})
        self.assertEqual(await self.listed(keys), before)
        self.failing = frozenset({"look", "open"})
        await self.refused("InternalError", self.listed(keys))


class BetweenTests(ListedKit, TestCase):
    """Somebody comes between the look at a file and at its record: what is listed is the one thing or the other."""

    def wrap(self, disk: IDisk) -> IDisk:
        disk.shut()
        self.interrupted = Interrupted()
        return UnsyncedDisk(RealDisk(self.root, attributes=self.interrupted))

    async def assert_one_or_other(self, change: Callable[[], Awaitable[object]]) -> None:
        """List while ``change``, made beforehand at another key, takes the place of what is there."""
        before = await self.alone("k")
        await change()
        self.path("next").rename(self.path("replacement"))

        def swap() -> None:
            self.interrupted.before = lambda: None
            self.path("replacement").rename(self.path("k"))

        self.interrupted.before = swap
        listed = (await self.listed(["k"])).get("k")
        self.assertFalse(self.path("replacement").exists())
        self.assertIn(listed, [before, await self.alone("k")])

    async def test_overwritten(self) -> None:
        for body in (b"1", b"2222", b"1"):
            await self.put("k", b"1")
            await self.assert_one_or_other(lambda body=body: self.put("next", body, properties=RICH))  # type: ignore[misc]

    async def test_overwritten_with_what_is_encrypted(self) -> None:
        """Its record counts whatever the time, but only with its own file's."""
        await self.put("k", b"1", payload=sealed())
        os.utime(self.path("k"), (1, 1))
        await self.assert_one_or_other(lambda: self.put("next", b"2", payload=sealed(2), properties=RICH))
        listed = await self.listed(["k"])
        self.assertEqual(listed["k"].properties, RICH)
        self.assertGreater(listed["k"].last_modified, 1)

    async def test_overwritten_at_the_same_time_with_the_same_size(self) -> None:
        """Then both look alike, and what is told is the newer one."""
        await self.put("k", b"1")
        found = self.path("k").stat().st_mtime_ns

        async def change() -> None:
            await self.put("next", b"2", properties=RICH)
            os.utime(self.path("next"), ns=(found, found))

        await self.assert_one_or_other(change)

    async def test_replaced_by_hand(self) -> None:
        await self.put("k", b"1")

        async def change() -> None:
            self.path("next").write_bytes(b"2")

        await self.assert_one_or_other(change)

    async def test_record_changed(self) -> None:
        """Tags that are put in between are there or not, on the same file."""
        await self.put("k", b"1")
        before = await self.alone("k")
        path = self.path("k")
        record = os.getxattr(path, ATTRIBUTE)

        def change() -> None:
            self.interrupted.before = lambda: None
            os.setxattr(path, ATTRIBUTE, record.replace(OWNER.encode(), b"other"))

        self.interrupted.before = change
        listed = await self.listed(["k"])
        self.assertEqual(listed["k"], await self.alone("k"))
        self.assertNotEqual(listed["k"], before)
