"""All workloads, in the order in which they run."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.work import Workload
from benchmarks.workloads import behaviour, large, listing, small, whole

_MODULES = (small, large, whole, listing, behaviour)

WORKLOADS: Mapping[str, Workload] = {one.name: one for module in _MODULES for one in module.WORKLOADS}
