"""Faults of an operation that takes long, so that its answer begins before it has ended."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException, IncompleteRead
from threading import Event
from typing import Any
from urllib.parse import urlsplit

from twisted.internet.defer import Deferred
from twisted.python.components import proxyForInterface
from twisted.trial.unittest import SynchronousTestCase

from twisted_s3.errors import S3Error
from twisted_s3.interfaces import IObjectStore
from twisted_s3.model import ObjectVersion
from twisted_s3.protocol.xmldocs import PROLOG
from twisted_s3.storage.memory import MemoryStore
from twisted_s3.testing import MovableClock, S3Server

PLACE = {"Bucket": "bucket", "Key": "k"}
DOCUMENT = "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part></CompleteMultipartUpload>"


class LateStore(proxyForInterface(IObjectStore, "inner")):  # type: ignore[misc]
    """A store that completes uploads when it is told to.

    :ivar asked: whether it was asked to.
    :ivar failure: with which it then fails.
    """

    def __init__(self, reactor: Any, clock: MovableClock) -> None:
        super().__init__(MemoryStore(clock))
        self.asked = Event()
        self.failure: Exception | None = None
        self._reactor = reactor
        self._gate: Deferred[None] = Deferred()

    def let_go(self) -> None:
        """Complete, or fail. For use from any thread."""
        self._reactor.callFromThread(self._gate.callback, None)

    async def complete_upload(self, *args: Any, **named: Any) -> ObjectVersion:
        """Complete, late."""
        self.asked.set()
        await self._gate
        if self.failure is not None:
            raise self.failure
        version: ObjectVersion = await self.inner.complete_upload(*args, **named)
        return version


class LongFaults(SynchronousTestCase):
    """CompleteMultipartUpload, of which the clock says that it takes long."""

    def setUp(self) -> None:
        """A server with an upload that waits to be completed."""
        self.s3 = S3Server(make_store=self.make_store).start()
        self.addCleanup(self.s3.stop)
        self.s3.create_bucket("bucket")
        self.client = self.s3.client()
        self.upload = self.client.create_multipart_upload(**PLACE)["UploadId"]
        part = self.client.upload_part(**PLACE, UploadId=self.upload, PartNumber=1, Body=b"part")
        self.document = DOCUMENT.format(part["ETag"])

    def make_store(self, reactor: Any, clock: MovableClock) -> IObjectStore:
        """See `Options`."""
        self.store = LateStore(reactor, clock)
        return self.store

    def complete(self) -> bytes:
        """Complete the upload, slowly. Gives the bytes that come of a document that says nothing of its length."""
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(self.ask)
            self.store.asked.wait(30)
            self.s3.clock.advance(60)
            self.store.let_go()
            return answer.result(30)

    def ask(self) -> bytes:
        """Send the request, and read what comes."""
        signed = self.client.generate_presigned_url("complete_multipart_upload", {**PLACE, "UploadId": self.upload})
        url = urlsplit(signed)
        connection = HTTPConnection(url.netloc, timeout=30)
        try:
            connection.request("POST", f"{url.path}?{url.query}", self.document)
            answer = connection.getresponse()
            self.assertEqual((answer.status, answer.getheader("Content-Length")), (200, None))
            return answer.read()
        finally:
            connection.close()

    def test_cut(self) -> None:
        """So many bytes of the document come, which is then not whole; the object is there."""
        self.s3.faults.cut("CompleteMultipartUpload", 60)
        with self.assertRaises(IncompleteRead) as cut:
            self.complete()
        self.assertEqual(len(cut.exception.partial), 60)
        self.assertEqual(cut.exception.partial[: len(PROLOG)], PROLOG)
        self.assertEqual(self.client.get_object(**PLACE)["Body"].read(), b"part")

    def test_cut_error(self) -> None:
        """So does the document of an error that came late."""
        self.store.failure = S3Error("SlowDown")
        self.s3.faults.cut("CompleteMultipartUpload", 90)
        with self.assertRaises(IncompleteRead) as cut:
            self.complete()
        self.assertIn(b"<Error><Code>SlowDown</Code>", cut.exception.partial)

    def test_lose_answer(self) -> None:
        """Nothing comes, and the object is there."""
        self.s3.faults.lose_answer("CompleteMultipartUpload")
        self.assertRaises((HTTPException, OSError), self.complete)
        self.assertEqual(self.client.get_object(**PLACE)["Body"].read(), b"part")

    def test_without_a_fault(self) -> None:
        """The whole document comes, white space before it or not."""
        self.assertRegex(self.complete()[len(PROLOG) :], rb"\A *<CompleteMultipartUploadResult.*Result>\Z")
