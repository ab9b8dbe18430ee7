"""SSE-C: objects that are encrypted with keys that customers bring."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from tests.operations.clients import BUCKET, OperationTestCase, Response, send, served
from tests.operations.encrypting import KEY, MARK, OTHER_KEY, EncryptionTestCase, body_of, customer, customer_headers
from tests.operations.posting import post, signed
from tests.serving import Server
from twisted_s3.operations.call import ObjectLimits

NAME = "x-amz-server-side-encryption"
CUSTOMER = f"{NAME}-customer-"
PATH = f"/{BUCKET}/k"
SMALL_PARTS = ObjectLimits(part=1)

_MUST = "Requests specifying Server Side Encryption with Customer provided keys must"
_STORED = (
    "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve "
    "the object."
)
_PARTS = (
    "The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate "
    "encryption parameters."
)


class CustomerKeys(EncryptionTestCase):
    """What is written with a key can be read with it, and only with it."""

    @served()
    def test_put_and_get(self, server: Server) -> None:
        """Put, Get and Head say which key was used; the ETag is not the MD5, and checksums are of the plain bytes."""
        client = self.prepared(server)
        body = body_of(200_000)
        put = client.put_object(Bucket=BUCKET, Key="k", Body=body, ChecksumAlgorithm="SHA256", **customer())
        got = client.get_object(Bucket=BUCKET, Key="k", ChecksumMode="ENABLED", **customer())
        head = client.head_object(Bucket=BUCKET, Key="k", ChecksumMode="ENABLED", **customer())
        self.assertEqual(got["Body"].read(), body)
        for answer in (put, got, head):
            self.assertEqual(answer["SSECustomerAlgorithm"], "AES256")
            self.assertEqual(answer["SSECustomerKeyMD5"], b64encode(hashlib.md5(KEY).digest()).decode())
            self.assertNotIn("ServerSideEncryption", answer)
            self.assertEqual(answer["ETag"], put["ETag"])
            self.assertEqual(answer["ChecksumSHA256"], b64encode(hashlib.sha256(body).digest()).decode())
        self.assertNotEqual(put["ETag"], f'"{hashlib.md5(body).hexdigest()}"')
        self.assertEqual(head["ContentLength"], len(body))
        (listed,) = client.list_objects_v2(Bucket=BUCKET)["Contents"]
        self.assertEqual((listed["Size"], listed["ETag"]), (len(body), put["ETag"]))
        self.assertNotIn(MARK, self.stored())

    @served()
    def test_ranges(self, server: Server) -> None:
        """Ranges over the borders of frames are what they are of the plain bytes."""
        client = self.prepared(server)
        body = body_of(200_000)
        client.put_object(Bucket=BUCKET, Key="k", Body=body, **customer())
        for start, stop in ((0, 1), (65_535, 65_537), (65_536, 131_072), (1, 200_000), (199_999, 200_000)):
            got = client.get_object(Bucket=BUCKET, Key="k", Range=f"bytes={start}-{stop - 1}", **customer())
            self.assertEqual(got["Body"].read(), body[start:stop])
            self.assertEqual(got["ContentRange"], f"bytes {start}-{stop - 1}/200000")

    @served()
    def test_empty(self, server: Server) -> None:
        """An object may be empty."""
        client = self.prepared(server)
        client.put_object(Bucket=BUCKET, Key="k", **customer())
        self.assertEqual(self.read(client, **customer()), b"")
        self.refused("AccessDenied", 403, self.read, client=client, **customer(OTHER_KEY))

    @served(object_limits=SMALL_PARTS)
    def test_parts(self, server: Server) -> None:
        """Parts of equal and of other sizes, in any order, can be read whole, by ranges and by number."""
        client = self.prepared(server)
        for sizes in ((70_000, 70_000, 5), (70_000, 100_000, 0), (5,)):
            parts = {number: body_of(size + number)[number:] for number, size in enumerate(sizes, 1)}
            body = b"".join(parts.values())
            done = self.in_parts(client, dict(reversed(parts.items())), **customer())
            self.assertTrue(done["ETag"].endswith(f'-{len(sizes)}"'))
            self.assertEqual(self.read(client, **customer()), body)
            stop = sizes[0] + 2
            self.assertEqual(self.read(client, Range=f"bytes=3-{stop - 1}", **customer()), body[3:stop])
            for number, part in parts.items():
                if part:
                    self.assertEqual(self.read(client, PartNumber=number, **customer()), part)
            self.assertNotIn(MARK[:20], self.stored())

    @served(object_limits=SMALL_PARTS)
    def test_versions(self, server: Server) -> None:
        """Each version has its own key."""
        client = self.prepared(server)
        client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        first = client.put_object(Bucket=BUCKET, Key="k", Body=b"first", **customer())["VersionId"]
        client.put_object(Bucket=BUCKET, Key="k", Body=b"second", **customer(OTHER_KEY))
        client.put_object(Bucket=BUCKET, Key="k", Body=b"third")
        self.assertEqual(self.read(client, VersionId=first, **customer()), b"first")
        self.refused("AccessDenied", 403, self.read, client=client, VersionId=first, **customer(OTHER_KEY))
        self.assertEqual(self.read(client), b"third")

    @served()
    def test_attributes(self, server: Server) -> None:
        """GetObjectAttributes takes the key, and DeleteObject does not."""
        client = self.prepared(server)
        client.put_object(Bucket=BUCKET, Key="k", Body=b"12345", **customer())
        wanted = {"x-amz-object-attributes": "ObjectSize"}
        self.assertEqual(send(server, "GET", f"{PATH}?attributes", headers=wanted).code, "InvalidRequest")
        answer = send(server, "GET", f"{PATH}?attributes", headers={**wanted, **customer_headers()})
        self.assertEqual(answer.element("ObjectSize"), "5")
        client.delete_object(Bucket=BUCKET, Key="k")

    @served()
    def test_rename(self, server: Server) -> None:
        """A renamed object is still read with its key."""
        client = self.prepared(server)
        client.put_object(Bucket=BUCKET, Key="k", Body=b"12345", **customer())
        client.rename_object(Bucket=BUCKET, Key="new", RenameSource=f"/{BUCKET}/k")
        self.assertEqual(self.read(client, "new", **customer()), b"12345")

    @served()
    def test_form(self, server: Server) -> None:
        """A form may bring the key in its fields."""
        client = self.prepared(server)
        response = post(server, signed(fields=customer_headers()), body_of(100))
        self.assertEqual(response.status, 204, response.body)
        self.assertEqual(response.headers[f"{CUSTOMER}algorithm"], "AES256")
        self.assertEqual(self.read(client, "key", **customer()), body_of(100))
        self.assertNotIn(MARK, self.stored("key"))


class CustomerKeysOverTLS(CustomerKeys):
    """The same over HTTPS."""

    tls = True


class Refusals(OperationTestCase):
    """What is refused, with the words of AWS, and changes nothing."""

    def attempt(
        self, server: Server, code: str, message: str, headers: Mapping[str, str], method: str = "PUT"
    ) -> Response:
        """Send a request that is refused."""
        response = send(server, method, PATH, b"new" if method == "PUT" else b"", headers)
        self.assertEqual((response.code, response.element("Message")), (code, message), headers)
        return response

    @served()
    def test_headers(self, server: Server) -> None:
        """Headers that are not whole, or not right, are refused on writes and on reads."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        client.put_object(Bucket=BUCKET, Key="k", Body=b"old", **customer())
        whole = customer_headers()
        short = customer_headers(b"short")

        def without(name: str) -> dict[str, str]:
            return {other: value for other, value in whole.items() if other != CUSTOMER + name}

        argument = "InvalidArgument"
        cases: list[tuple[str, str, dict[str, str]]] = [
            (argument, f"{_MUST} provide a valid encryption algorithm.", without("algorithm")),
            (argument, f"{_MUST} provide an appropriate secret key.", without("key")),
            (argument, f"{_MUST} provide the client calculated MD5 of the secret key.", without("key-MD5")),
            (
                "InvalidEncryptionAlgorithmError",
                "The Encryption request you specified is not valid. Supported value: AES256.",
                {**whole, f"{CUSTOMER}algorithm": "AES192"},
            ),
            (
                argument,
                "The calculated MD5 hash of the key did not match the hash that was provided.",
                {**whole, f"{CUSTOMER}key-MD5": "AAAAAAAAAAAAAAAAAAAAAA=="},
            ),
            (
                argument,
                "The secret key was invalid for the specified algorithm.",
                {**whole, f"{CUSTOMER}key": "not base64!"},
            ),
        ]
        for code, message, headers in cases:
            for method in ("PUT", "GET"):
                response = self.attempt(server, code, message, headers, method)
                self.assertEqual(response.status, 400)
                self.assertEqual(response.element("ArgumentName"), NAME)
        self.attempt(server, argument, "The secret key was invalid for the specified algorithm.", short)
        self.attempt(
            server,
            argument,
            "Server Side Encryption with Customer provided key is incompatible with the encryption method specified",
            {**whole, NAME: "AES256"},
        )
        self.assertEqual(self.body_with_key(client), b"old")

    def body_with_key(self, client: Any) -> bytes:
        """What the object holds."""
        return bytes(client.get_object(Bucket=BUCKET, Key="k", **customer())["Body"].read())

    @served()
    def test_reads(self, server: Server) -> None:
        """Without the key, with another one, and with one that is not needed."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        client.put_object(Bucket=BUCKET, Key="k", Body=b"old", **customer())
        self.attempt(server, "InvalidRequest", _STORED, {}, "GET")
        self.assertEqual(send(server, "HEAD", PATH).status, 400)
        wrong = f"{_MUST} provide the correct secret key."
        for key in (OTHER_KEY, b"short"):
            response = self.attempt(server, "AccessDenied", wrong, customer_headers(key), "GET")
            self.assertEqual(response.status, 403)
            self.assertEqual(send(server, "HEAD", PATH, headers=customer_headers(key)).status, 403)
        client.put_object(Bucket=BUCKET, Key="k", Body=b"plain")
        needless = "The encryption parameters are not applicable to this object."
        self.attempt(server, "InvalidRequest", needless, customer_headers(), "GET")
        self.attempt(
            server,
            "InvalidArgument",
            f"{NAME} header is not supported for this operation.",
            {NAME: "AES256"},
            "GET",
        )

    @served()
    def test_parts(self, server: Server) -> None:
        """Every part needs the key that the upload was begun with."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        begun = client.create_multipart_upload(Bucket=BUCKET, Key="k", **customer())["UploadId"]
        plain = client.create_multipart_upload(Bucket=BUCKET, Key="k")["UploadId"]
        differs = "The provided encryption parameters did not match the ones used originally."
        cases: list[tuple[str, dict[str, str], str]] = [
            (begun, {}, _PARTS),
            (begun, customer_headers(OTHER_KEY), differs),
            (plain, customer_headers(), _PARTS),
        ]
        client.put_object(Bucket=BUCKET, Key="source", Body=b"source")
        for upload, headers, message in cases:
            path = f"{PATH}?partNumber=1&uploadId={quote(upload)}"
            for copy in ({}, {"x-amz-copy-source": f"/{BUCKET}/source"}):
                response = send(server, "PUT", path, b"" if copy else b"part", {**headers, **copy})
                self.assertEqual((response.code, response.element("Message")), ("InvalidRequest", message))
            if headers:
                response = send(server, "GET", f"{PATH}?uploadId={quote(upload)}", headers=headers)
                self.assertEqual((response.code, response.element("Message")), ("InvalidRequest", message))
            self.assertNotIn("Parts", client.list_parts(Bucket=BUCKET, Key="k", UploadId=upload))

    @served()
    def test_complete(self, server: Server) -> None:
        """Completing takes the key where the upload has checksums that were asked for, and never another one."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        for asked in ({}, {"x-amz-checksum-algorithm": "CRC32"}):
            begun = send(server, "POST", f"{PATH}?uploads", headers={**customer_headers(), **asked}).element("UploadId")
            names = {"Bucket": BUCKET, "Key": "k", "UploadId": begun}
            part = client.upload_part(PartNumber=1, Body=b"part", **names, **customer())
            listed = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"], "ChecksumCRC32": part["ChecksumCRC32"]}]}
            if not asked:
                del listed["Parts"][0]["ChecksumCRC32"]
            complete = {"MultipartUpload": listed, **names}
            self.refused("InvalidRequest", 400, client.complete_multipart_upload, **complete, **customer(OTHER_KEY))
            if asked:
                self.refused("InvalidRequest", 400, client.complete_multipart_upload, **complete)
            self.assertEqual(send(server, "HEAD", PATH, headers=customer_headers()).status, 404)
            client.complete_multipart_upload(**complete, **(customer() if asked else {}))
            self.assertEqual(self.body_with_key(client), b"part")
            client.delete_object(Bucket=BUCKET, Key="k")

    @served(customer_keys_over_http="never")
    def test_over_http(self, server: Server) -> None:
        """A server may refuse keys that come without TLS, as AWS does."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        client.put_object(Bucket=BUCKET, Key="k", Body=b"old")
        message = f"{_MUST} be made over a secure connection."
        for method in ("PUT", "GET"):
            self.attempt(server, "InvalidRequest", message, customer_headers(), method)
        self.assertEqual(self.body(client, "k"), b"old")

    @served(customer_keys_over_http="never", tls=True)
    def test_over_https(self, server: Server) -> None:
        """With TLS it takes them."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        client.put_object(Bucket=BUCKET, Key="k", Body=b"old", **customer())
        self.assertEqual(self.body_with_key(client), b"old")
