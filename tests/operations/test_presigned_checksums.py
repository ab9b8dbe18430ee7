"""Checksums in presigned URLs, as the AWS SDK for JavaScript puts them there without knowing the body."""

from __future__ import annotations

from urllib.parse import urlencode

from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.operations.clients import BUCKET, OperationTestCase, Response, send_plain, served
from tests.serving import ALICE, Server
from twisted_s3.protocol import checksums

BODY = b"not empty"


def value_of(algorithm: str, body: bytes) -> str:
    """The checksum of a body."""
    total = checksums.new(algorithm)
    total.update(body)
    return total.value()


def put(server: Server, body: bytes, **query: str) -> Response:
    """Put to a presigned URL with more parameters, all of them signed."""
    named = {name.replace("_", "-"): value for name, value in query.items()}
    request = AWSRequest("PUT", f"{server.url}/{BUCKET}/k?{urlencode(named)}")
    S3SigV4QueryAuth(Credentials(ALICE.access_key, ALICE.secret_key), "s3", "us-east-1").add_auth(request)
    return send_plain(server, "PUT", request.url.removeprefix(server.url), body)


class PresignedChecksums(OperationTestCase):
    """The setting ``presigned_checksums``, each way."""

    @served()
    def test_ignored(self, server: Server) -> None:
        """By default a checksum of no bytes does not count; the one of the body is computed. Others do count."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        for algorithm in checksums.ALGORITHMS:
            said = {f"x_amz_checksum_{algorithm.lower()}": value_of(algorithm, b"")}
            answer = put(server, BODY, **said, x_amz_sdk_checksum_algorithm=algorithm)
            self.assertEqual(answer.status, 200, answer.body)
            head = client.head_object(Bucket=BUCKET, Key="k", ChecksumMode="ENABLED")
            self.assertEqual(head[f"Checksum{algorithm}"], value_of(algorithm, BODY))
            self.assertEqual(put(server, b"", **said).status, 200)
        right = put(server, BODY, x_amz_checksum_crc32=value_of("CRC32", BODY))
        self.assertEqual(right.status, 200)
        wrong = put(server, BODY, x_amz_checksum_crc32=value_of("CRC32", b"other"))
        self.assertEqual((wrong.status, wrong.code), (400, "BadDigest"))
        self.assertEqual(self.body(client, "k"), BODY)

    @served(presigned_checksums=True)
    def test_checked(self, server: Server) -> None:
        """With ``check`` it counts, as everything that is signed."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        said = {"x_amz_checksum_crc32": "AAAAAA==", "x_amz_sdk_checksum_algorithm": "CRC32"}
        answer = put(server, BODY, **said)
        self.assertEqual((answer.status, answer.code), (400, "BadDigest"))
        self.refused("404", 404, client.head_object, Bucket=BUCKET, Key="k")
        self.assertEqual(put(server, b"", **said).status, 200)


class PresignedChecksumsOverTLS(PresignedChecksums):
    """The same over HTTPS."""

    tls = True
