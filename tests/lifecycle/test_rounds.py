"""The contract of a round over both stores, and what only one of them has."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from tests.lifecycle.kit import FAST, Ticking, expires
from tests.lifecycle.rounds_contract import RacesContract, RoundsContract
from tests.storage.filesystem.kit import FilesystemKit
from twisted_s3.interfaces import IObjectStore
from twisted_s3.lifecycle.job import LifecycleRounds
from twisted_s3.lifecycle.position import Position, load_position, save_position
from twisted_s3.periodic import Periodic
from twisted_s3.storage.filesystem.store import FilesystemStore
from twisted_s3.storage.memory import MemoryStore


class MemoryTests(RoundsContract, RacesContract, TestCase):
    """In memory."""

    def make_store(self) -> IObjectStore:
        return MemoryStore(Ticking())


class FilesystemTests(FilesystemKit, RoundsContract, RacesContract, TestCase):
    """On files."""

    async def test_files_by_hand(self) -> None:
        """What somebody put there expires by the time of its file, and is replaced by hand as safely as by request."""
        await self.rule(expires())
        self.path("hand").write_bytes(b"1")
        await self.rounds().run()
        self.assertFalse(self.path("hand").exists())

    async def test_notes(self) -> None:
        """They are there for every store of the directory, and the last one counts."""
        self.assertEqual(await load_position(self.store), Position())
        for start in ("a", "\u00e9\n"):
            await save_position(self.store, Position("bucket", start, 1.5))
        other = self.another_store()
        await other.start()
        self.addCleanup(other.stop)
        self.assertEqual(await load_position(other), Position("bucket", "\u00e9\n", 1.5))
        huge = b'{"bucket":"a","start":"","completed":1' + b"0" * 400 + b"}"
        alone = b'{"bucket":"a","start":"\\ud800","completed":1.5}'
        for broken in (b"", b"{", b"[]", b'{"bucket":"a"}', b"null", b"[" * 100_000, huge, alone):
            await self.store.save_note("lifecycle", broken)
            self.assertEqual(await load_position(self.store), Position())

    async def test_one_of_two(self) -> None:
        """Of two that share the directory one does the round, and the other nothing."""
        other = self.another_store()
        await other.start()
        self.addCleanup(other.stop)
        await self.rule(expires())
        for key in ("a", "b", "c"):
            await self.put(key)
        release = await other.take_lease("lifecycle")
        assert release is not None
        first = Periodic(self.rounds(notes=self.store).job(), self.clock, self.store.take_lease)
        first.start()
        await first.stop()
        self.assertEqual(await self.keys(), ["a", "b", "c"])
        release()

        def periodic(store: FilesystemStore) -> Periodic:
            rounds = LifecycleRounds(store, self.clock, FAST, self.tell, store)
            return Periodic(rounds.job(), self.clock, store.take_lease)

        both = [periodic(store) for store in (self.store, other)]
        for one in both:
            one.start()
        while len(self.told) < 3:
            await deferLater(reactor, 0)
        for one in both:
            await one.stop()
        self.assertEqual(await self.keys(), [])
        self.assertEqual(sorted(key for _, key, _ in self.told), ["a", "b", "c"])
