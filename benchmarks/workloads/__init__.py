"""All workloads, in the order in which they run."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.work import Workload
from benchmarks.workloads import large, small

WORKLOADS: Mapping[str, Workload] = {one.name: one for one in (*small.WORKLOADS, *large.WORKLOADS)}
