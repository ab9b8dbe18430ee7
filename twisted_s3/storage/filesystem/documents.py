"""The documents that records are: JSON of these types, and what is of no such type is no record.

Nor is text with half characters, which JSON can hold, but nobody can send. What is at its default is left out, and
the names are short, so that the record of a usual object fits into the extended attributes of its inode.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, TypeVar

from msgspec import Struct

from twisted_s3.discreet import Discreet
from twisted_s3.model import FULL_OBJECT, NULL_VERSION, UNLOCKED, Encryption, Grant, ObjectLock, Part, Properties

T = TypeVar("T")

_STANDARD = "STANDARD"

#: The version of the form of the records.
FORM: Literal[1] = 1

#: The names in the documents.
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


def default_or(default: T, value: T) -> T:
    """``value``, but what equals the default as the default itself: nothing else is left out."""
    return default if value == default else value


class PartFields(Struct, array_like=True, forbid_unknown_fields=True):
    """A part."""

    number: int
    size: int
    etag: str
    last_modified: float
    checksums: dict[str, str]

    @classmethod
    def of(cls, part: Part) -> PartFields:
        """Those of a part."""
        return cls(part.number, part.size, part.etag, part.last_modified, dict(part.checksums))

    def part(self) -> Part:
        """The part."""
        return Part(self.number, self.size, self.etag, self.checksums, self.last_modified)


class LockFields(Struct, array_like=True, forbid_unknown_fields=True):
    """A lock that is not `UNLOCKED`."""

    mode: str
    until: float
    legal_hold: bool | None

    @classmethod
    def of(cls, lock: ObjectLock) -> LockFields | None:
        """Those of a lock."""
        return None if lock == UNLOCKED else cls(lock.mode, lock.until, lock.legal_hold)


class EncryptionFields(Discreet, Struct, array_like=True, forbid_unknown_fields=True):
    """How bytes are encrypted. ``bucket_key`` is 0 or 1."""

    HIDDEN: ClassVar = ("wrapped", "context")

    kind: str
    key_id: str
    wrapped: bytes
    name: str
    context: str
    bucket_key: int

    @classmethod
    def of(cls, known: Encryption | None) -> EncryptionFields | None:
        """Those of an encryption."""
        if known is None:
            return None
        return cls(known.kind, known.key_id, known.wrapped, known.name, known.context, int(known.bucket_key))


class AclFields(Struct, rename={"grants": "g"}):
    """An ACL: grantees and permissions."""

    grants: list[tuple[str, str]]


class Described(Struct, rename=_SHORT, omit_defaults=True):
    """What the records of objects and of uploads have in common."""

    form: Literal[1]
    headers: dict[str, str] = {}
    user: dict[str, str] = {}
    tags: dict[str, str] = {}
    storage_class: str = _STANDARD
    acl: AclFields | None = None
    owner: str = ""
    locked: LockFields | None = None
    encrypted: EncryptionFields | None = None

    @property
    def properties(self) -> Properties:
        """What a client said about the object."""
        acl = None if self.acl is None else tuple(Grant(*one) for one in self.acl.grants)
        return Properties(self.headers, self.user, self.tags, self.storage_class, acl)

    @property
    def lock(self) -> ObjectLock:
        """Its lock."""
        found = self.locked
        return UNLOCKED if found is None else ObjectLock(found.mode, found.until, found.legal_hold)

    @property
    def encryption(self) -> Encryption | None:
        """How its bytes are encrypted."""
        found = self.encrypted
        if found is None:
            return None
        return Encryption(found.kind, found.wrapped, found.key_id, found.name, found.context, bool(found.bucket_key))


def described(properties: Properties, owner: str, lock: ObjectLock, encryption: Encryption | None) -> dict[str, Any]:
    """The fields of `Described`."""
    acl = properties.acl
    return {
        "form": FORM,
        "headers": dict(properties.headers),
        "user": dict(properties.user),
        "tags": dict(properties.tags),
        "storage_class": default_or(_STANDARD, properties.storage_class),
        "acl": None if acl is None else AclFields([(one.grantee, one.permission) for one in acl]),
        "owner": owner,
        "locked": LockFields.of(lock),
        "encrypted": EncryptionFields.of(encryption),
    }


class VersionDocument(Described, kw_only=True):
    """The record of a version, or what points to it.

    :ivar stamp: size, time of change in nanoseconds, inode.
    :ivar etag: None in what points to a side file.
    :ivar size: of an object that is encrypted.
    """

    stamp: tuple[int, int, int]
    side: str = ""
    etag: str | None = None
    at_rest: str = ""
    checksums: dict[str, str] = {}
    checksum_type: str = FULL_OBJECT
    parts: list[PartFields] = []
    upload_id: str = ""
    version_id: str = NULL_VERSION
    size: int = 0


class PointerDocument(Struct, rename=_SHORT, omit_defaults=True):
    """What points to the side file with a record, or as much of any record."""

    form: Literal[1]
    stamp: tuple[int, int, int]
    side: str = ""


class UploadDocument(Described, kw_only=True):
    """The record of an upload."""

    key: str
    initiated: float
    algorithm: str = ""
    type: str = ""
    before: str | None = None


class PartDocument(Struct, rename=_SHORT, omit_defaults=True):
    """The record of a committed part.

    :ivar length: None when it is the size of the part.
    """

    form: Literal[1]
    part: PartFields
    place: str
    offset: int = 0
    length: int | None = None
    at_rest: str = ""
