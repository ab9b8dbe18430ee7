"""The groups of the public suite, and what is known of its tests. The suite itself is run by hand."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.trial.unittest import SynchronousTestCase

from tests.conformance.__main__ import USERS, Outcome, report, server_settings, suite_settings
from tests.conformance.groups import HEADERS, MAIN, group_of
from tests.conformance.known import KNOWN, reason_of
from twisted_s3.credentials import UserSources
from twisted_s3.settingsources import load

DOCS = Path(__file__).parents[2] / "docs"


class Groups(SynchronousTestCase):
    """Which test is where."""

    def test_names(self) -> None:
        """Names fall where they belong; the words of whole features go first."""
        for name, group in {
            "test_bucket_list_empty": "list v1",
            "test_bucket_listv2_empty": "list v2",
            "test_bucket_list_objects_anonymous": "acl",
            "test_bucket_list_return_data_versioning": "list v1",
            "test_bucket_acl_grant_email": "acl",
            "test_versioned_object_acl": "versioning",
            "test_delete_object_version_if_match": "conditional_write",
            "test_object_copy_versioned_bucket": "copy",
            "test_object_raw_get_object_acl": "presigned_raw",
            "test_object_presigned_put_object_with_acl": "presigned_raw",
            "test_object_put_authenticated": "presigned_raw",
            "test_post_object_tags_anonymous_request": "post_object",
            "test_bucketv2_policy_acl": "bucket_policy",
            "test_bucket_policy_put_obj_kms_s3": "encryption",
            "test_get_public_acl_bucket_policy_status": "public_access_block",
            "test_block_public_policy_with_principal": "public_access_block",
            "test_create_bucket_object_writer": "object_ownership",
            "test_put_bucket_logging": "logging",
            "test_bucket_logging_part_cleanup_deletion_j": "logging",
            "test_multipart_checksum_sha256": "checksum",
            "test_multipart_upload_small": "multipart",
            "test_copy_enc[a-b]": "encryption",
            "test_lifecycle_expiration_date": "lifecycle",
            "test_lifecycle_cloud_transition": "cloud",
            "test_lifecycle_transition_encrypted[a-b]": "lifecycle",
            "test_object_content_encoding_aws_chunked": "object_basic",
            "test_nothing_like_it": "",
        }.items():
            self.assertEqual(group_of(f"{MAIN}::{name}"), group, name)
        self.assertEqual(group_of(f"{HEADERS}::test_anything"), "headers")

    def test_known(self) -> None:
        """Whatever is known is known of a test that has a group, and says why."""
        for test, reason in KNOWN.items():
            self.assertTrue(any(group_of(f"{file}::{test.rstrip('*')}") for file in (MAIN, HEADERS)), test)
            self.assertTrue(reason.endswith("."), test)

    def test_reasons(self) -> None:
        """A name goes before what it begins with, and the longer beginning before the shorter."""
        known = {"test_a*": "short", "test_ab*": "long", "test_abc": "exact"}
        for test, reason in {"test_ax": "short", "test_abd": "long", "test_abc": "exact", "test_b": ""}.items():
            self.assertEqual(reason_of(test, known), reason)

    def test_report(self) -> None:
        """Passed by group, apart for those that the suite marks; what failed, by what is known of it."""
        known = min(KNOWN)
        new = f"{MAIN}::test_bucket_list_new"
        text = report(
            [
                Outcome(f"{MAIN}::test_bucket_list_empty", "passed"),
                Outcome(f"{MAIN}::test_bucket_list_other", "passed", marked=True),
                Outcome(new, "failed", "assert 1 == 2", marked=True),
                Outcome(f"{HEADERS}::{known}", "failed", "assert 3 == 4"),
            ]
        )
        self.assertIn("   * - list v1\n     - 1 of 1\n     - 1 of 2\n", text)
        self.assertIn("   * - **all**\n     - 1 of 2\n     - 1 of 2\n", text)
        self.assertIn("``test_bucket_list_new``\n     - **failed**: ``assert 1 == 2``\n", text)
        self.assertIn(f"``{known}``\n     - {KNOWN[known]}\n", text)
        self.assertNotIn("assert 3 == 4", text)
        self.assertLess(text.index(known), text.index("test_bucket_list_new"), "what is not marked goes first")

    def test_settings(self) -> None:
        """The daemon understands its settings, and its users are those of the suite."""
        with TemporaryDirectory() as folder:
            path = Path(folder) / "server.toml"
            path.write_text(server_settings(Path(folder)))
            settings = load({"config": str(path)}, {}, lambda text: None)
            users = UserSources.of(settings, {}).configured()
        suite = suite_settings(9000)
        self.assertEqual([user.administrator for user in users], [True, *(False for _ in USERS)])
        for user in users[1:]:
            self.assertIn(f"access_key = {user.access_key}\nsecret_key = {user.secret_key}\n", suite)
            self.assertIn(f"user_id = {user.canonical_id}\n", suite)

    def test_documented(self) -> None:
        """Every reason that the last run gave is still the one that is known."""
        results = (DOCS / "conformance_results.inc").read_text()
        self.assertFalse("**failed**" in results, "the last run failed in a way that nobody knows")
        rows = re.findall(r"   \* - (``test_.*)\n     - (.*)\n", results)
        self.assertGreater(len(rows), 20)
        for tests, reason in rows:
            for test in re.findall("``(.+?)``", tests):
                self.assertEqual(reason_of(test), reason, test)
