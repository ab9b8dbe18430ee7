"""The long run of many clients over several servers: ``python -m tests.proofs --seconds 60 --clients 64``."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from tests.proofs.consistency import run


def main() -> int:
    """Run it. Gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.proofs", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--workers", type=int, default=4, help="of the first daemon")
    parser.add_argument("--daemons", type=int, default=2, help="further ones, of one process each")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        result = run(Path(directory), options.seconds, options.clients, options.workers, options.daemons, options.seed)
    print(f"{result.requests} requests: {result.writes} writes and {result.reads} looks at a key were judged")
    for complaint in result.complaints[:20]:
        print(complaint)
    print(f"{len(result.complaints)} complaints")
    return 1 if result.complaints else 0


if __name__ == "__main__":
    raise SystemExit(main())
