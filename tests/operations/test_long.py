"""Operations that take long: their answers begin early and are kept alive; those that do not, answer as ever."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from ssl import create_default_context
from threading import Event
from typing import Any

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from lxml import etree
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.python.components import proxyForInterface

from tests.operations.clients import BUCKET, OperationTestCase, served
from tests.serving import ALICE, Server
from twisted_s3.errors import S3Error
from twisted_s3.interfaces import IObjectStore
from twisted_s3.model import ObjectVersion, Part
from twisted_s3.protocol.xmldocs import PROLOG
from twisted_s3.storage.filesystem.store import FilesystemStore
from twisted_s3.storage.memory import MemoryStore

AT = {"Bucket": BUCKET, "Key": "k"}
DOCUMENT = "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part></CompleteMultipartUpload>"


class SlowStore(proxyForInterface(IObjectStore, "inner")):  # type: ignore[misc]
    """A store whose last steps wait until they are let go, once :attr:`slow` is set.

    :ivar failure: what they raise then.
    """

    def __init__(self) -> None:
        super().__init__(MemoryStore(reactor))
        self.slow = False
        self.failure: Exception | None = None
        self.completed = Event()
        self._gate: Deferred[None] = Deferred()

    def let_go(self) -> None:
        """Go on. For use from any thread."""
        reactor.callFromThread(self._gate.callback, None)  # type: ignore[attr-defined]

    async def pass_gate(self) -> None:
        """Wait for :meth:`let_go`."""
        if self.slow:
            await self._gate
            self._gate = Deferred()
            if self.failure is not None:
                raise self.failure

    async def complete_upload(self, *args: Any, **named: Any) -> ObjectVersion:
        """Complete, late."""
        await self.pass_gate()
        version: ObjectVersion = await self.inner.complete_upload(*args, **named)
        self.completed.set()
        return version

    async def stage(self, *args: Any, **named: Any) -> Any:
        """Stage, late: the first thing that a copy does when all is checked."""
        await self.pass_gate()
        return await self.inner.stage(*args, **named)

    async def stage_part(self, *args: Any, **named: Any) -> Part:
        """Stage, late."""
        await self.pass_gate()
        return await self.inner.stage_part(*args, **named)


class Long(OperationTestCase):
    """Complete and copies over a store that waits."""

    def make_store(self) -> IObjectStore:
        self.store = SlowStore()
        return self.store

    def prepared(self, server: Server) -> tuple[Any, dict[str, str], bytes]:
        """A client, an upload, and the document that completes it."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        client.put_object(Bucket=BUCKET, Key="source", Body=b"copied")
        place = {**AT, "UploadId": client.create_multipart_upload(**AT)["UploadId"]}
        part = client.upload_part(**place, PartNumber=1, Body=b"part")
        return client, place, DOCUMENT.format(part["ETag"]).encode()

    def begin(
        self, server: Server, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[HTTPConnection, HTTPResponse]:
        """Send a signed request; give its answer as soon as that has begun."""
        request = AWSRequest(method, server.url + target, headers or {}, body)
        S3SigV4Auth(Credentials(ALICE.access_key, ALICE.secret_key), "s3", "us-east-1").add_auth(request)
        host = server.url.partition("//")[2]
        if server.authority is None:
            connection: HTTPConnection = HTTPConnection(host, timeout=30)
        else:
            connection = HTTPSConnection(host, timeout=30, context=create_default_context(cafile=server.authority))
        connection.request(method, target, body, dict(request.headers.items()))
        return connection, connection.getresponse()

    def finish(self, connection: HTTPConnection, answer: HTTPResponse) -> etree._Element:
        """See the signs of life, let go, and read the rest."""
        self.assertEqual((answer.status, answer.getheader("Content-Type")), (200, "application/xml"))
        self.assertIsNone(answer.getheader("Content-Length"))
        begun = answer.read(len(PROLOG) + 3)
        self.assertEqual(begun, PROLOG + b"   ")
        self.store.let_go()
        rest = answer.read()
        connection.close()
        return etree.fromstring(begun + rest)

    def requests(self, place: dict[str, str], document: bytes) -> dict[str, Callable[[Server], Any]]:
        """Each of the long operations, by the root of its document."""
        upload = f"/{BUCKET}/k?uploadId={place['UploadId']}"
        source = {"x-amz-copy-source": f"{BUCKET}/source"}
        return {
            "CopyObjectResult": lambda server: self.begin(server, "PUT", f"/{BUCKET}/to", b"", source),
            "CopyPartResult": lambda server: self.begin(server, "PUT", f"{upload}&partNumber=2", b"", source),
            "CompleteMultipartUploadResult": lambda server: self.begin(server, "POST", upload, document),
        }

    @served(keepalive=0.01)
    def test_success(self, server: Server) -> None:
        """200 and the beginning of the document at once, white space, the document at last."""
        client, place, document = self.prepared(server)
        self.store.slow = True
        for name, begin in self.requests(place, document).items():
            root = self.finish(*begin(server))
            self.assertEqual(etree.QName(root).localname, name)
            self.assertTrue(root.findtext("{*}ETag"))
            self.assertEqual((server.finished[-1].status, server.finished[-1].error), (200, ""))
        self.assertEqual((self.body(client, "to"), self.body(client, "k")), (b"copied", b"part"))

    @served(keepalive=0.01)
    def test_error(self, server: Server) -> None:
        """An error that comes late is a document inside the 200, and is logged as one."""
        client, place, document = self.prepared(server)
        self.store.slow = True
        for failure, code in ((S3Error("SlowDown"), "SlowDown"), (ValueError("a bug"), "InternalError")):
            self.store.failure = failure
            for begin in self.requests(place, document).values():
                connection, answer = begin(server)
                request_id = answer.getheader("x-amz-request-id")
                root = self.finish(connection, answer)
                self.assertEqual(
                    (root.tag, root.findtext("Code"), root.findtext("RequestId")), ("Error", code, request_id)
                )
                self.assertEqual((server.finished[-1].status, server.finished[-1].error), (200, code))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 3)
        self.store.slow = False
        self.assertEqual(self.body(client, "source"), b"copied")
        self.refused("404", 404, client.head_object, **AT)
        self.assertEqual(len(client.list_parts(**place)["Parts"]), 1)

    @served(keepalive=0.01)
    def test_boto3(self, server: Server) -> None:
        """boto3 reads such answers, and takes an error inside the 200 for one."""
        client, place, _ = self.prepared(server)
        parts = {"Parts": [{"PartNumber": 1, "ETag": client.list_parts(**place)["Parts"][0]["ETag"]}]}
        self.store.slow = True
        self.store.failure = S3Error("InvalidPart")
        calls = ((client.complete_multipart_upload, {**place, "MultipartUpload": parts}),)
        for call, said in (*calls, (client.copy_object, {**AT, "CopySource": f"{BUCKET}/source"})):
            for failure in (S3Error("InvalidPart"), None):
                self.store.failure = failure
                with ThreadPoolExecutor(1) as pool:
                    answering = pool.submit(call, **said)
                    self.assertFalse(answering.done())
                    self.store.let_go()
                    error = answering.exception(30)
                if failure is None:
                    self.assertIsNone(error)
                else:
                    self.assertEqual(getattr(error, "response", {})["Error"]["Code"], "InvalidPart", error)

    @served(keepalive=0.01)
    def test_client_leaves(self, server: Server) -> None:
        """The work goes on to its end without its client."""
        client, place, document = self.prepared(server)
        self.store.slow = True
        begin = self.requests(place, document)["CompleteMultipartUploadResult"]
        connection, answer = begin(server)
        answer.read(len(PROLOG) + 1)
        answer.close()
        connection.close()
        self.store.let_go()
        self.assertTrue(self.store.completed.wait(30))
        self.assertEqual(self.body(client, "k"), b"part")

    @served()
    def test_fast(self, server: Server) -> None:
        """What fails before the answer has begun has its own status, and what is fast has its length."""
        client, place, document = self.prepared(server)
        begin = self.requests(place, document)
        for name in ("CopyObjectResult", "CopyPartResult"):
            connection, answer = begin[name](server)
            length = int(answer.getheader("Content-Length") or 0)
            self.assertEqual((answer.status, len(answer.read())), (200, length))
            connection.close()
        self.refused("NoSuchKey", 404, client.copy_object, **AT, CopySource=f"{BUCKET}/absent")
        missing = {"Parts": [{"PartNumber": 9, "ETag": "x"}]}
        self.refused("InvalidPart", 400, client.complete_multipart_upload, **place, MultipartUpload=missing)


class LongOverTLS(Long):
    """The same over HTTPS."""

    tls = True


class Repeated(OperationTestCase):
    """Complete is sent again, one after the other or at once: every answer is that of the first."""

    def completed(self, server: Server, **conditions: str) -> None:
        """Complete one upload many times; every answer must be the same."""
        clients = [server.client() for _ in range(4)]
        client = clients[0]
        for round_ in range(3):
            key = {"Bucket": BUCKET, "Key": f"k{round_}"}
            place = {**key, "UploadId": client.create_multipart_upload(**key)["UploadId"]}
            etag = client.upload_part(**place, PartNumber=1, Body=b"part")["ETag"]
            said = {**place, "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": etag}]}, **conditions}
            with ThreadPoolExecutor(4) as pool:
                answers = list(pool.map(lambda one, said=said: one.complete_multipart_upload(**said), clients))
            answers.append(client.complete_multipart_upload(**said))
            seen = {(answer["ETag"], answer["Location"], answer["ChecksumCRC64NVME"]) for answer in answers}
            self.assertEqual(len(seen), 1, seen)
            self.assertEqual(self.body(client, key["Key"]), b"part")
            client.put_object(**key, Body=b"newer")
            self.refused("NoSuchUpload", 404, client.complete_multipart_upload, **said)
            self.assertEqual(self.body(client, key["Key"]), b"newer")

    @served()
    def test_raced(self, server: Server) -> None:
        """Without a condition, and with one that the first answer makes false."""
        server.client().create_bucket(Bucket=BUCKET)
        self.completed(server)
        for entry in server.client().list_objects_v2(Bucket=BUCKET)["Contents"]:
            server.client().delete_object(Bucket=BUCKET, Key=entry["Key"])
        self.completed(server, IfNoneMatch="*")


class RepeatedOverTLS(Repeated):
    """The same over HTTPS."""

    tls = True


class RepeatedFiles(Repeated):
    """The same over files."""

    def make_store(self) -> IObjectStore:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return FilesystemStore(folder.name, reactor, durable=False, threads=8)
