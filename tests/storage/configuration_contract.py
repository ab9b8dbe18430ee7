"""What is recorded about a bucket, as a part of the contract: its state, and its configuration documents."""

from __future__ import annotations

from msgspec import structs

from tests.storage.kit import BUCKET, OTHER, OWNER, StoreKit
from twisted_s3.errors import S3Error
from twisted_s3.model import ENABLED, SUSPENDED, Bucket


class ConfigurationContract(StoreKit):
    """Configuration documents and the state of a bucket."""

    async def test_configurations(self) -> None:
        store = self.store
        self.assertIsNone(await store.get_configuration(BUCKET, "policy"))
        for document in (b"{}", b"", bytes(range(256)), "\U0001f408 \n".encode() * 10_000):
            await store.put_configuration(BUCKET, "policy", document)
            self.assertEqual(await store.get_configuration(BUCKET, "policy"), document)
        await store.put_configuration(BUCKET, "cors", b"<CORSConfiguration/>")
        self.assertEqual(set((await store.get_bucket(BUCKET)).configurations), {"policy", "cors"})
        await store.delete_configuration(BUCKET, "policy")
        await store.delete_configuration(BUCKET, "policy")
        self.assertIsNone(await store.get_configuration(BUCKET, "policy"))
        self.assertEqual(await store.get_configuration(BUCKET, "cors"), b"<CORSConfiguration/>")
        self.assertIsNone(await store.get_configuration(OTHER, "cors"))

    async def test_they_go_with_their_bucket(self) -> None:
        await self.store.put_configuration(BUCKET, "policy", b"{}")
        await self.store.delete_bucket(BUCKET)
        await self.refused("NoSuchBucket", self.store.get_configuration(BUCKET, "policy"))
        await self.store.create_bucket(BUCKET, OWNER, "")
        self.assertIsNone(await self.store.get_configuration(BUCKET, "policy"))

    async def test_a_bucket_made_with_them(self) -> None:
        made = await self.store.create_bucket("third", OWNER, "", True, {"ownership": b"x"})
        self.assertEqual((made.versioning, made.object_lock, made.configurations), (ENABLED, True, {"ownership": b"x"}))
        self.assertEqual(await self.store.get_bucket("third"), made)
        bucket = await self.store.get_bucket(BUCKET)
        self.assertEqual((bucket.versioning, bucket.object_lock, bucket.configurations), ("", False, {}))

    async def test_change_bucket(self) -> None:
        before = await self.store.get_bucket(BUCKET)
        for state in (ENABLED, SUSPENDED):
            changed = await self.store.change_bucket(BUCKET, lambda known: structs.replace(known, versioning=state))  # noqa: B023
            self.assertEqual(changed, structs.replace(before, versioning=state))
            self.assertEqual(await self.store.get_bucket(BUCKET), changed)

        def refuse(known: Bucket) -> Bucket:
            raise S3Error("InvalidBucketState")

        await self.refused("InvalidBucketState", self.store.change_bucket(BUCKET, refuse))
        self.assertEqual(await self.store.get_bucket(BUCKET), changed)

    async def test_changes_do_not_undo_each_other(self) -> None:
        async def put(number: int) -> object:
            return await self.store.put_configuration(BUCKET, str(number), b"%d" % number)

        await self.together(put(number) for number in range(8))
        found = (await self.store.get_bucket(BUCKET)).configurations
        self.assertEqual(found, {str(number): b"%d" % number for number in range(8)})

    async def test_no_bucket_to_configure(self) -> None:
        for attempt in (
            self.store.get_configuration("absent", "x"),
            self.store.put_configuration("absent", "x", b""),
            self.store.delete_configuration("absent", "x"),
            self.store.change_bucket("absent", lambda known: known),
        ):
            await self.refused("NoSuchBucket", attempt)
