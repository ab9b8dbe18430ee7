"""Websites over real sockets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.operations.clients import BUCKET, OperationTestCase, Response, send, send_plain, served
from tests.serving import Server
from twisted_s3.protocol.access.defaults import BucketDefaults
from twisted_s3.protocol.access.publicblock import NOTHING_BLOCKED

DOMAIN = "web.test"
INDEX = {"IndexDocument": {"Suffix": "index.html"}}
ERROR = {**INDEX, "ErrorDocument": {"Key": "error.html"}}
#: Who gets what when nobody says who he is.
READ = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/*"}
LIST = {"Effect": "Allow", "Principal": "*", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{BUCKET}"}


def visit(
    server: Server,
    path: str = "/",
    method: str = "GET",
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    host: str = f"{BUCKET}.{DOMAIN}",
) -> Response:
    """What a reader gets."""
    return send_plain(server.website, method, path, body, {"Host": host, **(headers or {})})


class Sites(OperationTestCase):
    """Pages, folders, errors and redirects."""

    def start_server(self, **changes: Any) -> Any:
        """A server with websites, whose buckets may be public."""
        defaults = BucketDefaults("BucketOwnerEnforced", NOTHING_BLOCKED)
        return super().start_server(**{"website_domains": (DOMAIN,), "bucket_defaults": defaults, **changes})

    def site(self, server: Server, website: Any = INDEX, *statements: Any, bucket: str = BUCKET) -> Any:
        """A client, and a bucket with a website of a few pages that all may read and list."""
        client = server.client()
        client.create_bucket(Bucket=bucket)
        self.allow(client, *(statements or (READ, LIST)))
        for key in ("index.html", "docs/index.html", "docs/page.html", "a b+c.html"):
            client.put_object(Bucket=bucket, Key=key, Body=f"<p>{key}".encode(), ContentType="text/html")
        client.put_bucket_website(Bucket=bucket, WebsiteConfiguration=website)
        return client

    def allow(self, client: Any, *statements: Any) -> None:
        """Set the policy of the bucket."""
        text = json.dumps({"Version": "2012-10-17", "Statement": statements})
        client.put_bucket_policy(Bucket=BUCKET, Policy=text)

    def page(self, answer: Response, status: int, code: str, **items: str) -> None:
        """It is AWS's page of an error."""
        self.assertEqual(answer.status, status)
        self.assertEqual(answer.headers["content-type"], "text/html; charset=utf-8")
        self.assertEqual(answer.headers["x-amz-error-code"], code)
        self.assertTrue(answer.headers["x-amz-error-message"])
        text = answer.body.decode()
        self.assertIn(f"<li>Code: {code}</li>", text)
        for name, value in items.items():
            self.assertIn(f"<li>{name}: {value}</li>", text)
            self.assertEqual(answer.headers[f"x-amz-error-detail-{name.lower()}"], value)
        self.assertIn(f"<li>RequestId: {answer.headers['x-amz-request-id']}</li>", text)
        self.assertIn(f"<li>HostId: {answer.headers['x-amz-id-2']}</li>", text)

    @served()
    def test_pages(self, server: Server) -> None:
        """Objects, and the indexes of folders, whatever the query."""
        self.site(server)
        for path, key in (
            ("/", "index.html"),
            ("/index.html", "index.html"),
            ("/docs/", "docs/index.html"),
            ("/docs/page.html?versionId=x&acl", "docs/page.html"),
            ("/a%20b+c.html", "a b+c.html"),
        ):
            answer = visit(server, path)
            self.assertEqual((answer.status, answer.body), (200, f"<p>{key}".encode()), path)
            self.assertEqual(answer.headers["content-type"], "text/html")
        head = visit(server, "/", "HEAD")
        self.assertEqual((head.status, head.body, head.headers["content-length"]), (200, b"", "13"))
        self.assertEqual(server.finished[-1].passage.operation, "Website")
        self.assertEqual(server.finished[-1].passage.bucket, BUCKET)

    @served()
    def test_hosts(self, server: Server) -> None:
        """The bucket's name below the domain, with a port and in any case, or the whole host."""
        self.site(server)
        for host in (f"{BUCKET}.{DOMAIN}:{server.port}", f"{BUCKET.upper()}.Web.Test", BUCKET, f"{BUCKET}:80"):
            self.assertEqual(visit(server, host=host).status, 200, host)
        for host, name in ((f"other.{DOMAIN}", "other"), (DOMAIN, DOMAIN), ("..", ".."), ("[::1]:80", "[::1]")):
            self.page(visit(server, host=host), 404, "NoSuchBucket", BucketName=name)
        server.client().create_bucket(Bucket="plain")
        self.page(visit(server, host="plain"), 404, "NoSuchWebsiteConfiguration", BucketName="plain")
        self.page(visit(server, "/a", host="plain"), 404, "NoSuchWebsiteConfiguration", BucketName="plain")

    @served()
    def test_conditions_and_ranges(self, server: Server) -> None:
        """As for GetObject."""
        self.site(server)
        whole = visit(server, "/docs/page.html")
        part = visit(server, "/docs/page.html", headers={"Range": "bytes=3-6"})
        self.assertEqual((part.status, part.body, part.headers["content-range"]), (206, b"docs", "bytes 3-6/17"))
        same = visit(server, "/docs/page.html", headers={"If-None-Match": whole.headers["etag"]})
        self.assertEqual((same.status, same.body, same.headers["etag"]), (304, b"", whole.headers["etag"]))
        other = visit(server, "/docs/page.html", headers={"If-Match": '"x"'})
        self.page(other, 412, "PreconditionFailed")
        beyond = visit(server, "/docs/page.html", headers={"Range": "bytes=99-"})
        self.page(beyond, 416, "InvalidRange")
        self.assertEqual(beyond.headers["content-range"], "bytes */17")

    @served()
    def test_methods(self, server: Server) -> None:
        """Readers only read."""
        client = self.site(server, ERROR)
        client.put_object(Bucket=BUCKET, Key="error.html", Body=b"error")
        before = client.list_objects_v2(Bucket=BUCKET)["Contents"]
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
            answer = visit(server, "/index.html", method, b"evil" if method != "OPTIONS" else b"")
            self.page(answer, 405, "MethodNotAllowed", Method=method, ResourceType="OBJECT")
            self.assertEqual(answer.headers["allow"], "GET, HEAD")
        self.assertEqual(client.list_objects_v2(Bucket=BUCKET)["Contents"], before)

    @served()
    def test_folders(self, server: Server) -> None:
        """A folder's name without its slash leads to the folder, if it has an index."""
        self.site(server)
        answer = visit(server, "/docs")
        self.assertEqual((answer.status, answer.headers["location"], answer.body), (302, "/docs/", b""))
        self.page(visit(server, "/wrong"), 404, "NoSuchKey", Key="wrong")
        self.page(visit(server, "/wrong/"), 404, "NoSuchKey", Key="wrong/index.html")
        head = visit(server, "/wrong", "HEAD")
        self.assertEqual((head.status, head.body, head.headers["x-amz-error-code"]), (404, b"", "NoSuchKey"))

    @served()
    def test_object_before_folder(self, server: Server) -> None:
        """An object that has the name of a folder is shown."""
        client = self.site(server)
        client.put_object(Bucket=BUCKET, Key="docs", Body=b"an object")
        self.assertEqual(visit(server, "/docs").body, b"an object")

    @served()
    def test_error_document(self, server: Server) -> None:
        """Shown whole, with the status of the error; while it is missing, both errors are shown."""
        client = self.site(server, ERROR)
        both = visit(server, "/wrong")
        self.page(both, 404, "NoSuchKey", Key="wrong")
        self.assertIn(
            "<h3>An Error Occurred While Attempting to Retrieve a Custom Error Document</h3>\n<ul>\n"
            "<li>Code: NoSuchKey</li>\n<li>Message: The specified key does not exist.</li>\n"
            "<li>Key: error.html</li>\n</ul>",
            both.body.decode(),
        )
        made = client.put_object(Bucket=BUCKET, Key="error.html", Body=b"an error", ContentType="text/html")
        conditional = {"Range": "bytes=0-0", "If-None-Match": made["ETag"]}
        for headers in ({}, conditional):
            answer = visit(server, "/wrong", headers=headers)
            self.assertEqual((answer.status, answer.body), (404, b"an error"))
            self.assertEqual(answer.headers["content-type"], "text/html")
            self.assertEqual(answer.headers["x-amz-error-code"], "NoSuchKey")
        head = visit(server, "/wrong", "HEAD")
        self.assertEqual((head.status, head.body, head.headers["content-length"]), (404, b"", "8"))
        self.assertEqual(visit(server, "/docs").status, 302)
        client.put_object(Bucket=BUCKET, Key="error.html", WebsiteRedirectLocation="/docs/page.html")
        moved = visit(server, "/wrong")
        self.assertEqual((moved.status, moved.headers["location"]), (301, "/docs/page.html"))

    @served()
    def test_public_only(self, server: Server) -> None:
        """What nobody made public is not shown, whoever signs; what is missing is only told to those who may list."""
        client = self.site(server, ERROR, {**READ, "Resource": f"arn:aws:s3:::{BUCKET}/docs/*"})
        self.page(visit(server, "/index.html"), 403, "AccessDenied")
        self.page(visit(server, "/"), 403, "AccessDenied")
        self.page(visit(server, "/wrong"), 403, "AccessDenied")
        self.page(visit(server, "/docs/wrong"), 403, "AccessDenied")
        self.assertEqual(visit(server, "/docs/page.html").status, 200)
        self.assertEqual(visit(server, "/docs").status, 302)
        url = client.generate_presigned_url("get_object", {"Bucket": BUCKET, "Key": "index.html"})
        query = url.partition("?")[2]
        self.page(visit(server, f"/index.html?{query}"), 403, "AccessDenied")
        signed = send(server, "GET", f"/{BUCKET}/index.html")
        self.assertEqual(signed.status, 200)
        client.put_object(Bucket=BUCKET, Key="private/index.html", Body=b"secret")
        self.page(visit(server, "/private"), 403, "AccessDenied")
        self.allow(client, READ)
        client.put_object(Bucket=BUCKET, Key="error.html", Body=b"an error")
        answer = visit(server, "/wrong")
        self.assertEqual((answer.status, answer.body), (403, b"an error"))
        client.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration={"RestrictPublicBuckets": True})
        self.page(visit(server, "/docs/page.html"), 403, "AccessDenied")

    @served()
    def test_object_redirect(self, server: Server) -> None:
        """An object can send its readers elsewhere, whatever conditions they make."""
        client = self.site(server)
        client.put_object(Bucket=BUCKET, Key="old", Body=b"x", WebsiteRedirectLocation="/docs/page.html")
        made = client.put_object(Bucket=BUCKET, Key="far", WebsiteRedirectLocation="https://far.test/a?b#c")
        for path, headers, target in (
            ("/old", {}, "/docs/page.html"),
            ("/far", {}, "https://far.test/a?b#c"),
            ("/far", {"Range": "bytes=5-"}, "https://far.test/a?b#c"),
            ("/far", {"If-None-Match": made["ETag"]}, "https://far.test/a?b#c"),
        ):
            for method in ("GET", "HEAD"):
                answer = visit(server, path, method, headers=headers)
                self.assertEqual((answer.status, answer.headers["location"], answer.body), (301, target, b""))

    @served()
    def test_redirect_all(self, server: Server) -> None:
        """All requests, to the same path elsewhere."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        for elsewhere, target in (
            ({"HostName": "other.test"}, f"{server.website.url.partition(':')[0]}://other.test/a/b%20c?q=1"),
            ({"HostName": "other.test:8", "Protocol": "https"}, "https://other.test:8/a/b%20c?q=1"),
        ):
            client.put_bucket_website(Bucket=BUCKET, WebsiteConfiguration={"RedirectAllRequestsTo": elsewhere})
            answer = visit(server, "/a/b%20c?q=1")
            self.assertEqual((answer.status, answer.headers["location"], answer.body), (301, target, b""))
        self.assertEqual(visit(server, "/", "POST", b"x").status, 405)

    @served()
    def test_routing_rules(self, server: Server) -> None:
        """By prefix before the object is looked for, by error after; the first that applies."""
        rules: Any = [
            {
                "Condition": {"KeyPrefixEquals": "both/", "HttpErrorCodeReturnedEquals": "404"},
                "Redirect": {"ReplaceKeyWith": "docs/page.html"},
            },
            {"Condition": {"KeyPrefixEquals": "docs/old"}, "Redirect": {"ReplaceKeyPrefixWith": "docs/page"}},
            {"Condition": {"KeyPrefixEquals": "host/"}, "Redirect": {"HostName": "h", "Protocol": "https"}},
            {"Condition": {"KeyPrefixEquals": "strip/"}, "Redirect": {"ReplaceKeyPrefixWith": ""}},
            {"Condition": {"KeyPrefixEquals": "index"}, "Redirect": {"ReplaceKeyWith": "x", "HttpRedirectCode": "307"}},
            {
                "Condition": {"HttpErrorCodeReturnedEquals": "404"},
                "Redirect": {"ReplaceKeyPrefixWith": "404/", "HttpRedirectCode": "302"},
            },
        ]
        client = self.site(server, {**ERROR, "RoutingRules": rules})
        self.assertEqual(client.get_bucket_website(Bucket=BUCKET)["RoutingRules"], rules)
        client.put_object(Bucket=BUCKET, Key="error.html", Body=b"an error")
        client.put_object(Bucket=BUCKET, Key="both/there", Body=b"there")
        client.put_object(Bucket=BUCKET, Key="docs/old.html", Body=b"x", WebsiteRedirectLocation="/no")
        host = f"{BUCKET}.{DOMAIN}"
        base = f"{server.website.url.partition(':')[0]}://{host}/"
        for path, status, target in (
            ("/both/x", 301, f"{base}docs/page.html"),
            ("/docs/old.html?q", 301, f"{base}docs/page.html?q"),
            ("/host/a", 301, "https://h/host/a"),
            ("/strip/docs/page.html", 301, f"{base}docs/page.html"),
            ("/index.html", 307, f"{base}x"),
            ("/wrong", 302, f"{base}404/wrong"),
            ("/docs", 302, "/docs/"),
        ):
            answer = visit(server, path)
            self.assertEqual((answer.status, answer.headers["location"]), (status, target), path)
        self.assertEqual(visit(server, "/both/there").body, b"there")
        self.assertEqual(visit(server, "/").body, b"<p>index.html")
        self.allow(client, READ)
        self.assertEqual(visit(server, "/wrong").body, b"an error")

    @served()
    def test_cors(self, server: Server) -> None:
        """The rules of the bucket hold for its pages, errors as well."""
        client = self.site(server)
        rule = {"AllowedOrigins": ["*"], "AllowedMethods": ["GET"]}
        client.put_bucket_cors(Bucket=BUCKET, CORSConfiguration={"CORSRules": [rule]})
        for path, status in (("/", 200), ("/docs", 302), ("/wrong", 404)):
            answer = visit(server, path, headers={"Origin": "http://o"})
            self.assertEqual((answer.status, answer.headers["access-control-allow-origin"]), (status, "*"))

    @served()
    def test_strange_paths(self, server: Server) -> None:
        """What no key can be is answered, and so are paths that look like other hosts."""
        client = self.site(server)
        self.page(visit(server, "/%ff"), 400, "InvalidURI")
        self.page(visit(server, "/" + "k" * 1025), 400, "KeyTooLongError")
        client.put_object(Bucket=BUCKET, Key="/evil.test/index.html", Body=b"x")
        self.assertEqual(visit(server, "//evil.test").headers["location"], "/%2Fevil.test/")
        self.assertEqual(visit(server, "/%2Fevil.test/").body, b"x")
        self.page(visit(server, "/<script>"), 404, "NoSuchKey")
        self.assertNotIn(b"<script>", visit(server, "/%3Cscript%3E").body)

    @served()
    def test_configuration(self, server: Server) -> None:
        """It comes back as it was put; what is none is refused; then it is gone."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        missing = self.refused("NoSuchWebsiteConfiguration", 404, client.get_bucket_website, Bucket=BUCKET)
        self.assertEqual(missing["Error"]["BucketName"], BUCKET)
        for website in (ERROR, INDEX, {"RedirectAllRequestsTo": {"HostName": "h", "Protocol": "http"}}):
            client.put_bucket_website(Bucket=BUCKET, WebsiteConfiguration=website)
            got = client.get_bucket_website(Bucket=BUCKET)
            del got["ResponseMetadata"]
            self.assertEqual(got, website)
        put = client.put_bucket_website
        self.refused("InvalidArgument", 400, put, Bucket=BUCKET, WebsiteConfiguration={})
        empty = {**INDEX, "RoutingRules": []}
        self.refused("MalformedXML", 400, put, Bucket=BUCKET, WebsiteConfiguration=empty)
        long = {"IndexDocument": {"Suffix": "i" * 140_000}}
        self.refused("MaxMessageLengthExceeded", 400, put, Bucket=BUCKET, WebsiteConfiguration=long)
        self.assertEqual(client.get_bucket_website(Bucket=BUCKET)["RedirectAllRequestsTo"]["HostName"], "h")
        client.delete_bucket_website(Bucket=BUCKET)
        self.refused("NoSuchWebsiteConfiguration", 404, client.get_bucket_website, Bucket=BUCKET)
        client.delete_bucket_website(Bucket=BUCKET)


class SitesOverTLS(Sites):
    """The same over HTTPS."""

    tls = True
