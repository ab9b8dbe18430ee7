"""Where the time of a small request goes, stage by stage: ``python -m benchmarks stages``.

py-spy (https://github.com/benfred/py-spy) looks at the server's stacks while wrk keeps it busy. What is counted is time
on the processor: a thread that waits for the disk or for another counts for nothing.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec import Struct

from benchmarks.processes import keep_to_load_core
from benchmarks.servers import SERVERS, Server, Way
from benchmarks.work import SMALL, put_all, small_paths
from benchmarks.wrk import storm

BUCKET = "small"

#: Looks a second.
LOOKS = 250

#: A stage, and the frames that tell it: the innermost frame of a stack that tells one decides.
STAGES = (
    ("reactor: threads' results", ("ReactorBase.runUntilCurrent (",)),
    ("reactor: sockets", ("EPollReactor.doPoll (", "ReactorBase.mainLoop (")),
    ("HTTP: head, body, request object", ("S3Channel.dataReceived (",)),
    ("resource, request id, glue", ("S3Resource.serve (", "S3Resource._serve (", "Gate.answer (", "Gate._operate (")),
    ("signature", ("Gate._authenticate (",)),
    ("which operation, who may", ("find_operation (", "Gate._authorize (", "Gate._foresee (")),
    ("bucket: is it there, unchanged", ("Gate._bucket (",)),
    ("object: open, stat, read its record", ("FilesystemStore.open_object (", "FilesystemStore.head_object (")),
    ("conditions and headers of the answer", ("get_object (", "head_object (")),
    ("answer: read bytes, write", ("S3Resource.send (",)),
    ("access log", ("finished (",)),
    ("write: conditions, properties", ("put_object (",)),
    ("write: stage and receive", ("FilesystemStore.stage (", "Call.receive (", "discarding (")),
    ("write: hand over to a thread", ("StagedBody.commit (", "DiskPool.run (")),
    ("thread: the pool's own", ("ThreadPool.callInThreadWithCallback.<locals>.inContext (",)),
    ("thread: hash, file, record", ("Intake.finish (", "_Draft.write (")),
    ("thread: lock, look, commit", ("Objects.put (",)),
    ("thread: sync of the directory", ("DirectorySync.sync (",)),
)

_STAGE_OF = {frame: stage for stage, frames in STAGES for frame in frames}


class Look(Struct, frozen=True):
    """How often a stack was seen.

    :ivar frames: the outermost first, as py-spy writes them: ``function (file:line)``.
    """

    frames: Sequence[str]
    count: int

    @classmethod
    def parse(cls, line: str) -> Look:
        """Read a line of py-spy's ``raw`` format."""
        stack, _, count = line.rstrip("\n").rpartition(" ")
        return cls(stack.split(";"), int(count))

    @property
    def stage(self) -> str | None:
        """What was under way; None for a thread that waited for work."""
        for frame in reversed(self.frames):
            name, _, _ = frame.partition("(")
            found = _STAGE_OF.get(f"{name}(")
            if found is not None:
                return found
        return None


def shares(lines: Iterable[str]) -> Sequence[tuple[str, float]]:
    """The share of each stage in the whole, in the order of `STAGES`; those that were not seen are left out."""
    seen: Counter[str] = Counter()
    for line in lines:
        look = Look.parse(line)
        if (stage := look.stage) is not None:
            seen[stage] += look.count
    whole = sum(seen.values())
    return [(stage, seen[stage] / whole) for stage, _ in STAGES if seen[stage]]


def look_at(server: Server, method: str, seconds: float) -> tuple[float, Sequence[tuple[str, float]]]:
    """Keep a server busy for so long. Gives requests a second, and the shares of the stages."""
    paths = small_paths(BUCKET, 4000)
    server.create_bucket(BUCKET)
    if method == "PUT":
        paths = small_paths(BUCKET, int(8000 * seconds), "new-")
    else:
        put_all(server, paths, SMALL)
    targets = [server.target(method, path) for path in paths]
    with tempfile.NamedTemporaryFile(suffix=".raw") as raw:
        command = ["py-spy", "record", f"--rate={LOOKS}", f"--duration={max(int(seconds) - 1, 1)}", "--format=raw"]
        command += [f"--output={raw.name}", f"--pid={server.process.pid}"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as spy:
            rate = storm(server.url, method, targets, seconds, size=SMALL if method == "PUT" else 0).rate
        if spy.returncode:
            raise RuntimeError("py-spy could not look: it needs the right to trace processes")
        return rate, shares(Path(raw.name).read_text().splitlines())


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=15, help="how long each look takes")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="where the data goes")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Look at GET, and at PUT in both modes, and print the shares."""
    options = arguments().parse_args(argv)
    keep_to_load_core()
    for method, key in (("GET", "strict"), ("PUT", "strict"), ("PUT", "none")):
        with tempfile.TemporaryDirectory(prefix="benchmark-", dir=options.folder) as folder:
            server = SERVERS[key](Path(folder), Way())
            try:
                rate, found = look_at(server, method, options.seconds)
            finally:
                server.end()
        print(f"{method} 4 KiB, {server.durability}: {rate:,.0f} a second while looked at")
        print("\n".join(f"  {share:5.0%}  {stage}" for stage, share in found), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
