"""The memory of a server while many slow clients send and fetch large objects: ``python -m benchmarks.memory``.

One daemon of one process takes all connections at once: so many PUTs and so many GETs, each at ``--rate`` MiB/s (0: as
fast as it goes). What counts is the peak of its resident memory, ``VmHWM`` of /proc/PID/status (man 5 proc).
"""

from __future__ import annotations

import argparse
import asyncio
import hmac
import ssl
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from zlib import crc32

from msgspec import Struct

from tests.certificates import Certificate, issue_certificate
from tests.proofs.server import Server
from tests.proofs.wire import Signer

MIB = 1 << 20
PIECE = 64 << 10
BLOCK = bytes(range(256)) * (PIECE // 256)
BUCKET = "/memory"

#: Bytes of an aws-chunk: small ones as boto3 sends, and ones so large that nobody may gather them in memory.
CHUNKS = {"aws-chunked": MIB, "aws-chunked, signed": 16 * MIB}
BODIES = ("fixed length", "chunked", *CHUNKS)


class Load(Struct, frozen=True):
    """What the clients do.

    :ivar clients: how many of each kind.
    :ivar size: bytes of an object.
    :ivar rate: bytes a second of each client, 0 for no limit.
    """

    clients: int
    size: int
    rate: float


class Pace:
    """Holds a client to its rate."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._began = time.monotonic()
        self._done = 0

    async def passed(self, count: int) -> None:
        """So many bytes went: wait until they should have."""
        self._done += count
        if self._rate:
            await asyncio.sleep(max(0.0, self._began + self._done / self._rate - time.monotonic()))


def put_request(signer: Signer, key: str, body: str, size: int) -> tuple[bytes, Iterator[bytes]]:
    """The head and the pieces of a PUT whose body goes as ``body`` says."""
    target = f"{BUCKET}/{key}"
    if body == "fixed length":
        return signer.head("PUT", target, {}, "UNSIGNED-PAYLOAD", size), blocks(size)
    headers = {"Transfer-Encoding": "chunked", "x-amz-decoded-content-length": str(size)}
    if body == "chunked":
        return signer.head("PUT", target, headers, "UNSIGNED-PAYLOAD"), http_chunks(blocks(size))
    headers["Content-Encoding"] = "aws-chunked"
    if body == "aws-chunked":
        headers["x-amz-trailer"] = "x-amz-checksum-crc32"
        head = signer.head("PUT", target, headers, "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
        return head, http_chunks(aws_chunks(size, CHUNKS[body]))
    head = signer.head("PUT", target, headers, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
    return head, http_chunks(signed_chunks(signer, head, size, CHUNKS[body]))


def blocks(size: int) -> Iterator[bytes]:
    """So many bytes, in pieces."""
    for at in range(0, size, PIECE):
        yield BLOCK[: size - at]


def http_chunks(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The chunked coding of HTTP (RFC 9112, section 7.1)."""
    for piece in pieces:
        yield b"%x\r\n%b\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


def aws_chunks(size: int, length: int) -> Iterator[bytes]:
    """The aws-chunked coding with a checksum in the trailer, as boto3 sends it."""
    checksum = 0
    for at in range(0, size, length):
        chunk = min(length, size - at)
        yield b"%x\r\n" % chunk
        for piece in blocks(chunk):
            checksum = crc32(piece, checksum)
            yield piece
        yield b"\r\n"
    yield b"0\r\nx-amz-checksum-crc32:%b\r\n\r\n" % b64encode(checksum.to_bytes(4, "big"))


def signed_chunks(signer: Signer, head: bytes, size: int, length: int) -> Iterator[bytes]:
    """The aws-chunked coding with a signature in every chunk."""
    lines = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
    stamp = lines["X-Amz-Date"]
    signature = lines["Authorization"].rpartition("=")[2]
    scope = (stamp[:8], signer.region, "s3", "aws4_request")
    key = b"AWS4" + signer.secret_key.encode()
    for word in scope:
        key = hmac.digest(key, word.encode(), "sha256")
    nothing = sha256().hexdigest()
    for at in range(0, size + length, length):
        chunk = max(0, min(length, size - at))
        digest = sha256()
        for piece in blocks(chunk):
            digest.update(piece)
        text = "\n".join(("AWS4-HMAC-SHA256-PAYLOAD", stamp, "/".join(scope), signature, nothing, digest.hexdigest()))
        signature = hmac.new(key, text.encode(), "sha256").hexdigest()
        yield b"%x;chunk-signature=%b\r\n" % (chunk, signature.encode())
        yield from blocks(chunk)
        yield b"\r\n"


class Clients:
    """All clients of one server, in one process."""

    def __init__(self, server: Server, context: ssl.SSLContext | None, load: Load) -> None:
        self._server = server
        self._context = context
        self._load = load

    async def prepare(self) -> None:
        """Make the bucket, and the object that is fetched."""
        await self._send(self._server.signer.request("PUT", BUCKET), iter(()), 0)
        await self._send(*put_request(self._server.signer, "source", "fixed length", self._load.size), 0)

    async def run(self, body: str) -> None:
        """Send and fetch, all at once."""
        signer, load = self._server.signer, self._load
        puts = [self._send(*put_request(signer, f"put-{n}", body, load.size), load.rate) for n in range(load.clients)]
        await asyncio.gather(*puts, *(self._fetch() for _ in range(load.clients)))

    async def _send(self, head: bytes, pieces: Iterator[bytes], rate: float) -> None:
        reader, writer = await self._connect()
        pace = Pace(rate)
        writer.write(head)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await pace.passed(len(piece))
        answer = await reader.readuntil(b"\r\n\r\n")
        if not answer.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"{answer.decode()}{(await reader.read(2000)).decode()}")
        writer.close()

    async def _fetch(self) -> None:
        reader, writer = await self._connect()
        pace = Pace(self._load.rate)
        writer.write(self._server.signer.request("GET", f"{BUCKET}/source"))
        answer = await reader.readuntil(b"\r\n\r\n")
        if not answer.startswith(b"HTTP/1.1 200"):
            raise SystemExit(answer.decode())
        got = 0
        while got < self._load.size:
            piece = await reader.read(PIECE)
            if not piece:
                raise SystemExit(f"a GET ended after {got} bytes")
            got += len(piece)
            await pace.passed(len(piece))
        writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, _, port = self._server.authority.partition(":")
        return await asyncio.open_connection(host, int(port), ssl=self._context, limit=PIECE)


def peak(pid: int) -> float:
    """The peak of a process's resident memory, in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("there is no VmHWM in /proc/PID/status")


def measure(folder: Path, body: str, certificate: Certificate | None, load: Load, durability: str) -> tuple[float, ...]:
    """Peak before and with the load, in MiB, and seconds."""
    with tempfile.TemporaryDirectory(dir=folder) as directory:
        arguments = [f"--durability={durability}", "--idle-timeout=600"]
        server = Server(Path(directory), arguments=arguments, certificate=certificate)
        try:
            context = None
            if certificate is not None:
                context = ssl.create_default_context(cafile=str(certificate.certificate))
            clients = Clients(server, context, load)
            asyncio.run(clients.prepare())
            idle = peak(server.pids[""])
            began = time.monotonic()
            asyncio.run(clients.run(body))
            return idle, peak(server.pids[""]), time.monotonic() - began
        finally:
            server.end()


def main() -> int:
    """Measure every kind of body, plain and over TLS; gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=32, help="how many PUTs, and as many GETs")
    parser.add_argument("--size", type=int, default=256, help="MiB of an object")
    parser.add_argument("--rate", type=float, default=1.0, help="MiB/s of each client; 0: no limit")
    parser.add_argument("--limit", type=float, default=200.0, help="MiB that may not be exceeded")
    parser.add_argument("--body", choices=BODIES, action="append", help="kind of body, any number; default all")
    parser.add_argument("--transport", choices=("plain", "TLS"), action="append", help="default both")
    parser.add_argument("--durability", choices=("strict", "none"), default="strict")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="where the data goes")
    options = parser.parse_args()
    load = Load(options.clients, options.size * MIB, options.rate * MIB)
    exceeded = False
    print(f"{options.clients} PUTs and {options.clients} GETs of {options.size} MiB at {options.rate:g} MiB/s each")
    print(f"{'body':22}{'transport':12}{'before MiB':>10}{'peak MiB':>10}{'seconds':>10}", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        certificate = issue_certificate(Path(directory))
        for transport in options.transport or ("plain", "TLS"):
            for body in options.body or BODIES:
                secured = certificate if transport == "TLS" else None
                idle, most, seconds = measure(options.folder, body, secured, load, options.durability)
                exceeded |= most > options.limit
                print(f"{body:22}{transport:12}{idle:10.0f}{most:10.0f}{seconds:10.1f}", flush=True)
    return 1 if exceeded else 0


if __name__ == "__main__":
    sys.exit(main())
