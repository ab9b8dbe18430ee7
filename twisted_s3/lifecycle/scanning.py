"""Looking for what is to be done, page by page. Runs where it may block, and changes nothing."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from msgspec import Struct

from twisted_s3.protocol.lifecycle.evaluation import Action, Calendar, Kind, Place, action, places
from twisted_s3.protocol.lifecycle.rules import Lifecycle
from twisted_s3.protocol.objectlock import is_locked
from twisted_s3.protocol.walks import VersionWalk


class Task(Struct, frozen=True):
    """Something that is to be done with a version."""

    place: Place
    action: Action


class Page(Struct, frozen=True):
    """What one look found.

    :ivar tasks: by key, of each key the newest version first.
    :ivar next: the key to go on with; None when there is no more.
    :ivar unfinished: whether that key is the one of the last task, because it has more.
    """

    tasks: tuple[Task, ...] = ()
    next: str | None = None
    unfinished: bool = False


class Look(Struct, frozen=True):
    """How to look at the versions of a bucket.

    :ivar versioned: whether the bucket is or was versioned.
    :ivar examined: at how many keys and versions to look, at least one key.
    :ivar found: how many tasks to look for.
    """

    lifecycle: Lifecycle
    versioned: bool
    now: float
    calendar: Calendar
    examined: int = 1000
    found: int = 256

    def page(self, walk: VersionWalk, start: str) -> Page:
        """What there is to do from the key ``start`` on."""
        tasks: list[Task] = []
        examined = 0
        for key in self._keys(walk, start):
            if examined >= self.examined:
                return Page(tuple(tasks), key)
            examined += 1
            for place in places(walk.versions(key)):
                if len(tasks) >= self.found:
                    return Page(tuple(tasks), key, unfinished=tasks[-1].place.version.key == key)
                examined += 1
                wanted = action(self.lifecycle, place, self.versioned, self.now, self.calendar)
                if wanted is not None and not self._is_locked(place, wanted):
                    tasks.append(Task(place, wanted))
        return Page(tuple(tasks))

    def _is_locked(self, place: Place, wanted: Action) -> bool:
        """Whether it would only be refused. What counts is the lock at the moment of the deletion."""
        return wanted.kind in (Kind.DELETE, Kind.REMOVE) and is_locked(place.version.lock, self.now)

    def _keys(self, walk: VersionWalk, start: str) -> Iterator[str]:
        """The keys that a rule may be about. What lies between their prefixes is passed over."""
        prefixes = sorted({rule.filter.prefix or "" for rule in self.lifecycle.enabled})
        at: str | None = start if prefixes else None
        while at is not None:
            here, at = at, None
            for key in walk.keys(here):
                if _begins_with_one(key, prefixes):
                    yield key
                    continue
                behind = bisect_right(prefixes, key)
                at = prefixes[behind] if behind < len(prefixes) else None
                break


def _begins_with_one(key: str, prefixes: Sequence[str]) -> bool:
    return any(key.startswith(prefix) for prefix in prefixes)
