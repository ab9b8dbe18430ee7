"""The promises of ``IObjectStore`` about multipart uploads as tests."""

from __future__ import annotations

from collections.abc import Sequence

from tests.storage.kit import BUCKET, OTHER, OWNER, PlainPayload, StoreKit, md5, pattern, refuse
from twisted_s3.errors import S3Error
from twisted_s3.interfaces import IStagedPart
from twisted_s3.model import Assembly, ByteRange, ObjectVersion, Part, Properties, Upload, mark_of

KIB = 1024


class UploadContract(StoreKit):
    """Multipart uploads."""

    async def test_upload_round_trip(self) -> None:
        properties = Properties({"Content-Type": "image/png"}, {"who": "Zoë"}, {"a": "b"}, "STANDARD_IA")
        made = await self.store.create_upload(BUCKET, "dir/big", properties, OWNER, "CRC32", "COMPOSITE")
        self.assertEqual((made.key, made.properties, made.owner), ("dir/big", properties, OWNER))
        self.assertEqual((made.checksum_algorithm, made.checksum_type), ("CRC32", "COMPOSITE"))
        self.assertEqual(await self.store.get_upload(BUCKET, "dir/big", made.id), made)
        self.assertEqual(await self.store.list_uploads(BUCKET), [made])
        self.assertEqual(await self.parts(made), [])
        self.assertEqual(await self.keys(), [])
        self.assertEqual(made.before, None)

    async def test_upload_remembers_what_was_there(self) -> None:
        for version in (None, ObjectVersion("k", 1, "e", 1700000000.123456)):
            made = await self.store.create_upload(BUCKET, "k", Properties(), OWNER, before=mark_of(version))
            found = await self.store.get_upload(BUCKET, "k", made.id)
            self.assertEqual(found.before, mark_of(version))

    async def test_list_uploads_in_order(self) -> None:
        made = [await self.begin(key) for key in ("b", "a/", "a", "b", "a/b", "a-b", "\U0010ffff", "\uffff", "b")]
        listed = await self.store.list_uploads(BUCKET)
        self.assertEqual(listed, sorted(made, key=lambda upload: (upload.key, upload.initiated, upload.id)))
        self.assertEqual(len({upload.id for upload in made}), len(made))
        self.assertEqual(await self.store.list_uploads(OTHER), [])
        paged = await self.store.page_uploads(BUCKET, list)
        self.assertEqual(sorted(upload.id for upload in paged), sorted(upload.id for upload in made))
        ids = [upload.id for upload in paged]
        self.assertEqual(ids, sorted(ids))
        rest = await self.store.page_uploads(BUCKET, list, ids[4])
        self.assertEqual(rest, paged[5:])
        self.assertEqual(await self.store.page_uploads(OTHER, list), [])
        await self.refused("NoSuchBucket", self.store.page_uploads("absent", list))

    async def test_part_round_trip(self) -> None:
        upload = await self.begin()
        body = pattern(300_000)
        part = await self.put_part(upload, 7, body, PlainPayload({"CRC32": "AAAAAA=="}))
        self.assertEqual((part.number, part.size, part.etag), (7, len(body), md5(body)))
        self.assertEqual(part.checksums, {"CRC32": "AAAAAA=="})
        self.assertEqual(await self.parts(upload), [part])
        self.assertEqual(await self.keys(), [])

    async def test_parts_by_number(self) -> None:
        upload = await self.begin()
        made = [await self.put_part(upload, number, b"%d" % number) for number in (10_000, 2, 100, 1, 11)]
        self.assertEqual(await self.parts(upload), sorted(made, key=lambda part: part.number))

    async def test_part_not_visible_before_commit(self) -> None:
        upload = await self.begin()
        staged = await self.store.stage_part(BUCKET, "big", upload.id, 1, 5, PlainPayload())
        await staged.write(b"bytes")
        self.assertEqual(await self.parts(upload), [])
        part = await staged.commit()
        await staged.discard()
        self.assertEqual(await self.parts(upload), [part])

    async def test_part_discarded(self) -> None:
        upload = await self.begin()
        first = await self.put_part(upload, 1, b"first")
        staged = await self.store.stage_part(BUCKET, "big", upload.id, 1, 6, PlainPayload())
        await staged.write(b"second")
        await staged.discard()
        await staged.discard()
        await self._completes(upload, [first], b"first")

    async def test_part_refused_leaves_the_earlier_one(self) -> None:
        upload = await self.begin()
        body = pattern(200_000)
        first = await self.put_part(upload, 1, body)
        for code, payload in (
            ("SignatureDoesNotMatch", PlainPayload(refuse_after=100_000)),
            ("BadDigest", PlainPayload(refuse_finish=True)),
        ):
            await self.refused(code, self.put_part(upload, 1, pattern(200_000, 1), payload))
            self.assertEqual(await self.parts(upload), [first])
        await self._completes(upload, [first], body)

    async def test_part_of_another_size_than_declared(self) -> None:
        upload = await self.begin()
        first = await self.put_part(upload, 1, b"first")
        for declared, body in ((5, b"four"), (5, b"longer"), (0, b"1"), (1, b"")):
            staged = await self.store.stage_part(BUCKET, "big", upload.id, 1, declared, PlainPayload())

            async def send(staged: IStagedPart = staged, body: bytes = body) -> None:
                await staged.write(body)
                await staged.commit()

            await self.refused("IncompleteBody", send())
            await staged.discard()
        await self._completes(upload, [first], b"first")

    async def test_part_replaced(self) -> None:
        for sizes in ((100, 100), (100, 50), (50, 100), (100, 0), (0, 100)):
            upload = await self.begin()
            await self.put_part(upload, 1, pattern(sizes[0], 1))
            second = await self.put_part(upload, 2, pattern(100, 2))
            first = await self.put_part(upload, 1, pattern(sizes[1], 3))
            self.assertEqual(await self.parts(upload), [first, second])
            await self._completes(upload, [first, second], pattern(sizes[1], 3) + pattern(100, 2))

    async def test_same_part_at_once(self) -> None:
        """Two writers of one part: the later commit wins, and the bytes never mix."""
        for later in (0, 1):
            upload = await self.begin()
            size = 200_000
            bodies = [pattern(size, 1), pattern(size, 2)]
            staged = [await self.store.stage_part(BUCKET, "big", upload.id, 1, size, PlainPayload()) for _ in bodies]
            for offset in range(0, size, 50_000):
                for body, writer in zip(bodies, staged, strict=True):
                    await writer.write(body[offset : offset + 50_000])
            await staged[1 - later].commit()
            part = await staged[later].commit()
            self.assertEqual(await self.parts(upload), [part])
            await self._completes(upload, [part], bodies[later])

    async def test_parts_at_once(self) -> None:
        upload = await self.begin()
        bodies = {number: pattern(150_000, number) for number in range(1, 9)}
        await self.together(self.put_part(upload, number, body) for number, body in reversed(bodies.items()))
        parts = await self.parts(upload)
        self.assertEqual([part.number for part in parts], list(bodies))
        await self._completes(upload, parts, b"".join(bodies.values()))

    async def test_complete_equal_parts(self) -> None:
        await self._upload_and_complete({1: 64 * KIB, 2: 64 * KIB, 3: 64 * KIB})

    async def test_complete_equal_parts_and_a_shorter_last(self) -> None:
        await self._upload_and_complete({1: 64 * KIB, 2: 64 * KIB, 3: 1})

    async def test_complete_equal_parts_in_any_order(self) -> None:
        await self._upload_and_complete({3: 10 * KIB, 1: 64 * KIB, 2: 64 * KIB})

    async def test_complete_large_parts(self) -> None:
        await self._upload_and_complete({1: 5 << 20, 2: 5 << 20, 3: 12_345})

    async def test_complete_single_part(self) -> None:
        await self._upload_and_complete({1: 1000})
        await self._upload_and_complete({17: 1000})

    async def test_complete_unequal_parts(self) -> None:
        await self._upload_and_complete({1: 1000, 2: 3000, 3: 2000, 4: 0, 5: 5000})

    async def test_complete_with_a_longer_last(self) -> None:
        await self._upload_and_complete({1: 64 * KIB, 2: 64 * KIB, 3: 65 * KIB})

    async def test_complete_with_gaps_in_the_numbers(self) -> None:
        await self._upload_and_complete({2: 64 * KIB, 5: 64 * KIB, 10_000: 100})

    async def test_complete_no_bytes(self) -> None:
        await self._upload_and_complete({1: 0})

    async def test_unlisted_parts_are_dropped(self) -> None:
        for listed in ((1, 2), (1, 3), (2, 3), (3,), (1,)):
            await self._upload_and_complete({1: 64 * KIB, 2: 64 * KIB, 3: 64 * KIB}, listed)

    async def test_completed_object(self) -> None:
        properties = Properties({"Content-Type": "image/png"}, {"who": "Zoë"}, {"a": "b"}, "STANDARD_IA")
        await self.put("dir/big", b"earlier")
        opened = await self.store.open_object(BUCKET, "dir/big")
        self.addCleanup(opened.close)
        upload = await self.begin("dir/big", properties=properties)
        parts = [await self.put_part(upload, number, pattern(100, number)) for number in (1, 2)]
        self.assertEqual(await self.get("dir/big"), b"earlier")
        made = await self.complete(upload, parts, etag="0" * 32 + "-2")
        self.assertEqual((made.key, made.size, made.etag), ("dir/big", 200, "0" * 32 + "-2"))
        self.assertEqual((made.checksums, made.checksum_type), ({"CRC32": "AAAAAA=="}, "COMPOSITE"))
        self.assertEqual((made.parts, made.upload_id), (tuple(parts), upload.id))
        self.assertEqual((made.properties, made.owner), (properties, OWNER))
        self.assertEqual(await self.store.head_object(BUCKET, "dir/big"), made)
        self.assertEqual(await self.keys(), ["dir/big"])
        self.assertEqual(await self.read(opened), b"earlier")

    async def test_many_parts_come_back(self) -> None:
        """The metadata of a thousand parts goes beyond the extended attributes of some filesystems."""
        upload = await self.begin()
        await self.together(self.put_part(upload, number, b"%d," % number) for number in range(1, 1001))
        parts = await self.parts(upload)
        made = await self._completes(upload, parts, b"".join(b"%d," % number for number in range(1, 1001)))
        self.assertEqual(made.parts, tuple(parts))
        self.assertEqual(await self.store.head_object(BUCKET, "big"), made)

    async def test_upload_is_gone_after_complete(self) -> None:
        upload = await self.begin()
        part = await self.put_part(upload, 1, b"1")
        await self.complete(upload, [part])
        await self._assert_gone(upload)
        self.assertEqual(await self.get("big"), b"1")

    async def test_upload_is_gone_after_abort(self) -> None:
        upload = await self.begin()
        other = await self.begin()
        await self.put_part(upload, 1, b"1")
        await self.store.abort_upload(BUCKET, "big", upload.id)
        await self._assert_gone(upload)
        self.assertEqual(await self.store.list_uploads(BUCKET), [other])
        self.assertEqual(await self.keys(), [])

    async def test_no_such_upload(self) -> None:
        upload = await self.begin()
        for strange in (
            Upload("absent", "big", 0.0),
            Upload("", "big", 0.0),
            Upload("..", "big", 0.0),
            Upload("../../x/uploads/" + upload.id, "big", 0.0),
            Upload(upload.id + "/", "big", 0.0),
            Upload("nul\x00", "big", 0.0),
            Upload("x" * 5000, "big", 0.0),
            Upload("🐈", "big", 0.0),
            Upload(upload.id, "another key", 0.0),
        ):
            await self._assert_gone(strange)
        await self.refused("NoSuchUpload", self.store.get_upload(OTHER, "big", upload.id))
        self.assertEqual(await self.store.list_uploads(BUCKET), [upload])

    async def test_condition_refused_leaves_the_upload(self) -> None:
        before = await self.put("big", b"earlier")
        for sizes in ((100, 100), (100, 200)):
            upload = await self.begin()
            parts = [await self.put_part(upload, n, pattern(size, n)) for n, size in enumerate(sizes, 1)]
            await self.refused("PreconditionFailed", self.complete(upload, parts, refuse))
            self.assertEqual(await self.store.head_object(BUCKET, "big"), before)
            self.assertEqual(await self.get("big"), b"earlier")
            self.assertEqual(await self.parts(upload), parts)
            self.assertEqual(await self.store.get_upload(BUCKET, "big", upload.id), upload)
            parts[0] = await self.put_part(upload, 1, b"changed")
            before = await self._completes(upload, parts, b"changed" + pattern(sizes[1], 2))
            await self.put("big", b"earlier")
            before = await self.store.head_object(BUCKET, "big")

    async def test_completion_condition_sees_the_current_version(self) -> None:
        seen: list[ObjectVersion | None] = []
        made = None
        for _ in range(2):
            upload = await self.begin()
            part = await self.put_part(upload, 1, b"1")
            expected = [*seen, made]
            made = await self.complete(upload, [part], seen.append)
            self.assertEqual(seen, expected)

    async def test_changed_part_is_refused(self) -> None:
        upload = await self.begin()
        old = [await self.put_part(upload, n, pattern(100, n)) for n in (1, 2)]
        for body in (pattern(100, 9), pattern(50, 9), pattern(200, 9)):
            await self.put_part(upload, 2, body)
            await self.refused("InvalidPart", self.complete(upload, old))
            await self.refused("NoSuchKey", self.store.head_object(BUCKET, "big"))
        missing = Part(number=3, size=100, etag=old[0].etag)
        await self.refused("InvalidPart", self.complete(upload, [*old[:1], missing]))
        self.assertEqual(len(await self.parts(upload)), 2)
        await self._completes(upload, await self.parts(upload), pattern(100, 1) + pattern(200, 9))

    async def test_choice(self) -> None:
        """Whoever completes sees all parts, and takes the object's name and checksums from those taken; or none."""
        upload = await self.begin()
        parts = [await self.put_part(upload, number, pattern(100, number)) for number in (1, 2, 4)]
        seen: list[Sequence[Part]] = []

        def none(committed: Sequence[Part]) -> Assembly:
            seen.append(committed)
            raise S3Error("EntityTooSmall")

        def some(committed: Sequence[Part]) -> Assembly:
            return Assembly(committed[1:], "1" * 32 + "-2", {"SHA1": "A"}, "COMPOSITE")

        await self.refused("EntityTooSmall", self.store.complete_upload(BUCKET, "big", upload.id, none))
        self.assertEqual([list(committed) for committed in seen], [parts])
        self.assertEqual((await self.parts(upload), await self.keys()), (parts, []))
        made = await self.store.complete_upload(BUCKET, "big", upload.id, some)
        self.assertEqual((made.etag, made.checksums, made.checksum_type), ("1" * 32 + "-2", {"SHA1": "A"}, "COMPOSITE"))
        self.assertEqual((made.size, made.parts), (200, tuple(parts[1:])))
        self.assertEqual(await self.get("big"), pattern(100, 2) + pattern(100, 4))

    async def test_late_part_does_not_touch_the_object(self) -> None:
        """A part that is being sent while the upload is completed changes nothing any more."""
        for size in (100_000, 70_000):
            upload = await self.begin()
            bodies = [pattern(100_000, n) for n in (1, 2)]
            parts = [await self.put_part(upload, n, body) for n, body in enumerate(bodies, 1)]
            late = await self.store.stage_part(BUCKET, "big", upload.id, 1, size, PlainPayload())
            await late.write(pattern(size // 2, 7))
            await self._completes(upload, parts, b"".join(bodies))

            async def finish(late: IStagedPart = late, size: int = size) -> None:
                await late.write(pattern(size - size // 2, 8))
                await late.commit()

            await self.refused("NoSuchUpload", finish())
            await late.discard()
            self.assertEqual(await self.get("big"), b"".join(bodies))

    async def test_late_part_of_an_aborted_upload(self) -> None:
        upload = await self.begin()
        late = await self.store.stage_part(BUCKET, "big", upload.id, 1, 4, PlainPayload())
        await late.write(b"late")
        await self.store.abort_upload(BUCKET, "big", upload.id)
        await self.refused("NoSuchUpload", late.commit())
        await late.discard()
        await self.store.delete_bucket(BUCKET)

    async def test_one_completion(self) -> None:
        upload = await self.begin()
        parts = [await self.put_part(upload, n, pattern(1000, n)) for n in (1, 2)]
        results = await self.together(self.complete(upload, parts) for _ in range(4))
        errors = [result.code for result in results if isinstance(result, S3Error)]
        self.assertEqual(errors, ["NoSuchUpload"] * 3)
        self.assertEqual(await self.get("big"), pattern(1000, 1) + pattern(1000, 2))

    async def test_uploads_of_one_key_do_not_meet(self) -> None:
        uploads = [await self.begin() for _ in range(2)]
        parts = [await self.put_part(upload, 1, pattern(100, n)) for n, upload in enumerate(uploads)]
        await self._completes(uploads[0], parts[:1], pattern(100, 0))
        await self._completes(uploads[1], parts[1:], pattern(100, 1))

    async def test_uploads_of_rival_keys(self) -> None:
        for key in ("a", "a/b", "a/", "..", "x" * 1024, "nul\x00"):
            upload = await self.begin(key)
            await self._completes(upload, [await self.put_part(upload, 1, key.encode())], key.encode())
        self.assertEqual(len(await self.keys()), 6)

    async def test_copy_into_parts(self) -> None:
        body = pattern(300_000)
        await self.put("source", body, bucket=OTHER)
        source = await self.store.open_object(OTHER, "source")
        self.addCleanup(source.close)
        upload = await self.begin()
        parts = []
        for number, (start, stop) in enumerate(((0, 100_000), (100_000, 200_000), (250_000, 300_000)), 1):
            staged = await self.store.stage_part(BUCKET, "big", upload.id, number, stop - start, PlainPayload())
            await staged.copy_from(source, ByteRange(start, stop))
            parts.append(await staged.commit())
            self.assertEqual(parts[-1].etag, md5(body[start:stop]))
        await self._completes(upload, parts, body[:200_000] + body[250_000:])

    async def test_copy_from_a_completed_object(self) -> None:
        upload = await self.begin()
        parts = [await self.put_part(upload, n, pattern(1000 * n, n)) for n in (1, 2)]
        made = await self.complete(upload, parts)
        source = await self.store.open_object(BUCKET, "big")
        self.addCleanup(source.close)
        staged = await self.store.stage(OTHER, PlainPayload())
        await staged.copy_from(source, ByteRange(0, made.size))
        copy = await staged.commit("copy", Properties())
        self.assertEqual((copy.parts, copy.upload_id), ((), ""))
        self.assertEqual(await self.get("copy", OTHER), pattern(1000, 1) + pattern(2000, 2))

    async def test_change_of_a_completed_object(self) -> None:
        upload = await self.begin()
        made = await self.complete(upload, [await self.put_part(upload, 1, b"1")])
        after = await self.store.change_object(BUCKET, "big", lambda version: version)
        self.assertEqual(after, made)
        self.assertEqual(await self.store.head_object(BUCKET, "big"), made)

    async def test_overwrite_of_a_completed_object(self) -> None:
        upload = await self.begin()
        await self.complete(upload, [await self.put_part(upload, 1, b"1")])
        made = await self.put("big", b"2")
        self.assertEqual((made.parts, made.upload_id), ((), ""))
        self.assertEqual(await self.store.head_object(BUCKET, "big"), made)
        self.assertEqual(await self.get("big"), b"2")

    async def _upload_and_complete(self, sizes: dict[int, int], listed: tuple[int, ...] | None = None) -> None:
        """Send parts of these sizes in this order, then make an object of those ``listed``."""
        upload = await self.begin()
        for number, size in sizes.items():
            await self.put_part(upload, number, pattern(size, number))
        numbers = sorted(sizes) if listed is None else listed
        parts = [part for part in await self.parts(upload) if part.number in numbers]
        await self._completes(upload, parts, b"".join(pattern(sizes[number], number) for number in numbers))

    async def _completes(self, upload: Upload, parts: list[Part] | tuple[Part, ...], body: bytes) -> ObjectVersion:
        """Complete the upload, which has to give ``body``."""
        made = await self.complete(upload, parts)
        self.assertEqual((made.size, made.upload_id), (len(body), upload.id))
        self.assertTrue(await self.get(upload.key) == body, "other bytes")
        return made

    async def _assert_gone(self, upload: Upload) -> None:
        store, key, upload_id = self.store, upload.key, upload.id
        for attempt in (
            store.get_upload(BUCKET, key, upload_id),
            store.list_parts(BUCKET, key, upload_id),
            store.stage_part(BUCKET, key, upload_id, 1, 0, PlainPayload()),
            store.abort_upload(BUCKET, key, upload_id),
            self.complete(upload, []),
        ):
            await self.refused("NoSuchUpload", attempt)
