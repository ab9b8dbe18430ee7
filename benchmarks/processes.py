"""Processes of a benchmark: kept to some cores, ended with the harness, and weighed."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

#: Seconds that a server gets to end by itself.
PATIENCE = 5.0

#: The cores of the server and of the load generator, when there are two.
SERVER_CORE, LOAD_CORE = 0, 1


def can_pin() -> bool:
    """Whether this machine has a core for the server and another for the load."""
    return {SERVER_CORE, LOAD_CORE} <= os.sched_getaffinity(0) or (os.cpu_count() or 1) > LOAD_CORE


def keep_to_load_core() -> None:
    """Keep this process, and what it starts, to the core of the load generator."""
    if can_pin():
        os.sched_setaffinity(0, {LOAD_CORE})


def leave_load_core() -> None:
    """Let this process, and what it starts, run anywhere."""
    os.sched_setaffinity(0, set(range(os.cpu_count() or 1)))


def on_cores(pinned: bool) -> Sequence[str]:
    """The program that runs another on the server's core, or on every core."""
    last = (os.cpu_count() or 1) - 1
    return ("taskset", "-c", str(SERVER_CORE) if pinned and can_pin() else f"0-{last}")


def until_we_end() -> Sequence[str]:
    """The program that runs another, which gets SIGTERM when this process ends (man 1 setpriv), even by SIGKILL."""
    # This process may have ended before it was asked to tell: then the parent is another.
    return ("setpriv", "--pdeathsig", "TERM", "sh", "-c", f'[ $PPID = {os.getpid()} ] && exec "$@"', "sh")


class Process:
    """A process that ends when this one does.

    :param log: the file that takes what it prints.
    """

    def __init__(self, command: Sequence[str], log: Path, pinned: bool, environ: Mapping[str, str]) -> None:
        self._log = log
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                [*until_we_end(), *on_cores(pinned), *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=os.environ | dict(environ),
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._popen.pid

    def check(self) -> None:
        """:raise RuntimeError: with the end of what it printed, when it has ended."""
        if self._popen.poll() is not None:
            raise RuntimeError(f"ended with {self._popen.returncode}:\n{self._log.read_text(errors='replace')[-2000:]}")

    def end(self) -> None:
        """End it and all of its children."""
        if self._popen.poll() is None:
            self._popen.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._popen.wait(PATIENCE)
        with suppress(ProcessLookupError):
            # Its session is its own: whatever is left in the group is its child.
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()

    def memory(self) -> Mapping[str, float]:
        """Resident MiB of it and its children together: ``rss`` now, and ``peak`` (VmHWM, man 5 proc)."""
        sums = {"rss": 0.0, "peak": 0.0}
        for pid in _family(self._popen.pid):
            for line in _status(pid):
                name, _, value = line.partition(":")
                if name in ("VmRSS", "VmHWM"):
                    sums["rss" if name == "VmRSS" else "peak"] += int(value.split()[0]) / 1024
        return sums


def _status(pid: int) -> Sequence[str]:
    try:
        return Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return ()


def _family(pid: int) -> Iterator[int]:
    yield pid
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
    except FileNotFoundError:
        return
    for task in tasks:
        try:
            children = (task / "children").read_text().split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        for child in children:
            yield from _family(int(child))
