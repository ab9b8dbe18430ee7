"""The promises of ``IObjectStore`` as tests. Every store runs them all, unchanged."""

from __future__ import annotations

from msgspec import structs

from tests.storage.configuration_contract import ConfigurationContract
from tests.storage.encryption_contract import EncryptionContract
from tests.storage.key_contract import KeyContract
from tests.storage.kit import (
    BUCKET,
    OTHER,
    OWNER,
    PlainPayload,
    StoreKit,
    just,
    md5,
    only_if_absent,
    pattern,
    refuse,
)
from tests.storage.rename_contract import RenameContract
from tests.storage.upload_contract import UploadContract
from tests.storage.version_contract import VersionContract
from tests.storage.witness_contract import WitnessContract
from twisted_s3.errors import S3Error
from twisted_s3.interfaces import IObjectStore, IOpenedObject
from twisted_s3.model import FULL_OBJECT, NULL_VERSION, ByteRange, Deletion, ObjectVersion, Properties

PROPERTIES = Properties(
    headers={"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-cache", "Expires": "never"},
    user={"plain": "x", "unicode": "Zoë 🐈 \u0301", "empty": "", "long": "y" * 1500},
    tags={"colour": "blau", "größe": "ü/=+-@:.", "leer": ""},
    storage_class="STANDARD_IA",
)


class BucketContract(StoreKit):
    """Buckets."""

    async def test_bucket_round_trip(self) -> None:
        made = await self.store.create_bucket("a-third", OWNER, "eu-west-1")
        self.assertEqual((made.name, made.owner, made.region), ("a-third", OWNER, "eu-west-1"))
        self.assertEqual(await self.store.get_bucket("a-third"), made)

    async def test_buckets_by_name(self) -> None:
        for name in ("zz.z", "aaa", "mm-m"):
            await self.store.create_bucket(name, "", "")
        listed = await self.store.list_buckets()
        self.assertEqual([bucket.name for bucket in listed], ["aaa", BUCKET, "mm-m", OTHER, "zz.z"])
        self.assertEqual(listed[1], await self.store.get_bucket(BUCKET))

    async def test_bucket_already_exists(self) -> None:
        before = await self.store.get_bucket(BUCKET)
        for owner in (OWNER, "someone else"):
            await self.refused("BucketAlreadyExists", self.store.create_bucket(BUCKET, owner, "eu-west-1"))
        self.assertEqual(await self.store.get_bucket(BUCKET), before)

    async def test_one_creator(self) -> None:
        async def create(owner: str) -> object:
            return await self.store.create_bucket("contested", owner, "")

        results = await self.together(create(str(number)) for number in range(8))
        errors = [result.code for result in results if isinstance(result, S3Error)]
        self.assertEqual(errors, ["BucketAlreadyExists"] * 7)

    async def test_delete_bucket(self) -> None:
        await self.store.delete_bucket(BUCKET)
        await self.refused("NoSuchBucket", self.store.get_bucket(BUCKET))
        self.assertEqual([bucket.name for bucket in await self.store.list_buckets()], [OTHER])
        await self.refused("NoSuchBucket", self.store.delete_bucket(BUCKET))

    async def test_bucket_not_empty(self) -> None:
        for key in ("x", "deep/er/x", "dir/", "y" * 300, "."):
            await self.put(key, b"1")
            await self.refused("BucketNotEmpty", self.store.delete_bucket(BUCKET))
            self.assertEqual(await self.get(key), b"1")
            await self.store.delete_object(BUCKET, key)
        await self.store.delete_bucket(BUCKET)

    async def test_bucket_made_anew_is_empty(self) -> None:
        upload = await self.begin("x")
        await self.put_part(upload, 1, b"part")
        await self.put("x/y/z", b"1", properties=PROPERTIES)
        await self.put("/", b"1")
        for key in ("x/y/z", "/"):
            await self.store.delete_object(BUCKET, key)
        await self.store.delete_bucket(BUCKET)
        await self.store.create_bucket(BUCKET, "new owner", "")
        self.assertEqual((await self.store.get_bucket(BUCKET)).owner, "new owner")
        self.assertEqual(await self.keys(), [])
        self.assertEqual(await self.store.list_uploads(BUCKET), [])
        await self.refused("NoSuchUpload", self.store.get_upload(BUCKET, "x", upload.id))

    async def test_bucket_deleted_during_write(self) -> None:
        staged = await self.store.stage(BUCKET, PlainPayload())
        await staged.write(b"late")
        await self.store.delete_bucket(BUCKET)
        await self.refused("NoSuchBucket", staged.commit("x", Properties()))
        await staged.discard()
        await self.refused("NoSuchBucket", self.store.get_bucket(BUCKET))

    async def test_no_such_bucket(self) -> None:
        store = self.store
        for attempt in (
            store.get_bucket("absent"),
            store.delete_bucket("absent"),
            store.open_object("absent", "x"),
            store.head_object("absent", "x"),
            store.stage("absent", PlainPayload()),
            store.change_object("absent", "x", lambda version: version),
            store.delete_object("absent", "x"),
            store.rename_object("absent", "x", "y"),
            store.list_versions("absent", lambda walk: list(walk.keys(""))),
            store.list_keys("absent", lambda walk: list(walk("")), list),
            store.create_upload("absent", "x", Properties(), OWNER),
            store.get_upload("absent", "x", "id"),
            store.list_uploads("absent"),
            store.stage_part("absent", "x", "id", 1, 0, PlainPayload()),
            store.list_parts("absent", "x", "id"),
            store.complete_upload("absent", "x", "id", just([])),
            store.abort_upload("absent", "x", "id"),
        ):
            await self.refused("NoSuchBucket", attempt)
        self.assertEqual(len(await store.list_buckets()), 2)

    async def test_stores_do_not_meet(self) -> None:
        await self.put("x", b"1")
        second: IObjectStore = self.make_store()
        await second.start()
        try:
            self.assertEqual(await second.list_buckets(), [])
            await second.create_bucket(BUCKET, "", "")
            await self.refused("NoSuchKey", second.head_object(BUCKET, "x"))
        finally:
            await second.stop()


class ObjectContract(StoreKit):
    """One object: written, read, changed, deleted."""

    async def test_round_trip(self) -> None:
        body = pattern(3 << 20)
        made = await self.put("photos/cat.jpg", body, properties=PROPERTIES)
        self.assertEqual((made.key, made.size, made.etag), ("photos/cat.jpg", 3 << 20, md5(body)))
        self.assertEqual((made.owner, made.version_id, made.upload_id, made.parts), (OWNER, NULL_VERSION, "", ()))
        self.assertEqual(await self.store.head_object(BUCKET, "photos/cat.jpg"), made)
        opened = await self.store.open_object(BUCKET, "photos/cat.jpg")
        self.addCleanup(opened.close)
        self.assertEqual(opened.version, made)
        self.assertEqual(await self.read(opened), body)

    async def test_properties_come_back(self) -> None:
        made = await self.put("x", b"1", properties=PROPERTIES)
        self.assertEqual(made.properties, PROPERTIES)
        self.assertEqual((await self.store.head_object(BUCKET, "x")).properties, PROPERTIES)

    async def test_large_properties_come_back(self) -> None:
        """As many bytes as S3 allows: more than the extended attributes of some filesystems hold."""
        large = Properties(
            headers={"Content-Disposition": "ü" * 2000},
            user={f"name-{number}": "🐈" * 50 for number in range(10)},
            tags={"k" * 127 + str(number): "w" * 256 for number in range(10)},
        )
        await self.put("x", b"1", properties=large)
        self.assertEqual((await self.store.head_object(BUCKET, "x")).properties, large)
        await self.put("x", b"2", properties=PROPERTIES)
        self.assertEqual((await self.store.head_object(BUCKET, "x")).properties, PROPERTIES)

    async def test_checksums_come_back(self) -> None:
        checksums = {"CRC32": "y/Q5Jg==", "SHA256": "x" * 43 + "="}
        made = await self.put("x", b"123456789", payload=PlainPayload(checksums))
        found = await self.store.head_object(BUCKET, "x")
        self.assertEqual((found.checksums, found.checksum_type), (checksums, FULL_OBJECT))
        self.assertEqual(found, made)

    async def test_zero_bytes(self) -> None:
        made = await self.put("empty")
        self.assertEqual((made.size, made.etag), (0, md5(b"")))
        self.assertEqual(await self.get("empty"), b"")

    async def test_many_small_writes(self) -> None:
        body = pattern(1000)
        await self.put("x", body, pieces=7)
        self.assertEqual(await self.get("x"), body)

    async def test_read_pieces(self) -> None:
        body = pattern(100_000)
        await self.put("x", body)
        opened = await self.store.open_object(BUCKET, "x")
        for offset, length in ((0, 1), (99_999, 1), (12_345, 54_321), (5, 0), (100_000, 0)):
            self.assertEqual(await opened.read(offset, length), body[offset : offset + length])
        for offset, length in ((0, 100_001), (99_999, 2), (100_000, 1)):
            with self.assertRaises(OSError):
                await opened.read(offset, length)
        opened.close()
        opened.close()

    async def test_nothing_visible_before_commit(self) -> None:
        staged = await self.store.stage(BUCKET, PlainPayload())
        await self._assert_absent("new")
        await staged.write(pattern(1 << 20))
        await self._assert_absent("new")
        await staged.commit("new", Properties())
        self.assertEqual(await self.keys(), ["new"])

    async def test_overwrite_not_visible_before_commit(self) -> None:
        before = await self.put("x", b"old", properties=PROPERTIES)
        staged = await self.store.stage(BUCKET, PlainPayload())
        await staged.write(b"newer")
        self.assertEqual(await self.store.head_object(BUCKET, "x"), before)
        self.assertEqual(await self.get("x"), b"old")
        after = await staged.commit("x", Properties())
        self.assertEqual(await self.store.head_object(BUCKET, "x"), after)
        self.assertEqual((await self.get("x"), after.properties), (b"newer", Properties()))

    async def test_discard(self) -> None:
        staged = await self.store.stage(BUCKET, PlainPayload())
        await staged.discard()
        staged = await self.store.stage(BUCKET, PlainPayload())
        await staged.write(pattern(1 << 20))
        await staged.discard()
        await staged.discard()
        await self._assert_absent("x")
        await self.store.delete_bucket(BUCKET)

    async def test_discard_after_commit_does_nothing(self) -> None:
        staged = await self.store.stage(BUCKET, PlainPayload())
        await staged.write(b"kept")
        await staged.commit("x", Properties())
        await staged.discard()
        self.assertEqual(await self.get("x"), b"kept")

    async def test_payload_refuses_in_feed(self) -> None:
        await self.put("old", b"old")
        for key in ("new", "old"):
            attempt = self.put(key, pattern(1 << 20), payload=PlainPayload(refuse_after=500_000))
            await self.refused("SignatureDoesNotMatch", attempt)
        self.assertEqual(await self.keys(), ["old"])
        self.assertEqual(await self.get("old"), b"old")

    async def test_payload_refuses_at_the_end(self) -> None:
        await self.put("old", b"old")
        for key in ("new", "old"):
            await self.refused("BadDigest", self.put(key, b"bad", payload=PlainPayload(refuse_finish=True)))
        self.assertEqual(await self.keys(), ["old"])
        self.assertEqual(await self.get("old"), b"old")

    async def test_condition_sees_the_current_version(self) -> None:
        seen: list[ObjectVersion | None] = []
        first = await self.put("x", b"1", properties=PROPERTIES, condition=seen.append)
        await self.put("x", b"2", condition=seen.append)
        self.assertEqual(seen, [None, first])

    async def test_condition_refuses_a_new_key(self) -> None:
        await self.refused("PreconditionFailed", self.put("deep/new", b"1", condition=refuse))
        await self._assert_absent("deep/new")
        await self.store.delete_bucket(BUCKET)

    async def test_condition_refuses_an_overwrite(self) -> None:
        before = await self.put("x", b"old", properties=PROPERTIES)
        await self.refused("PreconditionFailed", self.put("x", b"new", condition=refuse))
        self.assertEqual(await self.store.head_object(BUCKET, "x"), before)
        self.assertEqual(await self.get("x"), b"old")

    async def test_one_winner(self) -> None:
        """Of several writers that all ask for an absent key, one wins, and its bytes are there."""
        for key in ("x", "dir/x", "dir/", "."):
            results = await self.together(
                self.put(key, b"%d" % number * 1000, condition=only_if_absent) for number in range(8)
            )
            won = [result for result in results if isinstance(result, ObjectVersion)]
            self.assertEqual(len(won), 1, results)
            self.assertEqual(await self.store.head_object(BUCKET, key), won[0])
            self.assertEqual(md5(await self.get(key)), won[0].etag)

    async def test_writers_do_not_mix(self) -> None:
        bodies = [pattern(300_000, seed) for seed in range(4)]
        await self.together(self.put("x", body) for body in bodies)
        found = await self.store.head_object(BUCKET, "x")
        body = await self.get("x")
        self.assertIn(body, bodies)
        self.assertEqual(md5(body), found.etag)

    async def test_opened_object_survives_overwrite_and_delete(self) -> None:
        body = pattern(200_000)
        before = await self.put("x", body, properties=PROPERTIES)
        opened = await self.store.open_object(BUCKET, "x")
        self.addCleanup(opened.close)
        await self.put("x", b"other")
        self.assertEqual(await self.read(opened), body)
        await self.store.delete_object(BUCKET, "x")
        self.assertEqual(await self.read(opened), body)
        self.assertEqual(opened.version, before)

    async def test_delete(self) -> None:
        await self.put("x", b"1")
        self.assertEqual(await self.store.delete_object(BUCKET, "x"), Deletion(True))
        await self._assert_absent("x")
        self.assertEqual(await self.store.delete_object(BUCKET, "x"), Deletion(False))
        self.assertEqual(await self.store.delete_object(BUCKET, "never/there"), Deletion(False))

    async def test_delete_condition(self) -> None:
        seen: list[ObjectVersion | None] = []
        before = await self.put("x", b"1")
        await self.refused("PreconditionFailed", self.store.delete_object(BUCKET, "x", refuse))
        await self.refused("PreconditionFailed", self.store.delete_object(BUCKET, "absent", refuse))
        self.assertEqual(await self.store.head_object(BUCKET, "x"), before)
        await self.store.delete_object(BUCKET, "x", seen.append)
        await self.store.delete_object(BUCKET, "x", seen.append)
        self.assertEqual(seen, [before, None])

    async def test_change_object(self) -> None:
        before = await self.put("x", pattern(100_000), payload=PlainPayload({"CRC32": "AAAAAA=="}))
        opened = await self.store.open_object(BUCKET, "x")
        self.addCleanup(opened.close)
        after = await self.store.change_object(BUCKET, "x", _with_properties)
        self.assertEqual(after, structs.replace(before, properties=PROPERTIES))
        self.assertEqual(await self.store.head_object(BUCKET, "x"), after)
        self.assertEqual(await self.get("x"), pattern(100_000))
        self.assertEqual(opened.version, before)
        self.assertEqual(await self.read(opened), pattern(100_000))

    async def test_change_refused(self) -> None:
        def change(version: ObjectVersion) -> ObjectVersion:
            raise S3Error("PreconditionFailed")

        before = await self.put("x", b"1")
        await self.refused("PreconditionFailed", self.store.change_object(BUCKET, "x", change))
        await self.refused("NoSuchKey", self.store.change_object(BUCKET, "absent", _with_properties))
        self.assertEqual(await self.store.head_object(BUCKET, "x"), before)
        self.assertEqual(await self.keys(), ["x"])

    async def test_no_such_key(self) -> None:
        await self.put("there/is", b"1")
        await self.put("file", b"1")
        for key in (
            "absent",
            "there",
            "there/",
            "there/is/not",
            "there/is/",
            "file/",
            "file/x/y",
            "/file",
            ".",
            "z" * 999,
        ):
            await self.refused("NoSuchKey", self.store.head_object(BUCKET, key))
            await self.refused("NoSuchKey", self.store.open_object(BUCKET, key))
            self.assertEqual(await self.store.delete_object(BUCKET, key), Deletion(False))
        self.assertEqual(await self.keys(), ["file", "there/is"])

    async def test_buckets_do_not_share_keys(self) -> None:
        await self.put("x", b"1")
        await self.put("x", b"2", bucket=OTHER)
        await self.store.delete_object(BUCKET, "x")
        self.assertEqual(await self.get("x", OTHER), b"2")

    async def test_copy_whole(self) -> None:
        body = pattern(3 << 20)
        source = await self._opened("x", body)
        staged = await self.store.stage(OTHER, PlainPayload())
        await staged.copy_from(source, ByteRange(0, len(body)))
        made = await staged.commit("y", PROPERTIES)
        self.assertEqual((made.size, made.etag, made.properties), (len(body), md5(body), PROPERTIES))
        self.assertEqual(await self.get("y", OTHER), body)

    async def test_copy_range(self) -> None:
        body = pattern(2 << 20)
        source = await self._opened("x", body)
        for start, stop in ((0, 1), (5, 5), (1_000_001, 2_000_003), ((2 << 20) - 1, 2 << 20)):
            staged = await self.store.stage(OTHER, PlainPayload())
            await staged.copy_from(source, ByteRange(start, stop))
            made = await staged.commit("y", Properties())
            self.assertEqual((made.size, made.etag), (stop - start, md5(body[start:stop])))
            self.assertEqual(await self.get("y", OTHER), body[start:stop])

    async def test_copy_onto_itself(self) -> None:
        body = pattern(100_000)
        source = await self._opened("x", body)
        staged = await self.store.stage(BUCKET, PlainPayload())
        await staged.copy_from(source, ByteRange(0, len(body)))
        await staged.commit("x", PROPERTIES)
        self.assertEqual(await self.get("x"), body)
        self.assertEqual((await self.store.head_object(BUCKET, "x")).properties, PROPERTIES)

    async def test_copies_are_independent(self) -> None:
        source = await self._opened("x", b"shared")
        staged = await self.store.stage(BUCKET, PlainPayload())
        await staged.copy_from(source, ByteRange(0, 6))
        await self.put("x", b"changed")
        await self.store.delete_object(BUCKET, "x")
        await staged.commit("y", Properties())
        self.assertEqual(await self.get("y"), b"shared")
        await self._assert_absent("x")

    async def _opened(self, key: str, body: bytes) -> IOpenedObject:
        await self.put(key, body)
        opened = await self.store.open_object(BUCKET, key)
        self.addCleanup(opened.close)
        return opened

    async def _assert_absent(self, key: str) -> None:
        await self.refused("NoSuchKey", self.store.head_object(BUCKET, key))
        await self.refused("NoSuchKey", self.store.open_object(BUCKET, key))
        self.assertNotIn(key, await self.keys())


class StoreContract(
    BucketContract,
    ConfigurationContract,
    EncryptionContract,
    ObjectContract,
    KeyContract,
    RenameContract,
    UploadContract,
    VersionContract,
    WitnessContract,
):
    """All of it. Mix it into a trial ``TestCase`` that has ``make_store``."""


def _with_properties(version: ObjectVersion) -> ObjectVersion:
    return structs.replace(version, properties=PROPERTIES)
