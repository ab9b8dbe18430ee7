"""Bringing a file to its name: the one way for objects, parts and documents."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import suppress
from secrets import token_hex

from msgspec import Struct

from twisted_s3.storage.filesystem.disk import Access, Descriptor, IDisk, Kind, Stat, Temporary
from twisted_s3.storage.filesystem.layout import STAGING, parent
from twisted_s3.storage.filesystem.sync import DirectorySync

#: How often a directory may vanish between its making and its use.
_ATTEMPTS = 1000


class Found(Struct, frozen=True):
    """An open file that holds an object."""

    path: bytes
    descriptor: Descriptor
    stat: Stat


class Files:
    """Gives temporaries their names, and makes and removes the directories that this takes."""

    def __init__(self, disk: IDisk, directories: DirectorySync) -> None:
        self._disk = disk
        self._directories = directories

    def place(self, temporary: Temporary, path: bytes, replace: bool, top: bytes) -> None:
        """Publish a temporary at ``path``, making the directories between ``top`` and it.

        Nothing is durable yet. Directories that were made are removed when the publishing fails.

        :raise FileNotFoundError: when ``top`` is not there.
        :raise OSError: as :meth:`IDisk.publish`, and where a directory can not be made.
        """
        # What is moved may be the only copy of something durable: no crash may keep the move and lose where it went.
        moved = temporary.name is not None and parent(temporary.name) != STAGING
        try:
            for _ in range(_ATTEMPTS):
                try:
                    if moved:
                        self._directories.reach(parent(path))
                    self._disk.publish(temporary, path, replace)
                except FileNotFoundError:
                    # Missing from the start, or removed by a delete that emptied it.
                    self.ensure(parent(path), top)
                else:
                    return
        except BaseException:
            self.prune(parent(path), top)
            raise
        raise OSError(errno.EAGAIN, "its directory was removed again and again", path)

    def link(self, source: bytes, target: bytes, top: bytes) -> None:
        """Give a file a second name, making the directories between ``top`` and it. Nothing is durable yet.

        :raise FileExistsError: when there is something.
        """
        for attempt in range(_ATTEMPTS):
            try:
                self._disk.link(source, target)
            except FileNotFoundError:
                if attempt:
                    # Raises when it is the source that is missing.
                    self._disk.stat(source)
                self.ensure(parent(target), top)
            else:
                return
        raise OSError(errno.EAGAIN, "its directory was removed again and again", target)

    def save(self, document: bytes, path: bytes, replace: bool, top: bytes) -> None:
        """Write a document to ``path`` durably, in one step."""
        temporary = self._disk.create_temporary(STAGING)
        try:
            self._disk.write(temporary.descriptor, 0, [document])
            self._disk.fsync(temporary.descriptor)
            self.place(temporary, path, replace, top)
        finally:
            self.drop(temporary)
        self._directories.sync(parent(path))

    def load(self, path: bytes) -> bytes | None:
        """All bytes of a document; None when it is not there."""
        try:
            descriptor = self._disk.open(path, Access.READ)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            return self._disk.read(descriptor, 0, self._disk.fstat(descriptor).size)
        finally:
            self._disk.close(descriptor)

    def drop(self, temporary: Temporary) -> None:
        """Let go of a temporary; when it was not published, nothing of it stays."""
        try:
            if temporary.name is not None:
                with suppress(FileNotFoundError):
                    self._disk.unlink(temporary.name)
                temporary.name = None
        finally:
            self._disk.close(temporary.descriptor)

    def ensure(self, directory: bytes, top: bytes = b"") -> None:
        """Make a directory and those above it up to ``top``, where they are missing; nothing is durable yet.

        :raise FileNotFoundError: when ``top`` is not there.
        """
        missing: list[bytes] = []
        at = directory
        while at != top:
            try:
                self._disk.mkdir(at)
            except FileExistsError:
                break
            except FileNotFoundError:
                missing.append(at)
                at = parent(at)
            else:
                break
        else:
            self._disk.stat(top)
        for name in reversed(missing):
            # Whoever made or removed it meanwhile: the caller's next attempt sees it.
            with suppress(FileExistsError, FileNotFoundError):
                self._disk.mkdir(name)

    def prune(self, directory: bytes, top: bytes) -> bytes:
        """Remove empty directories from ``directory`` up to, not including, ``top``. Gives the one that stays."""
        while directory != top:
            try:
                self._disk.rmdir(directory)
            except FileNotFoundError:
                pass
            except OSError:
                break
            directory = parent(directory)
        return directory

    def remove_tree(self, directory: bytes) -> None:
        """Make a directory vanish in one step, then remove all that was in it.

        :raise FileNotFoundError: when it is not there.
        """
        self.remove_trash(self.move_to_trash(directory))

    def move_to_trash(self, directory: bytes) -> bytes:
        """Make a directory vanish durably, in one step. Gives what :meth:`remove_trash` takes, at any later time.

        :raise FileNotFoundError: when it is not there.
        """
        trash = b"%b/%b" % (STAGING, token_hex(16).encode())
        self._disk.rename(directory, trash)
        self._directories.sync(parent(directory))
        return trash

    def remove_trash(self, directory: bytes) -> None:
        """Remove what :meth:`move_to_trash` gave, beside others that do the same."""
        found = [directory]
        # It grows while it is gone through: every directory comes behind the one that holds it.
        for at in found:
            with suppress(FileNotFoundError):
                for name, kind in self._disk.scan(at):
                    path = b"%b/%b" % (at, name)
                    if kind is Kind.DIRECTORY:
                        found.append(path)
                        continue
                    with suppress(FileNotFoundError):
                        self._disk.unlink(path)
        for at in reversed(found):
            with suppress(FileNotFoundError):
                self._disk.rmdir(at)

    def clean_staging(self) -> None:
        """Remove what processes that are gone have left in the staging folder."""
        for _ in self.abandoned(remove=True):
            pass

    def abandoned(self, remove: bool) -> Iterator[bytes]:
        """What processes that are gone have left in the staging folder; removed, if so wanted."""
        for name, kind in self._disk.scan(STAGING):
            path = b"%b/%b" % (STAGING, name)
            if kind is Kind.DIRECTORY:
                if remove:
                    self.remove_trash(path)
                yield path
            else:
                with suppress(FileNotFoundError):
                    if self._is_abandoned(path, remove):
                        yield path

    def _is_abandoned(self, path: bytes, remove: bool) -> bool:
        """Whether nobody has locked a temporary: whoever is at work on one keeps it locked."""
        descriptor = self._disk.open(path, Access.READ)
        try:
            if not self._disk.lock(descriptor, exclusive=True, wait=False):
                return False
            if remove:
                self._disk.unlink(path)
            return True
        finally:
            self._disk.close(descriptor)
