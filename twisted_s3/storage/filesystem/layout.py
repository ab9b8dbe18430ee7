"""Where things lie below the data directory, and how keys and paths turn into each other.

All paths are bytes, relative to the data directory, without leading or trailing slash::

    <bucket>/<key as path>                      the objects that a path can hold
    .s3store/staging/                           what is not yet, or no longer, to be seen
    .s3store/locks/                             files that are only locked
    .s3store/records/                           metadata that no inode can hold
    .s3store/notes/                             how far jobs have come
    .s3store/quarantine/                        damaged objects that a person had taken away
    .s3store/events/log/                        events that wait to be delivered
    .s3store/events/targets/<name>/             how far a target has come, and what it would not take
    .s3store/buckets/<bucket>/bucket.json       who owns the bucket
    .s3store/buckets/<bucket>/overflow/         the objects that no path can hold
    .s3store/buckets/<bucket>/versions/         noncurrent versions and delete markers: a folder for each key
    .s3store/buckets/<bucket>/uploads/<id>/     multipart uploads under way
"""

from __future__ import annotations

import re
from binascii import unhexlify
from collections.abc import Iterator, Sequence
from functools import cached_property

from msgspec import Struct

#: The folder that is ours; no bucket can have this name.
STATE = b".s3store"
STAGING = STATE + b"/staging"
LOCKS = STATE + b"/locks"
RECORDS = STATE + b"/records"
QUARANTINE = STATE + b"/quarantine"
BUCKETS = STATE + b"/buckets"
EVENTS = STATE + b"/events"
EVENT_LOG = EVENTS + b"/log"
NOTES = STATE + b"/notes"

#: The longest key, in UTF-8 bytes.
MAX_KEY_SIZE = 1024

_HEX_COMPONENT = 240
_MORE = b"+"
_KEY_ENDS = b"+"
_KEY_GOES_ON = b","

_COMPONENT = rb"(?!\.{1,2}(?:/|\Z))[^/\0]{1,255}+"
_PLAIN = re.compile(rb"(?s:%b(?:/%b)*+)" % (_COMPONENT, _COMPONENT))


def parent(path: bytes) -> bytes:
    """The directory that holds ``path``; ``b""`` is the data directory itself."""
    return path.rpartition(b"/")[0]


class PlainTree(Struct, frozen=True):
    """The keys whose path is the key.

    :ivar base: the folder that the paths are below.
    """

    base: bytes

    def path(self, key: str) -> bytes | None:
        """The path of a key from the data directory; None when no path can hold it."""
        raw = key.encode()
        fits = len(raw) <= MAX_KEY_SIZE and _PLAIN.fullmatch(raw) is not None
        return b"%b/%b" % (self.base, raw) if fits else None

    def components(self, key: str) -> Sequence[bytes]:
        """The names below ``base`` that a walk meets on its way to the first key >= ``key``.

        Every key >= ``key`` has names >= these, with ``a`` of a directory compared as ``a/``. For any key, also one
        that no path can hold.
        """
        return key.encode().split(b"/")

    def key(self, components: Sequence[bytes]) -> str | None:
        """The key of the file at these names below ``base``; None when it can not be a key."""
        raw = b"/".join(components)
        if len(raw) > MAX_KEY_SIZE:
            return None
        try:
            return raw.decode()
        except UnicodeDecodeError:
            return None


class HexTree(Struct, frozen=True):
    """Every key, under an order-preserving name: its bytes in hex, cut into components.

    All components but the last have 240 digits and a ``+`` behind them. As ``+`` sorts before the digits, walking
    the names in order is walking the keys in order.

    :ivar base: the folder that the paths are below.
    """

    base: bytes

    def path(self, key: str) -> bytes:
        """The path of a key from the data directory."""
        return b"/".join((self.base, *self.components(key)))

    def components(self, key: str) -> Sequence[bytes]:
        """The names of a key below ``base``."""
        digits = key.encode().hex().encode()
        cut = [digits[at : at + _HEX_COMPONENT] for at in range(0, len(digits), _HEX_COMPONENT)] or [b""]
        return [*(name + _MORE for name in cut[:-1]), cut[-1]]

    def key(self, components: Sequence[bytes]) -> str | None:
        """The key of the file at these names below ``base``; None when no key has them."""
        try:
            key = unhexlify(b"".join(name.removesuffix(_MORE) for name in components)).decode()
        except ValueError:
            return None
        return key if key and list(self.components(key)) == list(components) else None


class VersionTree(Struct, frozen=True):
    """A folder for every key, under an order-preserving name: its bytes in hex, cut into components.

    The last component has a ``+`` behind it, all others 240 digits and a ``,``. As both sort before the digits, the
    ``+`` first, walking the names in order is walking the keys in order, and a key's folder holds its versions only.

    :ivar base: the folder that the folders are below.
    """

    base: bytes

    def folder(self, key: str) -> bytes:
        """The folder of a key from the data directory."""
        return b"/".join((self.base, *self.components(key)))

    def components(self, key: str) -> Sequence[bytes]:
        """The names of a key's folder below ``base``."""
        digits = key.encode().hex().encode()
        cut = [digits[at : at + _HEX_COMPONENT] for at in range(0, len(digits), _HEX_COMPONENT)] or [b""]
        return [*(name + _KEY_GOES_ON for name in cut[:-1]), cut[-1] + _KEY_ENDS]

    def key(self, components: Sequence[bytes]) -> str | None:
        """The key of a version at these names below ``base``; None when no key has them."""
        try:
            key = unhexlify(b"".join(name[:-1] for name in components[:-1])).decode()
        except ValueError:
            return None
        return key if key and list(self.components(key)) == list(components[:-1]) else None


class BucketLayout(Struct, frozen=True, dict=True):
    """Where the things of one bucket lie."""

    name: str

    @cached_property
    def folder(self) -> bytes:
        """The bucket's folder, in which people look."""
        return self.name.encode()

    @cached_property
    def state(self) -> bytes:
        """What we keep about it."""
        return b"%b/%b" % (BUCKETS, self.folder)

    @cached_property
    def tree(self) -> PlainTree:
        """The objects that a path can hold."""
        return PlainTree(self.folder)

    @cached_property
    def overflow(self) -> HexTree:
        """The objects that no path can hold."""
        return HexTree(self.state + b"/overflow")

    @cached_property
    def versions(self) -> VersionTree:
        """Noncurrent versions and delete markers."""
        return VersionTree(self.state + b"/versions")

    @property
    def record(self) -> bytes:
        """The file that tells the bucket's owner."""
        return self.state + b"/bucket.json"

    @property
    def uploads(self) -> bytes:
        """The folder of uploads under way."""
        return self.state + b"/uploads"

    def upload(self, upload_id: str) -> bytes:
        """The folder of one upload."""
        return b"%b/%b" % (self.uploads, upload_id.encode())

    def path(self, key: str) -> bytes:
        """The place where a key belongs."""
        return self.tree.path(key) or self.overflow.path(key)

    def paths(self, key: str) -> Iterator[bytes]:
        """The places where a key may lie, the preferred one first."""
        plain = self.tree.path(key)
        if plain is not None:
            yield plain
        yield self.overflow.path(key)

    def top(self, path: bytes) -> bytes:
        """The folder below which directories come and go with the keys in them."""
        return BUCKETS if path.startswith(STATE) else self.folder
