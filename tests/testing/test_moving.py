"""What the page on moving says about this server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

from botocore.exceptions import ClientError
from twisted.trial.unittest import SynchronousTestCase

from twisted_s3.testing import S3Server


class Stricter(SynchronousTestCase):
    """What moto accepts."""

    def setUp(self) -> None:
        """A server with a bucket."""
        self.s3 = S3Server().start()
        self.addCleanup(self.s3.stop)
        self.s3.create_bucket("bucket")
        self.client = self.s3.client()

    def refused(self, call: Callable[..., Any], **arguments: Any) -> str:
        """The code with which a call is refused."""
        with self.assertRaises(ClientError) as caught:
            call(**arguments)
        return str(caught.exception.response["Error"]["Code"])

    def test_keys_and_signatures(self) -> None:
        """They are checked."""
        stranger = self.s3.client(aws_access_key_id="STRANGER")
        self.assertEqual(self.refused(stranger.list_buckets), "InvalidAccessKeyId")
        forger = self.s3.client(aws_secret_access_key="a guess")
        self.assertEqual(self.refused(forger.list_buckets), "SignatureDoesNotMatch")

    def test_region(self) -> None:
        """It must be the server's. boto3 learns that from the refusal, and signs again."""
        self.s3.client(region_name="eu-west-3").put_object(Bucket="bucket", Key="k", Body=b"v")
        errors = [request.error for request in self.s3.requests]
        self.assertEqual((errors[0], errors[-1]), ("AuthorizationHeaderMalformed", ""))

    def test_digests(self) -> None:
        """Wrong ones are refused."""
        for digest in (
            {"ContentMD5": "AAAAAAAAAAAAAAAAAAAAAA=="},
            {"ChecksumCRC32": "AAAAAA=="},
            {"ChecksumSHA256": "A" * 43 + "="},
        ):
            code = self.refused(self.client.put_object, Bucket="bucket", Key="k", Body=b"v", **digest)
            self.assertEqual(code, "BadDigest")

    def test_anonymous(self) -> None:
        """Nobody is somebody without a signature."""
        with self.assertRaises(HTTPError) as caught:
            urlopen(f"{self.s3.endpoint_url}/bucket")
        with caught.exception as refused:
            self.assertIn(b"<Code>AccessDenied</Code>", refused.read())

    def test_not_implemented(self) -> None:
        """What is not there says so."""
        call = self.client.put_bucket_metrics_configuration
        code = self.refused(call, Bucket="bucket", Id="x", MetricsConfiguration={"Id": "x"})
        self.assertEqual(code, "NotImplemented")

    def test_keys(self) -> None:
        """All that S3 allows."""
        keys = ["..", "a", "a/b", "x//y"]
        for key in keys:
            self.client.put_object(Bucket="bucket", Key=key, Body=b"v")
        listed = self.client.list_objects_v2(Bucket="bucket")["Contents"]
        self.assertEqual([entry["Key"] for entry in listed], keys)
