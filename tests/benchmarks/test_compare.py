"""The comparison with rivals runs: every workload, as little of it as possible, with what is installed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.servers import SERVERS, installed
from benchmarks.work import SMOKE
from benchmarks.workloads import WORKLOADS
from tests.daemon import ROOT, environment, wait_until_gone

#: Seconds that a part of the comparison may take on a busy machine.
PATIENCE = 300


def command(folder: str, *arguments: str) -> Sequence[str]:
    """The command line of a smoke run."""
    return [sys.executable, "-m", "benchmarks", "compare", "--smoke", f"--folder={folder}", *arguments]


class SmokeTests(SynchronousTestCase):
    """Figures for each workload and server, or the reason why there are none."""

    def check(self, *patterns: str) -> None:
        """Run the workloads."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "results.json"
            line = [*command(folder, f"--json={file}"), "--only", *patterns]
            done = subprocess.run(line, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=PATIENCE)
            self.assertEqual(0, done.returncode, done.stdout + done.stderr)
            results = json.loads(file.read_text())
            self.assertEqual([file], list(Path(folder).iterdir()))
        self.assertTrue(results["figures"])
        for workload, excuses in results["excuses"].items():
            for server, reason in excuses.items():
                self.assertIn(reason, SERVERS[server].cannot.values(), f"{workload} with {server}: {reason}")
        for workload, figures in results["figures"].items():
            wanted = {metric.name for metric in WORKLOADS[workload].metrics}
            if workload == "curve":
                wanted = {f"{method} of {size}" for method in ("GET", "PUT") for size in SMOKE.sizes}
            for server, values in figures.items():
                self.assertLessEqual(wanted, set(values), f"{workload} with {server}")
                self.assertTrue(all(min(rounds) > 0 for rounds in values.values()), f"{workload} with {server}")
            if WORKLOADS[workload].writes:
                self.assertIn("none", figures)
            self.assertLessEqual({*installed()} - {"none"}, {*figures, *results["excuses"].get(workload, {})})

    def test_one_core(self) -> None:
        """One worker, plain HTTP."""
        needs_wrk()
        others = ("range-64k", "*-1m", "*-64m", "copy-1g", "multipart-1g", "delete-1000", "curve", "start", "memory")
        self.check("*-4k", "latency-*", "list-*", *others)

    def test_tls_and_two_workers(self) -> None:
        """TLS, and two workers without pinning."""
        needs_wrk()
        self.check("get-64m-tls", "put-64m-tls", "*-4k-2w")


def needs_wrk() -> None:
    """:raise SkipTest: without wrk."""
    if not shutil.which("wrk"):
        raise SkipTest("wrk is not installed")


class EndTests(SynchronousTestCase):
    """No server outlives the harness."""

    def check(self, number: signal.Signals) -> None:
        """Start it, send it a signal when a server runs, and wait for the server's end."""
        with tempfile.TemporaryDirectory() as folder:
            line = [*command(folder, "--servers", "strict"), "--only", "get-64m", "--seconds=600"]
            with subprocess.Popen(
                line, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            ) as harness:
                server = self.server_of(harness.pid)
                harness.send_signal(number)
                wait_until_gone(server)

    def server_of(self, pid: int) -> int:
        """A descriptor of the server that it started."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
                if b"s3store" in Path(f"/proc/{child}/cmdline").read_bytes():
                    return os.pidfd_open(int(child))
            time.sleep(0.01)
        raise AssertionError("there is no server")

    def test_interrupted(self) -> None:
        """Ctrl-C."""
        self.check(signal.SIGINT)

    def test_killed(self) -> None:
        """kill -9."""
        self.check(signal.SIGKILL)
