"""Reading extended attributes: of open files, and by name below an open directory without following links.

A record of the store is some hundred bytes. ``os.getxattr`` asks a first time with less and a second time with room
for 64 KiB, which the kernel clears; so we ask with what a record takes, and again only where that is too little.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import threading
from typing import Protocol

_SYS_GETXATTRAT = 464
_AT_SYMLINK_NOFOLLOW = 0x100
#: What the first attempt has room for, in bytes: nearly all records.
_USUAL_SIZE = 1024


class Attributes(Protocol):
    """Reads extended attributes. :raise OSError: as ``getxattr``, but None for ``ENODATA``."""

    def of(self, descriptor: int, attribute: str) -> bytes | None:
        """That of an open file."""

    def at(self, directory: int, name: bytes, attribute: str) -> bytes | None:
        """That of what has this name in a directory, which may be open with ``O_PATH``; of a link, the link's own."""


class OsAttributes:
    """As Python has it."""

    def of(self, descriptor: int, attribute: str) -> bytes | None:
        """That of an open file."""
        try:
            return os.getxattr(descriptor, attribute)
        except OSError as error:
            if error.errno == errno.ENODATA:
                return None
            raise

    def at(self, directory: int, name: bytes, attribute: str) -> bytes | None:
        """That of a name in a directory."""
        try:
            # Only the name itself can be a link to somewhere else: /proc leads to the very directory that is open.
            return os.getxattr(_path_of(directory, name), attribute, follow_symlinks=False)
        except OSError as error:
            if error.errno == errno.ENODATA:
                return None
            raise


class _Room(threading.local):
    """Where the kernel puts an attribute, for each thread its own, and what says so to ``getxattrat``."""

    def __init__(self) -> None:
        self.value = (ctypes.c_char * _USUAL_SIZE)()
        # struct xattr_args { u64 value; u32 size; u32 flags; }
        self.arguments = struct.pack("QII", ctypes.addressof(self.value), _USUAL_SIZE, 0)


class LibcAttributes:
    """One system call an attribute: ``getxattrat`` (Linux 6.13) where there is one, which also spares looking up /proc.

    :raise OSError: ``ENOSYS`` on other systems.
    """

    def __init__(self) -> None:
        if platform.system() != "Linux" or ctypes.sizeof(ctypes.c_void_p) != 8:
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
        libc = ctypes.CDLL(None, use_errno=True)
        self._fgetxattr, self._lgetxattr, self._syscall = libc.fgetxattr, libc.lgetxattr, libc.syscall
        for call in (self._fgetxattr, self._lgetxattr):
            call.restype = ctypes.c_ssize_t
        self._syscall.restype = ctypes.c_long
        text, size = ctypes.c_char_p, ctypes.c_size_t
        self._fgetxattr.argtypes = [ctypes.c_int, text, ctypes.c_void_p, size]
        self._lgetxattr.argtypes = [text, text, ctypes.c_void_p, size]
        self._syscall.argtypes = [ctypes.c_long, ctypes.c_int, text, ctypes.c_uint, text, text, size]
        self._room = _Room()
        self._slow = OsAttributes()
        self._knows_names = self._probe_names()

    def of(self, descriptor: int, attribute: str) -> bytes | None:
        """That of an open file."""
        value = self._room.value
        size = self._fgetxattr(descriptor, attribute.encode(), value, _USUAL_SIZE)
        if size >= 0:
            return value.raw[:size]
        return self._slow.of(descriptor, attribute) if _is_larger(attribute) else None

    def at(self, directory: int, name: bytes, attribute: str) -> bytes | None:
        """That of a name in a directory."""
        room = self._room
        if self._knows_names:
            size = self._ask(room, directory, name, attribute.encode())
        else:
            size = self._lgetxattr(_path_of(directory, name), attribute.encode(), room.value, _USUAL_SIZE)
        if size >= 0:
            return room.value.raw[:size]
        return self._slow.at(directory, name, attribute) if _is_larger(name) else None

    def _ask(self, room: _Room, directory: int, name: bytes, attribute: bytes) -> int:
        arguments = room.arguments
        found = self._syscall(
            _SYS_GETXATTRAT, directory, name, _AT_SYMLINK_NOFOLLOW, attribute, arguments, len(arguments)
        )
        return int(found)

    def _probe_names(self) -> bool:
        root = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
        try:
            found = self._ask(self._room, root, b".", b"user.s3store")
        finally:
            os.close(root)
        # Without the call ENOSYS, where a sandbox forbids it EPERM; else it looked.
        return found >= 0 or ctypes.get_errno() in (errno.ENODATA, errno.ENOTSUP, errno.ERANGE)


def _is_larger(name: str | bytes) -> bool:
    """Whether the last call failed for too little room, and not because there is no attribute."""
    number = ctypes.get_errno()
    if number in (errno.ERANGE, errno.ENODATA):
        return number == errno.ERANGE
    raise OSError(number, os.strerror(number), name)


def _path_of(directory: int, name: bytes) -> bytes:
    return b"/proc/self/fd/%d/%b" % (directory, name)


def best_attributes() -> Attributes:
    """The fastest way that this system allows."""
    try:
        return LibcAttributes()
    except (OSError, AttributeError):
        return OsAttributes()
