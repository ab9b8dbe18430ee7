"""The walk that holds everything stored against its records: light by sizes and metadata, deep by every byte.

It may block.
It goes through the buckets by name, and in each through the files at paths, the keys that no path can hold, the
versions that are not current, and the parts of uploads. It can begin again where it was left off, and keeps nothing of
what it has passed.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence

from msgspec import Struct, structs

from twisted_s3.errors import S3Error
from twisted_s3.storage.filesystem.buckets import Buckets
from twisted_s3.storage.filesystem.disk import Access, IDisk, Kind, Stat
from twisted_s3.storage.filesystem.files import Files
from twisted_s3.storage.filesystem.layout import BucketLayout
from twisted_s3.storage.filesystem.listing import DirectorySnapshots, paths_from
from twisted_s3.storage.filesystem.lookup import Lookup
from twisted_s3.storage.filesystem.parts import Parts
from twisted_s3.storage.filesystem.record import StoredPart, is_whole, load_part, load_upload
from twisted_s3.storage.filesystem.soundness import Damage, Problem, Soundness, unreadable
from twisted_s3.storage.filesystem.versions import entry_at

#: How often a file that changes below a look is looked at anew.
_ATTEMPTS = 3
_GONE = (FileNotFoundError, NotADirectoryError)


class Finding(Struct, frozen=True):
    """Something damaged.

    :ivar kind: ``bucket``, ``object``, ``version``, ``upload`` or ``part``; ``section`` for a directory that can not
        be read.
    :ivar path: of the file, from the data directory.
    :ivar version_id: of a version that is not current, else "".
    :ivar upload_id: of an upload or a part, else "".
    :ivar inode: of the file, 0 where there is none.
    :ivar changed: when the kernel last wrote the file or its attributes, in seconds since the epoch.
    """

    bucket: str
    kind: str
    key: str
    path: bytes
    problem: Problem
    detail: str
    version_id: str = ""
    upload_id: str = ""
    inode: int = 0
    changed: float = 0.0

    def is_of(self, stat: Stat) -> bool:
        """Whether a file is the one that was found, and was not written since: not mended, say, with its old bytes."""
        return (stat.inode, stat.ctime_ns / 1e9) == (self.inode, self.changed)

    @property
    def document(self) -> dict[str, object]:
        """As JSON has it."""
        document = {name: value for name, value in structs.asdict(self).items() if value not in ("", 0)}
        return {**document, "path": self.path.decode("utf-8", "replace"), "problem": self.problem.value}


class Position(Struct, frozen=True):
    """Where a walk is: what lies before was looked at."""

    bucket: str = ""
    section: str = ""
    path: str = ""


class Step(Struct, frozen=True):
    """A piece of the walk.

    :ivar position: where to begin again after it.
    :ivar files: whether a file begins with it.
    :ivar read: bytes that were read.
    :ivar unrecorded: whether the file was put there or edited by somebody, so that nothing can be held against it.
    """

    position: Position
    files: int = 0
    read: int = 0
    unrecorded: int = 0
    finding: Finding | None = None


class Scrub:
    """Walks through everything stored.

    :param snapshots: lists directories.
    """

    def __init__(
        self,
        disk: IDisk,
        files: Files,
        buckets: Buckets,
        lookup: Lookup,
        parts: Parts,
        soundness: Soundness,
        snapshots: DirectorySnapshots,
    ) -> None:
        self._disk = disk
        self._files = files
        self._buckets = buckets
        self._lookup = lookup
        self._parts = parts
        self._soundness = soundness
        self._snapshots = snapshots

    def walk(
        self, deep: bool = False, start: Position = Position(), only: Sequence[str] = ()
    ) -> Generator[Step, None, None]:
        """Look at everything from ``start`` on, or at the buckets in ``only``.

        With ``deep``, files that somebody put there get a record, as if they had been read: then they have a checksum,
        too.
        """
        for bucket in self._buckets.list():
            if bucket.name < start.bucket or (only and bucket.name not in only):
                continue
            begin = start if bucket.name == start.bucket else Position()
            yield from self._walk_bucket(BucketLayout(bucket.name), deep, begin)

    def _walk_bucket(self, bucket: BucketLayout, deep: bool, start: Position) -> Iterator[Step]:
        # In the order of their names, which a position goes by.
        sections: list[tuple[str, bytes, Callable[[BucketLayout, str, bool], Iterator[Step]]]] = [
            ("", bucket.record, self._check_record),
            ("overflow", bucket.overflow.base, self._check_overflow),
            ("tree", bucket.folder, self._check_tree),
            ("uploads", bucket.uploads, self._check_upload),
            ("versions", bucket.versions.base, self._check_version),
        ]
        for section, base, check in sections:
            if section < start.section:
                continue
            path = first = start.path if section == start.section else ""
            try:
                for path in self._paths(section, base, first):
                    for step in check(bucket, path, deep):
                        yield structs.replace(step, position=Position(bucket.name, section, path))
            except OSError as error:
                # A directory, most likely: what else is in the section can not be found.
                damage = unreadable(error)
                where = b"%b/%b" % (base, path.encode())
                finding = Finding(bucket.name, "section", "", where, damage.problem, damage.detail)
                yield Step(Position(bucket.name, section, path), 1, finding=finding)

    def _paths(self, section: str, base: bytes, first: str) -> Iterator[str]:
        if section == "":
            return iter(("",))
        if section == "uploads":
            return (name[:-1] for name in self._snapshots.names(base) if name.endswith("/") and name[:-1] >= first)
        return paths_from(self._snapshots, base, first)

    def _check_record(self, bucket: BucketLayout, path: str, deep: bool) -> Iterator[Step]:
        raw = self._files.load(bucket.record)
        if raw is not None and not is_whole(raw):
            # It may have been replaced between the opening and the reading; a second look decides.
            raw = self._files.load(bucket.record)
        if raw is not None:
            broken = None if is_whole(raw) else "the record can not be read"
            yield _step(Finding(bucket.name, "bucket", "", bucket.record, Problem.METADATA, broken) if broken else None)

    def _check_tree(self, bucket: BucketLayout, path: str, deep: bool) -> Iterator[Step]:
        key = bucket.tree.key(path.encode().split(b"/"))
        if key is not None and bucket.tree.path(key) is not None:
            yield from self._check_object(bucket, key, b"%b/%b" % (bucket.folder, path.encode()), deep)

    def _check_overflow(self, bucket: BucketLayout, path: str, deep: bool) -> Iterator[Step]:
        key = bucket.overflow.key(path.encode().split(b"/"))
        if key is not None:
            yield from self._check_object(bucket, key, b"%b/%b" % (bucket.overflow.base, path.encode()), deep)

    def _check_object(self, bucket: BucketLayout, key: str, path: bytes, deep: bool) -> Iterator[Step]:
        unrecorded = 0
        for step in self._check_file(Finding(bucket.name, "object", key, path, Problem.BYTES, ""), deep):
            unrecorded += step.unrecorded
            yield step
        if unrecorded and deep:
            try:
                yield Step(Position(), read=self._lookup.head(bucket, key).size)
            except S3Error:
                # It has gone.
                return

    def _check_version(self, bucket: BucketLayout, path: str, deep: bool) -> Iterator[Step]:
        components = path.encode().split(b"/")
        key, entry = bucket.versions.key(components), entry_at(bucket.versions.base, path.encode())
        if key is not None and entry is not None:
            about = Finding(bucket.name, "version", key, entry.path, Problem.BYTES, "", entry.version_id)
            yield from self._check_file(about, deep)

    def _check_file(self, about: Finding, deep: bool) -> Iterator[Step]:
        """Check one file; ``about`` says whose it is."""
        for attempt in range(_ATTEMPTS):
            read = 0
            try:
                descriptor = self._disk.open(about.path, Access.READ)
            except _GONE:
                return
            except OSError as error:
                yield _step(structs.replace(about, problem=Problem.UNREADABLE, detail=unreadable(error).detail))
                return
            try:
                stat = self._disk.fstat(descriptor)
                if stat.kind is not Kind.FILE:
                    return
                try:
                    version = self._soundness.recorded(descriptor, stat, about.key)
                    if version is not None and deep:
                        for length in self._soundness.verify(descriptor, 0, stat.size, version.at_rest):
                            read += length
                            yield Step(Position(), read=length)
                    yield Step(Position(), files=1, unrecorded=version is None)
                    return
                except OSError as error:
                    damage = unreadable(error)
                except Damage as error:
                    damage = error
                after = self._disk.fstat(descriptor)
                # Somebody may be at work on it. What is steady for a whole look is what it is.
                if attempt == _ATTEMPTS - 1 or (_same(after, stat) and self._is_at(about.path, stat)):
                    changed = stat.ctime_ns / 1e9
                    detail, inode = damage.detail, stat.inode
                    yield _step(
                        structs.replace(about, problem=damage.problem, detail=detail, inode=inode, changed=changed)
                    )
                    return
            finally:
                self._disk.close(descriptor)

    def _is_at(self, path: bytes, stat: Stat) -> bool:
        try:
            return _same(self._disk.stat(path), stat)
        except _GONE:
            return False

    def _check_upload(self, bucket: BucketLayout, path: str, deep: bool) -> Iterator[Step]:
        folder = bucket.upload(path)
        raw = self._files.load(folder + b"/upload.json")
        if raw is None:
            return
        upload = load_upload(raw, path) if is_whole(raw) else None
        record = folder + b"/upload.json"
        damaged = Finding(bucket.name, "upload", "", record, Problem.METADATA, "the record can not be read", "", path)
        yield _step(damaged if upload is None else None)
        key = "" if upload is None else upload.key
        for number in self._parts.numbers(folder):
            about = Finding(bucket.name, "part", key, b"%b/parts/%d" % (folder, number), Problem.BYTES, "", "", path)
            yield from self._check_part(about, folder, deep)

    def _check_part(self, about: Finding, folder: bytes, deep: bool) -> Iterator[Step]:
        raw = self._files.load(about.path)
        if raw is None:
            return
        stored = load_part(raw) if is_whole(raw) else None
        if stored is None:
            yield _step(structs.replace(about, problem=Problem.METADATA, detail="the record can not be read"))
            return
        try:
            for length in self._read_part(stored, folder, deep):
                yield Step(Position(), read=length)
        except _GONE:
            # The upload was completed, and this is what is left of it.
            return
        except (Damage, OSError) as error:
            damage = error if isinstance(error, Damage) else unreadable(error)
            if self._files.load(about.path) == raw and self._parts.has(folder, stored.place):
                yield _step(structs.replace(about, problem=damage.problem, detail=damage.detail))
            return
        yield _step(None)

    def _read_part(self, stored: StoredPart, folder: bytes, deep: bool) -> Iterator[int]:
        descriptor = self._disk.open(b"%b/%b" % (folder, stored.place.encode()), Access.READ)
        try:
            there = self._disk.fstat(descriptor).size - stored.offset
            if there < stored.length:
                raise Damage(Problem.SIZE, f"{max(there, 0)} bytes in place of {stored.length}")
            if deep:
                yield from self._soundness.verify(descriptor, stored.offset, stored.length, stored.at_rest)
        finally:
            self._disk.close(descriptor)


def _step(finding: Finding | None) -> Step:
    return Step(Position(), files=1, finding=finding)


def _same(one: Stat, other: Stat) -> bool:
    return (one.inode, one.size, one.mtime_ns) == (other.inode, other.size, other.mtime_ns)
