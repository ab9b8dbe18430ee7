"""The disk of the operating system."""

from __future__ import annotations

import errno
import fcntl
import os
import stat as stats
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from secrets import token_hex

from zope.interface import implementer

from twisted_s3.storage.filesystem.attributes import Attributes, best_attributes
from twisted_s3.storage.filesystem.beneath import OpenBeneath, best_opener
from twisted_s3.storage.filesystem.disk import Access, Descriptor, IDisk, Kind, Stat, Temporary
from twisted_s3.storage.filesystem.writeback import WINDOW, find_start, full_windows

_FLAGS = {
    Access.READ: os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY,
    Access.WRITE: os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY,
    Access.ENSURE: os.O_RDWR | os.O_CREAT,
    Access.NEW: os.O_RDWR | os.O_CREAT | os.O_EXCL,
}
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY
#: What a filesystem without O_TMPFILE answers.
_NO_UNNAMED = frozenset((errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT))
_NO_COPY = frozenset((errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM))
_NO_XATTR = frozenset((errno.ENOTSUP, errno.ENOSYS))
_MAX_CHUNKS = 1024
_PIECE = 1 << 20
_ANCHORED = "user.s3store.anchored"


@implementer(IDisk)
class RealDisk:
    """The files below a directory, which is made when missing.

    :param unnamed: use files without a name as temporaries, where the filesystem can.
    :param opener: how paths are opened.
    :param attributes: how extended attributes are read.
    :param syncs: whether what is written will be synced, so that it had better be on its way.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        unnamed: bool = True,
        opener: OpenBeneath | None = None,
        syncs: bool = True,
        attributes: Attributes | None = None,
    ) -> None:
        _make_durably(os.path.abspath(root))
        self._root = os.open(root, _DIRECTORY)
        # A file without a name gets one through /proc.
        self._unnamed = unnamed and hasattr(os, "O_TMPFILE") and os.path.isdir("/proc/self/fd")
        self._open = opener or best_opener()
        self._attributes = attributes or best_attributes()
        self._start_writeback = find_start() if syncs else None

    def shut(self) -> None:
        """Let go of the root; nothing may be called after it."""
        os.close(self._root)

    def free(self) -> int:
        """What an unprivileged user may still write."""
        found = os.fstatvfs(self._root)
        return found.f_bavail * found.f_frsize

    def open(self, path: bytes, access: Access, cached: bool = False) -> Descriptor:
        """Open a file."""
        return Descriptor(self._open(self._root, path, _FLAGS[access], cached))

    def create_temporary(self, directory: bytes) -> Temporary:
        """Make a file without a name, or else one with a name and a lock."""
        if self._unnamed:
            try:
                flags = os.O_RDWR | os.O_TMPFILE
                return Temporary(Descriptor(self._open(self._root, directory, flags)), directory)
            except OSError as error:
                if error.errno not in _NO_UNNAMED:
                    raise
        while True:
            name = _random_name(directory)
            descriptor = self.open(name, Access.NEW)
            # A cleaner may have come between the two calls: then the name is gone.
            if self.lock(descriptor, exclusive=True, wait=False) and os.fstat(descriptor).st_nlink:
                return Temporary(descriptor, directory, name)
            os.close(descriptor)

    def publish(self, temporary: Temporary, path: bytes, replace: bool) -> None:
        """Link or rename a temporary to its place."""
        if not replace:
            self._link(temporary, path)
            if temporary.name is not None:
                self.unlink(temporary.name)
                temporary.name = None
            return
        if temporary.name is None:
            name = _random_name(temporary.directory)
            self.lock(temporary.descriptor, exclusive=True, wait=False)
            self._link(temporary, name)
            temporary.name = name
        self.rename(temporary.name, path)
        temporary.name = None

    def close(self, descriptor: Descriptor) -> None:
        """Close a descriptor."""
        os.close(descriptor)

    def fileno(self, descriptor: Descriptor) -> int | None:
        """The descriptor itself."""
        return descriptor

    def stat(self, path: bytes) -> Stat:
        """What is at a path."""
        directory, _, name = path.rpartition(b"/")
        if not directory:
            return _stat(os.stat(name or b".", dir_fd=self._root, follow_symlinks=False))
        descriptor = self._open(self._root, directory, os.O_PATH | os.O_DIRECTORY)
        try:
            return _stat(os.stat(name, dir_fd=descriptor, follow_symlinks=False))
        finally:
            os.close(descriptor)

    def look(self, directory: bytes, names: Sequence[bytes], attribute: str) -> Sequence[tuple[Stat, bytes] | None]:
        """What regular files are in a directory, each with an attribute."""
        descriptor = self._open(self._root, directory or b".", os.O_PATH | os.O_DIRECTORY)
        try:
            return list(_look(descriptor, names, self._attributes.below(descriptor, attribute)))
        finally:
            os.close(descriptor)

    def fstat(self, descriptor: Descriptor) -> Stat:
        """What a descriptor leads to."""
        return _stat(os.fstat(descriptor))

    def read(self, descriptor: Descriptor, offset: int, length: int) -> bytes:
        """Read ``length`` bytes, fewer only at the end."""
        data = os.pread(descriptor, length, offset)
        if len(data) in (0, length):
            return data
        pieces = [data]
        while data and (got := sum(map(len, pieces))) < length:
            data = os.pread(descriptor, length - got, offset + got)
            pieces.append(data)
        return b"".join(pieces)

    def read_cached(self, descriptor: Descriptor, offset: int, length: int) -> bytes | None:
        """Read exactly ``length`` bytes out of the page cache, or give None."""
        buffer = bytearray(length)
        try:
            got = os.preadv(descriptor, [buffer], offset, os.RWF_NOWAIT)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EOPNOTSUPP):
                return None
            raise
        return bytes(buffer) if got == length else None

    def write(self, descriptor: Descriptor, offset: int, chunks: Sequence[bytes]) -> None:
        """Write all of the chunks, one behind the other."""
        start = offset
        rest = [memoryview(chunk) for chunk in chunks if chunk]
        while rest:
            wrote = os.pwritev(descriptor, rest[:_MAX_CHUNKS], offset)
            if not wrote:
                raise OSError(errno.EIO, "nothing was written")
            offset += wrote
            done = 0
            while done < len(rest) and wrote >= len(rest[done]):
                wrote -= len(rest[done])
                done += 1
            del rest[:done]
            if wrote:
                rest[0] = rest[0][wrote:]
        self._begin_writeback(descriptor, start, offset)

    def _begin_writeback(self, descriptor: Descriptor, offset: int, stop: int) -> None:
        start, length = full_windows(offset, stop)
        if length and self._start_writeback is not None:
            self._start_writeback(descriptor, start, length)

    def uncache(self, descriptor: Descriptor) -> None:
        """Tell the kernel, where it has a call for it."""
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

    def copy_range(
        self, source: Descriptor, source_offset: int, target: Descriptor, target_offset: int, length: int
    ) -> None:
        """Copy between files in the kernel, or else through memory."""
        while length:
            try:
                count = os.copy_file_range(source, target, min(length, WINDOW), source_offset, target_offset)
            except OSError as error:
                if error.errno not in _NO_COPY:
                    raise
                data = self.read(source, source_offset, min(length, _PIECE))
                self.write(target, target_offset, [data])
                count = len(data)
            if not count:
                raise OSError(errno.EIO, "the source has become shorter")
            self._begin_writeback(target, target_offset, target_offset + count)
            source_offset += count
            target_offset += count
            length -= count

    def truncate(self, descriptor: Descriptor, size: int) -> None:
        """Set the size of a file."""
        os.ftruncate(descriptor, size)

    def touch(self, descriptor: Descriptor, mtime_ns: int | None = None) -> None:
        """Set the time of change."""
        if mtime_ns is None:
            os.utime(descriptor)
        else:
            os.utime(descriptor, ns=(mtime_ns, mtime_ns))

    def fsync(self, descriptor: Descriptor) -> None:
        """Bring a file to stable storage, extended attributes included (``fdatasync`` does not promise them)."""
        os.fsync(descriptor)

    def fsync_directory(self, path: bytes) -> None:
        """Bring the names in a directory to stable storage."""
        with self._directory(path) as directory:
            os.fsync(directory)

    def is_anchored(self, directory: bytes) -> bool:
        """Look for the mark of :meth:`anchor`."""
        with self._directory(directory) as descriptor:
            try:
                os.getxattr(descriptor, _ANCHORED)
            except OSError as error:
                if error.errno in (errno.ENODATA, *_NO_XATTR):
                    return False
                raise
        return True

    def anchor(self, directory: bytes) -> None:
        """Mark a directory, where the filesystem has marks and the directory is ours."""
        with self._directory(directory) as descriptor:
            try:
                os.setxattr(descriptor, _ANCHORED, b"")
            except OSError as error:
                if error.errno not in (errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT, *_NO_XATTR):
                    raise

    def getxattr(self, descriptor: Descriptor, name: str) -> bytes | None:
        """An extended attribute."""
        return self._attributes.of(descriptor, name)

    def setxattr(self, descriptor: Descriptor, name: str, value: bytes) -> None:
        """Set an extended attribute."""
        os.setxattr(descriptor, name, value)

    def lock(self, descriptor: Descriptor, exclusive: bool, wait: bool) -> bool:
        """Lock a file with ``flock``."""
        operation = (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | (0 if wait else fcntl.LOCK_NB)
        try:
            fcntl.flock(descriptor, operation)
        except BlockingIOError:
            return False
        return True

    def rename(self, source: bytes, target: bytes) -> None:
        """Move a file or directory."""
        with self._parent(source) as (source_directory, old), self._parent(target) as (target_directory, new):
            os.rename(old, new, src_dir_fd=source_directory, dst_dir_fd=target_directory)

    def link(self, source: bytes, target: bytes) -> None:
        """Give a file a second name."""
        with self._parent(source) as (source_directory, old), self._parent(target) as (target_directory, new):
            os.link(old, new, src_dir_fd=source_directory, dst_dir_fd=target_directory, follow_symlinks=False)

    def unlink(self, path: bytes) -> None:
        """Remove the name of a file."""
        with self._parent(path) as (directory, name):
            os.unlink(name, dir_fd=directory)

    def mkdir(self, path: bytes) -> None:
        """Make a directory."""
        with self._parent(path) as (directory, name):
            os.mkdir(name, dir_fd=directory)

    def rmdir(self, path: bytes) -> None:
        """Remove an empty directory."""
        with self._parent(path) as (directory, name):
            os.rmdir(name, dir_fd=directory)

    def scan(self, path: bytes) -> Sequence[tuple[bytes, Kind]]:
        """The names in a directory."""
        with self._directory(path) as directory, os.scandir(directory) as entries:
            return [(os.fsencode(entry.name), _entry_kind(entry)) for entry in entries]

    def _link(self, temporary: Temporary, path: bytes) -> None:
        with self._parent(path) as (directory, name):
            if temporary.name is None:
                # With a dir_fd argument Python calls linkat, which alone can follow the link in /proc.
                origin = b"/proc/self/fd/%d" % temporary.descriptor
                os.link(origin, name, src_dir_fd=directory, dst_dir_fd=directory, follow_symlinks=True)
                return
            with self._parent(temporary.name) as (staging, old):
                os.link(old, name, src_dir_fd=staging, dst_dir_fd=directory, follow_symlinks=False)

    @contextmanager
    def _directory(self, path: bytes) -> Iterator[int]:
        descriptor = self._open(self._root, path or b".", _DIRECTORY)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    @contextmanager
    def _parent(self, path: bytes) -> Iterator[tuple[int, bytes]]:
        directory, _, name = path.rpartition(b"/")
        if not directory:
            yield self._root, name or b"."
            return
        descriptor = self._open(self._root, directory, os.O_PATH | os.O_DIRECTORY)
        try:
            yield descriptor, name
        finally:
            os.close(descriptor)


def _look(
    directory: int, names: Sequence[bytes], read: Callable[[bytes], bytes | None]
) -> Iterator[tuple[Stat, bytes] | None]:
    for name in names:
        value = None
        try:
            found = os.stat(name, dir_fd=directory, follow_symlinks=False)
            if stats.S_ISREG(found.st_mode):
                value = read(name)
        except OSError:
            pass
        yield None if value is None else (_stat(found), value)


def _make_durably(directory: str) -> None:
    """Make a directory, and bring its name to stable storage."""
    above = os.path.dirname(directory)
    if os.path.isdir(directory):
        return
    _make_durably(above)
    os.makedirs(directory, exist_ok=True)
    descriptor = os.open(above, _DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _random_name(directory: bytes) -> bytes:
    return b"%b/%b" % (directory, token_hex(16).encode())


def _kind(mode: int) -> Kind:
    if stats.S_ISREG(mode):
        return Kind.FILE
    return Kind.DIRECTORY if stats.S_ISDIR(mode) else Kind.OTHER


def _stat(found: os.stat_result) -> Stat:
    return Stat(_kind(found.st_mode), found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_nlink)


def _entry_kind(entry: os.DirEntry[str]) -> Kind:
    if entry.is_file(follow_symlinks=False):
        return Kind.FILE
    return Kind.DIRECTORY if entry.is_dir(follow_symlinks=False) else Kind.OTHER
