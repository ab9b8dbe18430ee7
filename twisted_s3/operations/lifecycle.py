"""What answers tell of the lifecycle of objects and uploads."""

from __future__ import annotations

from collections.abc import Sequence

from twisted_s3.model import Bucket, ObjectVersion, Upload
from twisted_s3.operations.call import Call
from twisted_s3.operations.configuration import LIFECYCLE, LIFECYCLE_MINIMUM
from twisted_s3.protocol.documentcache import DocumentCache
from twisted_s3.protocol.lifecycle.headers import abort_headers, expiration_headers
from twisted_s3.protocol.lifecycle.rules import Lifecycle


def lifecycle_of(bucket: Bucket | None, known: DocumentCache[[bytes, str], Lifecycle]) -> Lifecycle | None:
    """The lifecycle configuration of a bucket, None for none."""
    text = None if bucket is None else bucket.configuration(LIFECYCLE.name)
    return None if bucket is None or text is None else known.get(text, LIFECYCLE_MINIMUM.of(bucket))


def expiration(call: Call, version: ObjectVersion) -> Sequence[tuple[str, str]]:
    """The header that tells when the current version of the key expires. A request that names a version has none."""
    lifecycle = lifecycle_of(call.bucket, call.services.lifecycles)
    if lifecycle is None or call.parameter("versionId") is not None:
        return []
    return expiration_headers(lifecycle, version)


def abortion(call: Call, upload: Upload) -> Sequence[tuple[str, str]]:
    """The headers that tell when an upload is dropped."""
    lifecycle = lifecycle_of(call.bucket, call.services.lifecycles)
    return [] if lifecycle is None else abort_headers(lifecycle, upload)
