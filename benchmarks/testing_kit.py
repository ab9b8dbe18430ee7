"""The testing kit: import, start and stop, and a PUT of 4 KiB through boto3, beside moto's server.

``python -m benchmarks.testing_kit --moto PATH/bin/moto_server``; it comes with ``pip install 'moto[server]'``.
Figures are of one machine; compare those of one run.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import boto3

ROOT = Path(__file__).parent.parent
BODY = os.urandom(4096)


def import_seconds(module: str, python: str = sys.executable) -> float:
    """Processor time of an import in a fresh process, less that of an empty one; the best of some."""

    with TemporaryDirectory() as compiled:
        # As installed: compiled, whatever the environment says.
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)

        def cost(program: str) -> float:
            before = os.times()
            subprocess.run([python, "-c", program], cwd=ROOT, env=environment, check=True)
            after = os.times()
            return after.children_user + after.children_system - before.children_user - before.children_system

        cost(f"import {module}")
        empty = min(cost("pass") for _ in range(10))
        return min(cost(f"import {module}") for _ in range(10)) - empty


def start_and_stop(tls: bool) -> Sequence[float]:
    """Seconds of start and stop together, many times."""
    from twisted_s3.testing import S3Server

    taken = []
    for _ in range(50):
        began = time.perf_counter()
        with S3Server(tls=tls):
            pass
        taken.append(time.perf_counter() - began)
    return taken


def put_seconds(arguments: Mapping[str, Any]) -> Sequence[float]:
    """Seconds of each of many PUTs of 4 KiB, after some that do not count."""
    client = boto3.session.Session().client("s3", **arguments)
    client.create_bucket(Bucket="bucket")
    taken = []
    for number in range(550):
        began = time.perf_counter()
        client.put_object(Bucket="bucket", Key=f"k{number}", Body=BODY)
        taken.append(time.perf_counter() - began)
    client.close()
    return taken[50:]


@contextmanager
def moto_server(program: str) -> Iterator[Mapping[str, Any]]:
    """moto's server, on a free port; gives the arguments of a client."""
    command = [program, "-p", "0"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr
    try:
        for line in process.stderr:
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                break
        else:
            raise SystemExit(f"{program} did not start")
        # Nobody reads its log any more; a full pipe would stop it.
        drain = subprocess.Popen(["cat"], stdin=process.stderr, stdout=subprocess.DEVNULL)
        yield {
            "endpoint_url": found[0],
            "aws_access_key_id": "test",
            "aws_secret_access_key": "test-secret",
            "region_name": "us-east-1",
        }
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()
        drain.wait()


def show(name: str, seconds: Sequence[float]) -> None:
    """One line of figures."""
    best, median = min(seconds) * 1000, statistics.median(seconds) * 1000
    print(f"{name:<32} best {best:8.2f} ms   median {median:8.2f} ms")


def compare(program: str, measure: Callable[[Mapping[str, Any]], Sequence[float]]) -> None:
    """The same against both, in turns, so that both have the machine's good and bad moments."""
    from twisted_s3.testing import S3Server

    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(3):
        with S3Server() as s3:
            ours += measure(s3.client_arguments)
        with moto_server(program) as arguments:
            theirs += measure(arguments)
    show("PUT 4 KiB, twisted-s3", ours)
    show("PUT 4 KiB, moto_server", theirs)
    ratio = statistics.median(theirs) / statistics.median(ours)
    print(f"moto_server takes {ratio:.1f} times as long (median; {min(theirs) / min(ours):.1f} times at best)")


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moto", help="the program moto_server")
    options = parser.parse_args()
    print(f"import twisted_s3.testing        {import_seconds('twisted_s3.testing') * 1000:8.0f} ms of processor time")
    web = import_seconds("twisted.web.server, twisted.internet.pollreactor, twisted.internet.endpoints")
    print(f"import of Twisted alone          {web * 1000:8.0f} ms of processor time")
    print(f"import boto3                     {import_seconds('boto3') * 1000:8.0f} ms of processor time")
    show("start and stop, HTTP", start_and_stop(tls=False))
    show("start and stop, HTTPS", start_and_stop(tls=True))
    if options.moto:
        python = str(Path(options.moto).with_name("python"))
        print(f"import moto                      {import_seconds('moto', python) * 1000:8.0f} ms of processor time")
        compare(options.moto, put_seconds)


if __name__ == "__main__":
    main()
