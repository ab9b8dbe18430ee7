"""A file that a person put there is not read for somebody who may not read it."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet import reactor

from tests.operations.clients import BUCKET, OperationTestCase, send, send_plain, served
from tests.serving import BOB, Server
from tests.storage.filesystem.disks import ObservedDisk
from twisted_s3.storage.filesystem.store import FilesystemStore


class HandPut(OperationTestCase):
    """A server over a disk that is watched."""

    def make_store(self) -> FilesystemStore:
        """A store whose reads are counted."""
        self.root = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        self.reads = 0

        def watch(name: str, args: tuple[Any, ...]) -> None:
            # What the store keeps of itself is read in one piece, and is shorter.
            self.reads += name in ("read", "read_cached") and args[2] >= 1 << 16

        return FilesystemStore(self.root, reactor, durable=False, wrap=lambda disk: ObservedDisk(disk, watch))

    @served(website_domains=())
    def test_refused(self, server: Server) -> None:
        """Neither nobody nor a stranger has it hashed, whatever they ask; who may read it does."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET, ObjectOwnership="ObjectWriter")
        path = self.root / BUCKET / "k"
        path.write_bytes(b"x" * (1 << 16))
        os.utime(path, (0, 0))
        for method, query in (
            ("GET", ""),
            ("HEAD", ""),
            ("GET", "?versionId=null"),
            ("GET", "?acl"),
            ("GET", "?tagging"),
            ("GET", "?attributes"),
            ("DELETE", ""),
            ("DELETE", "?versionId=null"),
            ("DELETE", "?tagging"),
        ):
            target = f"/{BUCKET}/k{query}"
            self.assertEqual(send_plain(server, method, target).status, 403, target)
            self.assertEqual(send(server, method, target, user=BOB).status, 403, target)
        website = {"IndexDocument": {"Suffix": "index.html"}}
        client.put_bucket_website(Bucket=BUCKET, WebsiteConfiguration=website)
        self.assertEqual(send_plain(server.website, "GET", "/k", headers={"Host": BUCKET}).status, 403)
        self.assertEqual(self.reads, 0)
        self.assertEqual(client.get_object(Bucket=BUCKET, Key="k")["ContentLength"], 1 << 16)
        self.assertGreater(self.reads, 0)
