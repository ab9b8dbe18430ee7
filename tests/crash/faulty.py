"""A disk that fails at one call, and tells of what was done with a descriptor after its sync had failed."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from tests.crash.simulated import SimulatedDisk
from tests.storage.filesystem.disks import LOOKING
from twisted_s3.storage.filesystem.disk import Temporary

#: What may be done with a descriptor whose sync has failed.
_HARMLESS = frozenset({"close", "fstat"})
#: Calls that nobody could make up for: they let go of something.
_LETTING_GO = frozenset({"close", "shut", "lock", "fileno", "read_cached"})
#: Calls that take a descriptor.
OPENING = frozenset({"open", "create_temporary", "scan", "fsync_directory", "is_anchored"})
CHANGING = "changing"
LOOKING_TOO = "looking, too"


class FaultyDisk:
    """A simulated disk of which one call fails.

    :ivar failed: the call that has, "" while none has.
    """

    def __init__(self, disk: SimulatedDisk) -> None:
        self._disk = disk
        self._distrusted: set[int] = set()
        self._fails: Callable[[str], bool] = lambda name: False
        self._error = 0
        self._at: int | None = None
        self.failed = ""

    def fail_at(self, at: int, error: int, fails: Callable[[str], bool]) -> None:
        """Have the call number ``at``, of those that ``fails`` chooses, fail with ``error``."""
        self._at, self._error, self._fails = at, error, fails
        self.failed = ""

    def work(self) -> None:
        """Fail no more."""
        self._at = None

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._disk, name)

        def made(*args: Any, **named: Any) -> Any:
            self._check_trust(name, args)
            if self._at is not None and name not in _LETTING_GO and self._fails(name):
                if not self._at:
                    self._at = None
                    self.failed = name
                    self._fail(name, args)
                else:
                    self._at -= 1
            return call(*args, **named)

        return made

    def _fail(self, name: str, args: tuple[Any, ...]) -> None:
        if name == "fsync":
            self._disk.fail_fsync(args[0])
            self._distrusted.add(args[0])
        raise OSError(self._error, os.strerror(self._error))

    def _check_trust(self, name: str, args: tuple[Any, ...]) -> None:
        descriptors = {
            arg.descriptor if isinstance(arg, Temporary) else arg for arg in args if not isinstance(arg, list)
        }
        if name not in _HARMLESS and self._distrusted & {arg for arg in descriptors if isinstance(arg, int)}:
            raise AssertionError(f"{name} of a descriptor whose sync has failed")
        if name == "close":
            self._distrusted.discard(args[0])


def changes(name: str) -> bool:
    """Whether a call changes something on the disk."""
    return name not in LOOKING and name not in ("open", "unlink", "rmdir")


def looks(name: str) -> bool:
    """Whether a call only looks, or removes something."""
    return not changes(name)


def opens(name: str) -> bool:
    """Whether a call takes a descriptor."""
    return name in OPENING
