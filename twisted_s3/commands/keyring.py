"""``s3store keyring``: lists the keys that encrypt objects, adds some, and has new ones take over from old ones."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import TextIO

from twisted_s3.commands.command import Command, add_state_file, state_file
from twisted_s3.keyring import GENERATED, KeyFile
from twisted_s3.protocol.encryption.headers import DEFAULT_KEY, SERVER_KEY
from twisted_s3.settings import SettingsError

#: The option that names the file.
_FILE = "--keyring"


def _add_arguments(keyring: ArgumentParser) -> None:
    add_state_file(keyring, _FILE)
    commands = keyring.add_subparsers(required=True, dest="command")
    commands.add_parser("list", help="list the keys, without secrets; of each name the last encrypts what is new")
    add = commands.add_parser("add", help="add a key that has a new name, for aws:kms")
    add.add_argument("name", help="as requests and buckets name it")
    rotate = commands.add_parser("rotate", help="encrypt with a new key from now on; the old ones stay")
    rotate.add_argument("name", nargs="?", default=SERVER_KEY, help=f"by default {SERVER_KEY}, the key for AES256")


def _run(options: Namespace, environ: Mapping[str, str], out: TextIO) -> int:
    file = KeyFile(state_file(_FILE, GENERATED, options, environ))
    if options.command == "list":
        _list(file, out)
        return 0
    known = any(key.name == options.name for key in file.load())
    if options.command == "add" and known:
        raise SettingsError("keyring", f"there is a key {options.name!r}; rotate makes another one")
    if options.command == "rotate" and not known and options.name not in (SERVER_KEY, DEFAULT_KEY):
        raise SettingsError("keyring", f"there is no key {options.name!r}; add makes one")
    key = file.add(options.name)
    print(f"{key.name} {key.id}", file=out)
    return 0


def _list(file: KeyFile, out: TextIO) -> None:
    keys = file.load()
    newest = {key.name: key.id for key in keys}
    for key in keys:
        print(key.name, key.id, key.created, *(["current"] if newest[key.name] == key.id else []), file=out)


COMMAND = Command("keyring", "keys that encrypt objects", _add_arguments, _run)
