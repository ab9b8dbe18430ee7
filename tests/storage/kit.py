"""What the store tests share: a payload, and a test case around a store."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Coroutine, Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, gatherResults
from zope.interface import implementer

from twisted_s3.errors import S3Error
from twisted_s3.interfaces import Choice, Condition, IObjectStore, IOpenedObject, IPayload, always
from twisted_s3.model import Assembly, Digest, ObjectVersion, Part, Properties, Upload
from twisted_s3.protocol.payload import Payload
from twisted_s3.protocol.walks import KeyWalk

if TYPE_CHECKING:
    from twisted.trial.unittest import TestCase as _Base
else:
    _Base = object

BUCKET = "bucket"
OTHER = "other-bucket"
OWNER = "0123456789abcdef" * 4


def md5(body: bytes) -> str:
    """The MD5 of ``body`` in hex."""
    return hashlib.md5(body).hexdigest()


def pattern(size: int, seed: int = 0) -> bytes:
    """``size`` bytes in which no two places look alike, and no two seeds."""
    return hashlib.shake_128(b"%d" % seed).digest(size)


@implementer(IPayload)
class PlainPayload:
    """Bytes in two pieces, with checksums as told, and refusals to order.

    :param refuse_after: `feed` refuses with ``SignatureDoesNotMatch`` what goes beyond so many bytes.
    :param refuse_finish: `finish` refuses with ``BadDigest``.
    """

    def __init__(
        self,
        checksums: Mapping[str, str] | None = None,
        refuse_after: int | None = None,
        refuse_finish: bool = False,
    ) -> None:
        self._checksums = checksums or {}
        self._refuse_after = refuse_after
        self._refuse_finish = refuse_finish
        self._hash = hashlib.md5()
        self._size = 0

    def feed(self, data: bytes) -> Sequence[bytes]:
        """Take bytes, and give them in two pieces."""
        self._size += len(data)
        if self._refuse_after is not None and self._size > self._refuse_after:
            raise S3Error("SignatureDoesNotMatch")
        self._hash.update(data)
        middle = len(data) // 2
        return [data[:middle], data[middle:]]

    def finish(self) -> Digest:
        """What was fed."""
        if self._refuse_finish:
            raise S3Error("BadDigest")
        return Digest(self._size, self._hash.hexdigest(), dict(self._checksums))

    def adopt(self, known: Digest) -> Digest | None:
        """What was fed elsewhere, unless something is to be refused."""
        refuses = self._refuse_finish or self._refuse_after is not None
        return None if refuses else Digest(known.size, known.md5, dict(self._checksums))


def refuse(current: ObjectVersion | None) -> None:
    """A condition that always refuses."""
    raise S3Error("PreconditionFailed")


def only_if_absent(current: ObjectVersion | None) -> None:
    """``If-None-Match: *``."""
    if current is not None:
        raise S3Error("PreconditionFailed")


def just(parts: Sequence[Part], etag: str = "0" * 32 + "-9", checksums: Mapping[str, str] | None = None) -> Choice:
    """Takes just these parts, as they were told when they were committed."""

    def choose(committed: Sequence[Part]) -> Assembly:
        known = {part.number: part for part in committed}
        for part in parts:
            if known.get(part.number) != part:
                raise S3Error("InvalidPart", elements={"PartNumber": str(part.number)})
        return Assembly(parts, etag, checksums or {}, "COMPOSITE")

    return choose


class StoreKit(_Base):
    """A test case with a store that holds two empty buckets."""

    store: IObjectStore

    def make_store(self) -> IObjectStore:
        """A new, empty store that shares nothing with any other."""
        raise NotImplementedError

    async def setUp(self) -> None:
        self.store = self.make_store()
        await self.store.start()
        # Not in tearDown, which trial calls after the cleanups: one of them may remove what the store lies in.
        self.addCleanup(self.store.stop)
        for bucket in (BUCKET, OTHER):
            await self.store.create_bucket(bucket, OWNER, "us-east-1")

    async def refused(self, code: str, attempt: Awaitable[object]) -> S3Error:
        """Await ``attempt``, which has to be refused with ``code``."""
        try:
            result = await attempt
        except S3Error as error:
            self.assertEqual(error.code, code)
            return error
        return self.fail(f"{code} was due, not {result!r}")

    async def together(self, attempts: Iterable[Coroutine[Any, Any, object]]) -> list[object]:
        """Start all attempts at once; give their results, with S3 errors as results."""

        async def settle(attempt: Coroutine[Any, Any, object]) -> object:
            try:
                return await attempt
            except S3Error as error:
                return error

        started = [Deferred.fromCoroutine(settle(attempt)) for attempt in attempts]
        return list(await gatherResults(started, consumeErrors=True))

    async def put(
        self,
        key: str,
        body: bytes = b"",
        *,
        bucket: str = BUCKET,
        properties: Properties | None = None,
        condition: Condition = always,
        payload: IPayload | None = None,
        pieces: int = 1 << 18,
    ) -> ObjectVersion:
        """Store an object; what is refused is discarded, as the web layer does."""
        staged = await self.store.stage(bucket, payload or Payload())
        try:
            for offset in range(0, len(body), pieces):
                await staged.write(body[offset : offset + pieces])
            return await staged.commit(key, properties or Properties(), condition, OWNER)
        finally:
            await staged.discard()

    async def read(self, opened: IOpenedObject) -> bytes:
        """All bytes of an opened object."""
        return bytes(await opened.read(0, opened.version.size))

    async def get(self, key: str, bucket: str = BUCKET) -> bytes:
        """All bytes of an object."""
        opened = await self.store.open_object(bucket, key)
        try:
            self.assertEqual(opened.version.key, key)
            return await self.read(opened)
        finally:
            opened.close()

    async def keys(self, start: str = "", bucket: str = BUCKET, limit: int | None = None) -> list[str]:
        """The keys from ``start`` on, which have to come with their metadata."""

        def page(walk: KeyWalk) -> list[str]:
            return list(islice(walk(start), limit))

        found, versions = await self.store.list_keys(bucket, page, list)
        self.assertEqual([version.key for version in versions], found)
        return found

    async def begin(self, key: str = "big", bucket: str = BUCKET, properties: Properties | None = None) -> Upload:
        """Begin a multipart upload."""
        return await self.store.create_upload(bucket, key, properties or Properties(), OWNER)

    async def put_part(self, upload: Upload, number: int, body: bytes, payload: IPayload | None = None) -> Part:
        """Store a part; what is refused is discarded."""
        staged = await self.store.stage_part(BUCKET, upload.key, upload.id, number, len(body), payload or Payload())
        try:
            for offset in range(0, len(body), 1 << 18):
                await staged.write(body[offset : offset + (1 << 18)])
            return await staged.commit()
        finally:
            await staged.discard()

    async def parts(self, upload: Upload) -> Sequence[Part]:
        """The parts of an upload."""
        return await self.store.list_parts(BUCKET, upload.key, upload.id)

    async def complete(
        self, upload: Upload, parts: Sequence[Part], condition: Condition = always, etag: str = "0" * 32 + "-9"
    ) -> ObjectVersion:
        """Complete an upload with a checksum of the whole."""
        choose = just(parts, etag, {"CRC32": "AAAAAA=="})
        return await self.store.complete_upload(BUCKET, upload.key, upload.id, choose, condition)
