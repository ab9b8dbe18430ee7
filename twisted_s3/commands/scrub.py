"""``s3store scrub``: holds everything stored against its checksums."""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from typing import TextIO

from msgspec import Struct, structs

from twisted_s3.commands.command import Command, add_data_dir, data_dir
from twisted_s3.commands.offline import integrity_of
from twisted_s3.storage.filesystem.integrity import Integrity
from twisted_s3.storage.filesystem.scrub import Finding

#: Exit statuses.
SOUND, DAMAGED, FAILED = 0, 1, 2


class Totals(Struct):
    """What a walk came to."""

    files: int = 0
    read: int = 0
    unrecorded: int = 0
    damaged: int = 0
    quarantined: int = 0


def _add_arguments(parser: ArgumentParser) -> None:
    add_data_dir(parser)
    parser.add_argument("--deep", action="store_true", help="read every byte; else sizes and metadata only")
    parser.add_argument("--bucket", action="append", default=[], help="this one only; may be given again")
    parser.add_argument("--rate", type=float, default=0.0, metavar="BYTES", help="read so many a second; 0: no limit")
    parser.add_argument("--quarantine", action="store_true", help="move damaged objects out of their buckets")
    parser.add_argument("--json", action="store_true", help="one JSON document a line: each finding, then the totals")


def scrub(
    integrity: Integrity, options: Namespace, out: TextIO, pause: Callable[[float], object] = time.sleep
) -> Totals:
    """Do what the options say, and tell of it."""
    totals = Totals()
    for step in integrity.scrub.walk(options.deep, only=options.bucket):
        totals.files += step.files
        totals.read += step.read
        totals.unrecorded += step.unrecorded
        if step.finding is not None:
            totals.damaged += 1
            taken = integrity.quarantine.take(step.finding) if options.quarantine else None
            totals.quarantined += taken is not None
            _tell(step.finding, taken, options.json, out)
        if options.rate:
            pause(step.read / options.rate)
    if options.json:
        print(json.dumps({"totals": structs.asdict(totals)}), file=out)
    else:
        print(
            f"{totals.files} files looked at, {totals.read} bytes read, {totals.unrecorded} files without a record, "
            f"{totals.damaged} damaged, {totals.quarantined} taken into quarantine",
            file=out,
        )
    return totals


def _tell(finding: Finding, taken: bytes | None, as_json: bool, out: TextIO) -> None:
    if as_json:
        extra = {} if taken is None else {"quarantine": taken.decode()}
        print(json.dumps({**finding.document, **extra}), file=out, flush=True)
        return
    where = finding.path.decode("utf-8", "replace")
    print(
        f"{finding.kind} {finding.bucket}/{finding.key}: {finding.problem.value}: {finding.detail} ({where})", file=out
    )
    if taken is not None:
        print(f"    moved to {taken.decode()}", file=out)


def _run(options: Namespace, environ: Mapping[str, str], out: TextIO) -> int:
    totals = scrub(integrity_of(data_dir(options, environ)), options, out)
    return DAMAGED if totals.damaged else SOUND


COMMAND = Command("scrub", "find damaged objects", _add_arguments, _run, FAILED)
