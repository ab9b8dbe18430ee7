"""What the public suite taught, over a real socket."""

from __future__ import annotations

from hashlib import md5
from http.client import HTTPConnection
from urllib.parse import urlsplit

from tests.operations.clients import BUCKET, OperationTestCase, send, served
from tests.serving import Server

KEY = "k"


class Lessons(OperationTestCase):
    """Each was wrong once, or is easily wrong."""

    @served()
    def test_old_signatures(self, server: Server) -> None:
        """A client that signs by SigV2 does its work, on buckets in path style too, which botocore signs otherwise."""
        client = server.client(signature_version="s3")
        client.create_bucket(Bucket=BUCKET)
        client.put_object(Bucket=BUCKET, Key=KEY, Body=b"x", Metadata={"a": "b"})
        self.assertEqual([one["Key"] for one in client.list_objects_v2(Bucket=BUCKET)["Contents"]], [KEY])
        client.head_bucket(Bucket=BUCKET)
        self.assertEqual(self.body(client, KEY), b"x")
        url = urlsplit(client.generate_presigned_url("list_objects", {"Bucket": BUCKET}))
        connection = HTTPConnection(url.netloc, timeout=30)
        try:
            connection.request("GET", f"{url.path}?{url.query}")
            self.assertEqual(connection.getresponse().status, 200)
        finally:
            connection.close()
        client.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": KEY}]})
        client.delete_bucket(Bucket=BUCKET)

    @served()
    def test_content_codings(self, server: Server) -> None:
        """What the body travelled in is taken off; the rest comes back as it was written."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        for sent, kept in (
            ("gzip", "gzip"),
            ("deflate, gzip", "deflate, gzip"),
            ("gzip, aws-chunked", "gzip"),
            ("aws-chunked, gzip", "gzip"),
            ("aws-chunked", None),
        ):
            client.put_object(Bucket=BUCKET, Key=KEY, Body=b"x", ContentEncoding=sent)
            self.assertEqual(client.head_object(Bucket=BUCKET, Key=KEY).get("ContentEncoding"), kept, sent)

    @served()
    def test_tags_in_order(self, server: Server) -> None:
        """Tags come back ordered by key; one without ``=`` has no value."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        self.assertEqual(send(server, "PUT", f"/{BUCKET}/{KEY}", b"x", {"x-amz-tagging": "foo=bar&bar"}).status, 200)
        found = client.get_object_tagging(Bucket=BUCKET, Key=KEY)["TagSet"]
        self.assertEqual(found, [{"Key": "bar", "Value": ""}, {"Key": "foo", "Value": "bar"}])

    @served()
    def test_part_twice(self, server: Server) -> None:
        """A list that names a part twice is not in order, whichever ETag it names; the upload stays."""
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        upload = client.create_multipart_upload(Bucket=BUCKET, Key=KEY)["UploadId"]
        place = {"Bucket": BUCKET, "Key": KEY, "UploadId": upload}
        old = client.upload_part(**place, PartNumber=1, Body=b"old")["ETag"]
        new = client.upload_part(**place, PartNumber=1, Body=b"new")["ETag"]
        for pair in ((old, new), (new, old), (new, new)):
            listed = {"Parts": [{"PartNumber": 1, "ETag": etag} for etag in pair]}
            complete = client.complete_multipart_upload
            self.refused("InvalidPartOrder", 400, complete, **place, MultipartUpload=listed)
        one = {"Parts": [{"PartNumber": 1, "ETag": old}]}
        self.refused("InvalidPart", 400, client.complete_multipart_upload, **place, MultipartUpload=one)
        one = {"Parts": [{"PartNumber": 1, "ETag": f'"{md5(b"new").hexdigest()}"'}]}
        client.complete_multipart_upload(**place, MultipartUpload=one)
        self.assertEqual(self.body(client, KEY), b"new")
