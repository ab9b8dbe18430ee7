"""The examples of the documentation do what they say."""

from __future__ import annotations

import os
import runpy
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import treq
from twisted.application.service import IService
from twisted.trial.unittest import TestCase

from tests.clients.installed import python_beside
from tests.serving import coroutine
from tests.testing.test_pytest_plugin import PytestCase

EXAMPLES = Path(__file__).parent.parent.parent / "docs/examples"


class Tests(PytestCase):
    """Examples that are tests."""

    def test_examples(self) -> None:
        """All but those that need what others have."""
        files = sorted(EXAMPLES.glob("test_*.py"))
        self.assertGreater(len(files), 8)
        own = [path for path in files if "before" not in path.name]
        self.run_pytest("-W", "ignore::DeprecationWarning", *own)

    def test_before_moto(self) -> None:
        """What the page on moving shows as before does run with moto."""
        python = python_beside("moto", ["moto[s3] >= 5"])
        self.run_pytest("-W", "ignore::DeprecationWarning", EXAMPLES / "test_before_moto.py", python=python)

    def test_before_containers(self) -> None:
        """What it shows as before LocalStack and MinIO names what testcontainers has. To run, it needs Docker."""
        python = python_beside("testcontainers", ["testcontainers[localstack,minio] >= 4.13"])
        files = [EXAMPLES / f"test_before_{name}.py" for name in ("localstack", "minio")]
        self.run_pytest("-W", "ignore::DeprecationWarning", "--collect-only", *files, python=python)


class Applications(TestCase):
    """Examples for twistd."""

    timeout = 60

    async def run_example(self, name: str) -> list[str]:
        """Start the application of an example; give the addresses that it listens on."""
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        before = os.getcwd()
        os.chdir(folder.name)
        keys = {"EMBEDDED_ACCESS_KEY": "MYKEY", "EMBEDDED_SECRET_KEY": "my-secret-key"}
        source = (EXAMPLES / name).read_text().replace("tcp:9000", "tcp:0").replace("tcp:8080", "tcp:0")
        path = Path(folder.name) / name
        path.write_text(source)
        try:
            with patch.dict(os.environ, keys):
                names = runpy.run_path(str(path))
        finally:
            os.chdir(before)
        application = IService(names["application"])
        application.privilegedStartService()
        application.startService()
        self.addCleanup(application.stopService)
        found = []
        for service in application:  # type: ignore[attr-defined]
            if hasattr(service, "when_ready"):
                await service.when_ready()
                found += service.listeners.addresses()
            else:
                port = await service._waitingForPort
                found.append(f"http://127.0.0.1:{port.getHost().port}")
        return found

    async def get(self, url: str) -> tuple[int, bytes]:
        """Status and body."""
        answer = await treq.get(url, persistent=False)
        return answer.code, await answer.content()

    @coroutine
    async def test_embed(self) -> None:
        """Both endpoints answer."""
        s3, web = await self.run_example("embed.py")
        status, body = await self.get(f"{s3}/bucket")
        self.assertEqual(status, 404)
        self.assertIn(b"NoSuchBucket", body)
        self.assertEqual(await self.get(f"{web}/"), (200, b"My own page.\n"))

    @coroutine
    async def test_mount(self) -> None:
        """One endpoint answers for both."""
        [url] = await self.run_example("mount.py")
        status, body = await self.get(f"{url}/s3/bucket")
        self.assertEqual(status, 404)
        self.assertIn(b"NoSuchBucket", body)
        self.assertEqual(await self.get(f"{url}/"), (200, b"My own page.\n"))
