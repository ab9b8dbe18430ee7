"""What the machine can do without any server: the limit of a strict upload."""

from __future__ import annotations

import subprocess
import time

from benchmarks.processes import on_cores
from benchmarks.streams import BLOCK, MIB
from benchmarks.work import Figures, Place

TITLE = "md5sum, then dd with fsync"


def hash_and_write(place: Place) -> Figures:
    """``md5sum`` and ``dd`` of the bytes of a large object, one after the other on the server's core."""
    source, copy = place.folder / "limit-source", place.folder / "limit-copy"
    with source.open("wb") as file:
        for _ in range(place.scale.large // MIB):
            file.write(BLOCK)
    script = f"md5sum {source} && dd if={source} of={copy} bs=1M conv=fsync"
    moved, began = 0, time.perf_counter()
    while not moved or time.perf_counter() - began < place.scale.seconds:
        subprocess.run([*on_cores(True), "sh", "-c", script], check=True, capture_output=True)
        copy.unlink()
        moved += place.scale.large
    seconds = time.perf_counter() - began
    source.unlink()
    return {"throughput": moved / 1e6 / seconds}
