"""How a round goes: page by page, at a pace, broken off and resumed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.lifecycle.kit import ALL, FAST, RoundsKit, Ticking, expires, rests
from tests.protocol.lifecycle.making import lifecycle, rule
from tests.storage.kit import BUCKET, OTHER
from twisted_s3.errors import S3Error
from twisted_s3.interfaces import IObjectStore
from twisted_s3.lifecycle.job import Pace
from twisted_s3.lifecycle.position import PassingNotes, load_position
from twisted_s3.lifecycle.scanning import Look
from twisted_s3.model import ENABLED, ListedVersion, ObjectVersion
from twisted_s3.operations.configuration import LIFECYCLE
from twisted_s3.protocol.lifecycle.evaluation import DAY, Calendar
from twisted_s3.storage.memory import MemoryStore

KEYS = [f"k{number:03}" for number in range(100)]


class PaceCase(RoundsKit, TestCase):
    """A store in memory, and rounds that stop at the clock."""

    def make_store(self) -> IObjectStore:
        return MemoryStore(Ticking())

    async def filled(self) -> None:
        """Many keys, all due."""
        await self.rule(expires())
        for key in KEYS:
            await self.put(key)


class Rounds(PaceCase):
    """Broken off, resumed, not repeated for nothing."""

    async def test_pages(self) -> None:
        """Small pages come to the same."""
        for examined in (1, 3, 1000):
            await self.filled()
            await self.rounds(Pace(rate=0, examined=examined)).run()
            self.assertEqual(await self.keys(), [])
        self.assertEqual([key for _, key, _ in self.told], KEYS * 3)

    async def test_many_versions(self) -> None:
        """More versions of one key than a page holds, some of them locked."""
        await self.versioning(ENABLED)
        await self.rule(rests())
        made = [(await self.put("a")).version_id for _ in range(700)]
        await self.put("b")
        await self.put("b")
        await self.rounds().run()
        self.assertEqual(await self.ids("a"), made[-1:])
        self.assertEqual(len(await self.ids("b")), 1)

    async def test_rate(self) -> None:
        """So many changes in a second, and no more."""
        await self.filled()
        running = Deferred.fromCoroutine(self.rounds(Pace(rate=32.0)).run())
        counts = []
        for _ in range(4):
            counts.append(len(self.told))
            self.clock.advance(1.0)
        await running
        self.assertEqual(counts, [32, 64, 96, 100])

    async def test_looking_rests(self) -> None:
        """After a look there is a rest that is as long."""
        clock = self.clock

        class Slow(MemoryStore):
            async def list_versions(self, bucket: str, page: Any) -> Any:
                clock.advance(5.0)
                return await super().list_versions(bucket, page)

        slow = Slow(clock)
        vars(slow).update(vars(self.store))
        await self.filled()
        running = Deferred.fromCoroutine(self.rounds(store=slow).run())
        self.clock.advance(4.9)
        self.assertEqual(self.told, [])
        self.clock.advance(0.2)
        await running
        self.assertEqual(len(self.told), 100)

    async def test_broken_off_and_resumed(self) -> None:
        """The next one goes on where the last one was, in another process as well."""
        await self.filled()
        await self.rule(expires(), bucket=OTHER)
        await self.put("x", bucket=OTHER)
        notes = PassingNotes()
        first = self.rounds(Pace(rate=32.0, examined=80), notes=notes)
        running = Deferred.fromCoroutine(first.run())
        for _ in range(3):
            self.clock.advance(1.0)
        first.hurry()
        await running
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertLess(len(self.told), 100)
        position = await load_position(notes)
        self.assertEqual(position.bucket, BUCKET)
        self.assertTrue("k000" < position.start <= await self.first(), position)
        # What lies before is not looked at again before the next round.
        await self.put("before")
        await self.rounds(FAST, notes=notes).run()
        self.assertEqual(await self.keys(), ["before"])
        self.assertEqual(await self.keys(bucket=OTHER), [])
        self.assertEqual((await load_position(notes)).completed, self.clock.seconds())

    async def first(self) -> str:
        """The first key."""
        return (await self.keys())[0]

    async def test_one_round_in_an_interval(self) -> None:
        """Who comes after another that has just been through does nothing."""
        await self.filled()
        notes = PassingNotes()
        await self.rounds(notes=notes).run()
        await self.put("new")
        await self.rounds(notes=notes).run()
        self.assertEqual(await self.keys(), ["new"])
        self.clock.advance(FAST.between)
        await self.rounds(notes=notes).run()
        self.assertEqual(await self.keys(), [])

    async def test_one_key_fails(self) -> None:
        """What goes wrong with one key is logged, and the others have their turn."""

        class Failing(MemoryStore):
            async def delete_object(self, bucket: str, key: str, *args: Any, **kw: Any) -> Any:
                if key == "k050":
                    raise S3Error("InternalError")
                return await super().delete_object(bucket, key, *args, **kw)

        failing = Failing(self.clock)
        vars(failing).update(vars(self.store))
        await self.filled()
        await self.rounds(store=failing).run()
        self.assertEqual(await self.keys(), ["k050"])
        self.assertEqual(len(self.flushLoggedErrors(S3Error)), 1)

    async def test_one_bucket_fails(self) -> None:
        """A document that nobody can read keeps no other bucket from its round."""
        await self.store.put_configuration(BUCKET, LIFECYCLE.name, b"<broken")
        await self.rule(expires(), bucket=OTHER)
        await self.put("x", bucket=OTHER)
        await self.rounds().run()
        self.assertEqual(await self.keys(bucket=OTHER), [])
        self.assertEqual(len(self.flushLoggedErrors(S3Error)), 1)

    async def test_short_days(self) -> None:
        """A day can last as long as one likes."""
        await self.rule(expires(5))
        await self.put("a")
        now = (await self.store.head_object(BUCKET, "a")).last_modified
        clock = Clock()
        clock.advance(now + 49.0)
        self.clock = clock
        pace = Pace(day=10.0, rate=0)
        await self.rounds(pace).run()
        self.assertEqual(await self.keys(), ["a"])
        clock.advance(1.0)
        await self.rounds(pace).run()
        self.assertEqual(await self.keys(), [])

    def test_between(self) -> None:
        """Rounds are an interval apart, or less where days are short."""
        self.assertEqual(Pace().between, 3600.0)
        self.assertEqual(Pace(interval=60.0).between, 60.0)
        self.assertEqual(Pace(day=10.0).between, 1.0)


@attrs.define
class Walk:
    """Keys with one version each, and which of them were looked at."""

    names: Sequence[str]
    met: list[str] = attrs.field(factory=list)

    def keys(self, start: str) -> Any:
        """Those from a start on."""
        for name in sorted(self.names):
            if name >= start:
                self.met.append(name)
                yield name

    def versions(self, key: str, behind: str | None = None) -> Any:
        """The only one."""
        return iter([ListedVersion(ObjectVersion(key, 0, "e", 0.0), True)])


class Looks(SynchronousTestCase):
    """What a look goes past."""

    def test_prefixes(self) -> None:
        """It goes from prefix to prefix, and meets one key between them."""
        names = [f"{letter}/{number}" for letter in "abcdef" for number in range(10)]
        walk = Walk(names)
        scopes = [f"<Filter><Prefix>{prefix}</Prefix></Filter>" for prefix in ("b/", "e/", "e/1", "zz")]
        rules = lifecycle(*(rule(expires(), scope) for scope in scopes), rule(expires(), ALL, status="Disabled"))
        page = Look(rules, False, 10 * DAY, Calendar()).page(walk, "")
        keys = [task.place.version.key for task in page.tasks]
        self.assertEqual(keys, [name for name in names if name[0] in "be"])
        self.assertIsNone(page.next)
        self.assertEqual(len(walk.met), 20 + 3)
