"""The disk seam: every system call of the store, so that disks can be wrapped, simulated and watched.

Paths are bytes, relative to the root of the disk; ``b""`` is the root. No call follows a symbolic link anywhere
below the root: a link on the way raises ``ELOOP``. Descriptors mean something to the disk that gave them only.
Every call may raise :class:`OSError`. Calls block, and may be made from any thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple, NewType

from msgspec import Struct
from zope.interface import Interface, implementer

Descriptor = NewType("Descriptor", int)


class Kind(Enum):
    """What a name leads to."""

    FILE = "file"
    DIRECTORY = "directory"
    OTHER = "other"


class Access(Enum):
    """How a file is opened."""

    READ = "to read; never waits for a FIFO or device"
    WRITE = "to read and write what is there"
    ENSURE = "to read and write, made when missing"
    NEW = "to read and write, FileExistsError when there is one"


class Stat(NamedTuple):
    """What the store asks of an inode. Times are nanoseconds since the epoch."""

    kind: Kind
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    links: int


class Temporary(Struct, eq=False):
    """A file that nobody else sees yet.

    :ivar directory: where it may have a name before it is published.
    :ivar name: its path while it has one, else None.
    """

    descriptor: Descriptor
    directory: bytes
    name: bytes | None = None


class IDisk(Interface):
    """The calls of a disk."""

    def shut() -> None:
        """Let go of the root; nothing may be called after it."""

    def free() -> int:
        """How many more bytes the disk takes from us."""

    def open(path: bytes, access: Access, cached: bool = False) -> Descriptor:
        """Open a file. With ``cached``: raise :class:`BlockingIOError` where the path is not in the kernel's memory."""

    def create_temporary(directory: bytes) -> Temporary:
        """Make a file that a crash takes away or leaves unlocked in ``directory``; it is locked while it is open."""

    def publish(temporary: Temporary, path: bytes, replace: bool) -> None:
        """Give a temporary its name in one step.

        :raise FileExistsError: when there is something and ``replace`` is false.
        :raise IsADirectoryError: when there is a directory and ``replace`` is true.
        """

    def close(descriptor: Descriptor) -> None:
        """Let go of a descriptor, and of its lock."""

    def fileno(descriptor: Descriptor) -> int | None:
        """The operating system's number of a descriptor, for ``sendfile``; None when it has none."""

    def stat(path: bytes) -> Stat:
        """What is at a path; a symbolic link is :attr:`Kind.OTHER`."""

    def look(directory: bytes, names: Sequence[bytes], attribute: str) -> Sequence[tuple[Stat, bytes] | None]:
        """What regular files are at these names of one directory, each with an extended attribute, opening none.

        None for all else: no such name, a link or other kind, no such attribute, no right to read it, or whatever
        error a name has. Who wants to know more opens the file. The two are asked for one after the other: where
        somebody replaces or changes the file in between, they are of two files, or of one at two times.

        :raise OSError: when the directory can not be opened.
        """

    def fstat(descriptor: Descriptor) -> Stat:
        """What a descriptor leads to."""

    def read(descriptor: Descriptor, offset: int, length: int) -> bytes:
        """Read ``length`` bytes, fewer only at the end of the file."""

    def read_cached(descriptor: Descriptor, offset: int, length: int) -> bytes | None:
        """Read exactly ``length`` bytes if that needs no waiting, else give None."""

    def write(descriptor: Descriptor, offset: int, chunks: Sequence[bytes]) -> None:
        """Write all of the chunks, one behind the other."""

    def uncache(descriptor: Descriptor) -> None:
        """Let go of what the kernel's memory holds of a file, so that the next reads come from the disk itself."""

    def copy_range(source: Descriptor, source_offset: int, target: Descriptor, target_offset: int, length: int) -> None:
        """Copy exactly ``length`` bytes between files, sharing blocks where the filesystem can."""

    def truncate(descriptor: Descriptor, size: int) -> None:
        """Set the size of a file."""

    def touch(descriptor: Descriptor, mtime_ns: int | None = None) -> None:
        """Set the time of change, to now unless told otherwise."""

    def fsync(descriptor: Descriptor) -> None:
        """Bring the bytes and metadata of a file to stable storage."""

    def fsync_directory(path: bytes) -> None:
        """Bring the names in a directory to stable storage."""

    def is_anchored(directory: bytes) -> bool:
        """Whether :meth:`anchor` was called for this very directory."""

    def anchor(directory: bytes) -> None:
        """Note on the directory that its own name, and those of all above it, are on stable storage."""

    def getxattr(descriptor: Descriptor, name: str) -> bytes | None:
        """An extended attribute, None when it is not set. :raise OSError: ``ENOTSUP`` where there are none."""

    def setxattr(descriptor: Descriptor, name: str, value: bytes) -> None:
        """Set an extended attribute in one step. :raise OSError: ``ENOSPC``, ``E2BIG`` or ``ERANGE`` for too large."""

    def lock(descriptor: Descriptor, exclusive: bool, wait: bool) -> bool:
        """Lock a file until its descriptor is closed. Gives False when ``wait`` is false and another has it."""

    def rename(source: bytes, target: bytes) -> None:
        """Move a file or directory, replacing a file."""

    def link(source: bytes, target: bytes) -> None:
        """Give a file a second name. :raise FileExistsError: when there is something."""

    def unlink(path: bytes) -> None:
        """Remove the name of a file."""

    def mkdir(path: bytes) -> None:
        """Make a directory."""

    def rmdir(path: bytes) -> None:
        """Remove an empty directory."""

    def scan(path: bytes) -> Sequence[tuple[bytes, Kind]]:
        """The names in a directory with their kinds, in no order."""


@implementer(IDisk)
class UnsyncedDisk:  # type: ignore[misc]
    """A disk that is never told to bring anything to stable storage: fast, and lost with the power.

    :ivar disk: the disk behind it. Methods that are patched there later are not seen.
    """

    def __init__(self, disk: IDisk) -> None:
        self.disk = disk
        # A proxy would look them up with every call, of which a request makes dozens.
        for name in IDisk.names():
            if not hasattr(self, name):
                setattr(self, name, getattr(disk, name))

    def fsync(self, descriptor: Descriptor) -> None:
        """Do nothing."""

    def fsync_directory(self, path: bytes) -> None:
        """Do nothing."""

    def is_anchored(self, directory: bytes) -> bool:
        """Say yes: nobody need sync anything."""
        return True

    def anchor(self, directory: bytes) -> None:
        """Do nothing: a later synced disk must not believe it."""
