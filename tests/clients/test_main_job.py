"""The main job on real input: a real tree and a large file, up and down, with the files on disk being the files."""

from __future__ import annotations

import os
import shutil
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from tests.clients.against import MIB, ClientCase, find_tool, sha256

FILES = 5_000
BYTES = 100 * MIB


def installed_files() -> Iterator[tuple[Path, Path]]:
    """(path, path relative to its top) of the regular files that came with this Python, and of installed packages."""
    seen = set()
    for name in ("stdlib", "purelib", "platlib"):
        top = Path(sysconfig.get_paths()[name])
        for folder, folders, files in os.walk(top):
            folders.sort()
            for file in sorted(files):
                path = Path(folder, file)
                real = path.resolve()
                if real not in seen and path.is_file() and not path.is_symlink():
                    seen.add(real)
                    yield path, Path(name) / path.relative_to(top)


def gather(target: Path) -> tuple[int, int]:
    """Copy real files: the first that come, then large ones until the bytes suffice. Gives how many, and bytes."""
    count = total = 0
    for path, relative in installed_files():
        size = path.stat().st_size
        if count < FILES or size >= MIB:
            (target / relative).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / relative)
            count, total = count + 1, total + size
        if count >= FILES and total >= BYTES:
            break
    return count, total


class MainJobTests(ClientCase):
    tls = True
    workers = 2

    def test_sync_a_real_tree(self) -> None:
        aws = find_tool("aws")
        source, back = self.scratch / "source", self.scratch / "back"
        count, total = gather(source)
        self.assertGreaterEqual(count, FILES)
        self.assertGreaterEqual(total, BYTES)

        self.run_tool(aws, "s3", "mb", "s3://tree")
        self.run_tool(aws, "s3", "sync", "--only-show-errors", source, "s3://tree")
        self.assert_same_tree(source, self.on_disk("tree"))

        listed = self.run_tool(aws, "s3", "ls", "--recursive", "--summarize", "s3://tree")
        self.assertIn(f"Total Objects: {count}\n", listed)
        self.assertIn(f"Total Size: {total}\n", listed)

        self.run_tool(aws, "s3", "sync", "--only-show-errors", "s3://tree", back)
        self.assert_same_tree(source, back)
        self.assertEqual(self.run_tool(aws, "s3", "sync", "--dryrun", back, "s3://tree"), "")

    def test_one_file_of_a_gibibyte(self) -> None:
        source, back = self.scratch / "gibibyte", self.scratch / "gibibyte.back"
        with source.open("wb") as file:
            for _ in range(1024):
                file.write(os.urandom(MIB))
        expected = sha256(source)
        client = self.boto()
        client.create_bucket(Bucket="large")
        client.upload_file(str(source), "large", "folder/gibibyte")
        source.unlink()
        self.assertEqual(sha256(self.on_disk("large", "folder/gibibyte")), expected)
        head = client.head_object(Bucket="large", Key="folder/gibibyte", PartNumber=1)
        self.assertEqual((head["PartsCount"], head["ContentLength"]), (128, 8 * MIB))
        client.download_file("large", "folder/gibibyte", str(back))
        self.assertEqual(sha256(back), expected)
