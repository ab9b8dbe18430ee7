"""The look for damage in the background of a daemon."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.proofs.server import Server


class ScrubDaemonTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.directory = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def test_damage_is_found_and_told(self) -> None:
        """It goes through everything at the start, says what is damaged, and leaves it where it is."""
        server = Server(self.directory)
        self.addCleanup(server.end)
        server.call("PUT", "/bucket")
        for key in ("fine", "hurt"):
            server.call("PUT", f"/bucket/{key}", {}, b"whole")
        server.end()
        file = server.data / "bucket/hurt"
        before = file.stat()
        with file.open("r+b") as opened:
            opened.write(b"W")
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        server = Server(self.directory, 1, ["--scrub=deep"])
        self.addCleanup(server.end)
        told = server.daemon.wait_for(r"damaged (\w+) bucket/(\w+): ")
        self.assertEqual(told.groups(), ("object", "hurt"))
        ended = server.daemon.wait_for(r"has ended: (\d+) files, (\d+) damaged")
        # The record of the bucket is one of them.
        self.assertEqual(ended.groups(), ("3", "1"))
        server.end()
        noted = json.loads((server.data / ".s3store/scrub.json").read_bytes())
        self.assertEqual((noted["files"], noted["damaged"], noted["deep"]), (3, 1, True))
        self.assertEqual(file.read_bytes(), b"Whole")
