"""rclone, with its provider for servers that it does not know."""

from __future__ import annotations

import json

from tests.clients.against import ACCESS_KEY, MIB, REGION, SECRET_KEY, TREE, ClientCase, find_tool, noise


class RcloneTests(ClientCase):
    workers = 2

    def rclone(self, *arguments: object) -> str:
        """Run rclone with a remote called ``s3:``."""
        settings = {
            "TYPE": "s3",
            "PROVIDER": "Other",
            "ENDPOINT": self.url,
            "ACCESS_KEY_ID": ACCESS_KEY,
            "SECRET_ACCESS_KEY": SECRET_KEY,
            "REGION": REGION,
        }
        environ = {f"RCLONE_CONFIG_S3_{name}": value for name, value in settings.items()}
        environ |= {"RCLONE_CONFIG": "", "RCLONE_RETRIES": "1", "RCLONE_LOW_LEVEL_RETRIES": "1"}
        if self.authority:
            environ["RCLONE_CA_CERT"] = self.authority
        return self.run_tool(find_tool("rclone"), *map(str, arguments), environ=environ)

    def test_sync_and_check(self) -> None:
        source, back = self.plant("source", TREE), self.scratch / "back"
        self.rclone("mkdir", "s3:tree")
        self.rclone("sync", source, "s3:tree/deep")
        self.assert_same_tree(source, self.on_disk("tree", "deep"))
        self.rclone("check", source, "s3:tree/deep")
        self.rclone("check", "--download", source, "s3:tree/deep")
        self.rclone("sync", "s3:tree/deep", back)
        self.rclone("check", "--one-way", back, "s3:tree/deep")
        self.assert_same_tree(source, back)

        (source / "readme.txt").unlink()
        (source / "new").write_bytes(b"new")
        self.rclone("sync", source, "s3:tree/deep")
        self.assert_same_tree(source, self.on_disk("tree", "deep"))
        self.rclone("purge", "s3:tree")
        self.assertNotIn("tree", self.rclone("lsd", "s3:"))

    def test_large_file(self) -> None:
        content = noise(23 * MIB + 1)
        folder = self.plant("large", {"large": content})
        self.rclone("mkdir", "s3:large")
        parts = ("--s3-upload-cutoff=5M", "--s3-chunk-size=5M", "--s3-use-multipart-etag=true")
        self.rclone("copyto", *parts, folder / "large", "s3:large/in parts")
        self.assertTrue(self.on_disk("large", "in parts").read_bytes() == content)
        self.assertRegex(self.boto().head_object(Bucket="large", Key="in parts")["ETag"], "-5")
        self.rclone("copyto", "--s3-copy-cutoff=5M", *parts, "s3:large/in parts", "s3:large/copied in parts")
        self.assertTrue(self.on_disk("large", "copied in parts").read_bytes() == content)
        self.rclone("copyto", "--multi-thread-cutoff=5M", "s3:large/in parts", folder / "back")
        self.assertTrue((folder / "back").read_bytes() == content)

    def test_single_files(self) -> None:
        folder = self.plant("single", {"file": b"content"})
        self.rclone("mkdir", "s3:single")
        self.rclone("copyto", folder / "file", "s3:single/a/file+1")
        self.rclone("moveto", "s3:single/a/file+1", "s3:single/b/file 2")
        [entry] = json.loads(self.rclone("lsjson", "--recursive", "--files-only", "--hash", "s3:single"))
        self.assertEqual((entry["Path"], entry["Size"]), ("b/file 2", 7))
        self.assertEqual(entry["Hashes"]["md5"], "9a0364b9e99bb480dd25e1f0284c8555")
        self.assertEqual(self.rclone("cat", "s3:single/b/file 2"), "content")
        self.rclone("deletefile", "s3:single/b/file 2")
        self.assertEqual(self.rclone("lsf", "--recursive", "--files-only", "s3:single"), "")
        self.rclone("rmdir", "s3:single")
        self.assertFalse(self.on_disk("single").exists())


class RcloneOverTLSTests(RcloneTests):
    tls = True
