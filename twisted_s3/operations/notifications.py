"""PutBucketNotificationConfiguration and GetBucketNotificationConfiguration."""

from __future__ import annotations

from uuid import uuid4

from msgspec import structs

from twisted_s3.errors import S3Error
from twisted_s3.model import Bucket
from twisted_s3.operations.call import Answer, Call, Services
from twisted_s3.operations.configuration import Configuration
from twisted_s3.protocol.notification import (
    NAME,
    check_destinations,
    load_notification,
    notification_document,
    parse_notification,
)

_SKIP = "x-amz-skip-destination-validation"


def _accept(body: bytes, bucket: Bucket, services: Services, skip: bool = False) -> bytes:
    rules = parse_notification(body, lambda: str(uuid4()))
    targets = () if services.notifier is None else services.notifier.targets
    check_destinations(rules, services.region, targets, skip)
    return notification_document(rules)


#: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketNotificationConfiguration.html
NOTIFICATION = Configuration(NAME, _accept, default=lambda services: notification_document(()))


async def put_bucket_notification_configuration(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketNotificationConfiguration.html

    Each destination gets a test message.
    """
    skip = (call.head.header(_SKIP) or "false").lower()
    if skip not in ("true", "false"):
        raise S3Error("InvalidArgument", elements={"ArgumentName": _SKIP, "ArgumentValue": skip})
    stored: list[bytes] = []

    def accept(body: bytes, bucket: Bucket, services: Services) -> bytes:
        stored.append(_accept(body, bucket, services, skip == "true"))
        return stored[-1]

    answer = await structs.replace(NOTIFICATION, accept=accept).put(call)
    if call.services.notifier is not None:
        await call.services.notifier.probe(call.bucket_name, load_notification(stored[-1]), call.origin.request_id)
    return answer
