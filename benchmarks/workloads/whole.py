"""Objects of 1 GiB: uploaded in parts, completed, copied."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from functools import partial

from benchmarks.servers import Server
from benchmarks.streams import MIB, Client, side_by_side
from benchmarks.work import Figures, Metric, Place, Workload
from benchmarks.workloads.large import BUCKET, CONNECTIONS, huge_stored

UPLOAD = re.compile(rb"<UploadId>([^<]*)</UploadId>")
PART = 8 * MIB


def multipart(place: Place, server: Server) -> Figures:
    """1 GiB in parts of 8 MiB, some at a time; then Complete."""
    return _upload(server, f"/{BUCKET}/parts-{place.fresh()}", place.scale.huge)


def multipart_huge(place: Place, server: Server) -> Figures:
    """Five times as much, to see whether Complete takes longer."""
    return _upload(server, f"/{BUCKET}/parts-{place.fresh()}", 5 * place.scale.huge)


def bucket_there(place: Place, server: Server) -> None:
    """The bucket is there."""
    server.create_bucket(BUCKET)


def _upload(server: Server, path: str, size: int) -> Figures:
    numbers = range(1, -(-size // PART) + 1)
    began = time.perf_counter()
    # A connection for each step: nanio closes one that is idle for five seconds.
    with server.client() as client:
        answer = _good(client.call("POST", server.target("POST", path, {"uploads": ""})), "CreateMultipartUpload")
    upload = UPLOAD.search(answer)[1].decode()
    shares = [numbers[at::CONNECTIONS] for at in range(CONNECTIONS)]
    etags: dict[int, str] = {}
    side_by_side([partial(_parts, server, path, upload, share, size, etags) for share in shares])
    parts = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{etags[n]}</ETag></Part>" for n in numbers)
    body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
    with server.client() as client:
        target = server.target("POST", path, {"uploadId": upload})
        before = time.perf_counter()
        answer = _good(client.call("POST", target, body=body), "CompleteMultipartUpload")
        ended = time.perf_counter()
        if b"<Error>" in answer:
            raise RuntimeError(f"CompleteMultipartUpload: {answer}")
        _check_and_delete(client, server, path, size)
    return {"throughput": size / 1e6 / (ended - began), "Complete": (ended - before) * 1000}


def _parts(server: Server, path: str, upload: str, numbers: Sequence[int], size: int, etags: dict[int, str]) -> float:
    with server.client() as client:
        for number in numbers:
            target = server.target("PUT", path, {"partNumber": str(number), "uploadId": upload})
            answer = client.call("PUT", target, size=min(PART, size - (number - 1) * PART))
            _good(answer, "UploadPart")
            etags[number] = answer.headers["etag"]
    return 0.0


def copy(place: Place, server: Server) -> Figures:
    """CopyObject of 1 GiB."""
    source = f"/{BUCKET}/huge"
    path = f"/{BUCKET}/copy-{place.fresh()}"
    with server.client() as client:
        method, headers = server.copying(source, path)
        target = server.target(method, source if method == "COPY" else path, headers=_signed(headers))
        began = time.perf_counter()
        answer = _good(client.call(method, target, headers), "CopyObject")
        seconds = time.perf_counter() - began
        if b"<Error>" in answer:
            raise RuntimeError(f"CopyObject: {answer}")
        _check_and_delete(client, server, path, place.scale.huge)
    return {"time": seconds}


def _signed(headers: Mapping[str, str]) -> Mapping[str, str]:
    return {name: value for name, value in headers.items() if name.startswith("x-amz-")}


def _good(answer: object, what: str) -> bytes:
    if answer.status >= 300:
        raise RuntimeError(f"{what}: {answer}")
    return answer.body


def _check_and_delete(client: Client, server: Server, path: str, size: int) -> None:
    answer = client.call("HEAD", server.target("HEAD", path))
    length = int(answer.headers.get("content-length", 0))
    _good(client.call("DELETE", server.target("DELETE", path)), "DELETE")
    if answer.status != 200 or length != size:
        raise RuntimeError(f"HEAD of the new object: {answer.status}, {length} bytes")


PARTS = (Metric("throughput", "MB/s"), Metric("Complete", "ms", False))

NEEDS = ("multipart",)

WORKLOADS = (
    Workload("multipart-1g", "1 GiB in parts of 8 MiB", PARTS, multipart, bucket_there, writes=True, needs=NEEDS),
    Workload(
        "multipart-5g",
        "5 GiB in parts of 8 MiB",
        PARTS,
        multipart_huge,
        bucket_there,
        writes=True,
        needs=NEEDS,
        rivals=False,
        once=True,
    ),
    Workload("copy-1g", "CopyObject 1 GiB", (Metric("time", "s", False),), copy, huge_stored, writes=True),
)
