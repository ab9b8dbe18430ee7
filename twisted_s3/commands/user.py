"""``s3store user``: adds, lists and removes users of the JSON file that ``--credentials`` names, and rotates keys."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from typing import TextIO

from twisted_s3.commands.command import Command, add_state_file, state_file
from twisted_s3.credentials import GENERATED, canonical_id
from twisted_s3.users import DEFAULT_GRACE, Entry, UserFile, pairs_of

#: The option that names the file.
_FILE = "--credentials"


def _add_arguments(user: ArgumentParser) -> None:
    add_state_file(user, _FILE)
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


def _run(options: Namespace, environ: Mapping[str, str], out: TextIO) -> int:
    file = UserFile(state_file(_FILE, GENERATED, options, environ))
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
