"""What is found when the power is back, and whether it may be."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from itertools import islice

from msgspec import Struct

from tests.crash.clients import held
from tests.crash.oracle import Held, History
from tests.crash.simulated import SimulatedDisk
from tests.crash.world import BUCKETS, KEYS, World, now
from tests.storage.kit import OWNER, PlainPayload, just, only_if_absent
from twisted_s3.errors import S3Error
from twisted_s3.model import ListedVersion, ObjectVersion, Part, Properties, Upload
from twisted_s3.protocol.walks import KeyWalk, VersionWalk
from twisted_s3.storage.filesystem.layout import STAGING, STATE
from twisted_s3.storage.filesystem.store import FilesystemStore


class Found(Struct, frozen=True):
    """All that clients can see.

    :ivar buckets: name to owner.
    :ivar versions: of the versioned buckets, by bucket, key and id.
    :ivar uploads: id to bucket, upload and parts.
    """

    buckets: Mapping[str, str]
    objects: Mapping[tuple[str, str], Held]
    versions: Mapping[tuple[str, str, str], Held]
    uploads: Mapping[str, tuple[str, Upload, tuple[Part, ...]]]


def require(truth: object, problem: str) -> None:
    """:raise AssertionError: with the problem, unless it is true."""
    if not truth:
        raise AssertionError(problem)


def look(store: FilesystemStore, bodies: Mapping[str, bytes]) -> Found:
    """See everything that there is, by LIST and by GET, which must agree. Every byte is read.

    :raise AssertionError: when the store contradicts itself.
    """
    buckets = {bucket.name: bucket.owner for bucket in now(store.list_buckets())}
    objects = {}
    versions: dict[tuple[str, str, str], Held] = {}
    uploads = {}
    for bucket in buckets:
        if now(store.get_bucket(bucket)).versioning:
            versions.update(_versions(store, bucket, bodies))
        listed = _list(store, bucket)
        for key in {*KEYS, *listed}:
            version = _get(store, bucket, key, bodies)
            require(version == listed.get(key), f"LIST and GET disagree about {bucket}/{key[:20]}")
            if version is not None:
                objects[bucket, key] = held(version)
        for upload in now(store.list_uploads(bucket)):
            uploads[upload.id] = (bucket, upload, tuple(now(store.list_parts(bucket, upload.key, upload.id))))
    return Found(buckets, objects, versions, uploads)


def judge(world: World, found: Found) -> None:
    """:raise AssertionError: when what was found can not be."""
    require(set(found.buckets) <= set(BUCKETS), f"buckets appeared: {found.buckets}")
    for name, bucket in world.buckets.items():
        require(found.buckets.get(name) in bucket.allowed, f"bucket {name}: {found.buckets.get(name)}")
    require(set(found.objects) <= set(world.keys), f"objects appeared: {set(found.objects) - set(world.keys)}")
    for place, history in world.keys.items():
        seen = found.objects.get(place)
        require(
            seen in history.allowed,
            f"{place[0]}/{place[1][:20]}: {_name(seen)}, not {list(map(_name, history.allowed))}",
        )
    _judge_versions(world, found)
    _judge_renames(world, found)
    _judge_uploads(world, found)


def settle(world: World, found: Found) -> None:
    """Take for sure what was found."""
    for name, bucket in world.buckets.items():
        bucket.settle(found.buckets.get(name))
    for place, history in world.keys.items():
        history.settle(found.objects.get(place))
    world.versions = {place: History(world.clock, seen) for place, seen in found.versions.items()}
    world.births.clear()
    for upload_id, (bucket_name, upload, parts) in found.uploads.items():
        known = world.uploads.get(upload_id) or world.add_upload(bucket_name, upload)
        known.alive.settle(True)
        known.working = 0
        numbered = {part.number: (part.etag, part.size) for part in parts}
        for number, part_history in known.parts.items():
            part_history.settle(numbered.get(number))
    for upload_id in set(world.uploads) - set(found.uploads):
        del world.uploads[upload_id]
    world.starting.clear()
    world.deletions.clear()
    world.renames.clear()


def check_leftovers(disk: SimulatedDisk) -> None:
    """:raise AssertionError: when the staging folder is not empty, or a descriptor or lock is held."""
    require(not disk.scan(STAGING), f"staging: {disk.scan(STAGING)}")
    require(disk.is_clean(), "a descriptor is open or a lock is held")


def check_life(world: World, store: FilesystemStore, disk: SimulatedDisk, found: Found) -> None:
    """Use up what was found: complete the uploads, write every key, remove everything.

    :raise AssertionError: when something does not work.
    """
    bodies = dict(world.bodies)
    for upload_id, (bucket, upload, parts) in found.uploads.items():
        known = world.uploads.get(upload_id)
        _check_completion(store, bucket, upload, parts, bodies, known is None or known.completing)
    for bucket in BUCKETS:
        if bucket not in found.buckets:
            now(store.create_bucket(bucket, OWNER, ""))
        for key in KEYS:
            body = f"new {key}".encode()
            bodies[hashlib.md5(body).hexdigest()] = body
            stored = _put(store, bucket, key, body)
            require(_get(store, bucket, key, bodies) == stored, f"what is written to {bucket}/{key[:20]} is not there")
            try:
                _put(store, bucket, key, b"", only_if_absent)
            except S3Error as error:
                require(error.code == "PreconditionFailed", f"{error}")
            else:
                raise AssertionError("a conditional write over an object")
        for key in KEYS:
            require(now(store.delete_object(bucket, key, owner=OWNER)), f"{bucket}/{key[:20]} is not there to delete")
        require(not _list(store, bucket), "deleted objects are listed")
        _purge(store, bucket)
        for upload in now(store.list_uploads(bucket)):
            now(store.abort_upload(bucket, upload.key, upload.id))
        now(store.delete_bucket(bucket))
    require([name for name, _ in disk.scan(b"")] == [STATE], f"left over: {disk.scan(b'')}")
    check_leftovers(disk)


def _judge_versions(world: World, found: Found) -> None:
    """Every version that a client was told of is there, and no other but those that were being written."""
    for place, history in world.versions.items():
        seen = found.versions.get(place)
        require(seen in history.allowed, f"version {place[0]}/{place[1][:20]} {place[2][:6]}: {_name(seen)}")
    births = [(birth.bucket, birth.key, birth.held) for birth in world.births]
    for place in set(found.versions) - set(world.versions):
        born = (*place[:2], found.versions[place])
        require(born in births, f"a version of {place[0]}/{place[1][:20]} appeared: {_name(found.versions[place])}")
        births.remove(born)


def _judge_renames(world: World, found: Found) -> None:
    """An object that was being renamed is in one of the places, and not in both."""
    if not world.shape.atomic_renames:
        return
    seen = {id(history): found.objects.get(place) for place, history in world.keys.items()}
    for rename in world.renames:
        source, target = seen[id(rename.source)], seen[id(rename.target)]
        moved = source not in rename.source.allowed_without(rename.left)
        if moved and rename.target.count == 2:
            require(target == rename.held, "a renamed object is lost")
        # Somebody may have copied it there, too.
        came = target == rename.held and rename.held not in rename.target.allowed_without(rename.arrived)
        if came and rename.source.count == 2:
            require(source is None, "a renamed object is in both places")


def _judge_uploads(world: World, found: Found) -> None:
    for upload_id, known in world.uploads.items():
        present = upload_id in found.uploads
        require(present in known.alive.allowed, f"upload {upload_id[:6]} is {'' if present else 'not '}there")
        if present:
            _, upload, parts = found.uploads[upload_id]
            require(upload == known.upload, f"upload {upload_id[:6]} has changed")
            numbered = {part.number: (part.etag, part.size) for part in parts}
            for number, history in known.parts.items():
                require(
                    numbered.get(number) in history.allowed,
                    f"part {number} of {upload_id[:6]}: {numbered.get(number)}, not {history.allowed}",
                )
    starting = list(world.starting)
    for upload_id in set(found.uploads) - set(world.uploads):
        bucket, upload, parts = found.uploads[upload_id]
        require((bucket, upload.key) in starting and not parts, f"an upload of {bucket}/{upload.key[:20]} appeared")
        starting.remove((bucket, upload.key))


def _check_completion(
    store: FilesystemStore,
    bucket: str,
    upload: Upload,
    parts: tuple[Part, ...],
    bodies: dict[str, bytes],
    may_be_gone: bool,
) -> None:
    """Complete an upload, and read what it gives.

    :param may_be_gone: whether an earlier attempt may have taken its bytes.
    """
    if not parts:
        return
    body = b"".join(bodies[part.etag] for part in parts)
    etag = f"{hashlib.md5(body).hexdigest()}-{len(parts)}"
    bodies[etag] = body
    try:
        completed = now(store.complete_upload(bucket, upload.key, upload.id, just(parts, etag)))
    except S3Error as error:
        require(
            error.code in ("InvalidPart", "NoSuchUpload") and may_be_gone,
            f"upload {upload.id[:6]} can not be completed: {error}",
        )
        return
    require(completed.properties == upload.properties, "a completed upload has other metadata")
    require(_get(store, bucket, upload.key, bodies) == completed, "a completed upload is not there")


def _list(store: FilesystemStore, bucket: str) -> Mapping[str, ObjectVersion]:
    def page(walk: KeyWalk) -> list[str]:
        return list(islice(walk(""), 1000))

    keys, versions = now(store.list_keys(bucket, page, list))
    require(keys == sorted(keys) and [version.key for version in versions] == keys, f"listed: {keys}")
    return {version.key: version for version in versions}


def _versions(store: FilesystemStore, bucket: str, bodies: Mapping[str, bytes]) -> Mapping[tuple[str, str, str], Held]:
    """All versions, of which those that are the latest must be what GET gives."""

    def page(walk: VersionWalk) -> list[tuple[str, list[ListedVersion]]]:
        return [(key, list(walk.versions(key))) for key in walk.keys("")]

    found = {}
    for key, listed in now(store.list_versions(bucket, page)):
        if not listed:
            # A folder without a version, which no client sees.
            continue
        flags = [entry.is_latest for entry in listed]
        require(flags == [True] + [False] * (len(listed) - 1), f"latest of {bucket}/{key[:20]}: {flags}")
        current = _get(store, bucket, key, bodies)
        newest = listed[0].version
        require(current == (None if newest.delete_marker else newest), f"{bucket}/{key[:20]} is not its newest version")
        for entry in listed:
            version = entry.version
            if version.delete_marker:
                require(version.owner == OWNER, f"a delete marker of {bucket}/{key[:20]} has lost its owner")
            else:
                seen = _get(store, bucket, key, bodies, version.version_id)
                require(seen == version, f"version {version.version_id} of {bucket}/{key[:20]} is not as listed")
                found[bucket, key, version.version_id] = held(version)
    return found


def _purge(store: FilesystemStore, bucket: str) -> None:
    """Remove all versions for good."""

    def page(walk: VersionWalk) -> list[ListedVersion]:
        return [entry for key in walk.keys("") for entry in walk.versions(key)]

    for entry in now(store.list_versions(bucket, page)):
        now(store.delete_object(bucket, entry.version.key, version_id=entry.version.version_id))


def _get(
    store: FilesystemStore, bucket: str, key: str, bodies: Mapping[str, bytes], version_id: str | None = None
) -> ObjectVersion | None:
    try:
        opened = now(store.open_object(bucket, key, version_id))
    except S3Error as error:
        require(error.code == "NoSuchKey", f"{bucket}/{key[:20]}: {error}")
        return None
    try:
        body = now(opened.read(0, opened.version.size))
    finally:
        opened.close()
    require(bodies.get(opened.version.etag) == body, f"{bucket}/{key[:20]} has bytes that nobody wrote")
    return opened.version


def _put(store: FilesystemStore, bucket: str, key: str, body: bytes, *condition: object) -> ObjectVersion:
    staged = now(store.stage(bucket, PlainPayload()))
    try:
        now(staged.write(body))
        return now(staged.commit(key, Properties(), *condition))  # type: ignore[arg-type]
    finally:
        now(staged.discard())


def _name(seen: Held | None) -> str:
    if not isinstance(seen, Held):
        return "nothing" if seen is None else "anything"
    properties = seen.properties
    return f"{seen.etag[:6]}/{seen.size} n={properties.user.get('n')} t={properties.tags} {seen.owner[:2]}"
