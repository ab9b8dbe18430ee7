"""Shows in which order a write reaches the disk: ``python -m tests.proofs.syscall_order``.

A real daemon runs under strace and takes one write of each kind. Every answer must come after
write < fsync(file) < link or rename < fsync(directory), each step ended before the next begins.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import md5
from itertools import pairwise
from pathlib import Path
from shutil import which

from msgspec import Struct

from tests.proofs.server import Server
from tests.proofs.strace import SystemCall, command, parse
from tests.proofs.wire import complete_document

BUCKET = "bucket"
LARGE = 3 << 20
PART = 5 << 20

_FILE = re.compile(r"\d+<([^>]*)>")
_TARGET = re.compile(r'.*\d+<([^>]*)>, "([^"]*)"(?:, [A-Z_|0]+)?', re.DOTALL)
_WRITES = ("pwrite64", "pwritev", "pwritev2", "copy_file_range")
_NAMINGS = ("link", "linkat", "rename", "renameat", "renameat2")


class OutOfOrder(Exception):
    """A step is missing, or began before the one before it had ended."""


class Episode(Struct, frozen=True):
    """The calls of one request, up to its answer.

    :ivar data: the data directory.
    """

    data: Path
    calls: Sequence[SystemCall]

    def writes(self, path: str | None = None) -> Sequence[SystemCall]:
        """Writes of bytes and attributes to a file, by default to the temporary."""
        names = (*_WRITES, "fsetxattr", "ftruncate")
        return [call for call in self.calls if call.name in names and self._touches(call, path)]

    def syncs(self, path: str | None = None) -> Sequence[SystemCall]:
        """Syncs of a file, by default of the temporary; the last counts."""
        return [call for call in self.calls if call.name == "fsync" and self._touches(call, path)][-1:]

    def namings(self, path: str) -> Sequence[SystemCall]:
        """Links and renames to a path."""
        return [call for call in self.calls if call.name in _NAMINGS and self._target(call) == path]

    def removals(self, path: str) -> Sequence[SystemCall]:
        """Removals of a path."""
        return [call for call in self.calls if call.name == "unlinkat" and self._target(call) == path]

    def folder_syncs(self, *paths: str) -> Sequence[SystemCall]:
        """The first sync of each of the directories. :raise OutOfOrder: when one is missing."""
        found = []
        for path in paths:
            syncs = [call for call in self.calls if call.name == "fsync" and self._file(call) == path]
            if not syncs:
                raise OutOfOrder(f"{path or 'the data directory'} is not synced")
            found.append(syncs[-1])
        return found

    @property
    def answer(self) -> Sequence[SystemCall]:
        """The answer on the socket."""
        return self.calls[-1:]

    def _touches(self, call: SystemCall, path: str | None) -> bool:
        file = self._file(call)
        return file == path if path is not None else file is not None and file.startswith(".s3store/staging/#")

    def _file(self, call: SystemCall) -> str | None:
        # The target of copy_file_range is its second descriptor.
        found = _FILE.findall(call.arguments)
        return self._relative(found[-1]) if found else None

    def _target(self, call: SystemCall) -> str | None:
        match = _TARGET.fullmatch(call.arguments)
        return None if match is None else self._relative(os.path.join(*match.groups()))

    def _relative(self, path: str) -> str | None:
        return None if not path.startswith(str(self.data)) else path[len(str(self.data)) :].strip("/")


def require_order(*steps: Sequence[SystemCall]) -> None:
    """:raise OutOfOrder: unless each step is there and has ended before the next begins."""
    for number, step in enumerate(steps, 1):
        if not step:
            raise OutOfOrder(f"step {number} of {len(steps)} is missing")
    for before, after in pairwise(steps):
        last, first = max(before, key=lambda call: call.ended), min(after, key=lambda call: call.begun)
        if last.ended >= first.begun:
            raise OutOfOrder(f"{first} begins before {last} has ended")


def check_object(episode: Episode, path: str, *above: str, source: str | None = None) -> None:
    """A file, by default the temporary, becomes the object at ``path``; ``above`` are made for it."""
    path = f"{BUCKET}/{path}" if not path.startswith(".s3store") else path
    require_order(
        episode.writes(source),
        episode.syncs(source),
        episode.namings(path),
        episode.folder_syncs(os.path.dirname(path), *(f"{BUCKET}/{name}".rstrip("/") for name in above)),
        episode.answer,
    )


def check_part(episode: Episode, folder: str, number: int, place: str) -> None:
    """Bytes and name of a part are durable before its record is, and this before the answer."""
    record = f"{folder}/parts/{number}"
    bytes_of_part = episode.syncs(place) or episode.syncs()
    require_order(episode.writes(place) or episode.writes()[:-1], bytes_of_part)
    require_order(bytes_of_part, episode.folder_syncs(os.path.dirname(place)), episode.namings(record))
    require_order(
        episode.writes()[-1:], episode.syncs(), episode.namings(record), episode.folder_syncs(f"{folder}/parts")
    )
    require_order(episode.folder_syncs(f"{folder}/parts"), episode.answer)


def check_removal(episode: Episode, path: str, folder: str) -> None:
    """The name goes, then the directory that stays is synced."""
    require_order(episode.removals(f"{BUCKET}/{path}"), episode.folder_syncs(folder), episode.answer)


def check_bucket(episode: Episode) -> None:
    """The record is durable before the folder is made, and that before the answer."""
    state = f".s3store/buckets/{BUCKET}"
    made = [call for call in episode.calls if call.name == "mkdirat" and f'"{BUCKET}"' in call.arguments][-1:]
    require_order(episode.writes(), episode.syncs(), episode.namings(f"{state}/bucket.json"))
    require_order(episode.namings(f"{state}/bucket.json"), episode.folder_syncs(state, ".s3store/buckets"), made)
    require_order(made, episode.folder_syncs(""), episode.answer)


Check = Callable[[Episode], None]


def run(directory: Path, *arguments: str) -> tuple[Mapping[str, Episode], Mapping[str, Check]]:
    """Make one write of each kind. Gives its calls and what must hold for them, by its name.

    :param arguments: further ones of the daemon.
    """
    output = directory / "trace"
    os.mkfifo(output)
    # A pipe ends when the tracer does, which is after the daemon.
    with ThreadPoolExecutor(1) as reader:
        trace = reader.submit(output.read_text)
        # No job of its own may write between two calls of one operation.
        server = Server(directory, arguments=(*arguments, "--lifecycle-interval=0"), before=command(str(output)))
        try:
            checks = _write_all(server)
        finally:
            server.end()
    episodes = _split(server.data, list(parse(trace.result())))
    return dict(zip(checks, episodes, strict=True)), checks


def _write_all(server: Server) -> Mapping[str, Check]:
    checks: dict[str, Check] = {}

    def put(name: str, key: str, body: bytes, check: Check, **headers: str) -> None:
        lines = {header.replace("_", "-"): value for header, value in headers.items()}
        server.call("PUT", f"/{BUCKET}/{key}", lines, body)
        checks[name] = check

    server.call("PUT", f"/{BUCKET}")
    checks["CreateBucket"] = check_bucket
    put("PutObject, small", "small", b"s", partial(check_object, path="small"))
    put("PutObject, large", "large", bytes(LARGE), partial(check_object, path="large"))
    put("PutObject, overwriting", "small", b"t", partial(check_object, path="small"))
    deep = partial(_check_deep, path="new/folders/key")
    put("PutObject, in new directories", "new/folders/key", b"d", deep)
    beside = f".s3store/buckets/{BUCKET}/overflow/{b'small/beside'.hex()}"
    put("PutObject, below a key", "small/beside", b"b", partial(check_object, path=beside))
    source = {"x_amz_copy_source": f"/{BUCKET}/large"}
    put("CopyObject", "copy", b"", partial(check_object, path="copy"), **source)
    _write_parts(server, checks)
    server.call("DELETE", f"/{BUCKET}/copy")
    checks["DeleteObject"] = partial(check_removal, path="copy", folder=BUCKET)
    document = b"<Delete><Object><Key>new/folders/key</Key></Object></Delete>"
    digest = {"Content-MD5": b64encode(md5(document).digest()).decode()}
    server.call("POST", f"/{BUCKET}?delete=", digest, document)
    checks["DeleteObjects"] = partial(check_removal, path="new/folders/key", folder=BUCKET)
    return checks


def _check_deep(episode: Episode, path: str) -> None:
    check_object(episode, path, os.path.dirname(os.path.dirname(path)), "")


def _write_parts(server: Server, checks: dict[str, Check]) -> None:
    for key, numbers in (("grid", (1, 2)), ("gap", (1, 3))):
        upload = server.call("POST", f"/{BUCKET}/{key}?uploads=").text("UploadId")
        # Beginning an upload is a write as well, of a document.
        folder = f".s3store/buckets/{BUCKET}/uploads/{upload}"
        checks[f"CreateMultipartUpload of {key}"] = partial(check_object, path=f"{folder}/upload.json")
        etags = {}
        for number in numbers:
            target = f"/{BUCKET}/{key}?partNumber={number}&uploadId={upload}"
            etags[number] = server.call("PUT", target, None, bytes(PART)).etag
            place = f"{folder}/grids/{PART}"
            checks[f"UploadPart {number} of {key}"] = partial(check_part, folder=folder, number=number, place=place)
        server.call("POST", f"/{BUCKET}/{key}?uploadId={upload}", None, complete_document(etags))
        whole = f"{folder}/grids/{PART}" if key == "grid" else None
        checks[f"CompleteMultipartUpload of {key}"] = partial(check_object, path=key, source=whole)


def _split(data: Path, calls: Sequence[SystemCall]) -> Sequence[Episode]:
    episodes, since = [], 0
    for at, call in enumerate(calls):
        if call.name in ("send", "sendto", "sendmsg", "write", "writev") and '"HTTP/1.1 2' in call.arguments:
            episodes.append(Episode(data, calls[since : at + 1]))
            since = at + 1
    return episodes


def obstacle() -> str | None:
    """Why this can not run here; None when it can."""
    if which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True, text=True)
    return f"strace may not trace here: {tried.stderr.strip()}" if tried.returncode else None


def main() -> int:
    """Print the calls of each write and the verdict; gives the exit status."""
    reason = obstacle()
    if reason is not None:
        print(reason, file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as directory:
        episodes, checks = run(Path(directory))
    wrong = 0
    for name, episode in episodes.items():
        print(f"\n{name}")
        for call in episode.calls:
            if call is episode.calls[-1] or str(episode.data) in call.arguments:
                print("    " + str(call).replace(str(episode.data), "DATA")[:160])
        try:
            checks[name](episode)
        except OutOfOrder as error:
            wrong += 1
            print(f"  OUT OF ORDER: {error}")
        else:
            print("  in order")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
