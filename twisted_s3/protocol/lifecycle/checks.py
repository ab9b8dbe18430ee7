"""What S3 refuses in a lifecycle configuration that its schema would allow.

The documentation names most of this without the words of the error; those are AWS's answers as they were reported
publicly (https://github.com/localstack/localstack, https://github.com/scality/Arsenal/pull/2648,
https://github.com/hashicorp/terraform-provider-aws/issues/23299 and others).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from twisted_s3.errors import S3Error
from twisted_s3.protocol.lifecycle.classes import may_follow
from twisted_s3.protocol.lifecycle.rules import Expiration, Filter, Rule, Transition
from twisted_s3.protocol.tagging import MAX_TAG_KEY, MAX_TAG_VALUE

#: How many rules there may be, and how long their ids and prefixes.
MAX_RULES = 1000
MAX_ID = 255
MAX_PREFIX = 1024

#: The sizes that a filter may name, in bytes.
_MAX_SIZE = 1000 * 1024**4

_DAY = 86400

#: The classes that an object gets, or leaves, only after 30 days.
_SLOW = frozenset(("STANDARD_IA", "ONEZONE_IA"))
_SLOW_DAYS = 30


def check_rules(rules: Sequence[Rule]) -> None:
    """:raise S3Error: ``InvalidRequest``, ``InvalidArgument``."""
    if not rules:
        raise _request("At least one lifecycle rule must be specified.")
    if len(rules) > MAX_RULES:
        raise _request(f"The number of lifecycle rules must not exceed the allowed limit of {MAX_RULES} rules.")
    seen: set[str] = set()
    for rule in rules:
        if len(rule.id) > MAX_ID:
            raise _argument("ID", rule.id, f"ID length should not exceed allowed limit of {MAX_ID}")
        if rule.id and rule.id in seen:
            raise _argument("ID", rule.id, "Rule ID must be unique. Found same ID for more than one rule")
        seen.add(rule.id)
    for rule in rules:
        _check_form(rule, rules[0].plain)
        _check_filter(rule.filter)
        _check_actions(rule)
        _check_combinations(rule)
        _check_transitions(rule)
        _check_noncurrent(rule)
    if rules[0].plain:
        _check_overlaps(rules)


def _check_form(rule: Rule, plain: bool) -> None:
    """All rules have the form of the first one."""
    if plain and not rule.plain:
        raise _request("Filter element can only be used in Lifecycle V2.")
    if rule.plain and not plain:
        raise _request("Base level prefix cannot be used in Lifecycle V2, prefixes are only supported in the Filter.")
    newer = [transition.newer for transition in rule.noncurrent_transitions]
    if rule.noncurrent_expiration is not None:
        newer.append(rule.noncurrent_expiration.newer)
    if plain and any(count is not None for count in newer):
        raise _request("NewerNoncurrentVersions element can only be used in Lifecycle V2.")


def _check_filter(filter: Filter) -> None:
    if len((filter.prefix or "").encode()) > MAX_PREFIX:
        raise _request(f"The maximum size of a prefix is {MAX_PREFIX}.")
    keys = [key for key, _ in filter.tags]
    if len(set(keys)) < len(keys):
        raise _request("Duplicate Tag Keys are not allowed.")
    for key, value in filter.tags:
        if not 0 < len(key) <= MAX_TAG_KEY:
            raise _request(f"A Tag's Key must be a length between 1 and {MAX_TAG_KEY}.")
        if len(value) > MAX_TAG_VALUE:
            raise _request(f"A Tag's Value must be a length between 0 and {MAX_TAG_VALUE}.")
    if filter.larger is not None and not 0 <= filter.larger <= _MAX_SIZE:
        raise _request(f"'ObjectSizeGreaterThan' should be between 0 and {_MAX_SIZE}.")
    if filter.smaller is not None and not 1 <= filter.smaller <= _MAX_SIZE:
        raise _request(f"'ObjectSizeLessThan' should be between 1 and {_MAX_SIZE}.")
    if filter.larger is not None and filter.smaller is not None and filter.smaller <= filter.larger:
        raise _request("'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'.")


def _check_actions(rule: Rule) -> None:
    """There is an action, and each has numbers and dates that it can have."""
    if not list(_actions(rule)):
        raise _request("At least one action needs to be specified in a rule")
    expiration = rule.expiration
    if expiration is not None and expiration.days is not None:
        _check_positive("Days", expiration.days, "Expiration")
    for timed in (expiration, *rule.transitions):
        if timed is not None and timed.date is not None and timed.date % _DAY:
            raise S3Error("InvalidArgument", "'Date' must be at midnight GMT", {"ArgumentName": "Date"})
    if rule.noncurrent_expiration is not None:
        _check_positive("NoncurrentDays", rule.noncurrent_expiration.days, "NoncurrentVersionExpiration")
        if rule.noncurrent_expiration.newer is not None:
            _check_positive("NewerNoncurrentVersions", rule.noncurrent_expiration.newer, "NoncurrentVersionExpiration")
    for transition in rule.noncurrent_transitions:
        if transition.newer is not None:
            _check_positive("NewerNoncurrentVersions", transition.newer, "NoncurrentVersionTransition")
    if rule.abort_days is not None:
        _check_positive("DaysAfterInitiation", rule.abort_days, "AbortIncompleteMultipartUpload")


def _check_combinations(rule: Rule) -> None:
    """Delete markers and uploads have no tags, and are not chosen by size."""
    markers = rule.expiration is not None and rule.expiration.markers is not None
    uploads = rule.abort_days is not None
    for there, action in ((markers, "ExpiredObjectDeleteMarker"), (uploads, "AbortIncompleteMultipartUpload")):
        if there and rule.filter.tags:
            raise _request(f"{action} cannot be specified with Tags.")
        if there and rule.filter.sized:
            raise _request(f"{action} cannot be specified with Object Size.")


def _check_transitions(rule: Rule) -> None:
    where = _shown(rule)
    for transition in rule.transitions:
        if transition.days is not None:
            _check_days("Days", "Transition", transition.storage_class, transition.days)
    timed: list[Expiration | Transition] = [*rule.transitions]
    if rule.expiration is not None and rule.expiration.markers is None:
        timed.append(rule.expiration)
    if rule.transitions and len({when.date is None for when in timed}) > 1:
        raise _request(
            f"Found mixed 'Date' and 'Days' based Expiration and Transition actions in lifecycle rule for {where}"
        )
    for one, other in combinations(rule.transitions, 2):
        name = "Days" if one.date is None else "Date"
        _check_order("Transition", name, where, (one.storage_class, _age(one)), (other.storage_class, _age(other)))
    if rule.expiration in timed and rule.expiration is not None:
        for transition in rule.transitions:
            if _age(rule.expiration) <= _age(transition):
                name = "Days" if transition.date is None else "Date"
                raise _argument(
                    name,
                    "" if rule.expiration.days is None else str(rule.expiration.days),
                    f"'{name}' in the Expiration action for {where} must be greater than '{name}' in the "
                    "Transition action",
                )


def _check_noncurrent(rule: Rule) -> None:
    where = _shown(rule)
    for transition in rule.noncurrent_transitions:
        _check_days("NoncurrentDays", "NoncurrentVersionTransition", transition.storage_class, transition.days)
    for one, other in combinations(rule.noncurrent_transitions, 2):
        pair = (one.storage_class, one.days), (other.storage_class, other.days)
        _check_order("NoncurrentVersionTransition", "NoncurrentDays", where, *pair)
    expiration = rule.noncurrent_expiration
    if expiration is not None and any(expiration.days <= move.days for move in rule.noncurrent_transitions):
        raise _argument(
            "NoncurrentDays",
            str(expiration.days),
            f"'NoncurrentDays' in the NoncurrentVersionExpiration action for {where} must be greater than "
            "'NoncurrentDays' in the NoncurrentVersionTransition action",
        )


def _check_days(name: str, action: str, storage_class: str, days: int) -> None:
    if days < 0:
        raise _argument(name, str(days), f"'{name}' in {action} action must be nonnegative")
    if storage_class in _SLOW and days < _SLOW_DAYS:
        raise _argument(
            name,
            str(days),
            f"'{name}' in {action} action must be greater than or equal to {_SLOW_DAYS} for storageClass "
            f"'{storage_class}'",
        )


def _check_order(action: str, name: str, where: str, one: tuple[str, float], other: tuple[str, float]) -> None:
    """Of two transitions of a rule the later one has to be one that can follow the earlier."""
    if one[0] == other[0]:
        raise _request(f"'StorageClass' must be different for '{action}' actions in same 'Rule' with {where}")
    (warm, first), (cold, then) = (other, one) if may_follow(other[0], one[0]) else (one, other)
    least = _SLOW_DAYS if warm in _SLOW else 0
    gap = then - first
    text = f"'{name}' in the '{action}' action for StorageClass '{cold}' for {where} must be "
    if gap <= 0 or not may_follow(warm, cold):
        text += f"greater than '{name}' in the '{action}' action for StorageClass '{warm}' for {where}"
    elif gap < least:
        text += f"{least} days more than '{where}' in the '{action}' action for StorageClass '{warm}'"
    else:
        return
    raise _argument(name, str(int(then)), text)


def _check_overlaps(rules: Sequence[Rule]) -> None:
    """In the older form no object may be meant by two actions of a kind."""
    above: list[Rule] = []
    for rule in sorted(rules, key=lambda rule: rule.filter.prefix or ""):
        prefix = rule.filter.prefix or ""
        # In this order those whose prefix is one of this prefix are all that is left of those before.
        while above and not prefix.startswith(above[-1].filter.prefix or ""):
            above.pop()
        for other in above:
            for action in _actions(rule):
                if action in _actions(other):
                    raise _request(
                        f"Found overlapping prefixes '{other.filter.prefix}' and '{prefix}' for same action type "
                        f"'{action}'"
                    )
        above.append(rule)


def _actions(rule: Rule) -> Iterator[str]:
    """The kinds of actions that a rule has."""
    if rule.expiration is not None:
        yield "Expiration" if rule.expiration.markers is None else "ExpiredObjectDeleteMarker"
    if rule.transitions:
        yield "Transition"
    if rule.noncurrent_expiration is not None:
        yield "NoncurrentVersionExpiration"
    if rule.noncurrent_transitions:
        yield "NoncurrentVersionTransition"
    if rule.abort_days is not None:
        yield "AbortIncompleteMultipartUpload"


def _age(when: Expiration | Transition) -> float:
    """In days: since the object was made, or since the epoch."""
    return (when.date or 0.0) / _DAY if when.days is None else when.days


def _shown(rule: Rule) -> str:
    prefix = rule.filter.prefix or ""
    return f"prefix '{prefix}'" if rule.plain else f"filter '(prefix={prefix})'"


def _check_positive(name: str, number: int, action: str) -> None:
    if number < 1:
        raise _argument(name, str(number), f"'{name}' for {action} action must be a positive integer")


def _request(message: str) -> S3Error:
    return S3Error("InvalidRequest", message)


def _argument(name: str, value: str, message: str) -> S3Error:
    return S3Error("InvalidArgument", message, {"ArgumentName": name, "ArgumentValue": value})
