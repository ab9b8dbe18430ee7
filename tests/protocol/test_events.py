"""Event records, byte for byte as S3 writes them."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from twisted_s3.protocol.events import EVENT_NAMES, Event, check_pattern, event_record

CREATED = Event(
    name="ObjectCreated:Put",
    time=1_000_000_000.5,
    region="us-west-2",
    bucket="amzn-s3-demo-bucket",
    bucket_owner="A3NL1KOZZKExample",
    key="Happy Face.jpg",
    sequencer="0055AED6DCD90281E5",
    size=1024,
    etag="d41d8cd98f00b204e9800998ecf8427e",
    version_id="096fKKXTRTtl3on89fVO.nfljtsv6qko",
    requester="AIDAJDPLRKLG7UEXAMPLE",
    source_address="127.0.0.1",
    request_id="C3D13FE58DE4C810",
)


class Records(SynchronousTestCase):
    """The record of an event."""

    def test_created(self) -> None:
        """All members of the example in the User Guide that this server can know."""
        self.assertEqual(
            event_record(CREATED, "testConfigRule"),
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "awsRegion": "us-west-2",
                "eventTime": "2001-09-09T01:46:40.500Z",
                "eventName": "ObjectCreated:Put",
                "userIdentity": {"principalId": "AIDAJDPLRKLG7UEXAMPLE"},
                "requestParameters": {"sourceIPAddress": "127.0.0.1"},
                "responseElements": {"x-amz-request-id": "C3D13FE58DE4C810"},
                "s3": {
                    "s3SchemaVersion": "1.0",
                    "configurationId": "testConfigRule",
                    "bucket": {
                        "name": "amzn-s3-demo-bucket",
                        "ownerIdentity": {"principalId": "A3NL1KOZZKExample"},
                        "arn": "arn:aws:s3:::amzn-s3-demo-bucket",
                    },
                    "object": {
                        "key": "Happy+Face.jpg",
                        "size": 1024,
                        "eTag": "d41d8cd98f00b204e9800998ecf8427e",
                        "versionId": "096fKKXTRTtl3on89fVO.nfljtsv6qko",
                        "sequencer": "0055AED6DCD90281E5",
                    },
                },
            },
        )

    def test_removed(self) -> None:
        """A removal has neither size nor ETag; nobody is Anonymous; keys are as in a form."""
        record = event_record(Event("ObjectRemoved:Delete", 0.0, "r", "b", "o", "a/b+\u00e9\U0001f600", "0A"))
        self.assertEqual(record["s3"]["object"], {"key": "a/b%2B%C3%A9%F0%9F%98%80", "sequencer": "0A"})
        self.assertEqual(record["userIdentity"], {"principalId": "Anonymous"})
        json.dumps(record)

    def test_patterns(self) -> None:
        """Patterns that some event matches, with and without their prefix."""
        for pattern in ("*", "s3:ObjectCreated:*", "ObjectRemoved:Delete", *EVENT_NAMES):
            self.assertEqual(check_pattern(pattern), pattern.removeprefix("s3:"))
        for pattern in ("", "s3:ObjectMade:*", "ObjectCreated", "s3:s3:ObjectCreated:*"):
            self.assertRaises(ValueError, check_pattern, pattern)
