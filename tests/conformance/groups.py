"""The groups into which the tests of ceph/s3-tests fall, by the names of its tests."""

from __future__ import annotations

import re

from msgspec import Struct

HEADERS = "s3tests/functional/test_headers.py"
MAIN = "s3tests/functional/test_s3.py"


class Group(Struct, frozen=True):
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


#: They wait for days of ten seconds, and not for the processor.
_LIFECYCLE = "lifecycle_.*|lifecyclev2_.*|delete_marker_expiration"
_CLOUD = "lifecycle_(noncur_)?cloud_.*|restore_.*|read_through"
_POLICY = (
    "bucket(v2)?_policy.*|set_get_del_bucket_policy|(get|put)_tags_acl_public|delete_tags_obj_public|"
    "multipart_upload_on_a_bucket_with_policy|head_object_404_with_policy_prefix"
)
_PUBLIC_ACCESS = ".*public_block.*|block_public_.*|ignore_public_acls|.*_bucket_policy_status"
_ACL = (
    "(?!object_copy_|versioned_).*(_acl|object_acl_|_canned|access_bucket_|bucket_recreate_).*|"
    "bucket_create_exists_nonowner|list_buckets_anonymous|bucket_list(v2)?_objects_anonymous.*"
)

GROUPS = (
    Group("headers", ".*", HEADERS),
    Group("object_lock", "object_lock_.*"),
    Group("cors", ".*cors.*"),
    Group("cloud", _CLOUD),
    Group("lifecycle", _LIFECYCLE, processes=12),
    Group("logging", ".*bucket_logging.*", processes=8),
    Group("encryption", ".*(sse|encrypt|copy_(part_)?enc|put_obj_.*(enc|kms)).*"),
    Group("post_object", "post_object_.*"),
    Group("presigned_raw", "object_(raw|presigned|anon)_.*|object_put_authenticated"),
    Group("bucket_policy", _POLICY),
    Group("public_access_block", _PUBLIC_ACCESS),
    Group("object_ownership", ".*ownership.*|create_bucket_(bucket_owner|object_writer).*"),
    Group("acl", _ACL),
    Group("versioning", "(versioning|versioned|delete_marker)_.*"),
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
    Group("object_basic", "object_.*|100_continue.*|get_object_torrent"),
)


def group_of(test: str) -> str:
    """The name of the group of a test, "" for none.

    :param test: as pytest names it: ``s3tests/functional/test_s3.py::test_bucket_list_empty``.
    """
    file, _, name = test.partition("::")
    for group in GROUPS:
        if group.file == file and re.fullmatch(group.pattern, name.removeprefix("test_")):
            return group.name
    return ""
