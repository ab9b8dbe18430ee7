"""What a lifecycle does, as naively as can be: every rule is asked about every version."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from twisted_s3.model import ObjectVersion
from twisted_s3.protocol.lifecycle.rules import Filter, Lifecycle

#: From dear to cheap, and what AWS's page on transitions says can not be done although it goes down.
ORDER = ["STANDARD", "STANDARD_IA", "INTELLIGENT_TIERING", "ONEZONE_IA", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"]
BARRED = {("ONEZONE_IA", "GLACIER_IR")}

Outcome = tuple[str, str] | None


def term(start: float, days: int) -> float:
    """The midnight after so many days."""
    moment = datetime.fromtimestamp(start, UTC) + timedelta(days=days)
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return midnight.timestamp()


def admits(filter: Filter, version: ObjectVersion) -> bool:
    """Whether a filter takes a version."""
    wanted = [version.key.startswith(filter.prefix)] if filter.prefix is not None else []
    wanted += [(key, value) in version.properties.tags.items() for key, value in filter.tags]
    if filter.larger is not None:
        wanted.append(version.size > filter.larger)
    if filter.smaller is not None:
        wanted.append(version.size < filter.smaller)
    return all(wanted)


def outcome(lifecycle: Lifecycle, versions: Sequence[ObjectVersion], at: int, versioned: bool, now: float) -> Outcome:
    """What happens to one of the versions of a key, which are newest first: what, and which class."""
    version = versions[at]
    removed = marked = False
    classes: set[str] = set()
    for rule in lifecycle.rules:
        if not rule.enabled or not admits(rule.filter, version):
            continue
        expiration = rule.expiration
        if at == 0 and expiration is not None:
            over = False
            if expiration.days is not None:
                over = now >= term(version.last_modified, expiration.days)
            if expiration.date is not None:
                over = now >= expiration.date
            if version.delete_marker:
                removed |= len(versions) == 1 and (over or expiration.markers is True)
            elif versioned:
                marked |= over
            else:
                removed |= over
        if at == 0 and not version.delete_marker:
            for move in rule.transitions:
                end = move.date if move.days is None else term(version.last_modified, move.days)
                if end is not None and now >= end and movable(lifecycle, rule.filter, version, move.storage_class):
                    classes.add(move.storage_class)
        if at > 0:
            became = versions[at - 1].last_modified
            above = len(versions[1:at])
            last = rule.noncurrent_expiration
            if last is not None:
                removed |= above >= (last.newer or 0) and now >= term(became, last.days)
            for retired in rule.noncurrent_transitions if not version.delete_marker else ():
                over = above >= (retired.newer or 0) and now >= term(became, retired.days)
                if over and movable(lifecycle, rule.filter, version, retired.storage_class):
                    classes.add(retired.storage_class)
    if removed:
        return ("REMOVE" if versioned else "DELETE"), ""
    if classes:
        return "MOVE", max(classes, key=ORDER.index)
    return ("MARK", "") if marked else None


def movable(lifecycle: Lifecycle, filter: Filter, version: ObjectVersion, target: str) -> bool:
    """Whether a version can get a class."""
    has = version.properties.storage_class
    if ORDER.index(target) <= ORDER.index(has) or (has, target) in BARRED:
        return False
    if version.size >= 131072 or filter.larger is not None or filter.smaller is not None:
        return True
    return lifecycle.minimum == "varies_by_storage_class" and target in ("GLACIER", "DEEP_ARCHIVE")
