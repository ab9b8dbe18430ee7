"""Event notifications: what happened to an object, and the record that S3 makes of it.

The record follows "Event message structure" in the Amazon S3 User Guide
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html).
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import quote_plus

from msgspec import Struct

from twisted_s3.protocol.dates import format_iso8601_milliseconds

CREATED_PUT = "ObjectCreated:Put"
CREATED_POST = "ObjectCreated:Post"
CREATED_COPY = "ObjectCreated:Copy"
CREATED_MULTIPART = "ObjectCreated:CompleteMultipartUpload"
REMOVED_DELETE = "ObjectRemoved:Delete"
REMOVED_MARKER = "ObjectRemoved:DeleteMarkerCreated"

TAGGING_PUT = "ObjectTagging:Put"
TAGGING_DELETE = "ObjectTagging:Delete"
ACL_PUT = "ObjectAcl:Put"
EXPIRATION_DELETE = "LifecycleExpiration:Delete"
EXPIRATION_MARKER = "LifecycleExpiration:DeleteMarkerCreated"
TRANSITION = "LifecycleTransition"

#: All events that can occur here, by name.
EVENT_NAMES = frozenset(
    {
        *(CREATED_PUT, CREATED_POST, CREATED_COPY, CREATED_MULTIPART),
        *(REMOVED_DELETE, REMOVED_MARKER, TAGGING_PUT, TAGGING_DELETE, ACL_PUT),
        *(EXPIRATION_DELETE, EXPIRATION_MARKER, TRANSITION),
    }
)

_AWS_EVENTS = {
    "ObjectCreated": "Put Post Copy CompleteMultipartUpload",
    "ObjectRemoved": "Delete DeleteMarkerCreated",
    "ObjectRestore": "Post Completed Delete",
    "ObjectTagging": "Put Delete",
    "ObjectAnnotation": "Put Delete",
    "LifecycleExpiration": "Delete DeleteMarkerCreated",
    "Replication": (
        "OperationFailedReplication OperationNotTracked OperationMissedThreshold OperationReplicatedAfterThreshold"
    ),
}

#: All that a notification configuration of AWS can ask for; of some of it nothing will ever be heard here.
#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html
AWS_EVENT_PATTERNS = frozenset(
    {
        *(f"s3:{family}:{kind}" for family, kinds in _AWS_EVENTS.items() for kind in (*kinds.split(), "*")),
        *("s3:ReducedRedundancyLostObject", "s3:LifecycleTransition", "s3:IntelligentTiering", "s3:ObjectAcl:Put"),
        "s3:ObjectRetention:Put",
    }
)


class Event(Struct, frozen=True):
    """Something that happened to an object, after it was committed.

    :ivar name: as in the record, without ``s3:``.
    :ivar time: seconds since the epoch.
    :ivar bucket_owner: canonical id.
    :ivar size: in bytes; None for a removal, as is ``etag``.
    :ivar version_id: None where the bucket is not versioned.
    :ivar sequencer: upper-case hex; of two events of one key the later has the greater one.
    :ivar requester: canonical id of who asked, "" for nobody.
    """

    name: str
    time: float
    region: str
    bucket: str
    bucket_owner: str
    key: str
    sequencer: str
    size: int | None = None
    etag: str | None = None
    version_id: str | None = None
    requester: str = ""
    source_address: str = ""
    request_id: str = ""


def event_record(event: Event, configuration: str = "") -> Mapping[str, Any]:
    """The record of an event, ready for JSON; one of the list ``Records`` of a message.

    :param configuration: the id of the notification configuration that asked for it.
    """
    entity: dict[str, Any] = {"key": quote_plus(event.key, safe="/")}
    if event.size is not None:
        entity["size"] = event.size
    if event.etag is not None:
        entity["eTag"] = event.etag
    if event.version_id is not None:
        entity["versionId"] = event.version_id
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": event.region,
        "eventTime": format_iso8601_milliseconds(event.time),
        "eventName": event.name,
        "userIdentity": {"principalId": event.requester or "Anonymous"},
        "requestParameters": {"sourceIPAddress": event.source_address},
        "responseElements": {"x-amz-request-id": event.request_id},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": configuration,
            "bucket": {
                "name": event.bucket,
                "ownerIdentity": {"principalId": event.bucket_owner},
                "arn": f"arn:aws:s3:::{event.bucket}",
            },
            "object": {**entity, "sequencer": event.sequencer},
        },
    }


def probe_message(bucket: str, time: float, request_id: str, host_id: str = "") -> Mapping[str, Any]:
    """The message that S3 sends to a destination when a configuration names it."""
    return {
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": format_iso8601_milliseconds(time),
        "Bucket": bucket,
        "RequestId": request_id,
        "HostId": host_id,
    }


def check_pattern(pattern: str) -> str:
    """The pattern of event names (``s3:ObjectCreated:*``, ``ObjectRemoved:Delete``, ``*``) without its ``s3:``.

    :raise ValueError: when no event has such a name.
    """
    bare = pattern.removeprefix("s3:")
    if not any(fnmatchcase(name, bare) for name in EVENT_NAMES):
        raise ValueError(f"there is no event {pattern!r}")
    return bare
