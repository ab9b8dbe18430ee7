"""The records that the store keeps, written as compact JSON and read back without trust."""

from __future__ import annotations

import json
import re
from typing import Any
from zlib import crc32

import msgspec
from msgspec import Struct, structs

from twisted_s3.model import (
    FULL_OBJECT,
    NULL_VERSION,
    Bucket,
    ObjectVersion,
    Part,
    Upload,
)
from twisted_s3.storage.filesystem.disk import Stat
from twisted_s3.storage.filesystem.documents import (
    FORM,
    PartDocument,
    PartFields,
    PointerDocument,
    UploadDocument,
    VersionDocument,
    default_or,
    described,
)
from twisted_s3.storage.versionids import is_made_id

_SIDE = re.compile("[0-9a-f]{32}")
_AT_REST = re.compile("[0-9a-f]{16}")
_CHECKSUM = b',"z":'
#: What records had before they had checksums.
_OLDER_FIELDS = frozenset("vsekypionlhutca") | {
    *("side", "created", "owner", "region", "versioning", "lock", "configurations"),
    *("key", "initiated", "algorithm", "type", "part", "place", "offset"),
}


class Stamp(Struct, frozen=True):
    """What a file looked like when its record was made. When it looks different, the record is stale.

    The inode is not part of that: a copy that keeps the time of change and the attributes keeps the record, too.
    """

    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, stat: Stat) -> Stamp:
        """The stamp of an inode as it is."""
        return cls(stat.size, stat.mtime_ns, stat.inode)


class StoredPart(Struct, frozen=True):
    """A committed part and where its bytes lie.

    :ivar place: the name of the file in the upload's folder.
    :ivar offset: where in that file.
    :ivar length: how many bytes they are.
    :ivar at_rest: the checksum of the bytes there.
    """

    part: Part
    place: str
    offset: int
    length: int
    at_rest: str = ""


_VERSION = msgspec.json.Decoder(VersionDocument)
_POINTER = msgspec.json.Decoder(PointerDocument)
_UPLOAD = msgspec.json.Decoder(UploadDocument)
_PART = msgspec.json.Decoder(PartDocument)
_UNREADABLE = (ValueError, RecursionError)
# Applications may give text of types of their own.
_encode = msgspec.json.Encoder(enc_hook=str.__str__).encode


def _with_checksum(raw: bytes) -> bytes:
    """A document with the checksum of itself as its last field."""
    return b"%b%b%d}" % (raw[:-1], _CHECKSUM, crc32(raw))


def is_whole(raw: bytes) -> bool:
    """Whether a document is byte for byte what was written, as far as one that is older than checksums can tell."""
    document, _, checksum = raw.rpartition(_CHECKSUM)
    return checksum == b"%d}" % crc32(document + b"}") or _is_older(raw)


def _is_older(raw: bytes) -> bool:
    try:
        return set(_load(raw)) <= _OLDER_FIELDS
    except (ValueError, LookupError, TypeError):
        return False


def load_stamp(raw: bytes) -> Stamp | None:
    """What the file of a record looked like when that was made; None when the record can not be read."""
    try:
        return Stamp(*_POINTER.decode(raw).stamp)
    except _UNREADABLE:
        return None


def _load(raw: bytes) -> Any:
    try:
        # Of bytes it would guess the encoding.
        document = json.loads(raw.decode())
    except RecursionError:
        raise ValueError("too deep") from None
    if document["v"] != FORM:
        raise ValueError("a record of another form")
    return document


def dump_version(version: ObjectVersion, stamp: Stamp) -> bytes:
    """The record of an object, without its key, time and, unless it is encrypted, size: those are the file's."""
    return _with_checksum(
        _encode(
            VersionDocument(
                stamp=structs.astuple(stamp),
                etag=version.etag,
                at_rest=version.at_rest,
                checksums=dict(version.checksums),
                checksum_type=default_or(FULL_OBJECT, version.checksum_type),
                parts=[PartFields.of(part) for part in version.parts],
                upload_id=version.upload_id,
                version_id=default_or(NULL_VERSION, version.version_id),
                size=0 if version.encryption is None else version.size,
                **described(version.properties, version.owner, version.lock, version.encryption),
            )
        )
    )


def dump_pointer(side: str, stamp: Stamp) -> bytes:
    """A record that says that the record is in the side file ``side``."""
    return _with_checksum(_encode(PointerDocument(FORM, structs.astuple(stamp), side)))


def load_version(
    raw: bytes, key: str, stamp: Stamp | Stat, sealed: bool = False, together: bool = True
) -> ObjectVersion | str | None:
    """Read a record: the version, or the side file it points to; None when it is stale or no record.

    What is encrypted tells by itself whether it was changed, so the record of a file with encrypted bytes is never
    stale. Without it they would be taken for the bytes of the object.

    :param sealed: whether the file begins like one with encrypted bytes.
    :param together: whether ``raw`` and ``stamp`` are surely of the same file; else only a fresh record counts.
    """
    try:
        found = _VERSION.decode(raw)
    except _UNREADABLE:
        return None
    size, mtime_ns, _ = found.stamp
    fresh = size == stamp.size and mtime_ns == stamp.mtime_ns
    if found.side:
        return found.side if _SIDE.fullmatch(found.side) and (fresh or sealed) else None
    encryption = found.encryption
    if not fresh and (encryption is None or not together or not (sealed or size == stamp.size)):
        return None
    if found.etag is None:
        return None
    return ObjectVersion(
        key=key,
        size=stamp.size if encryption is None else found.size,
        etag=found.etag,
        last_modified=stamp.mtime_ns / 1e9,
        properties=found.properties,
        checksums=found.checksums,
        checksum_type=found.checksum_type,
        parts=tuple(part.part() for part in found.parts) if found.parts else (),
        upload_id=found.upload_id,
        owner=found.owner,
        version_id=found.version_id if is_made_id(found.version_id) else NULL_VERSION,
        lock=found.lock,
        at_rest=found.at_rest,
        encryption=encryption,
    )


def load_pointer(raw: bytes, inode: int | None = None) -> str | None:
    """The side file that a record points to, also when the file was edited since.

    None when there is none, or the record came to ``inode`` with a copy: then the side file is another's.
    """
    try:
        found = _POINTER.decode(raw)
    except _UNREADABLE:
        return None
    own = inode is None or found.stamp[2] == inode
    return found.side if own and _SIDE.fullmatch(found.side) else None


def dump_bucket(bucket: Bucket) -> bytes:
    """The record of a bucket, without its name."""
    documents = {name: raw.decode("utf-8", "surrogateescape") for name, raw in bucket.configurations.items()}
    document = {
        "v": FORM,
        "created": bucket.created,
        "owner": bucket.owner,
        "region": bucket.region,
        "versioning": bucket.versioning,
        "lock": bucket.object_lock,
        "configurations": documents,
    }
    # Bytes that are no text are kept as half characters, which this JSON can hold.
    stated = {name: value for name, value in document.items() if value}
    return _with_checksum(json.dumps(stated, separators=(",", ":")).encode())


def load_bucket(raw: bytes, name: str) -> Bucket | None:
    """Read the record of a bucket; None when it is none."""
    try:
        document = _load(raw)
        documents = document.get("configurations", {})
        return Bucket(
            name=name,
            created=float(document["created"]),
            owner=document.get("owner", ""),
            region=document.get("region", ""),
            versioning=document.get("versioning", ""),
            object_lock=bool(document.get("lock")),
            configurations={name: text.encode("utf-8", "surrogateescape") for name, text in documents.items()},
        )
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError):
        return None


def dump_upload(upload: Upload) -> bytes:
    """The record of an upload, without its id."""
    return _with_checksum(
        _encode(
            UploadDocument(
                key=upload.key,
                initiated=upload.initiated,
                algorithm=upload.checksum_algorithm,
                type=upload.checksum_type,
                before=upload.before,
                **described(upload.properties, upload.owner, upload.lock, upload.encryption),
            )
        )
    )


def load_upload(raw: bytes, upload_id: str) -> Upload | None:
    """Read the record of an upload; None when it is none."""
    try:
        found = _UPLOAD.decode(raw)
    except _UNREADABLE:
        return None
    return Upload(
        id=upload_id,
        key=found.key,
        initiated=found.initiated,
        properties=found.properties,
        owner=found.owner,
        checksum_algorithm=found.algorithm,
        checksum_type=found.type,
        lock=found.lock,
        encryption=found.encryption,
        before=found.before,
    )


def dump_part(stored: StoredPart) -> bytes:
    """The record of a committed part."""
    length = None if stored.length == stored.part.size else stored.length
    document = PartDocument(FORM, PartFields.of(stored.part), stored.place, stored.offset, length, stored.at_rest)
    return _with_checksum(_encode(document))


def load_part(raw: bytes) -> StoredPart | None:
    """Read the record of a part; None when it is none."""
    try:
        found = _PART.decode(raw)
    except _UNREADABLE:
        return None
    if found.at_rest and _AT_REST.fullmatch(found.at_rest) is None:
        return None
    part = found.part.part()
    length = part.size if found.length is None else found.length
    return StoredPart(part, found.place, found.offset, length, found.at_rest)
