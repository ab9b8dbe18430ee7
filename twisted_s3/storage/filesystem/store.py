"""The store of files below a directory: the contract's face of all that lies in this package."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from os import PathLike
from typing import Any, TypeVar

from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from twisted_s3.interfaces import (
    Choice,
    Condition,
    INotes,
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
    UNLOCKED,
    Bucket,
    Deletion,
    Digest,
    Encryption,
    ObjectLock,
    ObjectVersion,
    Part,
    Properties,
    Upload,
)
from twisted_s3.protocol.walks import KeyWalk, VersionWalk
from twisted_s3.storage.filesystem.buckets import Buckets, is_folder_name
from twisted_s3.storage.filesystem.completer import Completer, going_on
from twisted_s3.storage.filesystem.completion import Completion
from twisted_s3.storage.filesystem.deliveries import Deliveries
from twisted_s3.storage.filesystem.disk import IDisk, UnsyncedDisk
from twisted_s3.storage.filesystem.eventlog import DEFAULT_LIMIT, EventLog
from twisted_s3.storage.filesystem.eventqueue import EventQueue
from twisted_s3.storage.filesystem.failures import disk_failures
from twisted_s3.storage.filesystem.files import Files, Found
from twisted_s3.storage.filesystem.fsck import Fsck
from twisted_s3.storage.filesystem.history import BucketHistory
from twisted_s3.storage.filesystem.intake import Intake, TemporaryTarget
from twisted_s3.storage.filesystem.integrity import Integrity
from twisted_s3.storage.filesystem.journal import Journal
from twisted_s3.storage.filesystem.layout import BUCKETS, LOCKS, NOTES, RECORDS, STAGING, STATE, BucketLayout
from twisted_s3.storage.filesystem.leftovers import Leftovers
from twisted_s3.storage.filesystem.listing import DirectorySnapshots, key_walk
from twisted_s3.storage.filesystem.locks import Locks, turn_of_bucket, turn_of_key, turn_of_upload
from twisted_s3.storage.filesystem.lookup import Lookup
from twisted_s3.storage.filesystem.metadata import Metadata
from twisted_s3.storage.filesystem.objects import Objects
from twisted_s3.storage.filesystem.orphans import Orphans
from twisted_s3.storage.filesystem.parts import Parts
from twisted_s3.storage.filesystem.pool import DEFAULT_THREADS, DiskPool, IStoreReactor
from twisted_s3.storage.filesystem.quarantine import Quarantine
from twisted_s3.storage.filesystem.reading import OpenedObject
from twisted_s3.storage.filesystem.realdisk import RealDisk
from twisted_s3.storage.filesystem.removal import Removal
from twisted_s3.storage.filesystem.renaming import Renaming
from twisted_s3.storage.filesystem.scrub import Scrub
from twisted_s3.storage.filesystem.scrubber import Scrubber
from twisted_s3.storage.filesystem.soundness import Soundness
from twisted_s3.storage.filesystem.space import Reserve
from twisted_s3.storage.filesystem.staging import StagedBody, StagedPart
from twisted_s3.storage.filesystem.sync import DirectorySync
from twisted_s3.storage.filesystem.turns import Turns
from twisted_s3.storage.filesystem.uploads import Uploads
from twisted_s3.storage.filesystem.verifying import VerifyingObject
from twisted_s3.storage.filesystem.versions import Versions

T = TypeVar("T")


@implementer(IObjectStore, INotes)
class FilesystemStore:
    """Buckets are folders, objects are plain files. Several stores, in any number of processes, may share a directory.

    :param root: the data directory, made when missing.
    :param reactor: on whose thread the store is used, which runs its threads' results, and has the time of day.
    :param durable: bring everything to stable storage before it is acknowledged; without it, power loss loses it.
    :param threads: how many threads wait for the disk.
    :param min_free: how many bytes are to stay free on the disk: with less, bodies, parts and uploads are refused with
        ``ServiceUnavailable`` before a byte of them is read, while all else goes on.
    :param verify_reads: never give out the last bytes of a damaged object to whoever reads all of it.
    :param event_limit: how many bytes of events may wait to be delivered.
    :param is_bucket_name: tells which names can be a bucket's.
    :param wrap: what to put around the disk, to watch it or to make it fail.
    :raise OSError: when the data directory can not be opened.
    :ivar events: the events that wait to be delivered.
    :ivar deliveries: what is kept about the targets of events, for the thread that calls it.
    :ivar integrity: looks after the directory as a whole, in the thread that calls it, also while the store is stopped.
    """

    def __init__(
        self,
        root: str | PathLike[str],
        reactor: IStoreReactor,
        durable: bool = True,
        threads: int = DEFAULT_THREADS,
        min_free: int = 0,
        verify_reads: bool = False,
        event_limit: int = DEFAULT_LIMIT,
        is_bucket_name: Callable[[str], bool] = is_folder_name,
        wrap: Callable[[IDisk], IDisk] = lambda disk: disk,
    ) -> None:
        disk = wrap(RealDisk(root) if durable else UnsyncedDisk(RealDisk(root, syncs=False)))
        self._disk = disk
        self._reactor = reactor
        self._verify_reads = verify_reads
        self._reserve = Reserve(disk, min_free)
        self._pool = DiskPool(reactor, threads)
        self._turns = Turns()
        directories = DirectorySync(disk)
        self._locks = locks = Locks(disk)
        self._files = Files(disk, directories)
        metadata = self._metadata = Metadata(disk, self._files)
        self._buckets = Buckets(disk, self._files, directories, locks, is_bucket_name, self._now)
        versions = Versions(disk, self._files, directories, metadata)
        self._lookup = Lookup(disk, locks, metadata, versions, self._buckets, self._now)
        self._objects = Objects(
            disk, self._files, directories, locks, metadata, versions, self._buckets, self._lookup, self._now
        )
        self._removal = Removal(locks, self._lookup, self._objects, versions)
        self._renaming = Renaming(
            disk, self._files, locks, metadata, self._buckets, self._lookup, self._objects, self._removal
        )
        self._uploads = Uploads(disk, self._files, locks, self._buckets, self._now)
        self._parts = Parts(disk, self._files, directories, locks, self._uploads, self._now)
        self._completion = Completion(
            disk, self._files, locks, self._lookup, self._objects, self._uploads, self._parts, self._discard
        )
        journal = Journal(
            EventLog(disk, self._files, directories, locks, self._now, event_limit),
            locks,
            self._lookup,
            versions,
            self._buckets.layout,
        )
        self.deliveries = Deliveries(disk, self._files, directories)
        self.events = EventQueue(self._run, journal, self.deliveries)
        self._snapshots = DirectorySnapshots(disk, reactor)
        # A walk through everything must not push out the listings that clients page through.
        snapshots = DirectorySnapshots(disk, reactor, limit=0)
        soundness = Soundness(disk, metadata)
        self.integrity = Integrity(
            Scrub(disk, self._files, self._buckets, self._lookup, self._parts, soundness, snapshots),
            Quarantine(disk, self._files, directories, locks, self._now),
            Fsck(
                self._files,
                self._buckets,
                Leftovers(disk, self._files, locks, self._lookup, self._objects, versions, self._parts, snapshots),
                Orphans(disk, metadata, self._now),
            ),
        )

    async def start(self) -> None:
        """Make the folders that are ours, and clear what crashed processes left behind."""
        self._pool.start()
        await self._run(self._prepare)

    async def stop(self) -> None:
        """Wait for what is under way, then end the threads."""
        await self._turns.settled()
        await self._pool.stop()
        self._disk.shut()

    async def clean(self) -> None:
        """Remove what crashed processes left behind; what live ones are at work on stays."""
        await self._run(self._clean)

    async def take_lease(self, name: str) -> Callable[[], object] | None:
        """Take a lease that one process at a time has, of all that use the directory. Its end gives it back.

        :return: what gives it back; None while another has it.
        """
        descriptor = await self._run(self._locks.take_lease, name)
        return None if descriptor is None else partial(self._disk.close, descriptor)

    def scrubber(self, clock: IReactorTime, deep: bool, rate: float, interval: float) -> Scrubber:
        """What looks for damage in the background. See :class:`Scrubber`."""
        return Scrubber(self.integrity.scrub, self._files, self._pool, clock, deep, rate, interval)

    async def load_note(self, name: str) -> bytes | None:
        """The note of a job, None for none."""
        return await self._run(self._files.load, _note(name))

    async def save_note(self, name: str, note: bytes) -> None:
        """Put a note of a job in place of its last one."""
        await self._run(self._files.save, note, _note(name), True, STATE)

    async def list_buckets(self) -> Sequence[Bucket]:
        """All buckets, by name."""
        return await self._run(self._buckets.list)

    async def create_bucket(
        self,
        name: str,
        owner: str,
        region: str,
        object_lock: bool = False,
        configurations: Mapping[str, bytes] | None = None,
    ) -> Bucket:
        """Make a bucket. :raise S3Error: ``BucketAlreadyExists``."""
        async with self._turns.taken(turn_of_bucket(name)):
            return await self._run(self._buckets.create, name, owner, region, object_lock, configurations or {})

    async def get_bucket(self, name: str) -> Bucket:
        """:raise S3Error: ``NoSuchBucket``."""
        with disk_failures():
            return self._buckets.get(self._buckets.layout(name))

    async def change_bucket(self, name: str, change: Callable[[Bucket], Bucket]) -> Bucket:
        """Replace what is recorded about a bucket in one step. :raise S3Error: ``NoSuchBucket``."""
        async with self._turns.taken(turn_of_bucket(name)):
            return await self._run(self._buckets.change, self._buckets.layout(name), change)

    async def get_configuration(self, bucket: str, name: str) -> bytes | None:
        """A configuration document, None when there is none. :raise S3Error: ``NoSuchBucket``."""
        return (await self.get_bucket(bucket)).configurations.get(name)

    async def put_configuration(self, bucket: str, name: str, document: bytes) -> None:
        """Set a configuration document. :raise S3Error: ``NoSuchBucket``."""
        await self.change_bucket(bucket, lambda known: known.with_configuration(name, document))

    async def delete_configuration(self, bucket: str, name: str) -> None:
        """Remove a configuration document, if there is one. :raise S3Error: ``NoSuchBucket``."""
        await self.change_bucket(bucket, lambda known: known.with_configuration(name, None))

    async def delete_bucket(self, name: str) -> None:
        """:raise S3Error: ``BucketNotEmpty``."""
        async with self._turns.taken(turn_of_bucket(name)):
            await self._run(self._buckets.delete, self._buckets.layout(name))

    async def open_object(self, bucket: str, key: str, version_id: str | None = None) -> IOpenedObject:
        """Open a version. :raise S3Error: ``NoSuchBucket``, ``NoSuchKey``, ``NoSuchVersion``, ``MethodNotAllowed``."""
        found, version = await self._open(self._buckets.layout(bucket), key, version_id)
        # What is encrypted can not be read at all when it is damaged.
        verified = self._verify_reads and version.at_rest and version.encryption is None
        make = VerifyingObject if verified else OpenedObject
        return make(self._disk, self._pool, found, version, self._metadata)

    async def head_object(
        self, bucket: str, key: str, version_id: str | None = None, unread: bool = False
    ) -> ObjectVersion:
        """The metadata of a version. :raise S3Error: as :meth:`open_object`."""
        layout = self._buckets.layout(bucket)
        if unread:
            return await self._glance(layout, key, version_id)
        found, version = await self._open(layout, key, version_id)
        self._disk.close(found.descriptor)
        return version

    async def stage(self, bucket: str, payload: IPayload) -> IStagedBody:
        """Begin to write an object."""
        layout = self._buckets.layout(bucket)
        with disk_failures():
            self._buckets.require(layout)
            self._reserve.require()
        target = TemporaryTarget(self._disk, self._files)

        def commit(
            digest: Digest,
            key: str,
            properties: Properties,
            condition: Condition,
            owner: str,
            lock: ObjectLock,
            witness: Witness,
        ) -> ObjectVersion:
            version = ObjectVersion(
                key=key,
                size=digest.size,
                etag=digest.etag,
                last_modified=0.0,
                properties=properties,
                checksums=digest.checksums,
                owner=owner,
                lock=lock,
                at_rest=digest.at_rest,
                encryption=digest.encryption,
            )
            return self._objects.put(target.temporary, layout, version, condition, witness)

        def turn(key: str) -> AbstractAsyncContextManager[None]:
            return self._turns.taken(turn_of_key(bucket, key))

        return StagedBody(self._pool, Intake(payload, target), commit, turn)

    async def change_object(
        self,
        bucket: str,
        key: str,
        change: Callable[[ObjectVersion], ObjectVersion],
        version_id: str | None = None,
        witness: Witness = unwitnessed,
    ) -> ObjectVersion:
        """Replace the properties and the lock of a version in one step; all else stays."""
        layout = self._buckets.layout(bucket)
        async with self._turns.taken(turn_of_key(bucket, key)):
            return await self._run(self._objects.change, layout, key, change, version_id, witness)

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
        """Give an object another key in one commit, in place of what is there. :raise S3Error: ``NoSuchKey``."""
        layout = self._buckets.layout(bucket)
        rename = partial(self._renaming.rename, layout, source, target, source_condition, condition)
        async with self._turns.taken(turn_of_key(bucket, source), turn_of_key(bucket, target)):
            return await self._run(rename, witness, default_lock)

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
        layout = self._buckets.layout(bucket)
        async with self._turns.taken(turn_of_key(bucket, key)):
            delete = partial(self._removal.delete, layout, key, condition, version_id, guard, owner, witness, order)
            return await self._run(delete)

    async def list_keys(
        self, bucket: str, page: Callable[[KeyWalk], T], shown: Callable[[T], Sequence[str]]
    ) -> tuple[T, Sequence[ObjectVersion]]:
        """Run ``page`` over the keys in the pool, then load the metadata of those that ``shown`` names."""
        return await self._run(self._list_keys, self._buckets.layout(bucket), page, shown)

    async def list_versions(self, bucket: str, page: Callable[[VersionWalk], T]) -> T:
        """Run ``page`` over the versions and delete markers of all keys, in the pool."""
        return await self._run(self._list_versions, self._buckets.layout(bucket), page)

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
        with disk_failures():
            self._reserve.require()
        about = properties, owner, checksum_algorithm, checksum_type, lock, encryption, before
        return await self._run(self._uploads.create, self._buckets.layout(bucket), key, *about)

    async def get_upload(self, bucket: str, key: str, upload_id: str) -> Upload:
        """:raise S3Error: ``NoSuchUpload``."""
        return await self._run(self._uploads.get, self._buckets.layout(bucket), key, upload_id)

    async def list_uploads(self, bucket: str) -> Sequence[Upload]:
        """All uploads under way, by key, then by time of initiation, then by id."""
        return await self._run(self._uploads.list, self._buckets.layout(bucket))

    async def page_uploads(self, bucket: str, page: Callable[[Iterable[Upload]], T], after: str = "") -> T:
        """Run ``page`` over all uploads under way, by id, in the pool."""
        layout = self._buckets.layout(bucket)
        return await self._run(lambda: page(self._uploads.each(layout, after)))

    async def stage_part(
        self, bucket: str, key: str, upload_id: str, number: int, size: int, payload: IPayload
    ) -> IStagedPart:
        """Begin to write a part of which ``size`` bytes are to be stored. :raise S3Error: ``NoSuchUpload``."""
        layout = self._buckets.layout(bucket)
        await self._run(self._uploads.get, layout, key, upload_id)
        with disk_failures():
            self._reserve.require(size)
        target = self._parts.target(layout, upload_id, number, size)
        turn = partial(self._turns.taken, turn_of_upload(upload_id))
        return StagedPart(self._pool, Intake(payload, target), target, turn)

    async def list_parts(self, bucket: str, key: str, upload_id: str) -> Sequence[Part]:
        """The committed parts, by number."""
        layout = self._buckets.layout(bucket)
        return await self._run(self._parts.list, layout, key, upload_id)

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
        """Make the object out of what is chosen of the parts, in one commit. :raise S3Error: ``NoSuchUpload``."""
        completer = Completer(self._pool, self._turns, self._completion, self._buckets.layout(bucket))
        with disk_failures():
            return await going_on(completer.complete(key, upload_id, choose, condition, witness, default_lock))

    async def abort_upload(self, bucket: str, key: str, upload_id: str) -> None:
        """Drop an upload and its parts. :raise S3Error: ``NoSuchUpload``."""
        async with self._turns.taken(turn_of_upload(upload_id)):
            await self._run(self._uploads.abort, self._buckets.layout(bucket), key, upload_id)

    async def _run(self, job: Callable[..., T], *args: Any) -> T:
        with disk_failures():
            return await self._pool.run(job, *args)

    async def _open(self, bucket: BucketLayout, key: str, version_id: str | None) -> tuple[Found, ObjectVersion]:
        with disk_failures():
            opened = self._lookup.peek(bucket, key) if version_id is None else None
            if opened is None:
                opened = await self._pool.run(self._lookup.open, bucket, key, version_id, undo=self._close)
            return opened

    async def _glance(self, bucket: BucketLayout, key: str, version_id: str | None) -> ObjectVersion:
        with disk_failures():
            opened = self._lookup.peek(bucket, key) if version_id is None else None
            if opened is None:
                return await self._pool.run(self._lookup.glance, bucket, key, version_id)
            self._close(opened)
            return opened[1]

    def _close(self, opened: tuple[Found, ObjectVersion]) -> None:
        self._disk.close(opened[0].descriptor)

    def _list_keys(
        self, bucket: BucketLayout, page: Callable[[KeyWalk], T], shown: Callable[[T], Sequence[str]]
    ) -> tuple[T, Sequence[ObjectVersion]]:
        self._buckets.require(bucket)
        result = page(key_walk(self._snapshots, bucket.tree, bucket.overflow))
        return result, self._lookup.head_all(bucket, shown(result))

    def _list_versions(self, bucket: BucketLayout, page: Callable[[VersionWalk], T]) -> T:
        self._buckets.require(bucket)
        return page(BucketHistory(self._snapshots, self._lookup, bucket))

    def _prepare(self) -> None:
        for folder in (STAGING, LOCKS, RECORDS, BUCKETS):
            self._files.ensure(folder)
        # A killed process may have made a bucket whose name is not on stable storage yet.
        self._disk.fsync_directory(b"")
        self._clean()

    def _discard(self, trash: bytes) -> None:
        """Have trash removed by another job. What fails is left to the next cleaning."""
        self._reactor.callFromThread(self._remove_trash, trash)

    def _remove_trash(self, trash: bytes) -> None:
        self._pool.run(self._files.remove_trash, trash).addErrback(lambda failure: None)

    def _clean(self) -> None:
        self._files.clean_staging()
        self._buckets.clean()

    def _now(self) -> float:
        return float(self._reactor.seconds())


def _note(name: str) -> bytes:
    return b"%b/%b" % (NOTES, name.encode())
