"""What every store does with objects that are encrypted."""

from __future__ import annotations

from msgspec import structs

from tests.storage.kit import BUCKET, OWNER, StoreKit, md5, pattern
from twisted_s3.errors import S3Error
from twisted_s3.interfaces import IPayload
from twisted_s3.model import ENABLED, SSE_C, ByteRange, Encryption, ObjectVersion, Properties, Upload
from twisted_s3.protocol.encryption.frames import stored_size
from twisted_s3.protocol.encryption.sealing import Decipher, SealedPayload
from twisted_s3.protocol.payload import Payload

DATA_KEY = b"k" * 32
ENCRYPTION = Encryption(SSE_C, b"wrapped", "id", "name", "context", True)


def sealed(number: int = 0) -> IPayload:
    """A payload that encrypts."""
    return SealedPayload(Payload(), DATA_KEY, ENCRYPTION, number)


class EncryptionContract(StoreKit):
    """Sizes are those of the plain bytes, which come out only with the key."""

    async def decrypted(
        self, key: str, start: int = 0, stop: int | None = None, version_id: str | None = None
    ) -> bytes:
        """Bytes of an object."""
        opened = await self.store.open_object(BUCKET, key, version_id)
        try:
            self.assertEqual(opened.version.encryption, ENCRYPTION)
            opened.unlock(Decipher(DATA_KEY, opened.version))
            stop = opened.version.size if stop is None else stop
            return bytes(await opened.read(start, stop - start))
        finally:
            opened.close()

    async def encrypted_upload(self, sizes: dict[int, int], key: str = "big") -> tuple[Upload, bytes]:
        """An upload that was completed, and its bytes."""
        upload = await self.store.create_upload(BUCKET, key, Properties(), OWNER, encryption=ENCRYPTION)
        bodies = {number: pattern(size, number) for number, size in sizes.items()}
        for number, body in bodies.items():
            staged = await self.store.stage_part(BUCKET, key, upload.id, number, stored_size(len(body)), sealed(number))
            await staged.write(body)
            part = await staged.commit()
            self.assertEqual(part.size, len(body))
            self.assertNotEqual(part.etag, md5(body))
        await self.complete(upload, await self.parts(upload))
        return upload, b"".join(bodies[number] for number in sorted(bodies))

    async def test_encrypted_object(self) -> None:
        """Metadata, listing and ranges."""
        body = pattern(300_000)
        version = await self.put("key", body, payload=sealed())
        self.assertEqual((version.size, version.encryption), (len(body), ENCRYPTION))
        self.assertNotEqual(version.etag, md5(body))
        self.assertEqual(
            structs.replace(await self.store.head_object(BUCKET, "key"), last_modified=0.0),
            structs.replace(version, last_modified=0.0),
        )
        self.assertEqual(await self.decrypted("key"), body)
        self.assertEqual(await self.decrypted("key", 65_000, 140_000), body[65_000:140_000])
        _, (listed,) = await self.store.list_keys(BUCKET, lambda walk: list(walk("")), list)
        self.assertEqual(listed.size, len(body))

    async def test_locked(self) -> None:
        """Nothing is given without the key, nor a descriptor with it."""
        await self.put("key", b"secret", payload=sealed())
        opened = await self.store.open_object(BUCKET, "key")
        with self.assertRaises(OSError):
            await opened.read(0, 6)
        opened.unlock(Decipher(b"x" * 32, opened.version))
        with self.assertRaises(OSError):
            await opened.read(0, 6)
        self.assertIsNone(opened.fileno())
        opened.close()

    async def test_encrypted_parts(self) -> None:
        """Parts of equal and other sizes, in any order, with a gap."""
        for sizes in (
            {1: 70_000, 2: 70_000, 3: 5},
            {2: 70_000, 1: 70_000},
            {1: 5, 2: 100_000, 9: 0},
            {3: 70_000},
            {1: 0},
        ):
            _, body = await self.encrypted_upload(sizes)
            version = await self.store.head_object(BUCKET, "big")
            self.assertEqual((version.size, version.encryption), (len(body), ENCRYPTION))
            self.assertEqual(await self.decrypted("big"), body)
            middle = len(body) // 2
            self.assertEqual(await self.decrypted("big", middle, len(body)), body[middle:])

    async def test_part_sent_again(self) -> None:
        """Of a part that is sent twice the later one counts."""
        upload = await self.store.create_upload(BUCKET, "big", Properties(), OWNER, encryption=ENCRYPTION)
        for seed in (1, 2):
            staged = await self.store.stage_part(BUCKET, "big", upload.id, 1, stored_size(70_000), sealed(1))
            await staged.write(pattern(70_000, seed))
            await staged.commit()
        self.assertEqual((await self.store.get_upload(BUCKET, "big", upload.id)).encryption, ENCRYPTION)
        await self.complete(upload, await self.parts(upload))
        self.assertEqual(await self.decrypted("big"), pattern(70_000, 2))

    async def test_part_of_another_size(self) -> None:
        """A part that comes to another size than was declared is refused."""
        upload = await self.store.create_upload(BUCKET, "big", Properties(), OWNER, encryption=ENCRYPTION)
        staged = await self.store.stage_part(BUCKET, "big", upload.id, 1, stored_size(10), sealed(1))
        await staged.write(b"123")
        with self.assertRaises(S3Error) as caught:
            await staged.commit()
        self.assertEqual(caught.exception.code, "IncompleteBody")
        self.assertEqual(await self.parts(upload), [])

    async def test_encrypted_copy(self) -> None:
        """What is copied from an unlocked object are its plain bytes."""
        body = pattern(300_000)
        await self.put("key", body, payload=sealed())
        opened = await self.store.open_object(BUCKET, "key")
        opened.unlock(Decipher(DATA_KEY, opened.version))
        for target, payload in (("plain", Payload()), ("sealed", sealed())):
            staged = await self.store.stage(BUCKET, payload)
            await staged.copy_from(opened, ByteRange(0, len(body)))
            await staged.commit(target, Properties())
        opened.close()
        self.assertEqual(await self.get("plain"), body)
        self.assertEqual(await self.decrypted("sealed"), body)

    async def test_encrypted_versions(self) -> None:
        """Noncurrent versions, renamed ones and those with other tags stay readable."""
        await self.put("key", pattern(100_000, 1), payload=sealed())
        await self.store.change_bucket(BUCKET, lambda bucket: structs.replace(bucket, versioning=ENABLED))
        await self.put("key", pattern(100_000, 2), payload=sealed())

        def tag(version: ObjectVersion) -> ObjectVersion:
            return structs.replace(version, properties=Properties(tags={"a": "b"}))

        await self.store.change_object(BUCKET, "key", tag)
        await self.store.rename_object(BUCKET, "key", "new")
        self.assertEqual(await self.decrypted("new"), pattern(100_000, 2))
        self.assertEqual(await self.decrypted("key", version_id="null"), pattern(100_000, 1))
