"""GetObjectAttributes."""

from __future__ import annotations

from twisted_s3.operations.call import Answer, Call, document
from twisted_s3.operations.encryption import check_key
from twisted_s3.operations.versioning import version_header, version_named
from twisted_s3.protocol.attributes import attributes_document, wanted_attributes
from twisted_s3.protocol.conditions import check_read
from twisted_s3.protocol.dates import format_http_date


async def get_object_attributes(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html

    It needs the right to read the object beside its own.
    """
    await call.authorize("s3:GetObject", call.bucket, call.key, version_id=call.parameter("versionId"))
    wanted = wanted_attributes(call.head)
    version = await call.store.head_object(call.bucket_name, call.key, version_named(call))
    call.hold(version, version_named(call))
    check_key(call, version)
    check_read(call.head, version, call.services.clock.seconds())
    body = attributes_document(call.head, version, wanted)
    modified = ("Last-Modified", format_http_date(version.last_modified))
    return document(body, [modified, *version_header(call.bucket, version)])
