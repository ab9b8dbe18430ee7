"""The server on the reactor of its caller. Trial looks whether anything is left behind."""

from __future__ import annotations

from typing import Any

import treq
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from twisted.internet import reactor
from twisted.trial.unittest import TestCase
from twisted.web.client import Agent, HTTPConnectionPool

from tests.serving import coroutine
from twisted_s3.errors import S3Error
from twisted_s3.testing import DeferredS3Server


def presign(s3: DeferredS3Server, method: str, path: str) -> str:
    """A URL that any HTTP client can use."""
    request = AWSRequest(method, s3.endpoint_url + path)
    S3SigV4QueryAuth(Credentials(s3.access_key, s3.secret_key), "s3", s3.region).add_auth(request)
    return str(request.url)


class OnMyReactor(TestCase):
    """One server for each test."""

    timeout = 60

    def setUp(self) -> Any:
        """Start it."""
        self.s3 = DeferredS3Server(reactor)
        self.addCleanup(lambda: self.s3.stop())
        self.pool = HTTPConnectionPool(reactor, persistent=False)
        self.agent = Agent(reactor, pool=self.pool)
        return self.s3.start()

    async def ask(self, method: str, path: str, data: bytes | None = None) -> tuple[int, bytes]:
        """Status and body of an answer."""
        answer = await treq.request(method, presign(self.s3, method, path), data=data, agent=self.agent)
        return answer.code, await answer.content()

    @coroutine
    async def test_serves(self) -> None:
        """A round trip without a thread."""
        name = await self.s3.create_bucket()
        self.assertEqual((await self.ask("PUT", f"/{name}/k", b"v" * 100_000))[0], 200)
        self.assertEqual(await self.ask("GET", f"/{name}/k"), (200, b"v" * 100_000))
        self.assertEqual(self.s3.requests.operations, ["PutObject", "GetObject"])
        await self.s3.delete_bucket(name)
        self.assertEqual((await self.ask("GET", f"/{name}/k"))[0], 404)

    @coroutine
    async def test_reset(self) -> None:
        """As new."""
        await self.s3.create_bucket("bucket")
        self.s3.faults.fail("*", times=None)
        self.s3.reset()
        status, body = await self.ask("GET", "/bucket")
        self.assertEqual(status, 404)
        self.assertIn(b"NoSuchBucket", body)

    @coroutine
    async def test_stop_while_a_fault_waits(self) -> None:
        """No delayed call is left of a delay."""
        self.s3.faults.delay("ListBuckets", 3600)
        asked = treq.get(presign(self.s3, "GET", "/"), agent=self.agent)
        failed = self.assertFailure(asked, Exception)
        while not self.s3.faults.waiting:
            await treq.get(self.s3.endpoint_url + "/none", agent=self.agent)
        await self.s3.stop()
        await failed

    @coroutine
    async def test_context(self) -> None:
        """Several at once, each for the length of a block."""
        async with DeferredS3Server() as one, DeferredS3Server(tls=True) as two:
            await one.create_bucket("bucket")
            await two.create_bucket("bucket")
            self.assertNotEqual(one.endpoint_url, two.endpoint_url)
            await self.assertFailure(one.create_bucket("bucket"), S3Error)
        self.assertRaises(RuntimeError, one.reset)

    @coroutine
    async def test_clock(self) -> None:
        """URLs expire when the time moves."""
        await self.s3.create_bucket("bucket")
        url = presign(self.s3, "GET", "/bucket")
        self.assertEqual((await treq.get(url, agent=self.agent)).code, 200)
        self.s3.clock.move(3601)
        self.assertEqual((await treq.get(url, agent=self.agent)).code, 403)
