"""The metadata of an object, on the inode that holds its bytes.

A record is an extended attribute. Where it does not fit, the attribute points to a side file; where there are no
attributes, the side file goes by the number of the inode. Either way the record is durable before the inode gets its
name, so that naming the inode is the only commit point. A record counts only while the file looks as it did when the
record was made; any other file is one that somebody put there, and its metadata is computed from its bytes.
"""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from mimetypes import MimeTypes
from secrets import token_hex

from twisted_s3.model import SEALED_MAGIC, Encryption, ObjectVersion, Properties
from twisted_s3.storage.filesystem.atrest import AtRest
from twisted_s3.storage.filesystem.disk import Access, Descriptor, IDisk, Stat
from twisted_s3.storage.filesystem.files import Files
from twisted_s3.storage.filesystem.layout import RECORDS
from twisted_s3.storage.filesystem.record import (
    Stamp,
    dump_pointer,
    dump_version,
    is_whole,
    load_pointer,
    load_version,
)

_NAME = "user.s3store"
_TOO_LARGE = frozenset((errno.ENOSPC, errno.E2BIG, errno.ERANGE, errno.EDQUOT))
_NO_XATTR = frozenset((errno.ENOTSUP, errno.ENOSYS))
_PIECE = 1 << 20
_DEFAULT_TYPE = "binary/octet-stream"


class SideFileGone(Exception):
    """The record's side file is not there: the object was replaced meanwhile. Look it up again."""


class Metadata:
    """Reads and writes the records of open files."""

    def __init__(self, disk: IDisk, files: Files) -> None:
        self._disk = disk
        self._files = files
        self._types = MimeTypes()

    def peek(self, descriptor: Descriptor, stat: Stat, key: str) -> ObjectVersion | None:
        """What the inode itself tells, without waiting; None when that takes more."""
        try:
            raw = self._disk.getxattr(descriptor, _NAME)
        except OSError as error:
            if error.errno in _NO_XATTR:
                return None
            raise
        found = None if raw is None else load_version(raw, key, Stamp.of(stat))
        return found if isinstance(found, ObjectVersion) else None

    def glance(self, directory: bytes, names: Sequence[bytes], keys: Sequence[str]) -> Iterator[ObjectVersion | None]:
        """What the inodes at these names of one directory tell, each of the key in the same place; None when that
        takes more.

        A record and how a file looks are not read at one moment. Where they fit each other they are one object's all
        the same: whatever was put in between, by whomever, has either another size or time of change, and then they
        do not fit, or differs in neither, and then the newer file looks as the older does and the record is its own.

        :raise OSError: when the directory can not be opened.
        """
        for found, key in zip(self._disk.look(directory, names, _NAME), keys, strict=True):
            version = None if found is None else load_version(found[1], key, found[0], together=False)
            yield version if isinstance(version, ObjectVersion) else None

    def read(self, descriptor: Descriptor, stat: Stat, key: str) -> ObjectVersion | None:
        """What was recorded; None when nothing was, or the file is no longer the one that it was recorded for.

        :raise SideFileGone: when it was, and has just been removed.
        """
        stamp = Stamp.of(stat)
        try:
            raw = self._disk.getxattr(descriptor, _NAME)
        except OSError as error:
            if error.errno not in _NO_XATTR:
                raise
            raw = self._files.load(_inode_path(stat))
            # The name of a file goes before its record.
            if raw is None and not self._disk.fstat(descriptor).links:
                raise SideFileGone from None
        found = None if raw is None else load_version(raw, key, stamp)
        sealed = False
        if found is None and raw is not None:
            sealed = self.is_sealed(descriptor)
            found = load_version(raw, key, stamp, sealed)
        if not isinstance(found, str):
            return found
        beside = self._files.load(_side_path(found))
        if beside is None:
            # The attribute came with a copy, and the original is gone.
            if load_pointer(raw or b"", stat.inode) is None:
                return None
            raise SideFileGone
        raw = beside
        found = load_version(raw, key, stamp, sealed)
        return found if isinstance(found, ObjectVersion) else None

    def raw(self, descriptor: Descriptor, stat: Stat) -> bytes | None:
        """The record as it is written, or what points to it; None when there is none."""
        try:
            return self._disk.getxattr(descriptor, _NAME)
        except OSError as error:
            if error.errno not in _NO_XATTR:
                raise
            return self._files.load(_inode_path(stat))

    def is_damaged(self, descriptor: Descriptor, stat: Stat) -> bool:
        """Whether a file has a record that is not as it was written. None may take its place: it could be mended."""
        raw = self.raw(descriptor, stat)
        if raw is None:
            return False
        side = load_version(raw, "", Stamp.of(stat))
        beside = self.raw_beside(side) if isinstance(side, str) else None
        return not is_whole(raw) or (beside is not None and not is_whole(beside))

    def is_garbled(self, descriptor: Descriptor, stat: Stat) -> bool:
        """Whether the attribute of a file, which may have named a side file, is not as it was written."""
        try:
            raw = self._disk.getxattr(descriptor, _NAME)
        except OSError as error:
            if error.errno not in _NO_XATTR:
                raise
            return False
        return raw is not None and not is_whole(raw)

    def raw_beside(self, side: str) -> bytes | None:
        """A side file as it is written."""
        return self._files.load(_side_path(side))

    def unread(self, stat: Stat, key: str) -> ObjectVersion:
        """What shows of a file that somebody put there without reading it: neither ETag nor checksums."""
        properties = Properties(headers={"Content-Type": self._guess_type(key)})
        return ObjectVersion(key, stat.size, "", stat.mtime_ns / 1e9, properties)

    def compute(self, descriptor: Descriptor, stat: Stat, key: str) -> tuple[ObjectVersion, bool]:
        """The metadata of a file that somebody put there, from its bytes, and whether the file held still meanwhile."""
        md5 = hashlib.md5(usedforsecurity=False)
        at_rest = AtRest()
        size = 0
        sealed = self.is_sealed(descriptor)
        while size < stat.size and (piece := self._disk.read(descriptor, size, min(_PIECE, stat.size - size))):
            md5.update(piece)
            at_rest.update([piece])
            size += len(piece)
        after = self._disk.fstat(descriptor)
        version = ObjectVersion(
            key=key,
            size=size,
            etag=md5.hexdigest(),
            last_modified=after.mtime_ns / 1e9,
            properties=Properties(headers={"Content-Type": self._guess_type(key)}),
            at_rest=at_rest.value,
            # A copy that lost its record, and with it what it takes to decrypt it.
            encryption=Encryption("") if sealed else None,
        )
        return version, Stamp.of(stat) == Stamp.of(after)

    def is_sealed(self, descriptor: Descriptor) -> bool:
        """Whether a file begins like one with encrypted bytes."""
        return self._disk.read(descriptor, 0, len(SEALED_MAGIC)) == SEALED_MAGIC

    def write(self, descriptor: Descriptor, stat: Stat, version: ObjectVersion) -> bytes | None:
        """Record ``version`` for an open file that looks like ``stat``. Gives the side file, if it took one.

        A side file is durable when this returns; for an attribute the caller syncs the file. What was recorded
        before is replaced in one step; if that was in a side file, :meth:`side_file` named it.
        """
        stamp = Stamp.of(stat)
        record = dump_version(version, stamp)
        try:
            self._disk.setxattr(descriptor, _NAME, record)
        except OSError as error:
            if error.errno in _NO_XATTR:
                self._files.save(record, _inode_path(stat), replace=True, top=RECORDS)
                return _inode_path(stat)
            if error.errno in _TOO_LARGE:
                return self._write_beside(descriptor, stamp, record)
            raise
        return None

    def side_file(self, descriptor: Descriptor, stat: Stat) -> bytes | None:
        """The side file of an open file's record, whether stale or not; None when it has none."""
        try:
            raw = self._disk.getxattr(descriptor, _NAME)
        except OSError as error:
            if error.errno in _NO_XATTR:
                return _inode_path(stat)
            raise
        side = None if raw is None else load_pointer(raw, stat.inode)
        return None if side is None else _side_path(side)

    def side_files(self, descriptor: Descriptor, stat: Stat) -> Iterator[bytes]:
        """The side files that a file may have, also that of the original of which it is a copy."""
        yield _inode_path(stat)
        try:
            raw = self._disk.getxattr(descriptor, _NAME)
        except OSError as error:
            if error.errno not in _NO_XATTR:
                raise
            return
        side = None if raw is None else load_pointer(raw)
        if side is not None:
            yield _side_path(side)

    def hold(self, descriptor: Descriptor, stat: Stat) -> None:
        """Say that a file is about to be moved: who looks for side files without a file may then miss it."""
        side = self.side_file(descriptor, stat)
        if side is not None:
            with suppress(FileNotFoundError, PermissionError):
                opened = self._disk.open(side, Access.READ)
                try:
                    self._disk.touch(opened)
                finally:
                    self._disk.close(opened)

    def forget(self, side_file: bytes | None) -> None:
        """Remove a side file that nothing points to any more.

        Keep the inode open meanwhile: else its number may already be another file's.
        """
        if side_file is not None:
            with suppress(FileNotFoundError):
                self._disk.unlink(side_file)

    def _write_beside(self, descriptor: Descriptor, stamp: Stamp, record: bytes) -> bytes:
        side = token_hex(16)
        path = _side_path(side)
        try:
            self._files.save(record, path, replace=False, top=RECORDS)
            self._disk.setxattr(descriptor, _NAME, dump_pointer(side, stamp))
        except BaseException:
            self.forget(path)
            raise
        return path

    def _guess_type(self, key: str) -> str:
        guessed, encoding = self._types.guess_type(key.rpartition("/")[2])
        if encoding is not None:
            return "application/gzip" if encoding == "gzip" else _DEFAULT_TYPE
        return guessed or _DEFAULT_TYPE


def _side_path(side: str) -> bytes:
    name = side.encode()
    return b"%b/%b/%b" % (RECORDS, name[:2], name)


def _inode_path(stat: Stat) -> bytes:
    return b"%b/inodes-%02x/%d" % (RECORDS, stat.inode % 256, stat.inode)
