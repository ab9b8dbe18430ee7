"""A disk in memory that knows what is on stable storage, and whose power can fail between any two calls."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence

from zope.interface import implementer

from tests.crash.inodes import Crash, Directory, File, Inode, PowerOff, apply, surviving, with_needed
from tests.crash.names import Names, error
from twisted_s3.storage.filesystem.disk import Access, Descriptor, IDisk, Kind, Stat, Temporary
from twisted_s3.storage.filesystem.realdisk import RealDisk

_ANCHORED = "user.s3store.anchored"
#: What each call to the disk takes.
CALL_NS = 300_000


class _Open:
    """An open file: what a descriptor leads to."""

    def __init__(self, inode: File | Directory, unnamed: bool = False) -> None:
        self.inode = inode
        self.unnamed = unnamed
        #: Linux tells of a failed write-back once to everybody who had the file open.
        self.failed = False


@implementer(IDisk)
class SimulatedDisk(Names):
    """A disk of which one thread at a time makes calls.

    :param unnamed: whether there are files without a name.
    :param attribute_bytes: how large the extended attributes of an inode can be; None: there are none.
    :param atomic_renames: whether a crash keeps both changes of a rename between directories, or none.
    :param capacity: how many bytes fit; None for no end.
    :ivar before: called with the name of each call before it is made.
    :ivar wait: called with a condition when a lock has to be waited for.
    :ivar crash_after: the power fails instead of the changing call after so many; None for never.
    :ivar off: whether it has.
    :ivar full_error: what a disk that is full says.
    :ivar now_ns: the time of day.
    """

    def __init__(
        self,
        unnamed: bool = True,
        attribute_bytes: int | None = 4000,
        atomic_renames: bool = True,
        capacity: int | None = None,
        now_ns: int = 1_700_000_000_000_000_000,
    ) -> None:
        self.unnamed = unnamed
        self.attribute_bytes = attribute_bytes
        self.atomic_renames = atomic_renames
        self.capacity = capacity
        self.full_error = errno.ENOSPC
        super().__init__(now_ns)
        self.before: Callable[[str], object] = lambda name: None
        self.wait: Callable[[Callable[[], bool]], object] = _wait_for_ever
        self.crash_after: int | None = None
        self.off = False
        self.changes = 0
        self.syncs: list[str] = []
        self._names = 0
        self._open: dict[int, _Open] = {}
        self._next_descriptor = 1000
        self._locks: dict[Inode, dict[int, bool]] = {}

    # The power

    def power_off(self, crash: Crash) -> SimulatedDisk:
        """What is found when the power is back. This disk stays as it was, so that one crash can end in many ways."""
        after = SimulatedDisk(
            self.unnamed, self.attribute_bytes, self.atomic_renames, self.capacity, self.now_ns + 1_000_000_000
        )
        entries: dict[Directory, dict[bytes, Inode]] = {}
        for change in surviving(self._pending, crash, self.atomic_renames):
            apply(change, entries.setdefault(change.directory, dict(change.directory.stable)))
        copies: dict[Inode, Inode] = {}

        def copy(inode: Inode) -> Inode:
            made = copies.get(inode)
            if made is None:
                if isinstance(inode, Directory):
                    made = copies[inode] = Directory(inode.number, after.now_ns)
                    made.attributes = inode.surviving_attributes(crash)
                    made.stable_attributes = dict(made.attributes)
                    for name, target in entries.get(inode, inode.stable).items():
                        made.entries[name] = copy(target)
                    made.stable = dict(made.entries)
                else:
                    assert isinstance(inode, File)
                    made = copies[inode] = inode.crashed(crash)
            made.links += 1
            made.stable_links += 1
            return made

        root = copy(self.root)
        assert isinstance(root, Directory)
        after.root = root
        after._numbers = self._numbers
        after._names = self._names + 1_000_000
        kept = {inode.number for inode in copies.values()}
        # As good as any freed inode: nothing on the disk leads to these numbers.
        after._gone = [Inode(number, 0) for number in range(2, self._numbers + 1) if number not in kept]
        return after

    def kill(self) -> None:
        """End all processes: their descriptors and locks go, what was not synced stays so."""
        for descriptor in list(self._open):
            self._forget(descriptor)
        self._locks.clear()
        self.off = False
        self.crash_after = None

    def is_clean(self) -> bool:
        """Whether nothing is open and nothing is locked."""
        return not self._open and not any(self._locks.values())

    # Calls

    def shut(self) -> None:
        """Nothing is open."""

    def free(self) -> int:
        """How many more bytes fit."""
        return 1 << 40 if self.capacity is None else max(self.capacity - self.used, 0)

    def open(self, path: bytes, access: Access, cached: bool = False) -> Descriptor:
        """Open a file or, to read, a directory."""
        self._begin("open")
        directory, name = self._parent(path)
        inode = directory if not path else directory.entries.get(name)
        if inode is None:
            if access in (Access.READ, Access.WRITE):
                raise error(errno.ENOENT)
            self._change("create")
            if self.capacity is not None and self.used >= self.capacity:
                raise error(self.full_error)
            inode = self._create(directory, name, File(self._number(), self.now_ns))
        elif access is Access.NEW:
            raise error(errno.EEXIST)
        elif isinstance(inode, Directory) and access is not Access.READ:
            raise error(errno.EISDIR)
        assert isinstance(inode, File | Directory)
        return self._descriptor(_Open(inode))

    def create_temporary(self, directory: bytes) -> Temporary:
        """Make a file without a name, or else one with a name and a lock."""
        if self.unnamed:
            self._begin("create_temporary")
            self._change("create")
            if self.capacity is not None and self.used >= self.capacity:
                raise error(self.full_error)
            self._directory(directory)
            return Temporary(self._descriptor(_Open(File(self._number(), self.now_ns), unnamed=True)), directory)
        self._names += 1
        name = b"%b/%032x" % (directory, self._names)
        descriptor = self.open(name, Access.NEW)
        while not (self.lock(descriptor, exclusive=True, wait=False) and self.fstat(descriptor).links):
            self.close(descriptor)
            self._names += 1
            name = b"%b/%032x" % (directory, self._names)
            descriptor = self.open(name, Access.NEW)
        return Temporary(descriptor, directory, name)

    #: The very steps of the real disk, between which the power can fail.
    def publish(self, temporary: Temporary, path: bytes, replace: bool) -> None:
        """Give a temporary its name."""
        self.before("publish")
        RealDisk.publish(self, temporary, path, replace)  # type: ignore[arg-type]

    def close(self, descriptor: Descriptor) -> None:
        """Let go of a descriptor, and of its lock."""
        self._begin("close")
        self._forget(descriptor)

    def fileno(self, descriptor: Descriptor) -> int | None:
        """It has none."""
        return None

    def stat(self, path: bytes) -> Stat:
        """What is at a path."""
        self._begin("stat")
        return self._find(path).stat()

    def look(self, directory: bytes, names: Sequence[bytes], attribute: str) -> Sequence[tuple[Stat, bytes] | None]:
        """What regular files are in a directory, each with an attribute; others may do anything in between."""
        self._begin("open")
        inode = self._directory(directory)
        return [self._look(inode, name, attribute) for name in names]

    def _look(self, directory: Directory, name: bytes, attribute: str) -> tuple[Stat, bytes] | None:
        self._begin("look")
        found = directory.entries.get(name)
        if not isinstance(found, File):
            return None
        stat = found.stat()
        self._begin("look")
        later = directory.entries.get(name)
        value = None if later is None or self.attribute_bytes is None else later.attributes.get(attribute)
        return None if value is None else (stat, value)

    def fstat(self, descriptor: Descriptor) -> Stat:
        """What a descriptor leads to."""
        self._begin("fstat")
        return self._opened(descriptor).inode.stat()

    def read(self, descriptor: Descriptor, offset: int, length: int) -> bytes:
        """Read ``length`` bytes, fewer only at the end."""
        self._begin("read")
        return bytes(self._file(descriptor).content[offset : offset + length])

    def read_cached(self, descriptor: Descriptor, offset: int, length: int) -> bytes | None:
        """Everything takes waiting."""
        return None

    def write(self, descriptor: Descriptor, offset: int, chunks: Sequence[bytes]) -> None:
        """Write all of the chunks; to a full disk, as much as it takes."""
        self._begin("write")
        self._change("write")
        file = self._file(descriptor)
        for chunk in chunks:
            fits = self._fitting(file, offset, len(chunk))
            file.write(offset, chunk[:fits], self.now_ns)
            if fits < len(chunk):
                raise error(self.full_error)
            offset += fits

    def uncache(self, descriptor: Descriptor) -> None:
        """Nothing is cached."""
        self._file(descriptor)

    def copy_range(
        self, source: Descriptor, source_offset: int, target: Descriptor, target_offset: int, length: int
    ) -> None:
        """Copy exactly ``length`` bytes between files."""
        data = self.read(source, source_offset, length)
        self.write(target, target_offset, [data])
        if len(data) < length:
            raise error(errno.EIO)

    def truncate(self, descriptor: Descriptor, size: int) -> None:
        """Set the size of a file."""
        self._begin("truncate")
        self._change("truncate")
        self._file(descriptor).truncate(size, self.now_ns)

    def touch(self, descriptor: Descriptor, mtime_ns: int | None = None) -> None:
        """Set the time of change."""
        self._begin("touch")
        self._change("touch")
        file = self._file(descriptor)
        file.touch(self.now_ns)
        if mtime_ns is not None:
            file.mtime_ns = mtime_ns

    def fsync(self, descriptor: Descriptor) -> None:
        """Bring the bytes and metadata of a file to stable storage, but none of its names."""
        self._begin("fsync")
        self._change("fsync")
        opened = self._opened(descriptor)
        if opened.failed:
            opened.failed = False
            raise error(errno.EIO)
        self._file(descriptor).sync()

    def fail_fsync(self, descriptor: Descriptor) -> None:
        """Have a sync fail as it does on Linux: its bytes are lost, and the next sync says that all is well."""
        file = self._file(descriptor)
        file.lose_dirty()
        for other in self._open.values():
            other.failed = other.inode is file and other is not self._open[descriptor]

    def fsync_directory(self, path: bytes) -> None:
        """Bring the names in a directory to stable storage."""
        self._begin("fsync_directory")
        self._change("fsync_directory")
        directory = self._directory(path)
        directory.sync_attributes()
        synced = {change for change in self._pending if change.directory is directory}
        kept = with_needed(self._pending, synced, self.atomic_renames)
        for change in kept:
            self._stabilise(change)
        stable = set(kept)
        self._pending = [change for change in self._pending if change not in stable]

    def is_anchored(self, directory: bytes) -> bool:
        """Look for the mark of :meth:`anchor`."""
        self._begin("is_anchored")
        return _ANCHORED in self._directory(directory).attributes

    def anchor(self, directory: bytes) -> None:
        """Mark a directory, where there are marks."""
        self._begin("anchor")
        self._change("anchor")
        inode = self._directory(directory)
        if self.attribute_bytes is not None:
            inode.set_attribute(_ANCHORED, b"")

    def getxattr(self, descriptor: Descriptor, name: str) -> bytes | None:
        """An extended attribute."""
        self._begin("getxattr")
        if self.attribute_bytes is None:
            raise error(errno.ENOTSUP)
        return self._opened(descriptor).inode.attributes.get(name)

    def setxattr(self, descriptor: Descriptor, name: str, value: bytes) -> None:
        """Set an extended attribute in one step."""
        self._begin("setxattr")
        self._change("setxattr")
        inode = self._opened(descriptor).inode
        if self.attribute_bytes is None:
            raise error(errno.ENOTSUP)
        if len(value) > self.attribute_bytes:
            raise error(errno.ENOSPC)
        inode.set_attribute(name, value)
        inode.touch(self.now_ns, modified=False)

    def lock(self, descriptor: Descriptor, exclusive: bool, wait: bool) -> bool:
        """Lock a file until its descriptor is closed."""
        self._begin("lock")
        inode = self._opened(descriptor).inode
        holders = self._locks.setdefault(inode, {})

        def free() -> bool:
            return not any(who != descriptor and (exclusive or held) for who, held in holders.items())

        if not free():
            if not wait:
                return False
            self.wait(lambda: self.off or free())
            self._check_power()
        holders[descriptor] = exclusive
        return True

    def rename(self, source: bytes, target: bytes) -> None:
        """Move a file or directory, replacing a file."""
        self._begin("rename")
        self._change("rename")
        (source_directory, old), (target_directory, new) = self._parent(source), self._parent(target)
        moved, replaced = source_directory.entries.get(old), target_directory.entries.get(new)
        if moved is None:
            raise error(errno.ENOENT)
        if target.startswith(source + b"/"):
            raise error(errno.EINVAL)
        if source.startswith(target + b"/"):
            raise error(errno.ENOTEMPTY)
        if replaced is moved:
            return
        if isinstance(replaced, Directory) and not isinstance(moved, Directory):
            raise error(errno.EISDIR)
        if isinstance(moved, Directory) and isinstance(replaced, File):
            raise error(errno.ENOTDIR)
        if isinstance(replaced, Directory) and replaced.entries:
            raise error(errno.ENOTEMPTY)
        self._steps += 1
        self._set(target_directory, new, moved)
        self._set(source_directory, old, None)

    def link(self, source: bytes, target: bytes) -> None:
        """Give a file a second name."""
        self._begin("link")
        self._change("link")
        inode = self._find(source)
        directory, name = self._parent(target)
        if name in directory.entries:
            raise error(errno.EEXIST)
        if isinstance(inode, Directory):
            raise error(errno.EPERM)
        self._steps += 1
        self._set(directory, name, inode)

    def unlink(self, path: bytes) -> None:
        """Remove the name of a file."""
        self._begin("unlink")
        directory, name = self._parent(path)
        if isinstance(self._find(path), Directory):
            raise error(errno.EISDIR)
        self._change("unlink")
        self._steps += 1
        self._set(directory, name, None)

    def mkdir(self, path: bytes) -> None:
        """Make a directory."""
        self._begin("mkdir")
        directory, name = self._parent(path)
        if name in directory.entries:
            raise error(errno.EEXIST)
        self._change("mkdir")
        self._create(directory, name, Directory(self._number(), self.now_ns))

    def rmdir(self, path: bytes) -> None:
        """Remove an empty directory."""
        self._begin("rmdir")
        directory, name = self._parent(path)
        inode = self._find(path)
        if not isinstance(inode, Directory):
            raise error(errno.ENOTDIR)
        if inode.entries:
            raise error(errno.ENOTEMPTY)
        self._change("rmdir")
        self._steps += 1
        self._set(directory, name, None, emptied=inode)

    def scan(self, path: bytes) -> Sequence[tuple[bytes, Kind]]:
        """The names in a directory."""
        self._begin("scan")
        return [(name, inode.stat().kind) for name, inode in self._directory(path).entries.items()]  # type: ignore[attr-defined]

    def _link(self, temporary: Temporary, path: bytes) -> None:
        """Give a temporary a name more."""
        self._begin("link")
        self._change("link")
        directory, name = self._parent(path)
        inode: Inode = self._opened(temporary.descriptor).inode
        if temporary.name is not None:
            inode = self._find(temporary.name)
        if name in directory.entries:
            raise error(errno.EEXIST)
        self._steps += 1
        self._set(directory, name, inode)

    # Within

    def _begin(self, call: str) -> None:
        self._check_power()
        self.before(call)
        self._check_power()
        self.now_ns += CALL_NS

    def _change(self, call: str) -> None:
        """Count a call that changes something, unless the power fails instead."""
        if self.changes == self.crash_after:
            self.off = True
        self._check_power()
        self.changes += 1

    def _check_power(self) -> None:
        if self.off:
            raise PowerOff

    def _descriptor(self, opened: _Open) -> Descriptor:
        self._next_descriptor += 1
        self._open[self._next_descriptor] = opened
        opened.inode.opened += 1
        return Descriptor(self._next_descriptor)

    def _opened(self, descriptor: Descriptor) -> _Open:
        try:
            return self._open[descriptor]
        except KeyError:
            raise error(errno.EBADF) from None

    def _file(self, descriptor: Descriptor) -> File:
        inode = self._opened(descriptor).inode
        if not isinstance(inode, File):
            raise error(errno.EISDIR)
        return inode

    def _forget(self, descriptor: int) -> None:
        opened = self._open.pop(descriptor, None)
        if opened is None:
            raise error(errno.EBADF)
        self._locks.get(opened.inode, {}).pop(descriptor, None)
        opened.inode.opened -= 1
        self._bury(opened.inode)

    def _fitting(self, file: File, offset: int, length: int) -> int:
        """How many of ``length`` bytes at ``offset`` the disk takes."""
        if self.capacity is None:
            return length
        room = max(self.capacity - self.used, 0) + max(len(file.content) - offset, 0)
        return min(length, room)

    @property
    def used(self) -> int:
        """All bytes in files, named or open."""
        files = {opened.inode for opened in self._open.values() if isinstance(opened.inode, File)}
        below: list[Inode] = [self.root]
        while below:
            inode = below.pop()
            if isinstance(inode, Directory):
                below.extend(inode.entries.values())
            elif isinstance(inode, File):
                files.add(inode)
        return sum(len(file.content) for file in files)


def _wait_for_ever(ready: Callable[[], bool]) -> None:
    raise AssertionError("a lock is waited for that nobody will release")
