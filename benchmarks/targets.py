"""What the project wants to reach, and whether a run reached it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from benchmarks.results import Results

#: Where a figure is: workload, server, metric.
Spot = tuple[str, str, str]


class Target(Struct, frozen=True):
    """A figure, or the ratio of two, that must not be less, or not be more, than something.

    :ivar over: what it is divided by; None for the figure itself.
    :ivar least: it must be at least this; with ``most`` None.
    :ivar unit: of the figure.
    """

    title: str
    of: Spot
    over: Spot | None = None
    least: float | None = None
    most: float | None = None
    unit: str = "x"


class Verdict(Struct, frozen=True):
    """A target and what was measured: None when it was not measured."""

    target: Target
    value: float | None

    @property
    def wanted(self) -> str:
        """What the target says."""
        if self.target.least is not None:
            return f"at least {self.target.least:,g} {self.target.unit}"
        return f"at most {self.target.most:,g} {self.target.unit}"

    @property
    def met(self) -> bool | None:
        """Whether; None when it was not measured."""
        if self.value is None:
            return None
        if self.target.least is not None:
            return self.value >= self.target.least
        return self.value <= (self.target.most or 0.0)


def _against(title: str, workload: str, metric: str, own: str = "strict", **least: float) -> Iterator[Target]:
    for rival, factor in least.items():
        yield Target(f"{title}, to {rival}", (workload, own, metric), (workload, rival, metric), factor)


TARGETS: Sequence[Target] = (
    *_against("GET 4 KiB", "get-4k", "rate", nanio=5, rclone=1, nginx=0.55),
    Target("HEAD to GET of the same server", ("head-4k", "strict", "of GET"), least=1.1),
    *_against("PUT 4 KiB strict", "put-4k", "rate", nanio=3),
    *_against("PUT 4 KiB without syncs", "put-4k", "rate", "none", rclone=1, nginx=0.6),
    *_against("GET 64 MiB", "get-64m", "throughput", nanio=1.8, nginx=1),
    *_against("PUT 64 MiB strict", "put-64m", "throughput", nanio=1.5, rclone=1.5, limit=0.7),
    *_against("GET of a range", "range-64k", "rate", nanio=5),
    Target("LIST of a flat bucket to the end", ("list-flat", "strict", "rate"), least=50_000, unit="keys/s"),
    *_against("LIST of a flat bucket to the end", "list-flat", "rate", nanio=10),
    Target(
        "LIST, a page in the middle of 100,000 keys to the first page",
        ("curve", "strict", "middle page of 100000"),
        ("curve", "strict", "first page of 100000"),
        most=1.5,
    ),
    Target(
        "LIST, a page in the middle of 1,000,000 keys to the first page",
        ("curve", "strict", "middle page of 1000000"),
        ("curve", "strict", "first page of 1000000"),
        most=1.5,
    ),
    Target("Complete, 1 GiB", ("multipart-1g", "strict", "Complete"), most=50, unit="ms"),
    Target("Complete, 5 GiB", ("multipart-5g", "strict", "Complete"), most=50, unit="ms"),
    Target("GET 4 KiB, 2 workers to one", ("get-4k-2w", "strict", "rate"), ("get-4k", "strict", "rate"), 1.7),
    Target("PUT 4 KiB strict, 2 workers to one", ("put-4k-2w", "strict", "rate"), ("put-4k", "strict", "rate"), 1.7),
    Target(
        "PUT 64 MiB strict, 2 workers to one",
        ("put-64m-2w", "strict", "throughput"),
        ("put-64m", "strict", "throughput"),
        1.7,
    ),
    Target("Memory of a worker that is idle", ("start", "strict", "RSS"), most=70, unit="MiB"),
    Target("Memory at the peak of 64 streams", ("memory", "strict", "peak"), most=200, unit="MiB"),
    Target("Start to first answer", ("start", "strict", "time"), most=0.6, unit="s"),
)


def judge(results: Results) -> Sequence[Verdict]:
    """Every target, held against the medians of a run."""
    return [Verdict(target, _value(results, target)) for target in TARGETS]


def _value(results: Results, target: Target) -> float | None:
    value = results.middle(*target.of)
    if value is None or target.over is None:
        return value
    other = results.middle(*target.over)
    return value / other if other else None
