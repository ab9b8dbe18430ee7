"""Which writes of a bucket are told to whom: from a request to a target."""

from __future__ import annotations

import io
from typing import Any
from urllib.request import Request, urlopen

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from tests.delivery.kit import BUCKET, EVERYTHING, Notes, NotifyingTestCase, configure, queue_rule, until
from tests.forms import CONTENT_TYPE, form_body
from tests.operations.clients import send
from tests.serving import ALICE, BOB, coroutine


class Configurations(NotifyingTestCase):
    """The two operations."""

    @coroutine
    async def test_round_trip(self) -> None:
        """None at first; what was put comes back, with ids; an empty one removes it."""
        server = await self.start_notifying()

        def work() -> None:
            client = server.client()
            client.create_bucket(Bucket=BUCKET)

            def got() -> dict[str, Any]:
                found = client.get_bucket_notification_configuration(Bucket=BUCKET)
                del found["ResponseMetadata"]
                return dict(found)

            self.assertEqual(got(), {})
            rule = {**queue_rule(events=["s3:ObjectCreated:*"], Prefix="a/", Suffix=".jpg"), "Id": "one"}
            topic = {"TopicArn": "arn:aws:sns:us-east-1:1:others", "Events": ["s3:ObjectRemoved:*"]}
            configuration = {"QueueConfigurations": [rule], "TopicConfigurations": [topic]}
            client.put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration=configuration)
            found = got()
            self.assertTrue(found["TopicConfigurations"][0].pop("Id"))
            self.assertEqual(found, configuration)
            client.put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration={})
            self.assertEqual(got(), {})

        await self.in_thread(work)

    @coroutine
    async def test_refused(self) -> None:
        """What is refused changes nothing, and nobody hears of it."""
        server = await self.start_notifying()

        def work() -> None:
            client = server.client()
            client.create_bucket(Bucket=BUCKET)
            put = client.put_bucket_notification_configuration
            unknown = {"QueueConfigurations": [queue_rule("nobody", ["s3:ObjectCreated:*"])]}
            with self.assertRaises(ClientError) as caught:
                put(Bucket=BUCKET, NotificationConfiguration=unknown)
            error = caught.exception.response["Error"]
            self.assertEqual(error["Code"], "InvalidArgument")
            self.assertEqual(error["Message"], "Unable to validate the following destination configurations")
            self.assertIn(":nobody", error["ArgumentName1"])
            elsewhere = {"QueueConfigurations": [{**queue_rule(), "QueueArn": "arn:aws:sqs:eu-west-1:1:notes"}]}
            bridge: dict[str, Any] = {"EventBridgeConfiguration": {}}
            for configuration, status in ((elsewhere, 400), (bridge, 501)):
                with self.assertRaises(ClientError) as caught:
                    put(Bucket=BUCKET, NotificationConfiguration=configuration)
                self.assertEqual(caught.exception.response["ResponseMetadata"]["HTTPStatusCode"], status)
            answer = send(server, "PUT", f"/{BUCKET}?notification")
            self.assertEqual((answer.status, answer.code), (400, "MissingRequestBodyError"))
            skip = {"x-amz-skip-destination-validation": "perhaps"}
            answer = send(server, "PUT", f"/{BUCKET}?notification", b"<NotificationConfiguration/>", skip)
            self.assertEqual((answer.status, answer.code), (400, "InvalidArgument"))
            self.assertNotIn("QueueConfigurations", client.get_bucket_notification_configuration(Bucket=BUCKET))
            put(Bucket=BUCKET, NotificationConfiguration=unknown, SkipDestinationValidation=True)
            self.assertIn("QueueConfigurations", client.get_bucket_notification_configuration(Bucket=BUCKET))
            client.put_object(Bucket=BUCKET, Key="k", Body=b"nobody hears of this")

        await self.in_thread(work)
        self.assertEqual(await self.lines(), [])

    @coroutine
    async def test_no_right(self) -> None:
        """Another's bucket keeps its configuration to itself."""
        server = await self.start_notifying()

        def work() -> None:
            server.client().create_bucket(Bucket=BUCKET)
            bob = server.client(BOB)
            for call in (
                lambda: bob.get_bucket_notification_configuration(Bucket=BUCKET),
                lambda: configure(bob, queue_rule(events=EVERYTHING)),
            ):
                with self.assertRaises(ClientError) as caught:
                    call()
                self.assertEqual(caught.exception.response["Error"]["Code"], "AccessDenied")

        await self.in_thread(work)
        self.assertEqual(await self.lines(), [])


class Told(NotifyingTestCase):
    """What targets hear."""

    @coroutine
    async def test_all_operations(self) -> None:
        """Each way to write has its event, in the order of the writes."""
        server = await self.start_notifying()
        notes = Notes()
        self.deliver(notes)

        def work() -> dict[str, Any]:
            client = server.client()
            client.create_bucket(Bucket=BUCKET, ObjectOwnership="ObjectWriter")
            configure(client, queue_rule(events=EVERYTHING))
            put = client.put_object(Bucket=BUCKET, Key="put", Body=b"value")
            client.copy_object(Bucket=BUCKET, Key="copy", CopySource=f"{BUCKET}/put")
            source = io.BytesIO(bytes(9 << 20))
            client.upload_fileobj(source, BUCKET, "parts", Config=TransferConfig(max_concurrency=1))
            form = client.generate_presigned_post(BUCKET, "post")
            urlopen(Request(form["url"], form_body(form["fields"]), {"Content-Type": CONTENT_TYPE})).close()
            client.put_object_tagging(Bucket=BUCKET, Key="put", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
            client.delete_object_tagging(Bucket=BUCKET, Key="put")
            client.put_object_acl(Bucket=BUCKET, Key="put", ACL="private")
            client.rename_object(Bucket=BUCKET, Key="new name", RenameSource=f"/{BUCKET}/put")
            client.delete_object(Bucket=BUCKET, Key="new name")
            client.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "copy"}, {"Key": "never there"}]})
            return dict(put)

        put = await self.in_thread(work)
        expected = [
            ("ObjectCreated:Put", "put"),
            ("ObjectCreated:Copy", "copy"),
            ("ObjectCreated:CompleteMultipartUpload", "parts"),
            ("ObjectCreated:Post", "post"),
            ("ObjectTagging:Put", "put"),
            ("ObjectTagging:Delete", "put"),
            ("ObjectAcl:Put", "put"),
            ("ObjectCreated:Copy", "new+name"),
            ("ObjectRemoved:Delete", "put"),
            ("ObjectRemoved:Delete", "new+name"),
            ("ObjectRemoved:Delete", "copy"),
        ]
        await until(lambda: len(notes.got) > len(expected))
        self.assertCountEqual(notes.events(), expected)
        for key in ("put", "new+name"):
            found = [event for event in notes.events() if event[1] == key]
            self.assertEqual(found, [event for event in expected if event[1] == key])
        self.assertEqual((notes.got[0][1]["Event"], notes.got[0][1]["Bucket"]), ("s3:TestEvent", BUCKET))
        (record,) = next(
            message["Records"]
            for _, message in notes.got
            if message.get("Records", [{}])[0].get("eventName") == "ObjectCreated:Put"
        )
        self.assertEqual(record["s3"]["object"]["size"], 5)
        self.assertEqual(record["s3"]["object"]["eTag"], put["ETag"].strip('"'))
        self.assertEqual(record["responseElements"]["x-amz-request-id"], put["ResponseMetadata"]["RequestId"])
        self.assertEqual(record["userIdentity"]["principalId"], ALICE.canonical_id)
        self.assertEqual(record["s3"]["bucket"]["ownerIdentity"]["principalId"], ALICE.canonical_id)
        self.assertTrue(record["s3"]["configurationId"])
        sequencers = [m["Records"][0]["s3"]["object"]["sequencer"] for _, m in notes.got if "Records" in m]
        self.assertEqual(len(set(sequencers)), len(expected))
        self.assertEqual({len(sequencer) for sequencer in sequencers}, {16})

    @coroutine
    async def test_versions(self) -> None:
        """Events of versioned buckets name the version, or the delete marker."""
        server = await self.start_notifying()
        notes = Notes()
        self.deliver(notes)

        def work() -> list[tuple[str, str]]:
            client = server.client()
            client.create_bucket(Bucket=BUCKET)
            client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
            configure(client, queue_rule(events=EVERYTHING))
            made = client.put_object(Bucket=BUCKET, Key="k", Body=b"v")["VersionId"]
            marker = client.delete_object(Bucket=BUCKET, Key="k")["VersionId"]
            client.delete_object(Bucket=BUCKET, Key="k", VersionId=marker)
            client.delete_object(Bucket=BUCKET, Key="k", VersionId=made)
            removed, marked = "ObjectRemoved:Delete", "ObjectRemoved:DeleteMarkerCreated"
            return [("ObjectCreated:Put", made), (marked, marker), (removed, marker), (removed, made)]

        expected = await self.in_thread(work)
        await until(lambda: len(notes.got) == 5)
        records = [message["Records"][0] for _, message in notes.got[1:]]
        self.assertEqual([(r["eventName"], r["s3"]["object"]["versionId"]) for r in records], expected)

    @coroutine
    async def test_filters(self) -> None:
        """Each event goes where the rule that fits says; what no rule fits is not queued, nor what was refused."""
        server = await self.start_notifying()

        def work() -> None:
            client = server.client()
            client.create_bucket(Bucket=BUCKET)
            configure(
                client,
                queue_rule(events=["s3:ObjectCreated:Put"], prefix="photos/", suffix=".jpg"),
                queue_rule("others", ["s3:ObjectRemoved:*"]),
            )
            for key in ("photos/a.jpg", "photos/a.png", "b.jpg"):
                client.put_object(Bucket=BUCKET, Key=key, Body=b"x")
            client.copy_object(Bucket=BUCKET, Key="photos/c.jpg", CopySource=f"{BUCKET}/b.jpg")
            client.delete_object(Bucket=BUCKET, Key="b.jpg")
            with self.assertRaises(ClientError):
                client.put_object(Bucket=BUCKET, Key="photos/d.jpg", Body=b"v", IfMatch='"0"')
            with self.assertRaises(ClientError):
                client.put_object(Bucket=BUCKET, Key="photos/d.jpg", Body=b"v", ChecksumCRC32="AAAAAA==")

        await self.in_thread(work)
        notes, others = Notes(), Notes()
        self.deliver(notes)
        self.deliver(others, "others")
        await until(lambda: len(notes.got) == len(others.got) == 2)
        self.assertEqual(notes.events(), [("ObjectCreated:Put", "photos/a.jpg")])
        self.assertEqual(others.events(), [("ObjectRemoved:Delete", "b.jpg")])
        intents = [line for line in await self.lines() if "evidence" in line.content]
        self.assertEqual(len(intents), 2)

    @coroutine
    async def test_others_pay_nothing(self) -> None:
        """A bucket without a configuration has no part in the queue."""
        server = await self.start_notifying()

        def work() -> None:
            client = server.client()
            client.create_bucket(Bucket=BUCKET)
            client.put_object(Bucket=BUCKET, Key="k", Body=b"x")
            client.delete_object(Bucket=BUCKET, Key="k")

        await self.in_thread(work)
        self.assertFalse((self.root / ".s3store/events").exists())


class ConfigurationsOverTLS(Configurations):
    """The same over HTTPS."""

    tls = True
