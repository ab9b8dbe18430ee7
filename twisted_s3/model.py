"""The nouns: what buckets, objects, uploads and users are, as frozen values.

Times are seconds since the epoch (UTC) as floats; sizes and offsets are bytes; ETags are without
quotes; checksum values are base64 text as on the wire.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

#: The version id of an object in a bucket that has never been versioned.
NULL_VERSION = "null"

#: The states of a bucket's versioning.
ENABLED = "Enabled"
SUSPENDED = "Suspended"

#: How a multipart object's checksum was made.
COMPOSITE = "COMPOSITE"
FULL_OBJECT = "FULL_OBJECT"


@attrs.frozen
class User:
    """Someone who holds a key pair.

    :ivar secret_key: never shown in a ``repr``.
    :ivar canonical_id: 64 hex digits that name the owner of a bucket.
    :ivar administrator: whether the user may do everything.
    :ivar session_token: the token that requests with a temporary key must carry, else None.
    :ivar expires: when a temporary key ends, else None.
    """

    access_key: str
    secret_key: str = attrs.field(repr=False)
    canonical_id: str
    display_name: str = ""
    email: str = ""
    administrator: bool = False
    session_token: str | None = attrs.field(default=None, repr=False)
    expires: float | None = None


@attrs.frozen
class Bucket:
    """A bucket.

    :ivar owner: a canonical id, or "" for a folder that a person made.
    :ivar versioning: ``Enabled``, ``Suspended``, or "" for one that was never versioned.
    :ivar object_lock: whether its versions can be locked.
    :ivar configurations: the configuration documents that it has (policy, rules ...), by name.
    """

    name: str
    created: float
    owner: str = ""
    region: str = ""
    versioning: str = ""
    object_lock: bool = False
    configurations: Mapping[str, bytes] = attrs.field(factory=dict, repr=False)

    def configuration(self, name: str, default: bytes | None = None) -> bytes | None:
        """A configuration document: ``default`` where nothing was ever said, None where it was removed (is empty)."""
        return self.configurations.get(name, default) or None

    def with_configuration(self, name: str, document: bytes | None) -> Bucket:
        """The bucket with one configuration document set, or with None removed."""
        others = {other: known for other, known in self.configurations.items() if other != name}
        return attrs.evolve(self, configurations=others if document is None else {**others, name: document})


@attrs.frozen
class ByteRange:
    """The bytes from ``start`` up to, not including, ``stop``."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        """The number of bytes."""
        return self.stop - self.start


@attrs.frozen
class Digest:
    """What the bytes of a body came to.

    :ivar size: in bytes, after decoding.
    :ivar md5: 32 hex digits.
    :ivar checksums: algorithm (``CRC32``, ``SHA256`` ...) to base64 value.
    """

    size: int
    md5: str
    checksums: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen
class Properties:
    """What a client says about an object, kept beside its bytes and given back.

    :ivar headers: standard headers that are stored (``Content-Type``, ``Cache-Control`` ...), by canonical name.
    :ivar user: ``x-amz-meta-*``, by lower-case name without that prefix.
    :ivar tags: the object's tags.
    :ivar storage_class: as AWS names it.
    """

    headers: Mapping[str, str] = attrs.field(factory=dict)
    user: Mapping[str, str] = attrs.field(factory=dict)
    tags: Mapping[str, str] = attrs.field(factory=dict)
    storage_class: str = "STANDARD"


@attrs.frozen
class Part:
    """A part of an upload, or of an object that was uploaded in parts."""

    number: int
    size: int
    etag: str
    checksums: Mapping[str, str] = attrs.field(factory=dict)
    last_modified: float = 0.0


@attrs.frozen
class ObjectVersion:
    """One version of one object.

    :ivar etag: without quotes.
    :ivar checksum_type: ``FULL_OBJECT`` or ``COMPOSITE``.
    :ivar parts: the parts it was made of; empty for an object that came in one piece.
    :ivar upload_id: the multipart upload it came from, else "".
    """

    key: str
    size: int
    etag: str
    last_modified: float
    properties: Properties = Properties()
    checksums: Mapping[str, str] = attrs.field(factory=dict)
    checksum_type: str = FULL_OBJECT
    parts: tuple[Part, ...] = ()
    upload_id: str = ""
    owner: str = ""
    version_id: str = NULL_VERSION


@attrs.frozen
class Upload:
    """A multipart upload that was begun.

    :ivar owner: canonical id of who began it.
    :ivar checksum_algorithm: as the client asked, else "".
    """

    id: str
    key: str
    initiated: float
    properties: Properties = Properties()
    owner: str = ""
    checksum_algorithm: str = ""
    checksum_type: str = ""
