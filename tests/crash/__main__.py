"""The long run: ``python -m tests.crash --crashes 20000 --seed 1``, or ``--mutants`` for the removal of every step."""

from __future__ import annotations

import argparse
import sys
import time

from tests.crash.machine import Broken, Tally, run_episode
from tests.crash.mutants import LATE, REMOVED, REORDERED, Mutant, episodes_to_notice, find_places, mutant_of


def run_long(crashes: int, seed: int) -> int:
    """Run episodes from ``seed`` on until so many crashes were judged. Gives how many episodes broke a promise."""
    tally, broken = Tally(), []
    begun = time.monotonic()
    while tally.crashes < crashes:
        try:
            run_episode(seed + tally.episodes, tally)
        except Broken as found:
            broken.append(found)
            print(found, flush=True)
        if tally.episodes % 200 == 0:
            print(f"{tally.episodes} episodes, {tally.crashes} crashes, {len(broken)} broken", flush=True)
    print(f"\n{tally.episodes} episodes from seed {seed}, {tally.crashes} crashes, {time.monotonic() - begun:.0f} s")
    for end, count in sorted(tally.ends.items()):
        print(f"  {end}: {count}")
    print(f"{len(broken)} episodes broke a promise")
    if broken:
        print("the shortest:", min(broken, key=lambda found: found.deeds), sep="\n")
    return len(broken)


def run_mutants(episodes: int) -> int:
    """Try every mutant. Gives how many went unnoticed."""
    mutants: list[Mutant] = list(REORDERED)
    for place in sorted(find_places(80)):
        mutants += [mutant_of(place, REMOVED), mutant_of(place, LATE)]
    unnoticed = 0
    for mutant in mutants:
        noticed = episodes_to_notice(mutant, episodes)
        unnoticed += noticed is None
        print(f"{'UNNOTICED' if noticed is None else noticed:>9}  {mutant.name}", flush=True)
    print(f"{unnoticed} of {len(mutants)} mutants went unnoticed in {episodes} episodes")
    return unnoticed


def main() -> int:
    """Run what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--crashes", type=int, default=20_000, help="how many crashes to judge")
    parser.add_argument("--seed", type=int, default=1, help="of the first episode")
    parser.add_argument("--episode", type=int, help="show this one episode again")
    parser.add_argument("--mutants", type=int, metavar="EPISODES", help="try all mutants, each for so many episodes")
    options = parser.parse_args()
    if options.episode is not None:
        run_episode(options.episode, Tally())
        return 0
    if options.mutants is not None:
        run_mutants(options.mutants)
        return 0
    return 1 if run_long(options.crashes, options.seed) else 0


if __name__ == "__main__":
    sys.exit(main())
