"""PostObject: the forms that are refused."""

from __future__ import annotations

import socket
import time

from tests.forms import (
    BOUNDARY,
    CONTENT_TYPE,
    encode_policy,
    form_body,
    policy_document,
    sign_v2,
)
from tests.operations.clients import BUCKET, Response, send_plain, served
from tests.operations.posting import ANY, CAROL, DAVE, Open, PostingTestCase, post, signed, version_of
from tests.serving import ALICE, BOB, Server
from twisted_s3.errors import ERRORS
from twisted_s3.model import User
from twisted_s3.operations.call import ObjectLimits


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
            response = post(server, {**signed(), "key": key}, filename="/dir/")
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
            other = encode_policy(policy_document(ANY, 500))
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
        self.assertEqual(version_of(server, "key").owner, ALICE.canonical_id)

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
