"""The promises of ``IObjectStore`` about keys and their order as tests."""

from __future__ import annotations

import random

from tests.storage.kit import BUCKET, StoreKit, md5, only_if_absent
from twisted_s3.errors import S3Error
from twisted_s3.model import Deletion
from twisted_s3.protocol.walks import KeyWalk

#: Keys that must live together in one bucket.
ODD_KEYS = (
    *("a", "a/", "a//", "a/b", "a/b/", "a/b/c", "a-b", "a.txt", "a0", "A", "b"),
    *(
        "/",
        "//",
        "///x",
        "//x/",
        "/a",
        ".",
        "..",
        "./",
        "../",
        "../x",
        "../../etc/passwd",
        "./a",
        "a/.",
        "a/..",
        "a/../b",
    ),
    *("...", "c/...", "c/.d", "c/..d", "c//d", "c/./d"),
    *("x" * 1024, "é" * 512, "d/" * 511 + "d", "s/" * 512, "🐈" * 256),
    *("w" * 255, "w" * 256, "w/" + "w" * 256, "w" * 256 + "/w", "é" * 127 + "x", "é" * 128),
    *("\x01", "\x00", "nul\x00l", "tab\tline\nreturn\r", "\x7f\x80\x9f", " ", " first", "last ", "a b+c%20d?e#f&g=h"),
    *("\\", "C:\\x", "*", "?", '"', "'", "~", "-", "--help", "$HOME", "%", "%2F", "<&>", "\u2028"),
    *(
        ".s3store",
        ".s3store/x",
        ".s3store/staging/1",
        ".s3store/buckets/bucket/overflow/61",
        "overflow/61",
        "uploads/1",
    ),
    *("61", "61+", "61+/62", "61" * 120, "61" * 120 + "+", "61" * 120 + "+/62", "s" * 120 + "/", "s" * 121 + "/"),
    *("\u00e9", "e\u0301", "\uac00", "\u1100\u1161", "ſ", "ß", "🐈/photo", "\ufffd", "\uffff", "\ue000", "\U0010ffff"),
    *("\U00010000", "\U0010ffff/\U0010ffff"),
)

#: Keys that dispute one another's paths.
RIVAL_KEYS = ("a", "a/", "a/b", "a/b/", "a/b/c", "a/b/c/d", "a//b", "a-b", "a.b", "b")


class KeyContract(StoreKit):
    """Every key that S3 allows, and their order."""

    async def test_odd_keys_live_together(self) -> None:
        await self._live_together(list(ODD_KEYS))

    async def test_odd_keys_the_other_way_round(self) -> None:
        await self._live_together(list(reversed(ODD_KEYS)))

    async def _live_together(self, keys: list[str]) -> None:
        for key in keys:
            made = await self.put(key, key.encode(), condition=only_if_absent)
            self.assertEqual(made.key, key)
        self.assertEqual(await self.keys(), sorted(keys))
        for key in keys:
            self.assertEqual(await self.get(key), key.encode())
            found = await self.store.head_object(BUCKET, key)
            self.assertEqual((found.key, found.etag), (key, md5(key.encode())))
        for number, key in enumerate(keys):
            await self.put(key, b"again %d" % number)
        for number, key in enumerate(keys):
            self.assertEqual(await self.get(key), b"again %d" % number)
            self.assertEqual(await self.store.delete_object(BUCKET, key), Deletion(True))
            await self.refused("NoSuchKey", self.store.head_object(BUCKET, key))
        self.assertEqual(await self.keys(), [])
        await self.store.delete_bucket(BUCKET)

    async def test_seek_and_page(self) -> None:
        for key in ODD_KEYS:
            await self.put(key)
        every = sorted(ODD_KEYS)
        for start in (*(key + "\x00" for key in every[::2]), *(key[:-1] for key in every), "\U0010ffff" * 9):
            self.assertEqual(await self.keys(start, limit=3), [key for key in every if key >= start][:3], repr(start))
        paged: list[str] = []
        while page := await self.keys(paged[-1] + "\x00" if paged else "", limit=7):
            paged += page
        self.assertEqual(paged, every)

    async def test_rival_keys_come_and_go(self) -> None:
        """Puts and deletes in any order of keys that dispute a path, against a dictionary."""
        dice = random.Random(17)
        model: dict[str, bytes] = {}
        for number in range(300):
            key = dice.choice(RIVAL_KEYS)
            if dice.random() < 0.5:
                model[key] = b"%d" % number
                await self.put(key, model[key])
            else:
                self.assertEqual(
                    bool(await self.store.delete_object(BUCKET, key)), model.pop(key, None) is not None, key
                )
            self.assertEqual(await self.keys(), sorted(model))
            for rival in RIVAL_KEYS:
                if rival in model:
                    self.assertEqual(await self.get(rival), model[rival])
                else:
                    await self.refused("NoSuchKey", self.store.head_object(BUCKET, rival))

    async def test_rival_keys_at_once(self) -> None:
        for _ in range(5):
            await self.together(self.put(key, key.encode()) for key in RIVAL_KEYS)
            self.assertEqual(await self.keys(), sorted(RIVAL_KEYS))
            await self.together(self._delete(key) for key in RIVAL_KEYS)
            self.assertEqual(await self.keys(), [])
        await self.store.delete_bucket(BUCKET)

    async def test_several_walks_in_one_page(self) -> None:
        for key in ("a", "b/1", "b/2", "c", "d/1"):
            await self.put(key)

        def page(walk: KeyWalk) -> list[str]:
            return [next(walk("")), next(walk("b0")), *walk("d"), *walk("e")]

        found, versions = await self.store.list_keys(BUCKET, page, lambda keys: keys[1:])
        self.assertEqual(found, ["a", "c", "d/1"])
        self.assertEqual([version.key for version in versions], ["c", "d/1"])

    async def test_keys_that_vanish_are_left_out(self) -> None:
        await self.put("there", b"1")
        _, versions = await self.store.list_keys(BUCKET, lambda walk: ["gone", "there", "there/not"], list)
        self.assertEqual([version.key for version in versions], ["there"])

    async def test_page_may_refuse(self) -> None:
        def page(walk: KeyWalk) -> list[str]:
            raise S3Error("InvalidArgument")

        await self.refused("InvalidArgument", self.store.list_keys(BUCKET, page, list))

    async def test_listing_is_never_stale(self) -> None:
        """What was acknowledged is in the next listing, and what was deleted is not, at any pace."""
        for number in range(50):
            key = f"{number:03}"
            await self.put(key)
            self.assertIn(key, await self.keys())
            if number % 3 == 0:
                await self.store.delete_object(BUCKET, key)
                self.assertNotIn(key, await self.keys())

    async def _delete(self, key: str) -> object:
        return await self.store.delete_object(BUCKET, key)
