"""The AWS SDK for JavaScript (version 3) and minio-js, on Node.js."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.clients.against import ClientCase, find_tool, sha256
from tests.clients.installed import node_modules, scratch_beside

SCRIPTS = Path(__file__).with_name("node")


class NodeTests(ClientCase):
    def run_script(self, name: str) -> str:
        """Run a script; give its standard output."""
        folder = scratch_beside(node_modules(SCRIPTS))
        self.addCleanup(folder.cleanup)
        script = Path(shutil.copy(SCRIPTS / name, folder.name))
        return self.run_tool(find_tool("node"), "--no-warnings", script)

    def test_aws_sdk(self) -> None:
        printed = self.run_script("aws_sdk.js")
        self.assertEqual(printed, sha256(self.on_disk("sdk", "large")) + "\n")
        self.assertEqual([path.name for path in self.on_disk("sdk").iterdir()], ["large"])

    def test_minio_js(self) -> None:
        printed = self.run_script("minio_js.js")
        self.assertEqual(printed, sha256(self.on_disk("from-js", "large")) + "\n")
        self.assertEqual([path.name for path in self.on_disk("from-js").iterdir()], ["large"])


class NodeOverTLSTests(NodeTests):
    tls = True
