"""Changes the JSON file with users that ``--credentials`` names: adds and removes users, and rotates keys.

The file is replaced as a whole: a server that reads it sees the old or the new one. Servers that run follow by
themselves. Of two commands at once the second waits.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from twisted_s3.credentials import canonical_id, check_file, new_pair, replace_file
from twisted_s3.protocol.dates import format_iso8601
from twisted_s3.settings import SettingsError

#: How long the old key of a rotation goes on, in seconds, unless told otherwise.
DEFAULT_GRACE = 7 * 86400

Entry = dict[str, Any]


class UserFile:
    """A JSON file with users.

    :param path: of the file; it is made when missing.
    :param now: the time, in seconds since the epoch.
    """

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        self.path = path
        self._now = now

    def entries(self) -> list[Entry]:
        """The users as they are written. :raise SettingsError: when they break a rule."""
        if not self.path.exists():
            return []
        check_file(self.path)
        found: list[Entry] = json.loads(self.path.read_bytes())["credentials"]
        return found

    def add(self, fields: Mapping[str, str], access_key: str | None = None) -> tuple[str, str]:
        """Add a user with a new key pair, which is given back. :raise SettingsError: when that breaks a rule."""
        made, secret = new_pair()
        key = access_key or made
        with self._changing() as entries:
            entries.append({"accessKey": key, "secretKey": secret, "canonicalId": canonical_id(key), **fields})
        return key, secret

    def remove(self, access_key: str) -> bool:
        """Remove a key, and with the last one its user. Gives whether the user is gone.

        :raise SettingsError: when nobody has the key.
        """
        with self._changing() as entries:
            entry = _holder(entries, access_key)
            _keep_identity(entry)
            pairs = [pair for pair in pairs_of(entry) if pair["accessKey"] != access_key]
            if pairs:
                _set_pairs(entry, pairs)
            else:
                entries.remove(entry)
        return not pairs

    def rotate(self, access_key: str, grace: float = DEFAULT_GRACE) -> tuple[str, str]:
        """Give the holder of a key a new pair. The old one ends after ``grace`` seconds, at once for 0.

        :raise SettingsError: when nobody has the key.
        """
        key, secret = new_pair()
        with self._changing() as entries:
            entry = _holder(entries, access_key)
            _keep_identity(entry)
            pairs = pairs_of(entry)
            if grace:
                (old,) = (pair for pair in pairs if pair["accessKey"] == access_key)
                old["expires"] = format_iso8601(self._now() + grace)
            else:
                pairs = [pair for pair in pairs if pair["accessKey"] != access_key]
            _set_pairs(entry, [{"accessKey": key, "secretKey": secret}, *pairs])
        return key, secret

    @contextmanager
    def _changing(self) -> Iterator[list[Entry]]:
        """The users, to be changed: they are checked and written at the end, while no other command runs."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self.path.with_name(f".{self.path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            entries = self.entries()
            yield entries
            text = json.dumps({"credentials": entries}, indent=2, ensure_ascii=False) + "\n"
            replace_file(self.path, text, check_file)
        finally:
            os.close(lock)


def pairs_of(entry: Entry) -> list[Entry]:
    """The key pairs of a user, the first one first."""
    own = {name: entry[name] for name in ("accessKey", "secretKey", "expires") if name in entry}
    return [*([own] if own else []), *(dict(pair) for pair in entry.get("keys", []))]


def _set_pairs(entry: Entry, pairs: Sequence[Entry]) -> None:
    for name in ("accessKey", "secretKey", "expires", "keys"):
        entry.pop(name, None)
    entry.update(pairs[0])
    if pairs[1:]:
        entry["keys"] = list(pairs[1:])


def _keep_identity(entry: Entry) -> None:
    """Write down what would otherwise follow from the first key."""
    first = pairs_of(entry)[0]["accessKey"]
    entry.setdefault("canonicalId", canonical_id(first))
    entry.setdefault("name", first)
    entry.setdefault("displayName", first)


def _holder(entries: Sequence[Entry], access_key: str) -> Entry:
    for entry in entries:
        if any(pair["accessKey"] == access_key for pair in pairs_of(entry)):
            return entry
    raise SettingsError("user", f"nobody has the access key {access_key!r}")
