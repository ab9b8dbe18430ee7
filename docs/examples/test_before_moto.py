"""Before: tests with moto."""

import boto3
import pytest
from moto import mock_aws


def archive(bucket, name, content):
    """The program under test."""
    boto3.client("s3").put_object(Bucket=bucket, Key=f"archive/{name}", Body=content)


@pytest.fixture
def bucket():
    with mock_aws():
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="archives")
        yield "archives"


def test_archive(bucket, monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    archive(bucket, "2026", b"...")
    found = boto3.client("s3").get_object(Bucket=bucket, Key="archive/2026")
    assert found["Body"].read() == b"..."
