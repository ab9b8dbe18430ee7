"""Server access logs of buckets: configured, refused, and delivered."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock

from tests.operations.clients import BUCKET, OperationTestCase, send, send_plain, served
from tests.serving import ALICE, BOB, Server, coroutine
from twisted_s3.bucketlogs import LIMIT, BucketLogs
from twisted_s3.model import Bucket

LOGS = "logs"
GROUP = "http://acs.amazonaws.com/groups/s3/LogDelivery"


def enabled(target: str = LOGS, **more: Any) -> dict[str, Any]:
    """A configuration as boto3 takes it."""
    return {"LoggingEnabled": {"TargetBucket": target, "TargetPrefix": "p/", **more}}


def policy(*statements: dict[str, Any]) -> str:
    """A policy of these statements."""
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


class Configurations(OperationTestCase):
    """The two operations."""

    @served()
    def test_round_trip(self, server: Server) -> None:
        """None at first; each form comes back; then there is none."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        client.create_bucket(Bucket=LOGS)

        def got() -> dict[str, Any]:
            found = client.get_bucket_logging(Bucket=BUCKET)
            del found["ResponseMetadata"]
            return dict(found)

        self.assertEqual(got(), {})
        for form in (
            {},
            {"TargetObjectKeyFormat": {"SimplePrefix": {}}},
            {"TargetObjectKeyFormat": {"PartitionedPrefix": {"PartitionDateSource": "DeliveryTime"}}},
        ):
            client.put_bucket_logging(Bucket=BUCKET, BucketLoggingStatus=enabled(**form))
            self.assertEqual(got(), enabled(**form))
        client.put_bucket_logging(Bucket=BUCKET, BucketLoggingStatus={})
        self.assertEqual(got(), {})

    @served()
    def test_grants(self, server: Server) -> None:
        """With ACLs on, the target must let the group of log delivery write; grants come back."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        client.create_bucket(Bucket=LOGS, ObjectOwnership="ObjectWriter")
        grant = {"Grantee": {"Type": "CanonicalUser", "ID": BOB.canonical_id}, "Permission": "READ"}
        wanted = enabled(TargetGrants=[grant])
        put = client.put_bucket_logging
        self.refused("InvalidTargetBucketForLogging", 400, put, Bucket=BUCKET, BucketLoggingStatus=wanted)
        client.put_bucket_acl(Bucket=LOGS, ACL="log-delivery-write")
        put(Bucket=BUCKET, BucketLoggingStatus=wanted)
        (kept,) = client.get_bucket_logging(Bucket=BUCKET)["LoggingEnabled"]["TargetGrants"]
        self.assertEqual((kept["Grantee"]["ID"], kept["Permission"]), (BOB.canonical_id, "READ"))

    @served()
    def test_policies(self, server: Server) -> None:
        """With ACLs on a policy will do as well, if it lets the service log just this bucket with just this prefix."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        client.create_bucket(Bucket=LOGS, ObjectOwnership="ObjectWriter")
        put = client.put_bucket_logging
        good: dict[str, Any] = {
            "Effect": "Allow",
            "Principal": {"Service": "logging.s3.amazonaws.com"},
            "Action": "s3:PutObject",
            "Resource": f"arn:aws:s3:::{LOGS}/p/*",
            "Condition": {
                "ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{BUCKET}"},
                "StringEquals": {"aws:SourceAccount": ALICE.canonical_id},
            },
        }

        def conditions(bucket: str, account: str) -> dict[str, Any]:
            return {"ArnLike": {"aws:SourceArn": bucket}, "StringEquals": {"aws:SourceAccount": account}}

        for wrong in (
            {"Principal": {"Service": "events.amazonaws.com"}},
            {"Principal": {"AWS": ALICE.canonical_id}},
            {"Action": "s3:GetObject"},
            {"Resource": f"arn:aws:s3:::{LOGS}/q/*"},
            {"Condition": conditions("arn:aws:s3:::other", ALICE.canonical_id)},
            {"Condition": conditions(f"arn:aws:s3:::{BUCKET}", BOB.canonical_id)},
        ):
            client.put_bucket_policy(Bucket=LOGS, Policy=policy({**good, **wrong}))
            self.refused("InvalidTargetBucketForLogging", 400, put, Bucket=BUCKET, BucketLoggingStatus=enabled())
        denied = policy(good, {**good, "Effect": "Deny", "Principal": "*"})
        client.put_bucket_policy(Bucket=LOGS, Policy=denied)
        self.refused("InvalidTargetBucketForLogging", 400, put, Bucket=BUCKET, BucketLoggingStatus=enabled())
        self.assertNotIn("LoggingEnabled", client.get_bucket_logging(Bucket=BUCKET))
        client.put_bucket_policy(Bucket=LOGS, Policy=policy(good))
        put(Bucket=BUCKET, BucketLoggingStatus=enabled())
        self.assertEqual(client.get_bucket_logging(Bucket=BUCKET)["LoggingEnabled"]["TargetBucket"], LOGS)

    @served()
    def test_refused(self, server: Server) -> None:
        """What is refused changes nothing."""
        client = server.client()
        for name in (BUCKET, LOGS):
            client.create_bucket(Bucket=name)
        server.client(BOB).create_bucket(Bucket="bobs")
        put = client.put_bucket_logging
        for target in ("nowhere", "bobs"):
            self.refused("InvalidTargetBucketForLogging", 400, put, Bucket=BUCKET, BucketLoggingStatus=enabled(target))
        grant = {"Grantee": {"Type": "CanonicalUser", "ID": BOB.canonical_id}, "Permission": "READ"}
        status = enabled(TargetGrants=[grant])
        self.refused("InvalidTargetBucketForLogging", 400, put, Bucket=BUCKET, BucketLoggingStatus=status)
        two = enabled(TargetObjectKeyFormat={"SimplePrefix": {}, "PartitionedPrefix": {}})
        self.refused("MalformedXML", 400, put, Bucket=BUCKET, BucketLoggingStatus=two)
        for body in (b"<a/>", b"<BucketLoggingStatus><LoggingEnabled/></BucketLoggingStatus>"):
            answer = send(server, "PUT", f"/{BUCKET}?logging", body)
            self.assertEqual((answer.status, answer.code), (400, "MalformedXML"))
        self.refused("AccessDenied", 403, server.client(BOB).get_bucket_logging, Bucket=BUCKET)
        self.assertNotIn("LoggingEnabled", client.get_bucket_logging(Bucket=BUCKET))


class Delivered(OperationTestCase):
    """What becomes of requests."""

    def logs(self, server: Server) -> BucketLogs:
        """Logs of the store of a server, at a time of their own."""
        clock = Clock()
        clock.advance(1_700_000_000)

        def account(bucket: Bucket) -> str:
            return bucket.owner

        return BucketLogs(server.store, account, clock, "us-east-1", "HOST", 300.0)

    async def deliver(self, server: Server, logs: BucketLogs) -> dict[str, list[str]]:
        """Take down what the server has answered, and deliver. Gives the lines by the keys of log objects."""
        for finished in server.finished:
            logs.record(finished)
        await logs.deliver()

        def read() -> dict[str, list[str]]:
            client = server.client()
            listed = client.list_objects_v2(Bucket=LOGS).get("Contents", [])
            return {one["Key"]: self.body(client, one["Key"], LOGS).decode().splitlines() for one in listed}

        return await self.in_thread(read)

    async def start_logged(self, use: Callable[[Any], object], **form: Any) -> Server:
        """Start a server with a bucket that is logged from the moment on at which ``use`` is given a client."""
        server = await self.start_server()

        def work() -> None:
            client = server.client()
            for name in (BUCKET, LOGS):
                client.create_bucket(Bucket=name)
            client.put_bucket_logging(Bucket=BUCKET, BucketLoggingStatus=enabled(**form))
            use(client)

        await self.in_thread(work)
        return server

    @coroutine
    async def test_lines(self) -> None:
        """Each request to the bucket is a line of 27 fields, one to another is none."""

        def use(client: Any) -> None:
            client.put_object(Bucket=BUCKET, Key='a "b".txt', Body=b"value")
            client.get_object(Bucket=BUCKET, Key='a "b".txt')["Body"].read()
            client.get_bucket_versioning(Bucket=BUCKET)
            client.list_objects_v2(Bucket=LOGS)
            self.refused("NoSuchKey", 404, client.get_object, Bucket=BUCKET, Key="gone")

        server = await self.start_logged(use)
        ((key, lines),) = (await self.deliver(server, self.logs(server))).items()
        self.assertRegex(key, r"^p/2023-11-14-22-13-20-[0-9A-F]{16}$")
        field = r'(?:\[[^]]*\]|"[^"]*"|\S+)'
        found = [re.findall(field, line) for line in lines]
        self.assertEqual({len(fields) for fields in found}, {27})
        self.assertEqual([fields[23:] for fields in found], [["-"] * 4] * 4)
        operations = [(fields[6], fields[7], fields[9], fields[10]) for fields in found]
        self.assertEqual(
            operations,
            [
                ("REST.PUT.OBJECT", "a%20%22b%22.txt", "200", "-"),
                ("REST.GET.OBJECT", "a%20%22b%22.txt", "200", "-"),
                ("REST.GET.VERSIONING", "-", "200", "-"),
                ("REST.GET.OBJECT", "gone", "404", "NoSuchKey"),
            ],
        )
        first = found[0]
        self.assertEqual((first[0], first[1], first[4]), (ALICE.canonical_id, BUCKET, ALICE.canonical_id))
        self.assertEqual((first[18], first[19], first[21]), ("HOST", "SigV4", "AuthHeader"))
        self.assertEqual(found[1][11], "5")
        self.assertRegex(first[2], r"^\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\]$")

    @coroutine
    async def test_secrets_in_the_query(self) -> None:
        """Who may read the log gets no URL that could be used, and no customer's key, but all else of the query."""
        secrets = ["token", "key", "old"]
        query = f"security-toke%6e={secrets[0]}&Customer-Key={secrets[1]}&versionId=null&my-signature={secrets[2]}"
        server = await self.start_logged(lambda client: None)

        def use() -> None:
            url = server.client().generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "k"})
            secrets.append(parse_qs(urlsplit(url).query)["Signature"][0])
            send_plain(server, "GET", url.removeprefix(server.url))
            send(server, "GET", f"/{BUCKET}/k?{query}")

        await self.in_thread(use)
        ((_, lines),) = (await self.deliver(server, self.logs(server))).items()
        text = "\n".join(lines)
        for secret in secrets:
            self.assertNotIn(f"={secret}", text)
        self.assertRegex(text, r"\?AWSAccessKeyId=[^&]+&Signature=XXXXX&Expires=\d+ HTTP/1.1")
        wanted = "?security-toke%6e=XXXXX&Customer-Key=XXXXX&versionId=null&my-signature=XXXXX HTTP/1.1"
        self.assertIn(wanted, text)

    @coroutine
    async def test_partitioned(self) -> None:
        """Keys with the date in folders: of the events, at midnight."""
        form = {"TargetObjectKeyFormat": {"PartitionedPrefix": {"PartitionDateSource": "EventTime"}}}
        server = await self.start_logged(lambda client: client.head_bucket(Bucket=BUCKET), **form)
        (key,) = await self.deliver(server, self.logs(server))
        start = f"p/{ALICE.canonical_id}/us-east-1/{BUCKET}/2023/11/14/2023-11-14-00-00-00-"
        self.assertEqual(key[: len(start)], start)

    @coroutine
    async def test_target_gone(self) -> None:
        """Lines that can not be delivered are dropped, and that is logged; memory is bounded."""

        def use(client: Any) -> None:
            client.head_bucket(Bucket=BUCKET)
            client.delete_bucket(Bucket=LOGS)

        server = await self.start_logged(use)
        logs = self.logs(server)
        (finished,) = [one for one in server.finished if one.passage.operation == "HeadBucket"]
        logs.record(finished)
        size = logs._size
        for _ in range(LIMIT // size + 10):
            logs.record(finished)
        self.assertLessEqual(logs._size, LIMIT)
        await logs.deliver()
        self.assertEqual((logs._size, logs._gathered), (0, {}))

    @coroutine
    async def test_job(self) -> None:
        """The job delivers at its end what is left."""
        server = await self.start_logged(lambda client: client.head_bucket(Bucket=BUCKET))
        logs = self.logs(server)
        job = logs.job()
        running: Deferred[object] = ensureDeferred(job.run())  # type: ignore[arg-type]
        for finished in server.finished:
            logs.record(finished)
        job.hurry()
        await running
        self.assertEqual(logs._gathered, {})
        self.assertEqual(len(await self.deliver(server, logs)), 2)
