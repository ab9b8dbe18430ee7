"""The arithmetic of multipart uploads: what an object made of parts is called, and what its checksum is.

"Uploading and copying objects using multipart upload" and "Checking object integrity" in the Amazon S3 User Guide.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence

from msgspec import structs

from twisted_s3.errors import S3Error
from twisted_s3.model import COMPOSITE, FULL_OBJECT, Part
from twisted_s3.protocol import checksums
from twisted_s3.protocol.head import RequestHead
from twisted_s3.protocol.requestdocs import CompletedPart

MAX_PARTS = 10_000

_FULL_ONLY = ("CRC64NVME",)
_OBJECT_SIZE = "x-amz-mp-object-size"


def part_number(text: str | None) -> int:
    """Read ``partNumber``. :raise S3Error: ``InvalidArgument``."""
    if text is None or not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= MAX_PARTS):
        raise S3Error(
            "InvalidArgument",
            f"Part number must be an integer between 1 and {MAX_PARTS}, inclusive",
            {"ArgumentName": "partNumber", "ArgumentValue": text or ""},
        )
    return int(text)


def declared_checksum(head: RequestHead) -> tuple[str, str]:
    """The checksum algorithm and type that CreateMultipartUpload asks for, both "" if it does not.

    :raise S3Error: ``InvalidRequest`` for an unknown algorithm, or a type that it does not have.
    """
    algorithm = (head.header("x-amz-checksum-algorithm") or "").upper()
    kind = (head.header("x-amz-checksum-type") or "").upper()
    if not algorithm:
        if kind:
            raise S3Error(
                "InvalidRequest",
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
            )
        return "", ""
    checksums.check_supported(algorithm)
    if not kind:
        return algorithm, FULL_OBJECT if algorithm in _FULL_ONLY else COMPOSITE
    if kind not in (COMPOSITE, FULL_OBJECT):
        raise S3Error("InvalidRequest", "Value for x-amz-checksum-type header is invalid.")
    # Only what can be combined out of the parts can cover the whole object.
    fits = algorithm not in _FULL_ONLY if kind == COMPOSITE else checksums.ALGORITHMS[algorithm].combine is not None
    if not fits:
        raise S3Error(
            "InvalidRequest",
            f"The {kind} checksum type cannot be used with the {algorithm.lower()} checksum algorithm.",
        )
    return algorithm, kind


def check_part_algorithm(head: RequestHead, algorithm: str) -> None:
    """Hold the checksum that comes with a part against the algorithm of its upload, "" for any.

    :raise S3Error: ``InvalidRequest``.
    """
    names = [*head.headers, *(head.header("x-amz-trailer") or "").split(",")]
    for sent in filter(None, (checksums.algorithm_of(name.strip().lower()) for name in names)):
        if algorithm and sent != algorithm:
            raise _mismatch(algorithm, sent)


def without_checksums(head: RequestHead) -> RequestHead:
    """The head without the checksums that it carries."""
    headers = {name: values for name, values in head.headers.items() if not name.startswith("x-amz-checksum-")}
    return structs.replace(head, headers=headers)


def check_object_claims(head: RequestHead, parts: Sequence[Part], algorithm: str, kind: str, computed: str) -> None:
    """Hold what the head of a CompleteMultipartUpload claims of the object against what it comes to.

    :param kind: ``COMPOSITE`` or ``FULL_OBJECT``, as the upload was begun.
    :param computed: the object's checksum; for a ``COMPOSITE`` one with the number of parts.
    :raise S3Error: ``InvalidRequest`` for another algorithm, type or size, and for what is none; ``BadDigest``.
    """
    claimed = head.header("x-amz-checksum-type")
    if claimed is not None and claimed.upper() != kind:
        raise S3Error(
            "InvalidRequest",
            f"The upload was created using the {kind} checksum mode. "
            "The complete request must use the same checksum mode.",
        )
    for name in head.headers:
        sent = checksums.algorithm_of(name)
        if sent is not None:
            _check_object_checksum(sent, head.header(name) or "", algorithm, computed)
    size = head.header(_OBJECT_SIZE)
    if size is not None:
        _check_object_size(size, sum(part.size for part in parts))


def _check_object_checksum(sent: str, value: str, algorithm: str, computed: str) -> None:
    if sent != algorithm:
        raise _mismatch(algorithm, sent)
    # The number of parts may be left out.
    if not checksums.well_formed(algorithm, value.partition("-")[0]):
        raise S3Error("InvalidRequest", f"Value for {checksums.header_name(algorithm)} header is invalid.")
    if value not in (computed, computed.partition("-")[0]):
        raise S3Error("BadDigest", f"The {algorithm.lower()} you specified did not match the calculated checksum.")


def _check_object_size(claimed: str, size: int) -> None:
    if re.fullmatch("-?[0-9]{1,18}", claimed) is None:
        raise S3Error("InvalidRequest", f"Value for {_OBJECT_SIZE} header is invalid: '{claimed}'")
    if int(claimed) < 0:
        raise S3Error("InvalidRequest", f"Value for {_OBJECT_SIZE} header is less than zero: '{claimed}'")
    if int(claimed) != size:
        raise S3Error(
            "InvalidRequest",
            f"The provided '{_OBJECT_SIZE}' header value {claimed} does not match what was computed: {size}",
        )


def check_part_claims(wanted: Sequence[CompletedPart], algorithm: str, kind: str) -> None:
    """Hold the form of the checksums in a CompleteMultipartUpload against how the upload was begun.

    AWS wants one for each part of an upload with a ``COMPOSITE`` checksum. So do we once there is one: a client that
    names none at all does not know of checksums, and ours were made when the parts came.

    :param algorithm: "" when the upload was begun without.
    :raise S3Error: ``InvalidRequest``, ``InvalidArgument``.
    """
    for claim in wanted:
        if len(claim.checksums) > 1 or not all(map(checksums.well_formed, claim.checksums, claim.checksums.values())):
            raise S3Error("InvalidArgument", "Invalid Base64 or multiple checksums present in request")
    if algorithm and kind == COMPOSITE and any(claim.checksums for claim in wanted):
        for claim in wanted:
            if not claim.checksums:
                raise S3Error(
                    "InvalidRequest",
                    f"The upload was created using a {algorithm.lower()} checksum. The complete request must include "
                    f"the checksum for each part. It was missing for part {claim.number} in the request.",
                )


def _mismatch(expected: str, actual: str) -> S3Error:
    return S3Error(
        "InvalidRequest",
        f"Checksum Type mismatch occurred, expected checksum Type: {expected.lower()}, "
        f"actual checksum Type: {actual.lower()}",
    )


def chosen_parts(wanted: Sequence[CompletedPart], stored: Sequence[Part], least: int) -> Sequence[Part]:
    """The stored parts that CompleteMultipartUpload names.

    :param least: bytes that every part but the last must have.
    :raise S3Error: ``InvalidPartOrder``, ``InvalidPart``, ``EntityTooSmall``.
    """
    by_number: Mapping[int, Part] = {part.number: part for part in stored}
    numbers = [claim.number for claim in wanted]
    if numbers != sorted(set(numbers)):
        raise S3Error("InvalidPartOrder")
    chosen: list[Part] = []
    for claim in wanted:
        part = by_number.get(claim.number)
        if part is None or part.etag != claim.etag or not _agrees(claim, part):
            raise S3Error("InvalidPart", elements={"PartNumber": str(claim.number), "ETag": claim.etag})
        chosen.append(part)
    for part in chosen[:-1]:
        if part.size < least:
            raise S3Error(
                "EntityTooSmall",
                elements={
                    "ProposedSize": str(part.size),
                    "MinSizeAllowed": str(least),
                    "PartNumber": str(part.number),
                    "ETag": part.etag,
                },
            )
    return chosen


def _agrees(claim: CompletedPart, part: Part) -> bool:
    return all(part.checksums.get(algorithm) == value for algorithm, value in claim.checksums.items())


def object_etag(parts: Sequence[Part]) -> str:
    """The ETag of the object: the MD5 of its parts' MD5s, and their number."""
    digests = b"".join(bytes.fromhex(part.etag) for part in parts)
    return f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"


def object_checksum(parts: Sequence[Part], algorithm: str, kind: str) -> str:
    """The checksum of the object out of those of its parts, no byte read again.

    :param kind: ``COMPOSITE`` or ``FULL_OBJECT``.
    """
    if kind == COMPOSITE:
        return checksums.composite(algorithm, [part.checksums[algorithm] for part in parts])
    return checksums.combine(algorithm, [(part.checksums[algorithm], part.size) for part in parts])
