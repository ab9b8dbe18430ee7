"""A server on the reactor of the tests, with trial. It runs with ``trial test_with_trial.py``, too."""

import boto3
import treq
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from twisted_s3.testing import DeferredS3Server


class PhotoTests(TestCase):
    def setUp(self):
        self.s3 = DeferredS3Server()
        self.addCleanup(self.s3.stop)
        return self.s3.start()

    async def test_link(self):
        bucket = await self.s3.create_bucket()
        # Clients that block run in a thread: the reactor must be free to serve them.
        await deferToThread(self.upload, bucket)
        url = self.s3.client().generate_presigned_url("get_object", {"Bucket": bucket, "Key": "cat.jpg"})
        answer = await treq.get(url, persistent=False)
        self.assertEqual(await answer.content(), b"...")

    def upload(self, bucket):
        client = boto3.client("s3", **self.s3.client_arguments)
        client.put_object(Bucket=bucket, Key="cat.jpg", Body=b"...")
        client.close()
