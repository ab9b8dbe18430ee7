"""The ids of versions: in order for us, without meaning for everybody else.

An id is 32 hex digits: noise, and a sequence number that the noise hides. The sequence number is the time in
nanoseconds, pushed on where a key already has a later one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from secrets import randbits

from twisted_s3.errors import S3Error
from twisted_s3.model import NULL_VERSION, ObjectVersion

#: The number that comes after all.
LAST = (1 << 64) - 1

_ID = re.compile("[0-9a-f]{32}")


def make_id(sequence: int) -> str:
    """A new id with this sequence number."""
    return id_of(sequence, randbits(64))


def id_of(sequence: int, noise: int) -> str:
    """The id that is made of these."""
    return f"{noise:016x}{sequence ^ noise:016x}"


def parts_of(version_id: str) -> tuple[int, int]:
    """The sequence number and the noise of an id, which must be one."""
    noise = int(version_id[:16], 16)
    return int(version_id[16:], 16) ^ noise, noise


def is_made_id(text: object) -> bool:
    """Whether this is an id of ours, and not ``null``."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None


def is_version_id(text: str) -> bool:
    """Whether this can be the id of a version."""
    return text == NULL_VERSION or is_made_id(text)


def check_version_id(version_id: str) -> None:
    """:raise S3Error: ``InvalidArgument`` for what can not be the id of a version."""
    if not is_version_id(version_id):
        message = "Invalid version id specified" if version_id else "Version id cannot be the empty string"
        raise S3Error("InvalidArgument", message, {"ArgumentName": "versionId", "ArgumentValue": version_id})


def sequence_of(version: ObjectVersion) -> int:
    """Tells newer (larger) from older: the sequence number of the id; a ``null`` version goes by its time."""
    if version.version_id == NULL_VERSION:
        return int(version.last_modified * 1e9)
    return parts_of(version.version_id)[0]


def older_than(behind: str, listed: Sequence[tuple[int, str]]) -> Sequence[int]:
    """Where in a key's versions (sequence number and id, newest first) those are that come behind the one with this id.

    It may be gone. A ``null`` version that is gone has left no trace of where it was: then all are given, for they
    are better given again than lost.

    :raise S3Error: ``InvalidArgument`` for what can be no version id.
    """
    check_version_id(behind)
    for at, (_, version_id) in enumerate(listed):
        if version_id == behind:
            return range(at + 1, len(listed))
    if behind == NULL_VERSION:
        return range(len(listed))
    limit = parts_of(behind)[0]
    return [at for at, (sequence, _) in enumerate(listed) if sequence < limit]
