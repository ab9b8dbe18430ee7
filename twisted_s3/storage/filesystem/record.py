"""The documents that the store keeps: compact JSON, read back without trust.

Everything but what is at its default is written, under short names, so that the record of a usual object fits into
the extended attributes of its inode.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any
from zlib import crc32

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
#: What JSON has around it.
_WHITE = " \t\n\r"
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


_decode = json.JSONDecoder().raw_decode


def _dump(document: Mapping[str, Any]) -> bytes:
    """A document with the checksum of itself as its last field."""
    raw = json.dumps({name: value for name, value in document.items() if value}, separators=(",", ":")).encode()
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
        size, mtime_ns, inode = _load(raw)["s"]
        return Stamp(int(size), int(mtime_ns), int(inode))
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError):
        return None


def _load(raw: bytes) -> Any:
    text = raw.decode().strip(_WHITE)
    try:
        document, end = _decode(text)
    except RecursionError:
        raise ValueError("too deep") from None
    if end != len(text):
        raise ValueError("more than a record")
    if document["v"] != _FORM:
        raise ValueError("a record of another form")
    return document


def _load_sendable(raw: bytes) -> Any:
    """A document all of whose text can be sent: JSON can hold half characters too, but only as escapes."""
    document = _load(raw)
    if b"\\u" in raw:
        try:
            json.dumps(document, ensure_ascii=False).encode()
        except RecursionError:
            raise ValueError("too deep") from None
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
        document = _load_sendable(raw)
        size, mtime_ns = document["s"][:2]
        fresh = size == stamp.size and mtime_ns == stamp.mtime_ns
        if "side" in document:
            return _side_of(document) if fresh or sealed else None
        encryption = _load_encryption(document)
        if not fresh and (encryption is None or not together or not (sealed or size == stamp.size)):
            return None
        # A page of a listing comes here a thousand times: nothing is called for what is not there.
        get = document.get
        return ObjectVersion(
            key=key,
            size=stamp.size if encryption is None else int(get("b", 0)),
            etag=_text(document["e"]),
            last_modified=stamp.mtime_ns / 1e9,
            properties=_load_properties(document),
            checksums=_texts(document, "k"),
            checksum_type=_text(get("y", FULL_OBJECT)),
            parts=tuple(map(_load_part, document["p"])) if "p" in document else (),
            upload_id=_text(get("i", "")),
            owner=_text(get("o", "")),
            version_id=document["n"] if "n" in document and is_made_id(document["n"]) else NULL_VERSION,
            lock=_load_lock(document),
            at_rest=get("f", ""),
            encryption=encryption,
        )
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError):
        return None


def load_pointer(raw: bytes, inode: int | None = None) -> str | None:
    """The side file that a record points to, also when the file was edited since.

    None when there is none, or the record came to ``inode`` with a copy: then the side file is another's.
    """
    try:
        document = _load(raw)
        own = inode is None or document["s"][2] == inode
        return _side_of(document) if "side" in document and own else None
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError):
        return None


def _side_of(document: Mapping[str, Any]) -> str:
    side = document["side"]
    if _SIDE.fullmatch(side) is None:
        raise ValueError("not the name of a side file")
    return str(side)


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
        }
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
        document = _load_sendable(raw)
        return Upload(
            id=upload_id,
            key=document["key"],
            initiated=float(document["initiated"]),
            properties=_load_properties(document),
            owner=document.get("o", ""),
            checksum_algorithm=document.get("algorithm", ""),
            checksum_type=document.get("type", ""),
            lock=_load_lock(document),
            encryption=_load_encryption(document),
            before=document.get("before"),
        )
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError):
        return None


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
        document = _load_sendable(raw)
        part = _load_part(document["part"])
        length = document.get("length", part.size)
        return StoredPart(part, document["place"], document.get("offset", 0), length, _load_at_rest(document))
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError):
        return None


def _dump_properties(properties: Properties) -> Mapping[str, Any]:
    return {
        "h": dict(properties.headers),
        "u": dict(properties.user),
        "t": dict(properties.tags),
        "c": "" if properties.storage_class == "STANDARD" else properties.storage_class,
        "a": None if properties.acl is None else {"g": [[one.grantee, one.permission] for one in properties.acl]},
    }


def _load_at_rest(document: Mapping[str, Any]) -> str:
    """:raise ValueError: for what is no checksum."""
    found = _text(document.get("f", ""))
    if found and _AT_REST.fullmatch(found) is None:
        raise ValueError("not a checksum")
    return found


def _load_properties(document: Mapping[str, Any]) -> Properties:
    return Properties(
        headers=_texts(document, "h"),
        user=_texts(document, "u"),
        tags=_texts(document, "t"),
        storage_class=_text(document.get("c", "STANDARD")),
        acl=tuple(Grant(*one) for one in document["a"]["g"]) if "a" in document else None,
    )


def _texts(document: Mapping[str, Any], name: str) -> Mapping[str, str]:
    """A field whose values are text. :raise ValueError: where one is not."""
    if name not in document:
        return {}
    found: Mapping[str, str] = document[name]
    for value in found.values():
        if not isinstance(value, str):
            raise ValueError("not text")
    return found


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("not text")
    return value


def _dump_lock(lock: ObjectLock) -> list[Any]:
    return [] if lock == UNLOCKED else [lock.mode, lock.until, lock.legal_hold]


def _load_lock(document: Mapping[str, Any]) -> ObjectLock:
    if "l" not in document:
        return UNLOCKED
    mode, until, legal_hold = document["l"]
    return ObjectLock(str(mode), float(until), None if legal_hold is None else bool(legal_hold))


def _dump_encryption(encryption: Encryption | None) -> list[Any]:
    if encryption is None:
        return []
    wrapped = b64encode(encryption.wrapped).decode("ascii")
    return [
        encryption.kind,
        encryption.key_id,
        wrapped,
        encryption.name,
        encryption.context,
        int(encryption.bucket_key),
    ]


def _load_encryption(document: Mapping[str, Any]) -> Encryption | None:
    if "x" not in document:
        return None
    kind, key_id, wrapped, name, context, bucket_key = document["x"]
    return Encryption(str(kind), b64decode(wrapped), str(key_id), str(name), str(context), bool(bucket_key))


def _dump_part(part: Part) -> list[Any]:
    return [part.number, part.size, part.etag, part.last_modified, dict(part.checksums)]


def _load_part(values: list[Any]) -> Part:
    number, size, etag, last_modified, checksums = values
    return Part(
        number=int(number),
        size=int(size),
        etag=_text(etag),
        checksums=_texts({"k": checksums}, "k"),
        last_modified=float(last_modified),
    )
