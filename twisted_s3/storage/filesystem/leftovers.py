"""What crashes and people leave in a bucket, and its removal, safe beside running servers. May block.

Everything is looked at again with its key locked before it is told of, so that what a server is at work on is not taken
for a leftover.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from msgspec import Struct, structs

from twisted_s3.storage.filesystem.disk import IDisk, Kind
from twisted_s3.storage.filesystem.files import Files, Found
from twisted_s3.storage.filesystem.layout import BUCKETS, BucketLayout, parent
from twisted_s3.storage.filesystem.listing import DirectorySnapshots, paths_from
from twisted_s3.storage.filesystem.locks import Locks
from twisted_s3.storage.filesystem.lookup import Lookup
from twisted_s3.storage.filesystem.objects import Objects
from twisted_s3.storage.filesystem.parts import Parts
from twisted_s3.storage.filesystem.versions import Entry, Versions

_GONE = (FileNotFoundError, NotADirectoryError)


class Leftover(Struct, frozen=True):
    """Something that nobody can reach through the server.

    :ivar kind: in one word, such as ``staging``.
    :ivar path: from the data directory.
    :ivar detail: in words.
    :ivar removable: whether a repair removes it.
    :ivar removed: whether this one has.
    """

    kind: str
    path: bytes
    detail: str
    removable: bool = True
    removed: bool = False

    @property
    def document(self) -> dict[str, object]:
        """As JSON has it."""
        return {**structs.asdict(self), "path": self.path.decode("utf-8", "replace")}


class Leftovers:
    """Looks for what is left in one bucket after the other."""

    def __init__(
        self,
        disk: IDisk,
        files: Files,
        locks: Locks,
        lookup: Lookup,
        objects: Objects,
        versions: Versions,
        parts: Parts,
        snapshots: DirectorySnapshots,
    ) -> None:
        self._disk = disk
        self._files = files
        self._locks = locks
        self._lookup = lookup
        self._objects = objects
        self._versions = versions
        self._parts = parts
        self._snapshots = snapshots

    def find(self, bucket: BucketLayout, repair: bool) -> Iterator[Leftover]:
        """Look for everything; with ``repair``, remove what can be."""
        yield from self._hidden(bucket, repair)
        yield from self._in_versions(bucket, repair)
        yield from self._in_uploads(bucket, repair)
        for base, top in ((bucket.folder, bucket.folder), (bucket.overflow.base, BUCKETS)):
            yield from self._empty(base, top, repair)
        yield from self._empty(bucket.versions.base, BUCKETS, repair)

    @contextmanager
    def _held(self, bucket: BucketLayout, key: str) -> Iterator[None]:
        with self._locks.bucket(bucket.name), self._locks.key(bucket.name, key):
            yield

    def _hidden(self, bucket: BucketLayout, repair: bool) -> Iterator[Leftover]:
        """Entries of the overflow whose key the tree has, too."""
        for path in paths_from(self._snapshots, bucket.overflow.base, ""):
            key = bucket.overflow.key(path.encode().split(b"/"))
            plain = None if key is None else bucket.tree.path(key)
            if key is None or plain is None or not self._is_file(plain):
                continue
            hidden = bucket.overflow.path(key)
            with self._held(bucket, key):
                current = self._lookup.find(bucket, key)
                # The one that is found is not hidden. The other is opened to know what else belongs to it.
                found = None
                if current is not None and current.path == plain:
                    found = self._versions.open(Entry(hidden, 0, "", False))
                try:
                    if current is None or found is None:
                        continue
                    if repair:
                        given, found = found, None
                        self._reveal(bucket, key, current, given)
                finally:
                    self._lookup.close(found)
                    self._lookup.close(current)
            yield Leftover("overflow", hidden, f"the key {key!r} is a file in its bucket, too", removed=repair)

    def _reveal(self, bucket: BucketLayout, key: str, current: Found, hidden: Found) -> None:
        """Remove a hidden object, or make it a version in a bucket that keeps them. Closes it."""
        changed: Sequence[bytes] = ()
        try:
            if self._objects.succession(bucket, key) is not None:
                self._objects.uncover(bucket, key, current)
            else:
                self._disk.unlink(hidden.path)
                changed = [self._files.prune(parent(hidden.path), BUCKETS)]
        except BaseException:
            self._lookup.close(hidden)
            raise
        self._objects.settle(changed, hidden)

    def _is_file(self, path: bytes) -> bool:
        try:
            return self._disk.stat(path).kind is Kind.FILE
        except OSError:
            return False

    def _in_versions(self, bucket: BucketLayout, repair: bool) -> Iterator[Leftover]:
        """What is left among the versions of each key."""
        before = None
        for path in paths_from(self._snapshots, bucket.versions.base, ""):
            key = bucket.versions.key(path.encode().split(b"/"))
            if key is None or key == before:
                continue
            before = key
            folder = bucket.versions.folder(key)
            known = {entry.path for entry in self._versions.entries(bucket, key)}
            with suppress(*_GONE):
                for name, _ in self._disk.scan(folder):
                    stranger = b"%b/%b" % (folder, name)
                    if stranger not in known and self._is_file(stranger) and not self._is_entry(bucket, key, stranger):
                        yield Leftover("stranger", stranger, "it has not the name of a version", removable=False)
            yield from self._of_key(bucket, key, repair)

    def _is_entry(self, bucket: BucketLayout, key: str, path: bytes) -> bool:
        return any(entry.path == path for entry in self._versions.entries(bucket, key))

    def _of_key(self, bucket: BucketLayout, key: str, repair: bool) -> Iterator[Leftover]:
        with self._held(bucket, key):
            entries = self._versions.entries(bucket, key)
            found = self._lookup.find(bucket, key)
            if found is None:
                return
            try:
                current = self._lookup.current(key, found)
                assert current is not None
                twice = [entry for entry in entries if self._is_inode(entry, found.stat.inode)]
                early = [entry for entry in entries if entry.marker and entry.sequence > current.sequence]
                if repair:
                    self._versions.remove(bucket, key, [*twice, *early])
            finally:
                self._lookup.close(found)
        for entry in twice:
            yield Leftover("twice", entry.path, f"it is the current version of {key!r}", removed=repair)
        for entry in early:
            yield Leftover("marker", entry.path, f"a deletion of {key!r} that was never committed", removed=repair)

    def _is_inode(self, entry: Entry, inode: int) -> bool:
        try:
            return self._disk.stat(entry.path).inode == inode
        except _GONE:
            return False

    def _in_uploads(self, bucket: BucketLayout, repair: bool) -> Iterator[Leftover]:
        for name in self._snapshots.names(bucket.uploads):
            folder = bucket.upload(name.removesuffix("/"))
            with suppress(*_GONE):
                if not self._disk.scan(folder):
                    if repair:
                        with suppress(OSError):
                            self._disk.rmdir(folder)
                    yield Leftover("upload", folder, "an upload that was never begun", removed=repair)
                    continue
                yield from self._of_upload(folder, name.removesuffix("/"), repair)

    def _of_upload(self, folder: bytes, upload_id: str, repair: bool) -> Iterator[Leftover]:
        with self._locks.upload(upload_id):
            stored = self._parts.stored(folder)
            places = {one.place for one in stored}
            left = []
            # A record that can not be read may name any of them.
            if len(stored) == len(self._parts.numbers(folder)):
                with suppress(*_GONE):
                    left = [b"apart/%b" % name for name, _ in self._disk.scan(folder + b"/apart")]
            left = [b"%b/%b" % (folder, place) for place in left if place.decode() not in places]
            if repair:
                for path in left:
                    self._disk.unlink(path)
            lost = [one for one in stored if not self._parts.has(folder, one.place)]
        for path in left:
            yield Leftover("part", path, "bytes of a part that was never committed", removed=repair)
        for one in lost:
            # A client that asks again for the completion must still get its answer.
            detail = "a part that has become an object; it goes with its upload"
            yield Leftover("record", b"%b/parts/%d" % (folder, one.part.number), detail, removable=False)

    def _empty(self, base: bytes, top: bytes, repair: bool) -> Iterator[Leftover]:
        """Directories without anything in them, the deepest ones."""
        pending = [base]
        while pending:
            directory = pending.pop()
            try:
                entries = self._disk.scan(directory)
            except _GONE:
                continue
            if not entries and directory != base:
                if repair:
                    # Who is about to put something there makes it anew.
                    self._files.prune(directory, top if top == base else base)
                yield Leftover("directory", directory, "it is empty", removed=repair)
            pending += [b"%b/%b" % (directory, name) for name, kind in entries if kind is Kind.DIRECTORY]
