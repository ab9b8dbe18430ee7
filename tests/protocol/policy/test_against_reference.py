"""The evaluator against a naive one, on random policies and requests."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.protocol.policy.reference import Keys, decide
from twisted_s3.protocol.policy.documents import parse_bucket_policy
from twisted_s3.protocol.policy.evaluation import Request, evaluate, resource_arn
from twisted_s3.protocol.policy.principals import Principal

NAMES = {"": "", "a" * 64: "al", "b" * 64: "bo"}
words = st.text("aAb*", max_size=3)


def one_or_more(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Values alone or in a list."""
    return st.one_of(values, st.lists(values, min_size=1, max_size=3))


value_texts = st.lists(
    st.sampled_from(
        ("a", "A", "b", "*", "?", "${aws:username}", "${aws:x}", "${AWS:X, 'ab'}", "${aws:multi}", "${*}", "${?}")
    ),
    max_size=3,
).map("".join)
resources = st.one_of(value_texts, st.just("*")).map(lambda text: f"arn:aws:s3:::b/{text}")
principals = st.one_of(
    st.just("*"),
    st.dictionaries(st.sampled_from(("AWS", "CanonicalUser")), st.just(None), min_size=1, max_size=2).flatmap(
        lambda kinds: st.fixed_dictionaries(
            {
                kind: one_or_more(
                    st.sampled_from(
                        ("*", "arn:aws:iam:::user/al", "arn:aws:iam:::user/bo")
                        if kind == "AWS"
                        else ("a" * 64, "b" * 64)
                    )
                )
                for kind in kinds
            }
        )
    ),
)
actions = st.sampled_from(("s3:GetObject", "s3:getobject*", "s3:*", "*", "s3:Put*", "s3:?etObject", "s3:PutObject"))
strings = ("StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIgnoreCase")
numbers = ("NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericGreaterThanEquals")


def operators(names: tuple[str, ...]) -> st.SearchStrategy[str]:
    """Names of operators with all that can stand before and behind them."""
    return st.builds(
        "{}{}{}".format,
        st.sampled_from(("", "", "ForAllValues:", "ForAnyValue:")),
        st.sampled_from(names),
        st.sampled_from(("", "", "IfExists")),
    )


string_keys = st.sampled_from(("aws:x", "AWS:Multi", "aws:username", "aws:missing"))
conditions = st.one_of(
    st.dictionaries(operators(strings), st.dictionaries(string_keys, one_or_more(value_texts), max_size=2), max_size=2),
    st.dictionaries(
        operators(numbers),
        st.dictionaries(st.just("aws:number"), one_or_more(st.integers(-2, 2).map(str)), max_size=1),
        max_size=2,
    ),
    st.dictionaries(
        st.just("Null"), st.dictionaries(string_keys, one_or_more(st.sampled_from(("true", "false")))), max_size=1
    ),
)


@st.composite
def statements(draw: st.DrawFn) -> dict[str, Any]:
    """Statements of a bucket policy."""
    effect = draw(st.sampled_from(("Allow", "Allow", "Deny")))
    not_principal = effect == "Deny" and draw(st.booleans())
    made = {
        "Effect": effect,
        "NotPrincipal" if not_principal else "Principal": draw(principals),
        draw(st.sampled_from(("Action", "Action", "NotAction"))): draw(one_or_more(actions)),
        draw(st.sampled_from(("Resource", "Resource", "NotResource"))): draw(one_or_more(resources)),
    }
    if draw(st.booleans()):
        made["Condition"] = draw(conditions)
    return made


documents = st.fixed_dictionaries(
    {"Statement": one_or_more(statements())},
    optional={"Version": st.sampled_from(("2012-10-17", "2012-10-17", "2008-10-17"))},
)
request_keys = st.fixed_dictionaries(
    {},
    optional={
        "aws:x": st.tuples(words),
        "aws:multi": st.lists(words, min_size=1, max_size=3).map(tuple),
        "aws:number": st.lists(st.integers(-2, 2).map(str), min_size=1, max_size=2).map(tuple),
    },
)


class ReferenceTests(SynchronousTestCase):
    @settings(max_examples=400, deadline=None)
    @given(
        documents,
        st.sampled_from(sorted(NAMES)),
        st.sampled_from(("s3:GetObject", "s3:GetObjectAcl", "s3:PutObject")),
        st.text("aAblo*?", max_size=4),
        request_keys,
    )
    def test_both_say_the_same(
        self, document: dict[str, Any], canonical_id: str, action: str, key: str, keys: Keys
    ) -> None:
        name = NAMES[canonical_id]
        if name:
            keys = {**keys, "aws:username": (name,)}
        policy = parse_bucket_policy(json.dumps(document).encode(), "b")
        resource = resource_arn("b", key)
        found = evaluate(policy.statements, Request(Principal(canonical_id, name), action, resource, keys))
        expected = decide(document, (canonical_id, name), action, resource, keys)
        event(expected)
        self.assertEqual(found.value, expected)
