"""Requests without a socket and without a reactor that runs: treq's stub in front of the resource tree."""

import time

import boto3
from treq.testing import StubTreq
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_s3.credentials import Users, canonical_id
from twisted_s3.model import User
from twisted_s3.service import S3Service
from twisted_s3.storage.memory import MemoryStore

ANN = User("ANNSKEY", "anns-secret-key", canonical_id("ANNSKEY"), "ann", administrator=True)


class PhotoTests(SynchronousTestCase):
    def test_upload(self):
        clock = Clock()
        clock.advance(time.time())
        service = S3Service(MemoryStore(clock), Users([ANN]), reactor=clock)
        treq = StubTreq(service.resource)
        signer = boto3.client(
            "s3",
            endpoint_url="http://s3.example",
            region_name="us-east-1",
            aws_access_key_id=ANN.access_key,
            aws_secret_access_key=ANN.secret_key,
        )

        def ask(method, operation, data=None, **parameters):
            url = signer.generate_presigned_url(operation, {"Bucket": "photos", **parameters})
            asked = treq.request(method, url, data=data)
            treq.flush()
            return self.successResultOf(asked)

        self.assertEqual(ask("PUT", "create_bucket").code, 200)
        self.assertEqual(ask("PUT", "put_object", b"...", Key="cat.jpg").code, 200)
        self.assertEqual(self.successResultOf(ask("GET", "get_object", Key="cat.jpg").content()), b"...")
