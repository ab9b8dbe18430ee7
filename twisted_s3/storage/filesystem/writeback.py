"""Having the kernel begin to write what it will be asked to sync, so that the sync of a large file is short.

It also keeps others' syncs short: a journalling filesystem may write all that is dirty with any of them.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Callable

#: How many bytes are gathered before the kernel is told.
WINDOW = 8 << 20

_SYNC_FILE_RANGE_WRITE = 2

#: Called with a descriptor, an offset and a length.
StartWriteback = Callable[[int, int, int], object]


def find_start() -> StartWriteback:
    """``sync_file_range`` of Linux, which makes no promise and whose failures tell nothing; elsewhere, nothing."""
    if platform.system() == "Linux":
        call = getattr(ctypes.CDLL(None), "sync_file_range", None)
        if call is not None:
            call.argtypes = [ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint]
            return lambda descriptor, offset, length: call(descriptor, offset, length, _SYNC_FILE_RANGE_WRITE)
    return lambda descriptor, offset, length: None


def full_windows(offset: int, stop: int) -> tuple[int, int]:
    """The start and the length of what is now to be written, after a write from ``offset`` to ``stop``."""
    start = offset - offset % WINDOW
    return start, stop - stop % WINDOW - start
