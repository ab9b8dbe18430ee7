"""The documents in bodies: how long they may be, who is let send one, and where it is read."""

from __future__ import annotations

import json
import threading
from base64 import b64encode
from hashlib import md5
from io import BytesIO

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.operations.clients import BUCKET, OperationTestCase, Response, send, served
from tests.serving import ALICE, BOB, REGION, Server, coroutine
from tests.web.wire import WireTestCase, request
from twisted_s3.access import PolicyAuthorizer
from twisted_s3.credentials import Users
from twisted_s3.model import Bucket, User
from twisted_s3.operations.call import Call, Services
from twisted_s3.operations.table import OBJECT, OPERATIONS, Operation
from twisted_s3.protocol.access.acl import ACL, canned, dump_grants
from twisted_s3.protocol.access.defaults import OWNERSHIP
from twisted_s3.protocol.access.ownership import ownership_document
from twisted_s3.protocol.authentication import Authenticator
from twisted_s3.protocol.head import RequestHead
from twisted_s3.storage.memory import MemoryStore
from twisted_s3.web.bodies import SpooledBody

#: What any document may have at most, in bytes.
LARGEST = 3 * 1024 * 1024
DELETIONS = {"s3:DeleteObject", "s3:DeleteObjectVersion"}


def policy(**changes: object) -> bytes:
    """A policy of the bucket with one statement."""
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:DeleteObject",
        "Resource": f"arn:aws:s3:::{BUCKET}/*",
    }
    return json.dumps({"Statement": {**statement, **changes}}).encode()


class Foresight(SynchronousTestCase):
    """Who could be allowed to delete something."""

    def might(self, user: User | None = None, **documents: bytes) -> bool:
        """Ask about a bucket with configuration documents."""
        bucket = Bucket(BUCKET, 0.0, ALICE.canonical_id, configurations=documents)
        return PolicyAuthorizer().might_allow(user, bucket, DELETIONS)

    def test_nobody(self) -> None:
        """An anonymous request needs a policy that speaks of everybody and of deletion, or an ACL that counts."""
        self.assertFalse(self.might())
        self.assertTrue(self.might(policy=policy()))
        self.assertTrue(self.might(policy=policy(Action="s3:*")))
        self.assertTrue(self.might(policy=policy(Action="s3:DeleteObjectVersion")))
        self.assertTrue(self.might(policy=policy(Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})))
        self.assertFalse(self.might(policy=policy(Effect="Deny")))
        self.assertFalse(self.might(policy=policy(Action="s3:GetObject")))
        self.assertFalse(self.might(policy=policy(Principal={"AWS": "arn:aws:iam::123456789012:root"})))
        grants = dump_grants(canned("public-read-write", "a", "a"))
        self.assertFalse(self.might(**{ACL: grants}))
        self.assertTrue(self.might(**{ACL: grants, OWNERSHIP: ownership_document("ObjectWriter")}))

    def test_somebody(self) -> None:
        """A signature is always given a hearing, key by key."""
        for user in (ALICE, BOB):
            self.assertTrue(self.might(user))


class Waiting(WireTestCase):
    """Clients that ask before they send."""

    def head(self) -> bytes:
        """An anonymous DeleteObjects."""
        md5 = {"Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg==", "Expect": "100-continue", "Content-Length": "5"}
        return request("POST", "/bucket?delete", headers=md5, how="anonymous")

    @coroutine
    async def test_refused(self) -> None:
        """Nobody is told to send a list of keys of which none may go."""
        _, wire = await self.open()
        self.assert_error(await wire.exchange(self.head()), 403, "AccessDenied")
        self.assertEqual(await wire.rest(), b"")

    @coroutine
    async def test_heard(self) -> None:
        """Where a policy lets everybody delete, it is read."""
        server, wire = await self.open()
        await server.store.put_configuration("bucket", "policy", policy())
        wire.send(self.head())
        await wire.continued()
        self.assert_error(await wire.exchange(b"<xml>"), 400, "BadDigest")


class Lengths(OperationTestCase):
    """Every operation that reads a document bounds it."""

    def target(self, operation: Operation) -> str:
        """A request target that means an operation."""
        path = f"/{BUCKET}/k" if operation.level == OBJECT else f"/{BUCKET}"
        query = "&".join(f"{name}=1" if name in operation.parameters else name for name in sorted(operation.selectors))
        return f"{path}?{query}" if query else path

    def sent(self, server: Server, operation: Operation, length: int) -> Response:
        """The answer to a request that says how long its body is, and sends nothing of it."""
        digest = b64encode(md5(b"").digest()).decode()
        headers = {"Content-Length": str(length), "Content-MD5": digest, "Expect": "100-continue"}
        if operation.name == "CreateBucket":
            return send(server, "PUT", "/another", b"", headers, payload="UNSIGNED-PAYLOAD")
        return send(server, operation.method, self.target(operation), b"", headers, payload="UNSIGNED-PAYLOAD")

    @served()
    def test_all(self, server: Server) -> None:
        """What is longer than the longest document is refused by its head, whatever the operation."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        upload = client.create_multipart_upload(Bucket=BUCKET, Key="k")["UploadId"]
        bodies = {"PutObject", "UploadPart", "PostObject"}
        seen = 0
        for operation in OPERATIONS:
            reads = operation.method in ("PUT", "POST") and not operation.copies and operation.name not in bodies
            if operation.handler is None or not reads:
                continue
            answer = self.sent(server, operation, LARGEST + 1)
            if operation.name == "CompleteMultipartUpload":
                target = f"/{BUCKET}/k?uploadId={upload}"
                headers = {"Content-Length": str(LARGEST + 1), "Expect": "100-continue"}
                answer = send(server, "POST", target, b"", headers, payload="UNSIGNED-PAYLOAD")
            if answer.code == "MaxMessageLengthExceeded":
                seen += 1
            else:
                # These never ask for a body.
                self.assertIn(operation.name, ("CreateMultipartUpload", "RenameObject", "SelectObjectContent"))
        self.assertGreater(seen, 8)
        self.assertEqual([bucket["Name"] for bucket in client.list_buckets()["Buckets"]], [BUCKET])


class Reading(TestCase):
    """Where a document is read."""

    async def thread(self, size: int, threads: bool = True) -> threading.Thread:
        """The one that reads a document of so many bytes."""
        services = Services(
            MemoryStore(reactor), Users([ALICE]), PolicyAuthorizer(), reactor, threads=reactor if threads else None
        )
        head = RequestHead("PUT", b"/bucket", b"tagging", {"content-length": [str(size)]})
        body = SpooledBody(BytesIO(b" " * size), size)
        call = Call(services, Authenticator(REGION), head, body, None, None)
        return await call.parsed(lambda document: threading.current_thread())

    @coroutine
    async def test_threads(self) -> None:
        """A long one keeps nobody waiting, a short one does not wait for a thread."""
        here = threading.current_thread()
        self.assertIs(await self.thread(1000), here)
        self.assertIsNot(await self.thread(100_000), here)
        self.assertIs(await self.thread(100_000, threads=False), here)
