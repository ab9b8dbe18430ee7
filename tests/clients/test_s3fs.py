"""s3fs, the S3 of fsspec. It demands a botocore of its own, so it works in an environment of its own."""

from __future__ import annotations

from pathlib import Path

from tests.clients.against import MIB, TREE, ClientCase
from tests.clients.installed import python_with

WORK = Path(__file__).with_name("work_s3fs.py")


class S3fsTests(ClientCase):
    def test_trees_and_streams(self) -> None:
        python = python_with("s3fs", ["s3fs >= 2025.3"])
        # s3fs takes "*", "?" and "[" in a name for a pattern.
        source = self.plant("source", {key: content for key, content in TREE.items() if "?" not in key})
        back = self.scratch / "back"
        self.assertIn("aiobotocore", self.run_tool(str(python), WORK, source, back))
        self.assert_same_tree(source, back)
        self.assertEqual(self.on_disk("s3fs", "moved.txt").read_bytes(), b"hello\n")
        self.assertEqual(self.on_disk("streams", "large").stat().st_size, 13 * MIB)


class S3fsOverTLSTests(S3fsTests):
    tls = True
