"""Multipart storage: bytes where they will stay, never mixed, never overwritten, never back after an abort."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path

from msgspec import structs
from twisted.trial.unittest import TestCase

from tests.storage.filesystem.disks import ObservedDisk, Script
from tests.storage.filesystem.kit import FilesystemKit
from tests.storage.kit import BUCKET, PlainPayload, just, only_if_absent, pattern, refuse
from twisted_s3.errors import S3Error
from twisted_s3.interfaces import IStagedPart
from twisted_s3.model import ENABLED, ObjectVersion, Part, Properties, Upload
from twisted_s3.storage.filesystem.disk import IDisk
from twisted_s3.storage.filesystem.record import _with_checksum
from twisted_s3.storage.filesystem.staging import PIECE_BYTES
from twisted_s3.storage.filesystem.store import FilesystemStore

SIZE = PIECE_BYTES + 1000


class _MultipartKit(FilesystemKit):
    def make_store(self) -> FilesystemStore:
        self.script = Script()
        return super().make_store()

    def wrap(self, disk: IDisk) -> IDisk:
        return ObservedDisk(disk, self.script)  # type: ignore[return-value]

    def folder(self, upload: Upload) -> Path:
        """The upload's folder."""
        return self.root / ".s3store/buckets" / BUCKET / "uploads" / upload.id

    def copies(self) -> int:
        """How often bytes were copied."""
        return sum(name == "copy_range" for name, _ in self.script.calls)

    async def staged(self, upload: Upload, number: int, body: bytes, more: int = 0) -> IStagedPart:
        """A part of which ``body`` is on the disk, and ``more`` bytes are to come."""
        part = await self.store.stage_part(BUCKET, upload.key, upload.id, number, len(body) + more, PlainPayload())
        await part.write(body)
        await part._landed()  # type: ignore[attr-defined]
        return part


class PlaceTests(_MultipartKit, TestCase):
    """Where the bytes lie, and when completing copies none."""

    async def test_complete_is_a_rename(self) -> None:
        upload = await self.begin(properties=Properties(headers={"Content-Type": "x/y"}, user={"a": "b"}))
        bodies = {number: pattern(SIZE if number < 4 else 10, number) for number in (3, 1, 4, 2)}
        parts = {number: await self.put_part(upload, number, body) for number, body in bodies.items()}
        (grid,) = (self.folder(upload) / "grids").iterdir()
        inode = grid.stat().st_ino
        self.script.reset()
        version = await self.complete(upload, [parts[number] for number in (1, 2, 3, 4)])
        self.assertEqual(self.copies(), 0)
        self.assertEqual(self.path("big").stat().st_ino, inode)
        self.assertEqual(await self.get("big"), b"".join(bodies[number] for number in (1, 2, 3, 4)))
        self.assertEqual(version.properties, upload.properties)
        self.assertEqual(await self.store.head_object(BUCKET, "big"), version)
        self.assertFalse(self.folder(upload).exists())
        await self.idle()
        self.assertEqual(self.files(".s3store/staging"), [])

    async def test_the_smaller_last_part_first(self) -> None:
        upload = await self.begin()
        last = await self.put_part(upload, 3, pattern(10, 3))
        rest = [await self.put_part(upload, number, pattern(SIZE, number)) for number in (1, 2)]
        inode = (self.folder(upload) / f"grids/{SIZE}").stat().st_ino
        self.script.reset()
        await self.complete(upload, [*rest, last])
        self.assertEqual(self.copies(), 1)
        self.assertEqual(self.path("big").stat().st_ino, inode)
        self.assertEqual(await self.get("big"), pattern(SIZE, 1) + pattern(SIZE, 2) + pattern(10, 3))

    async def test_retried_parts_are_moved_in(self) -> None:
        upload = await self.begin()
        await self.put_part(upload, 1, pattern(SIZE, 1))
        parts = [await self.put_part(upload, number, pattern(SIZE, number)) for number in (1, 2, 2, 2)]
        self.assertEqual(len(self.files(f".s3store/buckets/{BUCKET}/uploads/{upload.id}/apart")), 1)
        parts = [parts[0], parts[3]]
        self.assertEqual(await self.parts(upload), parts)
        await self.complete(upload, parts)
        self.assertEqual(await self.get("big"), pattern(SIZE, 1) + pattern(SIZE, 2))

    async def test_other_sizes_and_gaps_are_copied(self) -> None:
        for numbers, sizes in (((1, 3), (SIZE, SIZE)), ((2, 3), (SIZE, 5)), ((1, 2, 3), (5, SIZE, 7)), ((5,), (9,))):
            upload = await self.begin()
            parts = [
                await self.put_part(upload, number, pattern(size, number))
                for number, size in zip(numbers, sizes, strict=True)
            ]
            await self.complete(upload, parts)
            expected = b"".join(pattern(size, number) for number, size in zip(numbers, sizes, strict=True))
            self.assertEqual(await self.get("big"), expected)
            self.assertEqual(await self.store.list_uploads(BUCKET), [])

    async def test_unlisted_parts_are_left_out(self) -> None:
        for number in (2, 3):
            upload = await self.begin()
            parts = [await self.put_part(upload, at, pattern(SIZE, at)) for at in (1, 2, 3)]
            await self.complete(upload, parts[: number - 1])
            self.assertEqual(await self.get("big"), b"".join(pattern(SIZE, at) for at in range(1, number)))

    async def test_an_empty_part(self) -> None:
        upload = await self.begin()
        await self.complete(upload, [await self.put_part(upload, 1, b"")])
        self.assertEqual(await self.get("big"), b"")

    async def test_the_highest_number_of_large_parts(self) -> None:
        upload = await self.begin()
        staged = await self.staged(upload, 10_000, bytes(SIZE), more=5 << 30)
        # No file is that long: the part lies apart.
        self.assertEqual(os.listdir(self.folder(upload) / "grids"), [])
        await staged.discard()

    async def test_sizes_that_are_not_as_declared(self) -> None:
        upload = await self.begin()
        for size in (3, 5):
            staged = await self.store.stage_part(BUCKET, "big", upload.id, 1, size, PlainPayload())
            await staged.write(b"1234")
            await self.refused("IncompleteBody", staged.commit())
        self.assertEqual(await self.parts(upload), [])
        self.assertEqual(os.listdir(self.folder(upload) / "slots"), [])


class RivalTests(_MultipartKit, TestCase):
    """The same part twice at once, completing and aborting meanwhile."""

    async def test_the_same_part_twice_at_once(self) -> None:
        for order in ((0, 1), (1, 0)):
            upload = await self.begin()
            bodies = [pattern(SIZE, 1), pattern(SIZE, 2)]
            staged = [await self.staged(upload, 1, body) for body in bodies]
            for at in order:
                part = await staged[at].commit()
                self.assertEqual(await self.parts(upload), [part])
            await self.complete(upload, [part])
            self.assertEqual(await self.get("big"), bodies[order[1]])

    async def test_a_straggler_does_not_reach_the_object(self) -> None:
        upload = await self.begin()
        parts = [await self.put_part(upload, number, pattern(SIZE, number)) for number in (1, 2)]
        stragglers = [await self.staged(upload, number, bytes(SIZE), more=10) for number in (1, 3)]
        await self.complete(upload, parts)
        for straggler in stragglers:
            await straggler.write(bytes(10))
            await self.refused("NoSuchUpload", straggler.commit())
            await straggler.discard()
        self.assertEqual(await self.get("big"), pattern(SIZE, 1) + pattern(SIZE, 2))
        self.assertEqual(await self.store.list_uploads(BUCKET), [])
        await self.idle()
        self.assertEqual(self.files(".s3store/staging"), [])

    async def test_a_straggler_whose_part_was_sent_again(self) -> None:
        upload = await self.begin()
        straggler = await self.staged(upload, 1, bytes(SIZE))
        parts = [await self.put_part(upload, number, pattern(SIZE, number)) for number in (1, 2)]
        await self.complete(upload, parts)
        await self.refused("NoSuchUpload", straggler.commit())
        self.assertEqual(await self.get("big"), pattern(SIZE, 1) + pattern(SIZE, 2))

    async def test_a_sender_that_stalls_after_its_headers(self) -> None:
        """Who has sent nothing, or less than a piece, has no slot yet."""
        upload = await self.begin()
        stalled = [
            await self.store.stage_part(BUCKET, "big", upload.id, number, SIZE, PlainPayload()) for number in (1, 2)
        ]
        await stalled[1].write(bytes(1000))
        parts = [await self.put_part(upload, number, pattern(SIZE, number)) for number in (1, 2, 3)]
        self.script.reset()
        await self.complete(upload, parts)
        self.assertEqual(self.copies(), 0)
        self.assertEqual(await self.get("big"), b"".join(pattern(SIZE, number) for number in (1, 2, 3)))
        for part in stalled:
            await part.discard()

    async def test_a_failed_writer_frees_its_slot(self) -> None:
        upload = await self.begin()
        for refusing in (PlainPayload(refuse_after=100), PlainPayload(refuse_finish=True)):
            try:
                await self.put_part(upload, 1, bytes(SIZE), refusing)
            except S3Error as error:
                self.assertIn(error.code, ("SignatureDoesNotMatch", "BadDigest"))
        await (await self.staged(upload, 1, bytes(SIZE))).discard()
        parts = [await self.put_part(upload, number, pattern(SIZE, number)) for number in (1, 2)]
        self.script.reset()
        await self.complete(upload, parts)
        self.assertEqual(self.copies(), 0)
        self.assertEqual(await self.get("big"), pattern(SIZE, 1) + pattern(SIZE, 2))

    async def test_a_dead_writer_s_slot_is_taken_over(self) -> None:
        upload = await self.begin()
        await self.put_part(upload, 2, pattern(SIZE, 2))
        (self.folder(upload) / "slots/1").write_bytes(b"")
        (self.folder(upload) / "slots/3").write_bytes(b"")
        await self.put_part(upload, 1, pattern(SIZE, 1))
        self.script.reset()
        await self.complete(upload, await self.parts(upload))
        self.assertEqual(self.copies(), 0)
        self.assertEqual(await self.get("big"), pattern(SIZE, 1) + pattern(SIZE, 2))

    async def test_abort_while_parts_are_written(self) -> None:
        upload = await self.begin()
        await self.put_part(upload, 1, pattern(SIZE, 1))
        staged = [await self.staged(upload, number, pattern(SIZE, number)) for number in (1, 2)]
        fresh = await self.store.stage_part(BUCKET, "big", upload.id, 3, 10, PlainPayload())
        await self.store.abort_upload(BUCKET, "big", upload.id)
        for part in staged:
            await self.refused("NoSuchUpload", part.commit())
        await fresh.write(bytes(10))
        await self.refused("NoSuchUpload", fresh.commit())
        await self.refused("NoSuchUpload", self.parts(upload))
        self.assertEqual(self.files(f".s3store/buckets/{BUCKET}/uploads"), [])
        self.assertEqual(self.files(".s3store/staging"), [])

    async def test_completed_twice_at_once(self) -> None:
        upload = await self.begin()
        parts = [await self.put_part(upload, number, pattern(SIZE, number)) for number in (1, 2)]
        results = await self.together(self.complete(upload, parts) for _ in range(4))
        codes = [result.code for result in results if isinstance(result, S3Error)]
        self.assertEqual(codes, ["NoSuchUpload"] * 3)
        self.assertEqual(await self.get("big"), pattern(SIZE, 1) + pattern(SIZE, 2))

    async def test_completed_again_after_a_crash(self) -> None:
        upload = await self.begin()
        parts = [await self.put_part(upload, 1, b"1")]
        record = (self.folder(upload) / "upload.json").read_bytes()
        version = await self.complete(upload, parts)
        # The crash came when the object was there, and the upload's folder too.
        self.folder(upload).mkdir(parents=True)
        (self.folder(upload) / "upload.json").write_bytes(record)
        self.assertEqual(await self.complete(upload, parts), version)
        self.assertEqual(await self.store.list_uploads(BUCKET), [])

    async def crashed(self) -> tuple[Upload, list[Part]]:
        """An upload that was completed, but stayed because of a crash right after its commit."""
        upload = await self.begin()
        parts = [await self.put_part(upload, number, pattern(SIZE, number)) for number in (1, 2)]
        kept = self.root / "kept"
        shutil.copytree(self.folder(upload), kept, ignore=shutil.ignore_patterns(str(SIZE)))
        await self.complete(upload, parts)
        kept.rename(self.folder(upload))
        return upload, parts

    async def test_an_object_that_was_deleted_does_not_come_back(self) -> None:
        upload, parts = await self.crashed()
        await self.store.delete_object(BUCKET, "big")
        await self.refused("NoSuchUpload", self.complete(upload, parts))
        self.assertEqual(await self.store.list_uploads(BUCKET), [])
        await self.refused("NoSuchKey", self.store.head_object(BUCKET, "big"))

    async def test_what_became_an_object_takes_no_parts(self) -> None:
        upload, _ = await self.crashed()
        await self.store.delete_object(BUCKET, "big")
        await self.refused("NoSuchUpload", self.put_part(upload, 3, pattern(SIZE, 3)))
        self.assertEqual(self.files(f".s3store/buckets/{BUCKET}/uploads/{upload.id}/grids"), [])

    async def test_completed_again_with_other_parts(self) -> None:
        upload, parts = await self.crashed()
        await self.refused("NoSuchUpload", self.complete(upload, parts[:1]))
        self.assertEqual(await self.get("big"), pattern(SIZE, 1) + pattern(SIZE, 2))

    async def test_completed_again_with_parts_that_never_were(self) -> None:
        """The upload is over: that is the answer, and not that a part is missing in it."""
        upload, parts = await self.crashed()
        never = structs.replace(parts[0], etag="0" * 32)
        await self.refused("NoSuchUpload", self.complete(upload, [never, parts[1]]))
        self.assertEqual(await self.store.list_uploads(BUCKET), [])
        self.assertEqual(await self.get("big"), pattern(SIZE, 1) + pattern(SIZE, 2))

    async def test_completed_again_under_newer_versions(self) -> None:
        """What the upload became is found among the versions, and made no second time."""
        await self.store.change_bucket(BUCKET, lambda known: structs.replace(known, versioning=ENABLED))
        upload = await self.begin()
        # Parts that fit no grid: their files stay until the upload goes.
        parts = [await self.put_part(upload, number, pattern(SIZE * number, number)) for number in (1, 2)]
        kept = self.root / "kept"
        shutil.copytree(self.folder(upload), kept)
        made = await self.complete(upload, parts)
        await self.put("big", b"newer")
        kept.rename(self.folder(upload))
        self.assertEqual(await self.complete(upload, parts), made)
        versions = await self.store.list_versions(BUCKET, lambda walk: list(walk.versions("big")))
        self.assertEqual([listed.version.upload_id for listed in versions], ["", upload.id])
        self.assertEqual(await self.get("big"), b"newer")


class RefusalTests(_MultipartKit, TestCase):
    """What is refused, and how the upload is then as before."""

    async def test_conditions(self) -> None:
        await self.put("big", b"old")
        upload = await self.begin()
        parts = [await self.put_part(upload, number, pattern(SIZE, number)) for number in (1, 2)]
        third = await self.put_part(upload, 3, b"3")
        for listed in (parts, [*parts, third]):
            for condition in (only_if_absent, refuse):
                await self.refused("PreconditionFailed", self.complete(upload, listed, condition))
                self.assertEqual(await self.get("big"), b"old")
                self.assertEqual(await self.parts(upload), [*parts, third])
        await self.complete(upload, [*parts, third])
        self.assertEqual(await self.get("big"), pattern(SIZE, 1) + pattern(SIZE, 2) + b"3")

    async def test_parts_that_are_not_the_ones(self) -> None:
        upload = await self.begin()
        first = await self.put_part(upload, 1, b"1")
        await self.put_part(upload, 1, b"2")
        await self.refused("InvalidPart", self.complete(upload, [first]))

    async def test_a_part_whose_record_is_damaged(self) -> None:
        """It is as if it had not been sent, and can be sent again; the upload lives on."""
        for checksum in (b'"f":"zz', b'"f":["', b'"f":5,"'):
            upload = await self.begin()
            bodies = [pattern(SIZE, number) for number in range(3)]
            parts = [await self.put_part(upload, number, body) for number, body in enumerate(bodies, 1)]
            record = self.folder(upload) / "parts/2"
            raw = record.read_bytes()
            for damaged in (
                raw.replace(b'"f":"', checksum),
                _with_checksum(json.dumps({**json.loads(raw), "f": "zz"}).encode()),
                raw[:-3],
            ):
                record.write_bytes(damaged)
                await self.refused("InvalidPart", self.complete(upload, parts))
                self.assertEqual([part.number for part in await self.parts(upload)], [1, 3])
            parts[1] = await self.put_part(upload, 2, bodies[1])
            await self.complete(upload, parts)
            self.assertEqual(await self.get("big"), b"".join(bodies))

    async def test_ids(self) -> None:
        upload = await self.begin()
        near = upload.id[:-1], upload.id + "0", upload.id.upper() + "G"
        for bad in ("", ".", "..", "../../../x", *near, "\0", "é", "\udc80"):
            for attempt in (
                self.store.get_upload(BUCKET, "big", bad),
                self.store.list_parts(BUCKET, "big", bad),
                self.store.stage_part(BUCKET, "big", bad, 1, 1, PlainPayload()),
                self.store.abort_upload(BUCKET, "big", bad),
                self.store.complete_upload(BUCKET, "big", bad, just([])),
            ):
                await self.refused("NoSuchUpload", attempt)
        await self.refused("NoSuchUpload", self.store.get_upload(BUCKET, "other", upload.id))

    async def test_the_disk_refuses_at_each_step(self) -> None:
        await self.put("big", b"old")
        for number in (1, 2):
            upload = await self.begin()
            await self.put_part(upload, 1, pattern(SIZE, 1))
            before = await self.parts(upload)
            for step in range(60):
                self.script.reset(fail_at=step, error=errno.EIO)
                try:
                    await self.put_part(upload, number, pattern(SIZE, 5))
                except S3Error as error:
                    self.assertEqual(error.code, "InternalError")
                failed = self.script.failed
                self.script.reset()
                if not failed:
                    break
                if failed not in ("fsync_directory", "anchor"):
                    self.assertEqual(await self.parts(upload), before, failed)
                self.assertEqual(self.files(".s3store/staging"), [])
                before = await self.parts(upload)
            self.assertGreater(step, 5)
            parts = await self.parts(upload)
            for step in range(60):
                self.script.reset(fail_at=step, error=errno.EIO)
                try:
                    await self.complete(upload, parts, looks)
                except S3Error as error:
                    self.assertEqual(error.code, "InternalError")
                await self.idle()
                failed = self.script.failed
                self.script.reset()
                if not failed or await self.store.list_uploads(BUCKET) == []:
                    break
                if failed not in ("fsync_directory", "anchor"):
                    self.assertEqual(await self.get("big"), b"old")
                    self.assertEqual(await self.parts(upload), parts)
            sent = [pattern(SIZE, 5)] if number == 1 else [pattern(SIZE, 1), pattern(SIZE, 5)]
            self.assertEqual(await self.get("big"), b"".join(sent))
            await self.put("big", b"old")
            for left in await self.store.list_uploads(BUCKET):
                await self.store.abort_upload(BUCKET, left.key, left.id)


def looks(current: ObjectVersion | None) -> None:
    """Refuses nothing, but makes the store look at what is there."""
