"""``s3store user``: adds, lists and removes users of the JSON file that ``--credentials`` names, and rotates keys.

The file is replaced as a whole: a server that reads it sees the old or the new one. Servers that run follow by
themselves. Of two commands at once the second waits.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from twisted_s3.credentials import GENERATED, canonical_id, check_file, new_pair, replace_file
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
            pairs = [pair for pair in _pairs(entry) if pair["accessKey"] != access_key]
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
            pairs = _pairs(entry)
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


def _pairs(entry: Entry) -> list[Entry]:
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
    first = _pairs(entry)[0]["accessKey"]
    entry.setdefault("canonicalId", canonical_id(first))
    entry.setdefault("name", first)
    entry.setdefault("displayName", first)


def _holder(entries: Sequence[Entry], access_key: str) -> Entry:
    for entry in entries:
        if any(pair["accessKey"] == access_key for pair in _pairs(entry)):
            return entry
    raise SettingsError("user", f"nobody has the access key {access_key!r}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="s3store", description="Administers an s3store.")
    user = parser.add_subparsers(required=True, metavar="user").add_parser("user", help="users of a JSON file")
    user.add_argument("--credentials", type=Path, help="the file; by default that of S3STORE_CREDENTIALS")
    user.add_argument("--data-dir", type=Path, help="without that: the file that the server makes there")
    commands = user.add_subparsers(required=True, dest="command")
    add = commands.add_parser("add", help="add a user, and print the new key pair")
    add.add_argument("name", help="as policies name the user")
    add.add_argument("--access-key", help="in place of a random one")
    add.add_argument("--display-name")
    add.add_argument("--email")
    add.add_argument("--policy", help="a ready-made one (readonly:bucket,...), or a document as JSON")
    commands.add_parser("list", help="list users and keys, without secrets")
    remove = commands.add_parser("remove", help="remove a key, and with the last one its user")
    remove.add_argument("access_key")
    rotate = commands.add_parser("rotate", help="make a new key pair for a user; the old one ends later")
    rotate.add_argument("access_key")
    rotate.add_argument("--grace", type=float, default=DEFAULT_GRACE, help="seconds until the old key ends; 0: at once")
    return parser


def _path(options: argparse.Namespace, environ: Mapping[str, str]) -> Path:
    if options.credentials is None and options.data_dir is None and "S3STORE_CREDENTIALS" in environ:
        return Path(environ["S3STORE_CREDENTIALS"])
    if options.credentials is not None:
        return Path(options.credentials)
    return Path(options.data_dir or environ.get("S3STORE_DATA_DIR", "s3store-data")) / GENERATED


def run(options: argparse.Namespace, file: UserFile, out: TextIO) -> None:
    """Do what the command line says. :raise SettingsError: when that breaks a rule."""
    match options.command:
        case "add":
            fields = {"name": options.name, "displayName": options.display_name, "email": options.email}
            fields["policy"] = options.policy
            stated = {name: value for name, value in fields.items() if value is not None}
            _show_pair(out, *file.add(stated, options.access_key))
        case "rotate":
            _show_pair(out, *file.rotate(options.access_key, options.grace))
        case "remove":
            gone = file.remove(options.access_key)
            print("The user is gone." if gone else "The key is gone; its user has others.", file=out)
        case "list":
            _list(file.entries(), out)


def _show_pair(out: TextIO, access_key: str, secret_key: str) -> None:
    print(f"Access key: {access_key}\nSecret key: {secret_key}", file=out)


def _list(entries: Sequence[Entry], out: TextIO) -> None:
    for number, entry in enumerate(entries):
        pairs = _pairs(entry)
        first = pairs[0]["accessKey"]
        facts = [entry.get("name", first), entry.get("canonicalId", canonical_id(first)), entry.get("email", "")]
        rights = "policy" if "policy" in entry else "first" if number == 0 else ""
        print(*(fact for fact in (*facts, rights) if fact), file=out)
        for pair in pairs:
            until = f" until {pair['expires']}" if "expires" in pair else ""
            print(f"    {pair['accessKey']}{until}", file=out)


def main(arguments: Sequence[str] | None = None, environ: Mapping[str, str] | None = None) -> int:
    """What ``s3store`` runs. Gives the exit status."""
    options = _parser().parse_args(arguments)
    try:
        run(options, UserFile(_path(options, os.environ if environ is None else environ)), sys.stdout)
    except (SettingsError, OSError) as error:
        print(f"s3store: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
