"""What a store makes durable of buckets, objects, versions and uploads, one by one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from msgspec import structs

from tests.crash.deeds import Deed
from tests.crash.world import now
from tests.storage.kit import OWNER, PlainPayload, just
from twisted_s3.errors import S3Error
from twisted_s3.interfaces import VersionWalk, always
from twisted_s3.model import ENABLED, ObjectVersion, Properties
from twisted_s3.storage.filesystem.disk import Access
from twisted_s3.storage.filesystem.store import FilesystemStore

_BIG = Properties(user={"big": "x" * 5000})
_PART_BYTES = 600

Act = Callable[[FilesystemStore], object]


def _bucket(store: FilesystemStore) -> None:
    now(store.create_bucket("alpha", OWNER, ""))


def _versioned(store: FilesystemStore) -> None:
    _bucket(store)
    now(store.change_bucket("alpha", lambda bucket: structs.replace(bucket, versioning=ENABLED)))


def _put(key: str, body: bytes, properties: Properties = Properties()) -> Act:
    def put(store: FilesystemStore) -> None:
        staged = now(store.stage("alpha", PlainPayload()))
        now(staged.write(body))
        now(staged.commit(key, properties, always, OWNER))

    return put


def _all(*acts: Act) -> Act:
    def all_of(store: FilesystemStore) -> None:
        for act in acts:
            act(store)

    return all_of


def _delete(key: str) -> Act:
    return lambda store: now(store.delete_object("alpha", key, owner=OWNER))


def _delete_version(at: int) -> Act:
    """Delete the version of a key at a place, of which the first is the newest; the same when it is asked again."""
    ids: list[str] = []

    def delete(store: FilesystemStore) -> None:
        there = [version.version_id for version in _listed(store, "k")]
        if there and not set(ids) & set(there):
            ids[:] = there
        now(store.delete_object("alpha", "k", version_id=ids[at], owner=OWNER))

    return delete


def _listed(store: FilesystemStore, key: str) -> list[ObjectVersion]:
    def page(walk: VersionWalk) -> list[ObjectVersion]:
        return [listed.version for listed in walk.versions(key)]

    return list(now(store.list_versions("alpha", page)))


def _tag(key: str, properties: Properties) -> Act:
    def tag(store: FilesystemStore) -> None:
        now(store.change_object("alpha", key, lambda version: structs.replace(version, properties=properties)))

    return tag


def _rename(source: str, target: str) -> Act:
    return lambda store: now(store.rename_object("alpha", source, target))


def _hidden(store: FilesystemStore) -> None:
    """A version in the overflow, behind a file that was put by hand."""
    _versioned(store)
    _put("k/x", b"in the way")(store)
    _put("k", b"older")(store)
    _put("k", b"hidden", _BIG)(store)
    disk = store._disk
    disk.unlink(b"alpha/k/x")
    disk.rmdir(b"alpha/k")
    disk.close(disk.open(b"alpha/k", Access.NEW))


def _begin(store: FilesystemStore) -> None:
    now(store.create_upload("alpha", "d/k", _BIG, OWNER))


def _part(number: int, seed: int = 0) -> Act:
    def part(store: FilesystemStore) -> None:
        (upload,) = now(store.list_uploads("alpha"))
        staged = now(store.stage_part("alpha", upload.key, upload.id, number, _PART_BYTES, PlainPayload()))
        now(staged.write(hashlib.shake_128(b"%d %d" % (number, seed)).digest(_PART_BYTES)))
        now(staged.commit())

    return part


def _complete(store: FilesystemStore) -> None:
    for upload in now(store.list_uploads("alpha")):
        parts = now(store.list_parts("alpha", upload.key, upload.id))
        now(store.complete_upload("alpha", upload.key, upload.id, just(parts, "e" * 32)))


def _abort(store: FilesystemStore) -> None:
    for upload in now(store.list_uploads("alpha")):
        now(store.abort_upload("alpha", upload.key, upload.id))


def _buckets(store: FilesystemStore) -> object:
    return [(bucket.name, bucket.owner, bucket.versioning) for bucket in now(store.list_buckets())]


def _body(store: FilesystemStore, key: str) -> object:
    """What GET gives."""
    try:
        opened = now(store.open_object("alpha", key))
    except S3Error as error:
        return error.code
    try:
        return bytes(now(opened.read(0, opened.version.size))), opened.version.etag, opened.version.properties
    finally:
        opened.close()


def _objects(store: FilesystemStore) -> object:
    """Every key with its bytes, and its versions without what is new each time."""
    keys, _ = now(store.list_keys("alpha", lambda walk: list(walk("")), list))
    return _buckets(store), {key: _body(store, key) for key in (*keys, "k")}, _history(store)


def _history(store: FilesystemStore) -> object:
    def page(walk: VersionWalk) -> list[object]:
        return [
            (key, listed.is_latest, listed.version.etag, listed.version.delete_marker, listed.version.owner)
            for key in walk.keys("")
            for listed in walk.versions(key)
        ]

    return now(store.list_versions("alpha", page))


def _unhidden(store: FilesystemStore) -> object:
    """The versions of the key, and when the newest is gone the hidden one, which must be somewhere."""
    listed = _listed(store, "k")
    hidden = [version for version in listed if version.properties == _BIG]
    if not hidden:
        store._disk.unlink(b"alpha/k")
        hidden = [now(store.head_object("alpha", "k"))]
    return [version.delete_marker for version in listed[:1]], [(one.size, one.properties) for one in hidden]


def _uploads(store: FilesystemStore) -> object:
    """Every upload with its parts, then what it comes to, and what is there beside it."""
    found = []
    for upload in now(store.list_uploads("alpha")):
        parts = now(store.list_parts("alpha", upload.key, upload.id))
        found.append((upload.key, upload.properties, [(part.number, part.etag) for part in parts]))
    there = _body(store, "d/k")
    try:
        _complete(store)
    except S3Error as error:
        return found, there, error.code
    return found, there, _body(store, "d/k")


def _upload_ids(store: FilesystemStore) -> object:
    return [upload.id for upload in now(store.list_uploads("alpha"))]


def _completed(store: FilesystemStore) -> object:
    """What is there, and what is there when completion is asked for (again). An upload may outlive it for a while."""
    there = _body(store, "d/k")
    _complete(store)
    return there, _body(store, "d/k")


_TWO_PARTS = _all(_bucket, _begin, _part(1), _part(2))
_TWO_VERSIONS = _all(_versioned, _put("k", b"first", _BIG), _put("k", b"second", _BIG))

STROKES = (
    Deed("a bucket", lambda store: None, _bucket, _buckets, again=False),
    Deed("a bucket that is deleted", _bucket, lambda store: now(store.delete_bucket("alpha")), _buckets, again=False),
    Deed("an object", _bucket, _put("d/k", b"body", _BIG), _objects),
    Deed("an object over another", _all(_bucket, _put("k", b"old", _BIG)), _put("k", b"new", _BIG), _objects),
    Deed("an object that is deleted", _all(_bucket, _put("d/k", b"old", _BIG)), _delete("d/k"), _objects),
    Deed("tags", _all(_bucket, _put("k", b"old", _BIG)), _tag("k", Properties(tags={"t": "1"})), _objects),
    Deed("a rename", _all(_bucket, _put("d/k", b"1", _BIG)), _rename("d/k", "e/f/g"), _objects, again=False),
    Deed("a version over another", _all(_versioned, _put("k", b"1", _BIG)), _put("k", b"2"), _objects, again=False),
    Deed("a version over others", _TWO_VERSIONS, _put("k", b"3"), _objects, again=False),
    Deed("a delete marker", _TWO_VERSIONS, _delete("k"), _objects, again=False),
    Deed("a delete marker that is removed", _all(_TWO_VERSIONS, _delete("k")), _delete_version(0), _objects),
    Deed("the newest version, removed", _TWO_VERSIONS, _delete_version(0), _objects),
    Deed("an older version, removed", _TWO_VERSIONS, _delete_version(1), _objects),
    Deed("a delete marker over a version that was hidden", _hidden, _delete("k"), _unhidden, again=False),
    Deed("an upload", _bucket, _begin, _uploads, again=False),
    Deed("an upload that is aborted", _TWO_PARTS, _abort, _uploads, again=False),
    Deed("a part", _all(_bucket, _begin), _part(1), _uploads),
    Deed("a part, sent again", _TWO_PARTS, _part(2, seed=1), _uploads),
    Deed("another part, sent again", _all(_TWO_PARTS, _part(2, seed=1)), _part(1, seed=1), _uploads),
    Deed("the end of an upload that is completed", _TWO_PARTS, _complete, _upload_ids, again=False),
    Deed("a completion by a rename", _TWO_PARTS, _complete, _completed),
    Deed("a completion by copies", _all(_TWO_PARTS, _part(4)), _complete, _completed),
)
