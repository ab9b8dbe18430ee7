"""As many small requests as a server answers, sent by wrk (https://github.com/wg/wrk)."""

from __future__ import annotations

import math
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from benchmarks.processes import until_we_end

SCRIPT = Path(__file__).with_name("requests.lua")


class Storm(Struct, frozen=True):
    """What wrk saw.

    :ivar rate: answers a second.
    :ivar p50: microseconds at this, the full, load; so are the others.
    """

    rate: float
    p50: float
    p99: float
    p999: float


def storm(url: str, method: str, lines: Sequence[str], seconds: float, connections: int = 16, size: int = 0) -> Storm:
    """Send requests for so long, from one thread; for longer, when there is no answer in that time.

    :param url: scheme and authority.
    :param lines: targets, each with a tab and a value of Range if wanted. They are taken in turn.
    :param size: bytes of the body, a multiple of 16.
    :raise RuntimeError: when an answer was an error, or none came.
    """
    for longer in (1, 5, 25):
        if found := _once(url, method, lines, seconds * longer, connections, size):
            return found
    raise RuntimeError(f"{method}: no answer")


def _once(url: str, method: str, lines: Sequence[str], seconds: float, connections: int, size: int) -> Storm | None:
    with tempfile.NamedTemporaryFile("w", prefix="targets-") as file:
        file.writelines(f"{line}\n" for line in lines)
        file.flush()
        command = [
            *until_we_end(),
            "wrk",
            "--threads=1",
            f"--connections={connections}",
            f"--duration={math.ceil(seconds)}s",
            "--timeout=30s",
            f"--script={SCRIPT}",
            url,
        ]
        command += ["--", method, file.name, str(size)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as wrk:
            try:
                printed = _output(wrk, seconds)
            finally:
                wrk.kill()
    for line in printed.splitlines():
        if line.startswith("figures "):
            count, micros, refused, lost, *latencies = map(float, line.split()[1:])
            if refused or lost:
                raise RuntimeError(f"{method}: {refused:.0f} of {count:.0f} were errors; {lost:.0f} were lost")
            return Storm(count / micros * 1e6, *latencies) if count else None
    if wrk.returncode == -signal.SIGINT:
        # The time was over before it was ready.
        return None
    raise RuntimeError(f"wrk: {printed}")


def _output(wrk: subprocess.Popen[str], seconds: float) -> str:
    if seconds == int(seconds):
        return wrk.communicate()[0]
    # It knows whole seconds only, but ends in good order when it is interrupted.
    try:
        return wrk.communicate(timeout=seconds)[0]
    except subprocess.TimeoutExpired:
        wrk.send_signal(signal.SIGINT)
        return wrk.communicate()[0]
