"""What no bucket has here, answered as AWS answers for a bucket without it, and what can only be told one way.

Tools read all of it of every bucket that they manage. What would set it is 501.
"""

from __future__ import annotations

from twisted_s3.errors import S3Error
from twisted_s3.model import Bucket
from twisted_s3.operations.call import SHORT_DOCUMENT, Answer, Call, Handler, Services, document
from twisted_s3.operations.configuration import Accept, Configuration
from twisted_s3.protocol import switches, xmldocs
from twisted_s3.protocol.switches import Switch


def _accepting(switch: Switch) -> Accept:
    def accept(body: bytes, bucket: Bucket, services: Services) -> bytes:
        return switch.write(switch.read(body))

    return accept


def _row(name: str, switch: Switch, word: str, digest: bool = False) -> Configuration:
    return Configuration(
        name, _accepting(switch), default=lambda services: switch.write(word), limit=SHORT_DOCUMENT, digest=digest
    )


#: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketRequestPayment.html
REQUEST_PAYMENT = _row("requestPayment", switches.REQUEST_PAYMENT, "BucketOwner", digest=True)

#: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketAccelerateConfiguration.html
ACCELERATION = _row("accelerate", switches.ACCELERATION, "")

#: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketAbac.html
ABAC = _row("abac", switches.ABAC, "Disabled")


async def get_bucket_replication(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketReplication.html"""
    raise S3Error("ReplicationConfigurationNotFoundError", elements={"BucketName": call.bucket_name})


async def delete_bucket_replication(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketReplication.html"""
    return Answer(204)


async def no_such_configuration(call: Call) -> Answer:
    """The one with an id, of analytics, inventories, metrics or tiers.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketAnalyticsConfiguration.html

    :raise S3Error: ``NoSuchConfiguration``.
    """
    raise S3Error("NoSuchConfiguration")


def no_configurations(root: str) -> Handler:
    """What lists those of one kind, of which there are none.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBucketAnalyticsConfigurations.html

    :param root: the name of the document.
    """

    async def list_configurations(call: Call) -> Answer:
        return document(xmldocs.document(root, xmldocs.element("IsTruncated", "false")))

    return list_configurations
