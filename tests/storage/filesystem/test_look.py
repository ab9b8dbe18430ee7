"""Looking at many names of a directory at once: what is told of what lies there, whoever changes it meanwhile."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from twisted_s3.storage.filesystem.attributes import Attributes, LibcAttributes, OsAttributes, best_attributes
from twisted_s3.storage.filesystem.beneath import OpenBeneath, open_by_names
from twisted_s3.storage.filesystem.disk import Access, Stat, UnsyncedDisk
from twisted_s3.storage.filesystem.realdisk import RealDisk

ATTRIBUTE = "user.s3store"


class Interrupted(OsAttributes):
    """Calls a hook between the look at a file and at its attribute."""

    def __init__(self) -> None:
        self.before: Callable[[], object] = lambda: None

    def below(self, directory: int, attribute: str) -> Callable[[bytes], bytes | None]:
        read = super().below(directory, attribute)

        def interrupted(name: bytes) -> bytes | None:
            self.before()
            return read(name)

        return interrupted


class _NoSuchCall(LibcAttributes):
    """A kernel without ``getxattrat``."""

    def _probe_names(self) -> bool:
        super()._probe_names()
        return False


class _LookKit:
    opener: OpenBeneath | None = None

    def make_attributes(self) -> Attributes | None:
        """How the disk reads attributes."""
        return None

    def setUp(self) -> None:
        self.root = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.root)  # type: ignore[attr-defined]
        self.attributes = self.make_attributes()
        self.disk = RealDisk(self.root / "data", opener=self.opener, attributes=self.attributes)
        self.addCleanup(self.disk.shut)  # type: ignore[attr-defined]
        self.folder = self.root / "data/a"
        self.folder.mkdir()
        (self.root / "outside").mkdir()
        for folder in (self.folder, self.root / "outside"):
            self.put("file", b"12345", b"a record", folder)

    def put(self, name: str, data: bytes, record: bytes | None, folder: Path | None = None) -> Path:
        """A file, which replaces what has the name."""
        path = (folder or self.folder) / name
        path.unlink(missing_ok=True)
        path.write_bytes(data)
        if record is not None:
            os.setxattr(path, ATTRIBUTE, record)
        return path

    def look(self, *names: bytes, directory: bytes = b"a") -> list[tuple[int, bytes] | None]:
        """Sizes and attributes."""
        found = UnsyncedDisk(self.disk).look(directory, names, ATTRIBUTE)
        return [entry and (entry[0].size, entry[1]) for entry in found]


class LookTests(_LookKit, SynchronousTestCase):
    """The ways of this system."""

    def test_files(self) -> None:
        (stat, value), again = self.disk.look(b"a", [b"file", b"file"], ATTRIBUTE)
        self.assertEqual((stat, value), again)
        self.assertIsInstance(stat, Stat)
        self.assertEqual((stat, value), (self.disk.stat(b"a/file"), b"a record"))
        self.assertEqual(self.disk.look(b"a", [], ATTRIBUTE), [])

    def test_attributes_of_any_size(self) -> None:
        for size in (0, 1, 127, 128, 129, 1023, 1024, 1025, 3000):
            record = os.urandom(size)
            path = self.put("sized", b"", record)
            self.assertEqual(self.look(b"sized", b"file"), [(0, record), (5, b"a record")], size)
            opened = self.disk.open(b"a/sized", Access.READ)
            self.assertEqual(self.disk.getxattr(opened, ATTRIBUTE), record)
            os.removexattr(path, ATTRIBUTE)
            self.assertIsNone(self.disk.getxattr(opened, ATTRIBUTE))
            self.disk.close(opened)
            self.assertEqual(self.look(b"sized"), [None])
        with self.assertRaises(OSError) as caught:
            self.disk.getxattr(opened, ATTRIBUTE)
        self.assertEqual(caught.exception.errno, errno.EBADF)

    def test_what_is_no_file_with_a_record(self) -> None:
        """Directories, links, also to files with a record, FIFOs, bare files and names that are not there."""
        (self.folder / "directory").mkdir()
        os.setxattr(self.folder / "directory", ATTRIBUTE, b"a record")
        (self.folder / "link").symlink_to(self.root / "outside/file")
        (self.folder / "beside").symlink_to("file")
        (self.folder / "broken").symlink_to("nothing")
        os.mkfifo(self.folder / "fifo")
        self.put("bare", b"", None)
        names = (b"directory", b"link", b"beside", b"broken", b"fifo", b"bare", b"missing", b"x" * 256)
        self.assertEqual(self.look(*names, b"file"), [None] * len(names) + [(5, b"a record")])

    def test_no_directory(self) -> None:
        (self.root / "data/link").symlink_to(self.root / "outside")
        (self.root / "data/inside").symlink_to("a")
        for directory in (b"link", b"inside", b"missing", b"a/file", b"a/file/b", b"inside/b"):
            with self.assertRaises(OSError) as caught:
                self.look(b"file", directory=directory)
            self.assertIn(caught.exception.errno, (errno.ELOOP, errno.ENOTDIR, errno.ENOENT))
        self.assertEqual(self.opened(), 0)

    def test_no_descriptor_is_left(self) -> None:
        self.look(b"file", b"missing")
        self.assertEqual(self.opened(), 0)

    def opened(self) -> int:
        """How many descriptors lead into the directory, but for the disk's root."""
        links = (os.path.join("/proc/self/fd", name) for name in os.listdir("/proc/self/fd"))
        return sum(os.readlink(link).startswith(str(self.folder)) for link in links if os.path.islink(link))


class OldestLookTests(LookTests):
    """Paths opened name by name, attributes read as Python does."""

    opener = staticmethod(open_by_names)

    def make_attributes(self) -> Attributes:
        return OsAttributes()


class OlderLookTests(LookTests):
    """A kernel without ``getxattrat``."""

    def make_attributes(self) -> Attributes:
        return _NoSuchCall()


class BetweenTests(_LookKit, SynchronousTestCase):
    """Somebody comes between the look at a file and at its attribute: no link is followed, nothing waited for."""

    attributes: Interrupted

    def make_attributes(self) -> Attributes:
        return Interrupted()

    def between(self, change: Callable[[], object]) -> list[tuple[int, bytes] | None]:
        """What is found when ``change`` is made after the first look."""

        def once() -> None:
            self.attributes.before = lambda: None
            change()

        self.attributes.before = once
        return self.look(b"file")

    def test_removed(self) -> None:
        self.assertEqual(self.between((self.folder / "file").unlink), [None])

    def test_unreadable(self) -> None:
        """One that may not be read, or can not, hides no other."""

        def refuse() -> None:
            raise PermissionError(errno.EACCES, "no")

        self.assertEqual(self.between(refuse), [None])
        self.assertEqual(self.look(b"file"), [(5, b"a record")])

    def test_replaced(self) -> None:
        """The size is the one's, the record the other's; which of them fits is for the record to say."""
        change = lambda: self.put("file", b"1", b"another")  # noqa: E731
        self.assertEqual(self.between(change), [(5, b"another")])
        self.assertEqual(self.look(b"file"), [(1, b"another")])

    def test_replaced_by_a_link(self) -> None:
        def change() -> None:
            (self.folder / "file").unlink()
            (self.folder / "file").symlink_to(self.root / "outside/file")

        self.assertEqual(self.between(change), [None])

    def test_replaced_by_a_fifo(self) -> None:
        def change() -> None:
            (self.folder / "file").unlink()
            os.mkfifo(self.folder / "file")

        self.assertEqual(self.between(change), [None])

    def test_directory_becomes_a_link(self) -> None:
        """The directory that was opened is looked at, not where its name leads by now."""
        os.setxattr(self.root / "outside/file", ATTRIBUTE, b"outside")

        def change() -> None:
            self.folder.rename(self.root / "data/moved")
            self.folder.symlink_to(self.root / "outside")

        self.assertEqual(self.between(change), [(5, b"a record")])


class BestWayTests(SynchronousTestCase):
    """Both ways read the same."""

    def test_names_of_this_kernel(self) -> None:
        """On this system the quick way is there, with ``getxattrat`` or without."""
        self.assertIsInstance(best_attributes(), LibcAttributes)
        with tempfile.NamedTemporaryFile() as file:
            os.setxattr(file.fileno(), ATTRIBUTE, b"1")
            for attributes in (LibcAttributes(), _NoSuchCall(), OsAttributes()):
                self.assertEqual(attributes.of(file.fileno(), ATTRIBUTE), b"1")
                self.assertIsNone(attributes.of(file.fileno(), ATTRIBUTE + "2"))
                folder = os.open(os.path.dirname(file.name), os.O_PATH | os.O_DIRECTORY)
                name = os.path.basename(file.name).encode()
                self.assertEqual(attributes.below(folder, ATTRIBUTE)(name), b"1")
                self.assertIsNone(attributes.below(folder, ATTRIBUTE + "2")(name))
                with self.assertRaises(FileNotFoundError):
                    attributes.below(folder, ATTRIBUTE)(b"\xff-no-such-file")
                os.close(folder)
