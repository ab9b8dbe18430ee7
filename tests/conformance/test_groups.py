"""The groups of the public suite, and what is known of its tests. The suite itself is run by hand."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.trial.unittest import SynchronousTestCase

from tests.conformance.__main__ import Outcome, report, server_settings, suite_settings
from tests.conformance.groups import BUILT, HEADERS, MAIN, group_of
from tests.conformance.known import KNOWN
from twisted_s3.credentials import UserSources
from twisted_s3.settingsources import load

DOCS = Path(__file__).parents[2] / "docs"


class Groups(SynchronousTestCase):
    """Which test is where."""

    def test_names(self) -> None:
        """Names fall where they belong; the words of later issues go first."""
        for name, group in {
            "test_bucket_list_empty": "list v1",
            "test_bucket_listv2_empty": "list v2",
            "test_bucket_list_objects_anonymous": "later",
            "test_multipart_checksum_sha256": "checksum",
            "test_multipart_upload_small": "multipart",
            "test_copy_enc[a-b]": "encryption",
            "test_lifecycle_expiration_date": "lifecycle",
            "test_lifecycle_cloud_transition": "later",
            "test_lifecycle_transition_encrypted[a-b]": "later",
            "test_object_content_encoding_aws_chunked": "object_basic",
            "test_nothing_like_it": "",
        }.items():
            self.assertEqual(group_of(f"{MAIN}::{name}"), group, name)
        self.assertEqual(group_of(f"{HEADERS}::test_anything"), "headers")

    def test_known(self) -> None:
        """Whatever is known is known of a test that is run, and says why."""
        names = {group.name for group in BUILT}
        for test, reason in KNOWN.items():
            self.assertTrue(names & {group_of(f"{file}::{test}") for file in (MAIN, HEADERS)}, test)
            self.assertTrue(reason.endswith("."), test)

    def test_report(self) -> None:
        """Passed by group; what failed, with what is known of it."""
        known = min(KNOWN)
        text = report(
            [
                Outcome(f"{MAIN}::test_bucket_list_empty", "passed"),
                Outcome(f"{MAIN}::test_bucket_list_new", "failed", "assert 1 == 2"),
                Outcome(f"{HEADERS}::{known}", "failed", "assert 3 == 4"),
            ]
        )
        self.assertIn("   * - list v1\n     - 1\n     - 2\n", text)
        self.assertIn("**failed**: ``assert 1 == 2``", text)
        self.assertIn(KNOWN[known], text)
        self.assertNotIn("assert 3 == 4", text)

    def test_settings(self) -> None:
        """The daemon understands its settings, and its users are those of the suite."""
        with TemporaryDirectory() as folder:
            path = Path(folder) / "server.toml"
            path.write_text(server_settings(Path(folder)))
            settings = load({"config": str(path)}, {}, lambda text: None)
            users = UserSources.of(settings, {}).configured()
        suite = suite_settings(9000)
        self.assertEqual(len(users), 6)
        for user in users:
            self.assertIn(f"access_key = {user.access_key}\nsecret_key = {user.secret_key}\n", suite)
            self.assertIn(f"user_id = {user.canonical_id}\n", suite)

    def test_documented(self) -> None:
        """Every reason that the last run gave is still the one that is known."""
        results = (DOCS / "conformance_results.inc").read_text()
        self.assertFalse("**failed**" in results, "the last run failed in a way that nobody knows")
        for test, reason in KNOWN.items():
            if f"``{test}``" in results:
                self.assertTrue(f"   * - ``{test}``\n     - {reason}\n" in results, test)
