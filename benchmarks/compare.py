"""The server beside its rivals on this machine: ``python -m benchmarks compare``.

Each server is kept to the first core and the load generator to the second; workloads that end in -2w have two workers
and no pinning. The rounds of the servers are interleaved.
"""

from __future__ import annotations

import argparse
import fnmatch
import signal
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from msgspec import structs

from benchmarks import processes
from benchmarks.contestants import LIMIT
from benchmarks.report import show, verdicts
from benchmarks.results import Results
from benchmarks.servers import OURS, SERVERS, Server, Unable, Way, installed
from benchmarks.work import LONG, SMOKE, STANDARD, Place, Scale, Workload
from benchmarks.workloads import WORKLOADS
from tests.certificates import issue_certificate


class Comparison:
    """One run.

    :param keys: of the servers that take part.
    :param keep: servers run on from workload to workload, which is quicker; their memory is then that of all.
    """

    def __init__(self, place: Place, keys: Sequence[str], keep: bool = False) -> None:
        self._place = place
        self._keys = keys
        self._keep = keep
        self._running: dict[tuple[str, Way], Server] = {}
        self._certificate = issue_certificate(place.folder)
        self.results = Results.of(place.folder, place.scale)
        self.results.versions = {SERVERS[key].title: SERVERS[key].version() for key in keys if key != "none"}

    def run(self, workload: Workload) -> None:
        """Measure a workload with every server, in turns."""
        way = structs.replace(workload.way, certificate=self._certificate if workload.tls else None)
        (processes.keep_to_load_core if way.pinned else processes.leave_load_core)()
        # Those of another way would hold on to what they know of the buckets.
        self._end([pair for pair in self._running if pair[1] != way])
        ready = [server for server in self._servers(workload, way) if self._prepared(workload, server)]
        try:
            for round_ in range(1 if workload.once else self._place.scale.rounds):
                # Another begins in each round.
                at = round_ % max(1, len(ready))
                for server in [*ready[at:], *ready[:at]]:
                    self._measure(workload, server)
                if workload.limit:
                    self.results.add(workload.name, LIMIT, workload.limit(self._place))
            for server in ready:
                self.results.weigh(workload.name, server.key, server.process.memory())
        finally:
            if not self._keep:
                self.end()

    def end(self) -> None:
        """End all servers."""
        self._end(list(self._running))

    def _end(self, pairs: Iterable[tuple[str, Way]]) -> None:
        for pair in pairs:
            self._running.pop(pair).end()

    def _servers(self, workload: Workload, way: Way) -> Iterator[Server]:
        for key in self._keys:
            if key == "none" and not workload.writes and "strict" in self._keys:
                continue
            if not workload.rivals and SERVERS[key].family != OURS:
                continue
            try:
                for need in workload.needs:
                    if need in SERVERS[key].cannot:
                        raise Unable(SERVERS[key].cannot[need])
                if (key, way) not in self._running:
                    self._running[key, way] = SERVERS[key](self._place.folder, way)
                yield self._running[key, way]
            except Unable as reason:
                self.results.excuse(workload.name, key, str(reason))

    def _prepared(self, workload: Workload, server: Server) -> bool:
        try:
            workload.prepare(self._place, server)
        except (Unable, RuntimeError, OSError) as reason:
            self.results.excuse(workload.name, server.key, str(reason))
            return False
        return True

    def _measure(self, workload: Workload, server: Server) -> None:
        try:
            figures = workload.measure(self._place, server)
        except (Unable, RuntimeError, OSError) as reason:
            self.results.excuse(workload.name, server.key, str(reason))
        else:
            self.results.add(workload.name, server.key, figures)


@contextmanager
def ended_in_order() -> Iterator[None]:
    """SIGTERM and SIGHUP end this process as Ctrl-C does: with what it started."""

    def leave(*_: object) -> None:
        raise SystemExit(1)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def chosen(patterns: Sequence[str]) -> Sequence[Workload]:
    """The workloads that are meant, all for no pattern. :raise SystemExit: for a pattern that means none."""
    for pattern in patterns:
        if not fnmatch.filter(WORKLOADS, pattern):
            raise SystemExit(f"there is no workload {pattern}; there are: {' '.join(WORKLOADS)}")
    wanted = patterns or ["*"]
    return [one for name, one in WORKLOADS.items() if any(fnmatch.fnmatch(name, pattern) for pattern in wanted)]


def scale_of(options: argparse.Namespace) -> Scale:
    """How much of everything the options ask for."""
    scale = SMOKE if options.smoke else LONG if options.long else STANDARD
    asked = {name: getattr(options, name) for name in ("seconds", "rounds") if getattr(options, name)}
    return structs.replace(scale, **asked)


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", action="extend", default=[], help="workloads, or patterns as '*-4k'")
    parser.add_argument("--servers", nargs="+", choices=SERVERS, help="default: all that are installed")
    parser.add_argument("--rounds", type=int, help="how often each measurement is repeated")
    parser.add_argument("--seconds", type=float, help="how long a measurement of a rate takes")
    parser.add_argument("--long", action="store_true", help="a million keys also for rivals; takes hours")
    parser.add_argument("--smoke", action="store_true", help="as little as possible, to see that all works")
    parser.add_argument("--json", type=Path, help="file for the raw figures")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="where the data goes")
    parser.add_argument("--list", action="store_true", help="print the names of the workloads")
    return parser


def run(options: argparse.Namespace) -> Results:
    """Measure what the options ask for."""
    here = installed()
    keys = options.servers or list(here)
    with ExitStack() as stack:
        stack.enter_context(ended_in_order())
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-", dir=options.folder))
        place = Place(scale_of(options), Path(directory))
        comparison = Comparison(place, [key for key in keys if key in here], keep=options.smoke)
        stack.callback(comparison.end)
        for workload in chosen(options.only):
            print(f"{workload.name} ...", file=sys.stderr, flush=True)
            comparison.run(workload)
            print("\n".join(show(comparison.results, workload)), flush=True)
            if options.json:
                comparison.results.write(options.json)
        print("\n".join(verdicts(comparison.results)))
        return comparison.results


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; gives the exit status."""
    options = arguments().parse_args(argv)
    if options.list:
        print("\n".join(f"{name:16}{one.title}" for name, one in WORKLOADS.items()))
        return 0
    run(options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
