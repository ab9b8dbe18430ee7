"""The ``Condition`` element of a statement.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-logic-multiple-context-keys-or-values.html
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from twisted_s3.protocol.policy.operators import OPERATORS, Operator, Test
from twisted_s3.protocol.policy.variables import Keys

FOR_ALL, FOR_ANY = "ForAllValues", "ForAnyValue"
NULL = "Null"


class OperatorName(Struct, frozen=True):
    """The name of an operator in a policy, taken apart: ``ForAnyValue:StringLikeIfExists``.

    :ivar quantifier: ``ForAllValues``, ``ForAnyValue`` or "".
    :ivar operator: None for ``Null``.
    :ivar if_exists: whether a request without the key passes.
    """

    quantifier: str
    operator: Operator | None
    if_exists: bool


def parse_operator(name: str) -> OperatorName | None:
    """Take the name of an operator apart; None if there is no such operator."""
    quantifier, colon, base = name.rpartition(":")
    if colon and quantifier not in (FOR_ALL, FOR_ANY):
        return None
    if base == NULL:
        return OperatorName(quantifier, None, False)
    plain = base.removesuffix("IfExists")
    if plain not in OPERATORS:
        return None
    return OperatorName(quantifier, OPERATORS[plain], plain != base)


class Condition(Struct, frozen=True):
    """One operator, one key and its values.

    :ivar key: in lower case.
    :ivar values: as the policy has them.
    """

    name: OperatorName
    key: str
    values: tuple[str, ...]
    _test: Test | None

    def holds(self, keys: Keys, allowing: bool) -> bool:
        """Whether a request with these keys meets it.

        :param allowing: whether the statement allows. Where a variable has no value, a negated comparison
            with it does not help to allow, and does not keep from denying.
        """
        values = keys.get(self.key, ())
        name = self.name
        if self._test is None or name.operator is None:
            return ("false" if values else "true") in self.values
        if not values:
            if name.if_exists or name.quantifier == FOR_ALL:
                return True
            return name.operator.negated and not name.quantifier
        negated = name.operator.negated
        matches = self._test.matcher(keys, negated and allowing)
        if name.quantifier == FOR_ALL:
            return all(matches(value) != negated for value in values)
        if name.quantifier == FOR_ANY:
            return any(matches(value) != negated for value in values)
        return any(map(matches, values)) != negated


def compile_condition(name: OperatorName, key: str, values: Sequence[str], variables: bool) -> Condition:
    """Compile a condition.

    :param variables: whether variables have their meaning in the values.
    :raise ValueError: when a value is not of the operator's kind.
    """
    if name.operator is not None:
        return Condition(name, key, tuple(values), name.operator.make(values, variables))
    folded = tuple(value.lower() for value in values)
    if not set(folded) <= {"true", "false"}:
        raise ValueError
    return Condition(name, key, folded, None)
