"""Delivering: in order for each key, again and again, and at last not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from tests.delivery.kit import BUCKET, QUICK, Notes, NotifyingTestCase, fail, refuse, until
from tests.serving import coroutine
from twisted_s3.delivery.deliverer import WINDOW, Patience
from twisted_s3.queueing import BEGINNING, Position
from twisted_s3.storage.filesystem.store import FilesystemStore


def key_of(message: Mapping[str, Any]) -> str:
    """The key that a message tells of."""
    return str(message["Records"][0]["s3"]["object"]["key"])


class DelivererTestCase(NotifyingTestCase):
    timeout = 20
    """Tests with a queue that is filled by hand."""

    targets = ("notes",)

    async def start(self) -> FilesystemStore:
        """Start a store."""
        self.store = self.make_store()
        await self.store.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(self.store.stop()))
        return self.store

    async def queue(self, *keys: str, to: str = "notes") -> None:
        """Queue an event for each key, that is known to have happened."""
        for key in keys:
            record = {"eventName": "e", "s3": {"configurationId": "", "object": {"key": key, "sequencer": ""}}}
            await self.store.events.announce({"to": {to: "c"}, "record": record, "bucket": BUCKET, "key": key})

    async def dead(self) -> list[str]:
        """The keys of the dead letters."""
        letters = await self.store._run(self.store.deliveries.dead, "notes")
        return [key_of(letter.message) for letter in letters]


class Delivering(DelivererTestCase):
    """One deliverer."""

    @coroutine
    async def test_all_in_order(self) -> None:
        """Many more than are held in memory, each once; the cursor follows, and only what is new comes afterwards."""
        await self.start()
        keys = [f"k{number % 7}" for number in range(2 * WINDOW)]
        await self.queue(*keys)
        notes = Notes()
        deliverer = self.deliver(notes)
        await until(lambda: len(notes.got) >= len(keys))
        for key in set(keys):
            ids = [id for id, message in notes.got if key_of(message) == key]
            self.assertEqual(ids, sorted(ids))
            self.assertEqual(len(ids), keys.count(key))
        deliverer.hurry()
        await until(lambda: notes.closed == 1)
        again = Notes()
        self.deliver(again)
        await self.queue("new")
        await until(lambda: bool(again.got))
        self.assertEqual([key for _, key in again.events()], ["new"])

    @coroutine
    async def test_order_through_failures(self) -> None:
        """An event that fails holds up its own key, and no other."""
        await self.start()
        notes = Notes()
        failures = 3

        def answer(message: Mapping[str, Any]) -> None:
            nonlocal failures
            if key_of(message) == "a" and failures:
                failures -= 1
                raise OSError("not now")

        notes.answer = answer
        await self.queue("a", "b", "a", "b", "a")
        self.deliver(notes)
        await until(lambda: len(notes.got) == 5)
        ids = {key: [id for id, message in notes.got if key_of(message) == key] for key in "ab"}
        self.assertEqual([len(ids["a"]), len(ids["b"])], [3, 2])
        self.assertEqual(ids["a"], sorted(ids["a"]))
        self.assertEqual(notes.tried.count(ids["a"][0]), 4)

    @coroutine
    async def test_several_at_once(self) -> None:
        """So many as the target takes are under way at once, of one key never two."""
        await self.start()
        waiting: list[Deferred[None]] = []
        notes = Notes(concurrency=3)

        def answer(message: Mapping[str, Any]) -> Deferred[None]:
            waiting.append(Deferred())
            return waiting[-1]

        notes.answer = answer
        await self.queue("a", "a", "b", "c", "d")
        self.deliver(notes)
        await until(lambda: len(waiting) == 3)
        self.assertEqual(len(set(notes.tried)), 3)
        self.assertEqual(notes.got, [])
        answered = 0
        while len(notes.got) < 5:
            await until(lambda done=answered: len(waiting) > done or len(notes.got) == 5)
            if answered < len(waiting):
                waiting[answered].callback(None)
                answered += 1
        self.assertEqual(len(waiting), 5)

    @coroutine
    async def test_refused(self) -> None:
        """What the target will never take is a dead letter at once, and the next one of the key comes."""
        await self.start()
        notes = Notes()
        notes.answer = lambda message: refuse(message) if key_of(message) == "bad" else None
        await self.queue("bad", "good")
        self.deliver(notes)
        await until(lambda: len(notes.got) == 1)
        # Which of the two is dealt with first is open.
        while not (dead := await self.dead()):
            await deferLater(reactor, 0.01)
        self.assertEqual(dead, ["bad"])

    @coroutine
    async def test_given_up(self) -> None:
        """So is what has failed for too long."""
        await self.start()
        notes = Notes()
        notes.answer = fail
        await self.queue("k")
        self.deliver(notes, patience=Patience(poll=0.01, first=0.02, longest=0.02, give_up=0.05, grace=0.5))
        while await self.dead() != ["k"]:
            pass
        (letter,) = await self.store._run(self.store.deliveries.dead, "notes")
        self.assertGreaterEqual(letter.attempts, 2)
        self.assertEqual(letter.problem, "not now")

    @coroutine
    async def test_dead_letters_again(self) -> None:
        """A dead letter that is tried again is delivered, or is dead again."""
        await self.start()
        notes = Notes()
        notes.answer = refuse
        await self.queue("one", "two")
        self.deliver(notes)
        while len(await self.dead()) < 2:
            pass
        notes.answer = lambda message: refuse(message) if key_of(message) == "two" else None
        tried = len(notes.tried)
        for letter in await self.store._run(self.store.deliveries.dead, "notes"):
            self.assertTrue(await self.store._run(self.store.deliveries.retry, "notes", letter.name))
        await until(lambda: len(notes.tried) == tried + 2)
        while await self.store.events.again("notes"):
            pass
        self.assertEqual([key for _, key in notes.events()], ["one"])
        self.assertEqual(await self.dead(), ["two"])

    @coroutine
    async def test_ends_while_a_dead_letter_waits(self) -> None:
        """A target that does not answer to a dead letter does not keep the deliverer from its end either."""
        await self.start()
        notes = Notes()
        notes.answer = refuse
        await self.queue("k")
        deliverer = self.deliver(notes)
        while not await self.dead():
            pass
        notes.answer = lambda message: Deferred()
        (letter,) = await self.store._run(self.store.deliveries.dead, "notes")
        await self.store._run(self.store.deliveries.retry, "notes", letter.name)
        await until(lambda: len(notes.tried) == 2)
        deliverer.hurry()
        await until(lambda: notes.closed == 1)
        other = Notes()
        self.deliver(other)
        await until(lambda: len(other.got) == 1)

    @coroutine
    async def test_a_large_queue(self) -> None:
        """However large the queue may be, places in it can be noted."""
        self.root = Path(self.enterContext(TemporaryDirectory())) / "data"
        self.store = FilesystemStore(self.root, reactor, durable=False, threads=4, event_limit=1 << 45)
        await self.store.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(self.store.stop()))
        await self.queue("one")
        (segment,) = (self.root / ".s3store/events/log").iterdir()
        with segment.open("r+b") as file:
            file.truncate(5 << 30)
        await self.queue("two")
        last = (await self.store.events.read(Position(int(segment.name) + 1))).lines[-1]
        self.assertEqual(Position.of(str(last.position)), last.position)

    @coroutine
    async def test_target_down(self) -> None:
        """A target that is down is asked one event at a time, less and less often; then all comes."""
        await self.start()
        notes = Notes()
        notes.answer = fail
        await self.queue(*(f"k{number}" for number in range(20)))
        self.deliver(notes)
        await until(lambda: len(notes.tried) > 12)
        self.assertEqual(notes.got, [])
        notes.answer = lambda message: None
        await until(lambda: len(notes.got) == 20)

    @coroutine
    async def test_others_lines(self) -> None:
        """What is for others is passed over, and does not keep the log from being trimmed."""
        await self.start()
        await self.queue("k", to="others")
        notes = Notes()
        self.deliver(notes)
        while await self.store.events.cursor("notes") == BEGINNING:
            pass
        self.assertEqual(notes.tried, [])

    @coroutine
    async def test_ends_while_waiting(self) -> None:
        """A target that never answers does not keep the deliverer from its end; the event stays."""
        await self.start()
        notes = Notes()
        notes.answer = lambda message: Deferred()
        await self.queue("k")
        deliverer = self.deliver(notes, patience=Patience(poll=0.01, grace=0.01))
        await until(lambda: bool(notes.tried))
        deliverer.hurry()
        await until(lambda: notes.closed == 1)
        other = Notes()
        self.deliver(other)
        await until(lambda: len(other.got) == 1)


class Queue(DelivererTestCase):
    """The log itself."""

    @coroutine
    async def test_full(self) -> None:
        """With too much in the log the oldest goes, and the deliverer goes on with what there is."""
        root = self.make_store()
        await root.stop()
        self.store = FilesystemStore(self.root, root._reactor, durable=False, threads=2, event_limit=1)
        await self.store.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(self.store.stop()))
        notes = Notes()
        notes.answer = fail
        await self.queue("first")
        deliverer = self.deliver(notes)
        await until(lambda: bool(notes.tried))
        deliverer.hurry()
        await until(lambda: notes.closed == 1)
        # Segments of 4 KiB, of which there are sixteen at most.
        await self.queue(*(f"{number:03d}" + "x" * 700 for number in range(120)))
        notes.answer = lambda message: None
        self.deliver(notes)
        await until(lambda: bool(notes.got) and key_of(notes.got[-1][1]).startswith("119"))
        keys = [key_of(message) for _, message in notes.got]
        self.assertNotIn("first", keys)
        self.assertLess(len(keys), 120)
        self.assertEqual([key[:3] for key in keys[-40:]], [f"{number:03d}" for number in range(80, 120)])

    @coroutine
    async def test_trimmed(self) -> None:
        """What all have is removed."""
        root = self.make_store()
        await root.stop()
        self.store = FilesystemStore(self.root, root._reactor, durable=False, threads=2, event_limit=1)
        await self.store.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(self.store.stop()))
        await self.queue(*("x" * 700 for _ in range(30)))
        log = self.root / ".s3store/events/log"
        self.assertGreater(len(list(log.iterdir())), 3)
        self.deliver(Notes(), patience=QUICK)
        await until(lambda: len(list(log.iterdir())) == 1)

    @coroutine
    async def test_torn(self) -> None:
        """A line that was torn off is passed over."""
        await self.start()
        await self.queue("one")
        (segment,) = (self.root / ".s3store/events/log").iterdir()
        with segment.open("ab") as file:
            file.write(b'12345678 {"to":')
        await self.queue("two")
        notes = Notes()
        self.deliver(notes)
        await until(lambda: len(notes.got) == 2)
        self.assertEqual([key for _, key in notes.events()], ["one", "two"])

    def test_positions(self) -> None:
        """Positions sort as their texts do."""
        for text in ("0000000100000002", "6A00000000001000"):
            self.assertEqual(str(Position.of(text)), text)
        self.assertLess(Position(1, 2**31), Position(2, 0))
        self.assertRaises(ValueError, Position.of, "1")
