"""The short run notices when a step that makes something durable is missing."""

from __future__ import annotations

import sys
from collections.abc import Callable
from unittest import TestResult
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from tests.crash import test_crash, test_deeds, test_events, test_faults
from tests.crash.mutants import (
    LATE,
    REMOVED,
    REORDERED,
    Mutant,
    Place,
    episodes_to_notice,
    find_places,
    mutant_of,
)
from twisted_s3.model import Deletion, ObjectVersion
from twisted_s3.storage import testimony
from twisted_s3.storage.filesystem import objects
from twisted_s3.storage.filesystem.disk import IDisk
from twisted_s3.storage.filesystem.metadata import Metadata
from twisted_s3.storage.filesystem.objects import Objects
from twisted_s3.storage.filesystem.sync import DirectorySync

#: Most take one to four; the run by command tries all, and longer.
_EPISODES = 120

#: The steps without which a promise breaks soon.
_CORE = (
    "fsync in Files.save < Buckets._save",
    "fsync in Files.save < Metadata._write_beside",
    "fsync in Files.save < Metadata.write",
    "fsync in Files.save < Uploads.create",
    "fsync in Objects.change",
    "fsync in PartTarget.prepare",
    "fsync in _Draft.write < Objects.put",
    "fsync_directory in Buckets.create",
    "fsync_directory in Files.save < Buckets._save",
    "fsync_directory in Files.save < Metadata.write",
    "fsync_directory in Files.save < Uploads.create",
    "fsync_directory in Objects.settle < Objects.put",
    "fsync_directory in Objects.settle < Removal.delete",
    "fsync_directory in PartTarget.publish",
    "fsync_directory in PartTarget.settle",
    "fsync_directory in Versions.sync < Succession.keep_current",
    "ancestor in Files.place",
    "ancestor in Files.save",
)


class MutantTests(SynchronousTestCase):
    """Each is noticed."""

    def noticed(self, mutant: Mutant) -> None:
        self.assertIsNotNone(episodes_to_notice(mutant, _EPISODES), mutant.name)

    def test_steps_that_are_left_out(self) -> None:
        places = {str(place): place for place in find_places(40)}
        for name in _CORE:
            self.assertIn(name, places, "the code has changed: see python -m tests.crash --mutants 100")
            self.noticed(mutant_of(places[name], REMOVED))

    def test_bytes_that_are_synced_after_their_name(self) -> None:
        self.noticed(mutant_of(Place("fsync", ("_Draft.write", "Objects.put")), LATE))

    def test_new_directories_that_are_not_synced(self) -> None:
        (mutant,) = (mutant for mutant in REORDERED if "new directories" in mutant.name)
        self.noticed(mutant)

    def test_the_original(self) -> None:
        self.assertIsNone(episodes_to_notice(Mutant("none"), _EPISODES))


class DirectedTests(SynchronousTestCase):
    """Steps that only matter when things meet that seldom meet: tests of their own notice them."""

    def fails(self, case: Callable[[str], SynchronousTestCase], name: str) -> bool:
        """Whether a test fails."""
        result = TestResult()
        case(name).run(result)
        self.assertEqual(result.testsRun, 1)
        return not result.wasSuccessful()

    def test_the_name_of_what_is_tagged(self) -> None:
        name = "test_tags_of_an_object_that_is_not_yet_synced"
        self.assertFalse(self.fails(test_crash.UnsyncedNamesTests, name))
        whole = DirectorySync.sync

        def sync(self: DirectorySync, directory: bytes) -> None:
            if sys._getframe(1).f_code.co_qualname != "Objects.change":
                whole(self, directory)

        with patch.object(DirectorySync, "sync", sync):
            self.assertTrue(self.fails(test_crash.UnsyncedNamesTests, name))

    def test_the_absence_of_what_is_deleted_twice(self) -> None:
        name = "test_a_deletion_that_is_not_yet_synced"
        self.assertFalse(self.fails(test_crash.UnsyncedNamesTests, name))
        with patch.object(Objects, "places", lambda *args: ()):
            self.assertTrue(self.fails(test_crash.UnsyncedNamesTests, name))

    def assert_needed(self, case: type[SynchronousTestCase], name: str, place: Place) -> None:
        """A test fails without a step, and only then."""
        self.assertFalse(self.fails(case, name))

        def wrap(disk: IDisk) -> IDisk:
            return mutant_of(place, REMOVED).wrap(disk)

        self.assertTrue(self.fails(type("Mutated", (case,), {"wrap": staticmethod(wrap)}), name))

    def test_the_names_of_buckets_at_the_start(self) -> None:
        name = "test_an_upload_in_a_bucket_that_is_not_yet_synced"
        self.assert_needed(test_crash.UnsyncedNamesTests, name, Place("fsync_directory", ()))

    def test_the_names_of_buckets_that_are_made_twice(self) -> None:
        name = "test_a_bucket_that_is_there_and_not_yet_synced"
        self.assert_needed(test_crash.UnsyncedNamesTests, name, Place("fsync_directory", ("Buckets.create",)))

    def test_the_folders_of_what_is_tagged(self) -> None:
        name = "test_tags_of_an_object_in_folders_that_are_not_yet_synced"
        self.assert_needed(test_crash.UnsyncedNamesTests, name, Place("ancestor", ("Objects.change",)))

    def test_version_ids_that_are_drafted_anew(self) -> None:
        name = "test_a_version_whose_id_was_drafted_too_early"
        place = Place("fsync", ("_Draft.write", "_Draft.rewrite"))
        self.assert_needed(test_crash.DirectedTests, name, place)

    def test_files_that_are_renamed(self) -> None:
        name = "test_a_rename_of_a_file_that_nobody_synced"
        place = Place("fsync", ("Renaming._prepared", "Renaming._move_unversioned"))
        self.assert_needed(test_crash.DirectedTests, name, place)

    def test_directories_that_something_moves_into(self) -> None:
        name = "test_a_rename_into_new_directories"
        self.assertFalse(self.fails(test_faults.SweepTests, name))
        with patch.object(DirectorySync, "reach", lambda self, directory: self._disk.is_anchored(directory)):
            self.assertTrue(self.fails(test_faults.SweepTests, name))

    def test_anchors_that_come_first(self) -> None:
        (mutant,) = (mutant for mutant in REORDERED if "anchored" in mutant.name)
        name = "test_a_put_whose_directories_can_not_be_synced"
        self.assertFalse(self.fails(test_faults.SweepTests, name))
        with mutant.patched():
            self.assertTrue(self.fails(test_faults.SweepTests, name))

    def test_pointers_that_come_first(self) -> None:
        (mutant,) = (mutant for mutant in REORDERED if "side file" in mutant.name)
        name = "test_metadata_beside_that_can_not_be_written"
        self.assertFalse(self.fails(test_faults.SweepTests, name))
        with mutant.patched():
            self.assertTrue(self.fails(test_faults.SweepTests, name))

    def test_events_that_are_not_synced_before_their_commit(self) -> None:
        place = Place("fsync", ("EventLog.append", "Journal.begin"))
        for how in (REMOVED, LATE):
            wrap = staticmethod(mutant_of(place, how).wrap)
            case = type("Mutated", (test_events.CrashedEvents,), {"wrap": wrap})
            self.assertTrue(self.fails(case, "test_power_lost"), how)

    def test_events_that_come_after_their_commit(self) -> None:
        with patch.object(objects, "Testimony", _LateTestimony):
            self.assertTrue(self.fails(test_events.CrashedEvents, "test_killed"))

    def test_moves_that_are_not_told_of(self) -> None:
        name = "test_an_object_that_a_walk_misses_keeps_its_record"
        self.assertFalse(self.fails(test_deeds.MovingTests, name))
        with patch.object(Metadata, "hold", lambda *args: None):
            self.assertTrue(self.fails(test_deeds.MovingTests, name))


class _LateTestimony(testimony.Testimony):
    """Begins only when all is over."""

    def begin(self, change: ObjectVersion | Deletion) -> None:
        self._change = change

    def committed(self) -> None:
        super().begin(self._change)
        super().committed()
