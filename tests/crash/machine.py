"""Episodes: clients at work, the power fails, and what is found is judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from random import Random

import attrs

from tests.crash.checks import check_leftovers, check_life, judge, look, settle
from tests.crash.clients import Client
from tests.crash.inodes import Crash, PowerOff
from tests.crash.simulated import SimulatedDisk
from tests.crash.world import Shape, World, now, open_store, reproducible
from twisted_s3.storage.filesystem.disk import IDisk

#: How often the power fails in an episode.
_ROUNDS = 3
#: In how many ways each of these failures ends.
_ENDS = 4
#: About how many changing calls a deed takes.
_CHANGES_PER_DEED = 10


class Broken(AssertionError):
    """A promise was broken.

    :ivar seed: of the episode, which shows it again.
    :ivar deeds: how much happened in it.
    """

    def __init__(self, seed: int, problem: str, world: World) -> None:
        self.seed = seed
        self.deeds = len(world.log)
        self.problem = problem
        shape = f"{world.shape}, {len(world.stores)} stores"
        super().__init__("\n".join((f"episode {seed}: {problem}", shape, *world.log)))


@attrs.define
class Tally:
    """What a run has seen."""

    episodes: int = 0
    ends: Counter[str] = attrs.field(factory=Counter)

    @property
    def crashes(self) -> int:
        """How many crashes were judged."""
        return sum(self.ends.values())


def run_episode(seed: int, tally: Tally, wrap: Callable[[IDisk], IDisk] = lambda disk: disk) -> None:
    """Run one episode. The same seed gives the same episode.

    :param wrap: what to put around the disk while clients are at work.
    :raise Broken: when a promise was broken.
    """
    random = Random(seed)
    world = World(random, Shape.sample(random))
    try:
        with reproducible(world.baton):
            _Episode(world, tally, wrap).run()
    except AssertionError as error:
        raise Broken(seed, str(error) or "deadlock", world) from error


class _Episode:
    def __init__(self, world: World, tally: Tally, wrap: Callable[[IDisk], IDisk]) -> None:
        self._world = world
        self._random = world.random
        self._tally = tally
        self._wrap = wrap

    def run(self) -> None:
        self._tally.episodes += 1
        self._world.open(self._wrap)
        self._world.make_bucket("alpha", versioned=self._random.random() < 0.4)
        client = Client(self._world, self._world.stores[0], "client 0")
        for _ in range(self._random.randint(0, 3)):
            self._world.run(client.put())
        for _ in range(self._random.randint(1, _ROUNDS)):
            self._work()
            if self._random.random() < 0.25:
                self._kill()
            else:
                self._lose_power()

    def _work(self) -> None:
        """Clients at work, until they are done or the power fails."""
        world, random = self._world, self._random
        world.connect()
        clients, deeds = random.randint(1, 4), random.randint(1, 4)
        if random.random() < 0.85:
            world.disk.crash_after = world.disk.changes + random.randint(0, clients * deeds * _CHANGES_PER_DEED)
        programs = [Client(world, random.choice(world.stores), f"client {n}") for n in range(clients)]
        world.baton.run(*(partial(self._live, client, deeds) for client in programs))
        world.note(f"{world.disk.changes:4} power off" if world.disk.off else f"{world.disk.changes:4} all done")

    def _live(self, client: Client, deeds: int) -> None:
        try:
            for _ in range(deeds):
                now(client.act())
        except PowerOff:
            pass

    def _kill(self) -> None:
        """All processes end; the disk lives on."""
        self._tally.ends["killed"] += 1
        world = self._world
        world.disk.kill()
        world.die()
        world.note("killed")
        world.open(self._wrap)
        judge(world, look(world.stores[0], world.bodies))
        check_leftovers(world.disk)

    def _lose_power(self) -> None:
        """The power is back, in several worlds; go on in the last of them."""
        world = self._world
        for end in reversed(range(_ENDS)):
            crash = Crash.sample(self._random)
            world.note(f"found after {crash.names} {crash.data}:")
            disk = self._recovered(world.disk.power_off(crash), crash)
            self._tally.ends[f"names {crash.names}, data {crash.data}"] += 1
            store = open_store(disk, _at_once, self._wrap)
            now(store.start())
            found = look(store, world.bodies)
            judge(world, found)
            check_leftovers(disk)
            if end:
                if end == 1:
                    check_life(world, store, disk, found)
                world.log.pop()
            else:
                world.use(disk)
                world.open(self._wrap)
                settle(world, found)

    def _recovered(self, disk: SimulatedDisk, crash: Crash) -> SimulatedDisk:
        """The disk when the store starts, which may lose power again while it does."""
        if self._random.random() < 0.2:
            disk.crash_after = disk.changes + self._random.randint(0, 12)
            try:
                now(open_store(disk, _at_once, self._wrap).start())
            except PowerOff:
                return disk.power_off(Crash.sample(self._random))
            disk.crash_after = None
        return disk


def _at_once(job: Callable[[], object]) -> None:
    job()
