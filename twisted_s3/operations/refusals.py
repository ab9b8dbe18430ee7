"""Operations that AWS itself refuses, of everybody or of most."""

from __future__ import annotations

from twisted_s3.errors import S3Error
from twisted_s3.operations.call import SHORT_DOCUMENT, Answer, Call
from twisted_s3.operations.versioning import version_named
from twisted_s3.protocol.requestdocs import check_restore_request

#: Storage classes whose objects AWS has to bring back before they can be read.
_ARCHIVES = frozenset(("GLACIER", "DEEP_ARCHIVE"))


async def restore_object(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_RestoreObject.html

    A storage class is a label here, and all objects are at hand: what AWS would bring back is there already, and the
    answer is the one for that. All else is refused as AWS does.
    """
    await call.parsed(check_restore_request, SHORT_DOCUMENT)
    version = await call.store.head_object(call.bucket_name, call.key, version_named(call))
    call.hold(version, version_named(call))
    if version.properties.storage_class not in _ARCHIVES:
        raise S3Error("InvalidObjectState", "Restore is not allowed for the object's current storage class")
    return Answer(200)


async def select_object_content(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_SelectObjectContent.html, closed to new customers."""
    raise _discontinued(call, "SELECT")


async def get_object_torrent(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectTorrent.html, which AWS gave up in 2022."""
    raise _discontinued(call, "TORRENT")


def _discontinued(call: Call, resource: str) -> S3Error:
    return S3Error(
        "MethodNotAllowed",
        elements={"Method": call.head.method, "ResourceType": resource},
        headers={"Allow": "DELETE, GET, HEAD, PUT"},
    )
