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
from collections.abc import Callable
from typing import Protocol

_SYS_GETXATTRAT = 464
_AT_SYMLINK_NOFOLLOW = 0x100
#: What the first attempt has room for, in bytes: nearly all records.
_USUAL_SIZE = 1024
_ROOM = ctypes.c_size_t(_USUAL_SIZE)


class Attributes(Protocol):
    """Reads extended attributes. :raise OSError: as ``getxattr``, but None for ``ENODATA``."""

    def of(self, descriptor: int, attribute: str) -> bytes | None:
        """That of an open file."""

    def below(self, directory: int, attribute: str) -> Callable[[bytes], bytes | None]:
        """What gives that of each name in a directory, which may be open with ``O_PATH``; of a link, the link's own.

        It is for one thread, and as long as the directory is open.
        """


class OsAttributes:
    """As Python has it."""

    def of(self, descriptor: int, attribute: str) -> bytes | None:
        """That of an open file."""
        return _unless_missing(lambda: os.getxattr(descriptor, attribute))

    def below(self, directory: int, attribute: str) -> Callable[[bytes], bytes | None]:
        """Those of names in a directory."""

        def read(name: bytes) -> bytes | None:
            # Only the name itself can be a link to somewhere else: /proc leads to the very directory that is open.
            path = _path_of(directory, name)
            return _unless_missing(lambda: os.getxattr(path, attribute, follow_symlinks=False))

        return read


class _Room(threading.local):
    """Where the kernel puts an attribute, for each thread its own."""

    def __init__(self) -> None:
        self.value = ctypes.create_string_buffer(_USUAL_SIZE)


class LibcAttributes:
    """One system call an attribute: ``getxattrat`` (Linux 6.13) where there is one, which also spares looking up /proc.

    :raise OSError: ``ENOSYS`` on other systems.
    """

    def __init__(self) -> None:
        if platform.system() != "Linux" or ctypes.sizeof(ctypes.c_void_p) != 8:
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
        libc = ctypes.CDLL(None, use_errno=True)
        # Without ``argtypes``, which take a microsecond a call: every argument is an int or has a C type.
        self._fgetxattr, self._lgetxattr, self._syscall = libc.fgetxattr, libc.lgetxattr, libc.syscall
        self._fgetxattr.restype = self._lgetxattr.restype = ctypes.c_ssize_t
        self._syscall.restype = ctypes.c_long
        self._room = _Room()
        self._slow = OsAttributes()
        self._knows_names = self._probe_names()

    def of(self, descriptor: int, attribute: str) -> bytes | None:
        """That of an open file."""
        value = self._room.value
        size = self._fgetxattr(descriptor, attribute.encode(), value, _ROOM)
        if size >= 0:
            return value.raw[:size]
        return self._slow.of(descriptor, attribute) if _is_larger() else None

    def below(self, directory: int, attribute: str) -> Callable[[bytes], bytes | None]:
        """Those of names in a directory."""
        value = ctypes.create_string_buffer(_USUAL_SIZE)
        ask = (self._by_names if self._knows_names else self._by_paths)(directory, attribute.encode(), value)
        slow = self._slow.below(directory, attribute)

        def read(name: bytes) -> bytes | None:
            size = ask(name)
            if size >= 0:
                return value.raw[:size]
            return slow(name) if _is_larger() else None

        return read

    def _by_names(self, directory: int, attribute: bytes, value: ctypes.Array[ctypes.c_char]) -> Callable[[bytes], int]:
        call, number, flags = self._syscall, ctypes.c_long(_SYS_GETXATTRAT), ctypes.c_uint(_AT_SYMLINK_NOFOLLOW)
        # struct xattr_args { u64 value; u32 size; u32 flags; }
        arguments = struct.pack("QII", ctypes.addressof(value), _USUAL_SIZE, 0)
        size = ctypes.c_size_t(len(arguments))
        return lambda name: call(number, directory, name, flags, attribute, arguments, size)

    def _by_paths(self, directory: int, attribute: bytes, value: ctypes.Array[ctypes.c_char]) -> Callable[[bytes], int]:
        call = self._lgetxattr
        return lambda name: call(_path_of(directory, name), attribute, value, _ROOM)

    def _probe_names(self) -> bool:
        root = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
        try:
            found = self._by_names(root, b"user.s3store", self._room.value)(b".")
        finally:
            os.close(root)
        # Without the call ENOSYS, where a sandbox forbids it EPERM; else it looked.
        return found >= 0 or ctypes.get_errno() in (errno.ENODATA, errno.ENOTSUP, errno.ERANGE)


def _unless_missing(read: Callable[[], bytes]) -> bytes | None:
    try:
        return read()
    except OSError as error:
        if error.errno == errno.ENODATA:
            return None
        raise


def _is_larger() -> bool:
    """Whether the last call failed for too little room, and not because there is no attribute."""
    number = ctypes.get_errno()
    if number in (errno.ERANGE, errno.ENODATA):
        return number == errno.ERANGE
    raise OSError(number, os.strerror(number))


def _path_of(directory: int, name: bytes) -> bytes:
    return b"/proc/self/fd/%d/%b" % (directory, name)


def best_attributes() -> Attributes:
    """The fastest way that this system allows."""
    try:
        return LibcAttributes()
    except (OSError, AttributeError):
        return OsAttributes()
