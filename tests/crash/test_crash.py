"""The short run: whatever was acknowledged survives, whatever was not is whole or absent."""

from __future__ import annotations

import os
from collections.abc import Callable
from random import Random
from time import monotonic

from msgspec import structs
from twisted.trial.unittest import SynchronousTestCase

from tests.crash.inodes import Crash
from tests.crash.machine import Broken, Tally, run_episode
from tests.crash.oracle import ANYTHING, Clock, History
from tests.crash.simulated import SimulatedDisk
from tests.crash.world import now, open_store
from tests.storage.kit import OWNER, PlainPayload
from twisted_s3.errors import S3Error
from twisted_s3.interfaces import always
from twisted_s3.model import ENABLED, ObjectVersion, Properties
from twisted_s3.storage.filesystem.disk import Access, IDisk
from twisted_s3.storage.filesystem.store import FilesystemStore

#: Seeds that once showed a defect of the store, or of what judges it; the short run begins with them.
_TELLING_SEEDS = (60637, 40605, 103, 330, 197, 2190)
_SECONDS = float(os.environ.get("CRASH_SECONDS", "10"))
_EPISODES = 150

_LOST = Crash("lost", "lost", 0.5, Random(0))


class ShortRunTests(SynchronousTestCase):
    """Some hundred crashes; ``python -m tests.crash`` makes as many as one likes."""

    def test_promises_are_kept(self) -> None:
        tally = Tally()
        end = monotonic() + _SECONDS
        for seed in (*_TELLING_SEEDS, *range(_EPISODES)):
            run_episode(seed, tally)
            if monotonic() > end:
                break
        self.assertGreater(tally.crashes, 40)

    def test_the_same_seed_gives_the_same_episode(self) -> None:
        first, again = self.story(), self.story()
        self.assertEqual(first, again)
        self.assertGreater(len(first), 10)

    def story(self) -> list[str]:
        """What happens in an episode in which nothing is ever synced."""
        seen: list[str] = []
        with self.assertRaises(Broken) as broken:
            run_episode(3, Tally(), lambda disk: _Liar(disk, seen))  # type: ignore[arg-type,return-value]
        return [*seen, str(broken.exception)]


class _Liar:
    """A disk that never syncs."""

    def __init__(self, disk: SimulatedDisk, seen: list[str]) -> None:
        self._disk = disk
        self._seen = seen

    def __getattr__(self, name: str) -> object:
        if name in ("fsync", "fsync_directory"):
            return lambda *args: self._seen.append(f"{name} {args}")
        return getattr(self._disk, name)


class _StoreTests(SynchronousTestCase):
    """A store on a simulated disk, with a bucket and an object."""

    def setUp(self) -> None:
        self.disk = SimulatedDisk()
        self.store = self.open()
        now(self.store.create_bucket("alpha", OWNER, ""))
        self.put("k", b"old")

    def open(self) -> FilesystemStore:
        store = open_store(self.disk, lambda job: job(), self.wrap)
        now(store.start())
        return store

    @staticmethod
    def wrap(disk: IDisk) -> IDisk:
        """Puts something around the disk."""
        return disk

    def put(self, key: str, body: bytes) -> ObjectVersion:
        staged = now(self.store.stage("alpha", PlainPayload()))
        now(staged.write(body))
        return now(staged.commit(key, Properties(), always, OWNER))

    def lose_power(self) -> None:
        self.disk = self.disk.power_off(_LOST)
        self.store = self.open()


class UnsyncedNamesTests(_StoreTests):
    """Processes are killed before they sync a name. Whoever then builds on that name must sync it."""

    def killed(self, call: Callable[[], object], made: bytes = b"", store: FilesystemStore | None = None) -> None:
        """Make a call that does not come to the sync of a name, and go on with another process.

        :param made: let syncs pass until this is in the data directory.
        :param store: of the other process; None: it starts.
        """

        def before(name: str) -> None:
            if name == "fsync_directory" and (not made or made in self.disk.root.entries):
                raise KeyboardInterrupt

        self.disk.before = before
        self.assertRaises(KeyboardInterrupt, call)
        self.disk.before = lambda name: None
        self.disk.kill()
        self.store = store or self.open()

    def assert_tagged(self, key: str) -> None:
        self.killed(lambda: self.put(key, b"new"))

        def change(version: ObjectVersion) -> ObjectVersion:
            self.assertEqual(version.size, 3)
            return structs.replace(version, properties=Properties(tags={"t": "1"}))

        now(self.store.change_object("alpha", key, change))
        self.lose_power()
        self.assertEqual(now(self.store.head_object("alpha", key)).properties.tags, {"t": "1"})

    def test_tags_of_an_object_that_is_not_yet_synced(self) -> None:
        self.assert_tagged("k")

    def test_tags_of_an_object_in_folders_that_are_not_yet_synced(self) -> None:
        self.assert_tagged("a/b/c")

    def test_a_deletion_that_is_not_yet_synced(self) -> None:
        self.killed(lambda: now(self.store.delete_object("alpha", "k")))
        self.assertFalse(now(self.store.delete_object("alpha", "k")))
        self.lose_power()
        with self.assertRaises(S3Error):
            now(self.store.head_object("alpha", "k"))

    def test_a_bucket_that_is_there_and_not_yet_synced(self) -> None:
        other = self.open()
        self.killed(lambda: now(self.store.create_bucket("beta", OWNER, "")), made=b"beta", store=other)
        with self.assertRaises(S3Error) as caught:
            now(self.store.create_bucket("beta", OWNER, ""))
        self.assertEqual(caught.exception.code, "BucketAlreadyExists")
        self.lose_power()
        self.assertEqual(now(self.store.get_bucket("beta")).owner, OWNER)

    def test_an_upload_in_a_bucket_that_is_not_yet_synced(self) -> None:
        self.killed(lambda: now(self.store.create_bucket("beta", OWNER, "")), made=b"beta")
        upload = now(self.store.create_upload("beta", "k", Properties(), OWNER))
        self.lose_power()
        self.assertEqual(now(self.store.get_upload("beta", "k", upload.id)), upload)


class DirectedTests(_StoreTests):
    """What the other episodes meet too seldom."""

    def test_a_version_whose_id_was_drafted_too_early(self) -> None:
        now(self.store.change_bucket("alpha", lambda bucket: structs.replace(bucket, versioning=ENABLED)))
        self.put("k", b"first")
        self.disk.now_ns -= 3600 * 10**9
        version = self.put("k", b"second")
        self.lose_power()
        self.assertEqual(now(self.store.head_object("alpha", "k", version.version_id)).size, 6)

    def test_a_rename_of_a_file_that_nobody_synced(self) -> None:
        descriptor = self.disk.open(b"alpha/hand.txt", Access.NEW)
        self.disk.write(descriptor, 0, [b"by hand"])
        self.disk.close(descriptor)
        self.disk.now_ns += 10 * 10**9
        # Now it has a record, which is not on stable storage either.
        before = now(self.store.head_object("alpha", "hand.txt"))
        now(self.store.rename_object("alpha", "hand.txt", "renamed"))
        self.lose_power()
        after = now(self.store.head_object("alpha", "renamed"))
        self.assertEqual((after.etag, after.properties), (before.etag, before.properties))


class HistoryTests(SynchronousTestCase):
    """What may be found."""

    def setUp(self) -> None:
        self.history: History[str] = History(Clock(), "old")

    def test_what_was_acknowledged_is_there(self) -> None:
        write = self.history.begin("new")
        self.assertEqual(self.history.allowed, ["old", "new"])
        self.history.acknowledge(write)
        self.assertEqual(self.history.allowed, ["new"])

    def test_of_two_at_once_either_is_the_last(self) -> None:
        first, second = self.history.begin("first"), self.history.begin("second")
        self.history.acknowledge(first)
        # The second may come yet, or have come before the first.
        self.assertEqual(self.history.allowed, ["first", "second"])
        self.history.acknowledge(second)
        self.assertEqual(self.history.allowed, ["first", "second"])

    def test_what_was_refused_did_not_happen(self) -> None:
        self.history.refuse(self.history.begin("new"))
        self.assertEqual(self.history.allowed, ["old"])

    def test_the_dead_write_no_more(self) -> None:
        self.history.begin("dead")
        self.history.die()
        self.assertEqual(self.history.allowed, ["old", "dead"])
        self.history.acknowledge(self.history.begin("new"))
        self.assertEqual(self.history.allowed, ["new"])

    def test_without_one(self) -> None:
        write = self.history.begin("new")
        self.history.acknowledge(write)
        self.assertEqual(self.history.allowed_without(write), [])

    def test_anything(self) -> None:
        self.history.acknowledge(self.history.begin(ANYTHING))
        self.assertIn("whatever", self.history.allowed)
        self.history.settle("known")
        self.assertEqual(self.history.allowed, ["known"])
