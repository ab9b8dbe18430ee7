"""Encryption in a daemon: over two workers, a rotation while they run, and a restart."""

from __future__ import annotations

import stat
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from twisted.trial.unittest import SynchronousTestCase

from tests.commands.test_scrub import run
from tests.daemon import Daemon
from twisted_s3.keyring import read_keys

USERS = {"S3STORE_ACCESS_KEY": "admin", "S3STORE_SECRET_KEY": "secret-of-admin"}
SSE = {"ServerSideEncryption": "AES256"}


class KeyringDaemonTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.directory = Path(folder.name)
        self.data = self.directory / "data"

    def start(self, **settings: str) -> Any:
        """Start a daemon of two workers. Gives it, and a client that makes a connection for each request."""
        environ = {**USERS, "S3STORE_DATA_DIR": str(self.data), "S3STORE_PORT": "0", "S3STORE_WORKERS": "2", **settings}
        daemon = Daemon(self.directory, ["s3store"], environ)
        self.addCleanup(daemon.end)
        port = daemon.wait_for(r"Workers\W.*listening on http://127.0.0.1:(\d+)")[1]
        for _ in range(2):
            daemon.wait_for(r"Listeners\W.*listening on")

        def client() -> Any:
            return boto3.session.Session().client(
                "s3",
                endpoint_url=f"http://127.0.0.1:{port}",
                region_name="us-east-1",
                aws_access_key_id="admin",
                aws_secret_access_key="secret-of-admin",
                config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0}),
            )

        return daemon, client

    def test_workers(self) -> None:
        """One key is made, by whoever needs it first; all processes follow a rotation; a restart changes nothing."""
        daemon, client = self.start()
        client().create_bucket(Bucket="bucket")

        def put(number: int) -> None:
            client().put_object(Bucket="bucket", Key=f"{number}", Body=b"%d" % number, **SSE)

        def get(number: int) -> bytes:
            return bytes(client().get_object(Bucket="bucket", Key=f"{number}")["Body"].read())

        path = self.data / ".s3store/keyring.json"
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(put, range(8)))
            self.assertEqual([key.name for key in read_keys(path)], ["sse-s3"])
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
            self.assertEqual(run("keyring", "--data-dir", str(self.data), "rotate")[0], 0)
            list(pool.map(put, range(8, 12)))
            self.assertEqual(list(pool.map(get, range(12))), [b"%d" % number for number in range(12)])
        daemon.end()
        _, client = self.start()
        self.assertEqual([get(number) for number in (0, 11)], [b"0", b"11"])
        secrets = [key.secret.hex() for key in read_keys(path)]
        self.assertFalse([line for line in daemon.output if any(secret in line for secret in secrets)])

    def test_missing_keyring(self) -> None:
        """A keyring that was configured and is not there ends the start, in one line; none is made."""
        path = self.directory / "elsewhere.json"
        daemon = Daemon(self.directory, ["s3store"], {**USERS, "S3STORE_KEYRING": str(path), "S3STORE_PORT": "0"})
        self.addCleanup(daemon.end)
        self.assertEqual(daemon.wait(), 1)
        self.assertIn("there is no keyring", "\n".join(daemon.output))
        self.assertFalse(path.exists())
