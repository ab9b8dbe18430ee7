"""Clients that can not be installed beside the others: each in a folder of its own, made once and kept."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import SkipTest

from tests.daemon import ROOT

#: Cleared by ``pytest --cache-clear``.
CACHE = ROOT / ".pytest_cache/d/clients"

#: Seconds that an installation may take.
PATIENCE = 240.0


def _run(*argv: str | Path) -> None:
    try:
        subprocess.run(argv, check=True, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.CalledProcessError as error:
        raise SkipTest(f"{argv[0]} could not install (is the registry out of reach?): {error.stderr[-500:]}") from None
    except subprocess.TimeoutExpired:
        raise SkipTest(f"{argv[0]} did not install in {PATIENCE:.0f} seconds") from None


def _once(name: str, recipe: str, fill: Callable[[Path], None]) -> Path:
    """The folder that ``fill`` made, now or in an earlier run with the same recipe; whole, or not there."""
    CACHE.mkdir(parents=True, exist_ok=True)
    folder = CACHE / f"{name}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = folder / "done"
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            fill(folder)
            done.touch()
    return folder


def python_with(name: str, requirements: Sequence[str]) -> Path:
    """A Python that has some packages.

    :raise SkipTest: when they can not be had.
    """

    def fill(folder: Path) -> None:
        _run(sys.executable, "-m", "venv", folder)
        _run(folder / "bin/python", "-m", "pip", "install", "--quiet", "--retries=1", *requirements)

    return _once(name, f"{sys.version} {requirements}", fill) / "bin/python"


def packages_of(python: Path) -> Path:
    """The folder with the packages of a Python that `python_with` gave, for another of the same version."""
    return python.parent.parent / f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"


def python_beside(name: str, requirements: Sequence[str]) -> Path:
    """A Python that has what this one has, and some packages more; only what is missing is installed.

    :raise SkipTest: when they can not be had.
    """

    def fill(folder: Path) -> None:
        python = folder / "bin/python"
        _run(sys.executable, "-m", "venv", "--without-pip", folder)
        (packages_of(python) / "beside.pth").write_text(sysconfig.get_path("purelib") + "\n")
        _run(python, "-m", "pip", "install", "--quiet", "--retries=1", *requirements)

    return _once(name, f"{sys.version} {sysconfig.get_path('purelib')} {requirements}", fill) / "bin/python"


def node_modules(package: Path) -> Path:
    """A folder with ``node_modules`` as the ``package-lock.json`` in ``package`` says.

    :raise SkipTest: without Node.js 20 and npm, or when the packages can not be had.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise SkipTest("node and npm are not installed")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.removeprefix("v").partition(".")[0]) < 20:
        raise SkipTest(f"node is {version}, the clients need 20")

    def fill(folder: Path) -> None:
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(package / name, folder / name)
        _run(npm, "ci", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1")

    return _once("node", version + (package / "package-lock.json").read_text(), fill)


def scratch_beside(modules: Path) -> TemporaryDirectory[str]:
    """A folder for scripts, from where Node.js finds the modules."""
    return TemporaryDirectory(dir=modules)
