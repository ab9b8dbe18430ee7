"""The document of a lifecycle configuration, read and written.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycle.html (the older form: a prefix for a filter)
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar
from uuid import uuid4

from msgspec import structs

from twisted_s3.errors import S3Error
from twisted_s3.protocol.dates import format_iso8601, parse_iso8601
from twisted_s3.protocol.lifecycle.checks import check_rules
from twisted_s3.protocol.lifecycle.rules import (
    ALL_CLASSES,
    Expiration,
    Filter,
    Lifecycle,
    NoncurrentExpiration,
    NoncurrentTransition,
    Rule,
    Transition,
)
from twisted_s3.protocol.xmldocs import document, element
from twisted_s3.protocol.xmlreading import (
    Element,
    boolean_of,
    children_of,
    members_of,
    name_of,
    parse_document,
    text_of,
    texts_of,
)

T = TypeVar("T")

_ROOT = "LifecycleConfiguration"
_STATUS = {"Enabled": True, "Disabled": False}
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_ONCE = frozenset(
    ("ID", "Prefix", "Filter", "Status", "Expiration", "NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload")
)
_OFTEN = frozenset(("Transition", "NoncurrentVersionTransition"))
_CLASSES = frozenset(("GLACIER", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "DEEP_ARCHIVE", "GLACIER_IR"))


def parse_lifecycle(body: bytes, minimum: str = ALL_CLASSES) -> Lifecycle:
    """Read ``LifecycleConfiguration``; a rule without an id is given one.

    :param minimum: ``x-amz-transition-default-minimum-object-size``.
    :raise S3Error: ``MalformedXML``, ``InvalidRequest``, ``InvalidArgument``.
    """
    rules = []
    for child in children_of(parse_document(body, _ROOT)):
        if name_of(child) != "Rule":
            raise S3Error("MalformedXML")
        rules.append(_rule(child))
    check_rules(rules)
    return Lifecycle(tuple(rule if rule.id else structs.replace(rule, id=_made_id()) for rule in rules), minimum)


def lifecycle_document(lifecycle: Lifecycle) -> bytes:
    """Write ``LifecycleConfiguration``."""
    return document(_ROOT, *(f"<Rule>{''.join(_written(rule))}</Rule>" for rule in lifecycle.rules))


def _made_id() -> str:
    return b64encode(str(uuid4()).encode()).decode()


def _rule(node: Element) -> Rule:
    once, often = _grouped(node, _ONCE, _OFTEN)
    plain = "Prefix" in once
    if plain and "Filter" in once:
        raise S3Error(
            "InvalidRequest",
            "Base level prefix cannot be used in Lifecycle V2, prefixes are only supported in the Filter.",
        )
    if not plain and "Filter" not in once:
        raise S3Error("MalformedXML")
    status = _STATUS.get(text_of(once["Status"]).strip()) if "Status" in once else None
    if status is None:
        raise S3Error("MalformedXML")
    return Rule(
        id=text_of(once["ID"]) if "ID" in once else "",
        enabled=status,
        filter=Filter(text_of(once["Prefix"])) if plain else _filter(once["Filter"]),
        plain=plain,
        expiration=_maybe(once.get("Expiration"), _expiration),
        transitions=tuple(_transition(child) for child in often["Transition"]),
        noncurrent_expiration=_maybe(once.get("NoncurrentVersionExpiration"), _noncurrent_expiration),
        noncurrent_transitions=tuple(_noncurrent_transition(child) for child in often["NoncurrentVersionTransition"]),
        abort_days=_maybe(once.get("AbortIncompleteMultipartUpload"), _abort_days),
    )


def _grouped(
    node: Element, once: frozenset[str], often: frozenset[str]
) -> tuple[dict[str, Element], dict[str, list[Element]]]:
    """The elements in an element by name: those that may be there once, and those that may be there often."""
    single: dict[str, Element] = {}
    several: dict[str, list[Element]] = {name: [] for name in often}
    for child in children_of(node):
        name = name_of(child)
        if name in often:
            several[name].append(child)
        elif name in once and name not in single:
            single[name] = child
        else:
            raise S3Error("MalformedXML")
    return single, several


def _maybe(node: Element | None, read: Callable[[Element], T]) -> T | None:
    return None if node is None else read(node)


def _filter(node: Element) -> Filter:
    """A filter: nothing, one predicate, or an ``And`` around two or more."""
    once, often = _grouped(node, frozenset(("Prefix", "ObjectSizeGreaterThan", "ObjectSizeLessThan", "And")), _TAG)
    if "And" in once:
        if len(once) + len(often["Tag"]) > 1:
            raise S3Error("MalformedXML")
        once, often = _grouped(once["And"], frozenset(("Prefix", "ObjectSizeGreaterThan", "ObjectSizeLessThan")), _TAG)
        if len(once) + len(often["Tag"]) < 2:
            raise S3Error("MalformedXML")
    elif len(once) + len(often["Tag"]) > 1:
        raise S3Error("MalformedXML")
    return Filter(
        prefix=_maybe(once.get("Prefix"), text_of),
        tags=tuple(_tag(child) for child in often["Tag"]),
        larger=_maybe(once.get("ObjectSizeGreaterThan"), _integer),
        smaller=_maybe(once.get("ObjectSizeLessThan"), _integer),
    )


_TAG = frozenset(("Tag",))


def _tag(node: Element) -> tuple[str, str]:
    texts = texts_of(node, {"Key", "Value"})
    if len(texts) != 2:
        raise S3Error("MalformedXML")
    return texts["Key"], texts["Value"]


def _expiration(node: Element) -> Expiration:
    members = members_of(node, {"Date", "Days", "ExpiredObjectDeleteMarker"})
    if len(members) != 1:
        raise S3Error("MalformedXML")
    markers = members.get("ExpiredObjectDeleteMarker")
    return Expiration(
        days=_maybe(members.get("Days"), _integer),
        date=_maybe(members.get("Date"), _date),
        markers=None if markers is None else boolean_of(text_of(markers)),
    )


def _transition(node: Element) -> Transition:
    members = members_of(node, {"Date", "Days", "StorageClass"})
    if len(members) != 2:
        raise S3Error("MalformedXML")
    return Transition(
        _storage_class(members), _maybe(members.get("Days"), _integer), _maybe(members.get("Date"), _date)
    )


def _noncurrent_expiration(node: Element) -> NoncurrentExpiration:
    members = members_of(node, {"NoncurrentDays", "NewerNoncurrentVersions"})
    return NoncurrentExpiration(_noncurrent_days(members), _maybe(members.get("NewerNoncurrentVersions"), _integer))


def _noncurrent_transition(node: Element) -> NoncurrentTransition:
    members = members_of(node, {"NoncurrentDays", "NewerNoncurrentVersions", "StorageClass"})
    newer = _maybe(members.get("NewerNoncurrentVersions"), _integer)
    return NoncurrentTransition(_storage_class(members), _noncurrent_days(members), newer)


def _noncurrent_days(members: dict[str, Element]) -> int:
    if "NoncurrentDays" not in members:
        raise S3Error("MalformedXML")
    return _integer(members["NoncurrentDays"])


def _abort_days(node: Element) -> int:
    members = members_of(node, {"DaysAfterInitiation"})
    if not members:
        raise S3Error("MalformedXML")
    return _integer(members["DaysAfterInitiation"])


def _storage_class(members: dict[str, Element]) -> str:
    found = text_of(members["StorageClass"]).strip() if "StorageClass" in members else ""
    if found not in _CLASSES:
        raise S3Error("MalformedXML")
    return found


def _integer(node: Element) -> int:
    text = text_of(node).strip()
    if _INTEGER.fullmatch(text) is None:
        raise S3Error("MalformedXML")
    return int(text)


def _date(node: Element) -> float:
    found = parse_iso8601(text_of(node).strip())
    if found is None:
        raise S3Error("MalformedXML")
    return found


def _written(rule: Rule) -> Iterator[str]:
    yield element("ID", rule.id)
    if rule.plain:
        yield element("Prefix", rule.filter.prefix or "")
    else:
        yield _written_filter(rule.filter)
    yield element("Status", "Enabled" if rule.enabled else "Disabled")
    if rule.expiration is not None:
        yield f"<Expiration>{_written_time(rule.expiration)}</Expiration>"
    for transition in rule.transitions:
        content = _written_time(transition) + element("StorageClass", transition.storage_class)
        yield f"<Transition>{content}</Transition>"
    if rule.noncurrent_expiration is not None:
        content = _written_noncurrent(rule.noncurrent_expiration)
        yield f"<NoncurrentVersionExpiration>{content}</NoncurrentVersionExpiration>"
    for noncurrent in rule.noncurrent_transitions:
        content = _written_noncurrent(noncurrent) + element("StorageClass", noncurrent.storage_class)
        yield f"<NoncurrentVersionTransition>{content}</NoncurrentVersionTransition>"
    if rule.abort_days is not None:
        content = element("DaysAfterInitiation", rule.abort_days)
        yield f"<AbortIncompleteMultipartUpload>{content}</AbortIncompleteMultipartUpload>"


def _written_filter(filter: Filter) -> str:
    written: Sequence[str] = [
        *([] if filter.prefix is None else [element("Prefix", filter.prefix)]),
        *(f"<Tag>{element('Key', key)}{element('Value', value)}</Tag>" for key, value in filter.tags),
        *([] if filter.larger is None else [element("ObjectSizeGreaterThan", filter.larger)]),
        *([] if filter.smaller is None else [element("ObjectSizeLessThan", filter.smaller)]),
    ]
    content = "".join(written)
    return f"<Filter>{content if len(written) < 2 else f'<And>{content}</And>'}</Filter>"


def _written_time(when: Expiration | Transition) -> str:
    if when.days is not None:
        return element("Days", when.days)
    if when.date is not None:
        return element("Date", format_iso8601(when.date))
    assert isinstance(when, Expiration)
    return element("ExpiredObjectDeleteMarker", "true" if when.markers else "false")


def _written_noncurrent(when: NoncurrentExpiration | NoncurrentTransition) -> str:
    newer = "" if when.newer is None else element("NewerNoncurrentVersions", when.newer)
    return element("NoncurrentDays", when.days) + newer
