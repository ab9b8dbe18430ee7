"""Clients that do everything at random, and keep account of what they were told."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Coroutine
from typing import Any

from msgspec import structs

from tests.crash.oracle import ANYTHING, Held, History, Write
from tests.crash.world import BUCKETS, KEYS, PART_NUMBERS, KnownUpload, Rename, World
from tests.storage.kit import OWNER, PlainPayload, just, only_if_absent
from twisted_s3.errors import S3Error
from twisted_s3.interfaces import IStaged, always
from twisted_s3.model import ByteRange, ObjectVersion, Properties
from twisted_s3.storage.filesystem.store import FilesystemStore

#: What may be answered on a disk that works.
_REFUSALS = frozenset(
    {
        "NoSuchBucket",
        "NoSuchKey",
        "NoSuchUpload",
        "InvalidPart",
        "PreconditionFailed",
        "BucketAlreadyExists",
        "BucketNotEmpty",
    }
)
_ETAG_OF_PARTS = "{}-{}"


def held(version: ObjectVersion) -> Held:
    """What a client sees of a version."""
    return Held(version.etag, version.size, version.properties, tuple(sorted(version.checksums.items())), version.owner)


class Client:
    """One client of one process."""

    def __init__(self, world: World, store: FilesystemStore, name: str) -> None:
        self._world = world
        self._store = store
        self._name = name
        self._random = world.random

    async def act(self) -> None:
        """Do something."""
        operation = self._random.choice(_DEEDS)
        await operation(self)

    async def put(self) -> None:
        """PutObject, at times only where there is nothing."""
        bucket, key = self._place()
        body, properties = self._world.body(), self._world.properties()
        condition = only_if_absent if self._random.random() < 0.25 else always
        self._note("put", bucket, key, len(body), properties)
        wanted = Held(hashlib.md5(body).hexdigest(), len(body), properties, (), OWNER)
        history = self._world.keys[bucket, key]
        write, birth = history.begin(wanted), self._world.expect(bucket, key, wanted)
        try:
            staged = await self._store.stage(bucket, PlainPayload())
            try:
                await self._feed(staged, body)
                version = await staged.commit(key, properties, condition, OWNER)
                history.acknowledge(write)
                self._world.bear(birth, version.version_id)
            finally:
                await staged.discard()
        except S3Error as error:
            self._refused(error)
            history.refuse(write)
            self._world.miscarry(birth)
        else:
            self._note("put done", key)

    async def copy(self) -> None:
        """CopyObject."""
        (bucket, source), (_, target) = self._object(), self._place()
        try:
            opened = await self._store.open_object(bucket, source)
        except S3Error as error:
            self._refused(error)
            return
        self._note("copy", bucket, source, target)
        try:
            version = opened.version
            etag = hashlib.md5(self._world.bodies[version.etag]).hexdigest()
            self._world.remember(self._world.bodies[version.etag], etag)
            history = self._world.keys[bucket, target]
            wanted = Held(etag, version.size, version.properties, (), OWNER)
            write, birth = history.begin(wanted), self._world.expect(bucket, target, wanted)
            try:
                staged = await self._store.stage(bucket, PlainPayload())
                try:
                    await staged.copy_from(opened, ByteRange(0, version.size))
                    made = await staged.commit(target, version.properties, always, OWNER)
                    history.acknowledge(write)
                    self._world.bear(birth, made.version_id)
                finally:
                    await staged.discard()
            except S3Error as error:
                self._refused(error)
                history.refuse(write)
                self._world.miscarry(birth)
        finally:
            opened.close()

    async def delete(self) -> None:
        """DeleteObject."""
        bucket, key = self._object()
        self._note("delete", bucket, key)
        await self._told(self._world.keys[bucket, key], None, self._store.delete_object(bucket, key, owner=OWNER))

    async def change(self) -> None:
        """PutObjectTagging."""
        bucket, key = self._object()
        tags = self._world.properties().user
        writes: list[tuple[History[Held | None], Write[Held | None]]] = []

        def change(version: ObjectVersion) -> ObjectVersion:
            changed = structs.replace(version, properties=structs.replace(version.properties, tags=tags))
            histories = [self._world.keys[bucket, key]]
            if bucket in self._world.versioned:
                histories.append(self._world.version(bucket, key, version))
            writes.extend((history, history.begin(held(changed))) for history in histories)
            return changed

        self._note("change", bucket, key, len(str(tags)))
        try:
            await self._store.change_object(bucket, key, change)
        except S3Error as error:
            self._refused(error)
            for history, write in writes:
                history.refuse(write)
        else:
            for history, write in writes:
                history.acknowledge(write)

    async def delete_version(self) -> None:
        """DeleteObject of one version."""
        places = [place for place, history in self._world.versions.items() if history.allowed != [None]]
        if not places:
            return
        bucket, key, version_id = self._random.choice(places)
        self._note("delete version", bucket, key, version_id)
        current, version = self._world.keys[bucket, key], self._world.versions[bucket, key, version_id]
        # What then is current is checked against the list of versions.
        uncovered = current.begin(ANYTHING)
        if await self._told(version, None, self._store.delete_object(bucket, key, version_id=version_id)):
            current.acknowledge(uncovered)
        else:
            current.refuse(uncovered)

    async def rename(self) -> None:
        """RenameObject."""
        (bucket, source), (_, target) = self._object(), self._place()
        if source == target or bucket in self._world.versioned:
            return
        begun: list[Rename] = []

        def see(current: ObjectVersion | None) -> None:
            assert current is not None
            old, new = self._world.keys[bucket, source], self._world.keys[bucket, target]
            begun.append(Rename(old, new, held(current), old.begin(None), new.begin(held(current))))
            self._world.renames.append(begun[-1])

        self._note("rename", bucket, source, target)
        try:
            await self._store.rename_object(bucket, source, target, see)
        except S3Error as error:
            self._refused(error)
            for rename in begun:
                rename.source.refuse(rename.left)
                rename.target.refuse(rename.arrived)
                self._world.renames.remove(rename)
        else:
            begun[-1].source.acknowledge(begun[-1].left)
            begun[-1].target.acknowledge(begun[-1].arrived)
            self._note("rename done", source, target)

    async def create_bucket(self) -> None:
        """CreateBucket."""
        name = self._bucket()
        self._note("create bucket", name)
        await self._told(self._world.buckets[name], OWNER, self._store.create_bucket(name, OWNER, "us-east-1"))

    async def delete_bucket(self) -> None:
        """DeleteBucket."""
        name = self._bucket()
        self._note("delete bucket", name)
        end = self._world.begin_deletion(name)
        if await self._told(self._world.buckets[name], None, self._store.delete_bucket(name)):
            end.acknowledge()
        else:
            end.refuse()

    async def begin(self) -> None:
        """CreateMultipartUpload, and its first part."""
        bucket, key = self._place()
        self._note("begin", bucket, key)
        self._world.starting.append((bucket, key))
        try:
            upload = await self._store.create_upload(bucket, key, self._world.properties(), OWNER)
        except S3Error as error:
            self._refused(error)
            self._world.starting.remove((bucket, key))
            return
        known = self._world.add_upload(bucket, upload)
        self._world.starting.remove((bucket, key))
        await self._put_part(known)

    async def put_part(self) -> None:
        """UploadPart."""
        known = self._upload()
        if known is not None:
            await self._put_part(known)

    async def complete(self) -> None:
        """CompleteMultipartUpload with all parts that there are."""
        known = self._upload()
        if known is None:
            return
        bucket, upload = known.bucket, known.upload
        known.activity += 1
        before = known.activity
        alone = not (known.completing or known.working or self._world.is_being_deleted(bucket))
        try:
            parts = await self._store.list_parts(bucket, upload.key, upload.id)
        except S3Error as error:
            self._refused(error)
            return
        if not parts:
            return
        self._note("complete", upload.id[:6], upload.key, [part.number for part in parts])
        body = b"".join(self._world.bodies[part.etag] for part in parts)
        etag = _ETAG_OF_PARTS.format(hashlib.md5(body).hexdigest(), len(parts))
        self._world.remember(body, etag)
        history = self._world.keys[bucket, upload.key]
        known.completing = True
        wanted = Held(etag, len(body), upload.properties, (("CRC32", "AAAAAA=="),), OWNER)
        write, birth = history.begin(wanted), self._world.expect(bucket, upload.key, wanted)
        end = known.alive.begin(False)
        try:
            choose = just(parts, etag, {"CRC32": "AAAAAA=="})
            version = await self._store.complete_upload(bucket, upload.key, upload.id, choose)
        except S3Error as error:
            self._refused(error)
            if error.code == "InvalidPart" and alone and known.activity == before:
                raise AssertionError(f"the parts of {upload.id} are gone") from error
            history.refuse(write)
            known.alive.refuse(end)
            self._world.miscarry(birth)
        else:
            history.acknowledge(write)
            self._world.bear(birth, version.version_id)
            known.alive.acknowledge(end)
            self._note("completed", upload.id[:6])

    async def abort(self) -> None:
        """AbortMultipartUpload."""
        known = self._upload()
        if known is not None:
            known.activity += 1
            known.completing = True
            self._note("abort", known.upload.id[:6])
            upload = known.upload
            await self._told(known.alive, False, self._store.abort_upload(known.bucket, upload.key, upload.id))

    async def _put_part(self, known: KnownUpload) -> None:
        known.activity += 1
        known.working += 1
        upload = known.upload
        number, body = self._random.choice(PART_NUMBERS), self._world.part_body()
        self._note("part", upload.id[:6], number, len(body))
        history = known.parts[number]
        write = history.begin((hashlib.md5(body).hexdigest(), len(body)))
        try:
            staged = await self._store.stage_part(
                known.bucket, upload.key, upload.id, number, len(body), PlainPayload()
            )
            try:
                await self._feed(staged, body)
                await staged.commit()
                history.acknowledge(write)
            finally:
                await staged.discard()
        except S3Error as error:
            self._refused(error)
            history.refuse(write)
        known.working -= 1

    async def _told(self, history: History[Any], value: object, attempt: Coroutine[Any, Any, object]) -> bool:
        """Try something with an outcome that is known. Gives whether it was done."""
        write = history.begin(value)
        try:
            await attempt
        except S3Error as error:
            self._refused(error)
            history.refuse(write)
            return False
        history.acknowledge(write)
        return True

    async def _feed(self, staged: IStaged, body: bytes) -> None:
        for offset in range(0, len(body), 700):
            await staged.write(body[offset : offset + 700])

    def _refused(self, error: S3Error) -> None:
        self._note("refused", error.code)
        if error.code not in _REFUSALS:
            raise AssertionError(f"a disk that works makes the store answer {error}") from error

    def _bucket(self) -> str:
        names = [name for name in (BUCKETS[0], BUCKETS[1], BUCKETS[1]) if name not in self._world.versioned]
        return self._random.choice(names)

    def _place(self) -> tuple[str, str]:
        return self._random.choice((BUCKETS[0], BUCKETS[0], BUCKETS[1])), self._random.choice(KEYS)

    def _object(self) -> tuple[str, str]:
        """Most often where an object is."""
        places = [place for place, history in self._world.keys.items() if history.allowed != [None]]
        return self._random.choice(places) if places and self._random.random() < 0.8 else self._place()

    def _upload(self) -> KnownUpload | None:
        alive = [known for known in self._world.uploads.values() if True in known.alive.allowed]
        return self._random.choice(alive) if alive else None

    def _note(self, *what: object) -> None:
        words = (" ".join(map(str, word.user)) if isinstance(word, Properties) else str(word)[:20] for word in what)
        self._world.note(f"{self._world.disk.changes:4} {self._name} {' '.join(words)}")


Deed = Callable[[Client], Coroutine[Any, Any, None]]
_DEEDS: tuple[Deed, ...] = (
    *([Client.put] * 4),
    *([Client.delete] * 2),
    Client.copy,
    *([Client.change] * 2),
    *([Client.rename] * 2),
    Client.delete_version,
    *([Client.begin] * 2),
    *([Client.put_part] * 3),
    *([Client.complete] * 2),
    Client.abort,
    Client.create_bucket,
    Client.delete_bucket,
)
