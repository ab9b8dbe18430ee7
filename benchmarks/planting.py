"""Many objects in a bucket without the time that uploading them takes, where the server's layout allows it.

What is there afterwards is what uploads would have left: one is uploaded, and the others are made like it.
"""

from __future__ import annotations

import hashlib
import os
import time
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from awscrt.checksums import crc64nvme
from msgspec import structs

from benchmarks.servers import Server
from benchmarks.work import Place, put_all
from twisted_s3.model import ObjectVersion
from twisted_s3.storage.filesystem.record import Stamp, dump_version, load_version

_ATTRIBUTE = "user.s3store"

#: Bytes of a planted object.
SIZE = 16


def plant(place: Place, server: Server, bucket: str, keys: Sequence[str]) -> None:
    """Make a bucket with objects of these keys, if there is no such bucket yet."""
    if (server.data / bucket).is_dir():
        return
    server.create_bucket(bucket)
    _WAYS[server.family](place, server, bucket, keys)


def _records(place: Place, server: Server, bucket: str, keys: Sequence[str]) -> None:
    """twisted-s3: each file with bytes, a time and a record of its own, as that of one that was uploaded."""
    if len(keys) < place.scale.alone:
        put_all(server, [f"/{bucket}/{key}" for key in keys], SIZE)
        return
    put_all(server, [f"/{bucket}/pattern"], SIZE)
    folder = server.data / bucket
    uploaded = _uploaded(folder / "pattern")
    began = time.time_ns()
    for number, file in enumerate(_write(folder, keys, lambda number: b"%0*d" % (SIZE, number))):
        content = b"%0*d" % (SIZE, number)
        stamp = Stamp(SIZE, began + number, file.stat().st_ino)
        crc = crc64nvme(content)
        version = structs.replace(
            uploaded,
            etag=hashlib.md5(content).hexdigest(),
            checksums={"CRC64NVME": b64encode(crc.to_bytes(8, "big")).decode()},
            at_rest=f"{crc:016x}",
        )
        os.setxattr(file, _ATTRIBUTE, dump_version(version, stamp))
        os.utime(file, ns=(stamp.mtime_ns, stamp.mtime_ns))
    (folder / "pattern").unlink()


def _uploaded(file: Path) -> ObjectVersion:
    stat = file.stat()
    version = load_version(os.getxattr(file, _ATTRIBUTE), "", Stamp(stat.st_size, stat.st_mtime_ns, stat.st_ino))
    if not isinstance(version, ObjectVersion):
        raise RuntimeError(f"{file} has no record")
    return version


def _files(place: Place, server: Server, bucket: str, keys: Sequence[str]) -> None:
    deque(_write(server.data / bucket, keys, lambda _: bytes(SIZE)), maxlen=0)


def _files_and_records(place: Place, server: Server, bucket: str, keys: Sequence[str]) -> None:
    """nanio: a record beside each object, which holds nothing of the key. One upload makes the pattern of all."""
    put_all(server, [f"/{bucket}/pattern"], SIZE)
    folder = server.data / bucket
    pattern, record = folder / "pattern", folder / ".nanio-meta" / "pattern.json"
    for where, names, what in (
        (folder, keys, pattern.read_bytes()),
        (record.parent, [f"{key}.json" for key in keys], record.read_bytes()),
    ):
        deque(_write(where, names, lambda _, what=what: what), maxlen=0)
    pattern.unlink()
    record.unlink()


def _write(folder: Path, names: Sequence[str], content: Callable[[int], bytes]) -> Iterator[Path]:
    """Make files, each before the next is asked for, with what ``content`` gives for its number."""
    made = set()
    for number, name in enumerate(names):
        file = folder / name
        if file.parent not in made:
            file.parent.mkdir(parents=True, exist_ok=True)
            made.add(file.parent)
        file.write_bytes(content(number))
        yield file


_WAYS: Mapping[str, Callable[[Place, Server, str, Sequence[str]], None]] = {
    "twisted-s3": _records,
    "nanio": _files_and_records,
    "rclone": _files,
    "nginx": _files,
}
