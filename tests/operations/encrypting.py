"""What tests of encryption share: customers' keys, and a server over each store."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.internet import reactor

from tests.operations.clients import BUCKET, OperationTestCase
from tests.serving import Server
from twisted_s3.interfaces import IObjectStore
from twisted_s3.storage.filesystem.store import FilesystemStore

KEY, OTHER_KEY = bytes(range(32)), bytes(range(1, 33))
MARK = b"the plain text of the object that nobody should find "


def customer(key: bytes = KEY, source: bool = False) -> dict[str, Any]:
    """The parameters of a boto3 client that bring a customer's key; for the source of a copy, too."""
    found = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": key}
    return {f"CopySource{name}": value for name, value in found.items()} if source else found


def customer_headers(key: bytes = KEY, prefix: str = "x-amz-") -> dict[str, str]:
    """The same as headers."""
    name = f"{prefix}server-side-encryption-customer-"
    return {
        f"{name}algorithm": "AES256",
        f"{name}key": b64encode(key).decode(),
        f"{name}key-MD5": b64encode(hashlib.md5(key).digest()).decode(),
    }


def body_of(size: int) -> bytes:
    """That many bytes, with `MARK` all over."""
    return (MARK * (size // len(MARK) + 1))[:size]


class EncryptionTestCase(OperationTestCase):
    """A server over a directory, with a bucket."""

    def make_store(self) -> IObjectStore:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        return FilesystemStore(self.root, reactor, durable=False)

    def prepared(self, server: Server) -> Any:
        """A client, after its bucket was made."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        return client

    def read(self, client: Any, key: str = "k", **parameters: Any) -> bytes:
        """The bytes of an object."""
        return bytes(client.get_object(Bucket=BUCKET, Key=key, **parameters)["Body"].read())

    def stored(self, key: str = "k") -> bytes:
        """The bytes of its file."""
        return (self.root / BUCKET / key).read_bytes()

    def in_parts(self, client: Any, parts: Mapping[int, bytes], key: str = "k", **parameters: Any) -> dict[str, Any]:
        """Upload an object in parts. Parameters with a customer's key go along with each."""
        upload = client.create_multipart_upload(Bucket=BUCKET, Key=key, **parameters)["UploadId"]
        names = {"Bucket": BUCKET, "Key": key, "UploadId": upload}
        kept = {name: value for name, value in parameters.items() if name.startswith("SSECustomer")}
        listed = []
        for number, body in parts.items():
            answer = client.upload_part(PartNumber=number, Body=body, **names, **kept)
            listed.append({"PartNumber": number, "ETag": answer["ETag"], "ChecksumCRC32": answer["ChecksumCRC32"]})
        listed.sort(key=lambda part: part["PartNumber"])
        return dict(client.complete_multipart_upload(MultipartUpload={"Parts": listed}, **names, **kept))
