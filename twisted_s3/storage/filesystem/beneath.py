"""Opening paths below a directory without ever following a symbolic link.

Linux has one call for it, ``openat2`` (man 2 openat2), which Python does not know; elsewhere, and where a sandbox
forbids it, the path is opened name by name.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from typing import Protocol

_SYS_OPENAT2 = 437
_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_NO_SYMLINKS = 0x04
_RESOLVE_BENEATH = 0x08
_RESOLVE_CACHED = 0x20
_SAFE = _RESOLVE_NO_MAGICLINKS | _RESOLVE_NO_SYMLINKS | _RESOLVE_BENEATH


class OpenBeneath(Protocol):
    """Open ``path`` below the directory ``root``.

    :param cached: raise :class:`BlockingIOError` rather than wait for the disk; always where the system can not tell.
    :raise OSError: ``ELOOP`` for a symbolic link anywhere in the path; else as ``open``.
    """

    def __call__(self, root: int, path: bytes, flags: int, cached: bool = False) -> int:
        """Gives the descriptor."""


class Openat2:
    """One system call a path.

    :raise OSError: ``ENOSYS`` or ``EPERM`` where there is no such call.
    """

    def __init__(self) -> None:
        if platform.system() != "Linux" or ctypes.sizeof(ctypes.c_void_p) != 8:
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
        self._syscall = ctypes.CDLL(None, use_errno=True).syscall
        self._syscall.restype = ctypes.c_long
        self._syscall.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t]
        self._hows: dict[tuple[int, bool], bytes] = {}
        self._knows_cached = True
        root = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.close(self(root, b".", os.O_RDONLY | os.O_DIRECTORY))
            self._knows_cached = self._probe_cached(root)
        finally:
            os.close(root)

    def __call__(self, root: int, path: bytes, flags: int, cached: bool = False) -> int:
        """Open ``path`` below ``root``."""
        if cached and not self._knows_cached:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN), path)
        how = self._hows.get((flags, cached))
        if how is None:
            how = self._hows[flags, cached] = self._how(flags, cached)
        while (descriptor := self._syscall(_SYS_OPENAT2, root, path, how, len(how))) < 0:
            number = ctypes.get_errno()
            if number != errno.EINTR:
                raise OSError(number, os.strerror(number), path)
        return int(descriptor)

    def _probe_cached(self, root: int) -> bool:
        try:
            os.close(self(root, b".", os.O_RDONLY | os.O_DIRECTORY, cached=True))
        except BlockingIOError:
            return True
        except OSError:
            return False
        return True

    @staticmethod
    def _how(flags: int, cached: bool) -> bytes:
        mode = 0o666 if flags & os.O_CREAT or flags & os.O_TMPFILE == os.O_TMPFILE else 0
        return struct.pack("QQQ", flags | os.O_CLOEXEC, mode, _SAFE | (_RESOLVE_CACHED if cached else 0))


def open_by_names(root: int, path: bytes, flags: int, cached: bool = False) -> int:
    """Open ``path`` below ``root``, one name after the other. Whether that would wait is not known here."""
    if cached:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN), path)
    *directories, last = path.split(b"/")
    if b".." in (*directories, last):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), path)
    at = root
    try:
        for name in directories:
            below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
            if at != root:
                os.close(at)
            at = below
        return os.open(last, flags | os.O_NOFOLLOW, 0o666, dir_fd=at)
    finally:
        if at != root:
            os.close(at)


def best_opener() -> OpenBeneath:
    """The fastest way that this system allows."""
    try:
        return Openat2()
    except OSError:
        return open_by_names
