"""The pages of the documentation that a run fills: ``python -m benchmarks document RESULTS.json``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from benchmarks.contestants import TITLES, base_of, columns, name_of
from benchmarks.picture import Bar, Chart, Line, Panel, bars, curves
from benchmarks.report import figure, ratio
from benchmarks.results import Results
from benchmarks.targets import judge
from benchmarks.work import Metric, Workload
from benchmarks.workloads import WORKLOADS
from benchmarks.workloads.listing import CURVES

DOCS = Path(__file__).parent.parent / "docs"

#: The workload that is drawn as curves, not as bars.
CURVE = "curve"

#: Workloads whose memory is shown.
WEIGHED = ("get-4k", "put-4k", "get-64m", "put-64m", "list-flat", "multipart-1g", "memory")


def list_table(title: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table in reStructuredText."""
    rows = list(rows)
    if not rows:
        return
    yield from ("", f".. list-table:: {title}", "   :header-rows: 1", "")
    for row in (header, *rows):
        for number, cell in enumerate(row):
            yield f"   {'* -' if number == 0 else '  -'} {cell}".rstrip()


def cell(results: Results, workload: Workload, metric: Metric, key: str) -> str:
    """A median, and for a rival how many times as good ours is."""
    value = results.middle(workload.name, key, metric.name)
    if value is None:
        return "–"
    text = figure(value)
    base = base_of(results, workload.name, metric.name)
    ours = results.middle(workload.name, base, metric.name) if base else None
    return text if not ours or key == base else f"{text} (×{ratio(metric, ours, value):.2f})"


def figures(results: Results, writes: bool) -> Iterator[str]:
    """The table of all workloads that read, or that write."""
    keys = columns(writes)
    rows = []
    for workload in WORKLOADS.values():
        if workload.writes != writes or workload.name == CURVE:
            continue
        for metric in workload.metrics:
            if any(results.middle(workload.name, key, metric.name) is not None for key in keys):
                what = metric.unit if metric.unit.startswith("/") else f"{metric.name}, {metric.unit}"
                cells = [cell(results, workload, metric, key) for key in keys]
                rows.append([f"{workload.title} ({what})", *cells])
    title = "Writes, with what is on stable storage when they are answered" if writes else "Reads"
    yield from list_table(title, ["Work", *(name_of(key, writes) for key in keys)], rows)


def excuses(results: Results) -> Iterator[str]:
    """Why there are figures that are not there."""
    for name, reasons in results.excuses.items():
        for key, reason in reasons.items():
            yield f"* {WORKLOADS[name].title}, {name_of(key)}: ``{' '.join(reason.split())[:120].replace('`', '')}``"


def memory(results: Results) -> Iterator[str]:
    """Resident memory after workloads, and at the peak."""
    keys = columns(True)
    rows = []
    for name in WEIGHED:
        weighed = results.memory.get(name, {})
        if weighed:
            pairs = [weighed.get(key) for key in keys]
            cells = [f"{pair['rss']:.0f}, {pair['peak']:.0f}" if pair else "–" for pair in pairs]
            rows.append([WORKLOADS[name].title, *cells])
    yield from list_table("Resident MiB after the work, and at the peak", ["Work", *map(name_of, keys)], rows)


def targets(results: Results) -> Iterator[str]:
    """What is wanted, what is, and whether that is met."""
    words = {True: "met", False: "**not met**", None: "not measured"}
    rows = [
        [
            verdict.target.title,
            verdict.wanted,
            "–" if verdict.value is None else f"{figure(verdict.value)} {verdict.target.unit}",
            words[verdict.met],
        ]
        for verdict in judge(results)
    ]
    yield from list_table("Targets", ["Work", "Wanted", "Measured", ""], rows)


def cost(results: Results) -> Iterator[str]:
    """The figures behind the curves."""
    keys = columns(False)
    workload = WORKLOADS[CURVE]
    rows = [
        [f"{metric.name} keys", *(cell(results, workload, metric, key) for key in keys)]
        for metric in workload.metrics
        if results.figures.get(CURVE) and any(results.middle(CURVE, key, metric.name) is not None for key in keys)
    ]
    yield from list_table("Milliseconds of one request, as a bucket grows", ["Request", *map(name_of, keys)], rows)


def page(results: Results) -> Iterator[str]:
    """All of the page that depends on the run."""
    machine, scale = results.machine, results.scale
    yield ".. Made by python -m benchmarks document; do not edit."
    yield ""
    yield (
        f"Measured {results.date} on a {machine['machine']} with Linux {machine['kernel']}, {machine['filesystem']}, "
        f"Python {machine['python']}: {scale['rounds']} rounds, {scale['seconds']:g} seconds for each rate. "
        + ", ".join(f"{name} {version}" for name, version in results.versions.items())
        + "."
    )
    yield from (
        "",
        ".. image:: benchmarks.svg",
        "   :alt: Bars of the medians, which the tables hold as well.",
    )
    yield from targets(results)
    yield from figures(results, writes=False)
    yield from figures(results, writes=True)
    yield from memory(results)
    if CURVE in results.figures:
        yield from ("", ".. image:: benchmarks_curve.svg", "   :alt: Curves of the cost against the number of keys.")
        yield from cost(results)
    reasons = list(excuses(results))
    if reasons:
        yield from ("", "What is not there:", "", *reasons)


def bar_picture(results: Results) -> str:
    """A panel for the first figure of each workload."""
    panels = []
    for workload in WORKLOADS.values():
        if workload.name not in results.figures or workload.name == CURVE:
            continue
        metric = workload.metrics[0]
        shown = [
            Bar(key, name_of(key, workload.writes), value, f"{figure(value)} {metric.unit}")
            for key in TITLES
            if (value := results.middle(workload.name, key, metric.name))
        ]
        better = "" if metric.more_is_better else ", less is better"
        panels.append(Panel(f"{workload.title}, {metric.name}{better}", shown))
    return bars(panels)


def curve_picture(results: Results) -> str:
    """A chart for each kind of request."""
    sizes = results.scale["sizes"]
    charts = []
    for what in CURVES:
        lines = []
        for key in TITLES:
            points = [(size, results.middle(CURVE, key, f"{what} of {size}")) for size in sizes]
            known = [(float(size), value) for size, value in points if value]
            if known:
                lines.append(Line(key, name_of(key), known))
        charts.append(Chart(f"{what}, by keys in the bucket", lines))
    return curves(charts)


def write(results: Results, folder: Path) -> None:
    """Write the page and the pictures."""
    (folder / "benchmarks_results.inc").write_text("\n".join(page(results)) + "\n")
    (folder / "benchmarks.svg").write_text(bar_picture(results))
    if CURVE in results.figures:
        (folder / "benchmarks_curve.svg").write_text(curve_picture(results))


def main() -> int:
    """Write what the documentation includes; gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, help="the file that compare --json wrote")
    parser.add_argument("--folder", type=Path, default=DOCS, help="where the page and the pictures go")
    options = parser.parse_args()
    write(Results.read(options.results), options.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
