"""What is loaded a moment after the start."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_s3.lateloading import LateLoading


class _Reactor(Clock):
    """A clock with threads that only note what they are to do."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: list[Any] = []

    def callInThread(self, *work: Any) -> None:
        """Note it."""
        self.threads.append(work)


class LateLoadingTests(SynchronousTestCase):
    def test_in_threads(self) -> None:
        """What checksums and documents need is loaded, not by the reactor."""
        reactor = _Reactor()
        late = LateLoading(reactor)
        late.start()
        self.assertEqual(reactor.threads, [])
        reactor.advance(1)
        loaded = [set(vars(load(name))) for load, name in reactor.threads]
        self.assertEqual(len(loaded), 2)
        self.assertIn("crc64nvme", loaded[0])
        self.assertIn("XMLParser", loaded[1])
        late.stop()

    def test_stopped_before(self) -> None:
        """Nothing is loaded for a server that is no more, and nothing is left behind."""
        reactor = _Reactor()
        late = LateLoading(reactor)
        late.stop()
        late.start()
        late.stop()
        self.assertEqual(reactor.getDelayedCalls(), [])
        reactor.advance(10)
        self.assertEqual(reactor.threads, [])
