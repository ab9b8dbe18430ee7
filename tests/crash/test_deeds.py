"""Everything that is done at one stroke, with a failure at each of its calls."""

from __future__ import annotations

from ast import Attribute, ClassDef, FunctionDef, NodeVisitor, parse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.crash.deeds import Deed
from tests.crash.mutants import REMOVED, Place, deed_to_notice, find_deeds, mutant_of
from tests.crash.reasons import DIRECTED, NEEDLESS
from tests.crash.simulated import SimulatedDisk
from tests.crash.world import now, open_store
from tests.storage.filesystem.disks import ObservedDisk
from tests.storage.kit import OWNER, PlainPayload
from twisted_s3.interfaces import always
from twisted_s3.model import Properties
from twisted_s3.storage import filesystem
from twisted_s3.storage.filesystem.store import FilesystemStore


class DeedTests(SynchronousTestCase):
    """Each deed is done or not, and done for good when it was acknowledged; it is noticed when one would not be."""

    reached: Mapping[Place, Sequence[Deed]]

    @classmethod
    def setUpClass(cls) -> None:
        cls.reached = find_deeds()

    def test_each_and_each_without_a_step(self) -> None:
        self.assertGreater(len(self.reached), 40)
        known = {*DIRECTED, *NEEDLESS}
        mutants = [(mutant_of(place, REMOVED), deeds) for place, deeds in self.reached.items()]
        for mutant, deeds in mutants:
            if mutant.name not in known:
                self.assertIsNotNone(deed_to_notice(mutant, deeds), mutant.name)

    def test_each_place_of_the_code_is_known(self) -> None:
        """What syncs anything is come through by some deed."""
        known = {name for place in self.reached for name in place.functions}
        self.assertEqual(syncing_functions() - known, set())


class _Syncs(NodeVisitor):
    """Finds the functions that sync something.

    :ivar found: their names.
    """

    def __init__(self) -> None:
        self.found: set[str] = set()
        self._within: list[str] = []

    def visit_ClassDef(self, node: ClassDef | FunctionDef) -> None:
        """A class, or a function."""
        self._within.append(node.name)
        self.generic_visit(node)
        self._within.pop()

    visit_FunctionDef = visit_ClassDef

    def visit_Attribute(self, node: Attribute) -> None:
        """A name behind a dot."""
        if node.attr in ("fsync", "fsync_directory", "sync", "reach"):
            self.found.add(".".join(self._within))
        self.generic_visit(node)


def syncing_functions() -> set[str]:
    """The functions of the store that sync something, but for those through which all go."""
    visitor = _Syncs()
    for path in Path(filesystem.__path__[0]).glob("*.py"):
        if path.stem not in ("sync", "realdisk", "disk", "store"):
            visitor.visit(parse(path.read_text()))
    return visitor.found


class MovingTests(SynchronousTestCase):
    """A walk that looks for side files without a file, and an object that is never where the walk is."""

    def test_an_object_that_a_walk_misses_keeps_its_record(self) -> None:
        disk = SimulatedDisk()
        store = open_store(disk, lambda job: job(), lambda disk: ObservedDisk(disk, self.move))
        now(store.start())
        now(store.create_bucket("alpha", OWNER, ""))
        big = Properties(user={"big": "x" * 5000})
        for key in ("a/stays", "b/stays", "a/moves"):
            self.put(store, key, big)
        disk.now_ns += 10 * 86400 * 10**9
        self.places = ["a/moves", "b/moves"]
        self.moves = 0
        self.rename = lambda source, target: now(store.rename_object("alpha", source, target))
        self.assertEqual(list(store.integrity.fsck.find(repair=True)), [])
        self.assertGreater(self.moves, 2)
        self.assertEqual(now(store.head_object("alpha", self.places[0])).properties, big)

    def put(self, store: FilesystemStore, key: str, properties: Properties) -> None:
        staged = now(store.stage("alpha", PlainPayload()))
        now(staged.write(key.encode()))
        now(staged.commit(key, properties, always, OWNER))

    places: Sequence[str] = ()

    def move(self, name: str, args: tuple[Any, ...]) -> None:
        """When its folder is about to be looked at, it goes to the other."""
        if name == "scan" and self.places and args[0] == b"alpha/" + self.places[0][:1].encode():
            source, target = self.places
            # Not while it moves.
            self.places = ()
            self.rename(source, target)
            self.places = [target, source]
            self.moves += 1
