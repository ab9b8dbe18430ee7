"""Making names durable: directory syncs shared by everybody who waits for the same directory."""

from __future__ import annotations

import errno
from threading import Event, Lock

import msgspec
from msgspec import Struct

from twisted_s3.storage.filesystem.disk import IDisk
from twisted_s3.storage.filesystem.layout import parent


class _Batch(Struct, eq=False):
    """One sync, and those who wait for it."""

    done: Event = msgspec.field(default_factory=Event)
    error: OSError | None = None


class DirectorySync:
    """Syncs directories for many threads: while one sync runs, all who come wait for the one next sync.

    A name is durable when its directory is synced and the names of all directories above are durable. Which of those
    are is noted on the directories themselves (:meth:`IDisk.anchor`), so that processes need not trust each other's
    memory, and a directory that somebody has just made is synced by whoever needs it first.
    """

    def __init__(self, disk: IDisk) -> None:
        self._disk = disk
        self._lock = Lock()
        self._running: dict[bytes, _Batch] = {}
        self._waiting: dict[bytes, _Batch] = {}

    def sync(self, directory: bytes) -> None:
        """Return when every name now in ``directory``, and the directory, is on stable storage.

        A directory that is gone is no error: whoever removed it answers for that.
        """
        try:
            self._sync_one(directory)
            unanchored = []
            while directory and not self._disk.is_anchored(directory):
                unanchored.append(directory)
                directory = parent(directory)
                self._sync_one(directory)
            # From the top down: an anchored directory stands for all above it.
            for name in reversed(unanchored):
                self._disk.anchor(name)
        except (FileNotFoundError, NotADirectoryError):
            pass

    def reach(self, directory: bytes) -> None:
        """Return when the name of ``directory``, and those of all above it, are on stable storage.

        :raise FileNotFoundError: when it is not there.
        """
        if not self._disk.is_anchored(directory):
            self.sync(directory)

    def _sync_one(self, directory: bytes) -> None:
        with self._lock:
            before = self._running.get(directory)
            if before is None:
                batch, leads = self._running.setdefault(directory, _Batch()), True
            else:
                leads = directory not in self._waiting
                batch = self._waiting.setdefault(directory, _Batch())
        if leads:
            if before is not None:
                before.done.wait()
            self._lead(directory, batch)
        else:
            batch.done.wait()
        if batch.error is not None:
            raise OSError(batch.error.errno, batch.error.strerror, directory) from batch.error

    def _lead(self, directory: bytes, batch: _Batch) -> None:
        try:
            self._disk.fsync_directory(directory)
        except OSError as error:
            batch.error = error
        except BaseException:
            # Whoever waits must not take it for synced.
            batch.error = OSError(errno.EIO, "the sync was broken off")
            raise
        finally:
            with self._lock:
                # The next batch is closed to nobody until its own sync begins, right after `done`.
                following = self._waiting.pop(directory, None)
                if following is None:
                    del self._running[directory]
                else:
                    self._running[directory] = following
            batch.done.set()
