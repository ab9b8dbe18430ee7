"""What is read from files: settings, users, the records of the store. Errors are those that people are shown."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from twisted_s3.credentials import UserSources
from twisted_s3.delivery.configured import load_targets
from twisted_s3.keyring import read_keys
from twisted_s3.lifecycle.position import NAME, PassingNotes, load_position, save_position
from twisted_s3.model import ObjectVersion, Upload
from twisted_s3.protocol.properties import headers_of
from twisted_s3.settings import SettingsError
from twisted_s3.settingsources import load
from twisted_s3.storage.filesystem import record
from twisted_s3.storage.filesystem.deliveries import load_letter
from twisted_s3.storage.filesystem.scrubber import Pass

_STAMP = record.Stamp(3, 1_400_000_000_000_000_000, 7)


def _file(data: bytes, name: str) -> Path:
    """A file in memory that can be opened by its path."""
    descriptor = os.memfd_create(name)
    os.write(descriptor, data)
    return Path(f"/proc/self/fd/{descriptor}")


def _close(path: Path) -> None:
    os.close(int(path.name))


def settings(data: bytes) -> None:
    """The TOML file: the server's settings and the users in it."""
    path = _file(data, "toml")
    try:
        for read in (
            partial(load, {"config": str(path)}, {}, lambda endpoint: None),
            UserSources(path, None, Path("/nonexistent"), {}).configured,
        ):
            try:
                read()
            except SettingsError as error:
                assert "\n" not in str(error).strip(), error
    finally:
        _close(path)


def credentials(data: bytes) -> None:
    """The JSON file with users."""
    path = _file(data, "json")
    try:
        UserSources(None, path, Path("/nonexistent"), {}).configured()
    except SettingsError:
        pass
    finally:
        _close(path)


def keyring(data: bytes) -> None:
    """The JSON file with keys."""
    path = _file(data, "keyring")
    try:
        read_keys(path)
    except SettingsError as error:
        assert "\n" not in str(error).strip(), error
    finally:
        _close(path)


def targets(data: bytes) -> None:
    """The TOML file: the targets of events in it."""
    path = _file(data, "targets")
    try:
        load_targets(path)
    except SettingsError as error:
        assert "\n" not in str(error).strip(), error
    finally:
        _close(path)


def notes(data: bytes) -> None:
    """How far lifecycle and scrubbing have come, and letters: what is no such thing is as good as nothing."""

    async def lifecycle() -> None:
        notes = PassingNotes()
        await notes.save_note(NAME, data)
        found = await load_position(notes)
        await save_position(notes, found)
        assert repr(await load_position(notes)) == repr(found), found

    failures: list[Failure] = []
    Deferred.fromCoroutine(lifecycle()).addErrback(failures.append)
    for failure in failures:
        failure.raiseException()
    load_letter(data)
    found = Pass.load(data)
    assert repr(Pass.load(found.document)) == repr(found), found


def records(data: bytes) -> None:
    """What the store finds in extended attributes and in its own files: anything may be there."""
    version, upload = record.load_version(data, "key", _STAMP), record.load_upload(data, "upload")
    for found in (version, upload):
        if isinstance(found, ObjectVersion | Upload):
            for _, value in headers_of(found.properties):
                value.encode("latin-1")
    if isinstance(version, ObjectVersion):
        for text in (
            version.etag,
            version.checksum_type,
            version.owner,
            version.upload_id,
            *version.checksums.values(),
        ):
            text.encode()
        assert sum(part.size for part in version.parts) is not None
        assert all(part.etag.encode() and part.number >= part.number for part in version.parts if part.etag)
    record.load_pointer(data, _STAMP.inode)
    record.load_bucket(data, "bucket")
    record.load_part(data)
