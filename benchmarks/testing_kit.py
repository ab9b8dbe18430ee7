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
from msgspec import Struct

ROOT = Path(__file__).parent.parent
IMPORT_ROUNDS = 15
BODY = os.urandom(4096)

#: What the kit needs of Twisted.
TWISTED = "twisted.web.server, twisted.internet.pollreactor, twisted.internet.endpoints"


class Import(Struct, frozen=True):
    """An import in a fresh process.

    :ivar after: what the process has imported before.
    """

    name: str
    module: str
    python: str = sys.executable
    after: str = "sys"


def import_seconds(imports: Sequence[Import]) -> Mapping[str, Sequence[float]]:
    """Processor time of each some times, less that of a process without it, measured in turns."""
    with TemporaryDirectory() as compiled:
        # As installed: compiled, whatever the environment says.
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)

        def cost(python: str, program: str) -> float:
            before = os.times()
            subprocess.run([python, "-c", program], cwd=ROOT, env=environment, check=True)
            after = os.times()
            return after.children_user + after.children_system - before.children_user - before.children_system

        programs = [
            (one.python, program)
            for one in imports
            for program in (f"import {one.after}", f"import {one.after}; import {one.module}")
        ]
        taken: dict[tuple[str, str], list[float]] = {program: [] for program in programs}
        for program in taken:
            cost(*program)
        for _ in range(IMPORT_ROUNDS):
            for program in taken:
                taken[program].append(cost(*program))
    return {
        one.name: [
            whole - without
            for without, whole in zip(
                taken[one.python, f"import {one.after}"],
                taken[one.python, f"import {one.after}; import {one.module}"],
                strict=True,
            )
        ]
        for one in imports
    }


def show_imports(moto_python: str | None) -> None:
    """Processor time of the imports, and how many times as long as moto's ours takes."""
    ours = "import twisted_s3.testing"
    imports = [
        Import(ours, "twisted_s3.testing"),
        Import("  of that, Twisted", TWISTED),
        Import("  beside boto3", "twisted_s3.testing", after="boto3"),
        Import("import boto3", "boto3"),
    ]
    if moto_python:
        imports += [
            Import("import moto", "moto", moto_python),
            Import("  moto, beside boto3", "moto", moto_python, after="boto3"),
        ]
    taken = import_seconds(imports)
    for name, seconds in taken.items():
        show(name, seconds)
    if moto_python:
        theirs = taken["import moto"]
        ratio = statistics.median(taken[ours]) / statistics.median(theirs)
        at_best = min(taken[ours]) / min(theirs)
        print(f"the import takes {ratio:.2f} times as long as that of moto (median; {at_best:.2f} times at best)")


#: Prints how long each start and stop of moto's server in a thread took.
MOTO_STARTS = """
import time
from moto.server import ThreadedMotoServer
for _ in range(5):
    began = time.perf_counter()
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    server.stop()
    print(time.perf_counter() - began)
"""


def moto_start_and_stop(python: str) -> Sequence[float]:
    """Seconds of start and stop together of the server that moto has for tests."""
    done = subprocess.run([python, "-c", MOTO_STARTS], capture_output=True, text=True, check=True)
    return [float(line) for line in done.stdout.split()]


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
    python = str(Path(options.moto).with_name("python")) if options.moto else None
    show_imports(python)
    show("start and stop, HTTP", start_and_stop(tls=False))
    show("start and stop, HTTPS", start_and_stop(tls=True))
    if python:
        show("start and stop, moto", moto_start_and_stop(python))
        compare(options.moto, put_seconds)


if __name__ == "__main__":
    main()
