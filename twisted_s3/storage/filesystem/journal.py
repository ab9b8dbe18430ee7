"""Events queued durably with the writes that they tell of. May block.

Before a commit its event is on stable storage as an intent; after it a second line says so. Whoever comes to an intent
without one, because the process died or the disk failed in between, waits for the key's lock, so that nobody is at
work on it any more, and looks whether the commit happened.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from twisted.logger import Logger

from twisted_s3.errors import S3Error
from twisted_s3.model import NULL_VERSION, Deletion, ObjectVersion, Properties
from twisted_s3.queueing import Content, Line, Position
from twisted_s3.storage.filesystem.eventlog import EventLog, logged
from twisted_s3.storage.filesystem.layout import BucketLayout
from twisted_s3.storage.filesystem.locks import Locks
from twisted_s3.storage.filesystem.lookup import Lookup
from twisted_s3.storage.filesystem.versions import Versions

_FULL = (errno.ENOSPC, errno.EDQUOT)

_log = Logger()


class Intent:
    """An event that waits for its commit."""

    def __init__(self, log: EventLog, position: Position) -> None:
        self._events = log
        self._position = position

    def committed(self) -> None:
        """The event has happened."""
        self._settle(True)

    def withdrawn(self) -> None:
        """It will not happen."""
        self._settle(False)

    def _settle(self, committed: bool) -> None:
        # What is not said here is found out by looking; the commit stands in any case.
        with logged(_log, "it is not noted whether an event happened"):
            settle(self._events, self._position, committed)


def settle(log: EventLog, position: Position, committed: bool) -> None:
    """Note whether an intent was committed. To lose that costs a look, so it is not synced."""
    log.append({"of": str(position), "committed": committed}, durable=False)


class _Later:
    """What the log says behind an intent.

    :ivar outcome: whether the intent was committed, None when nothing says so.
    :ivar written_again: whether others were begun for the same key.
    """

    def __init__(self, intent: Line, log: EventLog) -> None:
        self.outcome: bool | None = None
        self.written_again = False
        self._intent = intent
        self._events = log
        self._at = intent.behind

    def read_on(self) -> None:
        """Read what has not been read."""
        key = (self._intent.content["bucket"], self._intent.content["key"])
        for line in self._events.scan(self._at):
            if line.content.get("of") == str(self._intent.position):
                self.outcome = bool(line.content["committed"])
            self.written_again |= (line.content.get("bucket"), line.content.get("key")) == key
            self._at = line.behind


class Journal:
    """What is queued with the writes of one data directory, and what became of it.

    :param layout: gives where a bucket's things lie.
    """

    def __init__(
        self,
        log: EventLog,
        locks: Locks,
        lookup: Lookup,
        versions: Versions,
        layout: Callable[[str], BucketLayout],
    ) -> None:
        self.log = log
        self._locks = locks
        self._lookup = lookup
        self._versions = versions
        self._layout = layout

    def begin(
        self, bucket: str, key: str, change: ObjectVersion | Deletion, payload: Content, made: bool
    ) -> Intent | None:
        """Queue the event of a commit that is about to be tried, with the key locked.

        :param payload: what is to be delivered, and where; any JSON.
        :param made: whether the commit makes the version or delete marker, and does not only change or remove it.
        :return: None where a deletion goes on without its event, as the disk is full: it is to make room.
        :raise OSError: when it can not be queued.
        """
        content = {"bucket": bucket, "key": key, "evidence": evidence(change, made), **payload}
        try:
            return Intent(self.log, self.log.append(content, durable=True))
        except OSError as error:
            if isinstance(change, ObjectVersion) or error.errno not in _FULL:
                raise
            _log.critical("the disk is full: nobody will hear of the deletion of {key!r} in {bucket}", **content)
            return None

    def announce(self, payload: Content) -> None:
        """Queue something that tells of no commit."""
        self.log.append(payload, durable=True)

    def happened(self, line: Line) -> bool:
        """Whether the commit of an intent happened. Waits for whoever is at work on its key.

        Where that can not be told, as the key was written again after a crash, the answer is yes.
        """
        content = line.content
        if "evidence" not in content:
            return True
        try:
            bucket, key = self._layout(content["bucket"]), content["key"]
        except S3Error:
            return False
        # Most of the log is read before the key is locked, which may hold up its writers.
        later = _Later(line, self.log)
        later.read_on()
        with self._locks.key(bucket.name, key):
            later.read_on()
            if later.outcome is not None:
                return later.outcome
            found = any(_shows(content["evidence"], version) for version in self._committed(bucket, key))
            happened = later.written_again or found != content["evidence"].get("gone", False)
            settle(self.log, line.position, happened)
            return happened

    def _committed(self, bucket: BucketLayout, key: str) -> Sequence[ObjectVersion]:
        """The versions and delete markers of a key that is locked, but for those that a crash left."""
        found = self._lookup.find(bucket, key)
        versions, newest = [], None
        if found is not None:
            try:
                versions.append(self._lookup.known(key, found))
                current = self._lookup.current(key, found)
                newest = None if current is None else current.sequence
            finally:
                self._lookup.close(found)
        for entry in self._versions.entries(bucket, key):
            if entry.marker and newest is not None and entry.sequence > newest:
                continue
            version = self._versions.head(entry, key)
            if version is not None:
                versions.append(version)
        return versions


def evidence(change: ObjectVersion | Deletion, made: bool) -> Mapping[str, Any]:
    """What will be seen when a commit has happened.

    :param made: whether it makes the version or delete marker, and does not only change or remove it.
    """
    if isinstance(change, Deletion):
        return {"version": change.version_id or NULL_VERSION, "marker": made, "gone": not made}
    shown = {"version": change.version_id, "etag": change.etag, "size": change.size, "modified": change.last_modified}
    return shown if made else {**shown, "properties": _fingerprint(change.properties)}


def _shows(expected: Mapping[str, Any], version: ObjectVersion) -> bool:
    """Whether a version is the one that a commit was about."""
    if version.version_id != expected["version"]:
        return False
    if "marker" in expected:
        return bool(expected["gone"]) or version.delete_marker
    seen = (version.etag, version.size, version.last_modified)
    if version.delete_marker or seen != (expected["etag"], expected["size"], expected["modified"]):
        return False
    return "properties" not in expected or expected["properties"] == _fingerprint(version.properties)


def _fingerprint(properties: Properties) -> str:
    acl = None if properties.acl is None else [[grant.grantee, grant.permission] for grant in properties.acl]
    facts = [
        *(sorted(facts.items()) for facts in (properties.headers, properties.user, properties.tags)),
        properties.storage_class,
        acl,
    ]
    return sha256(json.dumps(facts).encode()).hexdigest()
