"""The promises of ``IObjectStore`` about renaming as tests."""

from __future__ import annotations

from msgspec import structs

from tests.storage.kit import BUCKET, OTHER, StoreKit, only_if_absent, pattern, refuse
from twisted_s3.errors import S3Error
from twisted_s3.model import ObjectVersion, Properties

PROPERTIES = Properties(headers={"Content-Type": "image/png"}, user={"a": "b"}, tags={"t": "1"})

#: Pairs of keys between which an object moves to and fro: also where one's path is the other's folder.
PAIRS = (
    ("x", "y"),
    ("deep/er/x", "x"),
    ("a", "a/b"),
    ("a/b", "a/b/c"),
    ("dir/", "dir"),
    ("plain", "w" * 300),
    (".", "//"),
    ("é" * 512, "d/" * 511 + "d"),
)


class RenameContract(StoreKit):
    """An object gets another key, whole and in one step."""

    async def test_rename(self) -> None:
        body = pattern(100_000)
        for first, second in PAIRS:
            made = await self.put(first, body, properties=PROPERTIES)
            for source, target in ((first, second), (second, first)):
                moved = await self.store.rename_object(BUCKET, source, target)
                self.assertEqual(moved, structs.replace(made, key=target))
                self.assertEqual(await self.store.head_object(BUCKET, target), moved)
                self.assertEqual(await self.get(target), body)
                await self.refused("NoSuchKey", self.store.head_object(BUCKET, source))
                self.assertEqual(await self.keys(), [target])
            await self.store.delete_object(BUCKET, first)
        await self.store.delete_bucket(BUCKET)

    async def test_rename_replaces(self) -> None:
        for first, second in PAIRS:
            await self.put(second, b"replaced", properties=Properties(user={"long": "y" * 1900}))
            opened = await self.store.open_object(BUCKET, second)
            self.addCleanup(opened.close)
            made = await self.put(first, b"moved", properties=PROPERTIES)
            self.assertEqual(await self.store.rename_object(BUCKET, first, second), structs.replace(made, key=second))
            self.assertEqual(await self.keys(), [second])
            self.assertEqual(await self.get(second), b"moved")
            self.assertEqual(await self.read(opened), b"replaced")
            await self.store.delete_object(BUCKET, second)
        await self.store.delete_bucket(BUCKET)

    async def test_rename_of_parts(self) -> None:
        upload = await self.begin("big")
        parts = [await self.put_part(upload, number, b"%d" % number * 1000) for number in (1, 2)]
        made = await self.complete(upload, parts)
        moved = await self.store.rename_object(BUCKET, "big", "bigger")
        self.assertEqual(moved, structs.replace(made, key="bigger"))
        self.assertEqual(await self.get("bigger"), b"1" * 1000 + b"2" * 1000)

    async def test_rename_large_properties(self) -> None:
        large = Properties(tags={"k" * 127 + str(number): "w" * 256 for number in range(10)})
        await self.put("x", b"1", properties=large)
        await self.store.rename_object(BUCKET, "x", "y")
        await self.put("x", b"2")
        await self.store.delete_object(BUCKET, "x")
        self.assertEqual((await self.store.head_object(BUCKET, "y")).properties, large)

    async def test_rename_onto_itself(self) -> None:
        made = await self.put("x", b"1")
        self.assertEqual(await self.store.rename_object(BUCKET, "x", "x"), made)
        self.assertEqual(await self.get("x"), b"1")

    async def test_rename_refused(self) -> None:
        await self.put("y", b"other")
        await self.refused("NoSuchKey", self.store.rename_object(BUCKET, "absent", "y"))
        await self.put("x", b"1")
        await self.refused("NoSuchKey", self.store.rename_object(OTHER, "x", "y"))
        await self.refused("PreconditionFailed", self.store.rename_object(BUCKET, "x", "y", refuse))
        for target in ("y", "deep/new", "x"):
            rename = self.store.rename_object(BUCKET, "x", target, condition=refuse)
            await self.refused("PreconditionFailed", rename)
        self.assertEqual(await self.keys(), ["x", "y"])
        self.assertEqual((await self.get("x"), await self.get("y")), (b"1", b"other"))
        for key in ("x", "y"):
            await self.store.delete_object(BUCKET, key)
        await self.store.delete_bucket(BUCKET)

    async def test_rename_conditions_see_both(self) -> None:
        seen: list[ObjectVersion | None] = []
        source, target = await self.put("x", b"1"), await self.put("y", b"2")
        await self.store.rename_object(BUCKET, "x", "y", seen.append, seen.append)
        moved = await self.store.head_object(BUCKET, "y")
        await self.store.rename_object(BUCKET, "y", "z", seen.append, seen.append)
        self.assertEqual(seen, [source, target, moved, None])

    async def test_renames_race(self) -> None:
        """Of those who move one object to many keys, one wins; of those who move many to one, all but one lose."""
        await self.put("x", b"1")
        results = await self.together(self._rename("x", f"{number}/x") for number in range(8))
        won = [result for result in results if isinstance(result, ObjectVersion)]
        self.assertEqual(len(won), 1, results)
        self.assertEqual(await self.keys(), [won[0].key])
        await self.store.delete_object(BUCKET, won[0].key)
        for number in range(8):
            await self.put(f"from/{number}", b"%d" % number)
        results = await self.together(self._rename(f"from/{number}", "to") for number in range(8))
        won = [result for result in results if isinstance(result, ObjectVersion)]
        self.assertEqual(len(won), 1, results)
        self.assertEqual(len(await self.keys()), 8)

    async def test_swaps_do_not_wait_for_each_other(self) -> None:
        """To and fro at the same time: nobody waits for ever, and the object is never lost."""
        await self.put("x", b"1")
        for _ in range(10):
            await self.together(self._rename(*pair) for pair in (("x", "y"), ("y", "x"), ("y", "z"), ("z", "x")))
            self.assertEqual(len(await self.keys()), 1)

    async def _rename(self, source: str, target: str) -> ObjectVersion | S3Error:
        return await self.store.rename_object(BUCKET, source, target, condition=only_if_absent)
