"""Several servers over one directory are like one, and the judge of that sees every kind of fault.

The long run is ``python -m tests.proofs``.
"""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.proofs.consistency import run
from tests.proofs.history import History, Read, Write, check
from tests.proofs.promises import State


class ConsistencyTests(SynchronousTestCase):
    def test_short_run(self) -> None:
        seed = random.SystemRandom().randrange(10**6)
        with tempfile.TemporaryDirectory() as directory:
            result = run(Path(directory), 5.0, 16, 2, 1, seed)
        self.assertEqual(result.complaints, [], f"seed {seed}")
        self.assertGreater(min(result.writes, result.reads), 50)


class JudgeTests(SynchronousTestCase):
    """Histories that no order explains are found, those that one does are not."""

    one, two = State.of(b"1", {"write": "1"}), State.of(b"2", {"write": "2"})

    def judge(self, writes: list[Write], *reads: Read) -> int:
        history = History()
        history.writes["k"] = writes
        history.reads["k"] = list(reads)
        return len(check([history]))

    def write(self, state: State | None, begun: float, ended: float) -> Write:
        return Write(state, begun, ended, ended)

    def test_explained(self) -> None:
        first, second = self.write(self.one, 1, 3), self.write(self.two, 4, 8)
        reads = [
            Read("early", 0, 1.5, None),
            Read("during", 2, 2.5, self.one),
            Read("between", 3.5, 3.6, {"etag": self.one.etag, "size": 1}),
            Read("old during", 5, 6, self.one),
            Read("new during", 5, 7, self.two),
            Read("after", 9, 10, self.two),
        ]
        self.assertEqual(self.judge([first, second], *reads), 0)

    def test_lost(self) -> None:
        self.assertEqual(self.judge([self.write(self.one, 1, 2)], Read("r", 3, 4, None)), 1)

    def test_stale(self) -> None:
        writes = [self.write(self.one, 1, 2), self.write(self.two, 3, 4)]
        self.assertEqual(self.judge(writes, Read("r", 5, 6, self.one)), 1)
        self.assertEqual(self.judge(writes, Read("r", 5, 6, {"etag": self.one.etag})), 1)

    def test_back_from_the_dead(self) -> None:
        writes = [self.write(self.one, 1, 2), self.write(None, 3, 4)]
        self.assertEqual(self.judge(writes, Read("r", 5, 6, self.one)), 1)

    def test_old_after_new(self) -> None:
        """Though the new one was not acknowledged yet."""
        writes = [self.write(self.one, 1, 2), self.write(self.two, 3, 9)]
        self.assertEqual(self.judge(writes, Read("new", 4, 5, self.two), Read("old", 6, 7, self.one)), 1)

    def test_mixed(self) -> None:
        mixed = State.of(b"1", {"write": "2"})
        writes = [self.write(self.one, 1, 2), self.write(self.two, 1, 2)]
        self.assertEqual(self.judge(writes, Read("r", 3, 4, mixed)), 1)

    def test_from_the_future(self) -> None:
        self.assertEqual(self.judge([self.write(self.one, 5, 6)], Read("r", 1, 2, self.one)), 1)

    def test_two_winners(self) -> None:
        """Of two that asked for nothing, the second can not have seen that."""
        first, second = self.write(self.one, 1, 2), self.write(self.two, 3, 4)
        self.assertEqual(self.judge([first, second], Read("if absent", 3, 4, None, second)), 1)
