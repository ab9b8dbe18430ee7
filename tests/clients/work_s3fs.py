"""What :mod:`tests.clients.test_s3fs` runs in an environment with s3fs. Endpoint, keys and trust come from ``AWS_...``.

Arguments: a folder to send, a folder to receive into.
"""

import importlib.metadata
import sys

import fsspec
import s3fs

MIB = 1 << 20


def trees(fs: s3fs.S3FileSystem, source: str, back: str) -> None:
    """A tree up, listed, down, and a part of it away."""
    fs.mkdir("s3fs")
    fs.put(f"{source}/", "s3fs/tree/", recursive=True)
    assert fs.isdir("s3fs/tree/a/b") and fs.isfile("s3fs/tree/readme.txt") and not fs.exists("s3fs/tree/missing")
    assert fs.du("s3fs/tree") == fsspec.filesystem("file").du(source)
    fs.invalidate_cache()
    assert sorted(fs.glob("s3fs/tree/*.txt")) == ["s3fs/tree/readme.txt"]
    fs.get("s3fs/tree/", f"{back}/", recursive=True)
    fs.cp("s3fs/tree/a", "s3fs/copied", recursive=True)
    fs.mv("s3fs/tree/readme.txt", "s3fs/moved.txt")
    assert fs.cat("s3fs/moved.txt") == b"hello\n"
    fs.rm("s3fs/tree", recursive=True)
    assert sorted(fs.find("s3fs")) == ["s3fs/copied/b/c/d/deep.bin", "s3fs/moved.txt"]


def streams(fs: s3fs.S3FileSystem) -> None:
    """A file written in parts, read in pieces, copied in parts."""
    fs.mkdir("streams")
    content = bytes(range(256)) * (4 * 13 * 1024)
    with fs.open("streams/large", "wb", block_size=5 * MIB) as file:
        for start in range(0, len(content), 100_000):
            file.write(content[start : start + 100_000])
    assert fs.info("streams/large")["size"] == len(content)
    assert fs.info("streams/large")["ETag"].endswith('-3"'), fs.info("streams/large")
    with fs.open("streams/large", "rb", block_size=MIB) as file:
        file.seek(9 * MIB + 1)
        assert file.read(70_000) == content[9 * MIB + 1 :][:70_000]
    fs.setxattr("streams/large", k="v")
    assert fs.metadata("streams/large") == {"k": "v"}
    assert fs.cat_ranges(["streams/large"] * 2, [0, 300], [10, 310]) == [content[:10], content[300:310]]
    fs.pipe("streams/exclusive", b"once", mode="create")
    try:
        fs.pipe("streams/exclusive", b"twice", mode="create")
    except FileExistsError:
        assert fs.cat("streams/exclusive") == b"once"
    else:
        raise AssertionError("an object was written over")


def main(source: str, back: str) -> None:
    """Take a file up, list it, and bring it back."""
    fs = s3fs.S3FileSystem()
    trees(fs, source, back)
    streams(fs)
    print("s3fs", s3fs.__version__, "aiobotocore", importlib.metadata.version("aiobotocore"))


main(*sys.argv[1:])
