"""The condition operators: how values of a request are compared with values of a policy.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

import operator
import re
from base64 import b64decode
from calendar import timegm
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, Protocol

from msgspec import Struct

from twisted_s3.protocol.policy import patterns
from twisted_s3.protocol.policy.patterns import Matcher, Tokens
from twisted_s3.protocol.policy.variables import Keys, Pattern, any_matches, compile_pattern


class Test(Protocol):
    """The values of a policy that the values of one condition key are compared with."""

    def matcher(self, keys: Keys, unresolved: bool) -> Matcher:
        """What matches a value of the request that compares with any of the policy's values.

        :param unresolved: whether a value with a variable that has no value matches everything, or nothing.
        """


class _Constant(Struct, frozen=True):
    """Values without variables."""

    _matches: Matcher

    def matcher(self, keys: Keys, unresolved: bool) -> Matcher:
        return self._matches


class _Text(Struct, frozen=True):
    """Values that may hold variables."""

    patterns: tuple[Pattern, ...]

    def matcher(self, keys: Keys, unresolved: bool) -> Matcher:
        return any_matches(self.patterns, keys, unresolved)


#: Makes a test of a policy's values. The flag says whether variables have their meaning.
#: Raises ValueError when a value is not of the operator's kind.
Maker = Callable[[Sequence[str], bool], Test]


def _text(build: Callable[[Tokens], Matcher], wildcards: bool) -> Maker:
    def make(values: Sequence[str], variables: bool) -> Test:
        compiled = tuple(compile_pattern(value, build, wildcards, variables) for value in values)
        if build is patterns.exact and all(isinstance(part, str) for one in compiled for part in one.parts):
            return _Constant(frozenset("".join(map(str, one.parts)) for one in compiled).__contains__)
        return _Text(compiled)

    return make


def _boolean(values: Sequence[str], variables: bool) -> Test:
    if not all(value.lower() in ("true", "false") or (variables and "${" in value) for value in values):
        raise ValueError
    return _text(patterns.exact_ignoring_case, False)(values, variables)


def _binary(values: Sequence[str], variables: bool) -> Test:
    wanted = frozenset(b64decode(value, validate=True) for value in values)

    def matches(text: str) -> bool:
        try:
            return b64decode(text, validate=True) in wanted
        except ValueError:
            return False

    return _Constant(matches)


def _ordered(parse: Callable[[str], Any], compare: Callable[[Any, Any], bool]) -> Maker:
    def make(values: Sequence[str], variables: bool) -> Test:
        limits = [parse(value) for value in values]

        def matches(text: str) -> bool:
            try:
                value = parse(text)
            except ValueError:
                return False
            return any(compare(value, limit) for limit in limits)

        return _Constant(matches)

    return make


def _addresses(values: Sequence[str], variables: bool) -> Test:
    networks = []
    for value in values:
        network = ip_network(value, strict=False)
        networks.append((network.version, int(network.netmask), int(network.network_address)))

    def matches(text: str) -> bool:
        try:
            address = parse_address(text)
        except ValueError:
            return False
        number, version = int(address), address.version
        return any(version == kind and number & mask == base for kind, mask, base in networks)

    return _Constant(matches)


_NUMBER = re.compile(r"[+-]?[0-9]{1,40}(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
# Four digits are a year.
_EPOCH = re.compile(r"(?:[0-9]{1,3}|[0-9]{5,12})(?:\.[0-9]{1,9})?", re.ASCII)
_DATE = re.compile(
    r"(?P<year>[0-9]{4})(?:-(?P<month>[0-9]{2})(?:-(?P<day>[0-9]{2})"
    r"(?:T(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?P<fraction>\.[0-9]{1,9})?)?"
    r"(?P<zone>Z|[+-][0-9]{2}:[0-9]{2}))?)?)?",
    re.ASCII,
)


def parse_number(text: str) -> Decimal:
    """Read a number. :raise ValueError: when it is none."""
    if not _NUMBER.fullmatch(text):
        raise ValueError
    return Decimal(text)


def parse_date(text: str) -> float:
    """Read a date in a form of ISO 8601 that the W3C allows, or in seconds since the epoch.

    :raise ValueError: for anything else, or a day that does not exist.
    """
    if _EPOCH.fullmatch(text):
        return float(text)
    match = _DATE.fullmatch(text)
    if match is None:
        raise ValueError
    year, month, day = int(match["year"]), int(match["month"] or 1), int(match["day"] or 1)
    moment = datetime(year, month, day, int(match["hour"] or 0), int(match["minute"] or 0), int(match["second"] or 0))
    seconds = timegm(moment.timetuple()) + float(match["fraction"] or 0)
    zone = match["zone"] or "Z"
    if zone == "Z":
        return seconds
    offset = int(zone[1:3]) * 3600 + int(zone[4:6]) * 60
    return seconds - offset if zone[0] == "+" else seconds + offset


def parse_address(text: str) -> IPv4Address | IPv6Address:
    """Read an IP address, without its zone; an IPv4 address mapped into IPv6 is an IPv4 address.

    :raise ValueError: when it is none.
    """
    address = ip_address(text.partition("%")[0])
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


class Operator(Struct, frozen=True):
    """A condition operator.

    :ivar make: makes the test of its values.
    :ivar negated: whether it holds when the test does not.
    """

    name: str
    make: Maker
    negated: bool = False


_equals = _text(patterns.exact, False)
_equals_ignoring_case = _text(patterns.exact_ignoring_case, False)
_like = _text(patterns.glob, True)
_arn = _text(patterns.arn, True)

#: Every operator by its name, but for ``Null``, without ``ForAllValues:``, ``ForAnyValue:`` and ``IfExists``.
OPERATORS: Mapping[str, Operator] = {
    one.name: one
    for one in (
        Operator("StringEquals", _equals),
        Operator("StringNotEquals", _equals, negated=True),
        Operator("StringEqualsIgnoreCase", _equals_ignoring_case),
        Operator("StringNotEqualsIgnoreCase", _equals_ignoring_case, negated=True),
        Operator("StringLike", _like),
        Operator("StringNotLike", _like, negated=True),
        Operator("NumericEquals", _ordered(parse_number, operator.eq)),
        Operator("NumericNotEquals", _ordered(parse_number, operator.eq), negated=True),
        Operator("NumericLessThan", _ordered(parse_number, operator.lt)),
        Operator("NumericLessThanEquals", _ordered(parse_number, operator.le)),
        Operator("NumericGreaterThan", _ordered(parse_number, operator.gt)),
        Operator("NumericGreaterThanEquals", _ordered(parse_number, operator.ge)),
        Operator("DateEquals", _ordered(parse_date, operator.eq)),
        Operator("DateNotEquals", _ordered(parse_date, operator.eq), negated=True),
        Operator("DateLessThan", _ordered(parse_date, operator.lt)),
        Operator("DateLessThanEquals", _ordered(parse_date, operator.le)),
        Operator("DateGreaterThan", _ordered(parse_date, operator.gt)),
        Operator("DateGreaterThanEquals", _ordered(parse_date, operator.ge)),
        Operator("Bool", _boolean),
        Operator("BinaryEquals", _binary),
        Operator("IpAddress", _addresses),
        Operator("NotIpAddress", _addresses, negated=True),
        Operator("ArnEquals", _arn),
        Operator("ArnLike", _arn),
        Operator("ArnNotEquals", _arn, negated=True),
        Operator("ArnNotLike", _arn, negated=True),
    )
}
