"""What ``s3store`` runs: finds the command, and ends with its status."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence

from twisted_s3.commands import events, fsck, keyring, scrub, user
from twisted_s3.settings import SettingsError

COMMANDS = (fsck.COMMAND, keyring.COMMAND, scrub.COMMAND, user.COMMAND, events.COMMAND)


def main(arguments: Sequence[str] | None = None, environ: Mapping[str, str] | None = None) -> int:
    """Run the command that ``arguments`` name. Gives the exit status."""
    parser = argparse.ArgumentParser(prog="s3store", description="Looks after an s3store.")
    choices = parser.add_subparsers(required=True, dest="_command", metavar="COMMAND")
    for command in COMMANDS:
        command.add_arguments(choices.add_parser(command.name, help=command.help, description=command.help))
    options = parser.parse_args(arguments)
    (chosen,) = (command for command in COMMANDS if command.name == options._command)
    try:
        return chosen.run(options, os.environ if environ is None else environ, sys.stdout)
    except (SettingsError, OSError) as error:
        print(f"s3store: {error}", file=sys.stderr)
        return chosen.failed


if __name__ == "__main__":
    raise SystemExit(main())
