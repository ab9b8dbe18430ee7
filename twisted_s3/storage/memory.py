"""The store contract in memory: for tests, for caches, and for embedding without a directory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from secrets import token_hex
from typing import TypeVar

from msgspec import structs
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from twisted_s3.errors import S3Error
from twisted_s3.interfaces import (
    Choice,
    Condition,
    IObjectStore,
    IOpenedObject,
    IPayload,
    IStagedBody,
    IStagedPart,
    Order,
    Witness,
    always,
    in_any_order,
    unwitnessed,
)
from twisted_s3.model import (
    ENABLED,
    UNLOCKED,
    Bucket,
    Deletion,
    Encryption,
    ObjectLock,
    ObjectVersion,
    Part,
    Properties,
    Upload,
)
from twisted_s3.protocol.walks import KeyWalk, VersionWalk
from twisted_s3.storage.memory_bodies import OpenedObject, StagedBody, StagedPart
from twisted_s3.storage.memory_bucket import Account, Blob, HeldBucket, HeldUpload
from twisted_s3.storage.testimony import Testimony

T = TypeVar("T")

#: The bytes that a store holds unless told otherwise.
DEFAULT_LIMIT_BYTES = 1 << 30


@implementer(IObjectStore)
class MemoryStore:
    """A store that forgets everything with its last reference. For use from one thread.

    :param clock: tells the times of creation and change.
    :param limit_bytes: how many bytes of bodies (staged, stored or in parts) it holds; a write beyond is refused
        with ``ServiceUnavailable``. Bytes that only an opened object still holds do not count.
    """

    def __init__(self, clock: IReactorTime, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> None:
        self._clock = clock
        self._limit_bytes = limit_bytes
        self.reset()

    def reset(self) -> None:
        """Forget everything. What was staged before finds its bucket gone, unless that was made anew."""
        self._account = Account(self._limit_bytes)
        self._buckets: dict[str, HeldBucket] = {}

    @property
    def used_bytes(self) -> int:
        """How many bytes of bodies are held."""
        return self._account.used

    async def start(self) -> None:
        """Nothing to make ready."""

    async def stop(self) -> None:
        """Nothing to wait for."""

    async def list_buckets(self) -> Sequence[Bucket]:
        """All buckets, by name."""
        return [self._buckets[name].record for name in sorted(self._buckets)]

    async def create_bucket(
        self,
        name: str,
        owner: str,
        region: str,
        object_lock: bool = False,
        configurations: Mapping[str, bytes] | None = None,
    ) -> Bucket:
        """Make a bucket. :raise S3Error: ``BucketAlreadyExists``."""
        if name in self._buckets:
            raise S3Error("BucketAlreadyExists", elements={"BucketName": name})
        versioning = ENABLED if object_lock else ""
        record = Bucket(name, self._now(), owner, region, versioning, object_lock, dict(configurations or {}))
        self._buckets[name] = HeldBucket(record)
        return record

    async def get_bucket(self, name: str) -> Bucket:
        """:raise S3Error: ``NoSuchBucket``."""
        return self._find(name).record

    async def change_bucket(self, name: str, change: Callable[[Bucket], Bucket]) -> Bucket:
        """Replace what is recorded about a bucket. :raise S3Error: ``NoSuchBucket``."""
        found = self._find(name)
        found.record = change(found.record)
        return found.record

    async def get_configuration(self, bucket: str, name: str) -> bytes | None:
        """A configuration document, None when there is none. :raise S3Error: ``NoSuchBucket``."""
        return self._find(bucket).record.configurations.get(name)

    async def put_configuration(self, bucket: str, name: str, document: bytes) -> None:
        """Set a configuration document. :raise S3Error: ``NoSuchBucket``."""
        await self.change_bucket(bucket, lambda known: known.with_configuration(name, document))

    async def delete_configuration(self, bucket: str, name: str) -> None:
        """Remove a configuration document, if there is one. :raise S3Error: ``NoSuchBucket``."""
        await self.change_bucket(bucket, lambda known: known.with_configuration(name, None))

    async def delete_bucket(self, name: str) -> None:
        """:raise S3Error: ``BucketNotEmpty``."""
        bucket = self._find(name)
        if bucket.history:
            raise S3Error("BucketNotEmpty", elements={"BucketName": name})
        for upload in bucket.uploads.values():
            upload.release()
        del self._buckets[name]

    async def open_object(self, bucket: str, key: str, version_id: str | None = None) -> IOpenedObject:
        """Open a version. :raise S3Error: ``NoSuchBucket``, ``NoSuchKey``, ``NoSuchVersion``, ``MethodNotAllowed``."""
        found = self._find(bucket).find(key, version_id)
        return OpenedObject(found.version, found.blob.data)

    async def head_object(
        self, bucket: str, key: str, version_id: str | None = None, unread: bool = False
    ) -> ObjectVersion:
        """The metadata of a version. :raise S3Error: as :meth:`open_object`."""
        return self._find(bucket).find(key, version_id).version

    async def stage(self, bucket: str, payload: IPayload) -> IStagedBody:
        """Begin to write an object."""
        self._find(bucket)
        return StagedBody(self._find, self._now, self._account, bucket, payload)

    async def change_object(
        self,
        bucket: str,
        key: str,
        change: Callable[[ObjectVersion], ObjectVersion],
        version_id: str | None = None,
        witness: Witness = unwitnessed,
    ) -> ObjectVersion:
        """Replace the properties and the lock of a version."""
        objects = self._find(bucket)
        before = objects.find(key, version_id).version
        changed = change(before)
        version = structs.replace(before, properties=changed.properties, lock=changed.lock)
        testimony = Testimony(witness)
        testimony.begin(version)
        objects.change(key, version_id, version)
        testimony.committed()
        return version

    async def rename_object(
        self,
        bucket: str,
        source: str,
        target: str,
        source_condition: Condition = always,
        condition: Condition = always,
        witness: Witness = unwitnessed,
        default_lock: ObjectLock = UNLOCKED,
    ) -> ObjectVersion:
        """Give an object another key, in place of what is there. :raise S3Error: ``NoSuchKey``."""
        objects = self._find(bucket)
        found = objects.find(source)
        source_condition(found.version)
        condition(objects.current(target))
        version = structs.replace(found.version, key=target)
        if source == target:
            return version
        if not objects.record.versioning:
            gone = Testimony(witness)
            gone.begin(Deletion(True))
            version = objects.put(version, found.blob, witness)
            objects.take(source)
            gone.committed()
            return version
        self._account.charge(len(found.blob.data))
        version = structs.replace(version, lock=version.lock.with_default(default_lock))
        version = objects.put(version, Blob(self._account, found.blob.data), witness)
        marker, nothing = self._marker(source, version.owner), Blob(self._account, b"")
        objects.delete(source, always, None, always, marker, nothing, witness)
        return version

    async def delete_object(
        self,
        bucket: str,
        key: str,
        condition: Condition = always,
        version_id: str | None = None,
        guard: Condition = always,
        owner: str = "",
        witness: Witness = unwitnessed,
        order: Order = in_any_order,
    ) -> Deletion:
        """Remove the key, or a version of it for good."""
        marker, nothing = self._marker(key, owner), Blob(self._account, b"")
        return self._find(bucket).delete(key, condition, version_id, guard, marker, nothing, witness, order)

    async def list_keys(
        self, bucket: str, page: Callable[[KeyWalk], T], shown: Callable[[T], Sequence[str]]
    ) -> tuple[T, Sequence[ObjectVersion]]:
        """Run ``page`` over the keys, then give the metadata of those that ``shown`` names."""
        objects = self._find(bucket)
        result = page(objects.walk)
        versions = map(objects.current, shown(result))
        return result, [version for version in versions if version is not None]

    async def list_versions(self, bucket: str, page: Callable[[VersionWalk], T]) -> T:
        """Run ``page`` over the versions and delete markers of all keys."""
        return page(self._find(bucket))

    async def create_upload(
        self,
        bucket: str,
        key: str,
        properties: Properties,
        owner: str,
        checksum_algorithm: str = "",
        checksum_type: str = "",
        lock: ObjectLock = UNLOCKED,
        encryption: Encryption | None = None,
        before: str | None = None,
    ) -> Upload:
        """Begin a multipart upload."""
        uploads = self._find(bucket).uploads
        record = Upload(
            id=token_hex(16),
            key=key,
            initiated=self._now(),
            properties=properties,
            owner=owner,
            checksum_algorithm=checksum_algorithm,
            checksum_type=checksum_type,
            lock=lock,
            encryption=encryption,
            before=before,
        )
        uploads[record.id] = HeldUpload(record)
        return record

    async def get_upload(self, bucket: str, key: str, upload_id: str) -> Upload:
        """:raise S3Error: ``NoSuchUpload``."""
        return self._find(bucket).find_upload(key, upload_id).record

    async def list_uploads(self, bucket: str) -> Sequence[Upload]:
        """All uploads under way, by key, then by time of initiation, then by id."""
        records = [upload.record for upload in self._find(bucket).uploads.values()]
        return sorted(records, key=lambda upload: (upload.key, upload.initiated, upload.id))

    async def page_uploads(self, bucket: str, page: Callable[[Iterable[Upload]], T], after: str = "") -> T:
        """Run ``page`` over all uploads under way, by id."""
        uploads = self._find(bucket).uploads
        return page(uploads[upload_id].record for upload_id in sorted(uploads) if upload_id > after)

    async def stage_part(
        self, bucket: str, key: str, upload_id: str, number: int, size: int, payload: IPayload
    ) -> IStagedPart:
        """Begin to write a part. :raise S3Error: ``NoSuchUpload``."""
        self._find(bucket).find_upload(key, upload_id)
        return StagedPart(self._find, self._now, self._account, (bucket, key, upload_id), number, size, payload)

    async def list_parts(self, bucket: str, key: str, upload_id: str) -> Sequence[Part]:
        """The committed parts, by number."""
        return self._find(bucket).find_upload(key, upload_id).listed

    async def complete_upload(
        self,
        bucket: str,
        key: str,
        upload_id: str,
        choose: Choice,
        condition: Condition = always,
        witness: Witness = unwitnessed,
        default_lock: ObjectLock = UNLOCKED,
    ) -> ObjectVersion:
        """Make the object of what is chosen. :raise S3Error: ``NoSuchUpload``; from ``choose`` and ``condition``."""
        objects = self._find(bucket)
        upload = objects.find_upload(key, upload_id)
        assembly = choose(upload.listed)
        blobs = [upload.parts[part.number][1] for part in assembly.parts]
        condition(objects.current(key))
        version = ObjectVersion(
            key=key,
            size=assembly.size,
            etag=assembly.etag,
            last_modified=self._now(),
            properties=upload.record.properties,
            checksums=dict(assembly.checksums),
            checksum_type=assembly.checksum_type,
            parts=tuple(assembly.parts),
            upload_id=upload_id,
            owner=upload.record.owner,
            lock=upload.record.lock.with_default(default_lock),
            encryption=upload.record.encryption,
        )
        # The object takes over the charge of its parts: the account must not be asked for both.
        version = objects.put(version, Blob(self._account, b"".join(blob.data for blob in blobs)), witness)
        upload.release(kept=frozenset(part.number for part in assembly.parts))
        del objects.uploads[upload_id]
        return version

    async def abort_upload(self, bucket: str, key: str, upload_id: str) -> None:
        """Drop an upload and its parts. :raise S3Error: ``NoSuchUpload``."""
        objects = self._find(bucket)
        objects.find_upload(key, upload_id).release()
        del objects.uploads[upload_id]

    def _find(self, bucket: str) -> HeldBucket:
        found = self._buckets.get(bucket)
        if found is None:
            raise S3Error("NoSuchBucket", elements={"BucketName": bucket})
        return found

    def _marker(self, key: str, owner: str) -> ObjectVersion:
        return ObjectVersion(key, 0, "", self._now(), owner=owner, delete_marker=True)

    def _now(self) -> float:
        return float(self._clock.seconds())
