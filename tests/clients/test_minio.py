"""minio-py."""

from __future__ import annotations

from datetime import timedelta
from io import BytesIO

import urllib3
from minio import Minio
from minio.commonconfig import REPLACE, ComposeSource, CopySource
from minio.deleteobjects import DeleteObject
from minio.error import S3Error

from tests.clients.against import ACCESS_KEY, MIB, SECRET_KEY, TREE, ClientCase, noise


class MinioTests(ClientCase):
    def setUp(self) -> None:
        self.pool = urllib3.PoolManager(ca_certs=self.authority, retries=False)
        self.addCleanup(self.pool.clear)
        self.minio = Minio(
            self.host, access_key=ACCESS_KEY, secret_key=SECRET_KEY, secure=self.tls, http_client=self.pool
        )

    def test_tree(self) -> None:
        self.minio.make_bucket(bucket_name="minio")
        self.assertTrue(self.minio.bucket_exists(bucket_name="minio"))
        source, back = self.plant("source", TREE), self.scratch / "back"
        for key in TREE:
            self.minio.fput_object(bucket_name="minio", object_name=key, file_path=str(source / key))
        self.assert_same_tree(source, self.on_disk("minio"))
        listed = {item.object_name: item.size for item in self.minio.list_objects(bucket_name="minio", recursive=True)}
        self.assertEqual(listed, {key: len(content) for key, content in TREE.items()})
        folders = [item.object_name for item in self.minio.list_objects(bucket_name="minio") if item.is_dir]
        self.assertEqual(folders, ["a/", "percent/", "unicode/", "with space/"])
        for key in TREE:
            self.minio.fget_object(bucket_name="minio", object_name=key, file_path=str(back / key))
        self.assert_same_tree(source, back)
        errors = self.minio.remove_objects(bucket_name="minio", delete_object_list=[DeleteObject(key) for key in TREE])
        self.assertEqual(list(errors), [])
        self.minio.remove_bucket(bucket_name="minio")
        self.assertFalse(self.minio.bucket_exists(bucket_name="minio"))

    def test_stream_of_unknown_length_in_parts(self) -> None:
        content = noise(16 * MIB + 9)
        self.minio.make_bucket(bucket_name="parts")
        self.minio.put_object(
            bucket_name="parts", object_name="large", data=BytesIO(content), length=-1, part_size=5 * MIB,
            content_type="a/b", metadata={"K": "v"},
        )  # fmt: skip
        self.assertTrue(self.on_disk("parts", "large").read_bytes() == content)
        stat = self.minio.stat_object(bucket_name="parts", object_name="large")
        self.assertEqual((stat.size, stat.content_type), (len(content), "a/b"))
        self.assertEqual(stat.metadata["x-amz-meta-k"], "v")
        answer = self.minio.get_object(bucket_name="parts", object_name="large", offset=MIB, length=70_000)
        self.addCleanup(answer.close)
        self.assertTrue(answer.read() == content[MIB : MIB + 70_000])

    def test_copy_and_compose(self) -> None:
        content = noise(6 * MIB)
        self.minio.make_bucket(bucket_name="copies")
        self.minio.put_object(bucket_name="copies", object_name="one", data=BytesIO(content), length=len(content))
        self.minio.copy_object(
            bucket_name="copies", object_name="copy", source=CopySource(bucket_name="copies", object_name="one"),
            metadata={"new": "yes"}, metadata_directive=REPLACE,
        )  # fmt: skip
        stat = self.minio.stat_object(bucket_name="copies", object_name="copy")
        self.assertEqual(stat.metadata["x-amz-meta-new"], "yes")
        self.minio.compose_object(
            bucket_name="copies", object_name="both",
            sources=[ComposeSource(bucket_name="copies", object_name=name) for name in ("one", "copy")],
        )  # fmt: skip
        self.assertTrue(self.on_disk("copies", "both").read_bytes() == content * 2)

    def test_presigned_urls(self) -> None:
        self.minio.make_bucket(bucket_name="presigned")
        where = {"bucket_name": "presigned", "object_name": "a key+", "expires": timedelta(minutes=1)}
        put = self.pool.request("PUT", self.minio.presigned_put_object(**where), body=b"presigned")
        self.assertEqual(put.status, 200)
        got = self.pool.request("GET", self.minio.presigned_get_object(**where))
        self.assertEqual((got.status, got.data), (200, b"presigned"))

    def test_errors(self) -> None:
        self.minio.make_bucket(bucket_name="errors")
        error = self.assertRaises(S3Error, self.minio.get_object, bucket_name="errors", object_name="missing")
        self.assertEqual(error.code, "NoSuchKey")
        error = self.assertRaises(S3Error, self.minio.remove_bucket, bucket_name="nowhere")
        self.assertEqual(error.code, "NoSuchBucket")


class MinioOverTLSTests(MinioTests):
    tls = True
