"""Locks that hold between threads and between processes: ``flock`` on striped files.

Taken in pool threads only, always in the order upload, bucket, key, events, and two keys only in the order of their
stripes, so that nobody waits for ever. Each taking opens the file anew: ``flock`` belongs to the open file, not to the
process.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from zlib import crc32

from twisted_s3.storage.filesystem.disk import Access, Descriptor, IDisk
from twisted_s3.storage.filesystem.layout import LOCKS

_BUCKET_STRIPES = 64
_STRIPES = 1024


class Locks:
    """The locks of one data directory."""

    def __init__(self, disk: IDisk) -> None:
        self._disk = disk

    @contextmanager
    def bucket(self, name: str, exclusive: bool = False) -> Iterator[None]:
        """Keep a bucket from being deleted, or with ``exclusive`` from being written."""
        with self._held(b"bucket", name, _BUCKET_STRIPES, exclusive):
            yield

    @contextmanager
    def upload(self, upload_id: str) -> Iterator[None]:
        """Keep the parts of an upload as they are."""
        with self._held(b"upload", upload_id, _STRIPES):
            yield

    @contextmanager
    def key(self, bucket: str, key: str) -> Iterator[None]:
        """Keep a key as it is."""
        with self._held(b"key", f"{bucket}/{key}", _STRIPES):
            yield

    @contextmanager
    def keys(self, bucket: str, *keys: str) -> Iterator[None]:
        """Keep several keys as they are."""
        with ExitStack() as stack:
            for stripe in sorted({_stripe(f"{bucket}/{key}", _STRIPES) for key in keys}):
                stack.enter_context(self._locked(b"key", stripe))
            yield

    @contextmanager
    def events(self) -> Iterator[None]:
        """Keep the log of events as it is. Taken last of all, and for a moment only."""
        with self._locked(b"events", 0):
            yield

    def take_lease(self, name: str) -> Descriptor | None:
        """Lock a file of that name, if nobody has it. Whoever ends, gives it back; else closing the descriptor does."""
        descriptor = self._disk.open(b"%b/lease-%b" % (LOCKS, name.encode()), Access.ENSURE)
        taken = False
        try:
            taken = self._disk.lock(descriptor, exclusive=True, wait=False)
        finally:
            if not taken:
                self._disk.close(descriptor)
        return descriptor if taken else None

    @contextmanager
    def _held(self, family: bytes, name: str, stripes: int, exclusive: bool = True) -> Iterator[None]:
        with self._locked(family, _stripe(name, stripes), exclusive):
            yield

    @contextmanager
    def _locked(self, family: bytes, stripe: int, exclusive: bool = True) -> Iterator[None]:
        path = b"%b/%b-%d" % (LOCKS, family, stripe)
        descriptor = self._disk.open(path, Access.ENSURE)
        try:
            self._disk.lock(descriptor, exclusive=exclusive, wait=True)
            yield
        finally:
            self._disk.close(descriptor)


def turn_of_bucket(name: str) -> str:
    """What the exclusive users of a bucket's lock have to take turns at: the name of its file."""
    return f"bucket-{_stripe(name, _BUCKET_STRIPES)}"


def turn_of_key(bucket: str, key: str) -> str:
    """What the users of a key's lock have to take turns at: the name of its file."""
    return f"key-{_stripe(f'{bucket}/{key}', _STRIPES)}"


def turn_of_upload(upload_id: str) -> str:
    """What the users of an upload's lock have to take turns at: the name of its file. The id may be a client's."""
    return f"upload-{_stripe(upload_id, _STRIPES)}"


def _stripe(name: str, stripes: int) -> int:
    return crc32(name.encode("utf-8", "surrogatepass")) % stripes
