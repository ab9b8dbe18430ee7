"""The documentation builds without a warning, and what the tutorial tells people to type does what it says."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import zlib
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from unittest import SkipTest

from msgspec import Struct, structs
from twisted.trial.unittest import SynchronousTestCase

from twisted_s3 import interfaces, testing

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PUBLISHED_ENDPOINT = "http://127.0.0.1:9000"

#: How long a server or a page of commands may take, in seconds.
PATIENCE = 120


class Step(Struct, frozen=True):
    """A command of a tutorial.

    :ivar expected: what it prints, where ``...`` stands for anything; "" when the tutorial does not say.
    :ivar serves: whether it is a server, which goes on running.
    """

    command: str
    expected: str = ""
    serves: bool = False

    def agrees(self, printed: str) -> bool:
        """Whether this is what the tutorial says is printed, apart from the white space at the ends of lines.

        What a carriage return overwrites (progress) does not count.
        """
        lines = [line.rpartition("\r")[2].strip() for line in printed.strip().split("\n")]
        patterns = [line.strip() for line in self.expected.strip().splitlines()]
        if not patterns:
            return True
        return len(lines) == len(patterns) and all(map(matches, lines, patterns))


def matches(line: str, pattern: str) -> bool:
    """Whether a line is what a page says, where ``...`` stands for anything."""
    literal = re.sub(r"[*?[]", r"[\g<0>]", pattern)
    return fnmatchcase(line, literal.replace("...", "*"))


def steps_of(page: str) -> Sequence[Step]:
    """The commands in the ``console`` blocks of a page that have ``:class: tested``, or ``server`` for servers.

    A command follows ``$``, goes on after ``>``, and its output follows without either.
    """
    steps: list[Step] = []
    blocks = re.findall(
        r"^\.\. code-block:: console\n   :class: (tested|server)\n\n((?:   .*\n|\n)+)", page + "\n", flags=re.MULTILINE
    )
    for kind, block in blocks:
        for line in block.splitlines():
            text = line.removeprefix("   ")
            if text.startswith("$ "):
                steps.append(Step(text[2:], serves=kind == "server"))
            elif text.startswith("> "):
                steps[-1] = structs.replace(steps[-1], command=f"{steps[-1].command}\n{text[2:]}")
            elif text:
                steps[-1] = structs.replace(steps[-1], expected=f"{steps[-1].expected}{text}\n")
    return steps


class Shell:
    """One shell in which the commands of a page run one after the other."""

    MARK = "=== the end of a step:"

    def __init__(self, directory: Path, environ: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            ["bash"],
            cwd=directory,
            env=dict(environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._watchdog = threading.Timer(PATIENCE, self._process.kill)
        self._watchdog.start()

    def run(self, command: str) -> tuple[int, str]:
        """Run a command; give its exit status and what it printed."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(f'{{ {command}\n}} </dev/null\necho "{self.MARK}$?"\n'.encode())
        self._process.stdin.flush()
        printed = []
        for raw in self._process.stdout:
            before, mark, status = raw.decode().partition(self.MARK)
            printed.append(before)
            if mark:
                return int(status), "".join(printed)
        raise AssertionError(f"the shell ended in {command!r} after {''.join(printed)!r}")

    def close(self) -> None:
        """End the shell."""
        self._watchdog.cancel()
        self._process.kill()
        self._process.communicate()


class FirstStart:
    """A server that is started in an empty directory with nothing configured but free ports.

    :param websites: whether it has websites too.
    :ivar announced: the variables that it printed for its users to paste.
    :ivar endpoint: where it listens, as it printed.
    :ivar websites: where its websites are.
    """

    def __init__(self, directory: Path, environ: Mapping[str, str], websites: bool = False) -> None:
        program = "from twisted.scripts.twistd import run; run()"
        options = ["--port", "0"]
        if websites:
            options += ["--website-endpoint", "tcp:0:interface=127.0.0.1", "--website-domain", "web.localhost"]
        self._process = subprocess.Popen(
            [sys.executable, "-c", program, "-n", "--pidfile=", "s3store", *options],
            cwd=directory,
            env=dict(environ),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._watchdog = threading.Timer(PATIENCE, self._process.kill)
        self._watchdog.start()
        self.announced: dict[str, str] = {}
        self.endpoint = self.websites = ""
        assert self._process.stdout
        printed = []
        listening = False
        for line in self._process.stdout:
            printed.append(line)
            if found := re.match(r"\s*export (\w+)=(\S+)$", line):
                self.announced[found[1]] = found[2]
            if found := re.search(r"--endpoint-url (\S+)", line):
                self.endpoint = found[1]
            if found := re.search(r"websites on (\S+)", line):
                self.websites = found[1]
            # Before that it does not listen to signals either.
            listening = listening or re.search(r"Listeners\W.*listening on", line) is not None
            if self.endpoint and listening and (self.websites or not websites):
                return
        self.stop()
        raise AssertionError(f"the server announced nothing to paste: {''.join(printed)}")

    def stop(self) -> int:
        """Stop it; give its exit status."""
        # Not as Ctrl-C does: what a shell starts in the background has SIGINT ignored, and so have its children.
        self._process.terminate()
        self._process.communicate()
        self._watchdog.cancel()
        return self._process.returncode


def documented_names(inventory: Path) -> set[str]:
    """The Python names that an inventory of Sphinx has."""
    lines = zlib.decompress(inventory.read_bytes().split(b"\n", 4)[4]).decode().splitlines()
    return {line.split()[0] for line in lines if line.split()[1].startswith("py:")}


def public_names() -> set[str]:
    """What the API page must have: the testing kit, the contracts, and whatever the examples import."""
    names = {f"twisted_s3.testing.{name}" for name in testing.__all__}
    names |= {
        f"{interfaces.__name__}.{name}"
        for name, value in vars(interfaces).items()
        if getattr(value, "__module__", "") == interfaces.__name__ and not name.startswith("_") and name != "T"
    }
    for example in (DOCS / "examples").glob("*.py"):
        for node in ast.walk(ast.parse(example.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("twisted_s3"):
                names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


class BuildTests(SynchronousTestCase):
    """Sphinx."""

    def test_no_warnings(self) -> None:
        """The documentation builds, with warnings being errors, and its tables have what the code has."""
        for module in ("sphinx", "furo"):
            if importlib.util.find_spec(module) is None:
                raise SkipTest(f"needs {module}: pip install -e '.[docs]'")
        out = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, out)
        done = subprocess.run(
            [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-E", "-d", out / "trees", DOCS, out / "html"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
        )
        self.assertEqual((done.returncode, done.stdout), (0, ""))
        compatibility = (out / "html" / "compatibility.html").read_text()
        for name in ("ListBuckets", "PutBucketPolicy", "CompleteMultipartUpload"):
            self.assertIn(f"<p>{name}</p>", compatibility)
        self.assertIn("S3STORE_DATA_DIR", (out / "html" / "settings.html").read_text())
        self.assertEqual(public_names() - documented_names(out / "html" / "objects.inv"), set())


class PageTests(SynchronousTestCase):
    """What pages tell people to type, against a server."""

    def test_tutorial(self) -> None:
        """Every marked command of the tutorial succeeds and prints what the tutorial says."""
        self.follow("tutorial", 8)

    def test_websites(self) -> None:
        """The page on websites."""
        self.follow("website", 8, websites=True)

    def test_encryption(self) -> None:
        """The page on encryption."""
        self.follow("encryption", 16)

    def test_cors(self) -> None:
        """The page on scripts in browsers."""
        self.follow("cors", 3)

    def test_settings(self) -> None:
        """The page on settings: what it says of users."""
        self.follow("settings", 4)

    def test_integrity(self) -> None:
        """The page on integrity, with the data of the server in place of that of the page."""
        self.follow("integrity", 4)

    def test_notifications(self) -> None:
        """The page on notifications: what it says of dead letters, of which there are none."""
        self.follow("notifications", 4)

    def follow(self, name: str, least: int, websites: bool = False) -> None:
        """Run the commands of a page, of which there are so many at least."""
        here = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, here)
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "S3STORE_"))}
        environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environ["PATH"]])
        if shutil.which("aws", path=environ["PATH"]) is None:
            raise SkipTest("needs the AWS CLI: pip install -e '.[test]'")
        environ |= {"HOME": str(here), "AWS_EC2_METADATA_DISABLED": "true", "NO_PROXY": "*", "no_proxy": "*"}
        server = FirstStart(here, environ | {"PYTHONPATH": str(ROOT)}, websites)
        self.addCleanup(server.stop)
        self.assertEqual(set(server.announced), {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"})
        environ["AWS_ENDPOINT_URL"] = server.endpoint
        shell = Shell(here, environ | server.announced)
        self.addCleanup(shell.close)
        steps = steps_of((DOCS / f"{name}.rst").read_text())
        self.assertGreaterEqual(len(steps), least)
        pages = f"localhost:{server.websites.rpartition(':')[2]}"
        for step in steps:
            command = step.command.replace(PUBLISHED_ENDPOINT, server.endpoint).replace("localhost:9080", pages)
            command = command.replace("/srv/s3", "s3store-data")
            status, printed = shell.run(command)
            self.assertEqual(status, 0, f"{step.command}\n{printed}")
            self.assertTrue(step.agrees(printed), f"{step}\nprinted {printed!r}")


class ExtractionTests(SynchronousTestCase):
    """How commands are found in a page."""

    PAGE = """
Text.

.. code-block:: console

   $ not this

.. code-block:: console
   :class: tested

   $ first 'a' \\
   >   b
   says ... [x]

   $ second

.. code-block:: console
   :class: server

   $ third

More text.
"""

    def test_steps(self) -> None:
        """Marked blocks give their commands, continued lines and outputs; other blocks nothing."""
        wanted = [Step("first 'a' \\\n  b", "says ... [x]\n"), Step("second"), Step("third", serves=True)]
        self.assertEqual(steps_of(self.PAGE), wanted)

    def test_agrees(self) -> None:
        """``...`` stands for anything, and nothing else does."""
        step = steps_of(self.PAGE)[0]
        self.assertTrue(step.agrees("says this and that [x]\n"))
        self.assertFalse(step.agrees("says this and that x\n"))
        self.assertFalse(step.agrees("says this [x]\nand more\n"))
        self.assertTrue(step.agrees("10 %\rsays this [x]  \n"))
        self.assertFalse(step.agrees(""))

    def test_shell_keeps_its_state(self) -> None:
        """Commands of a page see what earlier ones exported; a failure is told by its status."""
        here = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, here)
        shell = Shell(here, {"PATH": os.environ["PATH"]})
        self.addCleanup(shell.close)
        self.assertEqual(shell.run("export COLOUR=red"), (0, ""))
        self.assertEqual(shell.run("printf '%s' $COLOUR"), (0, "red"))
        self.assertEqual(shell.run("false")[0], 1)
