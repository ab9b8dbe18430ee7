"""Many objects in a bucket without the time that uploading them takes, where the server's layout allows it.

What is there afterwards is what uploads would have left: one is uploaded, and the others are made as it is.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.servers import Server
from benchmarks.work import Place, put_all

#: Bytes of a planted object.
SIZE = 16


def plant(place: Place, server: Server, bucket: str, keys: Sequence[str]) -> None:
    """Make a bucket with objects of these keys, if there is no such bucket yet."""
    if (server.data / bucket).is_dir():
        return
    server.create_bucket(bucket)
    _WAYS[server.family](place, server, bucket, keys)


def _copies(place: Place, server: Server, bucket: str, keys: Sequence[str]) -> None:
    """twisted-s3: each file with its record, which holds nothing of the key, and with the time that belongs to it."""
    if len(keys) < place.scale.alone:
        put_all(server, [f"/{bucket}/{key}" for key in keys], SIZE)
        return
    put_all(server, [f"/{bucket}/pattern"], SIZE)
    folder = server.data / bucket
    pattern = folder / "pattern"
    stat, records = pattern.stat(), {name: os.getxattr(pattern, name) for name in os.listxattr(pattern)}
    for file in _write(folder, keys, pattern.read_bytes()):
        for name, record in records.items():
            os.setxattr(file, name, record)
        os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    pattern.unlink()


def _files(place: Place, server: Server, bucket: str, keys: Sequence[str]) -> None:
    deque(_write(server.data / bucket, keys, bytes(SIZE)), maxlen=0)


def _files_and_records(place: Place, server: Server, bucket: str, keys: Sequence[str]) -> None:
    """nanio: a record beside each object, which holds nothing of the key. One upload makes the pattern of all."""
    put_all(server, [f"/{bucket}/pattern"], SIZE)
    folder = server.data / bucket
    pattern, record = folder / "pattern", folder / ".nanio-meta" / "pattern.json"
    deque(_write(folder, keys, pattern.read_bytes()), maxlen=0)
    deque(_write(folder / ".nanio-meta", [f"{key}.json" for key in keys], record.read_bytes()), maxlen=0)
    pattern.unlink()
    record.unlink()


def _write(folder: Path, names: Sequence[str], content: bytes) -> Iterator[Path]:
    """Make files, each before the next is asked for."""
    made = set()
    for name in names:
        file = folder / name
        if file.parent not in made:
            file.parent.mkdir(parents=True, exist_ok=True)
            made.add(file.parent)
        file.write_bytes(content)
        yield file


_WAYS: Mapping[str, Callable[[Place, Server, str, Sequence[str]], None]] = {
    "twisted-s3": _copies,
    "nanio": _files_and_records,
    "rclone": _files,
    "nginx": _files,
}
