"""Disks around disks: one that is watched, one that fails, and some that can do less."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from twisted.python.components import proxyForInterface
from zope.interface import implementer

from twisted_s3.storage.filesystem.disk import Descriptor, IDisk

#: Calls that change nothing.
LOOKING = frozenset({"stat", "look", "fstat", "read", "read_cached", "scan", "getxattr", "is_anchored", "fileno"})


@implementer(IDisk)
class ObservedDisk:
    """Tells ``watch`` of each call, by name and arguments, right before it is made; it may raise instead."""

    def __init__(self, disk: IDisk, watch: Callable[[str, tuple[Any, ...]], object]) -> None:
        self._disk = disk
        self._watch = watch

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._disk, name)

        def watched(*args: Any, **named: Any) -> Any:
            self._watch(name, (*args, *named.values()))
            return call(*args, **named)

        return watched


class Script:
    """What an `ObservedDisk` is told: a list of calls, and the one to fail.

    :ivar calls: names and arguments of the calls so far.
    :ivar fail_at: the number of the changing call that fails with ``error``, counted from 0; None for none.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.reset()

    def reset(self, fail_at: int | None = None, error: int = errno.EIO) -> None:
        """Forget the calls, and choose which one is to fail."""
        self.calls.clear()
        self.fail_at = fail_at
        self.error = error
        self.failed = ""
        self._changing = 0

    def __call__(self, name: str, args: tuple[Any, ...]) -> None:
        self.calls.append((name, args))
        # Whoever closes or removes on the way out can not be helped if that fails too.
        if name in LOOKING or name in ("close", "shut", "unlink", "rmdir"):
            return
        if self._changing == self.fail_at:
            self._changing += 1
            self.failed = name
            raise OSError(self.error, os.strerror(self.error))
        self._changing += 1

    def names(self) -> Iterator[str]:
        """The changing calls so far."""
        return (name for name, _ in self.calls if name not in LOOKING)


class NoAttributesDisk(proxyForInterface(IDisk, "disk")):  # type: ignore[misc]
    """A disk without extended attributes."""

    def getxattr(self, descriptor: Descriptor, name: str) -> bytes | None:
        raise OSError(errno.ENOTSUP, "no attributes")

    def setxattr(self, descriptor: Descriptor, name: str, value: bytes) -> None:
        raise OSError(errno.ENOTSUP, "no attributes")

    def look(self, directory: bytes, names: Sequence[bytes], attribute: str) -> Sequence[None]:
        return [None] * len(names)

    def is_anchored(self, directory: bytes) -> bool:
        return False

    def anchor(self, directory: bytes) -> None:
        pass


class SmallAttributesDisk(proxyForInterface(IDisk, "disk")):  # type: ignore[misc]
    """A disk whose extended attributes hold 120 bytes."""

    def setxattr(self, descriptor: Descriptor, name: str, value: bytes) -> None:
        if len(value) > 120:
            raise OSError(errno.ENOSPC, "too large")
        self.disk.setxattr(descriptor, name, value)
