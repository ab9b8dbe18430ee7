"""Reads that fail when the answer has begun, and a data directory that vanishes, through the real front."""

from __future__ import annotations

import errno
import os
import shutil
import ssl
import tempfile
from http.client import HTTPException, IncompleteRead
from pathlib import Path
from typing import Any, cast
from urllib.error import HTTPError
from urllib.request import urlopen

from botocore.exceptions import ClientError
from twisted.internet import reactor
from twisted.python.components import proxyForInterface

from tests.serving import ServingTestCase, coroutine
from tests.storage.kit import pattern
from twisted_s3.storage.filesystem.disk import Descriptor, IDisk
from twisted_s3.storage.filesystem.store import FilesystemStore

_SIZE = 6 << 20
#: So much is read before anything goes wrong.
_GOOD = 1 << 20


class _BadBlock(proxyForInterface(IDisk, "disk")):  # type: ignore[misc]
    """A disk that can not be read beyond the first megabyte of a file.

    :ivar spoiled: whether that is so already.
    """

    spoiled = False

    def fileno(self, descriptor: Descriptor) -> int | None:
        """None: every byte goes through `read`."""
        return None

    def read(self, descriptor: Descriptor, offset: int, length: int) -> bytes:
        """Read, up to there."""
        if self.spoiled and offset + length > _GOOD:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return self.disk.read(descriptor, offset, length)  # type: ignore[no-any-return]

    def read_cached(self, descriptor: Descriptor, offset: int, length: int) -> bytes | None:
        """Nothing is cached."""
        return None

    def copy_range(
        self, source: Descriptor, source_offset: int, target: Descriptor, target_offset: int, length: int
    ) -> None:
        """Copy, up to there."""
        if not self.spoiled:
            self.disk.copy_range(source, source_offset, target, target_offset, length)
            return
        self.disk.copy_range(source, source_offset, target, target_offset, _GOOD - source_offset)
        raise OSError(errno.EIO, os.strerror(errno.EIO))


class _Kit(ServingTestCase):
    disk: _BadBlock | None = None

    def make_store(self) -> FilesystemStore:
        self.root = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        return FilesystemStore(self.root, cast(Any, reactor), durable=False, threads=2, wrap=self.wrap)

    def wrap(self, disk: IDisk) -> IDisk:
        return disk

    def fill(self, client: Any) -> str:
        """Store an object. Gives a URL to read it."""
        client.create_bucket(Bucket="bucket")
        client.put_object(Bucket="bucket", Key="big", Body=pattern(_SIZE))
        return str(client.generate_presigned_url("get_object", {"Bucket": "bucket", "Key": "big"}))

    def code_of(self, call: Any, **arguments: Any) -> tuple[int, str]:
        """The error that a call is answered with."""
        try:
            call(**arguments)
        except ClientError as error:
            return error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"]
        return 200, ""


class BadBlockTests(_Kit):
    """The disk fails in the middle of a GET."""

    def wrap(self, disk: IDisk) -> IDisk:
        self.disk = _BadBlock(disk)
        return self.disk

    @coroutine
    async def test_the_connection_is_cut(self) -> None:
        server = await self.start_server()

        def talk() -> None:
            client = server.client()
            url = self.fill(client)
            assert self.disk is not None
            self.disk.spoiled = True
            response = urlopen(url)
            self.assertEqual(int(response.headers["Content-Length"]), _SIZE)
            # Never a body that looks whole: the length was promised, and is not kept.
            with self.assertRaises((HTTPException, OSError)) as cut:
                response.read()
            if isinstance(cut.exception, IncompleteRead):
                self.assertLess(len(cut.exception.partial), _SIZE)
                self.assertEqual(pattern(_SIZE)[: len(cut.exception.partial)], cut.exception.partial)
            # What can be read is read, and the server lives on.
            first = client.get_object(Bucket="bucket", Key="big", Range="bytes=0-99")["Body"].read()
            self.assertEqual(first, pattern(_SIZE)[:100])
            self.disk.spoiled = False
            self.assertEqual(client.get_object(Bucket="bucket", Key="big")["Body"].read(), pattern(_SIZE))
            server.close_clients()

        await self.in_thread(talk)
        self.assertTrue(self.flushLoggedErrors(OSError))

    @coroutine
    async def test_copies_of_what_can_not_be_read(self) -> None:
        server = await self.start_server()

        def talk() -> None:
            client = server.client()
            self.fill(client)
            assert self.disk is not None
            self.disk.spoiled = True
            source = {"Bucket": "bucket", "Key": "big"}
            # White space may have been sent to keep the connection: then the error comes in a 200.
            _, code = self.code_of(client.copy_object, Bucket="bucket", Key="copy", CopySource=source)
            self.assertEqual(code, "InternalError")
            self.assertEqual(self.code_of(client.head_object, Bucket="bucket", Key="copy")[0], 404)
            self.assertEqual(os.listdir(self.root / ".s3store" / "staging"), [])
            server.close_clients()

        await self.in_thread(talk)


class ShorterFileTests(_Kit):
    """A file becomes shorter while it is sent, with and without ``sendfile``."""

    def cut_while_reading(self, server: Any) -> None:
        client = server.client()
        url = self.fill(client)
        context = None
        if server.authority is not None:
            context = ssl.create_default_context(cafile=server.authority)
        response = urlopen(url, context=context)
        data = response.read(1000)
        os.truncate(self.root / "bucket" / "big", _GOOD)
        with self.assertRaises((HTTPException, OSError)):
            while piece := response.read(1 << 16):
                data += piece
            if len(data) < _SIZE:
                raise IncompleteRead(data)
        self.assertEqual(client.get_object(Bucket="bucket", Key="big")["ContentLength"], _GOOD)
        server.close_clients()

    @coroutine
    async def test_over_http(self) -> None:
        server = await self.start_server()
        await self.in_thread(self.cut_while_reading, server)
        self.assertTrue(self.flushLoggedErrors(OSError))

    @coroutine
    async def test_over_https(self) -> None:
        server = await self.start_server(tls=True)
        await self.in_thread(self.cut_while_reading, server)
        self.assertTrue(self.flushLoggedErrors(OSError))


class VanishedTests(_Kit):
    """The data directory is gone, as when a disk is unmounted. Nobody may take that for an empty store."""

    @coroutine
    async def test_nothing_is_said_not_to_exist(self) -> None:
        server = await self.start_server()

        def talk() -> None:
            client = server.client()
            url = self.fill(client)
            shutil.rmtree(self.root)
            here = {"Bucket": "bucket", "Key": "big"}
            for call, arguments in (
                (client.get_object, here),
                (client.put_object, {**here, "Body": b"1"}),
                (client.delete_object, here),
                (client.list_objects_v2, {"Bucket": "bucket"}),
                (client.list_buckets, {}),
                (client.create_bucket, {"Bucket": "another"}),
                (client.create_multipart_upload, here),
                (client.delete_bucket, {"Bucket": "bucket"}),
            ):
                status, code = self.code_of(call, **arguments)
                self.assertIn((status, code), ((503, "ServiceUnavailable"), (500, "InternalError")), call)
            self.assertIn(self.code_of(client.head_object, **here)[0], (500, 503))
            with self.assertRaises(HTTPError):
                urlopen(url)
            server.close_clients()

        await self.in_thread(talk)
