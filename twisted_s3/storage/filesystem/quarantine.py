"""Taking a damaged object out of the way, without losing what is left of it. May block."""

from __future__ import annotations

import json
from collections.abc import Callable
from secrets import token_hex

from twisted_s3.storage.filesystem.disk import IDisk
from twisted_s3.storage.filesystem.files import Files
from twisted_s3.storage.filesystem.layout import BUCKETS, QUARANTINE, BucketLayout, parent
from twisted_s3.storage.filesystem.locks import Locks
from twisted_s3.storage.filesystem.scrub import Finding
from twisted_s3.storage.filesystem.sync import DirectorySync

_KINDS = ("object", "version")


class Quarantine:
    """A folder for damaged files, each beside a JSON document that tells where it was.

    :param now: gives the time of day, in seconds since the epoch.
    """

    def __init__(
        self, disk: IDisk, files: Files, directories: DirectorySync, locks: Locks, now: Callable[[], float]
    ) -> None:
        self._disk = disk
        self._files = files
        self._directories = directories
        self._locks = locks
        self._now = now

    def take(self, finding: Finding) -> bytes | None:
        """Move the file of a damaged object or version there, durably. It is then no longer to be found in its bucket.

        :return: where it is; None when it is of another kind, or no longer the file that was found damaged.
        """
        if finding.kind not in _KINDS or not finding.inode:
            return None
        bucket = BucketLayout(finding.bucket)
        folder = b"%b/%b" % (QUARANTINE, token_hex(16).encode())
        with self._locks.bucket(bucket.name), self._locks.key(bucket.name, finding.key):
            try:
                if not finding.is_of(self._disk.stat(finding.path)):
                    return None
            except (FileNotFoundError, NotADirectoryError):
                return None
            document = json.dumps({**finding.document, "taken": self._now()}, indent=2).encode()
            self._files.ensure(folder)
            self._files.save(document, folder + b"/finding.json", replace=False, top=QUARANTINE)
            self._disk.rename(finding.path, folder + b"/data")
            # The new name first: whatever a crash leaves, the file has one.
            self._directories.sync(folder)
            top = BUCKETS if finding.path.startswith(BUCKETS + b"/") else bucket.folder
            self._directories.sync(self._files.prune(parent(finding.path), top))
        return folder
