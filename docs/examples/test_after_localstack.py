"""After: the same tests, and no container. The fixture that started it asks for the server of twisted-s3."""

import boto3
import pytest


class Uploads:
    """The program under test."""

    def __init__(self, client, bucket):
        self.client, self.bucket = client, bucket

    def add(self, name, content, colour):
        self.client.put_object(Bucket=self.bucket, Key=name, Body=content, Metadata={"colour": colour})

    def colour(self, name):
        return self.client.head_object(Bucket=self.bucket, Key=name)["Metadata"]["colour"]


@pytest.fixture(scope="session")
def endpoint(s3_server):
    return {
        "endpoint_url": s3_server.endpoint_url,
        "aws_access_key_id": s3_server.access_key,
        "aws_secret_access_key": s3_server.secret_key,
        "region_name": s3_server.region,
    }


@pytest.fixture
def uploads(endpoint):
    client = boto3.client("s3", **endpoint)
    client.create_bucket(Bucket="uploads")
    return Uploads(client, "uploads")


def test_colour(uploads):
    uploads.add("k", b"...", "red")
    assert uploads.colour("k") == "red"
