"""Before: tests with LocalStack in a container, which testcontainers starts."""

import boto3
import pytest
from testcontainers.localstack import LocalStackContainer


class Uploads:
    """The program under test."""

    def __init__(self, client, bucket):
        self.client, self.bucket = client, bucket

    def add(self, name, content, colour):
        self.client.put_object(Bucket=self.bucket, Key=name, Body=content, Metadata={"colour": colour})

    def colour(self, name):
        return self.client.head_object(Bucket=self.bucket, Key=name)["Metadata"]["colour"]


@pytest.fixture(scope="session")
def endpoint():
    with LocalStackContainer(image="localstack/localstack:4") as container:
        yield {
            "endpoint_url": container.get_url(),
            "aws_access_key_id": "test",
            "aws_secret_access_key": "test",
            "region_name": "us-east-1",
        }


@pytest.fixture
def uploads(endpoint):
    client = boto3.client("s3", **endpoint)
    client.create_bucket(Bucket="uploads")
    return Uploads(client, "uploads")


def test_colour(uploads):
    uploads.add("k", b"...", "red")
    assert uploads.colour("k") == "red"
