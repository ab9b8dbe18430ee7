"""After: the same tests with the fixtures of twisted-s3."""

import boto3
import pytest


def archive(bucket, name, content):
    """The program under test."""
    boto3.client("s3").put_object(Bucket=bucket, Key=f"archive/{name}", Body=content)


@pytest.fixture
def bucket(s3_environment, s3_bucket):
    return s3_bucket


def test_archive(bucket):
    archive(bucket, "2026", b"...")
    found = boto3.client("s3").get_object(Bucket=bucket, Key="archive/2026")
    assert found["Body"].read() == b"..."
