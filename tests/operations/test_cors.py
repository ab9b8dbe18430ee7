"""CORS over real sockets: the configuration, preflights, and the headers of all other answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.forms import CONTENT_TYPE, form_body
from tests.operations.clients import BUCKET, OperationTestCase, Response, send, send_plain, served
from tests.serving import Server

ORIGIN = "https://app.example"
RULE = {
    "AllowedOrigins": ["https://*.example"],
    "AllowedMethods": ["GET", "PUT", "POST"],
    "AllowedHeaders": ["x-amz-*", "Content-Type"],
    "ExposeHeaders": ["ETag", "x-amz-request-id"],
    "MaxAgeSeconds": 300,
}
VARY = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"
SHARED = {
    "access-control-allow-origin": ORIGIN,
    "access-control-allow-methods": "GET, PUT, POST",
    "access-control-allow-credentials": "true",
    "access-control-expose-headers": "ETag, x-amz-request-id",
    "access-control-max-age": "300",
    "vary": VARY,
}
NOT_ALLOWED = (
    "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / "
    "Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec."
)


def shared(response: Response) -> Mapping[str, str]:
    """The headers by which a browser lets a script go on."""
    names = [name for name in response.headers if name.startswith("access-control-") or name == "vary"]
    return {name: response.headers[name] for name in names}


def preflight(server: Server, target: str, method: str | None = "PUT", **headers: str) -> Response:
    """What a browser sends before it lets a script send more than a form could."""
    asked = {"Origin": ORIGIN, **headers}
    if method is not None:
        asked["Access-Control-Request-Method"] = method
    return send_plain(server, "OPTIONS", target, headers={name: value for name, value in asked.items() if value})


class Configuration(OperationTestCase):
    """The document."""

    @served()
    def test_round_trip(self, server: Server) -> None:
        """It comes back as it was put; then it is gone."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        missing = self.refused("NoSuchCORSConfiguration", 404, client.get_bucket_cors, Bucket=BUCKET)
        self.assertEqual(missing["Error"]["BucketName"], BUCKET)
        rules = [{**RULE, "ID": "first"}, {"AllowedOrigins": ["*"], "AllowedMethods": ["HEAD", "DELETE"]}]
        put = client.put_bucket_cors(Bucket=BUCKET, CORSConfiguration={"CORSRules": rules})
        self.assertEqual(put["ResponseMetadata"]["HTTPStatusCode"], 200)
        self.assertEqual(client.get_bucket_cors(Bucket=BUCKET)["CORSRules"], rules)
        gone = client.delete_bucket_cors(Bucket=BUCKET)
        self.assertEqual(gone["ResponseMetadata"]["HTTPStatusCode"], 204)
        self.refused("NoSuchCORSConfiguration", 404, client.get_bucket_cors, Bucket=BUCKET)
        client.delete_bucket_cors(Bucket=BUCKET)

    @served()
    def test_refusals(self, server: Server) -> None:
        """What is no configuration is refused, and leaves the one there is."""
        client = server.client()
        put = client.put_bucket_cors
        self.refused("NoSuchBucket", 404, put, Bucket=BUCKET, CORSConfiguration={"CORSRules": [RULE]})
        client.create_bucket(Bucket=BUCKET)
        put(Bucket=BUCKET, CORSConfiguration={"CORSRules": [RULE]})
        for code, change in (
            ("InvalidRequest", {"AllowedMethods": ["GET", "MYMETHOD"]}),
            ("InvalidRequest", {"AllowedOrigins": ["http://*.*"]}),
            ("InvalidRequest", {"AllowedHeaders": ["*-*"]}),
            ("InvalidRequest", {"ExposeHeaders": ["*"]}),
            ("MalformedXML", {"AllowedOrigins": []}),
            ("MalformedXML", {"AllowedMethods": []}),
            ("InvalidArgument", {"ID": "i" * 256}),
            ("MaxMessageLengthExceeded", {"AllowedOrigins": ["o" * 70_000]}),
        ):
            self.refused(code, 400, put, Bucket=BUCKET, CORSConfiguration={"CORSRules": [{**RULE, **change}]})
        self.refused("MalformedXML", 400, put, Bucket=BUCKET, CORSConfiguration={"CORSRules": []})
        self.refused("InvalidRequest", 400, put, Bucket=BUCKET, CORSConfiguration={"CORSRules": [RULE] * 101})
        unchecked = send(server, "PUT", f"/{BUCKET}?cors", b"<CORSConfiguration/>")
        self.assertEqual((unchecked.status, unchecked.code), (400, "InvalidRequest"))
        self.assertEqual(unchecked.element("Message"), "Missing required header for this request: Content-MD5")
        self.assertEqual(client.get_bucket_cors(Bucket=BUCKET)["CORSRules"], [RULE])


class Preflight(OperationTestCase):
    """What nobody signs."""

    def prepared(self, server: Server, *rules: Any) -> Any:
        """A client, and a bucket with rules."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        client.put_bucket_cors(Bucket=BUCKET, CORSConfiguration={"CORSRules": list(rules)})
        return client

    def forbidden(self, response: Response, message: str, method: str, kind: str) -> None:
        """It is AWS's refusal, and no browser takes it for leave."""
        self.assertEqual((response.status, response.code), (403, "AccessForbidden"))
        self.assertEqual(response.element("Message"), message)
        self.assertEqual((response.element("Method"), response.element("ResourceType")), (method, kind))
        self.assertEqual(shared(response), {})

    @served()
    def test_allowed(self, server: Server) -> None:
        """With the headers that were asked for; whether the object is there does not matter."""
        self.prepared(server, RULE)
        headers = {"Access-Control-Request-Headers": "X-Amz-Date,content-type"}
        answer = preflight(server, f"/{BUCKET}/no/such/key", **headers)
        self.assertEqual((answer.status, answer.body, answer.headers["content-length"]), (200, b"", "0"))
        self.assertEqual(shared(answer), {**SHARED, "access-control-allow-headers": "x-amz-date, content-type"})
        self.assertEqual(shared(preflight(server, f"/{BUCKET}?delete", "POST")), SHARED)
        self.assertEqual(shared(preflight(server, f"/{BUCKET}")), SHARED)
        self.assertEqual([f.passage.operation for f in server.finished[-3:]], ["Preflight"] * 3)
        self.assertIsNone(server.finished[-1].passage.user)

    @served()
    def test_anybody(self, server: Server) -> None:
        """A rule for every origin shows a star, with which browsers send no cookies."""
        self.prepared(server, {"AllowedOrigins": ["*"], "AllowedMethods": ["PUT"]})
        expected = {"access-control-allow-origin": "*", "access-control-allow-methods": "PUT", "vary": VARY}
        self.assertEqual(shared(preflight(server, f"/{BUCKET}/k")), expected)

    @served()
    def test_refused(self, server: Server) -> None:
        """Another origin, method or header."""
        self.prepared(server, RULE)
        for change, method in (
            ({"Origin": "https://example"}, "PUT"),
            ({"Origin": "http://app.example"}, "PUT"),
            ({"Origin": "https://app.example/"}, "PUT"),
            ({}, "DELETE"),
            ({"Access-Control-Request-Headers": "x-amz-date, x-other"}, "GET"),
        ):
            answer = preflight(server, f"/{BUCKET}/k", method, **change)
            self.forbidden(answer, NOT_ALLOWED, method, "OBJECT")
        self.forbidden(preflight(server, f"/{BUCKET}", "DELETE"), NOT_ALLOWED, "DELETE", "BUCKET")

    @served()
    def test_incomplete(self, server: Server) -> None:
        """It must say whence and what."""
        self.prepared(server, RULE)
        for headers, method, message in (
            ({"Origin": ""}, "PUT", "Insufficient information. Origin request header needed."),
            ({}, None, "Invalid Access-Control-Request-Method: null"),
            ({}, "PATCH", "Invalid Access-Control-Request-Method: PATCH"),
        ):
            answer = preflight(server, f"/{BUCKET}/k", method, **headers)
            self.assertEqual((answer.status, answer.code), (400, "BadRequest"))
            self.assertEqual(answer.element("Message"), message)
        missing = preflight(server, "/no-such-bucket/k", "PUT", Origin="")
        self.assertEqual((missing.status, missing.code), (400, "BadRequest"))

    @served()
    def test_nothing_to_ask(self, server: Server) -> None:
        """Without a bucket or without a configuration: no more is told than AWS tells."""
        server.client().create_bucket(Bucket=BUCKET)
        closed = "CORSResponse: CORS is not enabled for this bucket."
        self.forbidden(preflight(server, f"/{BUCKET}/k"), closed, "PUT", "BUCKET")
        self.forbidden(preflight(server, f"/{BUCKET}/k", None), closed, "OPTIONS", "BUCKET")
        for name in ("no-such-bucket", "No_Bucket", "..", "%2e%2e"):
            answer = preflight(server, f"/{name}/k")
            self.forbidden(answer, "CORSResponse: Bucket not found", "PUT", "BUCKET")
        self.assertEqual(preflight(server, "/").status, 405)

    @served(domains=("s3.test",))
    def test_virtual_host(self, server: Server) -> None:
        """The bucket may be in the host's name."""
        self.prepared(server, RULE)
        host = f"{BUCKET}.s3.test:{server.port}"
        self.assertEqual(shared(preflight(server, "/k", Host=host)), SHARED)
        self.assertEqual(shared(preflight(server, "/", Host=host)), SHARED)
        other = preflight(server, "/k", Host=f"other.s3.test:{server.port}")
        self.forbidden(other, "CORSResponse: Bucket not found", "PUT", "BUCKET")

    @served()
    def test_presigned(self, server: Server) -> None:
        """The preflight of a presigned URL has its query, which says nothing about the preflight."""
        client = self.prepared(server, RULE)
        url = client.generate_presigned_url("put_object", {"Bucket": BUCKET, "Key": "k"})
        answer = preflight(server, url.removeprefix(server.url))
        self.assertEqual((answer.status, shared(answer)), (200, SHARED))
        self.assertEqual(client.list_objects_v2(Bucket=BUCKET)["KeyCount"], 0)


class PreflightOverTLS(Preflight):
    """The same over HTTPS."""

    tls = True


class Answers(OperationTestCase):
    """What is no preflight."""

    def prepared(self, server: Server) -> Any:
        """A client, a bucket with rules, and an object."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        client.put_object(Bucket=BUCKET, Key="k", Body=b"body")
        client.put_bucket_cors(Bucket=BUCKET, CORSConfiguration={"CORSRules": [RULE]})
        return client

    @served()
    def test_every_answer(self, server: Server) -> None:
        """Also refusals, of whatever step, tell scripts what is allowed: else they could not read why."""
        self.prepared(server)
        origin = {"Origin": ORIGIN}
        etag = send(server, "GET", f"/{BUCKET}/k").headers["etag"]
        bad = {**origin, "Authorization": "AWS4-HMAC-SHA256 nonsense"}
        for status, answer in (
            (200, send(server, "GET", f"/{BUCKET}/k", headers=origin)),
            (206, send(server, "GET", f"/{BUCKET}/k", headers={**origin, "Range": "bytes=1-"})),
            (304, send(server, "GET", f"/{BUCKET}/k", headers={**origin, "If-None-Match": etag})),
            (404, send(server, "GET", f"/{BUCKET}/gone", headers=origin)),
            (416, send(server, "GET", f"/{BUCKET}/k", headers={**origin, "Range": "bytes=9-"})),
            (200, send(server, "GET", f"/{BUCKET}?list-type=2", headers=origin)),
            (200, send(server, "PUT", f"/{BUCKET}/new", b"new", headers=origin)),
            (405, send(server, "POST", f"/{BUCKET}/k", headers=origin)),
            (501, send(server, "PUT", f"/{BUCKET}/k?newest", headers=origin)),
            (403, send_plain(server, "GET", f"/{BUCKET}/k", headers=origin)),
            (400, send_plain(server, "GET", f"/{BUCKET}/k", headers=bad)),
            (403, send_plain(server, "GET", f"/{BUCKET}/k?AWSAccessKeyId=x&Signature=x&Expires=1", headers=origin)),
        ):
            self.assertEqual((answer.status, shared(answer)), (status, SHARED))

    @served()
    def test_signature(self, server: Server) -> None:
        """A signature that does not match is refused, readably."""
        client = self.prepared(server)
        url = client.generate_presigned_url("put_object", {"Bucket": BUCKET, "Key": "k"})
        answer = send_plain(
            server, "PUT", url.removeprefix(server.url).replace("/k?", "/l?"), b"evil", {"Origin": ORIGIN}
        )
        self.assertEqual((answer.status, answer.code), (403, "SignatureDoesNotMatch"))
        self.assertEqual(shared(answer), SHARED)
        self.assertEqual(client.list_objects_v2(Bucket=BUCKET)["KeyCount"], 1)

    @served()
    def test_no_leave(self, server: Server) -> None:
        """Who is not let in is answered all the same, and the browser keeps the answer from the script."""
        client = self.prepared(server)
        for headers, method in (
            ({}, "GET"),
            ({"Origin": "https://evil.test"}, "GET"),
            ({"Origin": ORIGIN}, "HEAD"),
            ({"Origin": ORIGIN, "Access-Control-Request-Method": "DELETE"}, "GET"),
            ({"Origin": ORIGIN, "Access-Control-Request-Headers": "x-other"}, "GET"),
        ):
            answer = send(server, method, f"/{BUCKET}/k", headers=headers)
            self.assertEqual((answer.status, shared(answer)), (200, {}), (method, headers))
        self.assertEqual(shared(send(server, "GET", "/no-such-bucket/k", headers={"Origin": ORIGIN})), {})
        self.assertEqual(shared(send(server, "GET", "/", headers={"Origin": ORIGIN})), {})
        client.delete_bucket_cors(Bucket=BUCKET)
        self.assertEqual(shared(send(server, "GET", f"/{BUCKET}/k", headers={"Origin": ORIGIN})), {})

    @served()
    def test_form(self, server: Server) -> None:
        """A form that a script sends, accepted and refused."""
        client = self.prepared(server)
        form = client.generate_presigned_post(BUCKET, "up", None, None)
        for fields, status in ((form["fields"], 204), ({**form["fields"], "signature": "x"}, 403)):
            headers = {"Origin": ORIGIN, "Content-Type": CONTENT_TYPE}
            answer = send_plain(server, "POST", f"/{BUCKET}", form_body(fields, b"file"), headers)
            self.assertEqual((answer.status, shared(answer)), (status, SHARED))
        self.assertEqual(self.body(client, "up"), b"file")


class AnswersOverTLS(Answers):
    """The same over HTTPS."""

    tls = True
