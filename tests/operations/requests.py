"""A request for each operation of the table, good enough to reach its handler."""

from __future__ import annotations

from collections.abc import Mapping

from tests.operations.clients import BUCKET
from twisted_s3.operations.table import BUCKET as AT_BUCKET
from twisted_s3.operations.table import OBJECT, OPERATIONS, Operation

KEY = "k"


def target_of(operation: Operation, bucket: str = BUCKET, key: str = KEY, upload_id: str = "1") -> str:
    """Path and query of a request that means an operation."""
    path = "/"
    if operation.level in (AT_BUCKET, OBJECT):
        path += bucket
    if operation.level == OBJECT:
        path += f"/{key}"
    values = {"uploadId": upload_id, "partNumber": "1", "list-type": "2", "id": "a", "annotationName": "a"}
    query = "&".join(f"{name}={values[name]}" if name in values else name for name in sorted(operation.selectors))
    return f"{path}?{query}" if query else path


def headers_of(operation: Operation, bucket: str = BUCKET, key: str = KEY) -> Mapping[str, str]:
    """What its head has to have."""
    if operation.copies:
        return {"x-amz-copy-source": f"/{bucket}/{key}"}
    if operation.name == "RenameObject":
        return {"x-amz-rename-source": f"/{bucket}/{key}"}
    if operation.name == "GetObjectAttributes":
        return {"x-amz-object-attributes": "ETag"}
    return {}


def built() -> list[Operation]:
    """The operations that are there."""
    return [operation for operation in OPERATIONS if operation.handler is not None]
