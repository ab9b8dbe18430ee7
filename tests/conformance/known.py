"""Why tests of the suite do not pass: what AWS does instead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

_OVERWRITTEN = (
    "Today's botocore signs, dates and frames the request after the test has changed it: what goes out is a valid "
    "request, and it is answered as one."
)
_MARKERS = (
    "The suite holds the condition against a delete marker; here, as for writes on AWS, that is no object. The suite "
    "itself says that the test fails on AWS."
)
_RGW = "An extension of Ceph's own."
_PLUS = (
    "AWS writes a space as ``+`` where ``encoding-type=url`` is asked for "
    "(`measured <https://github.com/brekkylab/backlot/issues/178>`__); the suite wants ``%20``."
)
_V1_PREFIX = (
    "``encoding-type=url``, which botocore asks for unbidden, encodes ``Prefix`` too; botocore decodes it for "
    "ListObjectsV2, not for ListObjects."
)
_WRITES = (
    "On writes AWS has ``If-None-Match: *`` and ``If-Match: <etag>``. Anything else is 501 "
    "(`conditional writes <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>`__)."
)
_DELETES = (
    "The suite wants 204 for what is not there; AWS answers ``If-Match`` with 404 "
    "(`conditional deletes <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html>`__)."
)
_CHECKSUM = "AWS answers a checksum that is malformed with ``InvalidRequest``; ``BadDigest`` is for a well-formed one."
_PART = "AWS answers a ``partNumber`` beyond the last with 416 ``InvalidPartNumber``; the suite wants 400."
_SUFFIX = (
    "GetObjectAttributes shows a composite checksum without the number of parts "
    "(`measured on AWS <https://github.com/floci-io/floci/issues/3083>`__); the suite wants it there."
)
_PARTS = (
    "Without a composite checksum AWS lists no parts, but counts them "
    "(`found by LocalStack <https://github.com/localstack/localstack/pull/12764>`__)."
)
_OTHER_KEY = (
    "AWS answers another customer's key with 403 (`LocalStack, recorded on AWS "
    "<https://github.com/localstack/localstack/blob/master/tests/aws/services/s3/test_s3.py>`__); the suite wants 400."
)
_COMPLETE = (
    "AWS needs the customer's key to complete an upload `only when it asked for checksums "
    "<https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html>`__, and this one does not; the "
    "suite wants 400."
)
_RANDOM = (
    "The suite sends a part twice and completes with the first ETag. With a customer's key the ETag is "
    "`not the MD5 <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html>`__; here each time another."
)
_LABELS = (
    "The `rules of AWS <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>`__ allow a dash "
    "beside a dot. The suite itself says that the test fails on AWS."
)
_LIFETIMES = (
    "AWS answers an ``X-Amz-Expires`` that is negative or above a week with 400 ``AuthorizationQueryParametersError`` "
    "(`error codes <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>`__); the suite, which once "
    "signed with SigV2, wants 403."
)
_OWN_BUCKET = (
    "To create a bucket again that one owns is 200 in us-east-1 and else 409 ``BucketAlreadyOwnedByYou`` "
    "(`CreateBucket <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html>`__); the suite wants "
    "``BucketAlreadyExists``."
)
_TENANTS = "Names buckets as ``tenant:bucket``, which is Ceph's own; on AWS that is no name of a bucket."
_STATUS = (
    "Without a policy AWS answers GetBucketPolicyStatus with ``NoSuchBucketPolicy`` "
    "(`seen <https://github.com/turbot/steampipe-plugin-aws/pull/1136>`__); the suite wants an answer, and that access "
    "control lists count in it."
)
_IAM = "Makes users by the API of IAM, which is another service than S3."
_NO_MARKER = "AWS leaves ``x-amz-delete-marker`` out where there is none; the suite wants ``false``."
_TIERS = "Needs a tier in another cloud, a class of Ceph's own."
_LOG_EXTENSIONS = (
    "Of Ceph's own logging: it asks for records at once, in the form of Ceph's journal, or for what PutBucketLogging "
    "of AWS does not have."
)
_FILTERS = (
    "A filter holds one predicate, or an ``And`` around several; AWS refuses two beside each other with "
    "``MalformedXML``. The suite itself says that the test fails on AWS."
)
_CLASSES = (
    "Runs with storage classes of Ceph only. AWS moves no object below 128 KiB by default, and none to an infrequent "
    "access class before 30 days."
)
_PROMPT = (
    "The suite sets a rule with a date that is past, and then wants the object still there: here it is gone within "
    "a tenth of a day, which is a second in this run."
)

_REASONS: Mapping[str, str] = {
    _FILTERS: """
        test_lifecycle_expiration_noncur_tags1 test_lifecycle_expiration_size_gt test_lifecycle_expiration_size_lt
        test_lifecycle_expiration_tags1 test_lifecycle_expiration_tags2 test_lifecycle_expiration_versioned_tags2
        """,
    _CLASSES: """
        test_lifecycle_noncur_transition test_lifecycle_plain_null_version_current_transition
        test_lifecycle_set_noncurrent_transition test_lifecycle_transition
        test_lifecycle_transition_single_rule_multi_trans
        """,
    _PROMPT: "test_lifecycle_expiration_date",
    _NO_MARKER: "test_delete_marker_expiration test_delete_marker_nonversioned",
    _LIFETIMES: """
        test_object_raw_get_x_amz_expires_out_max_range test_object_raw_get_x_amz_expires_out_positive_range
        test_object_raw_put_authenticated_expired
        """,
    _OWN_BUCKET: "test_bucket_recreate_overwrite_acl test_bucket_recreate_new_acl",
    _TENANTS: "test_bucket_policy_different_tenant test_bucket_policy_tenanted_bucket",
    _STATUS: """
        test_get_bucket_policy_status test_get_public_acl_bucket_policy_status
        test_get_authpublic_acl_bucket_policy_status test_get_publicpolicy_acl_bucket_policy_status
        test_get_nonpublicpolicy_acl_bucket_policy_status
        """,
    _IAM: "test_bucket_policy_deny_self_denied_policy test_bucket_policy_deny_self_denied_policy_confirm_header",
    _TIERS: """
        test_lifecycle_cloud_* test_lifecycle_noncur_cloud_transition test_restore_* test_read_through
        """,
    _LOG_EXTENSIONS: "test_bucket_logging_* test_put_bucket_logging_*",
    "The suite wants ``TargetGrants`` forgotten, which AWS keeps where ACLs are on and else refuses, and a form of "
    "keys in the answer that it did not ask for.": "test_put_bucket_logging",
    "AWS gave up BitTorrent in 2022; the suite wants a torrent, or 404 where the answer here is 405.": (
        "test_get_object_torrent"
    ),
    "AWS refuses a target that is not there, or to which it may not deliver, with ``InvalidTargetBucketForLogging``; "
    "the suite wants ``NoSuchKey`` or ``AccessDenied``.": (
        "test_put_bucket_logging_errors test_put_bucket_logging_permissions"
    ),
    "The policy has no ``Resource``, which AWS answers with ``MalformedPolicy``; the suite wants it stored.": (
        "test_bucket_logging_owner"
    ),
    "The log goes to a bucket of another owner, which AWS does not allow "
    "(`server access logs <https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html>`__)"
    ".": "test_put_bucket_logging_policy_wildcard",
    "The parameters of the test are storage classes that the suite was not told; AWS has none to try at once.": (
        "test_lifecycle_transition_encrypted*"
    ),
    "AWS lets nobody list buckets who does not sign; the suite wants an empty list. The suite itself says that the "
    "test fails on AWS.": "test_list_buckets_anonymous",
    "AWS refuses a policy whose action does not apply to its resource with ``MalformedPolicy``, "
    '"Action does not apply to any resource(s) in statement"; the suite wants it stored.': (
        "test_bucket_policy_multipart"
    ),
    "The owner of a bucket needs no policy that allows, so that one that does not apply refuses nothing; the suite "
    "wants 403.": "test_bucket_policy_set_condition_operator_end_with_IfExists",
    "The suite adds the tag to the requests of another client than the one that writes; without the tag the policy "
    "does not apply, and AWS refuses.": "test_bucket_policy_put_obj_request_obj_tag",
    "The field for the checksum is not in the policy, and every field must be "
    "(`conditions <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html>`__): 403.": (
        "test_post_object_upload_checksum"
    ),
    _OVERWRITTEN: """
        test_bucket_create_bad_authorization_empty test_bucket_create_bad_authorization_invalid_aws2
        test_bucket_create_bad_authorization_none test_bucket_create_bad_date_none_aws2
        test_object_create_bad_authorization_empty test_object_create_bad_authorization_incorrect_aws2
        test_object_create_bad_authorization_invalid_aws2 test_object_create_bad_authorization_none
        test_object_create_bad_contentlength_none test_object_create_bad_date_none_aws2
        """,
    _MARKERS: """
        test_delete_object_current_if_match test_delete_object_current_if_match_last_modified_time
        test_delete_object_current_if_match_size test_delete_objects_current_if_match
        test_delete_objects_current_if_match_last_modified_time test_delete_objects_current_if_match_size
        """,
    _RGW: """
        test_account_usage test_head_bucket_usage test_bucket_head_extended test_bucket_list_unordered
        test_bucket_listv2_unordered
        """,
    _PLUS: "test_bucket_list_encoding_basic test_bucket_listv2_encoding_basic",
    _V1_PREFIX: "test_bucket_list_prefix_unreadable",
    _WRITES: """
        test_atomic_conditional_write_1mb test_multipart_put_object_if_match test_put_object_if_match
        test_put_object_ifmatch_nonexisted_failed test_put_object_ifmatch_overwrite_existed_good
        test_put_object_ifnonmatch_failed test_put_object_ifnonmatch_good
        test_multipart_put_current_object_if_match test_multipart_put_current_object_if_none_match
        test_put_current_object_if_match test_put_current_object_if_none_match test_put_object_current_if_match
        """,
    _DELETES: "test_delete_object_if_match test_delete_object_version_if_match",
    _CHECKSUM: "test_object_checksum_crc64nvme test_object_checksum_sha256 test_multipart_checksum_sha256",
    _PART: "test_multipart_get_part test_multipart_single_get_part test_non_multipart_get_part "
    "test_non_multipart_sse_c_get_part",
    "Without a key id AWS uses the key ``aws/s3``; the suite wants a refusal.": "test_sse_kms_no_key",
    _SUFFIX: """
        test_get_multipart_checksum_object_attributes test_multipart_use_cksum_helper_sha1
        test_multipart_use_cksum_helper_sha256
        """,
    _PARTS: """
        test_get_multipart_object_attributes test_get_paginated_multipart_object_attributes
        test_get_single_multipart_object_attributes
        """,
    _OTHER_KEY: "test_encryption_sse_c_multipart_bad_download test_encryption_sse_c_other_key",
    _COMPLETE: """
        test_copy_part_enc[sse-c-sse-c-STANDARD-STANDARD-8388608]
        test_copy_part_enc[sse-kms-sse-c-STANDARD-STANDARD-8388608]
        test_copy_part_enc[sse-s3-sse-c-STANDARD-STANDARD-8388608]
        test_copy_part_enc[unencrypted-sse-c-STANDARD-STANDARD-8388608]
        """,
    _RANDOM: "test_multipart_sse_c_get_part",
    _LABELS: "test_bucket_create_naming_dns_dash_dot test_bucket_create_naming_dns_dot_dash",
    "AWS answers a default retention that is not positive with ``InvalidArgument`` "
    "(`seen <https://github.com/versity/versitygw/issues/1738>`__); it has no ``InvalidRetentionPeriod``.": (
        "test_object_lock_put_obj_lock_invalid_days test_object_lock_put_obj_lock_invalid_years"
    ),
    "AWS refuses an empty continuation token with ``InvalidArgument``.": "test_bucket_listv2_continuationtoken_empty",
    "AWS gives no location for a bucket in us-east-1.": "test_bucket_get_location",
    "AWS answers ``InvalidArgument``; the suite wants ``InvalidRange``.": "test_multipart_copy_invalid_range",
    "A list that names a part twice is not in order: AWS answers ``InvalidPartOrder`` "
    "(`seen <https://github.com/transloadit/uppy/issues/2324>`__).": "test_multipart_resend_first_finishes_last",
    "The suite means a key that is no UTF-8; today's boto3 sends it as UTF-8, and the key does not exist: 404.": (
        "test_object_read_unreadable"
    ),
    "AWS gives metadata beyond ASCII back as an RFC 2047 word; the suite wants raw latin-1.": (
        "test_object_set_get_unicode_metadata"
    ),
    "AWS answers more than ten tags with ``BadRequest``; the suite wants ``InvalidTag``.": "test_put_excess_tags",
}


def _by_test() -> Iterator[tuple[str, str]]:
    for reason, tests in _REASONS.items():
        for test in tests.split():
            yield test, reason


#: The name of a test, or with ``*`` what names begin with, to the reason, as reStructuredText.
KNOWN: Mapping[str, str] = dict(_by_test())


def reason_of(test: str, known: Mapping[str, str] = KNOWN) -> str:
    """Why a test does not pass, "" when nobody knows. What says most about the name counts."""
    beginnings = [name for name in known if name.endswith("*") and test.startswith(name[:-1])]
    return known.get(test) or (known[max(beginnings, key=len)] if beginnings else "")
