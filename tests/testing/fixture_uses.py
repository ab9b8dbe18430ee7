"""Tests that use the fixtures as others do. `test_pytest_plugin` runs them in a process of their own."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest


def put(client: Any, bucket: str, key: str) -> None:
    """Put something."""
    client.put_object(Bucket=bucket, Key=key, Body=key.encode())


def keys(client: Any, bucket: str) -> list[str]:
    """What is there."""
    return [entry["Key"] for entry in client.list_objects_v2(Bucket=bucket).get("Contents", ())]


def test_asyncio(s3_client: Any, s3_bucket: str) -> None:
    """The server runs beside a loop that waits for clients in threads."""

    async def main() -> None:
        await asyncio.gather(*(asyncio.to_thread(put, s3_client, s3_bucket, f"k{number}") for number in range(8)))

    asyncio.run(main())
    assert keys(s3_client, s3_bucket) == [f"k{number}" for number in range(8)]


def test_threads(s3_client: Any, s3_bucket: str) -> None:
    """Many clients at once."""
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda number: put(s3_client, s3_bucket, f"k{number:03}"), range(64)))
    assert len(keys(s3_client, s3_bucket)) == 64


def fork(target: Any, *args: Any) -> None:
    """Run something in a fork."""
    child = multiprocessing.get_context("fork").Process(target=target, args=args)
    child.start()
    child.join(60)
    assert child.exitcode == 0


def test_fork(s3_environment: Any, s3_bucket: str, s3_client: Any) -> None:
    """A forked process talks to the server of its parent."""
    fork(lambda: put(boto3.session.Session().client("s3"), s3_bucket, "forked"))
    assert keys(s3_client, s3_bucket) == ["forked"]


def test_fork_does_not_stop_the_parents_server(s3_server: Any, s3_client: Any, s3_bucket: str) -> None:
    """What a child stops goes on, and the child can have one of its own."""

    def child() -> None:
        from twisted_s3.testing import S3Server

        with pytest.raises(RuntimeError):
            s3_server.reset()
        s3_server.stop()
        with S3Server() as mine:
            mine.create_bucket("bucket")
            assert [b["Name"] for b in mine.client().list_buckets()["Buckets"]] == ["bucket"]

    fork(child)
    assert keys(s3_client, s3_bucket) == []


@pytest.mark.parametrize("tls", [False, True])
def test_pyarrow(tls: bool, request: Any) -> None:
    """Arrow's own S3 client."""
    fs = pytest.importorskip("pyarrow.fs")
    server = request.getfixturevalue("s3_server_tls" if tls else "s3_server")
    bucket = request.getfixturevalue("s3_bucket_tls" if tls else "s3_bucket")
    scheme, _, address = server.endpoint_url.partition("://")
    trust = {"tls_ca_file_path": server.ca_file} if tls else {}
    arrow = fs.S3FileSystem(
        access_key=server.access_key,
        secret_key=server.secret_key,
        region=server.region,
        scheme=scheme,
        endpoint_override=address,
        **trust,
    )
    with arrow.open_output_stream(f"{bucket}/k") as out:
        out.write(b"x" * 6_000_000)
    assert arrow.get_file_info(f"{bucket}/k").size == 6_000_000


def test_environment_is_restored(s3_environment: Any) -> None:
    """The variables are those of the server."""
    assert os.environ["AWS_ENDPOINT_URL_S3"] == s3_environment["AWS_ENDPOINT_URL_S3"]


def test_one_for_each_worker(s3_server: Any, worker_id: str) -> None:
    """Tells who has which server."""
    with open(os.environ["SEEN"], "a") as seen:
        seen.write(f"{worker_id} {s3_server.endpoint_url}\n")


test_another_for_each_worker = test_one_for_each_worker
test_yet_another_for_each_worker = test_one_for_each_worker
