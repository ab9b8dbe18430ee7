"""``s3store events``: what became of the events of buckets, and dead letters: listed, tried again, thrown away.

A server that runs meanwhile sees at once what is done here.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from msgspec import structs

from twisted_s3.commands.command import Command, add_data_dir, data_dir
from twisted_s3.commands.offline import store_of
from twisted_s3.protocol.dates import format_iso8601
from twisted_s3.queueing import Letter
from twisted_s3.settings import SettingsError
from twisted_s3.storage.filesystem.deliveries import Deliveries


def _add_arguments(events: ArgumentParser) -> None:
    commands = events.add_subparsers(required=True, dest="command")
    for name, help in (
        ("status", "how many dead letters each target has, and how far it has come"),
        ("list", "list dead letters, the oldest first"),
        ("retry", "have the server try dead letters again"),
        ("discard", "throw dead letters away"),
    ):
        parser = commands.add_parser(name, help=help)
        add_data_dir(parser)
        if name != "status":
            parser.add_argument("target", help="the name of a target")
        if name == "list":
            parser.add_argument("--json", action="store_true", help="a JSON document for each, with its message")
        if name in ("retry", "discard"):
            parser.add_argument("letter", nargs="*", help="as list names them")
            parser.add_argument("--all", action="store_true", help="all that there are")


def _run(options: Namespace, environ: Mapping[str, str], out: TextIO) -> int:
    store = store_of(data_dir(options, environ))
    deliveries = store.deliveries
    match options.command:
        case "status":
            for target in deliveries.targets():
                dead, again = len(deliveries.dead(target)), len(deliveries.again(target))
                print(f"{target} at {deliveries.cursor(target)}: {dead} dead, {again} to be tried again", file=out)
        case "list":
            for letter in deliveries.dead(options.target):
                _show(letter, options.json, out)
        case "retry":
            names = _chosen(deliveries, options)
            done = sum(deliveries.retry(options.target, name) for name in names)
            print(f"{done} will be tried again.", file=out)
        case "discard":
            names = _chosen(deliveries, options)
            done = sum(deliveries.discard(options.target, name) for name in names)
            print(f"{done} thrown away.", file=out)
    return 0


def _chosen(deliveries: Deliveries, options: Namespace) -> Sequence[str]:
    """The letters that are meant. :raise SettingsError: when one is not there."""
    known = [letter.name for letter in deliveries.dead(options.target)]
    if options.all:
        return known
    for name in options.letter:
        if name not in known:
            raise SettingsError("events", f"{options.target} has no dead letter {name!r}")
    if not options.letter:
        raise SettingsError("events", "name letters, or say --all")
    return list(options.letter)


def _show(letter: Letter, as_json: bool, out: TextIO) -> None:
    if as_json:
        print(json.dumps(structs.asdict(letter)), file=out)
        return
    what = _subject(letter.message)
    print(f"{letter.name} {format_iso8601(letter.time)} {what}: {letter.problem} ({letter.attempts} times)", file=out)


def _subject(message: Mapping[str, Any]) -> str:
    """What a message is about, in short, whatever it is."""
    if "Records" not in message:
        return str(message.get("Event"))
    try:
        (record,) = message["Records"]
        return f"{record['eventName']} {record['s3']['object']['key']}"
    except (ValueError, TypeError, LookupError):
        return "an unknown message"


COMMAND = Command("events", "events that targets would not take", _add_arguments, _run)
