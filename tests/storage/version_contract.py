"""The promises of ``IObjectStore`` about versions and delete markers as tests."""

from __future__ import annotations

import random
from collections.abc import Sequence

from msgspec import structs

from tests.storage.kit import BUCKET, OTHER, OWNER, PlainPayload, StoreKit, just, md5, only_if_absent, refuse
from twisted_s3.errors import S3Error
from twisted_s3.model import (
    ENABLED,
    NULL_VERSION,
    SUSPENDED,
    UNLOCKED,
    Deletion,
    ListedVersion,
    ObjectLock,
    ObjectVersion,
    Properties,
)
from twisted_s3.protocol.walks import VersionWalk

#: One that a path can hold, and some that none can.
KEYS = ("x", "deep/er/x", "dir/", "y" * 300, "..")
UNKNOWN = "0123456789abcdef" * 2


class VersionKit(StoreKit):
    """What tests of versions share."""

    async def versioning(self, state: str, bucket: str = BUCKET) -> None:
        """Set the state of a bucket."""
        await self.store.change_bucket(bucket, lambda known: structs.replace(known, versioning=state))

    async def listed(self, bucket: str = BUCKET) -> list[ListedVersion]:
        """All versions and delete markers."""

        def page(walk: VersionWalk) -> list[ListedVersion]:
            return [listed for key in walk.keys("") for listed in walk.versions(key)]

        return await self.store.list_versions(bucket, page)

    async def history(self, key: str) -> list[tuple[str, str]]:
        """Id and bytes of each version of a key, newest first; of a delete marker, ``deleted``."""
        found = []
        listed = [listed for listed in await self.listed() if listed.version.key == key]
        self.assertEqual([entry.is_latest for entry in listed], [at == 0 for at in range(len(listed))])
        for entry in listed:
            version = entry.version
            if version.delete_marker:
                await self.refused("MethodNotAllowed", self.store.head_object(BUCKET, key, version.version_id))
                found.append((version.version_id, "deleted"))
                continue
            opened = await self.store.open_object(BUCKET, key, version.version_id)
            try:
                self.assertEqual(opened.version, version)
                body = await self.read(opened)
            finally:
                opened.close()
            self.assertEqual(md5(body), version.etag)
            found.append((version.version_id, body.decode()))
        if found and found[0][1] != "deleted":
            self.assertEqual((await self.get(key)).decode(), found[0][1])
            self.assertIn(key, await self.keys())
        else:
            await self.assert_hidden(key, found[0][0] if found else None)
        return found

    async def assert_hidden(self, key: str, marker_id: str | None) -> None:
        """There is no current version."""
        for attempt in (self.store.head_object(BUCKET, key), self.store.open_object(BUCKET, key)):
            error = await self.refused("NoSuchKey", attempt)
            self.assertEqual(error.headers.get("x-amz-version-id"), marker_id)
            self.assertEqual(error.headers.get("x-amz-delete-marker"), marker_id and "true")
        self.assertNotIn(key, await self.keys())


class VersionContract(VersionKit):
    """Versions and delete markers."""

    async def test_versions_of_each_put(self) -> None:
        await self.versioning(ENABLED)
        for key in KEYS:
            ids = [(await self.put(key, b"%d" % number)).version_id for number in range(4)]
            self.assertEqual(len(set(ids)), 4)
            for made in ids:
                self.assertRegex(made, "^[0-9a-f]{32}$")
            self.assertEqual(await self.history(key), [(ids[number], str(number)) for number in (3, 2, 1, 0)])
        self.assertEqual(await self.keys(), sorted(KEYS))
        self.assertEqual([entry.version.key for entry in (await self.listed())[::4]], sorted(KEYS))
        self.assertEqual(await self.store.list_versions(OTHER, lambda walk: list(walk.keys(""))), [])

    async def test_properties_of_each_version(self) -> None:
        await self.versioning(ENABLED)
        first = await self.put("x", b"1", properties=Properties(user={"big": "1" * 1000}, tags={"n": "1"}))
        second = await self.put("x", b"2", properties=Properties(user={"big": "2" * 1000}))
        self.assertEqual(await self.store.head_object(BUCKET, "x", first.version_id), first)
        self.assertEqual(await self.store.head_object(BUCKET, "x", second.version_id), second)
        self.assertEqual(await self.store.head_object(BUCKET, "x"), second)

    async def test_delete_marker(self) -> None:
        await self.versioning(ENABLED)
        for key in KEYS:
            kept = await self.put(key, b"1")
            deletion = await self.store.delete_object(BUCKET, key, owner=OWNER)
            self.assertEqual((deletion.removed, deletion.delete_marker), (True, True))
            again = await self.store.delete_object(BUCKET, key)
            self.assertEqual((again.removed, again.delete_marker), (False, True))
            expected = [(again.version_id, "deleted"), (deletion.version_id, "deleted"), (kept.version_id, "1")]
            self.assertEqual(await self.history(key), expected)
            marker = (await self.listed())[1].version
            self.assertEqual((marker.size, marker.etag, marker.owner), (0, "", OWNER))
            error = await self.refused("MethodNotAllowed", self.store.open_object(BUCKET, key, again.version_id))
            self.assertEqual(error.headers["x-amz-version-id"], again.version_id)
            self.assertLessEqual({"Allow", "Last-Modified", "x-amz-delete-marker"}, set(error.headers))
            newest = await self.put(key, b"2", condition=only_if_absent)
            self.assertEqual(await self.history(key), [(newest.version_id, "2"), *expected])
            for version_id, _ in await self.history(key):
                await self.store.delete_object(BUCKET, key, version_id=version_id)

    async def test_delete_marker_for_a_missing_key(self) -> None:
        await self.versioning(ENABLED)
        deletion = await self.store.delete_object(BUCKET, "absent")
        self.assertEqual(deletion, Deletion(False, deletion.version_id, True))
        self.assertEqual(await self.history("absent"), [(deletion.version_id, "deleted")])

    async def test_delete_a_version(self) -> None:
        await self.versioning(ENABLED)
        for key in KEYS:
            ids = [(await self.put(key, b"%d" % number)).version_id for number in range(4)]
            delete = self.store.delete_object
            self.assertEqual(await delete(BUCKET, key, version_id=ids[1]), Deletion(True, ids[1]))
            self.assertEqual(await self.history(key), [(ids[3], "3"), (ids[2], "2"), (ids[0], "0")])
            self.assertEqual(await delete(BUCKET, key, version_id=ids[1]), Deletion(False, ids[1]))
            # The next newest is current again.
            self.assertEqual(await delete(BUCKET, key, version_id=ids[3]), Deletion(True, ids[3]))
            self.assertEqual(await self.history(key), [(ids[2], "2"), (ids[0], "0")])
            # The same under a delete marker.
            marker = (await delete(BUCKET, key)).version_id or ""
            self.assertEqual(await delete(BUCKET, key, version_id=ids[0]), Deletion(True, ids[0]))
            self.assertEqual(await self.history(key), [(marker, "deleted"), (ids[2], "2")])
            self.assertEqual(await delete(BUCKET, key, version_id=marker), Deletion(True, marker, True))
            self.assertEqual(await self.history(key), [(ids[2], "2")])
            self.assertEqual(await delete(BUCKET, key, version_id=ids[2]), Deletion(True, ids[2]))
            self.assertEqual(await self.history(key), [])
            await self.refused("NoSuchVersion", self.store.head_object(BUCKET, key, ids[2]))
        await self.store.delete_bucket(BUCKET)

    async def test_a_current_version_above_a_delete_marker(self) -> None:
        await self.versioning(ENABLED)
        old = await self.put("x", b"old")
        marker = (await self.store.delete_object(BUCKET, "x")).version_id or ""
        new = await self.put("x", b"new")
        await self.store.delete_object(BUCKET, "x", version_id=new.version_id)
        self.assertEqual(await self.history("x"), [(marker, "deleted"), (old.version_id, "old")])

    async def test_version_ids(self) -> None:
        await self.put("x", b"1")
        for state in ("", ENABLED):
            await self.versioning(state)
            for bad in ("", "abc", UNKNOWN.upper(), UNKNOWN + "0", "../" + UNKNOWN[3:], "Null"):
                for attempt in (
                    self.store.head_object(BUCKET, "x", bad),
                    self.store.open_object(BUCKET, "x", bad),
                    self.store.delete_object(BUCKET, "x", version_id=bad),
                    self.store.change_object(BUCKET, "x", lambda version: version, bad),
                ):
                    await self.refused("InvalidArgument", attempt)
            for key in ("x", "absent"):
                await self.refused("NoSuchVersion", self.store.head_object(BUCKET, key, UNKNOWN))
                await self.refused("NoSuchVersion", self.store.open_object(BUCKET, key, UNKNOWN))
                await self.refused(
                    "NoSuchVersion", self.store.change_object(BUCKET, key, lambda version: version, UNKNOWN)
                )
                deletion = await self.store.delete_object(BUCKET, key, version_id=UNKNOWN)
                self.assertEqual(deletion, Deletion(False, UNKNOWN))
        self.assertEqual(await self.history("x"), [(NULL_VERSION, "1")])
        await self.refused("NoSuchVersion", self.store.head_object(BUCKET, "absent", NULL_VERSION))

    async def test_null_from_before(self) -> None:
        for key in KEYS:
            await self.versioning("")
            await self.put(key, b"null")
            await self.versioning(ENABLED)
            self.assertEqual(await self.history(key), [(NULL_VERSION, "null")])
            made = await self.put(key, b"new")
            self.assertEqual(await self.history(key), [(made.version_id, "new"), (NULL_VERSION, "null")])
            deletion = await self.store.delete_object(BUCKET, key, version_id=made.version_id)
            self.assertEqual(deletion, Deletion(True, made.version_id))
            self.assertEqual(await self.history(key), [(NULL_VERSION, "null")])
            marker = (await self.store.delete_object(BUCKET, key)).version_id
            self.assertEqual(await self.history(key), [(marker, "deleted"), (NULL_VERSION, "null")])
            await self.store.delete_object(BUCKET, key, version_id=NULL_VERSION)
            self.assertEqual(await self.history(key), [(marker, "deleted")])
            await self.store.delete_object(BUCKET, key, version_id=marker)
        await self.store.delete_bucket(BUCKET)

    async def test_order(self) -> None:
        """Who removes a version is asked about all that the key has, in order, and may be refused."""
        await self.put("x", b"0")
        seen: list[list[str]] = []

        def order(ids: Sequence[str]) -> None:
            seen.append(list(ids))
            if len(ids) == 1:
                raise S3Error("PreconditionFailed")

        delete = self.store.delete_object
        await self.refused("PreconditionFailed", delete(BUCKET, "x", version_id=NULL_VERSION, order=order))
        self.assertEqual(await self.get("x"), b"0")
        await self.versioning(ENABLED)
        made = await self.put("x", b"1")
        marker = (await delete(BUCKET, "x")).version_id or ""
        ids = [marker, made.version_id, NULL_VERSION]
        for version_id in (UNKNOWN, NULL_VERSION, made.version_id):
            await delete(BUCKET, "x", version_id=version_id, order=order)
        await self.refused("PreconditionFailed", delete(BUCKET, "x", version_id=marker, order=order))
        self.assertEqual(seen, [[NULL_VERSION], ids, ids[:2], ids[:1]])
        self.assertEqual(await self.history("x"), [(marker, "deleted")])

    async def test_suspended(self) -> None:
        """PUT and DELETE act on the null version, wherever it lies; the others stay."""
        for key in KEYS:
            await self.versioning(ENABLED)
            first = await self.put(key, b"1")
            await self.versioning(SUSPENDED)
            for body in (b"null", b"null again"):
                self.assertEqual((await self.put(key, body)).version_id, NULL_VERSION)
                self.assertEqual(await self.history(key), [(NULL_VERSION, body.decode()), (first.version_id, "1")])
            await self.versioning(ENABLED)
            second = await self.put(key, b"2")
            ids = [second.version_id, NULL_VERSION, first.version_id]
            self.assertEqual([version_id for version_id, _ in await self.history(key)], ids)
            await self.versioning(SUSPENDED)
            await self.put(key, b"last")
            ids = [NULL_VERSION, second.version_id, first.version_id]
            self.assertEqual([version_id for version_id, _ in await self.history(key)], ids)
            for _ in range(2):
                deletion = await self.store.delete_object(BUCKET, key)
                self.assertEqual((deletion.version_id, deletion.delete_marker), (NULL_VERSION, True))
                expected = [(NULL_VERSION, "deleted"), (second.version_id, "2"), (first.version_id, "1")]
                self.assertEqual(await self.history(key), expected)
            await self.put(key, b"null")
            expected[0] = (NULL_VERSION, "null")
            self.assertEqual(await self.history(key), expected)
            await self.store.delete_object(BUCKET, key)
            self.assertEqual(
                await self.store.delete_object(BUCKET, key, version_id=NULL_VERSION), Deletion(True, NULL_VERSION, True)
            )
            self.assertEqual(await self.history(key), expected[1:])
            # A null marker on top of what has an id.
            await self.store.delete_object(BUCKET, key)
            self.assertEqual(await self.history(key), [(NULL_VERSION, "deleted"), *expected[1:]])
            for version_id, _ in await self.history(key):
                await self.store.delete_object(BUCKET, key, version_id=version_id)
        await self.store.delete_bucket(BUCKET)

    async def test_a_condition_that_meets_a_marker(self) -> None:
        """Who insists on an object is told of the delete marker that hides it."""

        def insist(current: ObjectVersion | None) -> None:
            if current is None:
                raise S3Error("NoSuchKey")

        for versioned in (False, True):
            if versioned:
                await self.versioning(ENABLED)
            error = await self.refused("NoSuchKey", self.store.delete_object(BUCKET, "x", insist))
            self.assertNotIn("x-amz-delete-marker", error.headers)
        made = await self.put("x", b"1")
        deletion = await self.store.delete_object(BUCKET, "x", insist)
        error = await self.refused("NoSuchKey", self.store.delete_object(BUCKET, "x", insist))
        self.assertEqual(error.headers["x-amz-delete-marker"], "true")
        self.assertEqual(error.headers["x-amz-version-id"], deletion.version_id)
        self.assertEqual(len(await self.history("x")), 2)
        await self.store.delete_object(BUCKET, "x", version_id=deletion.version_id)
        await self.store.delete_object(BUCKET, "x", version_id=made.version_id)
        error = await self.refused("NoSuchKey", self.store.delete_object(BUCKET, "x", insist, made.version_id))
        self.assertNotIn("x-amz-delete-marker", error.headers)

    async def test_conditions(self) -> None:
        """They see the current version, and a delete marker as nothing."""
        await self.versioning(ENABLED)
        seen: list[ObjectVersion | None] = []
        first = await self.put("x", b"1", condition=seen.append)
        second = await self.put("x", b"2", condition=seen.append)
        await self.store.delete_object(BUCKET, "x", seen.append)
        await self.store.delete_object(BUCKET, "x", seen.append)
        await self.store.delete_object(BUCKET, "x", seen.append, first.version_id)
        self.assertEqual(seen, [None, first, second, None, first])
        before = await self.history("x")
        for attempt in (
            self.put("x", b"3", condition=refuse),
            self.store.delete_object(BUCKET, "x", refuse),
            self.store.delete_object(BUCKET, "x", refuse, second.version_id),
        ):
            await self.refused("PreconditionFailed", attempt)
        self.assertEqual(await self.history("x"), before)

    async def test_guard(self) -> None:
        """It is asked about what is destroyed, and about nothing else."""
        seen: list[ObjectVersion | None] = []
        null = await self.put("x", b"0")
        await self.refused("PreconditionFailed", self.store.delete_object(BUCKET, "x", guard=refuse))
        await self.versioning(ENABLED)
        first = await self.put("x", b"1")
        marker = (await self.store.delete_object(BUCKET, "x", guard=refuse)).version_id
        await self.refused(
            "PreconditionFailed", self.store.delete_object(BUCKET, "x", version_id=first.version_id, guard=refuse)
        )
        await self.store.delete_object(BUCKET, "x", version_id=UNKNOWN, guard=refuse)
        await self.store.delete_object(BUCKET, "x", version_id=first.version_id, guard=seen.append)
        self.assertEqual(await self.history("x"), [(marker, "deleted"), (NULL_VERSION, "0")])
        await self.versioning(SUSPENDED)
        await self.refused("PreconditionFailed", self.store.delete_object(BUCKET, "x", guard=refuse))
        self.assertEqual(await self.history("x"), [(marker, "deleted"), (NULL_VERSION, "0")])
        await self.store.delete_object(BUCKET, "x", guard=seen.append)
        self.assertEqual(seen, [first, null])
        self.assertEqual(await self.history("x"), [(NULL_VERSION, "deleted"), (marker, "deleted")])

    async def test_default_lock(self) -> None:
        """A retention comes to what is completed or renamed without one; a hold stays."""
        await self.versioning(ENABLED)
        default, own = ObjectLock("COMPLIANCE", 2e9), ObjectLock("GOVERNANCE", 3e9)
        for lock, expected in (
            (UNLOCKED, default),
            (ObjectLock(legal_hold=True), ObjectLock("COMPLIANCE", 2e9, True)),
            (own, own),
        ):
            upload = await self.store.create_upload(BUCKET, "x", Properties(), OWNER, lock=lock)
            part = await self.put_part(upload, 1, b"part")
            facts = (BUCKET, "x", upload.id, just([part]))
            made = await self.store.complete_upload(*facts, default_lock=default)
            self.assertEqual((made.lock, (await self.store.head_object(BUCKET, "x")).lock), (expected, expected))
            await self.store.change_object(BUCKET, "x", lambda version, lock=lock: structs.replace(version, lock=lock))
            await self.store.rename_object(BUCKET, "x", "y", default_lock=default)
            self.assertEqual((await self.store.head_object(BUCKET, "y")).lock, expected)
            self.assertEqual((await self.store.head_object(BUCKET, "x", made.version_id)).lock, lock)

    async def test_change_a_version(self) -> None:
        await self.versioning(ENABLED)
        old = await self.put("x", b"old")
        new = await self.put("x", b"new")
        lock = ObjectLock("GOVERNANCE", 2e9, True)
        changed = await self.store.change_object(
            BUCKET,
            "x",
            lambda version: structs.replace(version, properties=Properties(tags={"a": "b"}), lock=lock),
            old.version_id,
        )
        self.assertEqual(changed, structs.replace(old, properties=Properties(tags={"a": "b"}), lock=lock))
        self.assertEqual(await self.store.head_object(BUCKET, "x", old.version_id), changed)
        self.assertEqual(await self.store.head_object(BUCKET, "x"), new)
        self.assertEqual(await self.history("x"), [(new.version_id, "new"), (old.version_id, "old")])
        marker = (await self.store.delete_object(BUCKET, "x")).version_id
        await self.refused("NoSuchKey", self.store.change_object(BUCKET, "x", lambda version: version))
        await self.refused("MethodNotAllowed", self.store.change_object(BUCKET, "x", lambda version: version, marker))

    async def test_locks_come_with_the_data(self) -> None:
        lock = ObjectLock("COMPLIANCE", 2e9, False)
        staged = await self.store.stage(BUCKET, PlainPayload())
        made = await staged.commit("x", Properties(), lock=lock)
        self.assertEqual(made.lock, lock)
        self.assertEqual((await self.store.head_object(BUCKET, "x")).lock, lock)
        upload = await self.store.create_upload(BUCKET, "big", Properties(), OWNER, lock=lock)
        self.assertEqual((await self.store.get_upload(BUCKET, "big", upload.id)).lock, lock)
        part = await self.put_part(upload, 1, b"1")
        self.assertEqual((await self.complete(upload, [part])).lock, lock)
        self.assertEqual((await self.store.head_object(BUCKET, "big")).lock, lock)

    async def test_uploads_make_versions(self) -> None:
        await self.versioning(ENABLED)
        ids = []
        for number in range(2):
            upload = await self.begin("big")
            part = await self.put_part(upload, 1, b"%d" % number)
            ids.append((await self.complete(upload, [part], etag=md5(b"%d" % number))).version_id)
        self.assertEqual(await self.history("big"), [(ids[1], "1"), (ids[0], "0")])

    async def test_a_bucket_with_versions_is_not_empty(self) -> None:
        await self.versioning(ENABLED)
        made = await self.put("x", b"1")
        marker = (await self.store.delete_object(BUCKET, "x")).version_id
        for version_id in (made.version_id, marker):
            await self.refused("BucketNotEmpty", self.store.delete_bucket(BUCKET))
            await self.store.delete_object(BUCKET, "x", version_id=version_id)
        await self.store.delete_bucket(BUCKET)

    async def test_rename(self) -> None:
        """The source gets a delete marker, the target a new version."""
        await self.versioning(ENABLED)
        source = await self.put("from", b"1", properties=Properties(user={"a": "b"}))
        target = await self.put("to", b"2")
        renamed = await self.store.rename_object(BUCKET, "from", "to")
        self.assertEqual(renamed.properties, source.properties)
        self.assertEqual(await self.history("to"), [(renamed.version_id, "1"), (target.version_id, "2")])
        [(_, deleted), kept] = await self.history("from")
        self.assertEqual((deleted, kept), ("deleted", (source.version_id, "1")))

    async def test_behind(self) -> None:
        """A walk goes on behind any version, also one that is gone."""
        await self.versioning(ENABLED)
        ids = [(await self.put("x", b"%d" % number)).version_id for number in range(5)][::-1]

        async def behind(version_id: str) -> list[str]:
            return await self.store.list_versions(
                BUCKET, lambda walk: [listed.version.version_id for listed in walk.versions("x", version_id)]
            )

        for at, version_id in enumerate(ids):
            self.assertEqual(await behind(version_id), ids[at + 1 :])
        for at in (2, 0):
            gone = ids.pop(at)
            await self.store.delete_object(BUCKET, "x", version_id=gone)
            self.assertEqual(await behind(gone), ids[at:])
        self.assertEqual(await behind(NULL_VERSION), ids)
        await self.refused("InvalidArgument", behind("abc"))

    async def test_writers_at_once(self) -> None:
        """Of all versions that are written at once none is lost, none doubled."""
        await self.versioning(ENABLED)
        for key in KEYS:
            results = await self.together(self.put(key, b"%d" % number) for number in range(12))
            made = {result.version_id: result.etag for result in results if isinstance(result, ObjectVersion)}
            self.assertEqual(len(made), 12, results)
            found = [version_id for version_id, _ in await self.history(key)]
            self.assertEqual(sorted(found), sorted(made))

    async def test_in_random_order(self) -> None:
        """What a simple model does, the store does, too."""
        chance = random.Random(5)
        model: dict[str, list[tuple[str, str]]] = {}
        state = ""
        for number in range(150):
            key = chance.choice(("a", "a/b", "a//"))
            versions = model.setdefault(key, [])
            action = chance.random()
            if action < 0.1:
                state = chance.choice((ENABLED, SUSPENDED))
                await self.versioning(state)
            elif action < 0.5:
                made = await self.put(key, b"%d" % number)
                _push(versions, state, made.version_id, str(number))
            elif action < 0.7 and state:
                deletion = await self.store.delete_object(BUCKET, key)
                _push(versions, state, deletion.version_id or "", "deleted")
            elif versions:
                doomed = chance.choice(versions)
                await self.store.delete_object(BUCKET, key, version_id=doomed[0])
                versions.remove(doomed)
            self.assertEqual(await self.history(key), versions, (number, action, state))


def _push(versions: list[tuple[str, str]], state: str, version_id: str, what: str) -> None:
    if state != ENABLED:
        versions[:] = [known for known in versions if known[0] != NULL_VERSION]
    versions.insert(0, (version_id, what))
