"""Real daemons in processes of their own, for tests: started, listened to, signalled, ended."""

from __future__ import annotations

import os
import queue
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent

#: Seconds after which a thing that should have happened has not.
PATIENCE = 30.0


def environment() -> dict[str, str]:
    """This process's environment without settings of ours, for a process that imports from here."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("S3STORE_")}
    return clean | {"PYTHONPATH": str(ROOT)}


class Daemon:
    """A twistd in the foreground.

    :param directory: its working directory.
    :param arguments: of twistd, after ``-n``.
    :param before: a program that runs it, with arguments.
    """

    def __init__(
        self,
        directory: Path,
        arguments: Sequence[str],
        environ: Mapping[str, str] | None = None,
        before: Sequence[str] = (),
    ) -> None:
        twistd = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()", "-n", "--pidfile="]
        self.process = subprocess.Popen(
            [*before, *twistd, *arguments],
            cwd=directory,
            env=environment() | dict(environ or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.output: list[str] = []
        self._lines: queue.Queue[str] = queue.Queue()
        self._threads = [
            threading.Thread(target=self._read, args=(stream,), daemon=True)
            for stream in (self.process.stdout, self.process.stderr)
        ]
        for thread in self._threads:
            thread.start()

    def _read(self, stream: object) -> None:
        for line in stream:  # type: ignore[attr-defined]
            self._lines.put(line.rstrip("\n"))
        self._lines.put("")

    def wait_for(self, pattern: str) -> re.Match[str]:
        """The next line of output that matches."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no line matches {pattern!r} in:\n" + "\n".join(self.output)) from None
            self.output.append(line)
            match = re.search(pattern, line)
            if match:
                return match

    def wait(self) -> int:
        """The exit status, once it has ended; :attr:`output` is then complete."""
        status = self.process.wait(PATIENCE)
        for thread in self._threads:
            thread.join(PATIENCE)
        while not self._lines.empty():
            self.output.append(self._lines.get())
        return status

    def signal(self, number: int) -> None:
        """Send a signal to the main process."""
        self.process.send_signal(number)

    def end(self) -> None:
        """Make sure that nothing of it is left."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.wait()
        for stream in (self.process.stdout, self.process.stderr):
            stream.close()  # type: ignore[union-attr]


def wait_until_gone(descriptor: int) -> None:
    """Wait for the end of the process of a descriptor that :func:`os.pidfd_open` gave, and close it."""
    try:
        if not select.select([descriptor], [], [], PATIENCE)[0]:
            raise AssertionError("the process still runs")
    finally:
        os.close(descriptor)
