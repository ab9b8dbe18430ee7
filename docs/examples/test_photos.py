"""Tests of a small program that keeps photos in a bucket, with the fixtures of twisted-s3."""

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError


def store(client, bucket, name, content):
    """The program under test."""
    client.put_object(Bucket=bucket, Key=f"photos/{name}", Body=content, ContentType="image/jpeg")


def test_store(s3_client, s3_bucket, s3_server):
    store(s3_client, s3_bucket, "cat.jpg", b"...")
    found = s3_client.get_object(Bucket=s3_bucket, Key="photos/cat.jpg")
    assert (found["Body"].read(), found["ContentType"]) == (b"...", "image/jpeg")
    assert s3_server.requests.operations == ["PutObject", "GetObject"]


def test_over_https(s3_client_tls, s3_bucket_tls, s3_server_tls):
    """Over HTTPS boto3 uploads in another way: in chunks, with a checksum behind."""
    store(s3_client_tls, s3_bucket_tls, "cat.jpg", b"...")
    [put] = s3_server_tls.requests.of("PutObject")
    assert put.headers["x-amz-trailer"] == "x-amz-checksum-crc32"


def test_busy(s3_client, s3_bucket, s3_server):
    """S3 says "slow down" twice; boto3 tries again."""
    s3_server.faults.slow_down("PutObject", times=2)
    store(s3_client, s3_bucket, "cat.jpg", b"...")
    assert [put.status for put in s3_server.requests.of("PutObject")] == [503, 503, 200]


def test_download_breaks_off(s3_client, s3_bucket, s3_server):
    store(s3_client, s3_bucket, "cat.jpg", b"x" * 100_000)
    s3_server.faults.cut("GetObject", after=1000)
    body = s3_client.get_object(Bucket=s3_bucket, Key="photos/cat.jpg")["Body"]
    with pytest.raises(Exception, match="IncompleteRead"):
        body.read()


def test_link_expires(s3_server, s3_bucket):
    import urllib.error
    import urllib.request

    client = s3_server.client(config=Config(signature_version="s3v4"))
    store(client, s3_bucket, "cat.jpg", b"...")
    link = client.generate_presigned_url("get_object", {"Bucket": s3_bucket, "Key": "photos/cat.jpg"}, ExpiresIn=3600)
    assert urllib.request.urlopen(link).read() == b"..."
    s3_server.clock.advance(3601)
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(link)


def test_program_that_makes_its_own_client(s3_environment, s3_bucket):
    """SDKs find the server, its keys and its region in the environment."""
    store(boto3.client("s3"), s3_bucket, "cat.jpg", b"...")


def test_nothing_is_left_of_other_tests(s3_client, s3_bucket):
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3_client.get_object(Bucket=s3_bucket, Key="photos/cat.jpg")
