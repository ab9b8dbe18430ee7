"""Tests of early write-back."""

from __future__ import annotations

import tempfile

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_s3.storage.filesystem.disk import Access
from twisted_s3.storage.filesystem.realdisk import RealDisk
from twisted_s3.storage.filesystem.writeback import WINDOW, find_start, full_windows


class FullWindowsTests(SynchronousTestCase):
    """What is handed to the kernel, piece by piece."""

    @given(st.lists(st.integers(1, 3 * WINDOW), min_size=1, max_size=20))
    def test_every_window_once(self, lengths: list[int]) -> None:
        at, told = 0, 0
        for length in lengths:
            start, size = full_windows(at, at + length)
            at += length
            if size:
                self.assertEqual(start, told)
                told += size
        self.assertEqual(told, at - at % WINDOW)


class StartTests(SynchronousTestCase):
    """The call itself, and the disk that makes it."""

    def test_call(self) -> None:
        with tempfile.TemporaryFile() as file:
            file.write(b"x" * 100)
            file.flush()
            self.assertIn(find_start()(file.fileno(), 0, 100), (0, None))

    def folder(self) -> str:
        found = tempfile.TemporaryDirectory()
        self.addCleanup(found.cleanup)
        return found.name

    def test_disk(self) -> None:
        told = []
        for syncs in (True, False):
            disk = RealDisk(self.folder(), syncs=syncs)
            self.addCleanup(disk.shut)
            if syncs:
                disk._start_writeback = lambda *args: told.append(args[1:])
            descriptor = disk.open(b"file", Access.NEW)
            self.addCleanup(disk.close, descriptor)
            disk.write(descriptor, 0, [b"a" * (WINDOW - 1)])
            disk.write(descriptor, WINDOW - 1, [b"bc"])
            self.assertEqual(disk.read(descriptor, WINDOW - 2, 3), b"abc")
        self.assertEqual(told, [(0, WINDOW)])
