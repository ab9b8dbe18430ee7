"""From the head of a request to the operation that it means."""

from __future__ import annotations

from collections.abc import Mapping

from twisted_s3.errors import S3Error
from twisted_s3.operations.table import OPERATIONS, Operation
from twisted_s3.protocol.head import RequestHead

#: Parameters that choose an operation and no other may carry: ``PUT key?tagging`` must never be a PutObject.
SUBRESOURCES: frozenset[str] = frozenset(
    {op.subresource for op in OPERATIONS if op.subresource} | {"uploadId", "torrent", "append", "requestPayment"}
)

#: All parameters that say anything about the operation.
_SELECTORS = SUBRESOURCES.union(*(op.selectors for op in OPERATIONS))

_CANDIDATES: Mapping[tuple[str, str], tuple[Operation, ...]] = {
    (level, method): tuple(
        sorted(
            (op for op in OPERATIONS if op.routed and (op.level, op.method) == (level, method)),
            key=lambda op: (len(op.selectors), op.copies),
            reverse=True,
        )
    )
    for level, method in {(op.level, op.method) for op in OPERATIONS}
}


def find_operation(level: str, head: RequestHead) -> Operation:
    """The operation that a request means.

    :raise S3Error: ``MethodNotAllowed``; ``InvalidArgument`` for sub-resources that exclude each other and for a
        parameter that is missing; ``NotImplemented`` for a write with a sub-resource that nobody knows.
    """
    candidates = _CANDIDATES.get((level, head.method))
    if not candidates:
        raise _unroutable(level, head)
    names = head.parameters.keys()
    copies = "x-amz-copy-source" in head.headers
    if not copies and _SELECTORS.isdisjoint(names):
        op = _plain(candidates, level, head)
        if head.method not in ("GET", "HEAD"):
            _refuse_unknown(head)
        return op
    for op in candidates:
        if op.copies <= copies and op.selectors <= names:
            _refuse_strangers(op, head, level)
            return op
    raise _unroutable(level, head)


def _plain(candidates: tuple[Operation, ...], level: str, head: RequestHead) -> Operation:
    last = candidates[-1]
    if last.selectors:
        raise _unroutable(level, head)
    return last


def _refuse_strangers(op: Operation, head: RequestHead, level: str) -> None:
    chosen = op.selectors
    strangers = [name for name in head.parameters if name in SUBRESOURCES and name not in chosen]
    if strangers:
        if op.subresource:
            conflict = ", ".join(sorted({op.subresource, *strangers}))
            raise S3Error(
                "InvalidArgument",
                f"Conflicting query string parameters: {conflict}",
                {"ArgumentName": "ResourceType", "ArgumentValue": strangers[0]},
            )
        raise _unroutable(level, head)
    if head.method not in ("GET", "HEAD"):
        _refuse_unknown(head)


def _refuse_unknown(head: RequestHead) -> None:
    """A bare ``?name`` on a write is a sub-resource that is newer than this table."""
    for name, value in head.parameters.items():
        if not value and name not in SUBRESOURCES and not name.lower().startswith("x-"):
            raise S3Error("NotImplemented", elements={"Header": name})


def _unroutable(level: str, head: RequestHead) -> S3Error:
    """Why no operation takes the request: nothing is built, a parameter is missing, or the method is wrong."""
    asked = SUBRESOURCES & head.parameters.keys()
    related = [
        op
        for op in OPERATIONS
        if op.routed and op.level == level and (asked <= op.selectors if asked else not op.selectors)
    ]
    same = [op for op in related if op.method == head.method]
    if asked and (not related or (same and not any(op.handler for op in same))):
        return S3Error("NotImplemented", elements={"Header": min(asked)})
    if same:
        missing = min(same[0].selectors - head.parameters.keys(), default="")
        return S3Error(
            "InvalidArgument",
            f"This operation needs the query parameter {missing}",
            {"ArgumentName": missing, "ArgumentValue": ""},
        )
    return S3Error(
        "MethodNotAllowed",
        elements={"Method": head.method, "ResourceType": min(asked, default=level).upper()},
        headers={"Allow": ", ".join(sorted({op.method for op in related}))},
    )
