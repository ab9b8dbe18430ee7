"""Before: tests with MinIO in a container, which testcontainers starts."""

from io import BytesIO

import pytest
from testcontainers.minio import MinioContainer


def save(client, bucket, name, content):
    """The program under test."""
    if not client.bucket_exists(bucket):
        client.make_bucket(bucket)
    client.put_object(bucket, name, BytesIO(content), len(content))


@pytest.fixture(scope="session")
def client():
    with MinioContainer() as container:
        yield container.get_client()


def test_save(client):
    save(client, "reports", "2026", b"...")
    with client.get_object("reports", "2026") as answer:
        assert answer.read() == b"..."
