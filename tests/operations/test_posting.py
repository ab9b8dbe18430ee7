"""PostObject: forms that upload files, over a real socket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zope.interface import implementer

from tests.forms import (
    BOUNDARY,
    CONTENT_TYPE,
    encode_policy,
    form_body,
    part,
    policy_document,
    scope_fields,
    sign_v2,
    sign_v4,
)
from tests.operations.clients import BUCKET, OperationTestCase, Response, send_plain, served
from tests.protocol.signing import crc32_text
from tests.serving import ALICE, BOB, Server
from twisted_s3.errors import S3Error
from twisted_s3.interfaces import IAuthorizer
from twisted_s3.model import Bucket, User

REGION = "eu-west-3"
#: Somebody whose key is temporary.
CAROL = User("CAROLKEY", "carols-secret-0123456789", "c" * 64, "carol", True, session_token="carols-token")
DAVE = User("DAVEKEY", "daves-secret-0123456789", "d" * 64, "dave", True, session_token="old", expires=1.0)
ANY = [["starts-with", "$key", ""], {"bucket": BUCKET}]


@implementer(IAuthorizer)
class Open:
    """Lets everybody do everything, but for one action."""

    def __init__(self, closed: str = "") -> None:
        self._closed = closed

    def authorize(self, user: User | None, action: str, bucket: Bucket | None, key: str | None) -> None:
        """:raise S3Error: ``AccessDenied``."""
        if action == self._closed:
            raise S3Error("AccessDenied")


def post(
    server: Server,
    fields: Mapping[str, str],
    file: bytes | None = b"hello",
    filename: str = "name.txt",
    path: str = f"/{BUCKET}",
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Send a form."""
    body = form_body(fields, file, filename)
    return send_plain(server, "POST", path, body, {"Content-Type": CONTENT_TYPE, **(headers or {})})


def signed(
    conditions: Sequence[Any] = (),
    fields: Mapping[str, str] | None = None,
    user: User = ALICE,
    version: int = 4,
    document: Any = None,
    when: float | None = None,
) -> dict[str, str]:
    """The fields of a form whose policy holds for them, and has these conditions too."""
    given = {"key": "key", **(fields or {})}
    scope = scope_fields(user, "us-east-1", when) if version == 4 else {}
    exact = [{name: value} for name, value in {**given, **scope}.items() if name != "key"]
    made = policy_document([*ANY, *exact, *conditions]) if document is None else document
    policy = encode_policy(made)
    return {**given, **(sign_v4(user, policy, scope) if version == 4 else sign_v2(user, policy))}


def version_of(server: Server, key: str) -> ObjectVersion:
    """An object's version, from a store in memory, which does not wait."""
    waiting = server.store.head_object(BUCKET, key).__await__()
    try:
        next(waiting)
    except StopIteration as done:
        version: ObjectVersion = done.value
        return version
    raise AssertionError("the store waits")


class PostingTestCase(OperationTestCase):
    """Tests that send forms."""

    users = (ALICE, BOB, CAROL, DAVE)

    def make(self, server: Server) -> Any:
        """The bucket, and a client for it."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        return client

    def denied(self, response: Response, code: str, message: str | None = None) -> None:
        """Check a refusal."""
        self.assertEqual((response.code, response.status), (code, ERRORS[code][0]), response)
        if message is not None:
            self.assertEqual(response.element("Message"), message)


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
        tagging = "<Tagging><TagSet><Tag><Key>a</Key><Value>1 &amp; 2</Value></Tag></TagSet></Tagging>"
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
            "acl": "private",
        }
        for name in ("tagging", "x-amz-tagging"):
            self.assertEqual(post(server, signed([], {**stored, name: tagging})).status, 403)
            fields = {**stored, name: tagging, "Content-Disposition": "attachment; filename=name.txt"}
            made = signed([], fields)
            made["Content-Disposition"] = stored["Content-Disposition"]
            self.assertEqual(post(server, made).status, 204)
            version = version_of(server, "key")
            self.assertEqual(version.properties.tags, {"a": "1 & 2"})
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


class Refusals(PostingTestCase):
    """Each refusal of a form, with AWS's code and text. None of them stores anything."""

    def missing(self, response: Response, name: str) -> None:
        """Check that a field was missed."""
        self.denied(
            response,
            "InvalidArgument",
            f"Bucket POST must contain a field named '{name}'.  "
            "If it is specified, please check the order of the fields.",
        )
        self.assertEqual(response.element("ArgumentName"), name)

    def nothing(self, server: Server) -> None:
        """Check that nothing was stored."""
        self.assertEqual(server.client().list_objects_v2(Bucket=BUCKET)["KeyCount"], 0)

    @served()
    def test_not_a_form(self, server: Server) -> None:
        """Of another type, or without a boundary."""
        self.make(server)
        for content_type in ("application/json", "application/x-www-form-urlencoded", ""):
            response = send_plain(server, "POST", f"/{BUCKET}", b"key=k", {"Content-Type": content_type})
            self.denied(response, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
            condition = response.element("Condition")
            self.assertEqual(condition, "Bucket POST must be of the enclosure-type multipart/form-data")
        for body, content_type in (
            (form_body(signed()), "multipart/form-data"),
            (b"", CONTENT_TYPE),
            (b"x", CONTENT_TYPE),
        ):
            response = send_plain(server, "POST", f"/{BUCKET}", body, {"Content-Type": content_type})
            text = "The body of your POST request is not well-formed multipart/form-data."
            self.denied(response, "MalformedPOSTRequest", text)
        self.denied(post(server, signed(), path="/elsewhere"), "NoSuchBucket")

    @served()
    def test_cut_short(self, server: Server) -> None:
        """A form whose last boundary is missing."""
        self.make(server)
        body = form_body(signed()).replace(f"--{BOUNDARY}--".encode(), b"")
        response = send_plain(server, "POST", f"/{BUCKET}", body, {"Content-Type": CONTENT_TYPE})
        self.denied(response, "MalformedPOSTRequest")
        self.nothing(server)

    @served()
    def test_number_of_files(self, server: Server) -> None:
        """There must be one."""
        self.make(server)
        response = post(server, signed(), None)
        self.denied(response, "InvalidArgument", "POST requires exactly one file upload per request.")
        self.assertEqual(response.element("ArgumentValue"), "0")

    @served()
    def test_long_fields(self, server: Server) -> None:
        """More than 20 KB of them."""
        self.make(server)
        response = post(server, {"key": "key", "x-ignore-me": "x" * 20480})
        text = "Your POST request fields preceeding the upload file was too large."
        self.denied(response, "MaxPostPreDataLengthExceeded", text)
        self.assertEqual(response.element("MaxPostPreDataLengthBytes"), "20480")

    @served()
    def test_keys(self, server: Server) -> None:
        """Missing, empty, too long."""
        self.make(server)
        fields = signed()
        del fields["key"]
        self.missing(post(server, fields), "key")
        for key in ("", "${filename}"):
            response = post(server, {**signed(), "key": key}, filename="C:\\dir\\")
            self.denied(response, "InvalidArgument", "User key must have a length greater than 0.")
        self.denied(post(server, signed(fields={"key": "k" * 1025})), "KeyTooLongError")

    @served()
    def test_missing_fields(self, server: Server) -> None:
        """Each that a signature needs."""
        self.make(server)
        for version, names in (
            (4, ("policy", "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Signature")),
            (2, ("policy", "AWSAccessKeyId", "Signature")),
        ):
            for name in names:
                fields = {
                    field: value for field, value in signed(version=version).items() if field.lower() != name.lower()
                }
                self.missing(post(server, fields), name)
        self.denied(post(server, {**signed(), **sign_v2(ALICE, "x")}), "InvalidArgument")

    @served()
    def test_policy_without_signature(self, server: Server) -> None:
        """A policy that nobody signed."""
        self.make(server)
        fields = {"key": "key", "policy": signed()["policy"]}
        self.denied(post(server, fields), "AccessDenied", "Access Denied")

    @served()
    def test_signatures(self, server: Server) -> None:
        """Of another key, or of another policy; of a key that nobody has."""
        self.make(server)
        for version, name in ((4, "x-amz-signature"), (2, "signature")):
            fields = signed(version=version)
            other = encode_policy(policy_document(ANY))
            for wrong in ({name: "0" * 64}, {name: "é"}, {"policy": other}):
                response = post(server, {**fields, **wrong})
                self.denied(response, "SignatureDoesNotMatch", ERRORS["SignatureDoesNotMatch"][1])
                self.assertEqual(response.element("StringToSign"), {**fields, **wrong}["policy"])
            forged = User(ALICE.access_key, BOB.secret_key, "")
            self.denied(post(server, signed(user=forged, version=version)), "SignatureDoesNotMatch")
            unknown = User("NOBODY", BOB.secret_key, "")
            response = post(server, signed(user=unknown, version=version))
            self.denied(response, "InvalidAccessKeyId")
            self.assertEqual(response.element("AWSAccessKeyId"), "NOBODY")
        self.nothing(server)

    @served()
    def test_scopes(self, server: Server) -> None:
        """Algorithm, credential and date of Version 4."""
        self.make(server)
        fields = signed()
        today = fields["x-amz-date"][:8]
        for wrong, text in (
            ({"x-amz-algorithm": "AWS4"}, 'X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"'),
            (
                {"x-amz-credential": "ALICEKEY"},
                'the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".',
            ),
            (
                {"x-amz-credential": f"ALICEKEY/{today}/mars-1/s3/aws4_request"},
                "the region 'mars-1' is wrong; expecting 'us-east-1'",
            ),
            (
                {"x-amz-credential": f"ALICEKEY/{today}/us-east-1/sqs/aws4_request"},
                'incorrect service "sqs". This endpoint belongs to "s3".',
            ),
            ({"x-amz-date": "now"}, "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\""),
            (
                {"x-amz-date": "20200101T000000Z"},
                f'Invalid credential date "{today}". This date is not the same as X-Amz-Date: "20200101".',
            ),
        ):
            self.denied(post(server, {**fields, **wrong}), "InvalidArgument", text)

    @served()
    def test_times(self, server: Server) -> None:
        """A form lives as long as its policy says, but not before it was signed."""
        self.make(server)
        self.assertEqual(post(server, signed(when=time.time() - 3 * 86400)).status, 204)
        response = post(server, signed(fields={"key": "new"}, when=time.time() + 1200))
        self.denied(response, "AccessDenied", "Request is not valid yet")
        for version in (4, 2):
            response = post(server, signed(document=policy_document(ANY, -1), version=version))
            self.denied(response, "AccessDenied", "Invalid according to Policy: Policy expired.")

    @served()
    def test_policies(self, server: Server) -> None:
        """A document that is none; conditions that do not hold; fields that it does not name."""
        self.make(server)
        response = post(server, signed(document="{"))
        self.denied(response, "InvalidPolicyDocument", "Invalid Policy: Invalid JSON.")
        for version in (4, 2):
            response = post(server, signed([["starts-with", "$key", "user/"]], version=version))
            text = 'Invalid according to Policy: Policy Condition failed: ["starts-with", "$key", "user/"]'
            self.denied(response, "AccessDenied", text)
            response = post(server, {**signed(version=version), "acl": "private"})
            self.denied(response, "AccessDenied", "Invalid according to Policy: Extra input fields: acl")
        response = post(server, signed(document=policy_document(ANY)))
        text = "Invalid according to Policy: Extra input fields: x-amz-algorithm, x-amz-credential, x-amz-date"
        self.denied(response, "AccessDenied", text)
        server.client().create_bucket(Bucket="other")
        response = post(server, signed(), path="/other")
        text = 'Invalid according to Policy: Policy Condition failed: ["eq", "$bucket", "bucket"]'
        self.denied(response, "AccessDenied", text)
        self.nothing(server)

    @served(object_limits=ObjectLimits(put=8))
    def test_sizes(self, server: Server) -> None:
        """The range of the policy, and the limit of all uploads."""
        client = self.make(server)
        fields = signed([["content-length-range", 3, 5]])
        for file, code, text, sizes in (
            (b"12", "EntityTooSmall", "smaller than the minimum", {"ProposedSize": "2", "MinSizeAllowed": "3"}),
            (b"123456", "EntityTooLarge", "exceeds the maximum", {"ProposedSize": "6", "MaxSizeAllowed": "5"}),
        ):
            response = post(server, fields, file)
            self.denied(response, code, f"Your proposed upload {'is ' * (code[-5:] == 'Small')}{text} allowed size")
            self.assertEqual({name: response.element(name) for name in sizes}, sizes)
        self.denied(post(server, signed(), b"123456789"), "EntityTooLarge")
        self.nothing(server)
        for file in (b"123", b"12345"):
            self.assertEqual(post(server, fields, file).status, 204)
            self.assertEqual(self.body(client, "key"), file)

    @served()
    def test_too_large_at_once(self, server: Server) -> None:
        """The answer comes when the limit is passed, not when all 5 GB are there."""
        self.make(server)
        begun = form_body(signed([["content-length-range", 0, 1000]]), b"x" * 2000).removesuffix(
            f"\r\n--{BOUNDARY}--\r\n".encode()
        )
        head = (
            f"POST /{BUCKET} HTTP/1.1\r\nHost: a\r\nContent-Type: {CONTENT_TYPE}\r\nContent-Length: {5 * 2**30}\r\n\r\n"
        )
        self.assertIn(b"<Code>EntityTooLarge</Code>", self.exchange(server, head.encode() + begun))
        self.nothing(server)

    @served()
    def test_continue(self, server: Server) -> None:
        """What the head tells is refused before the body is asked for."""
        self.make(server)
        rest = "Host: a\r\nContent-Length: 100\r\nExpect: 100-continue\r\n"
        for path, headers, status in (
            (BUCKET, "Content-Type: text/plain\r\n", 412),
            ("elsewhere", f"Content-Type: {CONTENT_TYPE}\r\n", 404),
            (BUCKET, f"Content-Type: {CONTENT_TYPE}\r\nAuthorization: AWS a:b\r\n", 400),
        ):
            answer = self.exchange(server, f"POST /{path} HTTP/1.1\r\n{rest}{headers}\r\n".encode())
            self.assertTrue(answer.startswith(f"HTTP/1.1 {status} ".encode()), answer)

    def exchange(self, server: Server, data: bytes) -> bytes:
        """Send bytes; give all that comes until the server has no more to say."""
        with socket.create_connection(("127.0.0.1", server.port), 20) as connection:
            connection.sendall(data)
            received = b""
            while more := connection.recv(65536):
                received += more
            return received

    @served()
    def test_other_credentials(self, server: Server) -> None:
        """A form is signed by its fields, never by its head or its query."""
        self.make(server)
        self.denied(post(server, signed(), headers={"Authorization": "AWS a:b"}), "InvalidArgument")
        query = "?AWSAccessKeyId=a&Signature=b&Expires=99999999999"
        self.denied(post(server, signed(), path=f"/{BUCKET}{query}"), "InvalidArgument")
        self.nothing(server)

    @served(allow_sigv2=False)
    def test_version_2_switched_off(self, server: Server) -> None:
        """As elsewhere."""
        self.make(server)
        text = "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
        self.denied(post(server, signed(version=2)), "InvalidRequest", text)
        self.assertEqual(post(server, signed()).status, 204)

    @served()
    def test_session_tokens(self, server: Server) -> None:
        """A temporary key needs its token, and its time."""
        self.make(server)
        self.assertEqual(post(server, signed(user=CAROL)).status, 204)
        bare = User(CAROL.access_key, CAROL.secret_key, "")
        wrong = User(CAROL.access_key, CAROL.secret_key, "", session_token="wrong")
        for user in (bare, wrong, User(ALICE.access_key, ALICE.secret_key, "", session_token="any")):
            self.denied(post(server, signed(user=user)), "InvalidToken")
        self.denied(post(server, signed(user=DAVE)), "ExpiredToken")

    @served()
    def test_rights(self, server: Server) -> None:
        """Who signed the form must be allowed to write; an anonymous form is nobody's."""
        self.make(server)
        self.denied(post(server, signed(user=BOB)), "AccessDenied", "Access Denied")
        self.denied(post(server, {"key": "key"}), "AccessDenied", "Access Denied")
        self.nothing(server)
        users = [request.passage.user for request in server.finished if request.passage.operation == "PostObject"]
        self.assertEqual(users, [BOB, None])
        keys = {request.passage.key for request in server.finished if request.passage.operation == "PostObject"}
        self.assertEqual(keys, {"key"})

    @served(authorizer=Open())
    def test_anonymous_where_allowed(self, server: Server) -> None:
        """Where the authoriser says so, a form without policy stores what it likes."""
        client = self.make(server)
        self.assertEqual(post(server, {"key": "key", "Content-Type": "text/x"}).status, 204)
        self.assertEqual(client.head_object(Bucket=BUCKET, Key="key")["ContentType"], "text/x")
        self.assertEqual(version_of(server, "key").owner, "")

    @served(authorizer=Open("s3:PutObjectTagging"))
    def test_right_to_tag(self, server: Server) -> None:
        """Tags are a right of their own."""
        self.make(server)
        tagging = "<Tagging><TagSet/></Tagging>"
        self.denied(post(server, signed(fields={"tagging": tagging})), "AccessDenied")
        self.assertEqual(post(server, signed()).status, 204)

    @served()
    def test_what_can_not_be_stored(self, server: Server) -> None:
        """Tags, classes, lists of rights and metadata that PutObject would refuse."""
        self.make(server)
        tag = "<Tag><Key>{}</Key><Value>{}</Value></Tag>"

        def tags(*pairs: tuple[str, str]) -> str:
            return f"<Tagging><TagSet>{''.join(tag.format(*pair) for pair in pairs)}</TagSet></Tagging>"

        for fields, code in (
            ({"tagging": "a=b"}, "MalformedXML"),
            ({"tagging": "<Tagging/>"}, "MalformedXML"),
            ({"tagging": tags(("a", "1"), ("a", "2"))}, "InvalidTag"),
            ({"tagging": tags(("", "1"))}, "InvalidTag"),
            ({"tagging": tags(("k" * 129, "1"))}, "InvalidTag"),
            ({"tagging": tags(("k", "v" * 257))}, "InvalidTag"),
            ({"tagging": tags(*((str(number), "") for number in range(11)))}, "BadRequest"),
            ({"x-amz-storage-class": "PAPER"}, "InvalidStorageClass"),
            ({"acl": "public-read"}, "AccessControlListNotSupported"),
            ({"x-amz-meta-a": "x" * 2048}, "MetadataTooLarge"),
            ({"x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-sha1": "x"}, "InvalidRequest"),
            ({"x-amz-expected-bucket-owner": BOB.canonical_id}, "AccessDenied"),
        ):
            self.denied(post(server, signed(fields=fields)), code)
        self.nothing(server)
