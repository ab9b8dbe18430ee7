"""After: the same tests, and no container. The client is made for the server of twisted-s3."""

from io import BytesIO

import pytest
from minio import Minio


def save(client, bucket, name, content):
    """The program under test."""
    if not client.bucket_exists(bucket):
        client.make_bucket(bucket)
    client.put_object(bucket, name, BytesIO(content), len(content))


@pytest.fixture(scope="session")
def client(s3_server):
    host = s3_server.endpoint_url.removeprefix("http://")
    return Minio(host, access_key=s3_server.access_key, secret_key=s3_server.secret_key, secure=False)


def test_save(client):
    save(client, "reports", "2026", b"...")
    with client.get_object("reports", "2026") as answer:
        assert answer.read() == b"..."
