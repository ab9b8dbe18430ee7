"""``s3store user``: adds, lists and removes users of the JSON file that ``--credentials`` names, and rotates keys."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

from twisted_s3.commands.command import Command, data_dir
from twisted_s3.credentials import GENERATED, canonical_id
from twisted_s3.users import DEFAULT_GRACE, Entry, UserFile, pairs_of


def _add_arguments(user: ArgumentParser) -> None:
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


def _path(options: Namespace, environ: Mapping[str, str]) -> Path:
    if options.credentials is not None:
        return Path(options.credentials)
    if options.data_dir is None and "S3STORE_CREDENTIALS" in environ:
        return Path(environ["S3STORE_CREDENTIALS"])
    return data_dir(options, environ) / GENERATED


def _run(options: Namespace, environ: Mapping[str, str], out: TextIO) -> int:
    file = UserFile(_path(options, environ))
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
    return 0


def _show_pair(out: TextIO, access_key: str, secret_key: str) -> None:
    print(f"Access key: {access_key}\nSecret key: {secret_key}", file=out)


def _list(entries: Sequence[Entry], out: TextIO) -> None:
    for number, entry in enumerate(entries):
        pairs = pairs_of(entry)
        first = pairs[0]["accessKey"]
        facts = [entry.get("name", first), entry.get("canonicalId", canonical_id(first)), entry.get("email", "")]
        rights = "policy" if "policy" in entry else "first" if number == 0 else ""
        print(*(fact for fact in (*facts, rights) if fact), file=out)
        for pair in pairs:
            until = f" until {pair['expires']}" if "expires" in pair else ""
            print(f"    {pair['accessKey']}{until}", file=out)


COMMAND = Command("user", "users of a JSON file", _add_arguments, _run)
