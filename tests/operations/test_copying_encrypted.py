"""Copies between all ways to encrypt, also of an object onto itself."""

from __future__ import annotations

import hashlib
from typing import Any

from tests.operations.clients import BUCKET, send, served
from tests.operations.encrypting import KEY, MARK, OTHER_KEY, EncryptionTestCase, body_of, customer
from tests.serving import Server
from twisted_s3.operations.call import ObjectLimits

BODY = body_of(150_000)
WAYS: dict[str, dict[str, Any]] = {
    "plain": {},
    "server": {"ServerSideEncryption": "AES256"},
    "named": {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "alias/aws/s3"},
    "customer": customer(),
    "other": customer(OTHER_KEY),
}


def to_read(way: str) -> dict[str, Any]:
    """The parameters that reading takes."""
    return {name: value for name, value in WAYS[way].items() if name.startswith("SSECustomer")}


def as_source(way: str) -> dict[str, Any]:
    """The parameters that copying from it takes."""
    return {f"CopySource{name}": value for name, value in to_read(way).items()}


class Copies(EncryptionTestCase):
    """What is copied is encrypted as the copy says, not as the source is."""

    def check(self, client: Any, key: str, way: str, body: bytes = BODY) -> None:
        """The object is what it was, and encrypted so."""
        self.assertEqual(self.read(client, key, **to_read(way)), body)
        head = client.head_object(Bucket=BUCKET, Key=key, ChecksumMode="ENABLED", **to_read(way))
        self.assertEqual(head.get("ServerSideEncryption"), WAYS[way].get("ServerSideEncryption"))
        self.assertEqual(head.get("SSECustomerAlgorithm"), WAYS[way].get("SSECustomerAlgorithm"))
        self.assertEqual(MARK in self.stored(key), way == "plain")

    @served()
    def test_matrix(self, server: Server) -> None:
        """From every way to every way."""
        client = self.prepared(server)
        for way, parameters in WAYS.items():
            client.put_object(Bucket=BUCKET, Key=way, Body=BODY, Metadata={"a": "b"}, **parameters)
        md5 = f'"{hashlib.md5(BODY).hexdigest()}"'
        for source in WAYS:
            for target, parameters in WAYS.items():
                key = f"{source}-{target}"
                copied = client.copy_object(
                    Bucket=BUCKET, Key=key, CopySource=f"{BUCKET}/{source}", **parameters, **as_source(source)
                )
                self.check(client, key, target)
                etag = copied["CopyObjectResult"]["ETag"]
                self.assertEqual(etag == md5, target in ("plain", "server"), key)
                head = client.head_object(Bucket=BUCKET, Key=key, **to_read(target))
                self.assertEqual((head["ETag"], head["Metadata"]), (etag, {"a": "b"}))

    @served()
    def test_onto_itself(self, server: Server) -> None:
        """An object may be copied onto itself to encrypt it in another way, or with another key, and back."""
        client = self.prepared(server)
        client.put_object(Bucket=BUCKET, Key="k", Body=BODY)
        before = "plain"
        for way in ("server", "customer", "other", "named", "named"):
            client.copy_object(Bucket=BUCKET, Key="k", CopySource=f"{BUCKET}/k", **WAYS[way], **as_source(before))
            self.check(client, "k", way)
            before = way
        same = {"Bucket": BUCKET, "Key": "k", "CopySource": f"{BUCKET}/k"}
        self.refused("InvalidRequest", 400, client.copy_object, **same)
        self.check(client, "k", "named")
        client.copy_object(**same, MetadataDirective="REPLACE")
        self.check(client, "k", "plain")

    @served(object_limits=ObjectLimits(part=1))
    def test_parts(self, server: Server) -> None:
        """Parts are copied by ranges from every way into every way."""
        client = self.prepared(server)
        for way, parameters in WAYS.items():
            client.put_object(Bucket=BUCKET, Key=way, Body=BODY, **parameters)
        for source in WAYS:
            for target, parameters in WAYS.items():
                upload = client.create_multipart_upload(Bucket=BUCKET, Key="k", **parameters)["UploadId"]
                listed = []
                for number, span in ((1, (10, 80_000)), (2, (65_536, 65_537)), (3, (0, 150_000))):
                    copied = client.upload_part_copy(
                        Bucket=BUCKET,
                        Key="k",
                        UploadId=upload,
                        PartNumber=number,
                        CopySource=f"{BUCKET}/{source}",
                        CopySourceRange=f"bytes={span[0]}-{span[1] - 1}",
                        **as_source(source),
                        **to_read(target),
                    )
                    listed.append({"PartNumber": number, "ETag": copied["CopyPartResult"]["ETag"]})
                client.complete_multipart_upload(
                    Bucket=BUCKET, Key="k", UploadId=upload, MultipartUpload={"Parts": listed}, **to_read(target)
                )
                self.check(client, "k", target, BODY[10:80_000] + BODY[65_536:65_537] + BODY)

    @served()
    def test_refusals(self, server: Server) -> None:
        """A source needs its key, and none that it has no use for."""
        client = self.prepared(server)
        client.put_object(Bucket=BUCKET, Key="customer", Body=BODY, **customer())
        client.put_object(Bucket=BUCKET, Key="plain", Body=BODY)
        wrong = {"CopySourceSSECustomerAlgorithm": "AES256", "CopySourceSSECustomerKey": OTHER_KEY}
        right = {**wrong, "CopySourceSSECustomerKey": KEY}
        cases: list[tuple[str, int, str, dict[str, Any]]] = [
            ("InvalidRequest", 400, "customer", {}),
            ("AccessDenied", 403, "customer", wrong),
            ("InvalidRequest", 400, "plain", right),
        ]
        upload = client.create_multipart_upload(Bucket=BUCKET, Key="k")["UploadId"]
        for code, status, source, parameters in cases:
            whole = {"Bucket": BUCKET, "Key": "k", "CopySource": f"{BUCKET}/{source}", **parameters}
            self.refused(code, status, client.copy_object, **whole)
            self.refused(code, status, client.upload_part_copy, UploadId=upload, PartNumber=1, **whole)
        self.assertEqual(send(server, "HEAD", f"/{BUCKET}/k").status, 404)
        self.assertNotIn("Parts", client.list_parts(Bucket=BUCKET, Key="k", UploadId=upload))
