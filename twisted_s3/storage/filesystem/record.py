"""The documents that the store keeps: compact JSON, read back without trust.

Everything but what is at its default is written, under short names, so that the record of a usual object fits into
the extended attributes of its inode.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal
from zlib import crc32

import msgspec
from msgspec import Struct

from twisted_s3.model import (
    FULL_OBJECT,
    NULL_VERSION,
    UNLOCKED,
    Bucket,
    Encryption,
    Grant,
    ObjectLock,
    ObjectVersion,
    Part,
    Properties,
    Upload,
)
from twisted_s3.storage.filesystem.disk import Stat
from twisted_s3.storage.versionids import is_made_id

#: The version of the form of the records.
_FORM = 1
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


#: The names in the documents of what objects have.
_SHORT = {
    "form": "v",
    "stamp": "s",
    "etag": "e",
    "at_rest": "f",
    "checksums": "k",
    "checksum_type": "y",
    "parts": "p",
    "upload_id": "i",
    "owner": "o",
    "version_id": "n",
    "locked": "l",
    "encrypted": "x",
    "size": "b",
    "headers": "h",
    "user": "u",
    "tags": "t",
    "storage_class": "c",
    "acl": "a",
}


class _Part(Struct, array_like=True, forbid_unknown_fields=True):
    number: int
    size: int
    etag: str
    last_modified: float
    checksums: dict[str, str]

    def part(self) -> Part:
        return Part(self.number, self.size, self.etag, self.checksums, self.last_modified)


class _Lock(Struct, array_like=True, forbid_unknown_fields=True):
    mode: str
    until: float
    legal_hold: bool | None

    def lock(self) -> ObjectLock:
        return ObjectLock(self.mode, self.until, self.legal_hold)


class _Encryption(Struct, array_like=True, forbid_unknown_fields=True):
    kind: str
    key_id: str
    wrapped: bytes
    name: str
    context: str
    bucket_key: int

    def encryption(self) -> Encryption:
        return Encryption(self.kind, self.wrapped, self.key_id, self.name, self.context, bool(self.bucket_key))


class _Acl(Struct, rename={"grants": "g"}):
    grants: list[tuple[str, str]]


class _Described(Struct, rename=_SHORT):
    """What the records of objects and of uploads have in common."""

    form: Literal[1]
    headers: dict[str, str] = {}
    user: dict[str, str] = {}
    tags: dict[str, str] = {}
    storage_class: str = "STANDARD"
    acl: _Acl | None = None
    owner: str = ""
    locked: _Lock | None = None
    encrypted: _Encryption | None = None

    def properties(self) -> Properties:
        acl = None if self.acl is None else tuple(Grant(*one) for one in self.acl.grants)
        return Properties(self.headers, self.user, self.tags, self.storage_class, acl)

    def lock(self) -> ObjectLock:
        return UNLOCKED if self.locked is None else self.locked.lock()

    def encryption(self) -> Encryption | None:
        return None if self.encrypted is None else self.encrypted.encryption()


class _Version(_Described, kw_only=True, rename=_SHORT):
    stamp: tuple[int, int, int]
    side: str = ""
    # What points to a side file has none.
    etag: str | None = None
    at_rest: str = ""
    checksums: dict[str, str] = {}
    checksum_type: str = FULL_OBJECT
    parts: list[_Part] = []
    upload_id: str = ""
    version_id: str = NULL_VERSION
    size: int = 0


class _Pointer(Struct, rename=_SHORT):
    form: Literal[1]
    stamp: tuple[int, int, int]
    side: str = ""


class _Upload(_Described, kw_only=True, rename=_SHORT):
    key: str
    initiated: float
    algorithm: str = ""
    type: str = ""
    before: str | None = None


class _StoredPart(Struct, rename=_SHORT):
    form: Literal[1]
    part: _Part
    place: str
    offset: int = 0
    length: int | None = None
    at_rest: str = ""


# What is not of these types is no record. Nor is text with half characters, which JSON can hold, but nobody can send.
_VERSION = msgspec.json.Decoder(_Version)
_POINTER = msgspec.json.Decoder(_Pointer)
_UPLOAD = msgspec.json.Decoder(_Upload)
_PART = msgspec.json.Decoder(_StoredPart)
_UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)


def _dump(document: Mapping[str, Any], encode: Callable[[Any], bytes] = msgspec.json.encode) -> bytes:
    """A document with the checksum of itself as its last field."""
    raw = encode({name: value for name, value in document.items() if value})
    return b"%b%b%d}" % (raw[:-1], _CHECKSUM, crc32(raw))


def _encode_any_text(document: Any) -> bytes:
    """JSON with half characters in it, as which bytes are kept that are no text."""
    return json.dumps(document, separators=(",", ":")).encode()


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
        document = json.loads(raw)
    except RecursionError:
        raise ValueError("too deep") from None
    if document["v"] != _FORM:
        raise ValueError("a record of another form")
    return document


def dump_version(version: ObjectVersion, stamp: Stamp) -> bytes:
    """The record of an object, without its key, time and, unless it is encrypted, size: those are the file's."""
    return _dump(
        {
            "v": _FORM,
            "s": [stamp.size, stamp.mtime_ns, stamp.inode],
            "e": version.etag,
            "f": version.at_rest,
            "k": dict(version.checksums),
            "y": "" if version.checksum_type == FULL_OBJECT else version.checksum_type,
            "p": [_dump_part(part) for part in version.parts],
            "i": version.upload_id,
            "o": version.owner,
            "n": "" if version.version_id == NULL_VERSION else version.version_id,
            "l": _dump_lock(version.lock),
            "x": _dump_encryption(version.encryption),
            "b": 0 if version.encryption is None else version.size,
            **_dump_properties(version.properties),
        }
    )


def dump_pointer(side: str, stamp: Stamp) -> bytes:
    """A record that says that the record is in the side file ``side``."""
    return _dump({"v": _FORM, "s": [stamp.size, stamp.mtime_ns, stamp.inode], "side": side})


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
    encryption = found.encryption()
    if not fresh and (encryption is None or not together or not (sealed or size == stamp.size)):
        return None
    if found.etag is None:
        return None
    return ObjectVersion(
        key=key,
        size=stamp.size if encryption is None else found.size,
        etag=found.etag,
        last_modified=stamp.mtime_ns / 1e9,
        properties=found.properties(),
        checksums=found.checksums,
        checksum_type=found.checksum_type,
        parts=tuple(part.part() for part in found.parts) if found.parts else (),
        upload_id=found.upload_id,
        owner=found.owner,
        version_id=found.version_id
        if found.version_id == NULL_VERSION or is_made_id(found.version_id)
        else NULL_VERSION,
        lock=found.lock(),
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
    return _dump(
        {
            "v": _FORM,
            "created": bucket.created,
            "owner": bucket.owner,
            "region": bucket.region,
            "versioning": bucket.versioning,
            "lock": bucket.object_lock,
            "configurations": documents,
        },
        _encode_any_text,
    )


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
    return _dump(
        {
            "v": _FORM,
            "key": upload.key,
            "initiated": upload.initiated,
            "o": upload.owner,
            "algorithm": upload.checksum_algorithm,
            "type": upload.checksum_type,
            "l": _dump_lock(upload.lock),
            "x": _dump_encryption(upload.encryption),
            "before": upload.before,
            **_dump_properties(upload.properties),
        }
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
        properties=found.properties(),
        owner=found.owner,
        checksum_algorithm=found.algorithm,
        checksum_type=found.type,
        lock=found.lock(),
        encryption=found.encryption(),
        before=found.before,
    )


def dump_part(stored: StoredPart) -> bytes:
    """The record of a committed part."""
    length = None if stored.length == stored.part.size else stored.length
    return _dump(
        {
            "v": _FORM,
            "part": _dump_part(stored.part),
            "place": stored.place,
            "offset": stored.offset,
            "length": length,
            "f": stored.at_rest,
        }
    )


def load_part(raw: bytes) -> StoredPart | None:
    """Read the record of a part; None when it is none."""
    try:
        found = _PART.decode(raw)
    except _UNREADABLE:
        return None
    if found.at_rest and _AT_REST.fullmatch(found.at_rest) is None:
        return None
    part = found.part.part()
    return StoredPart(
        part, found.place, found.offset, part.size if found.length is None else found.length, found.at_rest
    )


def _dump_properties(properties: Properties) -> Mapping[str, Any]:
    return {
        "h": dict(properties.headers),
        "u": dict(properties.user),
        "t": dict(properties.tags),
        "c": "" if properties.storage_class == "STANDARD" else properties.storage_class,
        "a": None if properties.acl is None else {"g": [[one.grantee, one.permission] for one in properties.acl]},
    }


def _dump_lock(lock: ObjectLock) -> list[Any]:
    return [] if lock == UNLOCKED else [lock.mode, lock.until, lock.legal_hold]


def _dump_encryption(encryption: Encryption | None) -> list[Any]:
    if encryption is None:
        return []
    return [
        encryption.kind,
        encryption.key_id,
        encryption.wrapped,
        encryption.name,
        encryption.context,
        int(encryption.bucket_key),
    ]


def _dump_part(part: Part) -> list[Any]:
    return [part.number, part.size, part.etag, part.last_modified, dict(part.checksums)]
