"""The look for damage in the background: its rate, its end, and where it goes on."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import TestCase

from tests.storage.filesystem.test_scrub import ScrubKit, flip
from tests.storage.kit import pattern
from twisted_s3.storage.filesystem.scrubber import Scrubber

RATE = 1 << 20
DAY = 86400.0


class ScrubberTests(ScrubKit, TestCase):
    async def setUp(self) -> None:
        await super().setUp()
        self.clock = Clock()
        self.clock.advance(1e9)
        self.events: list[Any] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)
        for key in "abcdefgh":
            await self.put(key, pattern(2 << 20))

    def scrubber(self, deep: bool = True) -> Scrubber:
        return self.store.scrubber(self.clock, deep, RATE, DAY)

    async def until(self, done: Deferred[Any], seconds: float = 1e9) -> float:
        """Let so many seconds pass while it works, or as many as it takes. Gives how many that were."""
        began = self.clock.seconds()
        while not done.called and self.clock.seconds() < began + seconds:
            # What is under way in a thread takes no time on this clock.
            await self.idle()
            if self.clock.getDelayedCalls():
                self.clock.advance(0.5)
            await deferLater(reactor, 0)
        return self.clock.seconds() - began

    def record(self) -> Any:
        return json.loads((self.root / ".s3store/scrub.json").read_bytes())

    async def test_rate_and_end(self) -> None:
        flip(self.path("c"), 1 << 20)
        done = Deferred.fromCoroutine(self.scrubber().run())
        seconds = await self.until(done)
        self.assertTrue(16 <= seconds <= 20, seconds)
        record = self.record()
        self.assertEqual((record["files"], record["read"], record["damaged"]), (10, 16 << 20, 1))
        (error,) = (event for event in self.events if "finding" in event)
        self.assertEqual((error["finding"]["key"], error["problem"]), ("c", "bytes"))
        # Nothing to do before the time has come; then everything again.
        await self.until(Deferred.fromCoroutine(self.scrubber().run()))
        self.assertEqual(self.record(), record)
        self.clock.advance(DAY)
        await self.until(Deferred.fromCoroutine(self.scrubber().run()))
        self.assertGreater(self.record()["began"], record["ended"])
        self.assertEqual(self.record()["files"], 10)

    async def test_resumed(self) -> None:
        first = self.scrubber()
        done = Deferred.fromCoroutine(first.run())
        await self.until(done, 7.0)
        first.hurry()
        await self.until(done)
        record = self.record()
        self.assertTrue(0 < record["read"] < 16 << 20)
        self.assertEqual(record["ended"], 0.0)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        await self.until(Deferred.fromCoroutine(self.scrubber().run()))
        after = self.record()
        self.assertEqual((after["began"], after["ended"] > 0), (record["began"], True))
        # The file in the middle of which it ended is read again.
        self.assertTrue(16 << 20 <= after["read"] <= 18 << 20)

    async def test_nonsense_for_a_record(self) -> None:
        typed = b'{"position": {}, "began": "0"}'
        for nonsense in (b"", b"[]", b"{}", b'{"a": 1}', b'"position"', b'{"position": 7}', b"[" * 100_000, typed):
            (self.root / ".s3store/scrub.json").write_bytes(nonsense)
            began = self.clock.seconds()
            await self.until(Deferred.fromCoroutine(self.scrubber(deep=False).run()))
            found = self.record()
            self.assertEqual((found["files"], found["read"], found["began"] >= began), (10, 0, True))
