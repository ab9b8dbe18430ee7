"""The names of those who take part, in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks import limits
from benchmarks.results import Results
from benchmarks.servers import SERVERS

#: The key of what is no server.
LIMIT = "limit"

TITLES: Mapping[str, str] = {**{key: server.title for key, server in SERVERS.items()}, LIMIT: limits.TITLE}


def name_of(key: str, durability: bool = False) -> str:
    """The name of a server, with what it syncs if wanted."""
    if key in SERVERS and durability:
        return f"{SERVERS[key].title} ({SERVERS[key].durability})"
    return TITLES[key]


def columns(writes: bool) -> Sequence[str]:
    """Who has a column in a table."""
    return list(TITLES) if writes else [key for key in TITLES if key not in ("none", LIMIT)]


def base_of(results: Results, workload: str, metric: str) -> str:
    """Which of ours the others are compared with; "" for none."""
    return next((key for key in ("strict", "none") if results.middle(workload, key, metric)), "")
