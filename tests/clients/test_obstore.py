"""obstore: the object_store crate of Rust."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import obstore
import urllib3
from obstore.exceptions import AlreadyExistsError, PreconditionError
from obstore.store import S3Store

from tests.clients.against import ACCESS_KEY, MIB, REGION, SECRET_KEY, TREE, ClientCase, noise


class ObstoreTests(ClientCase):
    def store(self, bucket: str) -> S3Store:
        """The store of a new bucket."""
        self.boto().create_bucket(Bucket=bucket)
        options: dict[str, object] = {"allow_http": not self.tls}
        if self.authority:
            options["root_certificate"] = Path(self.authority).read_text()
        return S3Store(
            bucket, endpoint=self.url, region=REGION, access_key_id=ACCESS_KEY, secret_access_key=SECRET_KEY,
            client_options=options, retry_config={"max_retries": 0},
        )  # fmt: skip

    def test_tree(self) -> None:
        store = self.store("tree")
        for key, content in TREE.items():
            store.put(key, content)
        listed = [item["path"] for batch in store.list() for item in batch]
        self.assertEqual(listed, sorted(TREE, key=str.encode))
        page = store.list_with_delimiter("a/")
        self.assertEqual(([*page["common_prefixes"]], [*page["objects"]]), (["a/b"], []))
        for key, content in TREE.items():
            self.assertTrue(store.get(key).bytes() == content)
        store.rename("readme.txt", "moved/readme.txt")
        store.copy("empty", "copy of empty")
        self.assertFalse(self.on_disk("tree", "readme.txt").exists())
        self.assertEqual(self.on_disk("tree", "moved/readme.txt").read_bytes(), TREE["readme.txt"])
        self.assertEqual(self.on_disk("tree", "copy of empty").read_bytes(), b"")
        store.delete([item["path"] for batch in store.list() for item in batch])
        self.assertEqual([*store.list()], [])

    def test_parts_and_ranges(self) -> None:
        store = self.store("parts")
        content = noise(13 * MIB + 1)
        store.put("large", content, use_multipart=True, chunk_size=5 * MIB, max_concurrency=3)
        self.assertTrue(self.on_disk("parts", "large").read_bytes() == content)
        ranges = store.get_ranges("large", starts=[5, 6 * MIB], ends=[50, 7 * MIB])
        self.assertTrue([bytes(part) for part in ranges] == [content[5:50], content[6 * MIB : 7 * MIB]])
        self.assertTrue(b"".join(bytes(part) for part in store.get("large").stream()) == content)

    def test_conditional_writes(self) -> None:
        store = self.store("conditional")
        first = store.put("k", b"first", mode="create")
        self.assertRaises(AlreadyExistsError, store.put, "k", b"again", mode="create")
        store.put("k", b"second", mode={"e_tag": first["e_tag"]})
        self.assertRaises(PreconditionError, store.put, "k", b"x", mode={"e_tag": first["e_tag"]})
        self.assertEqual(store.get("k").bytes(), b"second")

    def test_presigned_urls(self) -> None:
        store = self.store("presigned")
        pool = urllib3.PoolManager(ca_certs=self.authority)
        self.addCleanup(pool.clear)
        put = obstore.sign(store, "PUT", "a key", timedelta(minutes=1))
        self.assertEqual(pool.request("PUT", put, body=b"presigned").status, 200)
        got = pool.request("GET", obstore.sign(store, "GET", "a key", timedelta(minutes=1)))
        self.assertEqual((got.status, got.data), (200, b"presigned"))


class ObstoreOverTLSTests(ObstoreTests):
    tls = True
