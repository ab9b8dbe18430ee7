"""Why a mutant goes unnoticed by the deeds and by the episodes."""

from __future__ import annotations

from tests.crash.mutants import LATE, REMOVED

#: Noticed by tests of their own (:mod:`tests.crash.test_mutants`), because they take a process that was killed before.
DIRECTED = {
    "a directory is anchored before it is synced": "test_anchors_that_come_first",
    f"ancestor in Objects.change: {REMOVED}": "test_the_folders_of_what_is_tagged",
    f"fsync in Renaming._prepared < Renaming._move_unversioned: {REMOVED}": "test_files_that_are_renamed",
    f"fsync in _Draft.write < _Draft.rewrite: {REMOVED}": "test_version_ids_that_are_drafted_anew",
    f"fsync_directory in : {REMOVED}": "test_the_names_of_buckets_at_the_start",
    f"fsync_directory in Objects.change: {REMOVED}": "test_the_name_of_what_is_tagged",
}

_FOLDER_ITSELF = "a folder is reached when it has a durable name itself; what is in it is not asked for"
_SAME_CODE = "the code is that of all ancestors (DirectorySync.sync), and is noticed where they are removed"
_LAST = "the last step of its kind that anything rests on: late, it still comes before the answer"
_BEFORE_COMMIT = "late, it still comes before the sync of the inode that points there, and so before the commit"
_GOES_TOO = "what is removed goes as well when a folder above it is lost"

_NO_ANSWER = "a version of which nobody was told yet may have the id that was drafted before"

#: As good as the original.
NEEDLESS = {
    f"ancestor in Files.move_to_trash: {REMOVED}": _GOES_TOO,
    f"ancestor in Files.move_to_trash: {LATE}": _GOES_TOO,
    f"ancestor in Files.place: {LATE}": _SAME_CODE,
    f"ancestor in Objects.change: {LATE}": _SAME_CODE,
    f"ancestor in PartTarget.publish: {LATE}": _SAME_CODE,
    f"ancestor in PartTarget.settle: {LATE}": _SAME_CODE,
    f"fsync in Renaming._prepared < Renaming._move_unversioned: {LATE}": _LAST,
    f"fsync in _Draft.write < _Draft.rewrite: {LATE}": _NO_ANSWER,
    f"fsync_directory in : {LATE}": _LAST,
    f"fsync_directory in EventLog._begin_segment < EventLog._last: {LATE}": _LAST,
    f"fsync_directory in EventLog._open_unless_full < EventLog._last: {LATE}": _LAST,
    f"fsync_directory in Files.move_to_trash < Completion._remove: {LATE}": _LAST,
    f"fsync_directory in Files.move_to_trash < Files.remove_tree: {LATE}": _LAST,
    f"fsync_directory in Files.place < Objects.publish_once: {REMOVED}": _FOLDER_ITSELF,
    f"fsync_directory in Files.place < Objects.publish_once: {LATE}": _FOLDER_ITSELF,
    f"fsync_directory in Files.save < Metadata._write_beside: {LATE}": _BEFORE_COMMIT,
    f"fsync_directory in Files.save < Metadata.write: {LATE}": _BEFORE_COMMIT,
    f"fsync_directory in Files.save < Quarantine.take: {LATE}": _LAST,
    f"fsync_directory in Files.save < Uploads.create: {LATE}": _LAST,
    f"fsync_directory in Objects.change: {LATE}": _LAST,
    f"fsync_directory in Objects.uncover < Removal.delete: {LATE}": _LAST,
    f"fsync_directory in Quarantine.take: {LATE}": _LAST,
}
