"""Condition operators."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.protocol.policy.asking import ALLOW, ask, bucket_policy, refusal, statement
from twisted_s3.protocol.policy.conditions import compile_condition, parse_operator
from twisted_s3.protocol.policy.operators import OPERATORS, parse_address, parse_date, parse_number


def holds(operator: str, wanted: Sequence[str], *values: str) -> bool:
    """Whether an operator holds of the values of a key."""
    name = parse_operator(operator)
    assert name is not None, operator
    return compile_condition(name, "k", wanted, True).holds({"k": values} if values else {}, True)


#: Operator, value of the policy, values of the request that match, values that do not.
TABLE = (
    ("StringEquals", "a*", ("a*",), ("ab", "A*", "")),
    ("StringEqualsIgnoreCase", "aB", ("Ab", "AB"), ("a",)),
    ("StringLike", "a*?", ("ab", "abc"), ("a", "Ab")),
    ("NumericEquals", "10", ("10", "10.0", "+10", "1e1"), ("11", "", "x", "0x0a", "nan")),
    ("NumericLessThan", "10", ("9", "-1", "9.99"), ("10", "x", "-inf")),
    ("NumericLessThanEquals", "10", ("9", "10"), ("10.01", "")),
    ("NumericGreaterThan", "9007199254740992", ("9007199254740993",), ("9007199254740992", "inf")),
    ("NumericGreaterThanEquals", "-1", ("-1", "0"), ("-2",)),
    ("DateEquals", "2024-02-29T12:00:00Z", ("2024-02-29T14:00:00+02:00", "1709208000"), ("2024-02-29", "x")),
    ("DateLessThan", "2024-01-01", ("2023-12-31T23:59:59.5Z", "2023", "1"), ("2024-01-01T00:00:00Z", "2024-13-01")),
    ("DateLessThanEquals", "2024-01", ("2024-01-01T00:00Z",), ("2024-01-02",)),
    ("DateGreaterThan", "1700000000", ("2024-01-01T00:00:00.000Z",), ("1699999999", "1700000000")),
    ("DateGreaterThanEquals", "1700000000", ("1700000000",), ("1699999999",)),
    ("Bool", "TRUE", ("true", "True"), ("false", "", "1")),
    ("BinaryEquals", "AAEC", ("AAEC",), ("AAED", "!", "")),
    ("IpAddress", "10.1.2.3/16", ("10.1.0.0", "10.1.255.255", "::ffff:10.1.9.9"), ("10.2.0.0", "::1", "x", "")),
    ("IpAddress", "2001:db8::/32", ("2001:DB8::1", "2001:db8::1%eth0"), ("2001:db9::", "1.2.3.4")),
    ("IpAddress", "192.0.2.7", ("192.0.2.7",), ("192.0.2.8",)),
    ("ArnEquals", "arn:aws:s3:::b*", ("arn:aws:s3:::bc",), ("arn:aws:s3::x:bc", "b")),
    ("ArnLike", "arn:aws:iam::*:user/?", ("arn:aws:iam::1:user/a",), ("arn:aws:iam::1:user/ab",)),
)
NEGATIONS = {
    "StringEquals": "StringNotEquals",
    "StringEqualsIgnoreCase": "StringNotEqualsIgnoreCase",
    "StringLike": "StringNotLike",
    "NumericEquals": "NumericNotEquals",
    "DateEquals": "DateNotEquals",
    "IpAddress": "NotIpAddress",
    "ArnEquals": "ArnNotEquals",
    "ArnLike": "ArnNotLike",
}


class OperatorTests(SynchronousTestCase):
    def test_every_operator_is_here(self) -> None:
        self.assertEqual({row[0] for row in TABLE} | set(NEGATIONS.values()), set(OPERATORS))

    def test_table(self) -> None:
        for operator, wanted, same, others in TABLE:
            for values, expected in ((same, True), (others, False)):
                for value in values:
                    self.assertIs(holds(operator, [wanted], value), expected, (operator, wanted, value))
                    if operator in NEGATIONS:
                        self.assertIs(holds(NEGATIONS[operator], [wanted], value), not expected, (operator, value))

    def test_any_of_several_values_will_do(self) -> None:
        self.assertTrue(holds("StringEquals", ["a", "b"], "b"))
        self.assertFalse(holds("StringNotEquals", ["a", "b"], "b"))
        self.assertTrue(holds("StringNotEquals", ["a", "b"], "c"))
        self.assertTrue(holds("IpAddress", ["10.0.0.0/8", "::/0"], "::1"))

    def test_a_missing_key(self) -> None:
        values = {row[0]: row[1] for row in TABLE}
        values |= {NEGATIONS[name]: value for name, value in values.items() if name in NEGATIONS}
        for name, operator in OPERATORS.items():
            wanted = [values[name]]
            self.assertIs(holds(name, wanted), operator.negated, name)
            self.assertIs(holds(f"{name}IfExists", wanted), True, name)
            self.assertIs(holds(f"ForAllValues:{name}", wanted), True, name)
            self.assertIs(holds(f"ForAnyValue:{name}", wanted), False, name)
            self.assertIs(holds(f"ForAnyValue:{name}IfExists", wanted), True, name)

    def test_if_exists_compares_what_is_there(self) -> None:
        self.assertFalse(holds("StringEqualsIfExists", ["a"], "b"))
        self.assertTrue(holds("StringEqualsIfExists", ["a"], "a"))

    def test_sets(self) -> None:
        for operator, wanted, values, expected in (
            ("ForAllValues:StringEquals", ["a", "b"], ("a", "b"), True),
            ("ForAllValues:StringEquals", ["a", "b"], ("a", "c"), False),
            ("ForAnyValue:StringEquals", ["a", "b"], ("a", "c"), True),
            ("ForAnyValue:StringEquals", ["a", "b"], ("c", "d"), False),
            ("ForAllValues:StringNotEquals", ["a", "b"], ("c", "d"), True),
            ("ForAllValues:StringNotEquals", ["a", "b"], ("a", "d"), False),
            ("ForAnyValue:StringNotEquals", ["a", "b"], ("a", "d"), True),
            ("ForAnyValue:StringNotLike", ["a*", "b"], ("aa", "b"), False),
        ):
            self.assertIs(holds(operator, wanted, *values), expected, (operator, wanted, values))

    def test_null(self) -> None:
        self.assertTrue(holds("Null", ["true"]))
        self.assertFalse(holds("Null", ["true"], "x"))
        self.assertTrue(holds("Null", ["False"], "x"))
        self.assertFalse(holds("Null", ["false"]))

    def test_no_such_operator(self) -> None:
        for name in ("", "StringSame", "stringequals", "NullIfExists", "ForSome:StringEquals", "IfExists", "Not:Bool"):
            self.assertIsNone(parse_operator(name), name)

    def test_all_operators_and_keys_must_hold(self) -> None:
        condition = {
            "StringEquals": {"aws:Referer": "r", "aws:UserAgent": "u"},
            "Bool": {"aws:SecureTransport": True},
        }
        policy = bucket_policy(statement(Condition=condition))
        keys = {"aws:referer": ("r",), "aws:useragent": ("u",), "aws:securetransport": ("true",)}
        self.assertIs(ask(policy, keys=keys), ALLOW)
        for name in keys:
            self.assertIsNot(ask(policy, keys={**keys, name: ("false",)}), ALLOW, name)

    @given(st.sampled_from(sorted(OPERATORS)), st.text(max_size=8), st.text(max_size=8))
    def test_garbage_is_refused_or_compared(self, operator: str, wanted: str, value: str) -> None:
        condition = {operator: {"aws:x": wanted}}
        code = refusal(lambda: bucket_policy(statement(Condition=condition)))
        if code is None:
            holds(operator, [wanted], value)
        else:
            self.assertEqual(code[0], "MalformedPolicy")

    @given(st.text("0123456789-+:.TZe/abcdef%", max_size=30))
    def test_parsers_raise_nothing_but_value_error(self, text: str) -> None:
        for parse in (parse_number, parse_date, parse_address):
            try:
                parse(text)
            except ValueError:
                continue

    @given(st.datetimes(), st.integers(-14 * 60, 14 * 60))
    def test_dates(self, moment, offset) -> None:  # type: ignore[no-untyped-def]
        moment = moment.replace(microsecond=0)
        sign = "-" if offset < 0 else "+"
        zone = f"{sign}{abs(offset) // 60:02}:{abs(offset) % 60:02}"
        plain = parse_date(f"{moment.isoformat()}Z")
        self.assertEqual(parse_date(f"{moment.isoformat()}{zone}"), plain - offset * 60)
        self.assertEqual(parse_date(moment.isoformat() + ".25Z"), plain + 0.25)
