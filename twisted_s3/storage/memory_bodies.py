"""Bodies in memory: those that are being read, and those that wait for their commit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from zope.interface import implementer

from twisted_s3.errors import S3Error
from twisted_s3.interfaces import (
    Condition,
    IDecipher,
    IOpenedObject,
    IPayload,
    IStagedBody,
    IStagedPart,
    Witness,
    always,
    unwitnessed,
)
from twisted_s3.model import UNLOCKED, ByteRange, Digest, ObjectLock, ObjectVersion, Part, Properties
from twisted_s3.storage.copying import copy_range
from twisted_s3.storage.memory_bucket import Account, Blob, HeldBucket

T = TypeVar("T")

#: Finds a bucket. :raise S3Error: ``NoSuchBucket``.
Find = Callable[[str], HeldBucket]


@implementer(IOpenedObject)
class OpenedObject:
    """The bytes and metadata of one version."""

    def __init__(self, version: ObjectVersion, data: bytes) -> None:
        self.version = version
        self._data = data
        self._decipher: IDecipher | None = None

    def unlock(self, decipher: IDecipher) -> None:
        """See :meth:`IOpenedObject.unlock`."""
        self._decipher = decipher

    async def read(self, offset: int, length: int) -> bytes:
        """See :meth:`IOpenedObject.read`."""
        if self._decipher is not None:
            return self._decipher.read(self._stored, offset, length)
        if self.version.encryption is not None:
            raise OSError("the object is encrypted")
        return self._stored(offset, length)

    def _stored(self, offset: int, length: int) -> bytes:
        piece = self._data[offset : offset + length]
        if len(piece) != length:
            raise OSError(f"{length} bytes from {offset} were asked of {len(self._data)}")
        return piece

    def fileno(self) -> int | None:
        """There is no file."""
        return None

    async def prefetch(self, offset: int, length: int) -> None:
        """They are there."""

    def close(self) -> None:
        """Let go of the bytes."""
        self._data = b""


class _Staged:
    """Bytes that wait for their commit, charged to the store's account meanwhile."""

    def __init__(self, account: Account, payload: IPayload) -> None:
        self._account = account
        self._payload = payload
        self._chunks: list[bytes] = []
        self._size = 0
        self._open = True

    async def write(self, data: bytes) -> None:
        """Take the next bytes as sent."""
        self._check_open()
        try:
            self._feed(data)
        except BaseException:
            self._drop()
            raise

    async def copy_from(self, source: IOpenedObject, range: ByteRange) -> None:
        """Take bytes of an opened object."""
        await copy_range(source, range, self.write)

    async def discard(self) -> None:
        """Drop what was staged."""
        if self._open:
            self._drop()

    def _feed(self, data: bytes) -> None:
        self._keep(self._payload.feed(data))

    def _keep(self, chunks: Sequence[bytes]) -> None:
        for chunk in chunks:
            self._account.charge(len(chunk))
            self._chunks.append(bytes(chunk))
            self._size += len(chunk)

    def _check_open(self) -> None:
        if not self._open:
            raise RuntimeError("this body was committed, refused or discarded")

    def _drop(self) -> None:
        self._open = False
        self._account.used -= self._size
        self._chunks = []

    def _finish(self, put: Callable[[Digest, Blob], T]) -> T:
        """Verify the payload and hand over the bytes; when either refuses, drop them."""
        self._check_open()
        try:
            digest = self._payload.finish()
            self._keep(digest.rest)
            result = put(digest, Blob(self._account, b"".join(self._chunks)))
        except BaseException:
            self._drop()
            raise
        self._open = False
        self._chunks = []
        return result


@implementer(IStagedBody)
class StagedBody(_Staged):
    """An object in the making.

    :param find: gives a bucket.
    :param now: tells the time.
    """

    def __init__(self, find: Find, now: Callable[[], float], account: Account, bucket: str, payload: IPayload) -> None:
        super().__init__(account, payload)
        self._find = find
        self._now = now
        self._bucket = bucket

    async def commit(
        self,
        key: str,
        properties: Properties,
        condition: Condition = always,
        owner: str = "",
        lock: ObjectLock = UNLOCKED,
        witness: Witness = unwitnessed,
    ) -> ObjectVersion:
        """Verify the payload, then put the object in place."""

        def put(digest: Digest, blob: Blob) -> ObjectVersion:
            bucket = self._find(self._bucket)
            condition(bucket.current(key))
            version = ObjectVersion(
                key=key,
                size=digest.size,
                etag=digest.etag,
                last_modified=self._now(),
                properties=properties,
                checksums=dict(digest.checksums),
                owner=owner,
                lock=lock,
                encryption=digest.encryption,
            )
            return bucket.put(version, blob, witness)

        return self._finish(put)


@implementer(IStagedPart)
class StagedPart(_Staged):
    """A part in the making.

    :param find: gives a bucket.
    :param now: tells the time.
    :param place: bucket, key and upload.
    """

    def __init__(
        self,
        find: Find,
        now: Callable[[], float],
        account: Account,
        place: tuple[str, str, str],
        number: int,
        size: int,
        payload: IPayload,
    ) -> None:
        super().__init__(account, payload)
        self._find = find
        self._now = now
        self._place = place
        self._number = number
        self._declared_size = size

    async def commit(self) -> Part:
        """Verify the payload, then put the part in place of an earlier one."""

        def put(digest: Digest, blob: Blob) -> Part:
            if digest.stored_size != self._declared_size:
                raise S3Error("IncompleteBody")
            bucket, key, upload_id = self._place
            upload = self._find(bucket).find_upload(key, upload_id)
            part = Part(
                number=self._number,
                size=digest.size,
                etag=digest.etag,
                checksums=dict(digest.checksums),
                last_modified=self._now(),
            )
            earlier = upload.parts.get(self._number)
            if earlier is not None:
                earlier[1].release()
            upload.parts[self._number] = part, blob
            return part

        return self._finish(put)
