"""Figures as text."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.results import Results
from benchmarks.servers import SERVERS
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
    """A workload: each server with its medians, the spread, and how many times as good ours is."""
    for metric in workload.metrics:
        yield f"{workload.title}, {metric.name} {metric.unit}"
        base = next((key for key in ("strict", "none") if results.middle(workload.name, key, metric.name)), "")
        ours = results.middle(workload.name, base, metric.name)
        for key, server in SERVERS.items():
            value = results.middle(workload.name, key, metric.name)
            if value is None:
                continue
            values = results.figures[workload.name][key][metric.name]
            memory = results.memory.get(workload.name, {}).get(key, {})
            line = f"  {server.title:20} {figure(value):>9}  {figure(min(values)):>9} ..{figure(max(values)):>9}"
            if workload.writes:
                line += f"  synced: {server.durability:20}"
            if memory:
                line += f"  RSS {memory['rss']:4.0f}, peak {memory['peak']:4.0f} MiB"
            if ours and key != base:
                line += f"  {SERVERS[base].title} is {ratio(metric, ours, value):.2f} x"
            yield line
    for key, reason in results.excuses.get(workload.name, {}).items():
        yield f"  {SERVERS[key].title:20} {reason[:150]}"
