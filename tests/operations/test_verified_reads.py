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
        self.store: Any = FilesystemStore(self.root, reactor, durable=False, threads=2, verify_reads=self.verify)
        return self.store  # type: ignore[no-any-return]

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

    @coroutine
    async def test_encrypted(self) -> None:
        """What is encrypted tells of its damage by itself; the checksum is that of the encrypted bytes."""
        server = await self.start_server()

        def work(server: Server) -> None:
            client = server.client()
            key = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}
            client.create_bucket(Bucket="bucket")
            client.put_object(Bucket="bucket", Key="x", Body=pattern(300_000), **key)
            upload = client.create_multipart_upload(Bucket="bucket", Key="y", **key)["UploadId"]
            part = {"Bucket": "bucket", "Key": "y", "UploadId": upload, "PartNumber": 1}
            client.upload_part(Body=pattern(300_000), **part, **key)
            self.assertEqual(self.got(client, "x", **key), pattern(300_000))
            walk = self.store.integrity.scrub.walk
            self.assertEqual([step.finding for step in walk(deep=True) if step.finding is not None], [])
            flip(self.root / "bucket/x", 200_000)
            (grid,) = (self.root / ".s3store").glob("buckets/bucket/uploads/*/grids/*")
            flip(grid, 200_000)
            found = [step.finding.kind for step in walk(deep=True) if step.finding is not None]
            self.assertEqual(found, ["object", "part"])
            self.assertIsNone(self.got(client, "x", **key))

        await self.in_thread(work, server)
        self.flushLoggedErrors()


class UnverifiedReads(VerifiedReads):
    """Without the setting damaged bytes are given out."""

    verify = False

    @coroutine
    async def test_damaged(self) -> None:
        server = await self.start_server()
        found = await self.in_thread(self.work, server)
        self.assertEqual({key: len(found[key]) for key in SIZES}, SIZES)
