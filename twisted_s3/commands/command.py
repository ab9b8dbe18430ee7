"""What a command of ``s3store`` is."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TextIO

from msgspec import Struct

#: How a command ends that could not do its work.
FAILED = 1


class Command(Struct, frozen=True):
    """A command.

    :ivar name: as it is typed.
    :ivar help: one line about it.
    :ivar add_arguments: declares its options.
    :ivar run: does it, with the options, the environment, and where to print. Gives the exit status. Raises
        SettingsError or OSError when it can not, which ends it with `failed`.
    :ivar failed: the exit status when it could not do its work.
    """

    name: str
    help: str
    add_arguments: Callable[[ArgumentParser], object]
    run: Callable[[Namespace, Mapping[str, str], TextIO], int]
    failed: int = FAILED


def add_state_file(parser: ArgumentParser, option: str) -> None:
    """Declare the option that names a file of secrets, and ``--data-dir`` for the one that the server makes."""
    parser.add_argument(option, type=Path, help=f"the file; by default that of {_variable(option)}")
    parser.add_argument("--data-dir", type=Path, help="without that: the file that the server makes there")


def state_file(option: str, generated: Path, options: Namespace, environ: Mapping[str, str]) -> Path:
    """The file that is meant.

    :param generated: where in the data directory the server makes it.
    """
    chosen = getattr(options, option.removeprefix("--").replace("-", "_"))
    if chosen is not None:
        return Path(chosen)
    if options.data_dir is None and _variable(option) in environ:
        return Path(environ[_variable(option)])
    return data_dir(options, environ) / generated


def _variable(option: str) -> str:
    return f"S3STORE_{option.removeprefix('--').replace('-', '_').upper()}"


def add_data_dir(parser: ArgumentParser) -> None:
    """Declare ``--data-dir``."""
    parser.add_argument("--data-dir", type=Path, help="the data; by default S3STORE_DATA_DIR or ./s3store-data")


def data_dir(options: Namespace, environ: Mapping[str, str]) -> Path:
    """The data directory that is meant."""
    return Path(options.data_dir or environ.get("S3STORE_DATA_DIR", "s3store-data"))
