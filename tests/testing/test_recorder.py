"""What a server tells of the requests that it has answered."""

from __future__ import annotations

import io

from boto3.s3.transfer import TransferConfig
from twisted.trial.unittest import SynchronousTestCase

from twisted_s3.testing import S3Server
from twisted_s3.testing.recorder import Recorder


class Requests(SynchronousTestCase):
    """Requests with the names of their operations."""

    def test_operations(self) -> None:
        """In the order in which they ended, and there before their clients have the answer."""
        with S3Server() as s3:
            client = s3.client()
            client.create_bucket(Bucket="bucket")
            for number in range(50):
                client.put_object(Bucket="bucket", Key=f"k{number}", Body=b"v")
                self.assertEqual(len(s3.requests), number + 2)
            s3.requests.clear()
            client.upload_fileobj(
                io.BytesIO(bytes(11 << 20)), "bucket", "large", Config=TransferConfig(max_concurrency=1)
            )
            self.assertEqual(
                s3.requests.operations,
                ["CreateMultipartUpload", "UploadPart", "UploadPart", "CompleteMultipartUpload"],
            )
            self.assertEqual(sum(part.received for part in s3.requests.of("UploadPart")), 11 << 20)

    def test_what_is_told(self) -> None:
        """All that an assertion may want to know."""
        with S3Server(tls=True) as s3:
            s3.create_bucket("bucket")
            s3.client().put_object(Bucket="bucket", Key="a b", Body=b"value", Metadata={"colour": "red"})
            [put] = s3.requests
            self.assertEqual((put.operation, put.bucket, put.key, put.method), ("PutObject", "bucket", "a b", "PUT"))
            self.assertEqual((put.status, put.error, put.secure, put.access_key), (200, "", True, s3.access_key))
            self.assertEqual((put.target, put.headers["x-amz-meta-colour"]), ("/bucket/a%20b", "red"))
            self.assertGreater(put.received, 5)

    def test_limit(self) -> None:
        """Only so many are kept."""
        recorder = Recorder(limit=2)
        for _ in range(3):
            recorder.record(None)  # type: ignore[arg-type]
        self.assertEqual(len(recorder), 2)
