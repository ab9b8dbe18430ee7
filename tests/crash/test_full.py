"""A full disk: what is there stays usable, and writing resumes when there is space."""

from __future__ import annotations

import errno
import hashlib
import shutil
import tempfile
from random import Random
from typing import Any, cast

from msgspec import structs
from twisted.internet import reactor
from twisted.python.components import proxyForInterface
from twisted.trial.unittest import SynchronousTestCase

from tests.crash.checks import check_leftovers, check_life, look
from tests.crash.simulated import SimulatedDisk
from tests.crash.world import Shape, World, now, open_store, reproducible
from tests.serving import ServingTestCase, coroutine
from tests.storage.filesystem.kit import FilesystemKit
from tests.storage.kit import BUCKET, OWNER, PlainPayload, StoreKit, just
from twisted_s3.errors import S3Error
from twisted_s3.interfaces import always
from twisted_s3.model import ENABLED, ObjectVersion, Properties
from twisted_s3.storage.filesystem.disk import IDisk
from twisted_s3.storage.filesystem.store import FilesystemStore

_BODY = hashlib.shake_128(b"body").digest(900)


class FullTests(SynchronousTestCase):
    """Not one byte more fits, and not one file."""

    def setUp(self) -> None:
        self.world = World(Random(0), Shape())
        context = reproducible(self.world.baton)
        context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        self.disk = self.world.disk
        self.store = open_store(self.disk, lambda job: job())
        now(self.store.start())
        now(self.store.create_bucket("alpha", OWNER, ""))
        for body in (_BODY, b""):
            self.world.remember(body)
        for key in ("k", "d/x"):
            self.put(key)
        self.upload = now(self.store.create_upload("alpha", "d/y", Properties(), OWNER))
        self.put_part(1)

    def put(self, key: str, bucket: str = "alpha") -> ObjectVersion:
        staged = now(self.store.stage(bucket, PlainPayload()))
        try:
            now(staged.write(_BODY))
            return now(staged.commit(key, Properties(), always, OWNER))
        finally:
            now(staged.discard())

    def put_part(self, number: int) -> None:
        upload = self.upload
        staged = now(self.store.stage_part("alpha", upload.key, upload.id, number, len(_BODY), PlainPayload()))
        try:
            now(staged.write(_BODY))
            now(staged.commit())
        finally:
            now(staged.discard())

    def fill(self, error: int = errno.ENOSPC) -> None:
        self.disk.capacity = self.disk.used
        self.disk.full_error = error

    def refused(self, call: Any, *args: Any) -> None:
        with self.assertRaises(S3Error) as refused:
            call(*args)
        self.assertEqual(refused.exception.code, "ServiceUnavailable")
        check_leftovers(self.disk)

    def test_writes_are_refused(self) -> None:
        before = look(self.store, self.world.bodies)
        for error in (errno.ENOSPC, errno.EDQUOT):
            self.fill(error)
            self.refused(self.put, "new")
            self.refused(self.put, "k")
            self.refused(self.put_part, 2)
            self.refused(lambda: now(self.store.create_upload("alpha", "u", Properties(), OWNER)))
            self.refused(lambda: now(self.store.create_bucket("beta", OWNER, "")))
        self.assertEqual(look(self.store, self.world.bodies), before)

    def test_reads_and_removals_go_on(self) -> None:
        self.fill()
        self.assertEqual(len(look(self.store, self.world.bodies).objects), 2)
        self.assertEqual(now(self.store.head_object("alpha", "k")).size, len(_BODY))
        now(self.store.change_object("alpha", "k", lambda version: version))
        self.assertTrue(now(self.store.delete_object("alpha", "k")))
        now(self.store.abort_upload("alpha", "d/y", self.upload.id))
        self.assertEqual(now(self.store.list_uploads("alpha")), [])
        self.assertTrue(now(self.store.delete_object("alpha", "d/x")))
        now(self.store.delete_bucket("alpha"))
        check_leftovers(self.disk)

    def test_it_starts(self) -> None:
        self.fill()
        after = open_store(self.disk, lambda job: job())
        now(after.start())
        self.assertEqual(len(look(after, self.world.bodies).objects), 2)

    def test_writing_resumes(self) -> None:
        self.fill()
        self.refused(self.put, "new")
        for key in ("k", "d/x"):
            now(self.store.delete_object("alpha", key))
        self.put("d")
        self.disk.capacity = None
        check_life(self.world, self.store, self.disk, look(self.store, self.world.bodies))


class ReserveTests(SynchronousTestCase):
    """New bytes are refused before the disk is full, so that small changes still fit."""

    def setUp(self) -> None:
        self.disk = SimulatedDisk(capacity=20_000)
        self.store = open_store(self.disk, lambda job: job(), min_free=4_000)
        now(self.store.start())
        now(self.store.create_bucket("alpha", OWNER, ""))
        now(self.store.change_bucket("alpha", lambda bucket: structs.replace(bucket, versioning=ENABLED)))
        self.upload = now(self.store.create_upload("alpha", "u", Properties(), OWNER))

    def put(self, key: str, size: int = 900) -> None:
        staged = now(self.store.stage("alpha", PlainPayload()))
        try:
            now(staged.write(bytes(size)))
            now(staged.commit(key, Properties(), always, OWNER))
        finally:
            now(staged.discard())

    def refused(self, call: Any) -> None:
        changes = self.disk.changes
        with self.assertRaises(S3Error) as refused:
            now(call)
        self.assertEqual(refused.exception.code, "ServiceUnavailable")
        self.assertEqual(self.disk.changes, changes, "refused, but not early")

    def test_early(self) -> None:
        count = 0
        with self.assertRaises(S3Error):
            for count in range(100):
                self.put(f"k{count}")
        self.assertGreater(count, 10)
        self.assertTrue(3_000 < self.disk.free() < 4_000, self.disk.free())
        self.refused(self.store.stage("alpha", PlainPayload()))
        self.refused(self.store.create_upload("alpha", "u", Properties(), OWNER))
        self.refused(self.store.stage_part("alpha", "u", self.upload.id, 1, 10, PlainPayload()))
        # A delete marker takes space, and finds it.
        self.assertTrue(now(self.store.delete_object("alpha", "k0")).delete_marker)
        now(self.store.change_bucket("alpha", lambda bucket: structs.replace(bucket, versioning="Suspended")))
        now(self.store.abort_upload("alpha", "u", self.upload.id))

    def test_what_was_uploaded_is_completed(self) -> None:
        staged = now(self.store.stage_part("alpha", "u", self.upload.id, 1, 900, PlainPayload()))
        now(staged.write(bytes(900)))
        now(staged.commit())
        self.disk.capacity = self.disk.used + 3_000
        self.refused(self.store.stage("alpha", PlainPayload()))
        parts = now(self.store.list_parts("alpha", "u", self.upload.id))
        now(self.store.complete_upload("alpha", "u", self.upload.id, just(parts)))
        now(self.store.rename_object("alpha", "u", "elsewhere"))
        self.assertEqual(now(self.store.head_object("alpha", "elsewhere")).size, 900)

    def test_a_part_that_would_use_the_reserve(self) -> None:
        size = self.disk.free() - 3_999
        self.refused(self.store.stage_part("alpha", "u", self.upload.id, 1, size, PlainPayload()))
        now(now(self.store.stage_part("alpha", "u", self.upload.id, 1, size - 1, PlainPayload())).discard())

    def test_writing_resumes(self) -> None:
        with self.assertRaises(S3Error):
            for count in range(100):
                self.put(f"k{count}")
        for entry in now(self.store.list_versions("alpha", lambda walk: list(walk.versions("k0")))):
            now(self.store.delete_object("alpha", "k0", version_id=entry.version.version_id))
        self.put("new", 10)


class _Filled(proxyForInterface(IDisk, "disk")):  # type: ignore[misc]
    """A disk with no byte free."""

    def free(self) -> int:
        return 0


class RealDiskTests(FilesystemKit, StoreKit, SynchronousTestCase):
    """What the operating system says."""

    setUp = SynchronousTestCase.setUp  # type: ignore[assignment]

    def test_free(self) -> None:
        store = self.make_store()
        self.addCleanup(store._disk.shut)
        self.assertGreater(store._disk.free(), 0)


class FrontTests(ServingTestCase):
    """What a client is told, before it has sent a byte of the body."""

    @coroutine
    async def test_put(self) -> None:
        root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, root)
        store = FilesystemStore(root, cast(Any, reactor), durable=False, threads=2, min_free=1, wrap=_Filled)
        server = await self.start_server(store=store)

        def talk() -> None:
            client = server.client()
            client.create_bucket(Bucket=BUCKET)
            with self.assertRaises(client.exceptions.ClientError) as refused:
                client.put_object(Bucket=BUCKET, Key="k", Body=bytes(100_000))
            answer = refused.exception.response
            self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], 503)
            self.assertEqual(answer["Error"]["Code"], "ServiceUnavailable")
            self.assertIn("space", answer["Error"]["Message"])
            self.assertEqual(client.list_objects_v2(Bucket=BUCKET)["KeyCount"], 0)
            client.delete_object(Bucket=BUCKET, Key="k")
            server.close_clients()

        await self.in_thread(talk)
