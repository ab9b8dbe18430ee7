"""``s3store keyring``: lists the keys that encrypt objects, adds some, and has new ones take over from old ones."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from twisted_s3.commands.command import Command, data_dir
from twisted_s3.keyring import GENERATED, KeyFile
from twisted_s3.protocol.encryption.headers import DEFAULT_KEY, SERVER_KEY
from twisted_s3.settings import SettingsError


def _add_arguments(keyring: ArgumentParser) -> None:
    keyring.add_argument("--keyring", type=Path, help="the file; by default that of S3STORE_KEYRING")
    keyring.add_argument("--data-dir", type=Path, help="without that: the file that the server makes there")
    commands = keyring.add_subparsers(required=True, dest="command")
    commands.add_parser("list", help="list the keys, without secrets; of each name the last encrypts what is new")
    add = commands.add_parser("add", help="add a key that has a new name, for aws:kms")
    add.add_argument("name", help="as requests and buckets name it")
    rotate = commands.add_parser("rotate", help="encrypt with a new key from now on; the old ones stay")
    rotate.add_argument("name", nargs="?", default=SERVER_KEY, help=f"by default {SERVER_KEY}, the key for AES256")


def _path(options: Namespace, environ: Mapping[str, str]) -> Path:
    if options.keyring is not None:
        return Path(options.keyring)
    if options.data_dir is None and "S3STORE_KEYRING" in environ:
        return Path(environ["S3STORE_KEYRING"])
    return data_dir(options, environ) / GENERATED


def _run(options: Namespace, environ: Mapping[str, str], out: TextIO) -> int:
    file = KeyFile(_path(options, environ))
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
