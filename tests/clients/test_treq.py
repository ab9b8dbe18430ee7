"""treq: presigned URLs, with bodies that are streamed in both directions."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import treq
from treq.client import HTTPClient
from twisted.internet import reactor
from twisted.internet.ssl import Certificate, trustRootFromCertificates
from twisted.trial.unittest import TestCase
from twisted.web.client import Agent, BrowserLikePolicyForHTTPS, HTTPConnectionPool

from tests.clients.against import MIB, AgainstDaemon, noise
from tests.serving import coroutine


class TreqTests(AgainstDaemon, TestCase):
    timeout = 60

    def setUp(self) -> None:
        pool = HTTPConnectionPool(reactor)
        self.addCleanup(pool.closeCachedConnections)
        policy = None
        if self.authority:
            root = Certificate.loadPEM(Path(self.authority).read_bytes())
            policy = BrowserLikePolicyForHTTPS(trustRootFromCertificates([root]))
        trust = {"contextFactory": policy} if policy else {}
        self.treq = HTTPClient(Agent(reactor, pool=pool, **trust))
        self.presigner = self.boto(signature_version="s3v4")

    def presign(self, operation: str, bucket: str, key: str, **parameters: Any) -> str:
        """A presigned URL."""
        return self.presigner.generate_presigned_url(operation, Params={"Bucket": bucket, "Key": key, **parameters})

    @coroutine
    async def test_streams(self) -> None:
        self.presigner.create_bucket(Bucket="streams")
        content = noise(20 * MIB + 1)
        source = self.scratch / "source"
        source.write_bytes(content)
        # treq closes the file when it has been sent.
        answer = await self.treq.put(self.presign("put_object", "streams", "a key+"), data=source.open("rb"))
        self.assertEqual((answer.code, await answer.content()), (200, b""))
        self.assertEqual(answer.headers.getRawHeaders("etag"), [f'"{hashlib.md5(content).hexdigest()}"'])
        self.assertTrue(self.on_disk("streams", "a key+").read_bytes() == content)

        received = hashlib.sha256()
        answer = await self.treq.get(self.presign("get_object", "streams", "a key+"), unbuffered=True)
        self.assertEqual((answer.code, answer.length), (200, len(content)))
        await treq.collect(answer, received.update)
        self.assertEqual(received.digest(), hashlib.sha256(content).digest())

    @coroutine
    async def test_headers_and_ranges(self) -> None:
        self.presigner.create_bucket(Bucket="headers")
        url = self.presign("put_object", "headers", "k", ContentType="text/plain", Metadata={"k": "v"})
        answer = await self.treq.put(
            url, data=b"0123456789", headers={"Content-Type": "text/plain", "x-amz-meta-k": "v"}
        )
        self.assertEqual((answer.code, await answer.content()), (200, b""))
        url = self.presign("get_object", "headers", "k", ResponseContentDisposition="attachment")
        answer = await self.treq.get(url, headers={"Range": "bytes=-3"})
        self.assertEqual((answer.code, await answer.content()), (206, b"789"))
        for name, value in {
            "content-range": "bytes 7-9/10",
            "content-type": "text/plain",
            "content-disposition": "attachment",
            "x-amz-meta-k": "v",
        }.items():
            self.assertEqual(answer.headers.getRawHeaders(name), [value])

    @coroutine
    async def test_refusals(self) -> None:
        self.presigner.create_bucket(Bucket="refusals")
        answer = await self.treq.get(self.presign("get_object", "refusals", "missing"))
        self.assertEqual(answer.code, 404)
        self.assertIn("<Code>NoSuchKey</Code>", await answer.text())
        answer = await self.treq.put(self.presign("get_object", "refusals", "k"), data=b"with the URL of a GET")
        self.assertEqual(answer.code, 403)
        self.assertIn("<Code>SignatureDoesNotMatch</Code>", await answer.text())
        self.assertFalse(self.on_disk("refusals", "k").exists())


class TreqOverTLSTests(TreqTests):
    tls = True
