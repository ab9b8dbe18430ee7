"""One object up, seen, down and away, by boto3 over a real socket."""

from __future__ import annotations

from typing import Any

from tests.serving import Server, ServingTestCase, coroutine


class FirstSlice(ServingTestCase):
    """The life of an object."""

    @coroutine
    async def test_life_of_an_object(self) -> None:
        """PUT, GET, LIST, DELETE."""
        server = await self.start_server()

        def work(server: Server) -> tuple[Any, ...]:
            client = server.client()
            client.create_bucket(Bucket="bucket")
            client.put_object(Bucket="bucket", Key="a/b", Body=b"hello", Metadata={"colour": "blue"})
            got = client.get_object(Bucket="bucket", Key="a/b")
            body = got["Body"].read()
            keys = [entry["Key"] for entry in client.list_objects_v2(Bucket="bucket")["Contents"]]
            client.delete_object(Bucket="bucket", Key="a/b")
            client.delete_bucket(Bucket="bucket")
            return body, got["Metadata"], keys

        self.assertEqual(await self.in_thread(work, server), (b"hello", {"colour": "blue"}, ["a/b"]))
        self.assertEqual([request.passage.operation for request in server.finished][:2], ["CreateBucket", "PutObject"])


class FirstSliceOverTLS(FirstSlice):
    """The same over HTTPS, where boto3 sends its bodies in another way."""

    tls = True
