"""The time of CompleteMultipartUpload for objects of different sizes: ``python -m benchmarks.complete``.

The parts of an upload are of equal size but the last; how many there are, and how large, is the only difference.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from statistics import median

from msgspec import Struct

from tests.proofs.server import Server
from tests.proofs.wire import Answer, Connection, complete_document

MIB = 1 << 20
BUCKET = "/complete"


class Plan(Struct, frozen=True):
    """An upload: ``count`` parts of ``size`` MiB."""

    count: int
    size: int

    @property
    def total(self) -> int:
        """MiB of the object."""
        return self.count * self.size


#: As many parts of growing size, then ever more parts of one size.
SAME_COUNT = (Plan(10, 5), Plan(10, 100), Plan(10, 512))
SAME_SIZE = (Plan(6, 8), Plan(128, 8), Plan(640, 8))


class Uploader:
    """Makes uploads and completes them, on one connection."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._connection = Connection(server.authority)
        self._zeros: tuple[int, bytes, str] = (0, b"", "")

    def complete(self, plan: Plan) -> float:
        """Upload all parts, and give the seconds that completing them takes."""
        key = f"{BUCKET}/object"
        upload = self._call("POST", f"{key}?uploads=").text("UploadId")
        etags = {}
        for number in range(1, plan.count + 1):
            etags[number] = self._put(f"{key}?partNumber={number}&uploadId={upload}", plan.size * MIB)
        document = complete_document(etags)
        began = time.perf_counter()
        self._call("POST", f"{key}?uploadId={upload}", document)
        seconds = time.perf_counter() - began
        length = int(self._call("HEAD", key).headers["content-length"])
        if length != plan.total * MIB:
            raise SystemExit(f"the object has {length} bytes")
        self._call("DELETE", key)
        return seconds

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _put(self, target: str, size: int) -> str:
        if self._zeros[0] != size:
            zeros = bytes(size)
            self._zeros = (size, zeros, sha256(zeros).hexdigest())
        _, zeros, digest = self._zeros
        self._connection.send(self._server.signer.head("PUT", target, {}, digest, size))
        self._connection.send(zeros)
        return self._answer("PUT", target).etag

    def _call(self, method: str, target: str, body: bytes = b"") -> Answer:
        self._connection.send(self._server.signer.request(method, target, None, body))
        return self._answer(method, target)

    def _answer(self, method: str, target: str) -> Answer:
        answer = self._connection.receive(method)
        if answer.status >= 300:
            raise SystemExit(f"{method} {target}: {answer.status} {answer.body.decode()}")
        return answer


def measure(uploader: Uploader, plans: Sequence[Plan], rounds: int) -> None:
    """Print the median, least and most time of each plan, and its ratio to the first."""
    first = 0.0
    for plan in plans:
        seconds = [uploader.complete(plan) for _ in range(rounds)]
        middle = median(seconds)
        first = first or middle
        print(
            f"{plan.total:8} MiB {plan.count:6} x {plan.size:3} MiB"
            f"{middle / first:8.2f}{middle * 1000:10.1f}{min(seconds) * 1000:10.1f}{max(seconds) * 1000:10.1f}",
            flush=True,
        )


def main() -> int:
    """Measure; gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="uploads of each kind")
    parser.add_argument("--durability", choices=("strict", "none"), default="strict")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="where the data goes")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as directory:
        server = Server(Path(directory), arguments=[f"--durability={options.durability}"])
        try:
            server.call("PUT", BUCKET)
            uploader = Uploader(server)
            uploader.complete(SAME_COUNT[0])
            print(f"{'object':>12}{'parts':>17}{'ratio':>9}{'median ms':>10}{'least':>10}{'most':>10}")
            measure(uploader, SAME_COUNT, options.rounds)
            measure(uploader, SAME_SIZE, options.rounds)
            uploader.close()
        finally:
            server.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
