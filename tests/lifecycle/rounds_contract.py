"""What a round does, over any store."""

from __future__ import annotations

from msgspec import structs

import twisted_s3.unfinished
from tests.lifecycle.kit import ABORTS, ALL, FAST, MARKERS, Meddling, RoundsKit, expires, rests
from tests.storage.kit import BUCKET, OTHER, OWNER
from twisted_s3.model import ENABLED, NULL_VERSION, SUSPENDED, ObjectLock, ObjectVersion, Properties
from twisted_s3.operations.configuration import LIFECYCLE, LIFECYCLE_MINIMUM
from twisted_s3.protocol.lifecycle.evaluation import DAY

TAGGED = "<Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter>"
MOVES = "<Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>"
RETIRES = (
    "<NoncurrentVersionTransition><NoncurrentDays>1</NoncurrentDays><StorageClass>GLACIER</StorageClass>"
    "</NoncurrentVersionTransition>"
)
ANY_SIZE = "<Filter><ObjectSizeLessThan>1000</ObjectSizeLessThan></Filter>"


class RoundsContract(RoundsKit):
    """Objects, versions, delete markers and uploads come to their end, and nothing else does."""

    async def test_unversioned(self) -> None:
        """What a rule is about is removed; other keys, and other buckets, stay."""
        await self.rule(expires(), "<Filter><Prefix>a/</Prefix></Filter>")
        for key in ("a/1", "a/2/3", "a", "b"):
            await self.put(key, b"x")
        await self.put("a/1", b"x", bucket=OTHER)
        await self.rounds().run()
        self.assertEqual(await self.keys(), ["a", "b"])
        self.assertEqual(await self.keys(bucket=OTHER), ["a/1"])
        self.assertEqual(sorted(self.told), [("LifecycleExpiration:Delete", key, None) for key in ("a/1", "a/2/3")])

    async def test_not_yet(self) -> None:
        """Nothing goes before its time."""
        await self.rule(expires(3))
        await self.put("a")
        await self.rounds().run()
        self.assertEqual(await self.keys(), ["a"])
        self.clock.advance(DAY)
        await self.rounds().run()
        self.assertEqual(await self.keys(), [])

    async def test_tags_and_sizes(self) -> None:
        """Filters count as they do in the protocol."""
        await self.rule(expires(), TAGGED)
        await self.put_tagged("a", {"k": "v", "l": "w"})
        await self.put_tagged("b", {"k": "w"})
        await self.put("c")
        await self.rounds().run()
        self.assertEqual(await self.keys(), ["b", "c"])
        await self.rule(expires(), "<Filter><ObjectSizeGreaterThan>2</ObjectSizeGreaterThan></Filter>")
        await self.put("d", b"123")
        await self.put("e", b"12")
        await self.rounds().run()
        self.assertEqual(await self.keys(), ["b", "c", "e"])

    async def test_disabled(self) -> None:
        """A rule that is off does nothing."""
        document = f"<LifecycleConfiguration><Rule>{ALL}<Status>Disabled</Status>{expires()}</Rule>"
        await self.store.put_configuration(BUCKET, LIFECYCLE.name, f"{document}</LifecycleConfiguration>".encode())
        await self.put("a")
        await self.rounds().run()
        self.assertEqual(await self.keys(), ["a"])

    async def test_versioned(self) -> None:
        """The current version gets a delete marker; noncurrent ones go; in the end the marker goes as well."""
        await self.versioning(ENABLED)
        await self.rule(expires() + rests())
        old = await self.put("a", b"1")
        new = await self.put("a", b"2")
        await self.rounds().run()
        marker, *rest = await self.ids("a")
        self.assertEqual(rest, [new.version_id])
        self.assertEqual(
            sorted(self.told, key=str),
            [
                ("LifecycleExpiration:Delete", "a", old.version_id),
                ("LifecycleExpiration:DeleteMarkerCreated", "a", marker),
            ],
        )
        (listed,) = [one for one in await self.listed() if one.version.delete_marker]
        self.assertEqual(listed.version.owner, OWNER)
        self.clock.advance(2 * DAY)
        await self.rounds().run()
        self.assertEqual(await self.ids("a"), [marker])
        self.clock.advance(2 * DAY)
        await self.rounds().run()
        self.assertEqual(await self.ids("a"), [])
        self.assertEqual(sorted(self.witnessed, key=str), sorted(self.told, key=str))

    async def test_suspended(self) -> None:
        """The marker is ``null``, and takes the place of a ``null`` version; others are kept."""
        await self.put("plain", b"1")
        await self.versioning(ENABLED)
        kept = await self.put("made", b"2")
        await self.versioning(SUSPENDED)
        await self.rule(expires())
        await self.rounds().run()
        self.assertEqual(await self.history("plain"), [(NULL_VERSION, "deleted")])
        self.assertEqual(await self.history("made"), [(NULL_VERSION, "deleted"), (kept.version_id, "2")])

    async def test_newer(self) -> None:
        """So many noncurrent versions are kept, whatever their age."""
        await self.versioning(ENABLED)
        await self.rule(rests(newer=2))
        made = [(await self.put("a", b"%d" % number)).version_id for number in range(6)]
        await self.rounds().run()
        self.assertEqual(await self.ids("a"), made[:2:-1])

    async def test_markers(self) -> None:
        """A delete marker goes when it is all that is left, at once if the rule says so."""
        await self.versioning(ENABLED)
        await self.rule(MARKERS)
        version = await self.put("a", b"1")
        await self.store.delete_object(BUCKET, "a")
        await self.store.delete_object(BUCKET, "b")
        await self.rounds().run()
        self.assertEqual(len(await self.ids("a")), 2)
        self.assertEqual(await self.ids("b"), [])
        await self.store.delete_object(BUCKET, "a", version_id=version.version_id)
        await self.rounds().run()
        self.assertEqual(await self.ids("a"), [])

    async def test_transitions(self) -> None:
        """Versions get another class; all else about them stays."""
        await self.versioning(ENABLED)
        await self.rule(MOVES + RETIRES, ANY_SIZE)
        properties = Properties({"Content-Type": "a/b"}, {"m": "n"}, {"k": "v"})
        old = await self.put("a", b"1", properties=properties)
        new = await self.put("a", b"2", properties=properties)
        await self.rounds().run()
        moved = structs.replace(properties, storage_class="GLACIER")
        for before in (old, new):
            after = await self.store.head_object(BUCKET, "a", before.version_id)
            self.assertEqual(after, structs.replace(before, properties=moved))
        self.assertEqual(await self.history("a"), [(new.version_id, "2"), (old.version_id, "1")])
        told = [("LifecycleTransition", "a", version.version_id) for version in (new, old)]
        self.assertEqual(sorted(self.told), sorted(told))
        self.assertEqual(sorted(self.witnessed), sorted(told))
        await self.rounds().run()
        self.assertEqual(len(self.told), 2)

    async def test_small_ones_stay(self) -> None:
        """Small objects are not moved unless a rule speaks of sizes."""
        await self.rule(MOVES)
        await self.put("a", b"1")
        await self.rounds().run()
        self.assertEqual(await self.classes(), {NULL_VERSION: "STANDARD"})
        await self.store.put_configuration(BUCKET, LIFECYCLE_MINIMUM.name, b"varies_by_storage_class")
        await self.rounds().run()
        self.assertEqual(await self.classes(), {NULL_VERSION: "GLACIER"})

    async def test_uploads(self) -> None:
        """Old uploads are dropped with their parts, by prefix, a few at a time; no event tells of that."""
        self.patch(twisted_s3.unfinished, "AT_A_TIME", 2)
        await self.rule(ABORTS, "<Filter><Prefix>a</Prefix></Filter>")
        gone, *_ = [await self.begin("a") for _ in range(5)]
        kept = [await self.begin("b") for _ in range(3)]
        await self.put_part(gone, 1, b"x")
        await self.rounds().run()
        self.assertEqual(await self.store.list_uploads(BUCKET), kept)
        await self.refused("NoSuchUpload", self.store.list_parts(BUCKET, "a", gone.id))
        self.assertEqual(self.told, [])

    async def test_locked(self) -> None:
        """Locked versions stay until the lock ends; delete markers are put on them all the same."""
        await self.versioning(ENABLED)
        await self.rule(expires() + rests())
        versions = [await self.put("a", b"%d" % number) for number in range(4)]
        locks = [ObjectLock("COMPLIANCE", self.clock.seconds() + 100), ObjectLock(legal_hold=True), ObjectLock()]
        for version, lock in zip(versions, locks, strict=False):
            await self.store.change_object(
                BUCKET, "a", lambda known, lock=lock: structs.replace(known, lock=lock), version.version_id
            )
        await self.rounds().run()
        marker, *rest = await self.ids("a")
        self.assertEqual(rest, [version.version_id for version in (versions[3], versions[1], versions[0])])
        self.clock.advance(2 * DAY)
        await self.rounds().run()
        self.assertEqual(await self.ids("a"), [marker, versions[1].version_id])

    async def test_lock_in_between(self) -> None:
        """A lock that comes after the look counts."""
        await self.versioning(ENABLED)
        await self.rule(rests())
        old = await self.put("a", b"1")
        await self.put("a", b"2")

        async def lock() -> None:
            held = ObjectLock(legal_hold=True)
            await self.store.change_object(BUCKET, "a", lambda known: structs.replace(known, lock=held), old.version_id)

        await self.rounds(store=Meddling(self.store, lock)).run()
        self.assertEqual(len(await self.ids("a")), 2)
        self.assertEqual(self.told, [])


class RacesContract(RoundsKit):
    """Whoever does something after the look wins."""

    async def test_overwritten(self) -> None:
        """A new object with the key is not removed, with the same bytes or others, versioned or not."""
        for state in ("", ENABLED, SUSPENDED):
            for data in (b"old", b"new"):
                await self.versioning(state)
                await self.rule(expires())
                await self.put("a", b"old")
                put: list[ObjectVersion] = []

                async def overwrite(data: bytes = data, put: list[ObjectVersion] = put) -> None:
                    put.append(await self.put("a", data))

                await self.rounds(store=Meddling(self.store, overwrite)).run()
                self.assertEqual(await self.get("a"), data, (state, data))
                self.assertEqual(await self.store.head_object(BUCKET, "a"), put[0])
        self.assertEqual(self.told, [])

    async def test_tagged_otherwise(self) -> None:
        """Nor is one that the rule is not about any more."""
        await self.rule(expires(), TAGGED)
        await self.put_tagged("a", {"k": "v"})

        async def untag() -> None:
            def change(version: ObjectVersion) -> ObjectVersion:
                return structs.replace(version, properties=structs.replace(version.properties, tags={}))

            await self.store.change_object(BUCKET, "a", change)

        await self.rounds(store=Meddling(self.store, untag)).run()
        self.assertEqual(await self.keys(), ["a"])

    async def test_deleted(self) -> None:
        """What somebody else has deleted gets no second delete marker."""
        await self.versioning(ENABLED)
        await self.rule(expires())
        version = await self.put("a", b"1")
        made: list[str | None] = []

        async def delete() -> None:
            made.append((await self.store.delete_object(BUCKET, "a")).version_id)

        await self.rounds(store=Meddling(self.store, delete)).run()
        self.assertEqual(await self.ids("a"), [*made, version.version_id])
        self.assertEqual(self.told, [])

    async def test_current_again(self) -> None:
        """A version that has become current again is not removed as a noncurrent one."""
        await self.versioning(ENABLED)
        await self.rule(rests())
        old, new = await self.put("a", b"1"), await self.put("a", b"2")

        async def undo() -> None:
            await self.store.delete_object(BUCKET, "a", version_id=new.version_id)

        await self.rounds(store=Meddling(self.store, undo)).run()
        self.assertEqual(await self.history("a"), [(old.version_id, "1")])

    async def test_among_the_newest(self) -> None:
        """Nor is one that is now among those to keep."""
        await self.versioning(ENABLED)
        await self.rule(rests(newer=1))
        made = [(await self.put("a", b"%d" % number)).version_id for number in range(3)]

        async def undo() -> None:
            await self.store.delete_object(BUCKET, "a", version_id=made[2])

        await self.rounds(store=Meddling(self.store, undo)).run()
        self.assertEqual(await self.ids("a"), [made[1], made[0]])

    async def test_marker_covered(self) -> None:
        """A delete marker with a new version on it stays."""
        await self.versioning(ENABLED)
        await self.rule(MARKERS)
        marker = (await self.store.delete_object(BUCKET, "a")).version_id
        put: list[str] = []

        async def cover() -> None:
            put.append((await self.put("a", b"1")).version_id)

        await self.rounds(store=Meddling(self.store, cover)).run()
        self.assertEqual(await self.ids("a"), [*put, marker])

    async def test_rules_gone(self) -> None:
        """Rules that were removed after the look are not applied."""
        await self.rule(expires())
        await self.put("a")

        async def remove() -> None:
            await self.store.delete_configuration(BUCKET, LIFECYCLE.name)

        await self.rounds(store=Meddling(self.store, remove)).run()
        self.assertEqual(await self.keys(), ["a"])

    async def test_bucket_gone(self) -> None:
        """A bucket that goes meanwhile keeps no other from its round."""
        for bucket in (BUCKET, OTHER):
            await self.rule(expires(), bucket=bucket)
        await self.put("a", bucket=OTHER)
        self.assertLess(BUCKET, OTHER)

        async def remove() -> None:
            await self.store.delete_bucket(BUCKET)

        await self.rounds(FAST, Meddling(self.store, remove)).run()
        self.assertEqual(await self.keys(bucket=OTHER), [])
