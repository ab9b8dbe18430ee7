"""The names on the simulated disk: where a path leads, and what changes of names a crash can still undo."""

from __future__ import annotations

import errno
import os

from tests.crash.inodes import Change, Directory, File, Inode, apply

NAME_MAX = 255


def error(number: int) -> OSError:
    """What a call that fails raises."""
    return OSError(number, os.strerror(number))


class Names:
    """A tree of directories, with the changes to it that are not on stable storage.

    :ivar now_ns: the time of day.
    """

    def __init__(self, now_ns: int) -> None:
        self.now_ns = now_ns
        self.root = Directory(1, now_ns, links=1, stable_links=1)
        self._pending: list[Change] = []
        self._steps = 0
        self._numbers = 1
        self._gone: list[Inode] = []

    def _find(self, path: bytes) -> File | Directory:
        directory, name = self._parent(path)
        inode = directory if not path else directory.entries.get(name)
        if inode is None:
            raise error(errno.ENOENT)
        assert isinstance(inode, File | Directory)
        return inode

    def _directory(self, path: bytes) -> Directory:
        inode = self._find(path)
        if not isinstance(inode, Directory):
            raise error(errno.ENOTDIR)
        return inode

    def _parent(self, path: bytes) -> tuple[Directory, bytes]:
        *above, name = path.split(b"/")
        at: Inode | None = self.root
        for component in above:
            if not isinstance(at, Directory):
                raise error(errno.ENOTDIR)
            at = at.entries.get(component)
            if len(component) > NAME_MAX:
                raise error(errno.ENAMETOOLONG)
            if at is None:
                raise error(errno.ENOENT)
        if not isinstance(at, Directory):
            raise error(errno.ENOTDIR)
        if len(name) > NAME_MAX:
            raise error(errno.ENAMETOOLONG)
        return at, name

    def _create(self, directory: Directory, name: bytes, inode: Inode) -> Inode:
        self._steps += 1
        self._set(directory, name, inode)
        return inode

    def _set(self, directory: Directory, name: bytes, target: Inode | None, emptied: Directory | None = None) -> None:
        """Change a name, as one of the changes of this step; ``emptied`` is the directory that this removes."""
        before = directory.entries.get(name)
        change = Change(directory, name, target, self._steps, emptied)
        apply(change, directory.entries)
        directory.touch(self.now_ns)
        self._pending.append(change)
        if target is not None:
            target.links += 1
        if before is not None:
            before.links -= 1
            before.touch(self.now_ns, modified=False)
            self._bury(before)

    def _stabilise(self, change: Change) -> None:
        before = change.directory.stable.get(change.name)
        apply(change, change.directory.stable)
        if change.target is not None:
            change.target.stable_links += 1
        if before is not None:
            before.stable_links -= 1

    def _bury(self, inode: Inode) -> None:
        if not inode.links and not inode.opened:
            self._gone.append(inode)

    def _number(self) -> int:
        """The number of a new inode: that of one which is gone for good, if there is any."""
        if self._gone:
            waiting = {change.target for change in self._pending}
            for at, inode in enumerate(self._gone):
                if not inode.stable_links and inode not in waiting:
                    del self._gone[at]
                    return inode.number
        self._numbers += 1
        return self._numbers
