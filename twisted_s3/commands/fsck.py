"""``s3store fsck``: what crashes and people have left behind in a data directory."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import TextIO

from twisted_s3.commands.command import Command, add_data_dir, data_dir
from twisted_s3.commands.offline import integrity_of
from twisted_s3.storage.filesystem.fsck import GRACE
from twisted_s3.storage.filesystem.leftovers import Leftover

#: Exit statuses.
CLEAN, LEFT, FAILED = 0, 1, 2


def _add_arguments(parser: ArgumentParser) -> None:
    add_data_dir(parser)
    parser.add_argument("--repair", action="store_true", help="remove what can be; without it nothing is changed")
    parser.add_argument("--json", action="store_true", help="one JSON document a line: each finding, then the totals")
    help = "leave records beside objects alone that are younger; only without running servers less than a day"
    parser.add_argument("--grace", type=float, default=GRACE, metavar="SECONDS", help=help)


def _run(options: Namespace, environ: Mapping[str, str], out: TextIO) -> int:
    found = removed = 0
    for leftover in integrity_of(data_dir(options, environ)).fsck.find(options.repair, options.grace):
        found += 1
        removed += leftover.removed
        _tell(leftover, options.json, out)
    if options.json:
        print(json.dumps({"totals": {"found": found, "removed": removed}}), file=out)
    else:
        print(f"{found} found, {removed} removed", file=out)
    return CLEAN if found == removed else LEFT


def _tell(leftover: Leftover, as_json: bool, out: TextIO) -> None:
    if as_json:
        print(json.dumps(leftover.document), file=out, flush=True)
        return
    fate = "removed" if leftover.removed else "can be removed" if leftover.removable else "stays"
    print(f"{leftover.kind}: {leftover.path.decode('utf-8', 'replace')}: {leftover.detail} ({fate})", file=out)


COMMAND = Command("fsck", "find what crashes and people left behind", _add_arguments, _run, FAILED)
