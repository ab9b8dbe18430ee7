"""The ordered walk, and the snapshots of directories that it goes through."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.python.components import proxyForInterface
from twisted.trial.unittest import SynchronousTestCase

from twisted_s3.protocol.listing import list_page
from twisted_s3.protocol.walks import KeyWalk
from twisted_s3.storage.filesystem.disk import IDisk, Kind, Stat
from twisted_s3.storage.filesystem.layout import BucketLayout
from twisted_s3.storage.filesystem.listing import DirectorySnapshots, key_walk
from twisted_s3.storage.filesystem.realdisk import RealDisk

#: Later than any change in these tests.
FAR_FUTURE = 1e11

OVERFLOW = BucketLayout("bucket").overflow.base


class WatchedDisk(proxyForInterface(IDisk, "disk")):  # type: ignore[misc]
    """A disk that tells which directories were read, calls hooks before and after, and can lie about times."""

    disk: RealDisk

    def __init__(self, disk: RealDisk) -> None:
        super().__init__(disk)
        self.scanned: list[bytes] = []
        self.asked: list[bytes] = []
        self.before_scan: Callable[[bytes], object] = lambda path: None
        self.after_scan: Callable[[bytes], object] = lambda path: None
        self.changed_at_ns: int | None = None

    def scan(self, path: bytes) -> Sequence[tuple[bytes, Kind]]:
        self.scanned.append(path)
        self.before_scan(path)
        found = self.disk.scan(path)
        self.after_scan(path)
        return found

    def stat(self, path: bytes) -> Stat:
        self.asked.append(path)
        found = self.disk.stat(path)
        return found if self.changed_at_ns is None else found._replace(ctime_ns=self.changed_at_ns)


class WithTree(SynchronousTestCase):
    """A bucket on a real disk."""

    def setUp(self) -> None:
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)
        real = RealDisk(self.root)
        self.addCleanup(real.shut)
        self.disk = WatchedDisk(real)
        self.clock = Clock()
        self.layout = BucketLayout("bucket")
        self.snapshots = DirectorySnapshots(self.disk, self.clock)

    def settle(self) -> None:
        """Let the clock be far enough for snapshots to be kept, and the filesystem's for changes to show."""
        self.clock.rightNow = FAR_FUTURE
        newest = max(os.stat(folder).st_ctime_ns for folder, _, _ in os.walk(self.root))
        with tempfile.NamedTemporaryFile(dir=self.root) as probe:
            while os.stat(probe.name).st_ctime_ns <= newest:
                os.utime(probe.name)

    def put(self, *keys: str) -> None:
        for key in keys:
            path = self.layout.tree.path(key)
            assert path is not None, key
            self.make(path)

    def overflow(self, *keys: str) -> None:
        for key in keys:
            self.make(self.layout.overflow.path(key))

    def make(self, path: bytes) -> None:
        whole = os.path.join(os.fsencode(self.root), path)
        os.makedirs(os.path.dirname(whole), exist_ok=True)
        with open(whole, "xb"):
            pass

    def path(self, *names: str) -> str:
        return os.path.join(self.root, "bucket", *names)

    def walk(self) -> KeyWalk:
        return key_walk(self.snapshots, self.layout.tree, self.layout.overflow)

    def keys(self, start: str = "", limit: int | None = None) -> list[str]:
        return list(islice(self.walk()(start), limit))


class WalkTests(WithTree):
    """Which keys are given, and in what order."""

    def test_directory_sorts_with_its_slash(self) -> None:
        self.put("b", "a/z", "a.txt", "a-b", "a0", "a/b/c", "a/b.c")
        self.assertEqual(self.keys(), ["a-b", "a.txt", "a/b.c", "a/b/c", "a/z", "a0", "b"])

    def test_start(self) -> None:
        self.put("a-b", "a/b", "a/d/e", "b/c", "c")
        for start, expected in (
            ("a/b", ["a/b", "a/d/e", "b/c", "c"]),
            ("a/b\0", ["a/d/e", "b/c", "c"]),
            ("a/", ["a/b", "a/d/e", "b/c", "c"]),
            ("a", ["a-b", "a/b", "a/d/e", "b/c", "c"]),
            ("a/d", ["a/d/e", "b/c", "c"]),
            ("a/d/f", ["b/c", "c"]),
            ("a//", ["a/b", "a/d/e", "b/c", "c"]),
            ("a/d/e/f", ["b/c", "c"]),
            ("b/d", ["c"]),
            ("c/", []),
            ("\U0010ffff", []),
        ):
            self.assertEqual(self.keys(start), expected, start)

    def test_code_points_are_the_order(self) -> None:
        keys = ["\U00010000", "\uffff", "\ue000", "é", "z", "Z", "\x7f", "\x01", "e\u0301"]
        self.put(*keys)
        self.assertEqual(self.keys(), sorted(keys, key=str.encode))

    def test_groups_look_at_each_folder_once(self) -> None:
        """A page begins a walk behind each group, but goes the way to there only once."""
        self.put(*(f"d/{group}/e/{number}" for group in "abc" for number in range(3)), "d/b/x", "e/x")
        self.settle()
        for _ in range(2):
            self.disk.asked.clear()
            page = list_page(self.walk(), "d/", "/", "", 1000)
            self.assertEqual(page.common_prefixes, ("d/a/", "d/b/", "d/c/"))
            self.assertFalse(page.is_truncated)
            below = [f"bucket/d/{group}{rest}".encode() for group in "abc" for rest in ("", "/e")]
            self.assertEqual(set(self.disk.asked), {b"bucket", b"bucket/d", *below, b"bucket/e", OVERFLOW})
        # The first time there was no snapshot yet.
        self.assertEqual(len(self.disk.asked), len(set(self.disk.asked)))

    def test_a_walk_begun_again_anywhere(self) -> None:
        """What a walk knows of the way it went says nothing wrong of any other."""
        self.put("a/b/c", "a/b/d", "a/bc", "b/c", "c")
        self.overflow("a/", "b")
        everything = self.keys()
        walk = self.walk()
        for start in ("", "a/b/d", "a/b", "b/c", "a/b/c", "c", "a/bc", "b", "a/b/c\0", ""):
            for limit in (None, 1, 2):
                expected = [key for key in everything if key >= start][:limit]
                self.assertEqual(list(islice(walk(start), limit)), expected, start)

    def test_overflow_is_merged(self) -> None:
        self.put("a/b", "b", "c/d")
        long = "b/" + "x" * 1000
        self.overflow("a", "a/", long, "c", "c/d/e", "//")
        self.assertEqual(self.keys(), ["//", "a", "a/", "a/b", "b", long, "c", "c/d", "c/d/e"])
        self.assertEqual(self.keys("a/b\0"), ["b", long, "c", "c/d", "c/d/e"])
        self.assertEqual(self.keys(long), [long, "c", "c/d", "c/d/e"])
        self.assertEqual(self.keys(long + "\0"), ["c", "c/d", "c/d/e"])

    def test_key_in_both_places_is_given_once(self) -> None:
        self.put("a", "b", "c")
        self.overflow("b", "c")
        self.assertEqual(self.keys(), ["a", "b", "c"])

    def test_long_overflow_keys(self) -> None:
        keys = ["x" * size for size in (119, 120, 121, 239, 240, 241, 1023, 1024)]
        keys += [key[:-1] + "y" for key in keys] + ["/"]
        self.overflow(*keys)
        for start in ("", *keys, *(key + "\0" for key in keys)):
            self.assertEqual(self.keys(start), sorted(key for key in keys if key >= start))

    def test_our_names_in_a_bucket_are_keys(self) -> None:
        self.put(".s3store/staging/x", ".s3store2", "overflow/61", "...")
        self.assertEqual(self.keys(), ["...", ".s3store/staging/x", ".s3store2", "overflow/61"])

    def test_empty_directories_give_nothing(self) -> None:
        os.makedirs(self.path("a/b/c"))
        os.makedirs(self.path("d"))
        self.put("c")
        self.assertEqual(self.keys(), ["c"])

    def test_no_bucket_gives_nothing(self) -> None:
        self.assertEqual(self.keys(), [])
        self.make(b"bucket")
        self.assertEqual(self.keys(), [])

    def test_only_regular_files(self) -> None:
        self.put("dir/file", "file")
        os.makedirs(os.path.join(self.root, "outside"))
        self.make(b"outside/secret")
        os.symlink("../outside", self.path("link-to-directory"))
        os.symlink("../outside/secret", self.path("link-to-file"))
        os.symlink("nowhere", self.path("dangling"))
        os.mkfifo(self.path("fifo"))
        os.mknod(self.path("not-utf8-\udcff"))
        os.makedirs(self.path("dir-\udcfe/x"))
        self.assertEqual(self.keys(), ["dir/file", "file"])

    def test_bucket_that_is_a_link_gives_nothing(self) -> None:
        self.make(b"elsewhere/x")
        os.symlink("elsewhere", self.path())
        self.assertEqual(self.keys(), [])

    def test_directory_that_becomes_a_link_gives_nothing(self) -> None:
        self.put("a/x", "b/x", "c/x")
        self.make(b"elsewhere/y")
        walk = self.walk()("")
        self.assertEqual(next(walk), "a/x")
        shutil.rmtree(self.path("b"))
        os.symlink("../elsewhere", self.path("b"))
        self.assertEqual(list(walk), ["c/x"])

    def test_strange_overflow_names(self) -> None:
        self.overflow("a")
        for name in (b"6", b"zz", b"6A", b"61+", b"ff", b"63+/62", b"62.tmp", b"61" * 120 + b"+/zz", b"\xff"):
            self.make(self.layout.overflow.base + b"/" + name)
        self.assertEqual(self.keys(), ["a"])

    def test_paths_longer_than_a_key(self) -> None:
        fitting = "/".join(["d" * 255] * 4 + ["f"])
        self.assertEqual(len(fitting), 1025)
        self.put(fitting[1:], "e")
        self.make(b"bucket/" + b"/".join([b"d" * 255] * 4 + [b"ff"]))
        at = os.open(self.root, os.O_RDONLY)
        for _ in range(20):
            os.mkdir("z" * 255, dir_fd=at)
            below = os.open("z" * 255, os.O_RDONLY, dir_fd=at)
            os.close(at)
            at = below
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=at))
        os.close(at)
        os.rename(os.path.join(self.root, "z" * 255), self.path("z" * 255))
        self.assertEqual(self.keys(), [fitting[1:], "e"])

    def test_directory_that_vanishes(self) -> None:
        self.put("a/1", "a/2", "b/1", "c/1")
        walk = self.walk()("")
        self.assertEqual(next(walk), "a/1")
        shutil.rmtree(self.path("b"))
        self.assertEqual(list(walk), ["a/2", "c/1"])

    def test_directory_that_vanishes_before_it_is_read(self) -> None:
        self.put("a/1", "b/1")
        self.disk.before_scan = lambda path: path.endswith(b"/a") and shutil.rmtree(self.path("a"))
        self.assertEqual(self.keys(), ["b/1"])

    def test_directory_that_can_not_be_read(self) -> None:
        def fail(path: bytes) -> None:
            if path.endswith(b"/b"):
                raise OSError(5, "bad sector")

        self.put("a/1", "b/1")
        self.disk.before_scan = fail
        walk = self.walk()("")
        self.assertEqual(next(walk), "a/1")
        with self.assertRaises(OSError):
            next(walk)

    def test_deep_tree(self) -> None:
        keys = ["/".join("d" * depth) for depth in (511, 510)]
        self.put(keys[0] + "/x", keys[1] + "/y")
        self.assertEqual(self.keys(), sorted((keys[0] + "/x", keys[1] + "/y")))
        self.assertEqual(self.keys(keys[0] + "/y"), [keys[1] + "/y"])


class LazyTests(WithTree):
    """Only what is needed is read."""

    def setUp(self) -> None:
        super().setUp()
        self.put(*(f"{letter}/{number}" for letter in "abcdef" for number in range(3)))

    def test_nothing_before_the_start_is_read(self) -> None:
        self.assertEqual(self.keys("e/2"), ["e/2", "f/0", "f/1", "f/2"])
        self.assertEqual(self.disk.scanned, [b"bucket", b"bucket/e", b"bucket/f"])

    def test_nothing_after_the_page_is_read(self) -> None:
        self.assertEqual(self.keys("", limit=4), ["a/0", "a/1", "a/2", "b/0"])
        self.assertEqual(self.disk.scanned, [b"bucket", b"bucket/a", b"bucket/b"])

    def test_start_in_a_missing_directory(self) -> None:
        self.assertEqual(self.keys("d5/x", limit=1), ["e/0"])
        self.assertEqual(self.disk.scanned, [b"bucket", b"bucket/e"])

    def test_walk_itself_reads_nothing(self) -> None:
        self.walk()("")
        self.assertEqual(self.disk.scanned, [])


class SnapshotTests(WithTree):
    """Listings are kept while they are true, and no longer."""

    def test_pages_cost_one_scan(self) -> None:
        self.put(*(f"{number:03}" for number in range(100)))
        self.settle()
        found: list[str] = []
        while page := self.keys(found[-1] + "\0" if found else "", limit=7):
            found += page
        self.assertEqual(found, [f"{number:03}" for number in range(100)])
        self.assertEqual(self.disk.scanned, [b"bucket"])

    def test_every_change_shows(self) -> None:
        self.put("a", "b", "d/x")
        for change, expected in (
            (lambda: self.put("c"), ["a", "b", "c", "d/x"]),
            (lambda: os.unlink(self.path("a")), ["b", "c", "d/x"]),
            (lambda: os.rename(self.path("b"), self.path("e")), ["c", "d/x", "e"]),
            (lambda: self.put("d/y"), ["c", "d/x", "d/y", "e"]),
            (lambda: shutil.rmtree(self.path("d")), ["c", "e"]),
            (lambda: self.put("d"), ["c", "d", "e"]),
            (lambda: shutil.rmtree(self.path()), []),
            (lambda: self.put("new"), ["new"]),
        ):
            self.settle()
            self.keys()
            change()
            self.assertEqual(self.keys(), expected)

    def test_directory_that_is_exchanged(self) -> None:
        self.put("d/old")
        self.make(b"other/new")
        self.settle()
        self.assertEqual(self.keys(), ["d/old"])
        os.rename(self.path("d"), os.path.join(self.root, "away"))
        os.rename(os.path.join(self.root, "other"), self.path("d"))
        self.assertEqual(self.keys(), ["d/new"])

    def test_directory_that_is_exchanged_for_one_of_the_same_age(self) -> None:
        self.put("d/old")
        self.make(b"other/new")
        self.settle()
        self.disk.changed_at_ns = 1
        for folder in (self.path("d"), os.path.join(self.root, "other")):
            os.utime(folder, (1, 1))
        self.assertEqual(self.snapshots.names(b"bucket/d"), ["old"])
        os.rename(self.path("d"), os.path.join(self.root, "away"))
        os.rename(os.path.join(self.root, "other"), self.path("d"))
        self.assertEqual(self.snapshots.names(b"bucket/d"), ["new"])

    def test_not_kept_while_times_may_repeat(self) -> None:
        """Within a tick of the kernel's clock a second change leaves the directory's times as they are."""
        self.put("a")
        for changed_at_ns, now, scans in (
            (1_000_000_001, 1.001, 2),
            (1_000_000_001, 1.019, 2),
            (1_000_000_001, 1.021, 1),
            (1_000_000_001, 0.5, 2),
            (5_000_000_000, 6.9, 2),
            (5_000_000_000, 7.1, 1),
        ):
            self.snapshots = DirectorySnapshots(self.disk, self.clock)
            self.disk.changed_at_ns, self.clock.rightNow = changed_at_ns, now
            self.disk.scanned.clear()
            self.snapshots.names(b"bucket")
            self.snapshots.names(b"bucket")
            self.assertEqual(len(self.disk.scanned), scans, (changed_at_ns, now))

    def test_change_during_the_scan(self) -> None:
        self.put("a")
        self.settle()
        self.disk.after_scan = lambda path: self.disk.scanned[1:] or self.put("b")
        self.assertEqual(self.keys(), ["a"])
        self.assertEqual(self.keys(), ["a", "b"])

    def test_modification_time_in_the_future(self) -> None:
        self.put("a")
        os.utime(self.path(), (FAR_FUTURE / 10, FAR_FUTURE / 10))
        self.settle()
        self.keys()
        self.keys()
        self.assertEqual(self.disk.scanned, [b"bucket"])

    def test_modification_time_set_back(self) -> None:
        self.put("a")
        os.utime(self.path(), (1, 1))
        self.settle()
        self.keys()
        self.put("b")
        os.utime(self.path(), (1, 1))
        self.assertEqual(self.keys(), ["a", "b"])

    def test_number_of_names_is_bounded(self) -> None:
        self.put(*(f"{letter}/{number}" for letter in "abcd" for number in range(4)))
        self.settle()
        self.snapshots = DirectorySnapshots(self.disk, self.clock, limit=36)
        for letter in (b"a", b"b", b"c"):
            self.snapshots.names(b"bucket/" + letter)
        self.assertEqual(self.snapshots.size, 36)
        self.snapshots.names(b"bucket/a")
        self.snapshots.names(b"bucket/d")
        self.assertEqual(self.snapshots.size, 36)
        self.disk.scanned.clear()
        for letter in (b"a", b"c", b"d", b"b"):
            self.snapshots.names(b"bucket/" + letter)
        self.assertEqual(self.disk.scanned, [b"bucket/b"])

    def test_too_large_to_be_kept(self) -> None:
        self.put("a", "b", "c", "d/x")
        self.settle()
        self.snapshots = DirectorySnapshots(self.disk, self.clock, limit=11)
        self.assertEqual(self.snapshots.names(b"bucket/d"), ["x"])
        self.assertEqual([self.snapshots.names(b"bucket") for _ in range(2)], [["a", "b", "c", "d/"]] * 2)
        self.assertEqual(self.snapshots.names(b"bucket/d"), ["x"])
        self.assertEqual(self.snapshots.size, 9)
        self.assertEqual(self.disk.scanned, [b"bucket/d", b"bucket", b"bucket"])

    def test_what_is_outdated_does_not_count(self) -> None:
        self.put("a", "b")
        for number in range(5):
            self.settle()
            self.keys()
            self.assertEqual(self.snapshots.size, 10 + number)
            self.put(f"c{number}")
        shutil.rmtree(self.path())
        self.keys()
        self.assertEqual(self.snapshots.size, 0)

    def test_threads_share_one_scan(self) -> None:
        self.put(*map(str, range(200)))
        self.settle()
        ready = threading.Barrier(8)

        def names() -> Sequence[str]:
            ready.wait(10)
            return self.snapshots.names(b"bucket")

        with ThreadPoolExecutor(8) as pool:
            found = [future.result() for future in [pool.submit(names) for _ in range(8)]]
        self.assertEqual(found, [sorted(map(str, range(200)))] * 8)
        self.assertEqual(self.disk.scanned, [b"bucket"])

    def test_threads_see_what_they_wrote(self) -> None:
        """With the true time: no thread ever misses its own last change."""
        self.put("x")
        self.patch(self.clock, "seconds", time.time)
        self.snapshots = DirectorySnapshots(self.disk, self.clock, limit=300)

        def work(number: int) -> None:
            for step in range(60):
                key = f"{number % 2}/{number}-{step}"
                self.put(key)
                assert key in self.keys(), f"{key} is missing"
                if step % 2:
                    os.unlink(self.path(key))
                    assert key not in self.keys(), f"{key} is still there"

        with ThreadPoolExecutor(4) as pool:
            for future in [pool.submit(work, number) for number in range(4)]:
                future.result()
        self.assertEqual(len(self.keys()), 1 + 4 * 30)
        self.assertLessEqual(self.snapshots.size, 300)


NAMES = st.text(st.sampled_from("ab-./0!+é\x01\uffff\U00010000"), min_size=1, max_size=8)
LONG_NAMES = st.builds(lambda letter, size: letter * size, st.sampled_from("aé"), st.integers(100, 300))
KEYS = st.one_of(NAMES, st.builds(lambda *parts: "".join(parts)[:500], NAMES, LONG_NAMES, NAMES))


class ModelTests(WithTree):
    """The walk against a sorted list."""

    @settings(max_examples=150, deadline=None)
    @given(keys=st.sets(KEYS, max_size=12), starts=st.lists(KEYS, max_size=3))
    def test_walk_is_the_sorted_keys(self, keys: set[str], starts: list[str]) -> None:
        for folder in os.listdir(self.root):
            shutil.rmtree(os.path.join(self.root, folder))
        self.snapshots = DirectorySnapshots(self.disk, self.clock)
        for key in keys:
            self._place(key)
        for start in ("", *starts, *keys, *(key + "\0" for key in keys), *(key + "/" for key in keys)):
            self.assertEqual(self.keys(start), sorted(key for key in keys if key >= start), start)

    def _place(self, key: str) -> None:
        """Put a key into the tree if its path is free, else into the overflow."""
        path = self.layout.tree.path(key)
        try:
            self.make(path if path is not None else self.layout.overflow.path(key))
        except OSError:
            self.overflow(key)
