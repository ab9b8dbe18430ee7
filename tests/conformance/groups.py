"""The groups into which the tests of ceph/s3-tests fall, by the names of its tests."""

from __future__ import annotations

import re

import attrs

HEADERS = "s3tests/functional/test_headers.py"
MAIN = "s3tests/functional/test_s3.py"


@attrs.frozen
class Group:
    """A group of tests.

    :ivar name: by which a run can be limited to it.
    :ivar pattern: of the names of its tests, without ``test_``; what an earlier group has is not in a later one.
    :ivar file: where they are.
    :ivar alone: whether they count all that a user owns, so that nothing may run beside them.
    :ivar processes: how many of the others run at a time.
    """

    name: str
    pattern: str
    file: str = MAIN
    alone: bool = False
    processes: int = 2


#: Encryption, retention and the like have words of their own, whatever else is in a name.
_LATER = (
    "lifecycle|logging|policy|_acl|acl_|public_block|ownership|post_object|"
    "raw_|anon|presigned|versioning|versioned|delete_marker|access_bucket|canned|restore_|read_through|tenant|_tags_acl|"
    "tags_obj_public|not_owned|delete_objects?_version_|torrent|append|public_acls|block_public|nonowner|"
    "put_authenticated|create_bucket_|policy_prefix"
)

#: They wait for days of ten seconds, and not for the processor.
_LIFECYCLE = "lifecycle_(?!cloud_|transition_encrypted|.*_cloud_).*|lifecyclev2_.*|delete_marker_expiration"

GROUPS = (
    Group("headers", ".*", HEADERS),
    Group("object_lock", "object_lock_.*"),
    Group("cors", ".*cors.*"),
    Group("lifecycle", _LIFECYCLE, processes=12),
    Group("encryption", "(?!lifecycle).*(sse|encrypt|copy_(part_)?enc|put_obj_.*(enc|kms)).*"),
    Group("later", f"(.*({_LATER})).*"),
    Group("list v2", "bucket_listv2_.*|basic_key_count|bucketv2_notexist"),
    Group("list_buckets", "buckets_.*|list_buckets_.*", alone=True),
    Group("bucket_naming", "bucket_create_naming_.*|bucket_list_long_name"),
    Group("list v1", "bucket_list_.*"),
    Group("checksum", ".*(checksum|cksum).*(?<!attributes)"),
    Group("object_attributes", "get_.*object_attributes"),
    Group("multi_delete", "multi_object.*"),
    Group("range", "ranged_.*"),
    Group("atomic", "atomic_.*"),
    Group("tagging", ".*(tags|tagging).*"),
    Group("conditional_get", "get_object_if.*"),
    Group("conditional_write", ".*_if_?(match|none?match|none_match).*"),
    Group("copy", "object_copy_.*|upload_part_copy_.*"),
    Group("multipart", ".*(multipart|get_part).*"),
    Group("bucket_basic", "bucket_.*|account_usage|head_bucket_usage|expected_bucket_owner"),
    Group("object_basic", "object_.*|100_continue.*"),
)

#: The groups of what is built; the tests of the others ask for what is not.
BUILT = tuple(group for group in GROUPS if group.name != "later")


def group_of(test: str) -> str:
    """The name of the group of a test, "" for none.

    :param test: as pytest names it: ``s3tests/functional/test_s3.py::test_bucket_list_empty``.
    """
    file, _, name = test.partition("::")
    for group in GROUPS:
        if group.file == file and re.fullmatch(group.pattern, name.removeprefix("test_")):
            return group.name
    return ""
