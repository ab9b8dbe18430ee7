"""PutBucketLogging and GetBucketLogging."""

from __future__ import annotations

from msgspec import structs

from twisted_s3.errors import S3Error
from twisted_s3.model import Bucket
from twisted_s3.operations.acl import resolver
from twisted_s3.operations.call import Answer, Call, Services, document
from twisted_s3.operations.configuration import Configuration
from twisted_s3.protocol.access.acl import ACL, FULL_CONTROL, LOG_DELIVERY, READ_ACP, WRITE, load_grants
from twisted_s3.protocol.access.ownership import ENFORCED
from twisted_s3.protocol.bucketlogging import NAME, Logging, load_logging, logging_document, parse_logging
from twisted_s3.protocol.policy.documents import parse_bucket_policy
from twisted_s3.protocol.policy.evaluation import Decision, Request, evaluate, resource_arn
from twisted_s3.protocol.policy.principals import Principal
from twisted_s3.protocol.xmldocs import Owner

#: Whom a policy lets deliver logs.
SERVICE = "logging.s3.amazonaws.com"


def _refused(message: str, target: str) -> S3Error:
    return S3Error("InvalidTargetBucketForLogging", message, {"TargetBucket": target})


def _accept(body: bytes, bucket: Bucket, services: Services) -> bytes:
    raise NotImplementedError("the operation brings its own")


#: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLogging.html
LOGGING = Configuration(NAME, _accept, default=lambda services: logging_document(None, Owner))


async def get_bucket_logging(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLogging.html"""
    return document(logging_document(load_logging(LOGGING.require(call)), call.shown_owner))


async def put_bucket_logging(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLogging.html

    The log can go to a bucket of the same owner only.
    """
    body = await call.document(LOGGING.limit)
    if not body.strip():
        raise S3Error("MissingRequestBodyError")
    logging = parse_logging(body, resolver(call))
    if logging is not None:
        await _check_target(call, logging)
    stored = logging_document(logging, Owner)
    await call.store.change_bucket(call.bucket_name, lambda bucket: bucket.with_configuration(NAME, stored))
    return Answer(200)


async def _check_target(call: Call, logging: Logging) -> None:
    """:raise S3Error: ``InvalidTargetBucketForLogging``."""
    assert call.bucket is not None
    try:
        target = await call.store.get_bucket(logging.target)
    except S3Error as error:
        if error.code != "NoSuchBucket":
            raise
        raise _refused("The target bucket for logging does not exist", logging.target) from None
    if structs.replace(call, bucket=target).bucket_owner != call.bucket_owner:
        raise _refused("The owner for the bucket to be logged and the target bucket must be the same.", logging.target)
    if call.services.defaults.ownership_of(target) == ENFORCED:
        if logging.grants:
            raise _refused("Target grants are not supported for buckets with ACLs disabled", logging.target)
        return
    if _allowed_by_policy(call, target, logging.prefix):
        return
    kept = target.configuration(ACL)
    grants = () if kept is None else load_grants(kept)
    given = {grant.permission for grant in grants if grant.grantee == LOG_DELIVERY}
    if FULL_CONTROL not in given and not {WRITE, READ_ACP} <= given:
        message = "You must give the log-delivery group WRITE and READ_ACP permissions to the target bucket"
        raise _refused(message, logging.target)


def _allowed_by_policy(call: Call, target: Bucket, prefix: str) -> bool:
    """Whether the policy of the target lets the service of logs write there what it logs of the bucket."""
    text = target.configuration("policy")
    if text is None:
        return False
    keys = {"aws:sourcearn": (resource_arn(call.bucket_name),), "aws:sourceaccount": (call.bucket_owner,)}
    asked = Request(Principal(service=SERVICE), "s3:PutObject", resource_arn(target.name, prefix), keys)
    return evaluate(parse_bucket_policy(text, target.name).statements, asked) is Decision.ALLOW
