"""The nouns: what buckets, objects, uploads and users are, as frozen values.

Times are seconds since the epoch (UTC) as floats; sizes and offsets are bytes; ETags are without
quotes; checksum values are base64 text as on the wire.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from msgspec import Struct, structs

from twisted_s3.discreet import Discreet

#: The version id of an object in a bucket that has never been versioned.
NULL_VERSION = "null"

#: The states of a bucket's versioning.
ENABLED = "Enabled"
SUSPENDED = "Suspended"

#: How a multipart object's checksum was made.
COMPOSITE = "COMPOSITE"
FULL_OBJECT = "FULL_OBJECT"

#: Whose key encrypts an object: the customer's, who brings it with every request; the server's; a named one.
SSE_C = "SSE-C"
SSE_S3 = "AES256"
SSE_KMS = "aws:kms"

#: With these bytes begins all that is stored encrypted.
SEALED_MAGIC = b"\0s3seal1"


class User(Discreet, Struct, frozen=True):
    """Someone who holds a key pair.

    :ivar secret_key: never shown in a ``repr``.
    :ivar canonical_id: 64 hex digits that name the owner of a bucket.
    :ivar administrator: whether the user may do everything.
    :ivar session_token: the token that requests with a temporary key must carry, else None.
    :ivar expires: when a temporary key ends, else None.
    :ivar name: as policies name the user; "" for the access key. A user with several keys has one name.
    :ivar policy: the JSON of the policy that says what the user may do; None for a user who may do everything with
        what the user owns.
    """

    HIDDEN: ClassVar = ("secret_key", "session_token")

    access_key: str
    secret_key: str
    canonical_id: str
    display_name: str = ""
    email: str = ""
    administrator: bool = False
    session_token: str | None = None
    expires: float | None = None
    name: str = ""
    policy: bytes | None = None


class Bucket(Discreet, Struct, frozen=True):
    """A bucket.

    :ivar owner: a canonical id, or "" for a folder that a person made.
    :ivar versioning: ``Enabled``, ``Suspended``, or "" for one that was never versioned.
    :ivar object_lock: whether its versions can be locked.
    :ivar configurations: the configuration documents that it has (policy, rules ...), by name.
    """

    HIDDEN: ClassVar = ("configurations",)

    name: str
    created: float
    owner: str = ""
    region: str = ""
    versioning: str = ""
    object_lock: bool = False
    configurations: Mapping[str, bytes] = {}

    def configuration(self, name: str, default: bytes | None = None) -> bytes | None:
        """A configuration document: ``default`` where nothing was ever said, None where it was removed (is empty)."""
        return self.configurations.get(name, default) or None

    def with_configuration(self, name: str, document: bytes | None) -> Bucket:
        """The bucket with one configuration document set, or with None removed."""
        others = {other: known for other, known in self.configurations.items() if other != name}
        return structs.replace(self, configurations=others if document is None else {**others, name: document})


class ByteRange(Struct, frozen=True):
    """The bytes from ``start`` up to, not including, ``stop``."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        """The number of bytes."""
        return self.stop - self.start


class Encryption(Discreet, Struct, frozen=True):
    """How the bytes of a version, or of the parts of an upload, are encrypted where they are stored.

    :ivar kind: ``SSE-C``, ``AES256`` or ``aws:kms``; "" when what it takes to decrypt them was lost.
    :ivar wrapped: the key of the bytes, itself encrypted.
    :ivar key_id: with which key that is; "" for a customer's.
    :ivar name: as clients are told which named key it is; "" for the other kinds.
    :ivar context: the encryption context that was sent, base64 of JSON; "" for none.
    :ivar bucket_key: whether a bucket key was asked for, which is only told again.
    """

    HIDDEN: ClassVar = ("wrapped", "context")

    kind: str
    wrapped: bytes = b""
    key_id: str = ""
    name: str = ""
    context: str = ""
    bucket_key: bool = False


class DataKey(Discreet, Struct, frozen=True):
    """A fresh key for the bytes of one object.

    :ivar plain: 32 random bytes. They are stored nowhere.
    :ivar wrapped: the same encrypted with a key that is called ``key_id``.
    """

    HIDDEN: ClassVar = ("plain", "wrapped")

    plain: bytes
    wrapped: bytes
    key_id: str


class Sealed(Discreet, Struct, frozen=True):
    """What the encryption of a body came to.

    :ivar size: in bytes, as it is stored.
    :ivar rest: what is to be stored behind all that was stored before the end was known.
    :ivar etag: in place of the MD5; "" where that stays the ETag.
    """

    HIDDEN: ClassVar = ("rest",)

    encryption: Encryption
    size: int
    rest: Sequence[bytes] = ()
    etag: str = ""


class Digest(Struct, frozen=True):
    """What the bytes of a body came to.

    :ivar size: in bytes, after decoding.
    :ivar md5: 32 hex digits.
    :ivar checksums: algorithm (``CRC32``, ``SHA256`` ...) to base64 value.
    :ivar at_rest: what a store finds its own checksum of what it keeps to be, "" before it has.
    :ivar sealed: None for bytes that are stored as they are.
    """

    size: int
    md5: str
    checksums: Mapping[str, str] = {}
    at_rest: str = ""
    sealed: Sealed | None = None

    @property
    def stored_size(self) -> int:
        """How many bytes are stored."""
        return self.size if self.sealed is None else self.sealed.size

    @property
    def etag(self) -> str:
        """The ETag of an object with these bytes, or of a part."""
        return self.md5 if self.sealed is None else self.sealed.etag or self.md5

    @property
    def encryption(self) -> Encryption | None:
        """How they are encrypted; None for not at all."""
        return None if self.sealed is None else self.sealed.encryption

    @property
    def rest(self) -> Sequence[bytes]:
        """What is to be stored last."""
        return () if self.sealed is None else self.sealed.rest


class Grant(Struct, frozen=True):
    """A permission that an ACL gives.

    :ivar grantee: a canonical id, or the URI of a group.
    :ivar permission: ``FULL_CONTROL``, ``READ``, ``WRITE``, ``READ_ACP`` or ``WRITE_ACP``.
    """

    grantee: str
    permission: str


class Properties(Struct, frozen=True):
    """What a client says about an object, kept beside its bytes and given back.

    :ivar headers: standard headers that are stored (``Content-Type``, ``Cache-Control`` ...), by canonical name.
    :ivar user: ``x-amz-meta-*``, by lower-case name without that prefix.
    :ivar tags: the object's tags.
    :ivar storage_class: as AWS names it.
    :ivar acl: who may do what with the object; None: its owner everything, others nothing.
    """

    headers: Mapping[str, str] = {}
    user: Mapping[str, str] = {}
    tags: Mapping[str, str] = {}
    storage_class: str = "STANDARD"
    acl: tuple[Grant, ...] | None = None


class Part(Struct, frozen=True):
    """A part of an upload, or of an object that was uploaded in parts."""

    number: int
    size: int
    etag: str
    checksums: Mapping[str, str] = {}
    last_modified: float = 0.0


class Assembly(Struct, frozen=True):
    """What parts of an upload are to become.

    :ivar parts: those that are taken, in order.
    :ivar etag: of the object; so are the checksums.
    """

    parts: Sequence[Part]
    etag: str
    checksums: Mapping[str, str] = {}
    checksum_type: str = FULL_OBJECT

    @property
    def size(self) -> int:
        """Bytes of the object."""
        return sum(part.size for part in self.parts)


class ObjectLock(Struct, frozen=True):
    """What keeps a version from being deleted.

    :ivar mode: ``GOVERNANCE``, ``COMPLIANCE``, or "" for no retention.
    :ivar until: when the retention ends.
    :ivar legal_hold: whether there is a legal hold, which has no end; None where there has never been one.
    """

    mode: str = ""
    until: float = 0.0
    legal_hold: bool | None = None

    def with_default(self, default: ObjectLock) -> ObjectLock:
        """The lock, with the retention of another where it has none."""
        return self if self.mode else structs.replace(self, mode=default.mode, until=default.until)

    def retains(self, now: float) -> bool:
        """Whether there is a retention that has not ended."""
        return bool(self.mode) and self.until > now

    def holds(self, now: float) -> bool:
        """Whether a version with this lock must not be destroyed by anybody who has no leave to."""
        return bool(self.legal_hold) or self.retains(now)


#: No lock at all.
UNLOCKED = ObjectLock()


class ObjectVersion(Struct, frozen=True):
    """One version of one object.

    :ivar etag: without quotes.
    :ivar checksum_type: ``FULL_OBJECT`` or ``COMPOSITE``.
    :ivar parts: the parts it was made of; empty for an object that came in one piece.
    :ivar upload_id: the multipart upload it came from, else "".
    :ivar delete_marker: whether it only says that the key was deleted; then it has no bytes and no ETag.
    :ivar at_rest: the store's own checksum of the bytes that it keeps, which clients are not told; "" for none.
    :ivar encryption: how its bytes are encrypted where they are stored, each part by itself; None for not at all.
    """

    key: str
    size: int
    etag: str
    last_modified: float
    properties: Properties = Properties()
    checksums: Mapping[str, str] = {}
    checksum_type: str = FULL_OBJECT
    parts: tuple[Part, ...] = ()
    upload_id: str = ""
    owner: str = ""
    version_id: str = NULL_VERSION
    lock: ObjectLock = UNLOCKED
    delete_marker: bool = False
    at_rest: str = ""
    encryption: Encryption | None = None


def mark_of(version: ObjectVersion | None) -> str:
    """What tells one version of a key from any other that the key had or will have."""
    return "none" if version is None else f"{version.version_id} {version.last_modified!r}"


class ListedVersion(Struct, frozen=True):
    """A version or delete marker in a listing. ``is_latest``: the newest of its key."""

    version: ObjectVersion
    is_latest: bool


class Deletion(Struct, frozen=True):
    """What a deletion did; true when there was something to delete.

    :ivar removed: whether there was what was to be deleted.
    :ivar version_id: of the version that was removed for good or the delete marker that was made; None for the only
        version of a key in a bucket that was never versioned.
    :ivar delete_marker: whether that is a delete marker.
    """

    removed: bool
    version_id: str | None = None
    delete_marker: bool = False

    def __bool__(self) -> bool:
        return self.removed


class Upload(Struct, frozen=True):
    """A multipart upload that was begun.

    :ivar owner: canonical id of who began it.
    :ivar checksum_algorithm: as the client asked, else "".
    :ivar encryption: how all its parts are encrypted; None for not at all.
    :ivar before: the mark (`mark_of`) of what the key had when it began; None where that was not written down.
    """

    id: str
    key: str
    initiated: float
    properties: Properties = Properties()
    owner: str = ""
    checksum_algorithm: str = ""
    checksum_type: str = ""
    lock: ObjectLock = UNLOCKED
    encryption: Encryption | None = None
    before: str | None = None
