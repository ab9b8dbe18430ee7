"""Figures as text."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.contestants import TITLES, base_of, name_of
from benchmarks.results import Results
from benchmarks.targets import judge
from benchmarks.work import Metric, Workload


def figure(value: float) -> str:
    """A number in three digits or more."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 0.001 else f"{value:.2g}"


def ratio(metric: Metric, ours: float, theirs: float) -> float:
    """How many times as good the first is."""
    if not ours or not theirs:
        return 0.0
    return ours / theirs if metric.more_is_better else theirs / ours


def show(results: Results, workload: Workload) -> Iterator[str]:
    """A workload: each server with its median, the least and the most, and how many times as good ours is."""
    for metric in workload.metrics:
        base = base_of(results, workload.name, metric.name)
        ours = results.middle(workload.name, base, metric.name) or 0.0
        lines = [_line(results, workload, metric, key, base, ours) for key in TITLES]
        if any(lines):
            better = "more" if metric.more_is_better else "less"
            yield f"{workload.title}: {metric.name} {metric.unit}, {better} is better"
            yield from filter(None, lines)
    for key, reason in results.excuses.get(workload.name, {}).items():
        yield f"  {name_of(key):<22} {' '.join(reason.split())[:150]}"


def _line(results: Results, workload: Workload, metric: Metric, key: str, base: str, ours: float) -> str:
    value = results.middle(workload.name, key, metric.name)
    if value is None:
        return ""
    values = results.figures[workload.name][key][metric.name]
    memory = results.memory.get(workload.name, {}).get(key)
    name = f"{name_of(key, workload.writes):<{50 if workload.writes else 26}}"
    line = f"  {name}{figure(value):>9} {figure(min(values)):>9} ..{figure(max(values)):>9}"
    line += f"   ours: {ratio(metric, ours, value):5.2f} x" if base and key != base else " " * 17
    return line + (f"   RSS {memory['rss']:.0f}, peak {memory['peak']:.0f} MiB" if memory else "")


def verdicts(results: Results) -> Iterator[str]:
    """The targets that were measured."""
    for verdict in judge(results):
        if verdict.value is not None:
            word = "met" if verdict.met else "NOT MET"
            yield f"{verdict.target.title:<66}{verdict.wanted:>24}{figure(verdict.value):>10}  {word}"
