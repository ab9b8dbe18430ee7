"""The memory store: the contract, its limit and its reset."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from tests.storage.contract import StoreContract
from tests.storage.kit import BUCKET, OTHER, PlainPayload, StoreKit, pattern
from twisted_s3.interfaces import IObjectStore, IOpenedObject, IStagedBody, IStagedPart
from twisted_s3.model import Properties
from twisted_s3.storage.memory import MemoryStore


class MemoryStoreContractTests(StoreContract, TestCase):
    """The contract."""

    def make_store(self) -> MemoryStore:
        return MemoryStore(Clock())


class LimitTests(StoreKit, TestCase):
    """No more bytes than allowed, and every byte is given back."""

    store: MemoryStore

    def make_store(self) -> MemoryStore:
        return MemoryStore(Clock(), limit_bytes=1000)

    async def test_beyond_the_limit(self) -> None:
        await self.put("x", bytes(600))
        await self.refused("ServiceUnavailable", self.put("y", bytes(401)))
        self.assertEqual(self.store.used_bytes, 600)
        await self.put("y", bytes(400))
        self.assertEqual(await self.keys(), ["x", "y"])
        await self.refused("ServiceUnavailable", self.put("z", b"1"))
        self.assertEqual(await self.get("x"), bytes(600))

    async def test_staged_bytes_count(self) -> None:
        staged = await self.store.stage(BUCKET, PlainPayload())
        await staged.write(bytes(1000))
        await self.refused("ServiceUnavailable", self.put("x", b"1"))
        await staged.discard()
        await staged.discard()
        self.assertEqual(self.store.used_bytes, 0)
        await self.put("x", b"1")

    async def test_bytes_are_given_back(self) -> None:
        for _ in range(3):
            await self.put("x", bytes(400))
        self.assertEqual(self.store.used_bytes, 400)
        await self.refused("BadDigest", self.put("x", bytes(10), payload=PlainPayload(refuse_finish=True)))
        await self.refused("SignatureDoesNotMatch", self.put("x", bytes(10), payload=PlainPayload(refuse_after=1)))
        self.assertEqual(self.store.used_bytes, 400)
        await self.store.delete_object(BUCKET, "x")
        self.assertEqual(self.store.used_bytes, 0)

    async def test_uploads_are_given_back(self) -> None:
        upload = await self.begin()
        for number in (1, 2, 2):
            await self.put_part(upload, number, bytes(300))
        self.assertEqual(self.store.used_bytes, 600)
        await self.complete(upload, (await self.parts(upload))[:1])
        self.assertEqual(self.store.used_bytes, 300)
        await self.put_part(second := await self.begin(), 1, bytes(300))
        await self.store.abort_upload(BUCKET, second.key, second.id)
        self.assertEqual(self.store.used_bytes, 300)
        await self.put_part(await self.begin(), 1, bytes(300))
        await self.store.delete_object(BUCKET, "big")
        await self.store.delete_bucket(BUCKET)
        self.assertEqual(self.store.used_bytes, 0)

    async def test_complete_needs_no_second_room(self) -> None:
        upload = await self.begin()
        parts = [await self.put_part(upload, number, bytes(500)) for number in (1, 2)]
        await self.complete(upload, parts)
        self.assertEqual(self.store.used_bytes, 1000)

    async def test_reset(self) -> None:
        await self.put("x", bytes(500))
        staged = await self.store.stage(BUCKET, PlainPayload())
        await staged.write(bytes(300))
        self.store.reset()
        self.assertEqual(await self.store.list_buckets(), [])
        await self.refused("NoSuchBucket", staged.commit("x", Properties()))
        self.assertEqual(self.store.used_bytes, 0)
        await self.store.create_bucket(BUCKET, "", "")
        await self.put("x", bytes(1000))

    async def test_commit_after_reset_into_a_new_bucket(self) -> None:
        staged = await self.store.stage(BUCKET, PlainPayload())
        await staged.write(bytes(300))
        self.store.reset()
        await self.store.create_bucket(BUCKET, "", "")
        await staged.commit("x", Properties())
        await self.store.delete_object(BUCKET, "x")
        self.assertEqual(self.store.used_bytes, 0)


class StateTests(StoreKit, TestCase):
    """What is particular to this store."""

    clock: Clock

    def make_store(self) -> MemoryStore:
        self.clock = Clock()
        return MemoryStore(self.clock)

    async def test_times_are_the_clock_s(self) -> None:
        self.clock.advance(1000)
        self.assertEqual((await self.store.create_bucket("third", "", "")).created, 1000.0)
        self.assertEqual((await self.put("x")).last_modified, 1000.0)
        upload = await self.begin()
        self.assertEqual(upload.initiated, 1000.0)
        self.clock.advance(1)
        part = await self.put_part(upload, 1, b"1")
        self.assertEqual(part.last_modified, 1001.0)
        self.clock.advance(1)
        self.assertEqual((await self.complete(upload, [part])).last_modified, 1002.0)
        earlier = await self.begin("big")
        self.clock.advance(1)
        later = await self.begin("big")
        self.assertEqual(await self.store.list_uploads(BUCKET), [earlier, later])

    async def test_a_body_that_is_done_takes_no_more(self) -> None:
        staged = await self.store.stage(OTHER, PlainPayload())
        await staged.commit("x", Properties())
        with self.assertRaises(RuntimeError):
            await staged.write(b"1")
        with self.assertRaises(RuntimeError):
            await staged.commit("y", Properties())
        self.assertEqual(await self.keys(bucket=OTHER), ["x"])

    async def test_interfaces(self) -> None:
        verifyObject(IObjectStore, self.store)
        verifyObject(IStagedBody, await self.store.stage(BUCKET, PlainPayload()))
        await self.put("x", pattern(3))
        opened = await self.store.open_object(BUCKET, "x")
        verifyObject(IOpenedObject, opened)
        self.assertIsNone(opened.fileno())
        upload = await self.begin()
        verifyObject(IStagedPart, await self.store.stage_part(BUCKET, "big", upload.id, 1, 0, PlainPayload()))
