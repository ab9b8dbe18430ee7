"""Files that people put, edit, replace, move and remove; links that lead out; keys that no path can hold."""

from __future__ import annotations

import os
import shutil
import time

from twisted.trial.unittest import TestCase

from tests.storage.filesystem.kit import FilesystemKit
from tests.storage.kit import BUCKET, OTHER, md5, only_if_absent, pattern
from twisted_s3.errors import S3Error
from twisted_s3.model import ObjectVersion, Properties

PROPERTIES = Properties(headers={"Content-Type": "x/y"}, user={"a": "b"})
LONG_AGO = time.time() - 1000


class ByHandTests(FilesystemKit, TestCase):
    """The bytes on disk decide, at the next request."""

    async def assert_served(self, key: str, body: bytes) -> ObjectVersion:
        """The object is what its file is."""
        version = await self.store.head_object(BUCKET, key)
        self.assertEqual((version.size, version.etag), (len(body), md5(body)))
        self.assertEqual(version.last_modified, self.path(key).stat().st_mtime_ns / 1e9)
        self.assertEqual(await self.get(key), body)
        self.assertIn(key, await self.keys())
        return version

    async def test_put(self) -> None:
        for age in (0, 1000):
            self.path("a").mkdir(exist_ok=True)
            for name, kind in (("x.txt", "text/plain"), ("x.gz", "application/gzip"), ("x", "binary/octet-stream")):
                self.path("a/" + name).write_bytes(b"by hand")
                os.utime(self.path("a/" + name), (time.time() - age,) * 2)
                for _ in range(2):
                    version = await self.assert_served("a/" + name, b"by hand")
                    self.assertEqual(version.properties.headers, {"Content-Type": kind})

    async def test_what_was_computed_is_kept(self) -> None:
        self.path("x").write_bytes(b"1")
        os.utime(self.path("x"), (LONG_AGO, LONG_AGO))
        await self.assert_served("x", b"1")
        self.assertIn("user.s3store", os.listxattr(self.path("x")))
        self.path("y").write_bytes(b"1")
        await self.assert_served("y", b"1")
        # Changed a moment ago, it could change again without its time of change telling.
        self.assertEqual(os.listxattr(self.path("y")), [])

    async def test_read_only(self) -> None:
        self.path("x").write_bytes(b"1")
        os.utime(self.path("x"), (LONG_AGO, LONG_AGO))
        self.path("x").chmod(0o444)
        await self.assert_served("x", b"1")

    async def test_edited_in_place(self) -> None:
        await self.put("x", b"first", properties=PROPERTIES)
        with self.path("x").open("r+b") as file:
            file.write(b"FIRST")
        os.utime(self.path("x"), (LONG_AGO, LONG_AGO))
        version = await self.assert_served("x", b"FIRST")
        self.assertEqual(version.properties.user, {})
        with self.path("x").open("ab") as file:
            file.write(b" and more")
        await self.assert_served("x", b"FIRST and more")

    async def test_replaced(self) -> None:
        await self.put("x", b"first", properties=PROPERTIES)
        (self.root / "new").write_bytes(b"secnd")
        old = self.path("x").stat()
        os.utime(self.root / "new", ns=(old.st_mtime_ns, old.st_mtime_ns))
        (self.root / "new").rename(self.path("x"))
        await self.assert_served("x", b"secnd")

    async def test_copied_with_its_attributes(self) -> None:
        await self.put("x", b"first", properties=PROPERTIES)
        self.path("y").write_bytes(b"other")
        record = os.getxattr(self.path("x"), "user.s3store")
        os.setxattr(self.path("y"), "user.s3store", record)
        await self.assert_served("y", b"other")

    async def test_a_faithful_copy(self) -> None:
        """It keeps time and attributes, and with them the metadata, to another key and to another data directory."""
        stored = await self.put("x", b"first", properties=PROPERTIES)
        shutil.copy2(self.path("x"), self.path("y"))
        self.assertNotEqual(self.path("x").stat().st_ino, self.path("y").stat().st_ino)
        found = await self.store.head_object(BUCKET, "y")
        self.assertEqual((found.etag, found.properties, found.owner), (stored.etag, PROPERTIES, stored.owner))
        await self.store.delete_object(BUCKET, "x")
        self.assertEqual((await self.store.head_object(BUCKET, "y")).properties, PROPERTIES)

    async def test_a_copy_without_its_side_file(self) -> None:
        """Large metadata of a copy lasts as long as the original."""
        big = Properties(headers={"Content-Type": "x/y"}, user={"big": "x" * 20_000})
        await self.put("x", b"first", properties=big)
        shutil.copy2(self.path("x"), self.path("y"))
        self.assertEqual((await self.store.head_object(BUCKET, "y")).properties, big)
        await self.store.delete_object(BUCKET, "x")
        self.assertEqual((await self.assert_served("y", b"first")).properties.user, {})

    async def test_nonsense_for_a_record(self) -> None:
        self.path("x").write_bytes(b"1")
        for record in (b"", b"{", b"[]", b"null", b'{"v":1}', b'{"v":1,"s":[1,2,3],"side":"../../x"}'):
            os.setxattr(self.path("x"), "user.s3store", record)
            await self.assert_served("x", b"1")

    async def test_moved(self) -> None:
        stored = await self.put("x", b"1", properties=PROPERTIES)
        self.path("x").rename(self.root / OTHER / "y")
        await self.refused("NoSuchKey", self.store.head_object(BUCKET, "x"))
        moved = await self.store.head_object(OTHER, "y")
        self.assertEqual((moved.etag, moved.properties), (stored.etag, PROPERTIES))

    async def test_removed(self) -> None:
        await self.put("a/b", b"1")
        self.path("a/b").unlink()
        await self.refused("NoSuchKey", self.store.open_object(BUCKET, "a/b"))
        self.assertEqual(await self.keys(), [])
        self.assertFalse(await self.store.delete_object(BUCKET, "a/b"))

    async def test_overwritten_and_deleted_through_the_store(self) -> None:
        self.path("x").write_bytes(b"1")
        await self.refused("PreconditionFailed", self.put("x", b"2", condition=only_if_absent))
        await self.put("x", b"2")
        await self.assert_served("x", b"2")
        self.path("y").write_bytes(b"1")
        self.assertTrue(await self.store.delete_object(BUCKET, "y"))
        self.assertFalse(self.path("y").exists())

    async def test_properties_of_a_file_put_by_hand(self) -> None:
        self.path("x").write_bytes(b"1")
        seen = self.path("x").stat().st_mtime_ns
        changed = await self.store.change_object(BUCKET, "x", lambda version: _tagged(version))
        self.assertEqual(changed.properties.tags, {"t": "1"})
        self.assertEqual(await self.store.head_object(BUCKET, "x"), changed)
        self.assertEqual(self.path("x").stat().st_mtime_ns, seen)

    async def test_conditions_see_it(self) -> None:
        self.path("x").write_bytes(b"1")
        seen: list[ObjectVersion | None] = []
        await self.put("x", b"2", condition=seen.append)
        self.assertEqual([version and version.etag for version in seen], [md5(b"1")])

    async def test_a_bucket_by_hand(self) -> None:
        (self.root / "hand-made").mkdir()
        (self.root / "No_Bucket").mkdir()
        (self.root / "a-file").write_bytes(b"")
        names = [bucket.name for bucket in await self.store.list_buckets()]
        self.assertEqual(names, [BUCKET, "hand-made", OTHER])
        bucket = await self.store.get_bucket("hand-made")
        self.assertEqual((bucket.owner, bucket.region), ("", ""))
        self.assertLess(abs(bucket.created - time.time()), 60)
        await self.put("k", b"1", bucket="hand-made")
        await self.put("k/l", b"1", bucket="hand-made")
        self.assertEqual(await self.keys(bucket="hand-made"), ["k", "k/l"])
        upload = await self.begin(bucket="hand-made")
        self.assertEqual(await self.store.list_uploads("hand-made"), [upload])
        for name in ("No_Bucket", "a-file", ".s3store", "..", ".", "", "a/b"):
            await self.refused("NoSuchBucket", self.store.get_bucket(name))
            await self.refused("NoSuchBucket", self.store.stage(name, None))  # type: ignore[arg-type]

    async def test_a_bucket_removed_by_hand(self) -> None:
        await self.put("x" * 300, b"1")
        (self.root / BUCKET).rmdir()
        await self.refused("NoSuchBucket", self.put("y", b"1"))
        await self.refused("NoSuchBucket", self.store.list_keys(BUCKET, lambda walk: list(walk("")), list))
        await self.store.create_bucket(BUCKET, "", "")
        self.assertEqual(await self.keys(), [])

    async def test_empty_folders_keep_no_bucket(self) -> None:
        self.path("a/b/c").mkdir(parents=True)
        await self.store.delete_bucket(BUCKET)
        self.assertFalse((self.root / BUCKET).exists())

    async def test_what_is_no_object_keeps_its_bucket(self) -> None:
        self.path("a/b").mkdir(parents=True)
        os.mkfifo(self.path("a/fifo"))
        self.assertEqual(await self.keys(), [])
        await self.refused("BucketNotEmpty", self.store.delete_bucket(BUCKET))
        self.assertTrue(self.path("a/b").exists())


def _tagged(version: ObjectVersion) -> ObjectVersion:
    properties = Properties(version.properties.headers, version.properties.user, {"t": "1"})
    return ObjectVersion(version.key, version.size, version.etag, version.last_modified, properties)


class LinkTests(FilesystemKit, TestCase):
    """No symbolic link is followed, wherever it leads, and nothing but files is opened."""

    async def test_links_lead_nowhere(self) -> None:
        outside = self.root / "outside"
        outside.mkdir()
        (outside / "secret").write_bytes(b"secret")
        self.path("file").symlink_to(outside / "secret")
        self.path("folder").symlink_to(outside)
        self.path("deep").mkdir()
        self.path("deep/folder").symlink_to(outside)
        (self.root / "linked-bucket").symlink_to(outside)
        for key in ("file", "folder/secret", "deep/folder/secret"):
            await self.refused("NoSuchKey", self.store.open_object(BUCKET, key))
            await self.refused("NoSuchKey", self.store.head_object(BUCKET, key))
            self.assertFalse(await self.store.delete_object(BUCKET, key))
        await self.refused("NoSuchBucket", self.store.get_bucket("linked-bucket"))
        self.assertEqual(await self.keys(), [])
        # The keys can be used none the less: they live where no link is on the way.
        for key in ("file", "folder/secret", "deep/folder/new"):
            await self.put(key, b"mine")
            self.assertEqual(await self.get(key), b"mine")
        self.assertEqual(await self.keys(), ["deep/folder/new", "file", "folder/secret"])
        self.assertEqual(os.listdir(outside), ["secret"])
        self.assertEqual((outside / "secret").read_bytes(), b"secret")
        self.assertTrue(self.path("file").is_symlink())

    async def test_a_completed_upload_replaces_no_link(self) -> None:
        self.path("big").symlink_to("/nowhere")
        upload = await self.begin()
        part = await self.put_part(upload, 1, b"1")
        await self.complete(upload, [part])
        self.assertEqual(await self.get("big"), b"1")
        self.assertTrue(self.path("big").is_symlink())

    async def test_a_fifo_does_not_block(self) -> None:
        os.mkfifo(self.path("fifo"))
        await self.refused("NoSuchKey", self.store.open_object(BUCKET, "fifo"))
        await self.put("fifo", b"1")
        self.assertEqual(await self.get("fifo"), b"1")


class OverflowTests(FilesystemKit, TestCase):
    """Which keys are paths, and how those come and go that are not."""

    async def test_paths_are_paths(self) -> None:
        for key in ("a", "b/c/d", "e f", "g%41?#+", "ü/é", ".hidden", "x" * 255, ".s3store/staging/x", "\x01\x7f"):
            await self.put(key, pattern(10))
            self.assertEqual(self.path(key).read_bytes(), pattern(10))

    async def test_no_paths(self) -> None:
        for key in ("/", "//", "a/", "/a", "a//b", ".", "..", "../a", "a/../b", "a/./b", "\0", "x" * 256, "é" * 128):
            await self.put(key, b"1")
            self.assertEqual(self.files(BUCKET), [], key)
            self.assertEqual(await self.keys(), [key])
            self.assertEqual(await self.get(key), b"1")
            self.assertTrue(await self.store.delete_object(BUCKET, key))
        await self.store.delete_bucket(BUCKET)

    async def test_an_empty_folder_makes_way(self) -> None:
        self.path("a").mkdir()
        await self.put("a", b"1")
        self.assertTrue(self.path("a").is_file())

    async def test_a_key_stays_where_it_lives(self) -> None:
        await self.put("a/b", b"1")
        await self.put("a", b"2")
        await self.store.delete_object(BUCKET, "a/b")
        await self.put("a", b"3")
        self.assertFalse(self.path("a").exists())
        self.assertEqual(await self.get("a"), b"3")
        # Nothing behind a file that was put by hand comes back when it is deleted.
        self.path("a").write_bytes(b"by hand")
        self.assertEqual(await self.get("a"), b"by hand")
        self.assertEqual(await self.keys(), ["a"])
        await self.store.delete_object(BUCKET, "a")
        await self.refused("NoSuchKey", self.store.head_object(BUCKET, "a"))
        await self.put("a", b"4")
        self.assertTrue(self.path("a").is_file())

    async def test_folders_go_with_their_last_key(self) -> None:
        await self.put("a/b/c", b"1")
        await self.put("a/d", b"1")
        await self.store.delete_object(BUCKET, "a/b/c")
        self.assertEqual(self.files(BUCKET), ["a/d"])
        await self.store.delete_object(BUCKET, "a/d")
        self.assertEqual(os.listdir(self.root / BUCKET), [])

    async def test_coming_and_going_at_once(self) -> None:
        async def churn(key: str) -> object:
            for _ in range(40):
                await self.put(key, b"1")
                self.assertTrue(await self.store.delete_object(BUCKET, key))
            return None

        keys = ("a", "a/b", "a/b/c", "a/b/d", "a/", "a/e")
        self.assertEqual(await self.together(churn(key) for key in keys), [None] * len(keys))
        self.assertEqual(os.listdir(self.root / BUCKET), [])
        await self.store.delete_bucket(BUCKET)

    async def test_unreadable(self) -> None:
        self.path("x").write_bytes(b"1")
        self.path("x").chmod(0)
        if os.access(self.path("x"), os.R_OK):
            return
        try:
            await self.store.open_object(BUCKET, "x")
        except S3Error as error:
            self.assertEqual(error.code, "AccessDenied")
