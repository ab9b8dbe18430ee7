"""The policy document of a browser upload: what it says, and whether a form keeps to it.

"POST policy" in the Amazon S3 API Reference
(https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html).
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from twisted_s3.errors import S3Error

EQUALS = "eq"
STARTS_WITH = "starts-with"
LENGTH_RANGE = "content-length-range"

#: Fields that no condition has to name, besides those that begin with ``x-ignore-``.
_FREE = frozenset({"policy", "file", "x-amz-signature", "signature", "awsaccesskeyid"})
_IGNORED = "x-ignore-"

_EXPIRATION = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?Z", re.ASCII)
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
# AWS documents two escapes that JSON lacks, and in its examples a comma after the last item.
_RELAXED = re.compile(r'"(?:[^"\\]|\\.)*+"|,(?=\s*[\]}])', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_EXTRA_ESCAPES = {"$": "$", "v": "\\u000b"}


class Condition(Struct, frozen=True):
    """A condition on one field.

    :ivar operator: ``eq`` or ``starts-with``.
    :ivar field: its name as the policy writes it, without the dollar sign.
    """

    operator: str
    field: str
    value: str

    @property
    def name(self) -> str:
        """The field's name as forms are compared by."""
        return self.field.lower()

    def holds(self, fields: Mapping[str, str]) -> bool:
        """Whether a form's fields (by lower-case name) meet it."""
        value = fields.get(self.name)
        if self.operator == EQUALS:
            return value == self.value
        value = value or ""
        if self.name == "content-type":
            return all(each.strip().startswith(self.value) for each in value.split(","))
        return value.startswith(self.value)

    def __str__(self) -> str:
        return f'["{self.operator}", "${self.field}", "{self.value}"]'


class PostPolicy(Struct, frozen=True):
    """A policy document.

    :ivar expiration: in seconds since the epoch.
    :ivar smallest: the least size of the file in bytes.
    :ivar largest: the greatest; None when it says nothing of it.
    """

    expiration: float
    conditions: tuple[Condition, ...]
    smallest: int = 0
    largest: int | None = None

    def check(self, fields: Mapping[str, str], bucket: str, now: float) -> None:
        """Hold a form against it. The size of the file is for whoever receives it.

        :param fields: by lower-case name, variables expanded.
        :param bucket: the bucket that the form was sent to, whatever a field of that name says. It counts as a field:
            a policy must name it.
        :param now: seconds since the epoch.
        :raise S3Error: ``AccessDenied``.
        """
        if now >= self.expiration:
            raise _denied("Policy expired.")
        known = {**fields, "bucket": bucket}
        for condition in self.conditions:
            if not condition.holds(known):
                raise _denied(f"Policy Condition failed: {condition}")
        named = {condition.name for condition in self.conditions}
        extra = [name for name in known if name not in named | _FREE and not name.startswith(_IGNORED)]
        if extra:
            raise _denied(f"Extra input fields: {', '.join(sorted(extra))}")


def parse_policy(encoded: str) -> PostPolicy:
    """Read a policy as its field holds it, in base64.

    :raise S3Error: ``InvalidPolicyDocument``; ``AccessDenied`` for bounds of the length that are not numbers.
    """
    document = _document(encoded)
    expiration, conditions = document.get("expiration"), document.get("conditions")
    if expiration is None:
        raise _invalid("Policy missing expiration.")
    if conditions is None:
        raise _invalid("Policy missing conditions.")
    if not isinstance(conditions, list):
        raise _invalid("Invalid 'conditions' value: must be a List.")
    seconds = _seconds(expiration)
    found: list[Condition] = []
    smallest, largest = 0, None
    for condition in conditions:
        if isinstance(condition, dict):
            found.append(_simple(condition))
        elif not isinstance(condition, list):
            raise _invalid("Invalid condition test: must be a List or Object.")
        elif _operator(condition) == LENGTH_RANGE:
            low, high = _range(condition)
            smallest = max(smallest, low)
            largest = high if largest is None else min(largest, high)
        else:
            found.append(_match(condition))
    return PostPolicy(seconds, tuple(found), smallest, largest)


def _invalid(text: str) -> S3Error:
    return S3Error("InvalidPolicyDocument", f"Invalid Policy: {text}")


def _denied(text: str) -> S3Error:
    return S3Error("AccessDenied", f"Invalid according to Policy: {text}")


def _document(encoded: str) -> dict[str, Any]:
    try:
        text = b64decode("".join(encoded.split()), validate=True).decode("utf-8")
    except (Base64Error, UnicodeDecodeError, ValueError):
        raise _invalid("Invalid JSON.") from None
    try:
        document = json.loads(_RELAXED.sub(_strict, text), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise _invalid("Invalid JSON.") from None
    if not isinstance(document, dict):
        raise _invalid("Invalid JSON.")
    return document


def _strict(match: re.Match[str]) -> str:
    """A string with the escapes of JSON only, or nothing for a comma that JSON does not have."""
    if match[0] == ",":
        return ""
    return _ESCAPE.sub(lambda escape: _EXTRA_ESCAPES.get(escape[1], escape[0]), match[0])


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _seconds(expiration: object) -> float:
    match = _EXPIRATION.fullmatch(expiration) if isinstance(expiration, str) else None
    try:
        if match is not None:
            return datetime(*map(int, match.groups()), tzinfo=UTC).timestamp()  # type: ignore[misc, arg-type]
    except ValueError:
        pass
    raise _invalid(f"Invalid 'expiration' value: '{expiration}'")


def _simple(condition: Mapping[str, object]) -> Condition:
    if len(condition) != 1:
        raise _invalid("Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.")
    ((field, value),) = condition.items()
    if not isinstance(value, str):
        raise _invalid("Invalid Simple-Condition: value must be a string.")
    return Condition(EQUALS, field, value)


def _operator(condition: Sequence[object]) -> str:
    if not condition or not isinstance(condition[0], str):
        raise _invalid("Invalid Condition: missing operation identifier.")
    operator = condition[0].lower()
    if operator not in (EQUALS, STARTS_WITH, LENGTH_RANGE):
        raise _invalid(f"Invalid Condition: unknown operation '{condition[0]}'.")
    if len(condition) != 3:
        raise _invalid(f"Invalid {operator}: wrong number of arguments.")
    return operator


def _match(condition: Sequence[object]) -> Condition:
    operator = _operator(condition)
    field, value = condition[1], condition[2]
    if not isinstance(field, str) or not isinstance(value, str):
        raise _invalid(f"Invalid {operator}: arguments must be strings.")
    if not field.startswith("$") or len(field) == 1:
        raise _denied(f'Policy Condition failed: ["{operator}", "{field}", "{value}"]')
    return Condition(operator, field[1:], value)


def _range(condition: Sequence[object]) -> tuple[int, int]:
    low, high = (_integer(each, condition) for each in condition[1:])
    return low, high


def _integer(value: object, condition: Sequence[object]) -> int:
    if isinstance(value, str):
        if _INTEGER.fullmatch(value) is None:
            raise _denied(f"Policy Condition failed: {json.dumps(condition)}")
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _invalid(f"Invalid {LENGTH_RANGE}: arguments must be integers.")
    return value
