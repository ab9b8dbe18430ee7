"""Uploads that are too old go."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

import twisted_s3.unfinished
from twisted_s3.errors import S3Error
from twisted_s3.model import Properties
from twisted_s3.reaper import Reaper, reap_uploads
from twisted_s3.storage.memory import MemoryStore

DAY = 86400.0


class ReaperTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000 * DAY)
        self.store = MemoryStore(self.clock)
        for bucket in ("one", "two"):
            self.successResultOf(Deferred.fromCoroutine(self.store.create_bucket(bucket, "", "")))

    def begin(self, bucket: str, key: str) -> None:
        self.successResultOf(Deferred.fromCoroutine(self.store.create_upload(bucket, key, Properties(), "")))

    def keys(self) -> list[str]:
        found = []
        for bucket in ("one", "two"):
            uploads = self.successResultOf(Deferred.fromCoroutine(self.store.list_uploads(bucket)))
            found += [f"{bucket}/{upload.key}" for upload in uploads]
        return found

    def reaper(self, expiry: float) -> Reaper:
        reaper = Reaper(self.store, expiry, self.clock)
        reaper.start()
        self.addCleanup(lambda: self.successResultOf(Deferred.fromCoroutine(reaper.stop())))
        return reaper

    def test_only_old_uploads_go(self) -> None:
        self.begin("one", "old")
        self.begin("two", "old")
        self.clock.advance(10)
        now = self.clock.seconds()
        self.begin("one", "new")
        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(reap_uploads(self.store, now))), 2)
        self.assertEqual(self.keys(), ["one/new"])

    def test_many_are_taken_a_few_at_a_time(self) -> None:
        """Also where some stay: one can not be aborted, another is new. Never are all of them looked for at once."""
        pages: list[int] = []

        class Watched(MemoryStore):
            async def page_uploads(self, bucket: str, page: Any, after: str = "") -> Any:
                found = await super().page_uploads(bucket, page, after)
                pages.append(len(found))
                return found

            async def abort_upload(self, bucket: str, key: str, upload_id: str) -> None:
                if key == "stuck":
                    raise S3Error("InternalError")
                await super().abort_upload(bucket, key, upload_id)

        self.patch(twisted_s3.unfinished, "AT_A_TIME", 10)
        self.store = Watched(self.clock)
        self.successResultOf(Deferred.fromCoroutine(self.store.create_bucket("one", "", "")))
        for number in range(25):
            self.begin("one", "stuck" if number % 5 == 0 else f"old-{number}")
        self.clock.advance(10)
        now = self.clock.seconds()
        for _ in range(5):
            self.begin("one", "new")
        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(reap_uploads(self.store, now))), 20)
        self.assertEqual(pages, [10, 10, 5])
        left = self.successResultOf(Deferred.fromCoroutine(self.store.list_uploads("one")))
        self.assertEqual([upload.key for upload in left], ["new"] * 5 + ["stuck"] * 5)

    def test_at_start_and_then_again_and_again(self) -> None:
        self.begin("one", "left by an earlier run")
        self.clock.advance(8 * DAY)
        reaper = self.reaper(7 * DAY)
        self.assertEqual(self.keys(), [])
        self.begin("two", "key")
        self.clock.pump([reaper.interval] * int(6.9 * DAY / reaper.interval))
        self.assertEqual(self.keys(), ["two/key"])
        self.clock.pump([reaper.interval] * int(0.2 * DAY / reaper.interval))
        self.assertEqual(self.keys(), [])

    def test_never(self) -> None:
        self.begin("one", "key")
        self.clock.advance(1000 * DAY)
        self.reaper(0)
        self.clock.pump([3600.0] * 3)
        self.assertEqual(self.keys(), ["one/key"])

    def test_cleans_the_store(self) -> None:
        cleaned: list[float] = []

        async def clean() -> None:
            cleaned.append(self.clock.seconds() - start)

        start = self.clock.seconds()
        reaper = Reaper(self.store, 0, self.clock, clean)
        reaper.start()
        self.clock.pump([3600.0] * 2)
        self.assertEqual(cleaned, [0, 3600, 7200])

    def test_stopped(self) -> None:
        reaper = self.reaper(DAY)
        self.successResultOf(Deferred.fromCoroutine(reaper.stop()))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_store_that_fails_is_asked_again(self) -> None:
        class Failing(MemoryStore):
            failing = True

            async def list_buckets(self) -> object:  # type: ignore[override]
                if self.failing:
                    raise S3Error("InternalError")
                return await super().list_buckets()

        self.store = Failing(self.clock)
        for bucket in ("one", "two"):
            self.successResultOf(Deferred.fromCoroutine(self.store.create_bucket(bucket, "", "")))
        self.begin("one", "key")
        self.clock.advance(2 * DAY)
        reaper = self.reaper(DAY)
        self.assertEqual(len(self.flushLoggedErrors(S3Error)), 1)
        self.store.failing = False  # type: ignore[attr-defined]
        self.clock.advance(reaper.interval)
        self.assertEqual(self.keys(), [])
