"""The promises of ``IObjectStore`` to witnesses as tests."""

from __future__ import annotations

from msgspec import structs

from tests.storage.kit import BUCKET, PlainPayload, StoreKit, just, refuse
from twisted_s3.errors import S3Error
from twisted_s3.model import ENABLED, SUSPENDED, Deletion, ObjectVersion, Properties


class Observer:
    """A witness that keeps what it hears, in order.

    :ivar heard: what was about to be committed, and ``committed`` or ``withdrawn`` at its end.
    """

    def __init__(self, error: Exception | None = None) -> None:
        self.heard: list[object] = []
        self.error = error

    def __call__(self, change: ObjectVersion | Deletion) -> Observer:
        if self.error is not None:
            raise self.error
        self.heard.append(change)
        return self

    def committed(self) -> None:
        """See `Pending`."""
        self.heard.append("committed")

    def withdrawn(self) -> None:
        """See `Pending`."""
        self.heard.append("withdrawn")


class WitnessContract(StoreKit):
    """Whoever watches a commit hears of it before, with all that will be, and after."""

    async def witnessed_put(self, key: str, body: bytes, observer: Observer) -> ObjectVersion:
        """Put an object."""
        staged = await self.store.stage(BUCKET, PlainPayload())
        try:
            await staged.write(body)
            return await staged.commit(key, Properties(), owner="o", witness=observer)
        finally:
            await staged.discard()

    async def test_witnessed_put_and_delete(self) -> None:
        for status in ("", ENABLED, SUSPENDED):
            await self.store.change_bucket(BUCKET, lambda bucket, to=status: structs.replace(bucket, versioning=to))
            for body in (b"one", b"two"):
                observer = Observer()
                made = await self.witnessed_put("k", body, observer)
                self.assertEqual(observer.heard, [made, "committed"])
            observer = Observer()
            gone = await self.store.delete_object(BUCKET, "k", witness=observer)
            self.assertEqual(observer.heard, [gone, "committed"])
        observer = Observer()
        made = await self.witnessed_put("k", b"three", observer)
        gone = await self.store.delete_object(BUCKET, "k", version_id=made.version_id, witness=observer)
        self.assertEqual(observer.heard, [made, "committed", gone, "committed"])

    async def test_witnessed_nothing(self) -> None:
        observer = Observer()
        await self.store.delete_object(BUCKET, "never there", witness=observer)
        await self.store.delete_object(BUCKET, "never there", version_id="null", witness=observer)
        await self.put("k", b"v")
        await self.refused("PreconditionFailed", self.store.delete_object(BUCKET, "k", refuse, witness=observer))
        await self.refused("PreconditionFailed", self.store.rename_object(BUCKET, "k", "l", refuse, witness=observer))
        self.assertEqual(observer.heard, [])

    async def test_witnessed_change(self) -> None:
        await self.put("k", b"v")
        observer = Observer()
        tagged = Properties(tags={"a": "b"})
        changed = await self.store.change_object(
            BUCKET, "k", lambda version: structs.replace(version, properties=tagged), witness=observer
        )
        self.assertEqual(observer.heard, [changed, "committed"])

    async def test_witnessed_rename(self) -> None:
        await self.put("k", b"v")
        observer = Observer()
        moved = await self.store.rename_object(BUCKET, "k", "l", witness=observer)
        told = [said for said in observer.heard if isinstance(said, ObjectVersion | Deletion)]
        self.assertCountEqual(told, [moved, Deletion(True)])
        self.assertEqual(observer.heard.count("committed"), 2)
        await self.store.change_bucket(BUCKET, lambda bucket: structs.replace(bucket, versioning=ENABLED))
        observer = Observer()
        moved = await self.store.rename_object(BUCKET, "l", "m", witness=observer)
        self.assertEqual(observer.heard[:2], [moved, "committed"])
        marker = observer.heard[2]
        assert isinstance(marker, Deletion)
        self.assertTrue(marker.delete_marker)
        self.assertEqual(observer.heard[3:], ["committed"])

    async def test_witnessed_completion(self) -> None:
        upload = await self.begin("big")
        part = await self.put_part(upload, 1, b"p" * 1000)
        observer = Observer()
        made = await self.store.complete_upload(BUCKET, "big", upload.id, just([part]), witness=observer)
        self.assertEqual(observer.heard, [made, "committed"])

    async def test_witness_that_refuses(self) -> None:
        await self.put("k", b"v")
        observer = Observer(S3Error("ServiceUnavailable"))
        await self.refused("ServiceUnavailable", self.witnessed_put("k", b"new", observer))
        await self.refused("ServiceUnavailable", self.store.delete_object(BUCKET, "k", witness=observer))
        await self.refused("ServiceUnavailable", self.store.rename_object(BUCKET, "k", "l", witness=observer))
        self.assertEqual((await self.get("k"), await self.keys()), (b"v", ["k"]))
