"""What a process of the daemon loads when it starts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).parent.parent


class LoadingTests(SynchronousTestCase):
    def run_program(self, *lines: str) -> str:
        # In a process of its own: what is loaded stays loaded, and what is kept out of collection stays out.
        program = "\n".join(("import gc, sys", "from twisted_s3.loading import load_compose", *lines))
        done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def test_loaded(self) -> None:
        """It is the function of that name; its module is kept out of garbage collection, which then goes on."""
        printed = self.run_program(
            "before = gc.get_freeze_count()",
            "compose = load_compose('twisted_s3.composition.compose')",
            "print(compose is sys.modules['twisted_s3.composition'].compose, before, gc.isenabled())",
            "module = vars(sys.modules[compose.__module__])",
            "print(gc.get_freeze_count() > 0, any(one is module for one in gc.get_objects()))",
        )
        self.assertEqual(printed, "True 0 True\nTrue False\n")

    def test_collection_that_is_off_stays_off(self) -> None:
        self.assertEqual(
            self.run_program("gc.disable()", "load_compose('twisted_s3.serving.Composition')", "print(gc.isenabled())"),
            "False\n",
        )

    def test_no_such_thing(self) -> None:
        """The error is told, and collection goes on."""
        printed = self.run_program(
            "try:",
            "    load_compose('twisted_s3.nothing')",
            "except Exception as error:",
            "    print(type(error).__name__, gc.isenabled())",
        )
        self.assertEqual(printed, "AttributeError True\n")

    def test_light_start(self) -> None:
        """What costs and may not be needed waits for who needs it."""
        printed = self.run_program(
            "import twisted_s3.tap",
            "load_compose(twisted_s3.tap.COMPOSE)",
            "heavy = {'automat', 'awscrt', 'boto3', 'botocore', 'lxml', 'nats', 'treq', 'twisted_s3.delivery'}",
            "print(sorted(heavy & set(sys.modules)))",
        )
        self.assertEqual(printed, "[]\n")
