"""Writers of one key keep nobody else waiting."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import shutil
from collections.abc import Callable, Sequence
from threading import Event
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.storage.filesystem.disks import ObservedDisk
from tests.storage.filesystem.kit import FilesystemKit
from tests.storage.kit import BUCKET, PlainPayload, just, pattern, refuse
from twisted_s3.errors import S3Error
from twisted_s3.interfaces import IStagedPart, always
from twisted_s3.model import Assembly, Part, Upload
from twisted_s3.storage.filesystem.disk import IDisk
from twisted_s3.storage.filesystem.locks import turn_of_bucket, turn_of_key, turn_of_upload
from twisted_s3.storage.filesystem.staging import PIECE_BYTES
from twisted_s3.storage.filesystem.turns import Turns


class TurnsTests(SynchronousTestCase):
    """One after the other."""

    def setUp(self) -> None:
        """Somebody to watch."""
        self.turns = Turns()
        self.begun: list[str] = []
        self.ends: dict[str, Deferred[None]] = {}

    def take(self, who: str, *names: str) -> Deferred[None]:
        """Begin something that goes on until ``ends`` fires."""

        async def work() -> None:
            async with self.turns.taken(*names):
                self.begun.append(who)
                self.ends[who] = Deferred()
                await self.ends[who]

        return Deferred.fromCoroutine(work())

    def test_order(self) -> None:
        """First come, first served; those who need other locks do not wait; nothing is kept."""
        done = [self.take("a", "x"), self.take("b", "x"), self.take("c", "y"), self.take("d", "x", "y")]
        self.assertEqual(self.begun, ["a", "c"])
        self.ends["a"].callback(None)
        self.assertEqual(self.begun, ["a", "c", "b"])
        self.ends["c"].errback(ZeroDivisionError())
        self.failureResultOf(done[2], ZeroDivisionError)
        self.assertEqual(self.begun, ["a", "c", "b"])
        self.ends["b"].callback(None)
        self.assertEqual(self.begun, ["a", "c", "b", "d"])
        settled = Deferred.fromCoroutine(self.turns.settled())
        self.assertNoResult(settled)
        self.ends["d"].callback(None)
        self.successResultOf(settled)
        self.assertEqual(self.turns._locks, {})

    def test_leaving(self) -> None:
        """Who does not want to wait any more is passed over."""
        self.take("a", "x")
        waiting = self.take("b", "x")
        self.take("c", "x")
        waiting.addErrback(lambda failure: None)
        waiting.cancel()
        self.ends["a"].callback(None)
        self.assertEqual(self.begun, ["a", "c"])
        self.ends["c"].callback(None)
        self.assertEqual(self.turns._locks, {})


class HotKeyTests(FilesystemKit, TestCase):
    """A pool of four threads, and a lock that another process does not let go of."""

    timeout = 60
    copying: tuple[Event, Event] | None = None
    failing = False

    def wrap(self, disk: IDisk) -> IDisk:
        return ObservedDisk(disk, self.watch)  # type: ignore[return-value]

    def watch(self, name: str, args: tuple[Any, ...]) -> None:
        """Hold up a copy, or have it fail."""
        if name == "copy_range" and self.failing:
            raise OSError(errno.EIO, "broken")
        if name == "copy_range" and self.copying is not None:
            begun, go_on = self.copying
            begun.set()
            go_on.wait(30)

    async def starved(self, name: str, works: list[Callable[[], Any]]) -> None:
        """While the lock ``name`` is held elsewhere, do all of ``works``; all else goes on."""
        await self.put("other", b"1")
        with (self.root / ".s3store" / "locks" / name).open("wb") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            waiting = [Deferred.fromCoroutine(work()) for work in works]
            for number in range(8):
                self.assertEqual(await self.keys(), ["other", *(f"z{one}" for one in range(number))])
                await self.put(f"z{number}", b"2")
                self.assertEqual(await self.get("other"), b"1")
            self.assertEqual([one.called for one in waiting], [False] * len(waiting))
        await gatherResults(waiting, consumeErrors=True)

    async def test_writers(self) -> None:
        """Puts, changes and deletions of one key."""

        async def change() -> None:
            await self.store.change_object(BUCKET, "hot", lambda version: version)

        async def delete() -> None:
            await self.store.delete_object(BUCKET, "hot")

        async def rename() -> None:
            await self.store.rename_object(BUCKET, "hot", "moved")

        puts: list[Callable[[], Any]] = [lambda: self.put("hot", b"x")] * 12
        await self.starved(turn_of_key(BUCKET, "hot"), [*puts, change, rename, *puts, delete])
        self.assertEqual([key for key in await self.keys() if key in ("hot", "moved")], ["moved"])

    async def test_completions(self) -> None:
        """Completions of uploads to one key, by renaming and by copying, and its writers."""
        uploads = [await self.begin("hot") for _ in range(12)]
        numbers = ((1, 2), (2, 7))
        parts = [[await self.put_part(upload, n, b"x") for n in numbers[at % 2]] for at, upload in enumerate(uploads)]

        def completion(at: int) -> Callable[[], Any]:
            return lambda: self.complete(uploads[at], parts[at])

        works = [completion(at) for at in range(len(uploads))]
        await self.starved(turn_of_key(BUCKET, "hot"), [*works, lambda: self.put("hot", b"x")])
        self.assertEqual(await self.store.list_uploads(BUCKET), [])

    async def test_parts(self) -> None:
        """Parts that begin, parts that end, and completions of one upload."""
        upload = await self.begin("k")
        part = await self.put_part(upload, 1, b"x")
        staged = [
            await self.store.stage_part(BUCKET, "k", upload.id, number, 1, PlainPayload()) for number in range(2, 8)
        ]

        def end(part: IStagedPart) -> Callable[[], Any]:
            async def work() -> None:
                await part.write(b"y")
                with contextlib.suppress(S3Error):
                    await part.commit()

            return work

        async def begin() -> None:
            part = await self.store.stage_part(BUCKET, "k", upload.id, 9, PIECE_BYTES, PlainPayload())
            with contextlib.suppress(S3Error):
                await part.write(bytes(PIECE_BYTES))
            await part.discard()

        async def complete() -> None:
            with contextlib.suppress(S3Error):
                await self.complete(upload, [part])

        works = [*map(end, staged), *[begin] * 6, *[complete] * 6]
        await self.starved(turn_of_upload(upload.id), works)
        for one in staged:
            await one.discard()
        self.assertEqual(await self.get("k"), b"x")
        self.assertEqual(await self.store.list_uploads(BUCKET), [])

    async def test_aborts(self) -> None:
        """The ends of one upload."""
        upload = await self.begin("k")

        async def abort() -> None:
            with contextlib.suppress(S3Error):
                await self.store.abort_upload(BUCKET, "k", upload.id)

        await self.starved(turn_of_upload(upload.id), [abort] * 6)
        self.assertEqual(await self.store.list_uploads(BUCKET), [])

    async def test_a_copy_keeps_nobody_waiting(self) -> None:
        """While a completion copies its parts, which may take minutes, its key and its upload are free."""
        upload = await self.begin("k")
        parts = [await self.put_part(upload, number, b"x") for number in (2, 7)]
        self.copying = Event(), Event()
        completion = Deferred.fromCoroutine(self.complete(upload, parts))
        await deferToThread(self.copying[0].wait, 30)
        await self.put("k", b"between")
        self.assertEqual(await self.get("k"), b"between")
        self.assertEqual(await self.parts(upload), parts)
        await self.put_part(upload, 9, b"z")
        self.assertFalse(completion.called)
        self.copying[1].set()
        await completion
        self.assertEqual(await self.get("k"), b"xx")

    async def retried(self) -> tuple[Upload, list[Part]]:
        """An upload with a part that lies apart because it was sent twice."""
        upload = await self.begin("k")
        parts = [await self.put_part(upload, number, pattern(1000, seed)) for number, seed in ((1, 1), (2, 2), (2, 3))]
        return upload, [parts[0], parts[2]]

    async def test_a_part_that_is_moved_in_keeps_nobody_waiting(self) -> None:
        """Nor does a copy of what lies apart into the grid keep the key; the upload's parts wait for it."""
        upload, parts = await self.retried()
        self.copying = Event(), Event()
        completion = Deferred.fromCoroutine(self.complete(upload, parts))
        await deferToThread(self.copying[0].wait, 30)
        part = Deferred.fromCoroutine(self.put_part(upload, 3, b"z"))
        await self.put("k", b"between")
        self.assertEqual(await self.get("k"), b"between")
        self.assertFalse(completion.called or part.called)
        self.copying[1].set()
        await completion
        self.assertEqual(await self.get("k"), pattern(1000, 1) + pattern(1000, 3))
        await self.refused("NoSuchUpload", part)
        await self.idle()
        self.assertEqual(self.files(".s3store/staging"), [])

    async def test_a_part_that_can_not_be_moved_in(self) -> None:
        """The upload is as before, and nobody's."""
        for condition, code in ((always, "InternalError"), (refuse, "PreconditionFailed")):
            upload, parts = await self.retried()
            self.failing = code == "InternalError"
            await self.refused(code, self.complete(upload, parts, condition))
            self.failing = False
            self.assertEqual(await self.parts(upload), parts)
            parts.append(await self.put_part(upload, 3, b"z"))
            await self.complete(upload, parts)
            self.assertEqual(await self.get("k"), pattern(1000, 1) + pattern(1000, 3) + b"z")

    async def test_nobody_waits_for_a_completion(self) -> None:
        """It goes on, and keeps no lock."""
        upload, parts = await self.retried()
        self.copying = Event(), Event()
        completion = Deferred.fromCoroutine(self.complete(upload, parts))
        await deferToThread(self.copying[0].wait, 30)
        completion.cancel()
        await self.assertFailure(completion, CancelledError)
        self.copying[1].set()
        await self.refused("NoSuchUpload", self.put_part(upload, 3, b"z"))
        self.assertEqual(await self.get("k"), pattern(1000, 1) + pattern(1000, 3))

    async def test_a_key_does_not_wait_for_an_upload(self) -> None:
        """While completions wait for an upload that others keep, their key can be written."""
        upload = await self.begin("k")
        part = await self.put_part(upload, 1, b"x")
        turn = Deferred.fromCoroutine(self.kept(turn_of_upload(upload.id)))
        completion = Deferred.fromCoroutine(self.complete(upload, [part]))
        await self.put("k", b"between")
        self.assertEqual(await self.get("k"), b"between")
        self.assertFalse(completion.called)
        self.release.callback(None)
        await turn
        await completion
        self.assertEqual(await self.get("k"), b"x")

    async def kept(self, name: str) -> None:
        """Keep a turn until ``release`` fires."""
        self.release: Deferred[None] = Deferred()
        async with self.store._turns.taken(name):
            await self.release

    async def test_a_copy_that_another_was_ahead_of(self) -> None:
        """The parts are chosen once, also where the upload proves to have become the object meanwhile."""
        upload = await self.begin("k")
        parts = [await self.put_part(upload, number, b"x") for number in (2, 7)]
        folder = self.root / f".s3store/buckets/{BUCKET}/uploads/{upload.id}"
        shutil.copytree(folder, self.root / "saved")
        asked: list[Sequence[Part]] = []

        def choose(committed: Sequence[Part]) -> Assembly:
            asked.append(committed)
            return just(parts)(committed)

        self.copying = copying = Event(), Event()
        completion = Deferred.fromCoroutine(self.store.complete_upload(BUCKET, "k", upload.id, choose))
        await deferToThread(copying[0].wait, 30)
        self.copying = None
        made = await self.complete(upload, parts)
        await self.idle_but(1)
        # The other was killed before the upload went.
        (self.root / "saved").rename(folder)
        copying[1].set()
        self.assertEqual(await completion, made)
        self.assertEqual(len(asked), 1)
        self.assertEqual(await self.store.list_uploads(BUCKET), [])

    async def idle_but(self, jobs: int) -> None:
        """Wait until so many jobs are left."""
        while self.store._pool._under_way > jobs:
            await deferLater(reactor, 0)

    async def test_configurations(self) -> None:
        """Changes of one bucket."""

        async def change() -> None:
            await self.store.put_configuration("another", "tagging", b"<x/>")

        await self.store.create_bucket("another", "", "us-east-1")
        assert turn_of_bucket("another") != turn_of_bucket(BUCKET)
        await self.starved(turn_of_bucket("another"), [change] * 12)
