"""The fixtures, in the hands of a pytest of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from configparser import ConfigParser
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.trial.unittest import SynchronousTestCase

from tests.clients.installed import CACHE, packages_of, python_with

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


class PytestCase(SynchronousTestCase):
    """pytest with the plugin, and with no other that is not asked for."""

    def setUp(self) -> None:
        """A folder for it."""
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def run_pytest(self, *arguments: str | Path, python: str | Path = sys.executable, **variables: str) -> str:
        """Run pytest, which must succeed; give what it printed."""
        dropped = ("AWS_", "PYTEST", "PYTHONDONTWRITEBYTECODE")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
        environment |= {
            # Whatever the tests were told: to compile all anew for each process takes longer than what it does.
            "PYTHONPYCACHEPREFIX": str(CACHE.parent / "bytecode"),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONPATH": str(ROOT),
            "SEEN": str(self.folder / "seen"),
            **variables,
        }
        plugins = ["-p", "twisted_s3.pytest_plugin", "-p", "no:cacheprovider"]
        command = [str(python), "-m", "pytest", "-q", "-W", "error", *plugins, *map(str, arguments)]
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout


class Plugin(PytestCase):
    """The plugin, and what it gives."""

    def test_uses(self) -> None:
        """asyncio, threads, forks and pyarrow; with xdist one server for each worker."""
        self.run_pytest("-p", "xdist", "-n", "2", "-W", "ignore::DeprecationWarning", HERE / "fixture_uses.py")
        seen = {tuple(line.split()) for line in (self.folder / "seen").read_text().splitlines()}
        workers = {worker for worker, _ in seen}
        self.assertEqual(len(seen), len(workers))
        self.assertEqual(len({url for _, url in seen}), len(workers))

    def test_s3fs(self) -> None:
        """s3fs, on HTTP and HTTPS."""
        # The same packages as for the tests of clients; their botocore goes before ours.
        packages = packages_of(python_with("s3fs", ["s3fs >= 2025.3"]))
        path = os.pathsep.join(map(str, (packages, ROOT)))
        self.run_pytest("-W", "ignore::DeprecationWarning", HERE / "s3fs_uses.py", PYTHONPATH=path)

    def test_nothing_is_imported_before_it_is_needed(self) -> None:
        """A session that uses no fixture imports neither Twisted nor boto3 nor the kit."""
        (self.folder / "test_nothing.py").write_text(
            "import sys\n"
            "def test_nothing():\n"
            "    heavy = {'twisted', 'boto3', 'twisted_s3.testing', 'attr'} & set(sys.modules)\n"
            "    assert not heavy\n"
        )
        self.run_pytest("test_nothing.py")

    def test_environment_is_restored(self) -> None:
        """After a test all variables are as they were."""
        (self.folder / "test_environment.py").write_text(
            "import os\n"
            "before = dict(os.environ)\n"
            "def test_set(s3_environment_tls, s3_server_tls):\n"
            "    assert os.environ['AWS_CA_BUNDLE'] == s3_server_tls.ca_file\n"
            "    assert os.environ['AWS_ENDPOINT_URL_S3'] == s3_server_tls.endpoint_url\n"
            "def test_restored():\n"
            "    now = dict(os.environ)\n"
            "    now.pop('PYTEST_CURRENT_TEST'), before.pop('PYTEST_CURRENT_TEST', None)\n"
            "    assert now == before\n"
        )
        self.run_pytest("test_environment.py", AWS_ENDPOINT_URL_S3="http://127.0.0.1:9/before", AWS_PROFILE="mine")

    def test_entry_point(self) -> None:
        """The package names its plugin to pytest."""
        setup = ConfigParser()
        setup.read(ROOT / "setup.cfg")
        name, _, module = setup["options.entry_points"]["pytest11"].strip().partition(" = ")
        self.assertEqual(name, "s3server")
        self.assertTrue(import_module(module).s3_server)
