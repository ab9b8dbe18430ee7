"""With ``verify_reads`` nobody gets a damaged object whole."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError, ResponseStreamingError
from twisted.internet import reactor

from tests.serving import Server, ServingTestCase, coroutine
from tests.storage.filesystem.test_scrub import flip
from tests.storage.kit import pattern
from twisted_s3.storage.filesystem.store import FilesystemStore

SIZES = {"small": 1000, "large": 3 << 20, "exact": 512 << 10}
CUT = (ClientError, HTTPClientError, IncompleteReadError, ResponseStreamingError)


class VerifiedReads(ServingTestCase):
    """GET, copies and ranges of sound and damaged objects."""

    verify = True

    def make_store(self) -> FilesystemStore:
        self.root = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        store: Any = FilesystemStore(self.root, reactor, durable=False, threads=2, verify_reads=self.verify)
        return store

    def got(self, client: Any, key: str, **parameters: str) -> bytes | None:
        """What GET gives; None when it is refused or cut."""
        try:
            body: bytes = client.get_object(Bucket="bucket", Key=key, **parameters)["Body"].read()
        except CUT:
            return None
        return body

    def work(self, server: Server) -> dict[str, Any]:
        client = server.client(response_checksum_validation="when_required")
        client.create_bucket(Bucket="bucket")
        found: dict[str, Any] = {}
        for key, size in SIZES.items():
            body = pattern(size)
            client.put_object(Bucket="bucket", Key=key, Body=body)
            self.assertEqual(self.got(client, key), body)
            client.copy_object(Bucket="bucket", Key="copy", CopySource=f"bucket/{key}")
            self.assertEqual(self.got(client, "copy"), body)
            flip(self.root / "bucket" / key, size // 2)
            found[key] = self.got(client, key)
            try:
                client.copy_object(Bucket="bucket", Key=f"copy-of-{key}", CopySource=f"bucket/{key}")
            except CUT:
                found[f"copy-of-{key}"] = None
            self.assertEqual(self.got(client, key, Range="bytes=0-99"), body[:100])
        found["keys"] = [entry["Key"] for entry in client.list_objects_v2(Bucket="bucket")["Contents"]]
        return found

    @coroutine
    async def test_damaged(self) -> None:
        server = await self.start_server()
        found = await self.in_thread(self.work, server)
        self.assertEqual(found.pop("keys"), ["copy", "exact", "large", "small"])
        self.assertEqual(len(found), 6)
        self.assertEqual(set(found.values()), {None})
        self.flushLoggedErrors()


class VerifiedReadsOverTLS(VerifiedReads):
    """The same over HTTPS."""

    tls = True


class UnverifiedReads(VerifiedReads):
    """Without the setting damaged bytes are given out."""

    verify = False

    @coroutine
    async def test_damaged(self) -> None:
        server = await self.start_server()
        found = await self.in_thread(self.work, server)
        self.assertEqual({key: len(found[key]) for key in SIZES}, SIZES)
