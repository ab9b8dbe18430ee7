"""Events in process: which operation tells what, to whom, and when."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any
from urllib.request import Request, urlopen

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.forms import CONTENT_TYPE, form_body
from twisted_s3.events import Subscriptions
from twisted_s3.interfaces import IEventSink
from twisted_s3.operations.announcing import Announcer, Origin
from twisted_s3.protocol.events import Event
from twisted_s3.testing import S3Server


class Told(SynchronousTestCase):
    """What the operations of a server tell."""

    def setUp(self) -> None:
        """A server, and someone who hears of all."""
        self.s3 = S3Server().start()
        self.addCleanup(self.s3.stop)
        self.bucket = self.s3.create_bucket()
        self.client = self.s3.client()
        self.records: list[Mapping[str, Any]] = []
        self.s3.events.subscribe("*", self.records.append)

    def names(self) -> list[tuple[str, str]]:
        """Events and keys."""
        return [(record["eventName"], record["s3"]["object"]["key"]) for record in self.records]

    def test_all_operations(self) -> None:
        """Each way to create and to remove an object has its name."""
        put = self.client.put_object(Bucket=self.bucket, Key="put", Body=b"value")
        self.client.copy_object(Bucket=self.bucket, Key="copy", CopySource=f"{self.bucket}/put")
        source = io.BytesIO(bytes(9 << 20))
        self.client.upload_fileobj(source, self.bucket, "parts", Config=TransferConfig(max_concurrency=1))
        form = self.client.generate_presigned_post(self.bucket, "post")
        posted = Request(form["url"], form_body(form["fields"]), {"Content-Type": CONTENT_TYPE})
        urlopen(posted).close()
        self.client.delete_object(Bucket=self.bucket, Key="put")
        self.client.delete_objects(Bucket=self.bucket, Delete={"Objects": [{"Key": "copy"}, {"Key": "never there"}]})
        self.assertEqual(
            self.names(),
            [
                ("ObjectCreated:Put", "put"),
                ("ObjectCreated:Copy", "copy"),
                ("ObjectCreated:CompleteMultipartUpload", "parts"),
                ("ObjectCreated:Post", "post"),
                ("ObjectRemoved:Delete", "put"),
                ("ObjectRemoved:Delete", "copy"),
            ],
        )
        first = self.records[0]
        self.assertEqual(first["s3"]["object"]["size"], 5)
        self.assertEqual(first["s3"]["object"]["eTag"], put["ETag"].strip('"'))
        self.assertEqual(first["responseElements"]["x-amz-request-id"], put["ResponseMetadata"]["RequestId"])
        self.assertEqual(first["requestParameters"]["sourceIPAddress"], "127.0.0.1")
        self.assertEqual(first["s3"]["bucket"]["name"], self.bucket)
        sequencers = [record["s3"]["object"]["sequencer"] for record in self.records]
        self.assertEqual(sequencers, sorted(set(sequencers)))

    def test_tags_and_acls(self) -> None:
        """What is said of an object later has names, too."""
        self.client.put_bucket_ownership_controls(
            Bucket=self.bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
        )
        self.client.put_object(Bucket=self.bucket, Key="k", Body=b"v")
        tags = {"TagSet": [{"Key": "colour", "Value": "red"}]}
        self.client.put_object_tagging(Bucket=self.bucket, Key="k", Tagging=tags)
        self.client.delete_object_tagging(Bucket=self.bucket, Key="k")
        self.client.put_object_acl(Bucket=self.bucket, Key="k", ACL="private")
        self.assertEqual(
            self.names(),
            [
                (name, "k")
                for name in ("ObjectCreated:Put", "ObjectTagging:Put", "ObjectTagging:Delete", "ObjectAcl:Put")
            ],
        )

    def test_versions(self) -> None:
        """Events of versioned buckets name the version, or the delete marker."""
        self.client.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"})
        made = self.client.put_object(Bucket=self.bucket, Key="k", Body=b"v")["VersionId"]
        marker = self.client.delete_object(Bucket=self.bucket, Key="k")["VersionId"]
        self.client.delete_object(Bucket=self.bucket, Key="k", VersionId=made)
        self.assertEqual(
            [(record["eventName"], record["s3"]["object"]["versionId"]) for record in self.records],
            [
                ("ObjectCreated:Put", made),
                ("ObjectRemoved:DeleteMarkerCreated", marker),
                ("ObjectRemoved:Delete", made),
            ],
        )

    def test_refused_requests_tell_nothing(self) -> None:
        """What was not committed did not happen."""
        with self.assertRaises(ClientError):
            self.client.put_object(Bucket=self.bucket, Key="k", Body=b"v", IfMatch='"0"')
        with self.assertRaises(ClientError):
            self.client.put_object(Bucket=self.bucket, Key="k", Body=b"v", ChecksumCRC32="AAAAAA==")
        self.client.delete_object(Bucket=self.bucket, Key="k")
        self.assertEqual(self.names(), [])

    def test_told_after_the_commit_and_before_the_answer(self) -> None:
        """Who hears of an object finds it, and the client has no answer yet."""
        answered = []
        self.s3.events.subscribe("ObjectCreated:*", lambda record: answered.append(len(self.s3.requests)))
        self.s3.requests.clear()
        self.client.put_object(Bucket=self.bucket, Key="k", Body=b"v")
        self.assertEqual((answered, len(self.s3.requests)), ([0], 1))


class Subscribers(SynchronousTestCase):
    """Who is told what."""

    def event(self, name: str = "ObjectCreated:Put", bucket: str = "bucket", key: str = "photos/cat.jpg") -> Event:
        """An event."""
        return Event(name, 0.0, "r", bucket, "o", key, "01")

    def test_filters(self) -> None:
        """By event, bucket, prefix and suffix."""
        subscriptions = Subscriptions()
        heard: list[str] = []
        for label, pattern, options in (
            ("created", "s3:ObjectCreated:*", {}),
            ("removed", "ObjectRemoved:*", {}),
            ("bucket", "*", {"bucket": "bucket"}),
            ("other", "*", {"bucket": "other"}),
            ("photos", "*", {"prefix": "photos/", "suffix": ".jpg"}),
            ("png", "*", {"suffix": ".png"}),
        ):
            subscriptions.subscribe(pattern, lambda record, label=label: heard.append(label), **options)  # type: ignore[misc, arg-type]
        subscriptions.notify(self.event())
        self.assertEqual(heard, ["created", "bucket", "photos"])
        heard.clear()
        subscriptions.notify(self.event("ObjectRemoved:Delete", "other", "x.png"))
        self.assertEqual(heard, ["removed", "other", "png"])

    def test_unsubscribed(self) -> None:
        """Nothing more is told, however often one says so."""
        subscriptions = Subscriptions()
        heard: list[object] = []
        one = subscriptions.subscribe("*", heard.append)
        subscriptions.subscribe("*", heard.append)
        subscriptions.unsubscribe(one)
        subscriptions.unsubscribe(one)
        subscriptions.notify(self.event())
        self.assertEqual(len(heard), 1)

    def test_failing(self) -> None:
        """One who fails is logged, and the others hear of it."""
        subscriptions = Subscriptions()
        heard: list[object] = []
        subscriptions.subscribe("*", lambda record: record["nothing"])
        subscriptions.subscribe("*", heard.append)
        subscriptions.notify(self.event())
        self.assertEqual((len(heard), len(self.flushLoggedErrors(KeyError))), (1, 1))

    def test_no_such_event(self) -> None:
        """A subscription that could never hear of anything is refused."""
        self.assertRaises(ValueError, Subscriptions().subscribe, "ObjectMade:*", print)


@implementer(IEventSink)
class Sink:
    """Keeps what it hears, and lets one wait or fails."""

    def __init__(self) -> None:
        self.heard: list[Event] = []
        self.wait: Deferred[None] | None = None
        self.error: Exception | None = None

    def notify(self, event: Event) -> Deferred[None] | None:
        """See `IEventSink`."""
        self.heard.append(event)
        if self.error is not None:
            raise self.error
        return self.wait


class Announcers(SynchronousTestCase):
    """Between the operations and a sink."""

    def setUp(self) -> None:
        """A clock that stands still."""
        self.sink = Sink()
        self.announcer = Announcer(self.sink, Clock(), "r")

    def announce(self) -> Deferred[None]:
        """Announce something."""
        origin = Origin("id", "address")
        return Deferred.fromCoroutine(
            self.announcer.announce("ObjectRemoved:Delete", "bucket", "owner", "k", None, "who", origin)
        )

    def test_sequence(self) -> None:
        """Later events have greater sequencers though the clock stands still."""
        for _ in range(3):
            self.successResultOf(self.announce())
        sequencers = [event.sequencer for event in self.sink.heard]
        self.assertEqual(sequencers, sorted(set(sequencers)))

    def test_waits(self) -> None:
        """The answer waits for a sink that wants it to."""
        self.sink.wait = Deferred()
        announced = self.announce()
        self.assertNoResult(announced)
        self.sink.wait.callback(None)
        self.successResultOf(announced)

    def test_errors(self) -> None:
        """What the sink does wrong undoes nothing."""
        self.sink.error = KeyError("at once")
        self.successResultOf(self.announce())
        self.sink.error, self.sink.wait = None, Deferred()
        announced = self.announce()
        self.sink.wait.errback(KeyError("later"))
        self.successResultOf(announced)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 2)
