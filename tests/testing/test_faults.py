"""What goes wrong on purpose, as clients see it."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, IncompleteRead
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from twisted.trial.unittest import SynchronousTestCase

from twisted_s3.errors import ERRORS
from twisted_s3.testing import S3Server

ONCE = Config(retries={"max_attempts": 0})
TWICE = Config(retries={"max_attempts": 1, "mode": "standard"})


class Faults(SynchronousTestCase):
    """One server for each test; `Secure` repeats them over HTTPS."""

    tls = False

    def setUp(self) -> None:
        """Start a server with an object of a megabyte."""
        self.s3 = S3Server(tls=self.tls).start()
        self.addCleanup(self.s3.stop)
        self.s3.create_bucket("bucket")
        self.client = self.s3.client(config=ONCE)
        self.content = bytes(range(256)) * 4096
        self.client.put_object(Bucket="bucket", Key="k", Body=self.content)
        self.s3.requests.clear()

    def code(self, call: Any, **arguments: Any) -> tuple[str, int]:
        """The code and the status with which a call fails."""
        with self.assertRaises(ClientError) as refused:
            call(**arguments)
        response = refused.exception.response
        return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]

    @contextmanager
    def asked(self, operation: str = "get_object", method: str = "GET", **parameters: Any) -> Iterator[HTTPResponse]:
        """The answer to a presigned request, of which not a byte of the body has been read."""
        presigner = self.s3.client(config=Config(signature_version="s3v4"))
        url = urlsplit(presigner.generate_presigned_url(operation, {"Bucket": "bucket", **parameters}))
        connection: HTTPConnection = HTTPConnection(url.netloc, timeout=30)
        if self.tls:
            trust = ssl.create_default_context(cafile=self.s3.ca_file)
            connection = HTTPSConnection(url.netloc, timeout=30, context=trust)
        connection.request(method, f"{url.path}?{url.query}")
        try:
            yield connection.getresponse()
        finally:
            connection.close()

    def test_fail(self) -> None:
        """The next two of an operation fail, and do nothing; others and the third do not."""
        fault = self.s3.faults.fail("PutObject", "SlowDown", times=2)
        self.client.list_buckets()
        for _ in range(2):
            found = self.code(self.client.put_object, Bucket="bucket", Key="new", Body=b"v")
            self.assertEqual(found, ("SlowDown", 503))
        self.assertEqual(self.code(self.client.get_object, Bucket="bucket", Key="new"), ("NoSuchKey", 404))
        self.client.put_object(Bucket="bucket", Key="new", Body=b"v")
        self.assertEqual((fault.hits, fault.remaining), (2, 0))
        self.assertEqual([request.error for request in self.s3.requests.of("PutObject")], ["SlowDown", "SlowDown", ""])

    def test_fail_with_any_error(self) -> None:
        """Every code that there is, with its own status, and a message of one's own."""
        for code in ("NoSuchKey", "InternalError", "PreconditionFailed", "ServiceUnavailable"):
            self.s3.faults.fail("GetObject", code, "on purpose")
            with self.assertRaises(ClientError) as refused:
                self.client.get_object(Bucket="bucket", Key="k")
            response = refused.exception.response
            self.assertEqual((response["Error"]["Code"], response["Error"]["Message"]), (code, "on purpose"))
            self.assertEqual(response["ResponseMetadata"]["HTTPStatusCode"], ERRORS[code][0])

    def test_unknown_names(self) -> None:
        """A fault that could never happen is refused."""
        self.assertRaises(ValueError, self.s3.faults.fail, "PutObject", "NoSuchError")
        self.assertRaises(ValueError, self.s3.faults.fail, "PutTheObject")

    def test_retried(self) -> None:
        """A client that tries again gets through."""
        self.s3.faults.slow_down(times=1)
        self.s3.client(config=TWICE).head_object(Bucket="bucket", Key="k")
        self.assertEqual([request.status for request in self.s3.requests], [503, 200])

    def test_preflight(self) -> None:
        """What a browser asks before a script's request fails as well, and comes late."""
        rule = {"AllowedOrigins": ["*"], "AllowedMethods": ["GET"]}
        self.client.put_bucket_cors(Bucket="bucket", CORSConfiguration={"CORSRules": [rule]})
        trust = ssl.create_default_context(cafile=self.s3.ca_file) if self.tls else None
        asked = Request(
            f"{self.s3.endpoint_url}/bucket/k",
            headers={"Origin": "http://page.example", "Access-Control-Request-Method": "GET"},
            method="OPTIONS",
        )
        fault = self.s3.faults.fail("Preflight", "SlowDown", key="k")
        with self.assertRaises(HTTPError) as refused:
            urlopen(asked, context=trust)
        with refused.exception as error:
            self.assertEqual((error.code, b"SlowDown" in error.read()), (503, True))
        self.s3.faults.delay("Preflight", 0.2)
        began = time.monotonic()
        with urlopen(asked, context=trust) as answer:
            self.assertEqual(answer.headers["Access-Control-Allow-Origin"], "*")
        self.assertGreaterEqual(time.monotonic() - began, 0.2)
        self.assertEqual(fault.hits, 1)
        self.assertEqual([request.status for request in self.s3.requests.of("Preflight")], [503, 200])

    def test_only_some(self) -> None:
        """Faults of one bucket or key."""
        self.s3.create_bucket("other")
        self.s3.faults.fail("*", "InternalError", times=None, bucket="other")
        self.s3.faults.fail("HeadObject", "SlowDown", times=None, key="other")
        self.client.head_object(Bucket="bucket", Key="k")
        self.assertEqual(self.code(self.client.list_objects_v2, Bucket="other"), ("InternalError", 500))
        self.assertEqual(self.code(self.client.head_object, Bucket="bucket", Key="other"), ("503", 503))

    def test_cancelled(self) -> None:
        """At the end of a block, by hand, and all at once."""
        with self.s3.faults.fail("ListBuckets", times=None) as fault:
            self.code(self.client.list_buckets)
        self.client.list_buckets()
        self.s3.faults.fail("ListBuckets", times=None).cancel()
        self.client.list_buckets()
        self.s3.faults.fail("ListBuckets", times=None)
        self.s3.faults.clear()
        self.client.list_buckets()
        self.assertEqual(fault.hits, 1)

    def test_delay(self) -> None:
        """Latency, and then the answer."""
        self.s3.faults.delay("GetObject", 0.2)
        began = time.monotonic()
        self.client.get_object(Bucket="bucket", Key="k")["Body"].read()
        self.assertGreaterEqual(time.monotonic() - began, 0.2)

    def test_several(self) -> None:
        """A delay and then an error; what comes after the error waits for the next request."""
        self.s3.faults.delay("GetObject", 0.1)
        self.s3.faults.fail("GetObject", "SlowDown")
        self.s3.faults.fail("GetObject", "InternalError")
        began = time.monotonic()
        self.assertEqual(self.code(self.client.get_object, Bucket="bucket", Key="k"), ("SlowDown", 503))
        self.assertGreaterEqual(time.monotonic() - began, 0.1)
        self.assertEqual(self.code(self.client.get_object, Bucket="bucket", Key="k"), ("InternalError", 500))

    def test_cut(self) -> None:
        """The head promises all, so many bytes come, and then the connection is closed."""
        for after in (0, 1000, 600_000):
            self.s3.faults.cut("GetObject", after)
            with self.asked(Key="k") as answer:
                self.assertEqual((answer.status, answer.length), (200, len(self.content)))
                with self.assertRaises(IncompleteRead) as cut:
                    answer.read()
                self.assertTrue(cut.exception.partial == self.content[:after])

    def test_cut_document(self) -> None:
        """A listing breaks off as well."""
        self.s3.faults.cut("ListObjectsV2", 20)
        with self.asked("list_objects_v2") as answer:
            with self.assertRaises(IncompleteRead) as cut:
                answer.read()
            self.assertEqual(len(cut.exception.partial), 20)

    def test_cut_is_noticed_by_boto3(self) -> None:
        """A download that broke off does not look whole."""
        self.s3.faults.cut("GetObject", 1000)
        body = self.client.get_object(Bucket="bucket", Key="k")["Body"]
        self.assertRaises(BotoCoreError, body.read)

    def test_reset(self) -> None:
        """Some bytes, and then the connection is reset."""
        self.s3.faults.reset("GetObject", 1000)
        with self.asked(Key="k") as answer:
            self.assertEqual(answer.status, 200)
            self.assertRaises((ConnectionResetError, IncompleteRead), answer.read)
        with self.asked(Key="k") as answer:
            self.assertEqual(len(answer.read()), len(self.content))

    def test_lose_answer(self) -> None:
        """The write is done, and its client can not know."""
        self.s3.faults.lose_answer("DeleteObject")
        with self.assertRaises((HTTPException, OSError)), self.asked("delete_object", "DELETE", Key="k"):
            pass
        self.assertEqual(self.code(self.client.get_object, Bucket="bucket", Key="k"), ("NoSuchKey", 404))
        [deleted] = self.s3.requests.of("DeleteObject")
        self.assertEqual((deleted.status, deleted.error), (None, "ClientGone"))

    def test_reset_upload(self) -> None:
        """An upload that breaks off stores nothing, and the client that tries again gets through."""
        self.s3.faults.reset_upload("PutObject", 100_000)
        self.s3.client(config=TWICE).put_object(Bucket="bucket", Key="new", Body=self.content)
        self.assertEqual([request.status for request in self.s3.requests], [None, 200])
        self.s3.faults.reset_upload("PutObject", 100_000)
        with self.assertRaises(BotoCoreError):
            self.client.put_object(Bucket="bucket", Key="newer", Body=self.content)
        self.assertEqual(self.code(self.client.get_object, Bucket="bucket", Key="newer"), ("NoSuchKey", 404))

    def test_stall_continue(self) -> None:
        """``100 Continue`` comes late; a client that does not wait for it for ever gets its upload done."""
        self.s3.faults.stall_continue("PutObject", 1.5)
        began = time.monotonic()
        self.client.put_object(Bucket="bucket", Key="new", Body=b"v")
        self.assertGreaterEqual(time.monotonic() - began, 1.5)

    def test_continue_is_what_is_stalled(self) -> None:
        """Nothing comes before the time is over, and then the interim answer."""
        if self.tls:
            return
        url = urlsplit(
            self.s3.client(config=Config(signature_version="s3v4")).generate_presigned_url(
                "put_object", {"Bucket": "bucket", "Key": "new"}
            )
        )
        self.s3.faults.stall_continue("PutObject", 0.2)
        with socket.create_connection((url.hostname, url.port)) as connection:
            connection.settimeout(30)
            head = f"PUT {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\n"
            began = time.monotonic()
            connection.sendall(f"{head}Content-Length: 1\r\nExpect: 100-continue\r\n\r\n".encode())
            self.assertEqual(connection.recv(1000), b"HTTP/1.1 100 Continue\r\n\r\n")
            self.assertGreaterEqual(time.monotonic() - began, 0.2)
            connection.sendall(b"v")
            self.assertEqual(connection.recv(1000)[:15], b"HTTP/1.1 200 OK")


class Secure(Faults):
    """The same over HTTPS."""

    tls = True
