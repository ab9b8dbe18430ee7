"""Tests with s3fs, which has an event loop in a thread, and needs another botocore than boto3."""

from __future__ import annotations

from typing import Any

import pytest
import s3fs


@pytest.mark.parametrize("fixtures", ["s3_server s3_bucket", "s3_server_tls s3_bucket_tls"])
def test_s3fs(fixtures: str, request: Any) -> None:
    """Files through fsspec."""
    server, bucket = map(request.getfixturevalue, fixtures.split())
    files = s3fs.S3FileSystem(**server.storage_options, skip_instance_cache=True)
    with files.open(f"{bucket}/folder/k", "wb") as out:
        out.write(b"x" * 6_000_000)
    assert files.du(f"{bucket}/folder") == 6_000_000
    assert files.cat_file(f"{bucket}/folder/k", start=5, end=8) == b"xxx"
    server.faults.fail("GetObject", "SlowDown")
    assert len(files.cat(f"{bucket}/folder/k")) == 6_000_000


async def sizes(files: Any, bucket: str) -> list[int]:
    """The sizes of all objects, asked on the caller's own loop."""
    return [entry["size"] for entry in await files._ls(bucket, detail=True)]


def test_own_loop(s3_server: Any, s3_bucket: str) -> None:
    """asyncio all the way."""
    import asyncio

    async def main() -> list[int]:
        files = s3fs.S3FileSystem(**s3_server.storage_options, asynchronous=True, skip_instance_cache=True)
        session = await files.set_session()
        await files._pipe_file(f"{s3_bucket}/k", b"12345")
        found = await sizes(files, s3_bucket)
        await session.close()
        return found

    assert asyncio.run(main()) == [5]
