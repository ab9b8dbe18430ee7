"""Many objects in a bucket without the time that uploading them takes, where the server's layout allows it.

What is there afterwards is what uploads would have left. Our own objects are uploaded, without waiting for the disk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks import processes
from benchmarks.servers import OursUnsynced, Server, Way
from benchmarks.work import Place, put_all

#: Bytes of a planted object.
SIZE = 16


def plant(place: Place, server: Server, bucket: str, keys: Sequence[str]) -> None:
    """Make a bucket with objects of these keys, if there is no such bucket yet."""
    if (server.data / bucket).is_dir():
        return
    server.create_bucket(bucket)
    _WAYS[server.family](place, server, bucket, keys)


def _upload(place: Place, server: Server, bucket: str, keys: Sequence[str]) -> None:
    if len(keys) < place.scale.alone:
        put_all(server, [f"/{bucket}/{key}" for key in keys], SIZE)
        return
    with processes.anywhere():
        other = OursUnsynced(place.folder, Way(workers=2))
        try:
            put_all(other, [f"/{bucket}/{key}" for key in keys], SIZE)
        finally:
            other.end()


def _files(place: Place, server: Server, bucket: str, keys: Sequence[str]) -> None:
    _write(server.data / bucket, keys, bytes(SIZE))


def _files_and_records(place: Place, server: Server, bucket: str, keys: Sequence[str]) -> None:
    """nanio: a record beside each object, which holds nothing of the key. One upload makes the pattern of all."""
    put_all(server, [f"/{bucket}/pattern"], SIZE)
    folder = server.data / bucket
    pattern, record = folder / "pattern", folder / ".nanio-meta" / "pattern.json"
    _write(folder, keys, pattern.read_bytes())
    _write(folder / ".nanio-meta", [f"{key}.json" for key in keys], record.read_bytes())
    pattern.unlink()
    record.unlink()


def _write(folder: Path, names: Sequence[str], content: bytes) -> None:
    made = set()
    for name in names:
        file = folder / name
        if file.parent not in made:
            file.parent.mkdir(parents=True, exist_ok=True)
            made.add(file.parent)
        file.write_bytes(content)


_WAYS: Mapping[str, Callable[[Place, Server, str, Sequence[str]], None]] = {
    "twisted-s3": _upload,
    "nanio": _files_and_records,
    "rclone": _files,
    "nginx": _files,
}
