"""Notification configurations: which events of a bucket go to which destinations.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketNotificationConfiguration.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from itertools import combinations

from msgspec import Struct

from twisted_s3.errors import S3Error
from twisted_s3.protocol.events import AWS_EVENT_PATTERNS
from twisted_s3.protocol.xmldocs import document, element
from twisted_s3.protocol.xmlreading import Element, children_of, members_of, name_of, parse_document, text_of, texts_of

#: Under which it is kept among the configurations of a bucket.
NAME = "notification"

ROOT = "NotificationConfiguration"

#: Kinds of destinations: the element of a rule, to the element in it that holds the ARN.
KINDS = {"TopicConfiguration": "Topic", "QueueConfiguration": "Queue", "CloudFunctionConfiguration": "CloudFunction"}

_SERVICES = {"TopicConfiguration": "sns", "QueueConfiguration": "sqs", "CloudFunctionConfiguration": "lambda"}
_NOUNS = {"sns": "topic", "sqs": "queue", "lambda": "function"}

#: How many rules a bucket may have, how long an id and a filter may be.
MAX_RULES = 100
_MAX_ID = 255
_MAX_FILTER = 1024

_ARN = re.compile(r"arn:aws[a-z-]*:(sns|sqs|lambda):([a-z0-9-]*):([A-Za-z0-9_-]*):([A-Za-z0-9._:$-]+)")


class Destination(Struct, frozen=True):
    """What an ARN names.

    :ivar service: ``sns``, ``sqs`` or ``lambda``.
    :ivar region: "" where the ARN says none.
    :ivar name: of a target in the settings.
    """

    service: str
    region: str
    name: str


class Rule(Struct, frozen=True):
    """One configuration: these events, of keys that begin and end so, go there.

    :ivar kind: the name of its element.
    :ivar events: patterns as they were sent (``s3:ObjectCreated:*``), each once.
    """

    id: str
    kind: str
    arn: str
    events: tuple[str, ...]
    prefix: str = ""
    suffix: str = ""

    @property
    def destination(self) -> Destination:
        """What its ARN names. :raise S3Error: ``InvalidArgument``."""
        return parse_arn(self.arn, self.kind)

    def wants(self, event: str, key: str) -> bool:
        """Whether it asks for an event, named as in a record."""
        if not (key.startswith(self.prefix) and key.endswith(self.suffix)):
            return False
        return any(fnmatchcase(event, pattern.removeprefix("s3:")) for pattern in self.events)


def parse_notification(body: bytes, new_id: Callable[[], str]) -> Sequence[Rule]:
    """Read a ``NotificationConfiguration``.

    :param new_id: makes the id of a rule that has none.
    :raise S3Error: ``MalformedXML``; ``InvalidArgument``; ``NotImplemented`` for EventBridge, which has records of
        another form.
    """
    rules = []
    for node in children_of(parse_document(body, ROOT)):
        kind = name_of(node)
        if kind == "EventBridgeConfiguration":
            raise S3Error("NotImplemented", elements={"Header": kind})
        if kind not in KINDS:
            raise S3Error("MalformedXML")
        rules.append(_rule(node, kind, new_id))
    if len(rules) > MAX_RULES:
        raise S3Error("InvalidArgument", f"A bucket can have at most {MAX_RULES} notification configurations")
    _check_ids(rules)
    _check_overlaps(rules)
    return rules


def load_notification(body: bytes) -> Sequence[Rule]:
    """Read what :func:`notification_document` wrote."""
    return [_rule(node, name_of(node), str) for node in children_of(parse_document(body, ROOT))]


def notification_document(rules: Iterable[Rule]) -> bytes:
    """Write a ``NotificationConfiguration``."""
    return document(ROOT, "".join(map(_rule_document, rules)))


def parse_arn(arn: str, kind: str) -> Destination:
    """What the ARN in a rule of some kind names. :raise S3Error: ``InvalidArgument``."""
    match = _ARN.fullmatch(arn)
    if match is None or match[1] != _SERVICES[kind]:
        raise _invalid("The ARN is not well formed", KINDS[kind], arn)
    name = match[4]
    if match[1] == "lambda":
        label, _, name = name.partition(":")
        if label != "function" or not name:
            raise _invalid("The ARN is not well formed", KINDS[kind], arn)
        # What is behind the name is a version or an alias of the function.
        name = name.partition(":")[0]
    if ":" in name:
        raise _invalid("The ARN is not well formed", KINDS[kind], arn)
    return Destination(match[1], match[2], name)


def check_destinations(rules: Iterable[Rule], region: str, known: Iterable[str], skip: bool = False) -> None:
    """Refuse rules whose destinations are not there.

    :param known: the names of the targets in the settings.
    :param skip: whether only the form of the ARNs and their regions count.
    :raise S3Error: ``InvalidArgument``, which names each of them.
    """
    names = frozenset(known)
    missing: dict[str, str] = {}
    for rule in rules:
        found = rule.destination
        if found.region not in ("", region):
            message = "The notification destination service region is not valid for the bucket location constraint"
            raise _invalid(message, KINDS[rule.kind], rule.arn)
        if found.name not in names:
            missing[rule.arn] = f"The destination {_NOUNS[found.service]} does not exist"
    if missing and not skip:
        elements: dict[str, str] = {}
        for number, (arn, problem) in enumerate(missing.items(), 1):
            elements |= {f"ArgumentName{number}": arn, f"ArgumentValue{number}": problem}
        raise S3Error("InvalidArgument", "Unable to validate the following destination configurations", elements)


def _rule(node: Element, kind: str, new_id: Callable[[], str]) -> Rule:
    events: list[str] = []
    texts: dict[str, str] = {}
    filters: dict[str, str] | None = None
    for child in children_of(node):
        name = name_of(child)
        if name == "Event":
            events.append(_event(text_of(child).strip()))
        elif name in ("Id", KINDS[kind]) and name not in texts:
            texts[name] = text_of(child).strip()
        elif name == "Filter" and filters is None:
            filters = _filters(child)
        else:
            raise S3Error("MalformedXML")
    if not events or not texts.get(KINDS[kind]):
        raise S3Error("MalformedXML")
    known = filters or {}
    identity = texts.get("Id") or new_id()
    patterns = tuple(dict.fromkeys(events))
    return Rule(identity, kind, texts[KINDS[kind]], patterns, known.get("prefix", ""), known.get("suffix", ""))


def _event(name: str) -> str:
    if name not in AWS_EVENT_PATTERNS:
        raise _invalid("The event is not supported for notifications", "Event", name)
    return name


def _filters(node: Element) -> dict[str, str]:
    found: dict[str, str] = {}
    keys = members_of(node, {"S3Key"})
    for child in children_of(keys["S3Key"]) if keys else ():
        if name_of(child) != "FilterRule":
            raise S3Error("MalformedXML")
        texts = texts_of(child, {"Name", "Value"})
        name, value = texts.get("Name", "").strip().lower(), texts.get("Value", "")
        if name not in ("prefix", "suffix"):
            raise _invalid("filter rule name must be either prefix or suffix", "FilterRule.Name", texts.get("Name", ""))
        if name in found:
            raise _invalid(f"Cannot specify more than one {name} rule in a filter.", "FilterRule.Name", name)
        if len(value.encode()) > _MAX_FILTER:
            raise _invalid(f"Size of filter rule value cannot exceed {_MAX_FILTER} bytes", "FilterRule.Value", value)
        found[name] = value
    return found


def _check_ids(rules: Sequence[Rule]) -> None:
    seen: set[str] = set()
    for rule in rules:
        if len(rule.id) > _MAX_ID:
            raise _invalid(f"The ID is longer than {_MAX_ID} characters", "Id", rule.id)
        if rule.id in seen:
            raise _invalid("The same ID is used by more than one configuration", "Id", rule.id)
        seen.add(rule.id)


def _check_overlaps(rules: Sequence[Rule]) -> None:
    """Refuse two rules that one event could fit. :raise S3Error: ``InvalidArgument``."""
    for one, other in combinations(rules, 2):
        if not _meet(one, other):
            continue
        shared = next(((a, b) for a in one.events for b in other.events if _share(a, b)), None)
        if shared is None:
            continue
        message = "Configurations overlap. Configurations on the same bucket cannot share a common event type."
        if any((one.prefix, one.suffix, other.prefix, other.suffix)):
            message = (
                "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes "
                "are overlapping for the same event type."
            )
        raise _invalid(message, "Event", ", ".join(shared))


def _share(one: str, other: str) -> bool:
    """Whether some event fits both patterns, of which only the end can be a ``*``."""
    return fnmatchcase(one, other) or fnmatchcase(other, one)


def _meet(one: Rule, other: Rule) -> bool:
    prefixes = one.prefix.startswith(other.prefix) or other.prefix.startswith(one.prefix)
    return prefixes and (one.suffix.endswith(other.suffix) or other.suffix.endswith(one.suffix))


def _rule_document(rule: Rule) -> str:
    parts = [element("Id", rule.id), element(KINDS[rule.kind], rule.arn)]
    parts += [element("Event", event) for event in rule.events]
    filters = [(name, value) for name, value in (("Prefix", rule.prefix), ("Suffix", rule.suffix)) if value]
    if filters:
        rules = "".join(
            f"<FilterRule>{element('Name', name)}{element('Value', value)}</FilterRule>" for name, value in filters
        )
        parts.append(f"<Filter><S3Key>{rules}</S3Key></Filter>")
    return f"<{rule.kind}>{''.join(parts)}</{rule.kind}>"


def _invalid(message: str, name: str, value: str) -> S3Error:
    return S3Error("InvalidArgument", message, {"ArgumentName": name, "ArgumentValue": value})
