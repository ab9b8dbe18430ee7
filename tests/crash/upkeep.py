"""What a store makes durable beside objects: events, letters, notes, configurations, quarantine, repairs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from msgspec import structs

from tests.crash.deeds import Deed
from tests.crash.world import now
from tests.storage.kit import OWNER, PlainPayload
from twisted_s3.errors import S3Error
from twisted_s3.interfaces import always
from twisted_s3.model import ObjectVersion, Properties
from twisted_s3.queueing import BEGINNING, Letter, Position
from twisted_s3.storage.filesystem.disk import Access, Kind
from twisted_s3.storage.filesystem.layout import QUARANTINE
from twisted_s3.storage.filesystem.store import FilesystemStore

_BIG = Properties(user={"big": "x" * 5000})
_LETTERS = [Letter(f"{n:016X}", {"message": "m" * 300}, "refused", 3, 1e9) for n in range(2)]


def _nothing(store: FilesystemStore) -> None:
    """Nothing is needed."""


def _announce(number: int, size: int = 10) -> Callable[[FilesystemStore], object]:
    return lambda store: now(store.events.announce({"to": {}, "message": {"n": number, "x": "x" * size}}))


def _events(store: FilesystemStore, start: Position = BEGINNING) -> set[str]:
    """The events from ``start`` on; what is told twice counts once."""
    found: set[str] = set()
    at = start
    while (stretch := now(store.events.read(at))).behind != at:
        found |= {json.dumps(line.content, sort_keys=True) for line in stretch.lines}
        at = stretch.behind
    return found


def _two_segments(store: FilesystemStore) -> None:
    _announce(1, 5000)(store)
    _announce(2)(store)


def _end(store: FilesystemStore) -> Position:
    at = BEGINNING
    while (stretch := now(store.events.read(at))).behind != at:
        at = stretch.behind
    return at


def _advance(store: FilesystemStore) -> None:
    now(store.events.advance("t", _end(store), ["t"]))


def _undelivered(store: FilesystemStore) -> object:
    cursor = now(store.events.cursor("t"))
    return cursor, _events(store, cursor)


def _bury(letters: Sequence[Letter]) -> Callable[[FilesystemStore], None]:
    def bury(store: FilesystemStore) -> None:
        for letter in letters:
            now(store.events.bury("t", letter))

    return bury


def _retry(store: FilesystemStore) -> None:
    store.deliveries.retry("t", _LETTERS[0].name)


def _buried_and_retried(store: FilesystemStore) -> None:
    _bury(_LETTERS)(store)
    _retry(store)


def _letters(store: FilesystemStore) -> object:
    return store.deliveries.dead("t"), store.deliveries.again("t")


def _note(text: bytes) -> Callable[[FilesystemStore], object]:
    return lambda store: now(store.save_note("job", text))


def _put(store: FilesystemStore, key: str, properties: Properties = Properties()) -> None:
    staged = now(store.stage("alpha", PlainPayload()))
    now(staged.write(b"some bytes"))
    now(staged.commit(key, properties, always, OWNER))


def _bucket(store: FilesystemStore) -> None:
    now(store.create_bucket("alpha", OWNER, ""))


def _configure(store: FilesystemStore) -> None:
    now(store.change_bucket("alpha", lambda bucket: structs.replace(bucket, configurations={"policy": b"p" * 900})))


def _damaged(store: FilesystemStore) -> None:
    """An object of which a byte has changed, though nobody wrote it."""
    _bucket(store)
    _put(store, "d/k", _BIG)
    disk = store._disk
    descriptor = disk.open(b"alpha/d/k", Access.WRITE)
    modified = disk.fstat(descriptor).mtime_ns
    disk.write(descriptor, 0, [b"X"])
    disk.touch(descriptor, modified)
    disk.close(descriptor)


def _quarantine(store: FilesystemStore) -> None:
    findings = [step.finding for step in store.integrity.scrub.walk(deep=True)]
    for finding in filter(None, findings):
        store.integrity.quarantine.take(finding)


def _whereabouts(store: FilesystemStore) -> object:
    """Where the bytes are: at their key or in quarantine, with what was found of them."""
    found = []
    try:
        folders = store._disk.scan(QUARANTINE)
    except FileNotFoundError:
        folders = []
    for name, _ in folders:
        folder = b"%b/%b" % (QUARANTINE, name)
        if any(name == b"data" for name, _ in store._disk.scan(folder)):
            finding = json.loads(store._files.load(folder + b"/finding.json") or b"{}")
            found.append((store._files.load(folder + b"/data"), finding.get("key")))
    return found, store._files.load(b"alpha/d/k")


def _hidden(store: FilesystemStore) -> None:
    """An object in the overflow, behind a file that was put by hand."""
    _bucket(store)
    _put(store, "z/y")
    _put(store, "z", _BIG)
    disk = store._disk
    disk.unlink(b"alpha/z/y")
    disk.rmdir(b"alpha/z")
    disk.close(disk.open(b"alpha/z", Access.NEW))


def _repair(store: FilesystemStore) -> None:
    for _ in store.integrity.fsck.find(repair=True):
        pass


def _behind(store: FilesystemStore) -> ObjectVersion | None:
    """What is there when the file that was put by hand goes."""
    disk = store._disk
    if disk.stat(b"alpha/z").kind is Kind.FILE:
        disk.unlink(b"alpha/z")
    try:
        return now(store.head_object("alpha", "z"))
    except S3Error:
        return None


UPKEEP = (
    Deed("the first event", _nothing, _announce(1), _events),
    Deed("another event", _announce(1), _announce(2), _events),
    Deed("an event in a new segment", _announce(1, 5000), _announce(2), _events),
    Deed("a cursor", _announce(1), _advance, _undelivered),
    Deed("a cursor that lets go of events", _two_segments, _advance, _undelivered),
    Deed("a dead letter", _nothing, _bury(_LETTERS[:1]), _letters),
    Deed("another dead letter", _bury(_LETTERS[:1]), _bury(_LETTERS[1:]), _letters),
    Deed("a letter to be tried again", _bury(_LETTERS), _retry, _letters),
    Deed(
        "a letter that was tried again", _buried_and_retried, lambda s: now(s.events.done("t", _LETTERS[0])), _letters
    ),
    Deed(
        "a letter that nobody wants", _bury(_LETTERS), lambda s: s.deliveries.discard("t", _LETTERS[0].name), _letters
    ),
    Deed("a note", _nothing, _note(b"first"), lambda store: now(store.load_note("job"))),
    Deed("a note in place of another", _note(b"first"), _note(b"second"), lambda store: now(store.load_note("job"))),
    Deed("a configuration", _bucket, _configure, lambda store: now(store.get_bucket("alpha"))),
    Deed("a quarantine", _damaged, _quarantine, _whereabouts, again=False),
    Deed("a repair", _hidden, _repair, _behind, again=False),
)
