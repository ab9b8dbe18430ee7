"""``python -m benchmarks NAME``: runs one of the benchmarks of this package."""

from __future__ import annotations

import runpy
import sys

NAMES = ("compare", "document", "memory", "complete", "stages", "testing_kit")


def main() -> None:
    """Run the one that is named, with the rest of the command line."""
    if len(sys.argv) < 2 or sys.argv[1] not in NAMES:
        raise SystemExit(f"usage: python -m benchmarks {{{','.join(NAMES)}}} [--help]")
    name = sys.argv.pop(1)
    sys.argv[0] = f"python -m benchmarks.{name}"
    runpy.run_module(f"benchmarks.{name}", run_name="__main__", alter_sys=False)


if __name__ == "__main__":
    main()
