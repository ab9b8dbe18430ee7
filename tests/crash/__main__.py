"""The long run: ``python -m tests.crash --crashes 20000 --seed 1``, or ``--mutants`` for the removal of every step."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence

from tests.crash.deeds import Deed
from tests.crash.machine import Broken, Tally, run_episode
from tests.crash.mutants import (
    DEEDS,
    LATE,
    REMOVED,
    REORDERED,
    Mutant,
    deed_to_notice,
    episodes_to_notice,
    find_deeds,
    find_places,
    mutant_of,
)
from tests.crash.reasons import DIRECTED, NEEDLESS


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
    """Try every mutant. Gives how many went unnoticed, and need not."""
    reached = find_deeds()
    mutants: list[tuple[Mutant, Sequence[Deed]]] = [(mutant, DEEDS) for mutant in REORDERED]
    for place in sorted(find_places(80) | set(reached)):
        mutants += [(mutant_of(place, how), reached.get(place, ())) for how in (REMOVED, LATE)]
    outcomes: Counter[str] = Counter()
    for mutant, deeds in mutants:
        outcome, how = _try(mutant, deeds, episodes)
        outcomes[outcome] += 1
        print(f"{outcome:9}  {mutant.name}  ({how})", flush=True)
    print(f"{len(mutants)} mutants:", ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items())))
    return outcomes["UNNOTICED"]


def _try(mutant: Mutant, deeds: Sequence[Deed], episodes: int) -> tuple[str, str]:
    """What became of a mutant, and by what."""
    deed = deed_to_notice(mutant, deeds)
    if deed is not None:
        return "noticed", deed.name
    if mutant.name in DIRECTED:
        return "noticed", DIRECTED[mutant.name]
    if mutant.name in NEEDLESS:
        return "needless", NEEDLESS[mutant.name]
    found = episodes_to_notice(mutant, episodes)
    return ("UNNOTICED", "") if found is None else ("noticed", f"episode {found}")


def main() -> int:
    """Run what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--crashes", type=int, default=20_000, help="how many crashes to judge")
    parser.add_argument("--seed", type=int, default=1, help="of the first episode")
    parser.add_argument("--episode", type=int, help="show this one episode again")
    parser.add_argument("--mutants", type=int, metavar="EPISODES", help="try all mutants, for so many episodes")
    options = parser.parse_args()
    if options.episode is not None:
        run_episode(options.episode, Tally())
        return 0
    if options.mutants is not None:
        return 1 if run_mutants(options.mutants) else 0
    return 1 if run_long(options.crashes, options.seed) else 0


if __name__ == "__main__":
    sys.exit(main())
