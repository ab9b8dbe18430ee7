"""Bodies on their way through a payload to where they are staged. For pool threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Protocol, TypeVar

from msgspec import structs

from twisted_s3.interfaces import IPayload
from twisted_s3.model import Digest
from twisted_s3.storage.filesystem.atrest import AtRest
from twisted_s3.storage.filesystem.disk import Descriptor, IDisk, Temporary
from twisted_s3.storage.filesystem.files import Files
from twisted_s3.storage.filesystem.layout import STAGING

T = TypeVar("T")


class Target(Protocol):
    """Where the bytes of a body go. For pool threads."""

    def open(self) -> None:
        """Make it ready; called once, before the first write and before the commit."""

    def write(self, offset: int, chunks: Sequence[bytes]) -> None:
        """Write chunks at an offset of the body."""

    def copy(self, source: Descriptor, offset: int, length: int) -> None:
        """Write bytes of a file at the offset that they have there."""

    def close(self) -> None:
        """Let go of it; what was not committed vanishes. Called once, also without ``open``."""


class TemporaryTarget:
    """A file that becomes an object."""

    def __init__(self, disk: IDisk, files: Files) -> None:
        self._disk = disk
        self._files = files
        self._temporary: Temporary | None = None

    @property
    def temporary(self) -> Temporary:
        """The open file."""
        assert self._temporary is not None
        return self._temporary

    def open(self) -> None:
        """Make the file."""
        self._temporary = self._disk.create_temporary(STAGING)

    def write(self, offset: int, chunks: Sequence[bytes]) -> None:
        """Write into the file."""
        self._disk.write(self.temporary.descriptor, offset, chunks)

    def copy(self, source: Descriptor, offset: int, length: int) -> None:
        """Copy into the file, sharing blocks where the filesystem can."""
        self._disk.copy_range(source, offset, self.temporary.descriptor, offset, length)

    def close(self) -> None:
        """Remove the file, unless it has become an object."""
        if self._temporary is not None:
            self._files.drop(self._temporary)


class Intake:
    """Feeds a payload and writes what comes out. For pool threads, which it lets in one at a time.

    Any failure closes the target at once: a body whose digest, signature or disk has failed leaves nothing behind.
    """

    def __init__(self, payload: IPayload, target: Target) -> None:
        self._payload = payload
        self._target = target
        self._lock = Lock()
        self._size = 0
        self._at_rest = AtRest()
        self._adopted: Digest | None = None
        self._opened = False
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether there is nothing left to drop."""
        return self._closed

    def open(self) -> None:
        """Make the target ready; else it is done with the first bytes."""
        with self._lock:
            self._check_open()
            try:
                self._open()
            except BaseException:
                self._close()
                raise

    def take(self, pieces: Sequence[bytes]) -> None:
        """Take the next bytes as sent."""
        with self._lock:
            self._check_open()
            try:
                self._write(self._feed(pieces))
            except BaseException:
                self._close()
                raise

    def adopt(self, known: Digest, sound: Callable[[], bool]) -> bool:
        """Begin to copy a file whose bytes came to ``known``, unseen. Gives whether that can be; if not, `take` them.

        :param sound: whether they still are what they came to, as far as anybody can see.
        """
        with self._lock:
            self._check_open()
            digest = self._payload.adopt(known)
            if digest is None or not sound():
                return False
            # What the bytes were is kept, not what a disk may have made of them since: a damaged copy shows as such.
            self._adopted = structs.replace(digest, at_rest=known.at_rest)
            return True

    def copy(self, source: Descriptor, offset: int, length: int) -> None:
        """Copy the next bytes of the file."""
        with self._lock:
            self._check_open()
            try:
                self._open()
                self._target.copy(source, offset, length)
            except BaseException:
                self._close()
                raise

    def confirm(self, sound: Callable[[], bool]) -> bool:
        """Say that all is copied. Gives whether it counts; if not, `take` the bytes, which go in its place."""
        with self._lock:
            if not sound():
                self._adopted = None
            return self._adopted is not None

    def finish(self, pieces: Sequence[bytes], commit: Callable[[Digest], T]) -> T:
        """Take the last bytes, verify the whole, and ``commit`` what is then in the target."""
        with self._lock:
            self._check_open()
            try:
                return commit(self._adopted or self._verified(pieces))
            finally:
                self._close()

    def seal(self, pieces: Sequence[bytes], prepare: Callable[[Digest], T]) -> T:
        """Take the last bytes, verify the whole, and ``prepare`` what is then in the target for :meth:`conclude`."""
        with self._lock:
            self._check_open()
            try:
                return prepare(self._adopted or self._verified(pieces))
            except BaseException:
                self._close()
                raise

    def conclude(self, commit: Callable[[], T]) -> T:
        """``commit`` what was sealed."""
        with self._lock:
            self._check_open()
            try:
                return commit()
            finally:
                self._close()

    def drop(self) -> None:
        """Let go of everything, once whoever is at work has finished."""
        with self._lock:
            if not self._closed:
                self._close()

    def _verified(self, pieces: Sequence[bytes]) -> Digest:
        chunks = self._feed(pieces)
        digest = self._payload.finish()
        self._write([*chunks, *digest.rest])
        return structs.replace(digest, at_rest=self._at_rest.value)

    def _feed(self, pieces: Sequence[bytes]) -> Sequence[bytes]:
        return [chunk for piece in pieces for chunk in self._payload.feed(piece)]

    def _write(self, chunks: Sequence[bytes]) -> None:
        self._open()
        self._target.write(self._size, chunks)
        self._at_rest.update(chunks)
        self._size += sum(map(len, chunks))

    def _open(self) -> None:
        if not self._opened:
            self._target.open()
            self._opened = True

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("this body was committed, refused or discarded")

    def _close(self) -> None:
        self._closed = True
        self._target.close()
