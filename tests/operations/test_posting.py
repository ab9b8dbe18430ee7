"""PostObject: forms that upload files, over a real socket."""

from __future__ import annotations

from tests.forms import (
    BOUNDARY,
    CONTENT_TYPE,
    part,
)
from tests.operations.clients import BUCKET, send_plain, served
from tests.operations.posting import PostingTestCase, post, signed, version_of
from tests.protocol.signing import crc32_text
from tests.serving import ALICE, Server

REGION = "eu-west-3"


class Posting(PostingTestCase):
    """What a form does."""

    def presigned(self, server: Server, region: str) -> dict[str, str]:
        """Upload with a form from boto3."""
        client = server.client(region=region)
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        client.create_bucket(Bucket=BUCKET, **place)
        form = client.generate_presigned_post(
            BUCKET,
            "up/${filename}",
            {"Content-Type": "image/png", "x-amz-meta-colour": "blå", "success_action_status": "201"},
            [
                ["starts-with", "$Content-Type", "image/"],
                {"x-amz-meta-colour": "blå"},
                {"success_action_status": "201"},
                ["content-length-range", 5, 5],
            ],
        )
        self.assertEqual(form["url"], f"{server.url}/{BUCKET}")
        response = post(server, form["fields"], filename="C:\\pictures\\ä b.png")
        self.assertEqual(response.status, 201, response)
        found = client.get_object(Bucket=BUCKET, Key="up/ä b.png")
        self.assertEqual((found["Body"].read(), found["ContentType"]), (b"hello", "image/png"))
        self.assertEqual(response.headers["etag"], found["ETag"])
        self.assertEqual(response.element("Location"), f"{server.url}/{BUCKET}/up%2F%C3%A4%20b.png")
        self.assertEqual(response.headers["location"], response.element("Location"))
        self.assertEqual(response.element("Key"), "up/ä b.png")
        self.assertEqual(response.element("Bucket"), BUCKET)
        self.assertEqual(response.element("ETag"), found["ETag"])
        self.assertIn(b"<PostResponse><Location>", response.body)
        refused = post(server, form["fields"], b"longer")
        self.denied(refused, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
        return dict(form["fields"])

    @served(region=REGION)
    def test_boto3_version_4(self, server: Server) -> None:
        """A form from boto3 where it signs with Version 4."""
        self.assertIn("x-amz-signature", self.presigned(server, REGION))

    @served()
    def test_boto3_version_2(self, server: Server) -> None:
        """A form from boto3 where it signs with Version 2."""
        self.assertIn("AWSAccessKeyId", self.presigned(server, "us-east-1"))

    @served()
    def test_statuses(self, server: Server) -> None:
        """200, 201, and 204 for all else."""
        self.make(server)
        for wanted, status in (("200", 200), ("201", 201), ("204", 204), ("404", 204), ("", 204)):
            response = post(server, signed(fields={"success_action_status": wanted}))
            self.assertEqual((response.status, bool(response.body)), (status, status == 201))
            self.assertEqual(response.headers["etag"], '"5d41402abc4b2a76b9719d911017c592"')
            self.assertEqual(response.headers["location"], f"{server.url}/{BUCKET}/key")

    @served()
    def test_redirect(self, server: Server) -> None:
        """To a URL, with what was stored in its query; what is no URL counts as absent."""
        self.make(server)
        facts = f"bucket={BUCKET}&key=a%2Fb%20%26c&etag=%225d41402abc4b2a76b9719d911017c592%22"
        for name, url, location in (
            ("success_action_redirect", "http://site.example/done", f"http://site.example/done?{facts}"),
            ("redirect", "https://site.example/?a=b#here", f"https://site.example/?a=b&{facts}#here"),
        ):
            fields = signed(fields={name: url, "key": "a/b &c", "success_action_status": "201"})
            response = post(server, fields)
            self.assertEqual((response.status, response.headers["location"]), (303, location))
        for url in ("javascript:alert(1)", "//site.example/", "http://[", "http://a\r\nX-Evil: 1", "done"):
            response = post(server, signed(fields={"success_action_redirect": url}))
            self.assertEqual((response.status, response.headers["location"]), (204, f"{server.url}/{BUCKET}/key"))
            self.assertNotIn("x-evil", response.headers)

    @served()
    def test_what_is_stored(self, server: Server) -> None:
        """Headers, metadata, class and tags."""
        client = self.make(server)
        tagging = "<Tagging><TagSet><Tag><Key>a</Key><Value>1 + 2</Value></Tag></TagSet></Tagging>"
        stored = {
            "Cache-Control": "no-cache",
            "Content-Disposition": "attachment; filename=${filename}",
            "Content-Encoding": "gzip",
            "Content-Language": "sv",
            "content-TYPE": "text/x",
            "Expires": "soon",
            "X-Amz-Meta-Name": "väl\nue",
            "x-amz-storage-class": "GLACIER_IR",
            "x-amz-website-redirect-location": "/other",
            "x-ignore-me": "x",
            "acl": "bucket-owner-full-control",
        }
        for name in ("tagging", "x-amz-tagging"):
            self.assertEqual(post(server, signed([], {**stored, name: tagging})).status, 403)
            fields = {**stored, name: tagging, "Content-Disposition": "attachment; filename=name.txt"}
            made = signed([], fields)
            made["Content-Disposition"] = stored["Content-Disposition"]
            self.assertEqual(post(server, made).status, 204)
            version = version_of(server, "key")
            self.assertEqual(version.properties.tags, {"a": "1 + 2"})
        self.assertEqual(version.properties.user, {"name": "väl\nue"})
        self.assertEqual(version.owner, ALICE.canonical_id)
        head = client.head_object(Bucket=BUCKET, Key="key")
        self.assertEqual(
            [head[name] for name in ("CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage")],
            ["no-cache", "attachment; filename=name.txt", "gzip", "sv"],
        )
        self.assertEqual(
            [head[name] for name in ("ContentType", "StorageClass", "WebsiteRedirectLocation")],
            ["text/x", "GLACIER_IR", "/other"],
        )

    @served()
    def test_checksums(self, server: Server) -> None:
        """Held against the file; stored and given back."""
        client = self.make(server)
        good, bad = crc32_text(b"hello"), crc32_text(b"other")
        self.assertEqual(
            post(server, signed(fields={"x-amz-checksum-crc32": good})).headers["x-amz-checksum-crc32"], good
        )
        head = client.head_object(Bucket=BUCKET, Key="key", ChecksumMode="ENABLED")
        self.assertEqual(head["ChecksumCRC32"], good)
        for name, value, code in (
            ("x-amz-checksum-crc32", bad, "BadDigest"),
            ("x-amz-checksum-crc32", "no", "InvalidRequest"),
            ("x-amz-checksum-sha256", good, "InvalidRequest"),
            ("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==", "BadDigest"),
            ("content-md5", "no", "InvalidDigest"),
        ):
            self.denied(post(server, signed(fields={"key": "other", name: value})), code)
        self.assertEqual(client.list_objects_v2(Bucket=BUCKET)["KeyCount"], 1)
        fields = signed(fields={"Content-MD5": "XUFAKrxLKna5cZ2REBfFkg=="})
        self.assertEqual(post(server, fields).status, 204)

    @served()
    def test_fields_after_the_file(self, server: Server) -> None:
        """They are ignored, and so is a second file."""
        client = self.make(server)
        fields = signed()
        body = b"".join(part(name, value.encode()) for name, value in fields.items())
        body += part("file", b"first", "a") + part("acl", b"public-read") + part("file", b"second", "b")
        end = f"--{BOUNDARY}--\r\n".encode()
        response = send_plain(server, "POST", f"/{BUCKET}/", body + end, {"Content-Type": CONTENT_TYPE})
        self.assertEqual(response.status, 204)
        self.assertEqual(response.headers["location"], f"{server.url}/{BUCKET}/key")
        self.assertEqual(self.body(client, "key"), b"first")

    @served(domains=("localhost",))
    def test_virtual_host(self, server: Server) -> None:
        """The bucket may be in the host's name."""
        client = self.make(server)
        host = f"{BUCKET}.localhost:{server.port}"
        response = post(server, signed(), path="/", headers={"Host": host})
        scheme = server.url.partition(":")[0]
        self.assertEqual((response.status, response.headers["location"]), (204, f"{scheme}://{host}/key"))
        self.assertEqual(self.body(client, "key"), b"hello")

    @served()
    def test_conditions(self, server: Server) -> None:
        """If-None-Match, in the form or in the head."""
        client = self.make(server)
        self.assertEqual(post(server, signed(fields={"if-none-match": "*"})).status, 204)
        self.denied(post(server, signed(fields={"if-none-match": "*"}), b"2"), "PreconditionFailed")
        self.denied(post(server, signed(), b"2", headers={"If-None-Match": "*"}), "PreconditionFailed")
        self.assertEqual(self.body(client, "key"), b"hello")

    @served()
    def test_large_file(self, server: Server) -> None:
        """Many pieces, with what looks like boundaries in it."""
        client = self.make(server)
        file = (b"\r\n--" + BOUNDARY.encode()[:-1] + b"\r\n-") * 200_000
        self.assertEqual(post(server, signed(), file).status, 204)
        self.assertEqual(self.body(client, "key"), file)


class PostingOverTLS(Posting):
    """The same over HTTPS."""

    tls = True
