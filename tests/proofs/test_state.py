"""State that many change one after the other, as Terraform keeps it: a lock file made by a conditional write."""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from twisted.trial.unittest import SynchronousTestCase

from tests.proofs.server import USER, Server

RACERS = 16
WORKERS = 4
#: How often each changes the state.
CHANGES = 2
BUCKET, STATE = "states", "env/terraform.tfstate"
LOCK = f"{STATE}.tflock"


class Backend:
    """What Terraform's S3 backend does with ``use_lockfile``.

    https://developer.hashicorp.com/terraform/language/backend/s3
    """

    def __init__(self, client: Any) -> None:
        self.client = client
        self.lost = 0

    def lock(self) -> str:
        """Take the lock; give its id, "" when somebody else has it."""
        lock_id = str(uuid4())
        body = json.dumps({"ID": lock_id, "Operation": "OperationTypeApply"}).encode()
        try:
            self.client.put_object(Bucket=BUCKET, Key=LOCK, Body=body, ContentType="application/json", IfNoneMatch="*")
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("PreconditionFailed", "ConditionalRequestConflict"):
                raise
            self.lost += 1
            return ""
        return lock_id

    def holder(self) -> str:
        """The id of the lock that is there, "" for none."""
        try:
            return str(json.loads(self.client.get_object(Bucket=BUCKET, Key=LOCK)["Body"].read())["ID"])
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchKey":
                raise
            return ""

    def unlock(self, lock_id: str) -> None:
        """Give the lock back, which must be one's own."""
        found = self.holder()
        if found != lock_id:
            raise AssertionError(f"the lock is {found}, not {lock_id}")
        self.client.delete_object(Bucket=BUCKET, Key=LOCK)

    def serial(self) -> int:
        """The number of the state."""
        return int(json.loads(self.client.get_object(Bucket=BUCKET, Key=STATE)["Body"].read())["serial"])

    def write(self, serial: int) -> None:
        """Write a state."""
        body = json.dumps({"version": 4, "serial": serial}).encode()
        self.client.put_object(Bucket=BUCKET, Key=STATE, Body=body, ContentType="application/json")


class StateTests(SynchronousTestCase):
    """A versioned bucket, several workers, and as many who apply at once."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.server = Server(Path(directory.name), WORKERS)
        self.addCleanup(self.server.end)
        self.client = self.connect()
        self.backend = Backend(self.client)
        self.client.create_bucket(Bucket=BUCKET)
        enabled = {"Status": "Enabled"}
        self.client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration=enabled)
        self.backend.write(0)

    def connect(self) -> Any:
        """A client with a connection for each racer."""
        client = boto3.session.Session().client(
            "s3",
            endpoint_url=f"{self.server.scheme}://{self.server.authority}",
            region_name="us-east-1",
            aws_access_key_id=USER["S3STORE_ACCESS_KEY"],
            aws_secret_access_key=USER["S3STORE_SECRET_KEY"],
            config=Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"}, max_pool_connections=RACERS),
        )
        self.addCleanup(client.close)
        return client

    def together(self, work: Callable[[Backend], Any]) -> list[Any]:
        """Let all racers loose at once."""
        backends = [Backend(self.client) for _ in range(RACERS)]
        barrier = threading.Barrier(RACERS)

        def run(backend: Backend) -> Any:
            barrier.wait()
            return work(backend)

        with ThreadPoolExecutor(RACERS) as pool:
            return list(pool.map(run, backends))

    def test_one_holds_the_lock(self) -> None:
        """Of all who take the lock at once one has it, and is the one that the others are shown."""
        for _ in range(3):
            won = [lock_id for lock_id in self.together(Backend.lock) if lock_id]
            self.assertEqual(len(won), 1)
            self.assertEqual(self.backend.holder(), won[0])
            # The next lock goes over a delete marker.
            self.backend.unlock(won[0])
            self.assertEqual(self.backend.holder(), "")

    def test_no_change_is_lost(self) -> None:
        """Each reads, adds one and writes, with the lock; every state is kept as a version, in order."""

        def apply(backend: Backend) -> int:
            done = 0
            while done < CHANGES:
                lock_id = backend.lock()
                if lock_id:
                    backend.write(backend.serial() + 1)
                    backend.unlock(lock_id)
                    done += 1
            return backend.lost

        lost = sum(self.together(apply))
        self.assertGreater(lost, 0, "nobody had to wait: there was no race")
        self.assertEqual(self.backend.serial(), RACERS * CHANGES)
        pages = self.backend.client.get_paginator("list_object_versions").paginate(Bucket=BUCKET, Prefix=STATE)
        versions = [version for page in pages for version in page["Versions"] if version["Key"] == STATE]
        serials = [
            json.loads(
                self.backend.client.get_object(Bucket=BUCKET, Key=STATE, VersionId=version["VersionId"])["Body"].read()
            )["serial"]
            for version in versions
        ]
        self.assertEqual(serials, list(range(RACERS * CHANGES, -1, -1)))
