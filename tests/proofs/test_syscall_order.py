"""The system calls of a write, in the order in which they make it durable."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.proofs.strace import parse
from tests.proofs.syscall_order import Check, Episode, OutOfOrder, obstacle, require_order, run


class SyscallOrderTests(SynchronousTestCase):
    def traced(self, *arguments: str) -> tuple[Mapping[str, Episode], Mapping[str, Check]]:
        reason = obstacle()
        if reason is not None:
            raise SkipTest(reason)
        with tempfile.TemporaryDirectory() as directory:
            return run(Path(directory), *arguments)

    def test_every_write_is_durable_before_its_answer(self) -> None:
        episodes, checks = self.traced()
        self.assertGreaterEqual(len(checks), 14)
        for name, check in checks.items():
            check(episodes[name])

    def test_without_syncs_every_write_is_found_out(self) -> None:
        episodes, checks = self.traced("--durability=none")
        for name, check in checks.items():
            with self.assertRaises(OutOfOrder, msg=name):
                check(episodes[name])


class ParseTests(SynchronousTestCase):
    TRACE = (
        '7  pwritev2(3</d/a>, [{iov_base="x) = 1", iov_len=1}], 1, 0, 0) = 1\n'
        "8  fsync(3</d/a> <unfinished ...>\n"
        '7  linkat(AT_FDCWD, "a", 4</d>, "b", 0 <unfinished ...>\n'
        "8  <... fsync resumed>)             = 0\n"
        "7  <... linkat resumed>)            = 0\n"
        "7  fsync(4</d>) = -1 EIO (Input/output error)\n"
        "7  fsync(4</d>) = 0\n"
        "7  --- SIGTERM {si_signo=SIGTERM} ---\n"
        "7  +++ killed by SIGTERM +++\n"
    )

    def test_calls_of_threads_are_put_together(self) -> None:
        found = [(call.name, call.begun, call.ended) for call in parse(self.TRACE)]
        self.assertEqual(found, [("pwritev2", 0, 0), ("fsync", 1, 3), ("linkat", 2, 4), ("fsync", 6, 6)])

    def test_order(self) -> None:
        write, sync, link, folder = parse(self.TRACE)
        require_order([write], [sync], [folder])
        with self.assertRaises(OutOfOrder):
            require_order([sync], [link])
        with self.assertRaises(OutOfOrder):
            require_order([sync, link], [write])
        with self.assertRaises(OutOfOrder):
            require_order([write], [], [folder])
