"""The AWS CLI."""

from __future__ import annotations

import json

import urllib3

from tests.clients.against import MIB, TREE, ClientCase, find_tool, noise


class AwsCliTests(ClientCase):
    workers = 2

    def aws(self, *arguments: object) -> str:
        """Run ``aws s3 ...``."""
        # How long a sync of the disk takes is not what is tested.
        return self.run_tool(find_tool("aws"), "s3", *map(str, arguments), "--cli-read-timeout", "0")

    def test_sync(self) -> None:
        source, back = self.plant("source", TREE), self.scratch / "back"
        self.assertEqual(self.aws("mb", "s3://sync"), "make_bucket: sync\n")
        self.aws("sync", source, "s3://sync/deep/er")
        self.assert_same_tree(source, self.on_disk("sync", "deep/er"))
        self.aws("sync", "s3://sync/deep/er", back)
        self.assert_same_tree(source, back)

        (source / "readme.txt").write_bytes(b"another text\n")
        (source / "empty").unlink()
        lines = self.aws("sync", "--delete", "--no-progress", source, "s3://sync/deep/er").splitlines()
        self.assertEqual([line.split()[0] for line in sorted(lines)], ["delete:", "upload:"])
        self.assert_same_tree(source, self.on_disk("sync", "deep/er"))

        listed = self.aws("ls", "s3://sync/deep/er/")
        self.assertIn("PRE a/\n", listed)
        self.assertRegex(listed, rf"(?m)^\S+ \S+ +{9 * MIB + 5} big\.bin$")
        self.aws("rm", "--recursive", "s3://sync")
        self.assertEqual(self.aws("ls", "--recursive", "s3://sync"), "")
        self.assertEqual(list(self.on_disk("sync").iterdir()), [])
        self.aws("rb", "s3://sync")
        self.assertNotIn("sync", self.aws("ls"))

    def test_move_and_copy_of_parts(self) -> None:
        content = noise(18 * MIB + 11)
        folder = self.plant("moves", {"large": content})
        for bucket in ("one", "other"):
            self.aws("mb", f"s3://{bucket}")
        self.aws("cp", folder / "large", "s3://one/large", "--content-type", "x/y", "--metadata", "k=v")
        head = self.boto().head_object(Bucket="one", Key="large")
        self.assertEqual((head["ContentType"], head["Metadata"]), ("x/y", {"k": "v"}))
        self.aws("cp", "s3://one/large", "s3://other/copied")
        self.assertTrue(self.on_disk("other", "copied").read_bytes() == content)
        self.aws("mv", "s3://one/large", "s3://other/moved/")
        self.assertEqual(list(self.on_disk("one").iterdir()), [])
        self.assertTrue(self.on_disk("other", "moved/large").read_bytes() == content)
        self.aws("mv", "s3://other/moved/large", folder / "back")
        self.assertTrue((folder / "back").read_bytes() == content)
        self.assertFalse(self.on_disk("other", "moved/large").exists())
        self.aws("rb", "--force", "s3://other")

    def test_presign(self) -> None:
        self.aws("mb", "s3://presign")
        self.aws("cp", self.plant("presign", {"file": b"presigned"}) / "file", "s3://presign/a file")
        url = self.aws("presign", "s3://presign/a file", "--expires-in", 60).strip()
        pool = urllib3.PoolManager(ca_certs=self.authority)
        self.addCleanup(pool.clear)
        answer = pool.request("GET", url)
        self.assertEqual((answer.status, answer.data), (200, b"presigned"))

    def test_s3api(self) -> None:
        def s3api(*arguments: object) -> dict[str, object]:
            return json.loads(self.run_tool(find_tool("aws"), "s3api", *map(str, arguments), "--output=json") or "{}")

        s3api("create-bucket", "--bucket", "api")
        body = self.plant("api", {"body": b"0123456789"}) / "body"
        put = s3api("put-object", "--bucket=api", "--key=k", "--body", body, "--checksum-algorithm=SHA256")
        head = s3api("head-object", "--bucket=api", "--key=k", "--checksum-mode=ENABLED")
        self.assertEqual((head["ETag"], head["ChecksumSHA256"]), (put["ETag"], put["ChecksumSHA256"]))
        got = s3api("get-object", "--bucket=api", "--key=k", "--range=bytes=2-4", self.scratch / "part")
        self.assertEqual((got["ContentRange"], (self.scratch / "part").read_bytes()), ("bytes 2-4/10", b"234"))


class AwsCliOverTLSTests(AwsCliTests):
    tls = True
