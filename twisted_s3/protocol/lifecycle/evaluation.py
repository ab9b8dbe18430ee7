"""What a lifecycle configuration says of versions and uploads, as pure functions.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-expire-general-considerations.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-conflicts.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum

from msgspec import Struct, structs

from twisted_s3.model import ListedVersion, ObjectVersion, Upload
from twisted_s3.protocol.lifecycle.classes import depth, may_follow, takes_small
from twisted_s3.protocol.lifecycle.rules import BY_CLASS, SMALL, Lifecycle, Rule

DAY = 86400.0


class Calendar(Struct, frozen=True):
    """How days are counted.

    :ivar day: the length of a day in seconds. A day as people have it ends at midnight (UTC), and so does every term;
        any other is counted to the moment, for those who can not wait.
    """

    day: float = DAY

    def after(self, start: float, days: int) -> float:
        """When so many days have passed since ``start``."""
        end = start + days * self.day
        return end if self.day != DAY else (end // DAY + 1) * DAY


class Place(Struct, frozen=True):
    """A version or delete marker among all of its key.

    :ivar latest: whether it is the current version, or the delete marker that hides the key.
    :ivar newer: how many are newer.
    :ivar since: when it ceased to be the newest; None while it is.
    :ivar alone: whether the key has no other.
    """

    version: ObjectVersion
    latest: bool = True
    newer: int = 0
    since: float | None = None
    alone: bool = True


class Kind(Enum):
    """What is to be done."""

    DELETE = "remove the object, of which no versions are kept"
    MARK = "put a delete marker on top of the versions"
    REMOVE = "remove a version or delete marker for good"
    MOVE = "give a version another storage class"


class Action(Struct, frozen=True):
    """What is to be done with a version, and the id of the rule that says so.

    :ivar newer: how many newer noncurrent versions there have to be, for a noncurrent one.
    """

    kind: Kind
    rule: str
    storage_class: str = ""
    newer: int = 0


def places(listed: Iterable[ListedVersion]) -> Iterator[Place]:
    """The places of the versions of a key, which come newest first; one is read ahead."""
    before: Place | None = None
    for newer, one in enumerate(listed):
        if before is not None:
            yield structs.replace(before, alone=False)
        since = None if before is None else before.version.last_modified
        before = Place(one.version, one.is_latest, newer, since, alone=newer == 0)
    if before is not None:
        yield before


def action(lifecycle: Lifecycle, place: Place, versioned: bool, now: float, calendar: Calendar) -> Action | None:
    """What is to be done with a version, None for nothing.

    Of several things the one that is cheapest to keep: removing for good, then a cheaper class, then a delete marker.

    :param versioned: whether the bucket is or was versioned.
    """
    rules = [rule for rule in lifecycle.enabled if rule.filter.admits(place.version)]
    if place.latest:
        if place.version.delete_marker:
            return _leftover(rules, place, now, calendar)
        expires = next((rule for rule in rules if _has_expired(rule, place.version, now, calendar)), None)
        if expires is not None and not versioned:
            return Action(Kind.DELETE, expires.id)
        move = _move(lifecycle, rules, place, now, calendar)
        return move or (None if expires is None else Action(Kind.MARK, expires.id))
    if place.since is None:
        # The newest, and yet not the current one: somebody is at work on it.
        return None
    for rule in rules:
        last = rule.noncurrent_expiration
        if last is not None and _has_rested(place, last.days, last.newer, now, calendar):
            return Action(Kind.REMOVE, rule.id, newer=last.newer or 0)
    return None if place.version.delete_marker else _move(lifecycle, rules, place, now, calendar)


def expiry(lifecycle: Lifecycle, version: ObjectVersion, calendar: Calendar) -> tuple[float, str] | None:
    """When a current version expires, and by which rule; None for never."""
    ends = [
        (end, rule.id)
        for rule in lifecycle.enabled
        if rule.filter.admits(version) and (end := _end(rule, version, calendar)) is not None
    ]
    return min(ends, key=lambda found: found[0], default=None)


def abortion(lifecycle: Lifecycle, upload: Upload, calendar: Calendar) -> tuple[float, str] | None:
    """When an unfinished upload is dropped, and by which rule; None for never."""
    ends = [
        (calendar.after(upload.initiated, rule.abort_days), rule.id)
        for rule in lifecycle.enabled
        if rule.abort_days is not None and rule.filter.admits_key(upload.key)
    ]
    return min(ends, key=lambda found: found[0], default=None)


def _leftover(rules: Iterable[Rule], place: Place, now: float, calendar: Calendar) -> Action | None:
    """What happens to a delete marker that hides nothing any more."""
    for rule in rules if place.alone else ():
        expiration = rule.expiration
        if expiration is not None and (expiration.markers or _has_expired(rule, place.version, now, calendar)):
            return Action(Kind.REMOVE, rule.id)
    return None


def _end(rule: Rule, version: ObjectVersion, calendar: Calendar) -> float | None:
    if rule.expiration is None:
        return None
    if rule.expiration.days is not None:
        return calendar.after(version.last_modified, rule.expiration.days)
    return rule.expiration.date


def _has_expired(rule: Rule, version: ObjectVersion, now: float, calendar: Calendar) -> bool:
    end = _end(rule, version, calendar)
    return end is not None and now >= end


def _has_rested(place: Place, days: int, newer: int | None, now: float, calendar: Calendar) -> bool:
    """Whether a version has been noncurrent for long enough, below enough others that are, too."""
    return place.since is not None and place.newer > (newer or 0) and now >= calendar.after(place.since, days)


def _move(lifecycle: Lifecycle, rules: Iterable[Rule], place: Place, now: float, calendar: Calendar) -> Action | None:
    """The cheapest class that is due for a version, and that it can be moved to."""
    version = place.version
    due: list[Action] = []
    for rule in rules:
        classes = []
        if place.latest:
            for move in rule.transitions:
                end = move.date if move.days is None else calendar.after(version.last_modified, move.days)
                if end is not None and now >= end:
                    classes.append(move.storage_class)
        else:
            for retired in rule.noncurrent_transitions:
                if _has_rested(place, retired.days, retired.newer, now, calendar):
                    classes.append(retired.storage_class)
        for name in classes:
            large = version.size >= SMALL or rule.filter.sized
            if may_follow(version.properties.storage_class, name) and (
                large or (lifecycle.minimum == BY_CLASS and takes_small(name))
            ):
                due.append(Action(Kind.MOVE, rule.id, name))
    return max(due, key=lambda found: depth(found.storage_class), default=None)
