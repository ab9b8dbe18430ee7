"""What was measured, raw, and as medians."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import attrs
from msgspec import structs

from benchmarks.work import Scale


def machine(folder: Path) -> Mapping[str, str]:
    """What the figures depend on, without a name that would tell whose machine it is."""
    filesystem = subprocess.run(
        ["findmnt", "--noheadings", "--output", "FSTYPE", "--target", str(folder)], capture_output=True, text=True
    ).stdout.strip()
    return {
        "machine": f"{os.cpu_count()}-core VM",
        "kernel": ".".join(platform.release().split(".")[:2]),
        "filesystem": filesystem or "unknown",
        "python": platform.python_version(),
    }


@attrs.define
class Results:
    """Figures of a run.

    :ivar machine: see :func:`machine`.
    :ivar scale: how much of everything was measured.
    :ivar date: when.
    :ivar versions: of those who took part.
    :ivar figures: workload, server, metric: the value of each round.
    :ivar memory: workload, server: MiB ``rss`` and ``peak``.
    :ivar excuses: workload, server: why there is no figure.
    """

    machine: Mapping[str, str]
    scale: Mapping[str, Any]
    date: str = ""
    versions: Mapping[str, str] = attrs.field(factory=dict)
    figures: dict[str, dict[str, dict[str, list[float]]]] = attrs.field(factory=dict)
    memory: dict[str, dict[str, Mapping[str, float]]] = attrs.field(factory=dict)
    excuses: dict[str, dict[str, str]] = attrs.field(factory=dict)

    def add(self, workload: str, server: str, figures: Mapping[str, float]) -> None:
        """The figures of a round."""
        kept = self.figures.setdefault(workload, {}).setdefault(server, {})
        for name, value in figures.items():
            kept.setdefault(name, []).append(value)

    def weigh(self, workload: str, server: str, memory: Mapping[str, float]) -> None:
        """The server's memory after the workload."""
        self.memory.setdefault(workload, {})[server] = memory

    def excuse(self, workload: str, server: str, reason: str) -> None:
        """There is no figure, because."""
        self.excuses.setdefault(workload, {})[server] = reason

    def middle(self, workload: str, server: str, metric: str) -> float | None:
        """The median of the rounds; None when there is none."""
        values: Sequence[float] = self.figures.get(workload, {}).get(server, {}).get(metric, ())
        return median(values) if values else None

    def write(self, file: Path) -> None:
        """Keep all as JSON."""
        file.write_text(json.dumps(attrs.asdict(self), indent=1) + "\n")

    @classmethod
    def of(cls, folder: Path, scale: Scale) -> Results:
        """A run that begins now, with its data in a folder."""
        return cls(machine(folder), structs.asdict(scale), time.strftime("%Y-%m-%d", time.gmtime()))

    @classmethod
    def read(cls, file: Path) -> Results:
        """What :meth:`write` kept."""
        return cls(**json.loads(file.read_text()))
