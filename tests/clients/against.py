"""What the tests of all clients share: a daemon to talk to, and tools to run."""

from __future__ import annotations

import hashlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar
from unittest import SkipTest

import boto3
from botocore.config import Config
from twisted.trial.unittest import SynchronousTestCase

from tests.certificates import issue_certificate
from tests.daemon import Daemon

ACCESS_KEY = "CLIENTKEY"
SECRET_KEY = "client-secret/0123456789+abc"  # With the characters that a careless client or server does not escape.
REGION = "us-east-1"

KIB = 1 << 10
MIB = 1 << 20

#: Seconds that one run of a tool may take.
PATIENCE = 170.0


def noise(size: int, seed: int = 0) -> bytes:
    """Bytes that no compression or pattern can stand in for, the same for the same seed."""
    return random.Random(seed).randbytes(size)


def sha256(path: Path) -> str:
    """The SHA-256 of a file as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def find_tool(name: str) -> str:
    """The path of a program: beside this Python, else on PATH.

    :raise SkipTest: when there is none.
    """
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which(name)
    if found is None:
        raise SkipTest(f"{name} is not installed")
    return found


class AgainstDaemon:
    """Gives the tests of a class one ``twistd s3store`` with its filesystem store.

    Each class says which client it tests, and a subclass with ``tls`` does the same over HTTPS. After the tests the
    daemon must end in good order, and must not have failed at any request.

    :cvar tls: whether the endpoint is HTTPS.
    :cvar workers: how many processes serve it.
    :cvar url: of the endpoint, without a slash at its end.
    :cvar data: the data directory.
    :cvar scratch: a folder for the tests of the class; also the HOME of tools.
    :cvar authority: the certificate file that clients must trust, None over HTTP.
    """

    tls = False
    workers = 1
    url: ClassVar[str]
    data: ClassVar[Path]
    scratch: ClassVar[Path]
    authority: ClassVar[str | None]
    daemon: ClassVar[Daemon]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()  # type: ignore[misc]
        folder = TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)  # type: ignore[attr-defined]
        root = Path(folder.name)
        cls.data, cls.scratch, cls.authority = root / "data", root / "scratch", None
        cls.scratch.mkdir()
        endpoint = "tcp:0:interface=127.0.0.1"
        if cls.tls:
            made = issue_certificate(root)
            cls.authority = str(made.certificate)
            endpoint = f"ssl:0:interface=127.0.0.1:certKey={made.certificate}:privateKey={made.key}"
        arguments = [f"--data-dir={cls.data}", f"--endpoint={endpoint}", f"--workers={cls.workers}"]
        users = {"S3STORE_ACCESS_KEY": ACCESS_KEY, "S3STORE_SECRET_KEY": SECRET_KEY}
        cls.daemon = Daemon(root, ["s3store", *arguments], users)
        cls.addClassCleanup(cls.daemon.end)  # type: ignore[attr-defined]
        cls.url = cls.daemon.wait_for(r'listening on (https?://[^"\s]+)')[1]

    @classmethod
    def tearDownClass(cls) -> None:
        cls.daemon.signal(signal.SIGTERM)
        status = cls.daemon.wait()
        bad = [line for line in cls.daemon.output if re.search(r"status=5(?!01)|Traceback|unhandled|Unhandled", line)]
        assert (status, bad) == (-signal.SIGTERM, []), f"exit status {status}\n" + "\n".join(bad)
        super().tearDownClass()  # type: ignore[misc]

    @property
    def host(self) -> str:
        """Host and port of the endpoint."""
        return self.url.partition("://")[2]

    def on_disk(self, bucket: str, key: str = "") -> Path:
        """The file that an object is."""
        return self.data / bucket / key

    def boto(self, **config: Any) -> Any:
        """A boto3 client, to prepare and to look."""
        client = boto3.session.Session().client(
            "s3",
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            verify=self.authority,
            config=Config(retries={"max_attempts": 0}, **config),
        )
        self.addCleanup(client.close)  # type: ignore[attr-defined]
        return client

    def environment(self) -> dict[str, str]:
        """Of a process that finds its endpoint, keys and trust in the environment, and no one else's settings."""
        foreign = ("AWS_", "S3STORE_", "RCLONE_", "PYTHON", "NODE_", "SSL_CERT_")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        clean |= {
            "HOME": str(self.scratch),
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_PAGER": "",
            "NO_PROXY": "127.0.0.1",
        }
        if self.authority:
            clean |= dict.fromkeys(("AWS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"), self.authority)
        return clean

    def run_tool(self, program: str, *arguments: str | Path, environ: Mapping[str, str] | None = None) -> str:
        """Run a program to its end; give its standard output. It must succeed."""
        argv = [program, *map(str, arguments)]
        result = subprocess.run(
            argv,
            cwd=self.scratch,
            env=self.environment() | dict(environ or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        if result.returncode:
            raise AssertionError(
                f"{argv} ended with {result.returncode}:\n{result.stdout[-4000:]}{result.stderr[-4000:]}"
            )
        return result.stdout

    def assert_same_tree(self, one: Path, other: Path) -> None:
        """That two folders hold the same files with the same bytes, and nothing else."""
        result = subprocess.run(["diff", "-r", one, other], capture_output=True, text=True, timeout=PATIENCE)
        assert (result.returncode, result.stdout[:2000], result.stderr[:2000]) == (0, "", "")


class ClientCase(AgainstDaemon, SynchronousTestCase):
    """Tests of a client that blocks, or that is a process of its own."""

    def plant(self, name: str, files: Mapping[str, bytes]) -> Path:
        """Make a folder of files in the scratch folder."""
        folder = self.scratch / name
        for path, content in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        return folder


#: A small tree with what trees have: empty and odd sizes, depth, names that need care, one file beyond the size
#: (8 MiB) at which most clients begin to use parts.
TREE: Mapping[str, bytes] = {
    "readme.txt": b"hello\n",
    "empty": b"",
    "a/b/c/d/deep.bin": noise(70_001),
    "a-b": b"sorts between a and a/",
    "with space/and+plus&ampersand.txt": b"names",
    "unicode/\u00e9t\u00e9-\u65e5\u672c.txt": "\u00fc".encode(),
    "percent/100%41=?#.txt": b"percent",
    "big.bin": noise(9 * MIB + 5, seed=1),
}
