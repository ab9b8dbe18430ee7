"""Error documents, over a real socket: status, code, message and the elements that clients read."""

from __future__ import annotations

import socket
from base64 import b64encode
from collections.abc import Mapping
from hashlib import md5, sha256
from typing import Any

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from lxml import etree
from msgspec import Struct
from twisted.trial.unittest import SynchronousTestCase

from tests.operations.clients import BUCKET, OperationTestCase, send, send_plain, served
from tests.serving import ALICE, BOB, Server
from twisted_s3.errors import ERRORS
from twisted_s3.model import User
from twisted_s3.operations.call import ObjectLimits

KEY = "k"
PATH = f"/{BUCKET}/{KEY}"
TEN = b"0123456789"
LIMITS = ObjectLimits(put=50, part=8)
WRONG = b64encode(md5(b"other").digest()).decode()
UNSIGNED = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


class Refused(Struct, frozen=True):
    """A request, and the error that it must get. ``{upload}`` is an upload of `KEY`, of which part 1 is `TEN`.

    :ivar elements: of the document beside those of all errors: exactly these; "*" for any text.
    :ivar message: "" for the usual one of the code.
    :ivar given: response headers.
    """

    method: str
    target: str
    code: str
    elements: Mapping[str, str] = {}
    message: str = ""
    headers: Mapping[str, str] = {}
    body: bytes = b""
    given: Mapping[str, str] = {}
    user: User = ALICE
    payload: str | None = None


def digest(body: bytes) -> dict[str, str]:
    """The header that DeleteObjects wants."""
    return {"Content-MD5": b64encode(md5(body).digest()).decode()}


def parts(*numbers: int, etag: str = md5(TEN).hexdigest()) -> bytes:
    """A CompleteMultipartUpload document."""
    written = "".join(f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>" for number in numbers)
    return f"<CompleteMultipartUpload>{written}</CompleteMultipartUpload>".encode()


def argument(name: str, value: str) -> dict[str, str]:
    """The elements of an InvalidArgument."""
    return {"ArgumentName": name, "ArgumentValue": value}


NOT_FOUND = (
    Refused("GET", "/nowhere", "NoSuchBucket", {"BucketName": "nowhere"}),
    Refused("PUT", "/nowhere/k", "NoSuchBucket", {"BucketName": "nowhere"}, body=b"new"),
    Refused("DELETE", "/nowhere", "NoSuchBucket", {"BucketName": "nowhere"}),
    Refused("GET", f"/{BUCKET}/none", "NoSuchKey", {"Key": "none"}),
    Refused("GET", f"/{BUCKET}/none%3C?tagging", "NoSuchKey", {"Key": "none<"}),
    Refused("PUT", f"/{BUCKET}/none", "NoSuchKey", {"Key": "none"}, headers={"If-Match": '"e"'}, body=b"new"),
    Refused("PUT", PATH, "NoSuchKey", {"Key": "none"}, headers={"x-amz-copy-source": f"{BUCKET}/none"}),
    Refused("PUT", PATH, "NoSuchBucket", {"BucketName": "nowhere"}, headers={"x-amz-copy-source": "nowhere/k"}),
    Refused("GET", f"{PATH}?uploadId=none", "NoSuchUpload", {"UploadId": "none"}),
    Refused("DELETE", f"{PATH}?uploadId=none", "NoSuchUpload", {"UploadId": "none"}),
    Refused("PUT", f"{PATH}?uploadId=none&partNumber=1", "NoSuchUpload", {"UploadId": "none"}, body=b"x"),
    Refused("GET", f"/{BUCKET}?policy", "NoSuchBucketPolicy", {"BucketName": BUCKET}),
    Refused("GET", f"/{BUCKET}?tagging", "NoSuchTagSet", {"BucketName": BUCKET}),
)

BUCKETS = (
    Refused("DELETE", f"/{BUCKET}", "BucketNotEmpty", {"BucketName": BUCKET}),
    Refused("PUT", f"/{BUCKET}", "BucketAlreadyExists", {"BucketName": BUCKET}, user=BOB),
    Refused("PUT", "/Not_A_Name", "InvalidBucketName", {"BucketName": "Not_A_Name"}),
    Refused(
        "PUT",
        "/other",
        "InvalidLocationConstraint",
        {"LocationConstraint": "moon-1"},
        body=b"<CreateBucketConfiguration><LocationConstraint>moon-1</LocationConstraint></CreateBucketConfiguration>",
    ),
)

READS = (
    Refused(
        "GET",
        PATH,
        "InvalidRange",
        {"ActualObjectSize": "10", "RangeRequested": "bytes=10-"},
        headers={"Range": "bytes=10-"},
        given={"content-range": "bytes */10"},
    ),
    Refused("GET", f"{PATH}?partNumber=2", "InvalidPartNumber", {"ActualPartCount": "1", "PartNumberRequested": "2"}),
    Refused("GET", PATH, "PreconditionFailed", {"Condition": "If-Match"}, headers={"If-Match": '"e"'}),
    Refused(
        "GET",
        PATH,
        "PreconditionFailed",
        {"Condition": "If-Unmodified-Since"},
        headers={"If-Unmodified-Since": "Sun, 06 Nov 1994 08:49:37 GMT"},
    ),
    Refused(
        "GET",
        f"/{BUCKET}?max-keys=-1",
        "InvalidArgument",
        argument("max-keys", "-1"),
        "Argument max-keys must be an integer between 0 and 2147483647",
    ),
    Refused(
        "GET",
        f"/{BUCKET}?max-keys=many",
        "InvalidArgument",
        argument("max-keys", "many"),
        "Provided max-keys not an integer or within integer range",
    ),
    Refused(
        "GET",
        f"/{BUCKET}?encoding-type=base64",
        "InvalidArgument",
        argument("encoding-type", "base64"),
        "Invalid Encoding Method specified in Request",
    ),
    Refused(
        "GET",
        f"/{BUCKET}?list-type=2&continuation-token=x",
        "InvalidArgument",
        {"ArgumentName": "continuation-token"},
        "The continuation token provided is incorrect",
    ),
    Refused("GET", f"/{BUCKET}/%zz", "InvalidURI", {"URI": f"/{BUCKET}/%zz"}),
)

WRITES = (
    Refused(
        "PUT",
        PATH,
        "PreconditionFailed",
        {"Condition": "If-None-Match"},
        headers={"If-None-Match": "*"},
        body=b"new",
    ),
    Refused("PUT", PATH, "PreconditionFailed", {"Condition": "If-Match"}, headers={"If-Match": '"e"'}, body=b"new"),
    Refused(
        "PUT",
        PATH,
        "NotImplemented",
        {
            "Header": "If-Match",
            "additionalMessage": "We don't accept the provided value of If-Match header for this API",
        },
        headers={"If-Match": "*"},
        body=b"new",
    ),
    Refused("DELETE", PATH, "PreconditionFailed", {"Condition": "If-Match"}, headers={"If-Match": '"e"'}),
    Refused("PUT", PATH, "InvalidDigest", {"Content-MD5": "YWI="}, headers={"Content-MD5": "YWI="}, body=b"new"),
    Refused(
        "PUT",
        PATH,
        "BadDigest",
        {"ExpectedDigest": WRONG, "CalculatedDigest": b64encode(md5(b"new").digest()).decode()},
        headers={"Content-MD5": WRONG},
        body=b"new",
    ),
    Refused(
        "PUT",
        PATH,
        "BadDigest",
        message="The CRC32 you specified did not match the calculated checksum.",
        headers={"x-amz-checksum-crc32": "AAAAAA=="},
        body=b"new",
    ),
    Refused(
        "PUT",
        PATH,
        "InvalidRequest",
        message="Value for x-amz-checksum-crc32 header is invalid.",
        headers={"x-amz-checksum-crc32": "AAAA"},
        body=b"new",
    ),
    Refused(
        "PUT",
        PATH,
        "InvalidRequest",
        message="Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
        headers={"x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-crc32c": "AAAAAA=="},
        body=b"new",
    ),
    Refused(
        "PUT",
        PATH,
        "XAmzContentSHA256Mismatch",
        {
            "ClientComputedContentSHA256": sha256(b"other").hexdigest(),
            "S3ComputedContentSHA256": sha256(b"new").hexdigest(),
        },
        body=b"new",
        payload=sha256(b"other").hexdigest(),
    ),
    Refused("PUT", PATH, "EntityTooLarge", {"ProposedSize": "51", "MaxSizeAllowed": "50"}, body=b"x" * 51),
    Refused("PUT", f"/{BUCKET}/{'k' * 1025}", "KeyTooLongError", {"Size": "1025", "MaxSizeAllowed": "1024"}),
    Refused(
        "PUT",
        PATH,
        "MetadataTooLarge",
        {"Size": "2049", "MaxSizeAllowed": "2048"},
        headers={"x-amz-meta-a": "x" * 2048},
    ),
    Refused(
        "PUT",
        PATH,
        "InvalidStorageClass",
        {"StorageClassRequested": "PAPER"},
        headers={"x-amz-storage-class": "PAPER"},
    ),
    Refused(
        "PUT",
        PATH,
        "IncompleteBody",
        {"NumberBytesExpected": "5", "NumberBytesProvided": "3"},
        "You did not provide the number of bytes specified by the Content-Length HTTP header",
        headers={
            "x-amz-decoded-content-length": "5",
            "Content-Encoding": "aws-chunked",
        },
        body=b"3\r\nnew\r\n0\r\n\r\n",
        payload=UNSIGNED,
    ),
    Refused(
        "PUT",
        PATH,
        "InvalidRequest",
        message="This copy request is illegal because it is trying to copy an object to itself without changing the "
        "object's metadata, storage class, website redirect location or encryption attributes.",
        headers={"x-amz-copy-source": PATH},
    ),
    Refused(
        "PUT",
        PATH,
        "PreconditionFailed",
        {"Condition": "x-amz-copy-source-If-Match"},
        headers={"x-amz-copy-source": PATH, "x-amz-copy-source-if-match": '"e"', "x-amz-storage-class": "STANDARD"},
    ),
    Refused(
        "PUT",
        PATH,
        "InvalidArgument",
        argument("x-amz-metadata-directive", "KEEP"),
        "Unknown metadata directive.",
        headers={"x-amz-copy-source": PATH, "x-amz-metadata-directive": "KEEP"},
    ),
)

MULTIPART = (
    Refused(
        "PUT",
        f"{PATH}?uploadId={{upload}}&partNumber=0",
        "InvalidArgument",
        argument("partNumber", "0"),
        "Part number must be an integer between 1 and 10000, inclusive",
        body=b"x",
    ),
    Refused(
        "PUT",
        f"{PATH}?uploadId={{upload}}&partNumber=2",
        "InvalidArgument",
        argument("x-amz-copy-source-range", "bytes=0-99"),
        "Range specified is not valid for source object of size: 10",
        headers={"x-amz-copy-source": PATH, "x-amz-copy-source-range": "bytes=0-99"},
    ),
    Refused(
        "POST",
        f"{PATH}?uploadId={{upload}}",
        "InvalidPart",
        {"UploadId": "{upload}", "PartNumber": "7", "ETag": md5(TEN).hexdigest()},
        body=parts(7),
    ),
    Refused("POST", f"{PATH}?uploadId={{upload}}", "InvalidPartOrder", {"UploadId": "{upload}"}, body=parts(2, 1)),
    Refused("POST", f"{PATH}?uploadId={{upload}}", "MalformedXML", body=b"<CompleteMultipartUpload/>"),
    Refused(
        "POST",
        f"{PATH}?uploadId={{upload}}",
        "EntityTooSmall",
        {"ProposedSize": "1", "MinSizeAllowed": "8", "PartNumber": "2", "ETag": md5(b"s").hexdigest()},
        body=parts(1).replace(b"</CompleteMultipartUpload>", b"")
        + f"<Part><PartNumber>2</PartNumber><ETag>{md5(b's').hexdigest()}</ETag></Part>".encode()
        + f"<Part><PartNumber>3</PartNumber><ETag>{md5(b's').hexdigest()}</ETag></Part>".encode()
        + b"</CompleteMultipartUpload>",
    ),
)

DOCUMENTS = (
    Refused("POST", f"/{BUCKET}?delete", "MalformedXML", headers=digest(b"<Delete>"), body=b"<Delete>"),
    Refused(
        "POST",
        f"/{BUCKET}?delete",
        "InvalidRequest",
        message="Missing required header for this request: Content-MD5",
        body=b"<Delete><Object><Key>k</Key></Object></Delete>",
    ),
    Refused("PUT", f"{PATH}?tagging", "MalformedXML", body=b"<Tagging/>"),
    Refused("PUT", f"/{BUCKET}?policy", "MissingRequestBodyError"),
)

METHODS = (
    Refused(
        "POST",
        PATH,
        "MethodNotAllowed",
        {"Method": "POST", "ResourceType": "OBJECT"},
        given={"allow": "DELETE, GET, HEAD, PUT"},
    ),
    Refused("PUT", "/", "MethodNotAllowed", {"Method": "PUT", "ResourceType": "SERVICE"}, given={"allow": "GET"}),
    Refused(
        "GET",
        f"{PATH}?uploads",
        "MethodNotAllowed",
        {"Method": "GET", "ResourceType": "UPLOADS"},
        given={"allow": "POST"},
    ),
    Refused(
        "GET",
        f"/{BUCKET}?uploads&versions",
        "InvalidArgument",
        argument("ResourceType", "*"),
        "Conflicting query string parameters: uploads, versions",
    ),
)

ALWAYS = {"Code", "Message", "Resource", "RequestId", "HostId"}


class Errors(OperationTestCase):
    """Every refusal says what it should, and changes nothing."""

    def prepared(self, server: Server) -> tuple[Any, str]:
        """A bucket with an object, and an upload of it."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        client.put_object(Bucket=BUCKET, Key=KEY, Body=TEN, Metadata={"a": "b"}, StorageClass="STANDARD_IA")
        upload: str = client.create_multipart_upload(Bucket=BUCKET, Key=KEY)["UploadId"]
        for number, body in ((1, TEN), (2, b"s"), (3, b"s")):
            client.upload_part(Bucket=BUCKET, Key=KEY, UploadId=upload, PartNumber=number, Body=body)
        return client, upload

    def state(self, client: Any, upload: str) -> Any:
        """All that a refused request could change."""
        got = client.get_object(Bucket=BUCKET, Key=KEY)
        stored = client.list_parts(Bucket=BUCKET, Key=KEY, UploadId=upload)["Parts"]
        names = [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]
        facts = got["Body"].read(), got["Metadata"], got["LastModified"], got["StorageClass"]
        return facts, stored, names, client.list_objects_v2(Bucket=BUCKET)["Contents"]

    def check(self, server: Server, table: tuple[Refused, ...]) -> None:
        """Send each request of a table."""
        client, upload = self.prepared(server)
        before = self.state(client, upload)
        for row in table:
            target = row.target.replace("{upload}", upload)
            answer = send(server, row.method, target, row.body, row.headers, row.user, row.payload)
            what = (row.method, row.target, dict(row.headers), answer.body)
            status, usual = ERRORS[row.code]
            self.assertEqual((answer.status, answer.code), (status, row.code), what)
            root = etree.fromstring(answer.body)
            self.assertEqual(root.tag, "Error", what)
            found = {str(node.tag): node.text or "" for node in root}
            self.assertEqual(len(found), len(root), what)
            self.assertEqual(found["Message"], row.message or usual, what)
            self.assertEqual(found["Resource"], target.partition("?")[0], what)
            self.assertEqual(found["RequestId"], answer.headers["x-amz-request-id"], what)
            self.assertEqual(found["HostId"], answer.headers["x-amz-id-2"], what)
            self.assertEqual(answer.headers["content-type"], "application/xml", what)
            wanted = {name: text.replace("{upload}", upload) for name, text in row.elements.items()}
            extra = {name: "*" if wanted.get(name) == "*" else found[name] for name in found.keys() - ALWAYS}
            self.assertEqual(extra, wanted, what)
            self.assertEqual({name: answer.headers.get(name) for name in row.given}, row.given, what)
            self.assertEqual(self.state(client, upload), before, what)

    @served(object_limits=LIMITS)
    def test_not_found(self, server: Server) -> None:
        """What is not there is named."""
        self.check(server, NOT_FOUND)

    @served(object_limits=LIMITS)
    def test_buckets(self, server: Server) -> None:
        """Buckets that can not be made or removed."""
        self.check(server, BUCKETS)

    @served(object_limits=LIMITS)
    def test_reads(self, server: Server) -> None:
        """Ranges, parts, conditions, and the parameters of listings."""
        self.check(server, READS)

    @served(object_limits=LIMITS)
    def test_writes(self, server: Server) -> None:
        """Conditions, digests, sizes, copies."""
        self.check(server, WRITES)

    @served(object_limits=LIMITS)
    def test_multipart(self, server: Server) -> None:
        """Parts and their lists."""
        self.check(server, MULTIPART)

    @served(object_limits=LIMITS)
    def test_documents(self, server: Server) -> None:
        """Documents that are none, or miss."""
        self.check(server, DOCUMENTS)

    @served(object_limits=LIMITS)
    def test_methods(self, server: Server) -> None:
        """Methods that a resource does not have, and sub-resources that exclude each other."""
        self.check(server, METHODS)

    @served()
    def test_head(self, server: Server) -> None:
        """An error of HEAD is its status alone, with the length of nothing."""
        client, _ = self.prepared(server)
        for target, status in ((f"/{BUCKET}/none", 404), ("/nowhere", 404)):
            answer = send(server, "HEAD", target)
            self.assertEqual((answer.status, answer.body), (status, b""), target)
        self.assertEqual(send(server, "HEAD", PATH, b"", {"If-Match": '"e"'}).status, 412)
        del client

    @served()
    def test_no_length(self, server: Server) -> None:
        """A PUT without any length is MissingContentLength."""
        client, upload = self.prepared(server)
        before = self.state(client, upload)
        for target in (PATH, f"{PATH}?uploadId={upload}&partNumber=1"):
            request = AWSRequest("PUT", server.url + target, {"Host": f"127.0.0.1:{server.port}"})
            S3SigV4Auth(Credentials(ALICE.access_key, ALICE.secret_key), "s3", "us-east-1").add_auth(request)
            lines = [f"PUT {target} HTTP/1.1", *(f"{name}: {value}" for name, value in request.headers.items())]
            with socket.create_connection(("127.0.0.1", server.port), 30) as wire:
                wire.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode())
                answer = b"".join(iter(lambda: wire.recv(65536), b""))
            self.assertTrue(answer.startswith(b"HTTP/1.1 411 "), answer)
            self.assertIn(b"<Code>MissingContentLength</Code>", answer)
        self.assertEqual(self.state(client, upload), before)

    @served()
    def test_signatures(self, server: Server) -> None:
        """What was signed is shown; an unknown key is named; so is the region that was wanted."""
        self.prepared(server)
        stranger = User("NOBODYSKEY", "nobodys-secret", "c" * 64)
        unknown = send(server, "GET", PATH, user=stranger)
        self.assertEqual((unknown.status, unknown.code), (403, "InvalidAccessKeyId"))
        self.assertEqual(unknown.element("AWSAccessKeyId"), "NOBODYSKEY")
        forged = send(server, "GET", PATH, user=User(ALICE.access_key, "wrong", "a" * 64))
        self.assertEqual((forged.status, forged.code), (403, "SignatureDoesNotMatch"))
        self.assertEqual(forged.element("AWSAccessKeyId"), ALICE.access_key)
        to_sign = forged.element("StringToSign")
        self.assertTrue(to_sign.startswith("AWS4-HMAC-SHA256\n"), to_sign)
        self.assertEqual(bytes.fromhex(forged.element("StringToSignBytes")), to_sign.encode())
        canonical = forged.element("CanonicalRequest")
        self.assertEqual(sha256(canonical.encode()).hexdigest(), to_sign.splitlines()[3])
        self.assertEqual(bytes.fromhex(forged.element("CanonicalRequestBytes")), canonical.encode())
        self.assertEqual(len(forged.element("SignatureProvided")), 64)
        request = AWSRequest("GET", server.url + PATH)
        S3SigV4Auth(Credentials(ALICE.access_key, ALICE.secret_key), "s3", "eu-west-1").add_auth(request)
        moved = send_plain(server, "GET", PATH, b"", dict(request.headers.items()))
        self.assertEqual((moved.status, moved.code), (400, "AuthorizationHeaderMalformed"))
        self.assertEqual(moved.element("Region"), "us-east-1")


class Catalogue(SynchronousTestCase):
    """The list of all errors."""

    def test_statuses(self) -> None:
        """Each is an error, and says something."""
        for code, (status, message) in ERRORS.items():
            self.assertTrue(300 <= status < 600 and message, code)
