"""SSE-S3 and SSE-KMS: objects that are encrypted with keys of the server; what buckets say about it."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from typing import Any

from botocore.exceptions import IncompleteReadError, ResponseStreamingError

from tests.operations.clients import BUCKET, send, served
from tests.operations.encrypting import MARK, EncryptionTestCase, body_of, customer, customer_headers
from tests.operations.posting import post, signed
from tests.serving import Server
from twisted_s3.keyring import Keyring, KeysInMemory
from twisted_s3.operations.call import ObjectLimits
from twisted_s3.protocol.access.defaults import BucketDefaults

NAME = "x-amz-server-side-encryption"
PATH = f"/{BUCKET}/k"
CONTEXT = b64encode(json.dumps({"for": "tests"}).encode()).decode()
NEEDS_KMS = (
    "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms"
)


def keys(*names: str) -> Keyring:
    """A keyring with named keys."""
    source = KeysInMemory()
    for name in names:
        source.add(name)
    return Keyring(source)


def rule(**parts: Any) -> dict[str, Any]:
    """The parameters that give a bucket a rule."""
    return {"Bucket": BUCKET, "ServerSideEncryptionConfiguration": {"Rules": [parts]}}


def applied(algorithm: str, **more: str) -> dict[str, Any]:
    """What a rule applies by default."""
    return {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm, **more}}


class ServerKeys(EncryptionTestCase):
    """Whoever may read the object needs no key."""

    @served(object_limits=ObjectLimits(part=1))
    def test_server_key(self, server: Server) -> None:
        """``AES256``: the ETag stays the MD5."""
        client = self.prepared(server)
        body = body_of(200_000)
        put = client.put_object(Bucket=BUCKET, Key="k", Body=body, ServerSideEncryption="AES256")
        got = client.get_object(Bucket=BUCKET, Key="k", Range="bytes=65530-65549")
        head = client.head_object(Bucket=BUCKET, Key="k")
        self.assertEqual({answer["ServerSideEncryption"] for answer in (put, got, head)}, {"AES256"})
        self.assertNotIn("SSEKMSKeyId", put)
        self.assertEqual(put["ETag"], f'"{hashlib.md5(body).hexdigest()}"')
        self.assertEqual(got["Body"].read(), body[65530:65550])
        self.assertEqual(self.read(client), body)
        self.assertNotIn(MARK, self.stored())
        client.put_object(Bucket=BUCKET, Key="plain", Body=body)
        self.assertEqual(self.stored("plain"), body)
        self.assertNotIn("ServerSideEncryption", client.head_object(Bucket=BUCKET, Key="plain"))

    @served(object_limits=ObjectLimits(part=1))
    def test_parts(self, server: Server) -> None:
        """An upload says once how it is encrypted."""
        client = self.prepared(server)
        parts = {1: body_of(70_000), 2: body_of(70_000), 3: body_of(9)}
        done = self.in_parts(client, parts, ServerSideEncryption="AES256")
        self.assertEqual(done["ServerSideEncryption"], "AES256")
        self.assertEqual(self.read(client), b"".join(parts.values()))
        self.assertNotIn(MARK, self.stored())
        sums = b"".join(hashlib.md5(part).digest() for part in parts.values())
        self.assertEqual(done["ETag"], f'"{hashlib.md5(sums).hexdigest()}-3"')

    @served(keys=keys("invoices"))
    def test_named_key(self, server: Server) -> None:
        """``aws:kms``: key and bucket key are told again, the context in answer to writes."""
        client = self.prepared(server)
        wanted = {
            "ServerSideEncryption": "aws:kms",
            "SSEKMSKeyId": "invoices",
            "SSEKMSEncryptionContext": CONTEXT,
            "BucketKeyEnabled": True,
        }
        put = client.put_object(Bucket=BUCKET, Key="k", Body=b"hello", **wanted)
        head = client.head_object(Bucket=BUCKET, Key="k")
        self.assertEqual({name: put[name] for name in wanted}, wanted)
        self.assertNotIn("SSEKMSEncryptionContext", head)
        self.assertEqual((head["SSEKMSKeyId"], head["BucketKeyEnabled"]), ("invoices", True))
        self.assertNotEqual(put["ETag"], f'"{hashlib.md5(b"hello").hexdigest()}"')
        self.assertEqual(self.read(client), b"hello")
        arn = "arn:aws:kms:us-east-1:111122223333:key/invoices"
        for name in (arn, "alias/invoices"):
            put = client.put_object(Bucket=BUCKET, Key="k", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=name)
            self.assertEqual((put["SSEKMSKeyId"], self.read(client)), (name, b"x"))

    @served()
    def test_default_key(self, server: Server) -> None:
        """Without a name it is the key that is made for that."""
        client = self.prepared(server)
        put = client.put_object(Bucket=BUCKET, Key="k", Body=b"hello", ServerSideEncryption="aws:kms")
        self.assertEqual((put["SSEKMSKeyId"], self.read(client)), ("alias/aws/s3", b"hello"))

    @served()
    def test_form(self, server: Server) -> None:
        """A form says it in a field."""
        client = self.prepared(server)
        response = post(server, signed(fields={NAME: "AES256"}), body_of(100))
        self.assertEqual((response.status, response.headers[NAME]), (204, "AES256"))
        self.assertEqual(self.read(client, "key"), body_of(100))
        self.assertNotIn(MARK, self.stored("key"))

    @served()
    def test_refusals(self, server: Server) -> None:
        """What can not be is refused, and changes nothing."""
        client = self.prepared(server)
        client.put_object(Bucket=BUCKET, Key="k", Body=b"old")
        context = (
            f"The header '{NAME}-context' shall be Base64-encoded UTF-8 string holding JSON which represents a "
            "string-string map"
        )
        argument, kms = "InvalidArgument", {NAME: "aws:kms"}
        key_id = f"{NAME}-aws-kms-key-id"
        cases = [
            (argument, "The encryption method specified is not supported", {NAME: "aes:kms"}),
            (argument, "The encryption method specified is not supported", {NAME: ""}),
            (argument, NEEDS_KMS, {key_id: "x"}),
            (argument, NEEDS_KMS, {NAME: "AES256", key_id: "x"}),
            (argument, context, {**kms, f"{NAME}-context": "not base64"}),
            (argument, context, {**kms, f"{NAME}-context": b64encode(b'{"a": 1}').decode()}),
            (argument, context, {**kms, f"{NAME}-context": b64encode(b"[]").decode()}),
            ("KMS.NotFoundException", "Invalid keyId 'missing'", {**kms, key_id: "missing"}),
            ("KMS.NotFoundException", "Invalid keyId 'sse-s3'", {**kms, key_id: "sse-s3"}),
            (
                argument,
                "Server Side Encryption with Customer provided key is incompatible with the encryption method "
                "specified",
                {**kms, **customer_headers()},
            ),
        ]
        for code, message, headers in cases:
            for target in (PATH, f"{PATH}?uploads"):
                method = "PUT" if target == PATH else "POST"
                response = send(server, method, target, b"new" if target == PATH else b"", headers)
                self.assertEqual((response.status, response.code), (400, code), headers)
                self.assertEqual(response.element("Message"), message)
        for kind in ("aws:kms:dsse", "aws:fsx"):
            self.assertEqual(send(server, "PUT", PATH, b"new", {NAME: kind}).status, 501)
        self.assertEqual(self.read(client), b"old")
        self.assertNotIn("Uploads", client.list_multipart_uploads(Bucket=BUCKET))

    @served()
    def test_lost_key(self, server: Server) -> None:
        """Without its key an object is listed, and can not be read."""
        client = self.prepared(server)
        for kind in ("AES256", "aws:kms"):
            client.put_object(Bucket=BUCKET, Key=kind, Body=b"x", ServerSideEncryption=kind)
        services = server.site.resource._gate.services
        services.server_keys._source._keys.clear()
        services.server_keys._known = {}
        for kind in ("AES256", "aws:kms"):
            self.assertEqual(client.head_object(Bucket=BUCKET, Key=kind)["ContentLength"], 1)
            self.refused("KMS.NotFoundException", 400, client.get_object, Bucket=BUCKET, Key=kind)

    @served()
    def test_tampered(self, server: Server) -> None:
        """A file that was changed is a 500, or a body that breaks off: never other bytes."""
        self.addCleanup(lambda: self.flushLoggedErrors(OSError))
        client = self.prepared(server)
        body = body_of(1_000_000)
        client.put_object(Bucket=BUCKET, Key="k", Body=body, ServerSideEncryption="AES256")
        raw = self.stored()
        for at in (5, 100, len(raw) - 1):
            (self.root / BUCKET / "k").write_bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
            if at == len(raw) - 1:
                self.assertRaises((IncompleteReadError, ResponseStreamingError), self.read, client)
                self.assertEqual(self.read(client, Range="bytes=0-99999"), body[:100_000])
            else:
                self.refused("InternalError", 500, self.read, client=client)


class ServerKeysOverTLS(ServerKeys):
    """The same over HTTPS."""

    tls = True


class Defaults(EncryptionTestCase):
    """What a bucket says holds where a request says nothing."""

    @served(keys=keys("invoices"))
    def test_rules(self, server: Server) -> None:
        """A rule is kept, counts from then on, for every way to write, and a request overrules it."""
        client = self.prepared(server)
        client.put_object(Bucket=BUCKET, Key="before", Body=b"plain")
        client.put_bucket_encryption(**rule(**applied("AES256")))
        (found,) = client.get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"]["Rules"]
        self.assertEqual(found, {**applied("AES256"), "BucketKeyEnabled": False})
        put = client.put_object(Bucket=BUCKET, Key="k", Body=body_of(100))
        self.assertEqual(put["ServerSideEncryption"], "AES256")
        self.assertNotIn(MARK, self.stored())
        self.assertEqual(post(server, signed(), b"form").headers[NAME], "AES256")
        copied = client.copy_object(Bucket=BUCKET, Key="copy", CopySource=f"{BUCKET}/before")
        self.assertEqual(copied["ServerSideEncryption"], "AES256")
        upload = client.create_multipart_upload(Bucket=BUCKET, Key="u")
        self.assertEqual(upload["ServerSideEncryption"], "AES256")
        self.assertEqual(self.stored("before"), b"plain")

        client.put_bucket_encryption(**rule(**applied("aws:kms", KMSMasterKeyID="invoices"), BucketKeyEnabled=True))
        put = client.put_object(Bucket=BUCKET, Key="k", Body=b"x")
        found = (put["ServerSideEncryption"], put["SSEKMSKeyId"], put["BucketKeyEnabled"])
        self.assertEqual(found, ("aws:kms", "invoices", True))
        overruled = client.put_object(Bucket=BUCKET, Key="k", Body=b"x", ServerSideEncryption="AES256")
        self.assertEqual(overruled["ServerSideEncryption"], "AES256")
        brought = client.put_object(Bucket=BUCKET, Key="k", Body=b"x", **customer())
        self.assertNotIn("ServerSideEncryption", brought)

        for _ in range(2):
            client.delete_bucket_encryption(Bucket=BUCKET)
        missing = "ServerSideEncryptionConfigurationNotFoundError"
        self.refused(missing, 404, client.get_bucket_encryption, Bucket=BUCKET)
        self.assertNotIn("ServerSideEncryption", client.put_object(Bucket=BUCKET, Key="k", Body=b"plain again"))
        self.assertEqual(self.stored(), b"plain again")

    @served(bucket_defaults=BucketDefaults(encrypted=True))
    def test_server_default(self, server: Server) -> None:
        """With the setting it is as on AWS: every bucket has the rule, and has it again when another one is removed."""
        client = self.prepared(server)
        for _ in range(2):
            (found,) = client.get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"]["Rules"]
            self.assertEqual(found, {**applied("AES256"), "BucketKeyEnabled": False})
            put = client.put_object(Bucket=BUCKET, Key="k", Body=body_of(100))
            self.assertEqual(put["ServerSideEncryption"], "AES256")
            client.put_bucket_encryption(**rule(**applied("aws:kms")))
            self.assertEqual(client.put_object(Bucket=BUCKET, Key="k")["ServerSideEncryption"], "aws:kms")
            client.delete_bucket_encryption(Bucket=BUCKET)

    @served()
    def test_blocked(self, server: Server) -> None:
        """A bucket may refuse customers' keys; a rule that says nothing of that leaves it so."""
        client = self.prepared(server)
        client.put_object(Bucket=BUCKET, Key="k", Body=b"x", **customer())
        begun = client.create_multipart_upload(Bucket=BUCKET, Key="u", **customer())["UploadId"]
        client.put_bucket_encryption(**rule(BlockedEncryptionTypes={"EncryptionType": ["SSE-C"]}))
        for _ in range(2):
            for attempt in (client.put_object, client.create_multipart_upload):
                self.refused("AccessDenied", 403, attempt, Bucket=BUCKET, Key="new", **customer())
            part = {"Bucket": BUCKET, "Key": "u", "UploadId": begun, "PartNumber": 1}
            self.refused("AccessDenied", 403, client.upload_part, **part, **customer())
            self.assertEqual(self.read(client, **customer()), b"x")
            client.put_bucket_encryption(**rule(**applied("AES256")))
        self.assertNotIn("new", [one["Key"] for one in client.list_objects_v2(Bucket=BUCKET)["Contents"]])
        client.put_bucket_encryption(**rule(BlockedEncryptionTypes={"EncryptionType": ["NONE"]}))
        client.put_object(Bucket=BUCKET, Key="new", **customer())

    @served()
    def test_refusals(self, server: Server) -> None:
        """Documents that AWS refuses are refused, and change nothing."""
        client = self.prepared(server)
        client.put_bucket_encryption(**rule(**applied("aws:kms")))
        root, one = "ServerSideEncryptionConfiguration", "ApplyServerSideEncryptionByDefault"
        aes = f"<{one}><SSEAlgorithm>AES256</SSEAlgorithm></{one}>"
        cases = [
            ("MalformedXML", 400, f"<{root}/>"),
            ("MalformedXML", 400, f"<{root}><Rule/></{root}>"),
            ("MalformedXML", 400, f"<{root}><Rule>{aes}</Rule><Rule>{aes}</Rule></{root}>"),
            ("MalformedXML", 400, f"<{root}><Rule>{aes.replace('AES256', 'AES192')}</Rule></{root}>"),
            ("MalformedXML", 400, f"<{root}><Rule><{one}/></Rule></{root}>"),
            ("MalformedXML", 400, f"<{root}><Rule>{aes}<BucketKeyEnabled>maybe</BucketKeyEnabled></Rule></{root}>"),
            (
                "MalformedXML",
                400,
                f"<{root}><Rule><BlockedEncryptionTypes><EncryptionType>AES256</EncryptionType>"
                f"</BlockedEncryptionTypes></Rule></{root}>",
            ),
            (
                "InvalidArgument",
                400,
                f"<{root}><Rule><{one}><SSEAlgorithm>AES256</SSEAlgorithm><KMSMasterKeyID>x</KMSMasterKeyID></{one}>"
                f"</Rule></{root}>",
            ),
            *(
                (
                    "InvalidArgument",
                    400,
                    f"<{root}><Rule><{one}><SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>arn:{odd}:alias/aws/s3"
                    f"</KMSMasterKeyID></{one}></Rule></{root}>",
                )
                for odd in ("\N{CYRILLIC SMALL LETTER KA}", "\n", "&#9;")
            ),
            ("NotImplemented", 501, f"<{root}><Rule>{aes.replace('AES256', 'aws:kms:dsse')}</Rule></{root}>"),
            ("MissingRequestBodyError", 400, ""),
        ]
        for code, status, document in cases:
            response = send(server, "PUT", f"/{BUCKET}?encryption", document.encode())
            self.assertEqual((response.code, response.status), (code, status), document)
        (found,) = client.get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"]["Rules"]
        self.assertEqual(found, {**applied("aws:kms"), "BucketKeyEnabled": False})
        client.put_bucket_encryption(**rule(**applied("aws:kms", KMSMasterKeyID="missing")))
        self.refused("KMS.NotFoundException", 400, client.put_object, Bucket=BUCKET, Key="k")
