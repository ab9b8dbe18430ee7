"""What is shipped: the source distribution, the wheel, and the wheel alone in an environment of its own."""

from __future__ import annotations

import ast
import importlib.util
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

import twisted_s3

ROOT = Path(__file__).parent.parent
PLUGIN = "twisted/plugins/s3store_plugin.py"

#: The directories of the project; a checkout may hold environments and data besides.
OURS = (".ci", "benchmarks", "docs", "newsfragments", "tests", "twisted", "twisted_s3")

#: What only a developer's own machine has in a path, put together here so that this file passes its own test.
MACHINE_PATHS = re.compile(r"(?<![\w.~])/(?:home|Users|root|work)" + r"/[\w.]+")


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command that must succeed; give what it printed."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    if done.returncode:
        raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def tracked(*suffixes: str) -> Iterator[Path]:
    """The project's own files whose names end so."""
    found = [path for name in OURS for path in (ROOT / name).rglob("*")]
    for path in sorted([*found, *ROOT.glob("*.*")]):
        if path.is_file() and path.name.endswith(suffixes) and "_build" not in path.parts:
            yield path


class DistributionTests(SynchronousTestCase):
    """The source distribution and the wheel that is built from it."""

    scratch: Path
    source: Path
    wheel: Path
    sdist: Path

    @classmethod
    def setUpClass(cls) -> None:
        """Build both once, from a copy: a build writes beside its source."""
        if importlib.util.find_spec("build") is None or importlib.util.find_spec("setuptools") is None:
            raise SkipTest("needs build and setuptools: pip install -e '.[test]'")
        cls.scratch = Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.scratch, ignore_errors=True)
        cls.source = cls.scratch / "source"
        for path in (ROOT / name for name in OURS):
            if path.is_dir():
                generated = shutil.ignore_patterns("__pycache__", "dropin.cache", "_build")
                shutil.copytree(path, cls.source / path.relative_to(ROOT), ignore=generated)
        for path in [*ROOT.glob("*.*"), ROOT / "LICENSE"]:
            if path.is_file():
                shutil.copy(path, cls.source)
        # Without isolation, because isolation downloads setuptools. An environment with one too old fails here.
        run(sys.executable, "-m", "build", "--no-isolation", "--outdir", cls.scratch, cwd=cls.source)
        (cls.wheel,) = cls.scratch.glob("*.whl")
        (cls.sdist,) = cls.scratch.glob("*.tar.gz")

    def test_wheel_content(self) -> None:
        """The wheel holds the package and the plugin, whole, and nothing else: no file of Twisted's own."""
        package = {
            str(path.relative_to(self.source)) for path in (self.source / "twisted_s3").rglob("*") if path.is_file()
        }
        with zipfile.ZipFile(self.wheel) as archive:
            names = {name for name in archive.namelist() if ".dist-info/" not in name}
        self.assertEqual(names, package | {PLUGIN})

    def test_wheel_name(self) -> None:
        """The wheel is for every platform, and its version is the package's."""
        self.assertEqual(self.wheel.name, f"twisted_s3-{twisted_s3.__version__}-py3-none-any.whl")

    def test_sdist_content(self) -> None:
        """The source distribution has what is needed to build, to test, to read and to pass on."""
        with tarfile.open(self.sdist) as archive:
            names = {name.partition("/")[2] for name in archive.getnames()}
        wanted = {"LICENSE", "NEWS.rst", "README.rst", "setup.cfg", "pyproject.toml", ".ci/run", "docs/conf.py", PLUGIN}
        wanted |= {str(path.relative_to(self.source)) for path in (self.source / "tests").rglob("*.py")}
        self.assertEqual(wanted - names, set())

    def test_wheel_alone_has_the_plugin(self) -> None:
        """``twistd --help`` names s3store where only the wheel is installed, and Twisted's own plugins are still there.

        The dependencies are lent by the running environment, so that no network is needed.
        """
        home = self.scratch / "alone"
        venv.create(home, with_pip=True)
        python = home / "bin" / "python"
        run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", self.wheel, cwd=home)
        (packages,) = home.glob("lib/python3*/site-packages")
        lent = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
        # A directory that a .pth file names is searched after the wheel, and its own .pth files are not read: an
        # editable install of this checkout in the running environment is out of reach.
        (packages / "lent.pth").write_text("\n".join(lent) + "\n")
        where = run(python, "-c", "import twisted_s3; print(twisted_s3.__file__)", cwd=home).strip()
        self.assertEqual(Path(where).parent.parent.resolve(), packages.resolve())
        listed = run(python, "-c", "from twisted.scripts.twistd import run; run()", "--help", cwd=home)
        self.assertRegex(listed, r"(?m)^ +s3store ")
        self.assertRegex(listed, r"(?m)^ +web ")
        options = run(python, "-c", "from twisted.scripts.twistd import run; run()", "s3store", "--help", cwd=home)
        self.assertIn("--data-dir", options)


class SourceTests(SynchronousTestCase):
    """Rules that every file of the project keeps."""

    def test_docstrings(self) -> None:
        """Every module of the package says what it is."""
        silent = [
            str(path)
            for path in (ROOT / "twisted_s3").rglob("*.py")
            if not ast.get_docstring(ast.parse(path.read_text()))
        ]
        self.assertEqual(silent, [])

    def test_length(self) -> None:
        """No file of code is longer than 500 lines."""
        lengths = {str(path): len(path.read_text().splitlines()) for path in tracked(".py")}
        self.assertEqual({path: lines for path, lines in lengths.items() if lines > 500}, {})

    def test_no_machine_paths(self) -> None:
        """No file names a directory that only one machine has."""
        found = {
            str(path): match.group()
            for path in tracked(".py", ".rst", ".toml", ".cfg", ".in", "run")
            if (match := MACHINE_PATHS.search(path.read_text()))
        }
        self.assertEqual(found, {})

    def test_machine_paths_are_recognised(self) -> None:
        """The expression that looks for machine paths finds them, and leaves URLs and S3 keys alone."""
        self.assertTrue(MACHINE_PATHS.search("see " + "/home" + "/ann/project"))
        self.assertFalse(MACHINE_PATHS.search("https://example.com" + "/home" + "/ann"))
