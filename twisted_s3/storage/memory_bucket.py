"""A bucket in memory: the versions of its keys, its uploads, and the account that their bytes are charged to."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence

from msgspec import Struct, structs

from twisted_s3.errors import S3Error
from twisted_s3.interfaces import Condition, Order, Pending, Witness, in_any_order, unwitnessed
from twisted_s3.model import ENABLED, NULL_VERSION, Bucket, Deletion, ListedVersion, ObjectVersion, Part, Upload
from twisted_s3.storage.refusals import is_marker, no_such_key, no_such_version
from twisted_s3.storage.testimony import Testimony
from twisted_s3.storage.versionids import check_version_id, make_id, older_than, sequence_of


class Account(Struct):
    """How many bytes may be held, and how many are."""

    limit: int
    used: int = 0

    def charge(self, size: int) -> None:
        """Take so many bytes more. :raise S3Error: ``ServiceUnavailable``."""
        if self.used + size > self.limit:
            raise S3Error("ServiceUnavailable", f"The store is full: it holds at most {self.limit} bytes.")
        self.used += size


class Blob(Struct):
    """Bytes that are charged to an account until they are released."""

    account: Account
    data: bytes

    def release(self) -> None:
        """Let go of the bytes."""
        self.account.used -= len(self.data)
        self.data = b""


class Held(Struct, frozen=True):
    """A version or delete marker with its bytes."""

    version: ObjectVersion
    blob: Blob


class HeldUpload(Struct):
    """An upload under way with its parts, by number."""

    record: Upload
    parts: dict[int, tuple[Part, Blob]] = {}

    def release(self, kept: frozenset[int] = frozenset()) -> None:
        """Give back the bytes of all parts but the ``kept`` numbers."""
        for number, (_, blob) in self.parts.items():
            if number not in kept:
                blob.release()
        self.parts = {}

    @property
    def listed(self) -> Sequence[Part]:
        """The parts, by number."""
        return [self.parts[number][0] for number in sorted(self.parts)]


class HeldBucket(Struct):
    """A bucket, which is also the :class:`VersionWalk` over itself.

    :ivar history: the versions of each key, newest first; the first is the current one unless it is a delete marker.
    :ivar names: the keys of ``history`` in order.
    """

    record: Bucket
    history: dict[str, list[Held]] = {}
    names: list[str] = []
    uploads: dict[str, HeldUpload] = {}

    def current(self, key: str) -> ObjectVersion | None:
        """The current version; None when there is none, or a delete marker hides the others."""
        versions = self.history.get(key)
        return None if not versions or versions[0].version.delete_marker else versions[0].version

    def find(self, key: str, version_id: str | None = None) -> Held:
        """The current version or another. :raise S3Error: as :meth:`IObjectStore.open_object`."""
        versions = self.history.get(key, [])
        if version_id is None:
            if not versions:
                raise no_such_key(key)
            if versions[0].version.delete_marker:
                raise no_such_key(key, versions[0].version.version_id)
            return versions[0]
        check_version_id(version_id)
        for held in versions:
            if held.version.version_id == version_id:
                if held.version.delete_marker:
                    raise is_marker(held.version)
                return held
        raise no_such_version(key, version_id)

    def put(self, version: ObjectVersion, blob: Blob, witness: Witness = unwitnessed) -> ObjectVersion:
        """Make a version the newest of its key, under an id of its own, in place of what the bucket's state says."""
        versions = self.history.get(version.key, [])
        version_id = NULL_VERSION
        if self.record.versioning == ENABLED:
            newest = max((sequence_of(held.version) for held in versions), default=0)
            version_id = make_id(max(int(version.last_modified * 1e9), newest + 1))
        version = structs.replace(version, version_id=version_id)
        testimony = Testimony(witness)
        testimony.begin(version)
        self._insert(version, blob)
        testimony.committed()
        return version

    def _insert(self, version: ObjectVersion, blob: Blob) -> None:
        if self.record.versioning != ENABLED:
            self._remove(version.key, NULL_VERSION)
        if version.key not in self.history:
            insort(self.names, version.key)
        self.history.setdefault(version.key, []).insert(0, Held(version, blob))

    def change(self, key: str, version_id: str | None, version: ObjectVersion) -> None:
        """Replace the metadata of a version."""
        before = self.find(key, version_id)
        versions = self.history[key]
        versions[versions.index(before)] = structs.replace(before, version=version)

    def take(self, key: str) -> Held:
        """Remove the only version of a key, and give it."""
        del self.names[bisect_left(self.names, key)]
        return self.history.pop(key)[0]

    def delete(
        self,
        key: str,
        condition: Condition,
        version_id: str | None,
        guard: Condition,
        marker: ObjectVersion,
        blob: Blob,
        witness: Witness = unwitnessed,
        order: Order = in_any_order,
    ) -> Deletion:
        """Delete a key or a version of it.

        :param marker: the delete marker, where there is to be one.
        """
        if version_id is not None:
            check_version_id(version_id)
            return self._delete_version(key, condition, version_id, guard, witness, order)
        current = self.current(key)
        try:
            condition(current)
        except S3Error as error:
            if error.code == "NoSuchKey":
                self.find(key)
            raise
        if self.record.versioning != ENABLED:
            self._guard(key, NULL_VERSION, guard)
        if not self.record.versioning:
            return Deletion(False) if current is None else self._witnessed(key, NULL_VERSION, Deletion(True), witness)

        def marked(made: ObjectVersion | Deletion) -> Pending | None:
            assert isinstance(made, ObjectVersion)
            return witness(Deletion(current is not None, made.version_id, delete_marker=True))

        made = self.put(marker, blob, marked)
        return Deletion(current is not None, made.version_id, delete_marker=True)

    def _witnessed(self, key: str, version_id: str, deletion: Deletion, witness: Witness) -> Deletion:
        """Remove a version that is there."""
        testimony = Testimony(witness)
        testimony.begin(deletion)
        self._remove(key, version_id)
        testimony.committed()
        return deletion

    def keys(self, start: str) -> Iterator[str]:
        """Every key >= ``start`` that has any versions, in order."""
        names = self.names
        return map(names.__getitem__, range(bisect_left(names, start), len(names)))

    def walk(self, start: str) -> Iterator[str]:
        """Every key >= ``start`` that has a current version, in order."""
        return (key for key in self.keys(start) if self.current(key) is not None)

    def versions(self, key: str, behind: str | None = None) -> Iterator[ListedVersion]:
        """The versions of a key, newest first."""
        versions = [held.version for held in self.history.get(key, [])]
        places: Sequence[int] = range(len(versions))
        if behind is not None:
            places = older_than(behind, [(sequence_of(version), version.version_id) for version in versions])
        return (ListedVersion(versions[at], at == 0) for at in places)

    def find_upload(self, key: str, upload_id: str) -> HeldUpload:
        """:raise S3Error: ``NoSuchUpload``."""
        found = self.uploads.get(upload_id)
        if found is None or found.record.key != key:
            raise S3Error("NoSuchUpload", elements={"UploadId": upload_id})
        return found

    def _delete_version(
        self, key: str, condition: Condition, version_id: str, guard: Condition, witness: Witness, order: Order
    ) -> Deletion:
        found = self._held(key, version_id)
        condition(None if found is None else found.version)
        if found is None:
            return Deletion(False, version_id)
        guard(found.version)
        order([held.version.version_id for held in self.history[key]])
        return self._witnessed(key, version_id, Deletion(True, version_id, found.version.delete_marker), witness)

    def _guard(self, key: str, version_id: str, guard: Condition) -> None:
        found = self._held(key, version_id)
        if found is not None:
            guard(found.version)

    def _held(self, key: str, version_id: str) -> Held | None:
        return next((held for held in self.history.get(key, []) if held.version.version_id == version_id), None)

    def _remove(self, key: str, version_id: str) -> bool:
        found = self._held(key, version_id)
        if found is None:
            return False
        found.blob.release()
        versions = self.history[key]
        versions.remove(found)
        if not versions:
            self._forget(key)
        return True

    def _forget(self, key: str) -> None:
        del self.history[key]
        del self.names[bisect_left(self.names, key)]
