"""A short run of every fuzzing target. The long one is ``python -m tests.fuzz``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.fuzz import bodies, documents, files, heads
from tests.fuzz.targets import TARGETS, Target
from twisted_s3.errors import S3Error


def damaged(seed: bytes) -> st.SearchStrategy[bytes]:
    """A seed of which some stretches are other bytes."""
    cuts = st.lists(st.tuples(st.integers(0, len(seed)), st.integers(0, 9), st.binary(max_size=9)), max_size=4)

    def cut(places: list[tuple[int, int, bytes]]) -> bytes:
        data = seed
        for at, length, new in places:
            data = data[:at] + new + data[at + length :]
        return data

    return cuts.map(cut)


class Short(SynchronousTestCase):
    """Every target holds against what hypothesis thinks of."""

    def test_all_are_there(self) -> None:
        """No parser that was written for fuzzing is left out of the run."""
        written = {
            value
            for module in (heads, bodies, documents, files)
            for name, value in vars(module).items()
            if getattr(value, "__module__", "") == module.__name__
            and getattr(value, "__annotations__", None) == {"data": "bytes", "return": "None"}
        }
        self.assertEqual({target.feed for target in TARGETS}, written)
        self.assertEqual(len({target.name for target in TARGETS}), len(TARGETS))

    def test_all_are_documented(self) -> None:
        """The page on security tells of each how many inputs it had."""
        page = (Path(__file__).parent.parent.parent / "docs/security.rst").read_text()
        rows = re.findall(r"^     \* - ``(.+)``\n       - .+\n       - (.+)\n       - (.+)\n", page, re.MULTILINE)
        self.assertEqual(sorted(name for name, _, _ in rows), sorted(target.name for target in TARGETS))
        for name, inputs, found in rows:
            self.assertGreaterEqual(int(inputs.replace(",", "")), 30_000, name)
            self.assertRegex(found, "^nothing$|mended", name)

    def test_failures_show(self) -> None:
        """A refusal is none; any other exception is."""

        def fail(data: bytes) -> None:
            raise S3Error("InvalidURI") if data else KeyError("x")

        target = Target("x", fail, ())
        target(b"x")
        self.assertRaises(KeyError, target, b"")


def _test(target: Target) -> Any:
    inputs = st.one_of(st.binary(max_size=200), *map(damaged, target.seeds))

    def test(self: Short, data: bytes) -> None:
        target(data)

    # How long an input may take is for the long run to say, which has the machine for itself.
    return settings(max_examples=150, deadline=None)(given(inputs)(test))


for _target in TARGETS:
    setattr(Short, "test_" + _target.name.replace(" ", "_").replace("-", "_"), _test(_target))
