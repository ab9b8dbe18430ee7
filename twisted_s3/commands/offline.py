"""A store for commands, which wait for the disk themselves."""

from __future__ import annotations

from pathlib import Path

from twisted_s3.protocol.names import is_bucket_name
from twisted_s3.settings import SettingsError
from twisted_s3.storage.filesystem.integrity import Integrity
from twisted_s3.storage.filesystem.store import FilesystemStore


def store_of(directory: Path) -> FilesystemStore:
    """The store of a data directory, for what waits for the disk in its caller's thread.

    :raise SettingsError: when it is none.
    """
    if not (directory / ".s3store" / "buckets").is_dir():
        raise SettingsError(str(directory), "is not a data directory")
    from twisted.internet import reactor

    # It is never started, so that it asks the reactor for the time only.
    return FilesystemStore(directory, reactor, is_bucket_name=is_bucket_name)  # type: ignore[arg-type]


def integrity_of(directory: Path) -> Integrity:
    """The tools for a data directory. :raise SettingsError: when it is none."""
    return store_of(directory).integrity
