"""A server's time, moved by a test."""

from __future__ import annotations

import time
from urllib.error import HTTPError
from urllib.request import urlopen

from botocore.config import Config
from botocore.exceptions import ClientError
from twisted.internet.task import Clock, LoopingCall
from twisted.trial.unittest import SynchronousTestCase

from twisted_s3.testing import MovableClock, S3Server

SIGNED = Config(signature_version="s3v4", retries={"max_attempts": 0})


class Moved(SynchronousTestCase):
    """A server whose time goes forward."""

    def setUp(self) -> None:
        """Start a server with an object."""
        self.s3 = S3Server(upload_expiry=86_400).start()
        self.addCleanup(self.s3.stop)
        self.s3.create_bucket("bucket")
        self.client = self.s3.client(config=SIGNED)
        self.client.put_object(Bucket="bucket", Key="k", Body=b"v")

    def test_presigned_urls_expire(self) -> None:
        """A URL holds as long as it says; requests with a signed header go on."""
        for config in (SIGNED, Config(signature_version="s3")):
            self.s3.clock.reset()
            url = self.s3.client(config=config).generate_presigned_url(
                "get_object", {"Bucket": "bucket", "Key": "k"}, ExpiresIn=600
            )
            self.s3.clock.advance(590)
            with urlopen(url) as answer:
                self.assertEqual(answer.read(), b"v")
            self.s3.clock.advance(20)
            with self.assertRaises(HTTPError) as refused:
                urlopen(url)
            with refused.exception as error:
                self.assertEqual(error.code, 403)
                self.assertIn(b"Request has expired", error.read())
            self.client.get_object(Bucket="bucket", Key="k")

    def test_strict(self) -> None:
        """Clients whose clocks differ are refused, if that is what is to be tested."""
        self.s3.clock.advance(16 * 60, strict=True)
        with self.assertRaises(ClientError) as refused:
            self.client.list_buckets()
        self.assertEqual(refused.exception.response["Error"]["Code"], "RequestTimeTooSkewed")
        self.s3.clock.reset()
        self.client.list_buckets()

    def test_lifecycle(self) -> None:
        """What is due by the rules of a bucket is gone as soon as the clock has moved, and subscribers hear of it."""
        heard: list[str] = []
        self.s3.events.subscribe("s3:LifecycleExpiration:*", lambda record: heard.append(record["eventName"]))
        rule = {"ID": "one", "Filter": {"Prefix": "k"}, "Status": "Enabled", "Expiration": {"Days": 1}}
        self.client.put_bucket_lifecycle_configuration(Bucket="bucket", LifecycleConfiguration={"Rules": [rule]})
        self.client.put_object(Bucket="bucket", Key="another", Body=b"v")
        self.s3.clock.advance(3600)
        self.client.head_object(Bucket="bucket", Key="k")
        self.s3.clock.advance(2 * 86_400)
        listed = self.client.list_objects_v2(Bucket="bucket")["Contents"]
        self.assertEqual([entry["Key"] for entry in listed], ["another"])
        self.assertEqual(heard, ["LifecycleExpiration:Delete"])

    def test_objects_are_younger(self) -> None:
        """What is written later has a later time."""
        self.s3.clock.advance(86_400)
        self.client.put_object(Bucket="bucket", Key="later", Body=b"v")
        ages = {o["Key"]: o["LastModified"] for o in self.client.list_objects_v2(Bucket="bucket")["Contents"]}
        self.assertGreaterEqual((ages["later"] - ages["k"]).total_seconds(), 86_399)
        self.assertGreaterEqual(self.s3.clock.time - time.time(), 86_300)

    def test_periodic_jobs_run(self) -> None:
        """Uploads that nobody finished go when their time has come."""
        self.client.create_multipart_upload(Bucket="bucket", Key="k")
        self.s3.clock.advance(2 * 86_400)
        self.assertNotIn("Uploads", self.client.list_multipart_uploads(Bucket="bucket"))


class Clocks(SynchronousTestCase):
    """The clock by itself."""

    def test_calls(self) -> None:
        """What is due after a move happens then, once; what is not waits for the rest of its time."""
        reactor = Clock()
        clock = MovableClock(reactor)
        happened: list[str] = []
        clock.callLater(10, happened.append, "ten")
        clock.callLater(100, happened.append, "hundred")
        clock.move(50)
        self.assertEqual((clock.seconds(), happened), (50, []))
        reactor.advance(0)
        self.assertEqual(happened, ["ten"])
        reactor.advance(49)
        self.assertEqual(happened, ["ten"])
        reactor.advance(1)
        self.assertEqual(happened, ["ten", "hundred"])
        self.assertEqual((clock.getDelayedCalls(), reactor.getDelayedCalls()), ([], []))

    def test_loops(self) -> None:
        """A loop runs at once after a move, and then at its pace."""
        reactor = Clock()
        clock = MovableClock(reactor)
        times: list[float] = []
        loop = LoopingCall(lambda: times.append(clock.seconds()))
        loop.clock = clock
        loop.start(10)
        clock.move(25)
        reactor.advance(0)
        reactor.advance(5)
        loop.stop()
        self.assertEqual(times, [0, 25, 30])

    def test_no_way_back(self) -> None:
        """Time goes forward only."""
        self.assertRaises(ValueError, MovableClock(Clock()).move, -1)
