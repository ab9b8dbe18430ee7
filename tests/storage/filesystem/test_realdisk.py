"""The disk of the operating system, with both ways of opening and both kinds of temporaries."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_s3.storage.filesystem.beneath import OpenBeneath, best_opener, open_by_names
from twisted_s3.storage.filesystem.disk import Access, IDisk, Kind, UnsyncedDisk
from twisted_s3.storage.filesystem.realdisk import RealDisk


class _DiskCase:
    opener: OpenBeneath | None = None
    unnamed = True

    def setUp(self) -> None:
        self.root = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.root)  # type: ignore[attr-defined]
        self.disk = RealDisk(self.root / "new" / "data", unnamed=self.unnamed, opener=self.opener)
        self.addCleanup(self.disk.shut)  # type: ignore[attr-defined]
        self.data = self.root / "new" / "data"
        (self.data / ".s3store/staging").mkdir(parents=True)
        (self.data / "a/b").mkdir(parents=True)
        (self.data / "a/b/file").write_bytes(b"0123456789")


class _DiskTests(_DiskCase, SynchronousTestCase):
    """What holds for every disk."""

    def test_interface(self) -> None:
        verifyObject(IDisk, self.disk)
        verifyObject(IDisk, UnsyncedDisk(self.disk))

    def test_no_link_is_followed(self) -> None:
        (self.root / "secret").write_bytes(b"secret")
        (self.root / "outside").mkdir()
        (self.data / "link").symlink_to(self.root / "secret")
        (self.data / "a/outside").symlink_to(self.root / "outside")
        (self.data / "a/inside").symlink_to("b")
        for path in (b"link", b"a/outside/x", b"a/inside/file"):
            for access in (Access.READ, Access.WRITE, Access.ENSURE, Access.NEW):
                # "Not a directory" is how the older way puts it.
                with self.assertRaises(OSError) as caught:
                    self.disk.open(path, access)
                self.assertIn(caught.exception.errno, (errno.ELOOP, errno.ENOTDIR, errno.EEXIST))
        temporary = self.disk.create_temporary(b".s3store/staging")
        for call in (
            lambda: self.disk.publish(temporary, b"a/outside/x", replace=False),
            lambda: self.disk.publish(temporary, b"a/outside/x", replace=True),
            lambda: self.disk.mkdir(b"a/outside/x"),
            lambda: self.disk.rename(b"a/b", b"a/outside/b"),
            lambda: self.disk.unlink(b"a/inside/file"),
            lambda: self.disk.scan(b"a/inside"),
            lambda: self.disk.fsync_directory(b"a/outside"),
        ):
            with self.assertRaises(OSError) as caught:
                call()
            self.assertIn(caught.exception.errno, (errno.ELOOP, errno.ENOTDIR))
        self.disk.close(temporary.descriptor)
        self.assertEqual(os.listdir(self.root / "outside"), [])
        self.assertEqual(self.disk.stat(b"link").kind, Kind.OTHER)

    def test_no_way_up(self) -> None:
        (self.root / "new/secret").write_bytes(b"secret")
        for path in (b"../secret", b"a/../../secret"):
            with self.assertRaises(OSError) as caught:
                self.disk.open(path, Access.READ)
            self.assertEqual(caught.exception.errno, errno.EXDEV)

    def test_publish(self) -> None:
        for replace, path in ((False, b"a/new"), (True, b"a/b/file"), (True, b"newer")):
            temporary = self.disk.create_temporary(b".s3store/staging")
            self.disk.write(temporary.descriptor, 0, [b"x", b"", b"yz"])
            self.disk.publish(temporary, path, replace)
            self.assertIsNone(temporary.name)
            self.disk.close(temporary.descriptor)
            self.assertEqual((self.data / path.decode()).read_bytes(), b"xyz")
        self.assertEqual(os.listdir(self.data / ".s3store/staging"), [])

    def test_publish_refused(self) -> None:
        temporary = self.disk.create_temporary(b".s3store/staging")
        for replace, path, error in (
            (False, b"a/b/file", FileExistsError),
            (False, b"a/b", FileExistsError),
            (True, b"a/b", IsADirectoryError),
            (True, b"a/b/file/x", NotADirectoryError),
            (False, b"c/d", FileNotFoundError),
            (True, b"c/d", FileNotFoundError),
        ):
            with self.assertRaises(error):
                self.disk.publish(temporary, path, replace)
        self.assertEqual((self.data / "a/b/file").read_bytes(), b"0123456789")
        self.disk.publish(temporary, b"c", replace=False)
        self.disk.close(temporary.descriptor)
        self.assertEqual((self.data / "c").read_bytes(), b"")

    def test_read(self) -> None:
        descriptor = self.disk.open(b"a/b/file", Access.READ)
        self.assertEqual(self.disk.read(descriptor, 2, 3), b"234")
        self.assertEqual(self.disk.read(descriptor, 8, 10), b"89")
        self.assertEqual(self.disk.read(descriptor, 20, 1), b"")
        self.assertIn(self.disk.read_cached(descriptor, 2, 3), (b"234", None))
        self.assertIsNone(self.disk.read_cached(descriptor, 8, 10))
        self.assertEqual(self.disk.fstat(descriptor).size, 10)
        self.assertEqual(self.disk.fstat(descriptor), self.disk.stat(b"a/b/file"))
        self.assertEqual(self.disk.fileno(descriptor), descriptor)
        self.disk.close(descriptor)

    def test_write_many_chunks(self) -> None:
        descriptor = self.disk.open(b"many", Access.NEW)
        chunks = [b"%d," % at for at in range(5000)]
        self.disk.write(descriptor, 3, chunks)
        self.assertEqual((self.data / "many").read_bytes(), b"\0\0\0" + b"".join(chunks))
        self.disk.close(descriptor)

    def test_copy_range(self) -> None:
        source = self.disk.open(b"a/b/file", Access.READ)
        target = self.disk.open(b"copy", Access.ENSURE)
        self.disk.copy_range(source, 2, target, 4, 5)
        self.assertEqual((self.data / "copy").read_bytes(), b"\0\0\0\x0023456")
        self.disk.truncate(target, 6)
        self.assertEqual((self.data / "copy").read_bytes(), b"\0\0\0\x0023")
        with self.assertRaises(OSError):
            self.disk.copy_range(source, 8, target, 0, 5)
        for descriptor in (source, target):
            self.disk.close(descriptor)

    def test_locks(self) -> None:
        first, second = (self.disk.open(b"lock", Access.ENSURE) for _ in range(2))
        self.assertTrue(self.disk.lock(first, exclusive=False, wait=False))
        self.assertTrue(self.disk.lock(second, exclusive=False, wait=False))
        self.assertFalse(self.disk.lock(second, exclusive=True, wait=False))
        self.disk.close(first)
        self.assertTrue(self.disk.lock(second, exclusive=True, wait=False))
        self.disk.close(second)

    def test_attributes(self) -> None:
        descriptor = self.disk.open(b"a/b/file", Access.READ)
        self.assertIsNone(self.disk.getxattr(descriptor, "user.x"))
        self.disk.setxattr(descriptor, "user.x", b"1")
        self.assertEqual(self.disk.getxattr(descriptor, "user.x"), b"1")
        with self.assertRaises(OSError):
            self.disk.setxattr(descriptor, "user.x", bytes(100_000))
        self.disk.close(descriptor)

    def test_anchors(self) -> None:
        self.assertFalse(self.disk.is_anchored(b"a/b"))
        UnsyncedDisk(self.disk).anchor(b"a/b")
        self.assertFalse(self.disk.is_anchored(b"a/b"))
        self.disk.anchor(b"a/b")
        self.assertTrue(self.disk.is_anchored(b"a/b"))
        shutil.rmtree(self.data / "a/b")
        (self.data / "a/b").mkdir()
        self.assertFalse(self.disk.is_anchored(b"a/b"))

    def test_scan(self) -> None:
        os.mkfifo(self.data / "a/fifo")
        (self.data / "a/link").symlink_to("b")
        Path(os.fsdecode(os.fsencode(self.data) + b"/a/\xff")).touch()
        self.assertEqual(
            sorted(self.disk.scan(b"a"), key=lambda entry: entry[0]),
            [(b"b", Kind.DIRECTORY), (b"fifo", Kind.OTHER), (b"link", Kind.OTHER), (b"\xff", Kind.FILE)],
        )
        self.assertIn((b"a", Kind.DIRECTORY), self.disk.scan(b""))


class NewestTests(_DiskTests):
    """The ways of this system."""

    def test_what_is_not_in_memory(self) -> None:
        opened = self.disk.open(b"a/b/file", Access.READ, cached=True)
        self.assertEqual(self.disk.read(opened, 0, 1), b"0")
        self.disk.close(opened)

    def test_the_fast_opener_is_there(self) -> None:
        self.assertTrue(callable(best_opener()))


class OldestTests(_DiskTests):
    """Paths opened name by name, temporaries with names."""

    opener = staticmethod(open_by_names)
    unnamed = False

    def test_what_may_have_to_wait(self) -> None:
        """Nobody can tell whether it would."""
        with self.assertRaises(BlockingIOError):
            self.disk.open(b"a/b/file", Access.READ, cached=True)

    def test_temporaries_are_locked(self) -> None:
        temporary = self.disk.create_temporary(b".s3store/staging")
        assert temporary.name is not None
        other = self.disk.open(temporary.name, Access.READ)
        self.assertFalse(self.disk.lock(other, exclusive=True, wait=False))
        self.disk.close(temporary.descriptor)
        self.assertTrue(self.disk.lock(other, exclusive=True, wait=False))
        self.disk.close(other)


del _DiskTests
