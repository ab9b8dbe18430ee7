"""A naive evaluator of policies, written from the rules alone: slow, plain, and with no code of the real one.

It knows of the operators those that the property tests use, and takes documents that have been validated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Keys = Mapping[str, tuple[str, ...]]
ESCAPED = {"*": "\x01", "?": "\x02"}


def as_list(value: Any) -> list[Any]:
    """What may stand alone, in a list."""
    return value if isinstance(value, list) else [value]


def substitute(text: str, keys: Keys, version: str) -> str | None:
    """The text with variables replaced, wildcards in their values masked; None when one has no value."""
    if version != "2012-10-17":
        return text

    def value(match: re.Match[str]) -> str:
        if match[1] in ("*", "?"):
            return ESCAPED[match[1]]
        name, _, default = match[1].partition(",")
        values = keys.get(name.strip().lower(), ())
        if len(values) != 1 and not default:
            raise LookupError
        found = values[0] if len(values) == 1 else default.strip()[1:-1]
        return found.replace("*", ESCAPED["*"]).replace("?", ESCAPED["?"])

    try:
        return re.sub(r"\$\{([^}]*)\}", value, text)
    except LookupError:
        return None


def like(pattern: str, text: str) -> bool:
    """Try everything."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return like(pattern[1:], text) or (text != "" and like(pattern, text[1:]))
    wanted = next((plain for plain, masked in ESCAPED.items() if masked == pattern[0]), pattern[0])
    return text != "" and (pattern[0] == "?" or wanted == text[0]) and like(pattern[1:], text[1:])


def compare(operator: str, wanted: str, value: str, keys: Keys, version: str, otherwise: bool) -> bool:
    """Whether one operator holds of one value that is wanted and one that is there."""
    if operator.startswith("Numeric"):
        left, right = int(value), int(wanted)
        return {
            "NumericEquals": left == right,
            "NumericLessThan": left < right,
            "NumericGreaterThanEquals": left >= right,
        }[operator]
    replaced = substitute(wanted, keys, version)
    if replaced is None:
        return otherwise
    if operator == "StringLike":
        return like(replaced, value)
    for plain, masked in ESCAPED.items():
        replaced = replaced.replace(masked, plain)
    if operator == "StringEqualsIgnoreCase":
        return replaced.lower() == value.lower()
    assert operator == "StringEquals"
    return replaced == value


def condition_holds(name: str, key: str, wanted: list[str], keys: Keys, version: str, effect: str) -> bool:
    """Whether a line of a condition holds."""
    values = keys.get(key.lower(), ())
    if name == "Null":
        return any((values == ()) == (one == "true") for one in wanted)
    quantifier, _, operator = name.rpartition(":")
    if operator.endswith("IfExists"):
        if not values:
            return True
        operator = operator[: -len("IfExists")]
    negated = "Not" in operator
    operator = operator.replace("Not", "")
    otherwise = negated and effect == "Allow"

    def one(value: str) -> bool:
        found = False
        for text in wanted:
            found = found or compare(operator, text, value, keys, version, otherwise)
        return not found if negated else found

    if quantifier == "ForAllValues":
        return False not in [one(value) for value in values]
    if quantifier == "ForAnyValue":
        return True in [one(value) for value in values]
    if not values:
        return negated
    results = [one(value) for value in values]
    return False not in results if negated else True in results


def principal_named(element: Any, canonical_id: str, name: str) -> bool:
    """Whether an element ``Principal`` names somebody."""
    if element == "*" or "*" in as_list(element.get("AWS", [])):
        return True
    if not canonical_id:
        return False
    return f"arn:aws:iam:::user/{name}" in as_list(element.get("AWS", [])) or canonical_id in as_list(
        element.get("CanonicalUser", [])
    )


def applies(statement: Any, version: str, principal: tuple[str, str], action: str, resource: str, keys: Keys) -> bool:
    """Whether a statement is about a request."""
    effect = statement["Effect"]
    if "Principal" in statement and not principal_named(statement["Principal"], *principal):
        return False
    if "NotPrincipal" in statement and principal_named(statement["NotPrincipal"], *principal):
        return False
    if "Action" in statement:
        if not any(like(one.lower(), action.lower()) for one in as_list(statement["Action"])):
            return False
    elif any(like(one.lower(), action.lower()) for one in as_list(statement["NotAction"])):
        return False
    field = "Resource" if "Resource" in statement else "NotResource"
    found = False
    for one in as_list(statement[field]):
        pattern = substitute(one, keys, version)
        if pattern is None:
            found = found or (field == "NotResource" and effect == "Allow")
        else:
            found = found or like(pattern, resource)
    if found != (field == "Resource"):
        return False
    for operator, tests in statement.get("Condition", {}).items():
        for key, wanted in tests.items():
            if not condition_holds(operator, key, as_list(wanted), keys, version, effect):
                return False
    return True


def decide(document: Any, principal: tuple[str, str], action: str, resource: str, keys: Keys) -> str:
    """``Allow``, ``Deny`` or ``Neutral``."""
    effects = {
        statement["Effect"]
        for statement in as_list(document["Statement"])
        if applies(statement, document.get("Version", "2008-10-17"), principal, action, resource, keys)
    }
    return "Deny" if "Deny" in effects else "Allow" if "Allow" in effects else "Neutral"
