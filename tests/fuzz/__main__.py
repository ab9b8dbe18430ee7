"""The long run: ``python -m tests.fuzz --runs 1000000``, with atheris (``pip install atheris``).

Each parser has a process of its own. What breaks one is kept in a file; ``--input FILE TARGET`` shows it again.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def fuzz(name: str, runs: int, seed: int, folder: Path) -> None:
    """Fuzz one parser in this process, which ends with it."""
    import atheris

    with atheris.instrument_imports(include=["twisted_s3"]):
        from tests.fuzz.targets import TARGETS

    target = next(one for one in TARGETS if one.name == name)
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, data in enumerate(target.seeds):
        (corpus / str(number)).write_bytes(data)
    prefix = f"-artifact_prefix={folder}/found-"
    options = [f"-runs={runs}", f"-seed={seed}", "-max_len=1024", "-timeout=5", "-rss_limit_mb=1024", prefix]
    atheris.Setup([sys.argv[0], *options, "-print_final_stats=1", str(corpus)], target)
    atheris.Fuzz()


def run(name: str, runs: int, seed: int) -> bool:
    """Fuzz one parser in another process. Gives whether nothing was found."""
    begun = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    command = [sys.executable, "-m", "tests.fuzz", "--one", str(folder), "--runs", str(runs), "--seed", str(seed), name]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    lines = done.stdout.splitlines()
    executed = next((line.split()[-1] for line in lines if line.startswith("stat::number_of_executed_units")), "?")
    slowest = next((line.split()[-1] for line in lines if line.startswith("stat::slowest_unit_time_sec")), "?")
    outcome = "nothing found" if done.returncode == 0 else f"FOUND, see {folder}"
    seconds = time.monotonic() - begun
    print(f"{name:16} {executed:>9} inputs {seconds:6.0f} s, slowest {slowest} s: {outcome}", flush=True)
    if done.returncode:
        print(*(line for line in lines if not line.startswith("#")), sep="\n", flush=True)
    return done.returncode == 0


def main() -> int:
    """Run what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000_000, help="how many inputs for each parser")
    parser.add_argument("--seed", type=int, default=1, help="of the random numbers, not 0")
    parser.add_argument("--input", type=Path, help="a file to hand to the target, once")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="which parsers; all of them unless named")
    options = parser.parse_args()
    if options.one is not None:
        fuzz(options.targets[0], options.runs, options.seed, options.one)
    from tests.fuzz.targets import TARGETS

    names = [one.name for one in TARGETS]
    unknown = set(options.targets) - set(names)
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}; there are: {', '.join(names)}")
    chosen = [one for one in TARGETS if one.name in (options.targets or names)]
    if options.input is not None:
        for target in chosen:
            target(options.input.read_bytes())
        return 0
    outcomes = [run(target.name, options.runs, options.seed) for target in chosen]
    return 0 if all(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
