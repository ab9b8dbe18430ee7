"""An application that keeps thumbnails of all photos, as they come and go."""

from twisted_s3.testing import S3Server


class Thumbnails:
    def __init__(self, events):
        self.kept = {}
        events.subscribe("s3:ObjectCreated:*", self.created, prefix="photos/", suffix=".jpg")
        events.subscribe("s3:ObjectRemoved:*", self.removed, prefix="photos/")

    def created(self, record):
        stored = record["s3"]["object"]
        self.kept[stored["key"]] = stored["size"]

    def removed(self, record):
        self.kept.pop(record["s3"]["object"]["key"], None)


def test_thumbnails():
    with S3Server() as s3:
        thumbnails = Thumbnails(s3.events)
        client, bucket = s3.client(), s3.create_bucket()
        client.put_object(Bucket=bucket, Key="photos/cat.jpg", Body=b"12345")
        client.put_object(Bucket=bucket, Key="notes.txt", Body=b"...")
        assert thumbnails.kept == {"photos/cat.jpg": 5}
        client.delete_object(Bucket=bucket, Key="photos/cat.jpg")
        assert thumbnails.kept == {}
