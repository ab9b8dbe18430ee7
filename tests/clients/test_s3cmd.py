"""s3cmd."""

from __future__ import annotations

import urllib3

from tests.clients.against import ACCESS_KEY, MIB, REGION, SECRET_KEY, TREE, ClientCase, find_tool, noise


class S3cmdTests(ClientCase):
    def s3cmd(self, *arguments: object) -> str:
        """Run s3cmd with a configuration file, as its users do."""
        config = self.scratch / "s3cfg"
        config.write_text(
            f"[default]\naccess_key = {ACCESS_KEY}\nsecret_key = {SECRET_KEY}\nbucket_location = {REGION}\n"
            f"host_base = {self.host}\nhost_bucket = {self.host}\nuse_https = {self.tls}\n"
            f"signurl_use_https = {self.tls}\n"
            f"ca_certs_file = {self.authority or ''}\nprogress_meter = False\nmax_retries = 1\n"
        )
        return self.run_tool(find_tool("s3cmd"), f"--config={config}", *map(str, arguments))

    def test_sync(self) -> None:
        source, back = self.plant("source", TREE), self.scratch / "back"
        back.mkdir()
        self.s3cmd("mb", "s3://tree")
        self.s3cmd("sync", f"{source}/", "s3://tree/deep/")
        self.assert_same_tree(source, self.on_disk("tree", "deep"))
        self.s3cmd("sync", "s3://tree/deep/", f"{back}/")
        self.assert_same_tree(source, back)

        (source / "readme.txt").write_bytes(b"another text\n")
        (source / "empty").unlink()
        self.s3cmd("sync", "--delete-removed", f"{source}/", "s3://tree/deep/")
        self.assert_same_tree(source, self.on_disk("tree", "deep"))
        self.assertEqual(self.s3cmd("ls", "--recursive", "s3://tree").count("\n"), len(TREE) - 1)
        self.s3cmd("del", "--recursive", "--force", "s3://tree")
        self.s3cmd("rb", "s3://tree")
        self.assertNotIn("s3://tree", self.s3cmd("ls"))

    def test_single_files(self) -> None:
        content = noise(11 * MIB + 3)
        folder = self.plant("single", {"large": content})
        self.s3cmd("mb", "s3://single")
        self.s3cmd("put", "--multipart-chunk-size-mb=5", "--add-header=x-amz-meta-k:v", folder / "large", "s3://single")
        self.assertTrue(self.on_disk("single", "large").read_bytes() == content)
        self.s3cmd("cp", "s3://single/large", "s3://single/a copy")
        self.s3cmd("mv", "s3://single/large", "s3://single/moved")
        self.assertEqual({path.name for path in self.on_disk("single").iterdir()}, {"a copy", "moved"})
        self.assertIn("k: v", self.s3cmd("info", "s3://single/moved").replace("x-amz-meta-k", "k"))
        self.s3cmd("get", "s3://single/moved", folder / "back")
        self.assertTrue((folder / "back").read_bytes() == content)
        self.assertIn(f"{2 * len(content)} ", self.s3cmd("du", "s3://single"))

    def test_signed_url(self) -> None:
        self.s3cmd("mb", "s3://signed")
        self.s3cmd("put", self.plant("signed", {"file": b"signed"}) / "file", "s3://signed/file")
        url = self.s3cmd("signurl", "s3://signed/file", "+60").strip()
        pool = urllib3.PoolManager(ca_certs=self.authority)
        self.addCleanup(pool.clear)
        answer = pool.request("GET", url)
        self.assertEqual((answer.status, answer.data), (200, b"signed"))


class S3cmdOverTLSTests(S3cmdTests):
    tls = True
