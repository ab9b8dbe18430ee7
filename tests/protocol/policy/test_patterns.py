"""Wildcard patterns."""

from __future__ import annotations

import re
import time

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_s3.protocol.policy.patterns import arn, exact, exact_ignoring_case, glob, tokens_of

few = st.text("ab/:", max_size=12)
wild = st.text("ab/*?", max_size=10)


class GlobTests(SynchronousTestCase):
    def test_table(self) -> None:
        for pattern, text, expected in (
            ("", "", True),
            ("", "a", False),
            ("*", "", True),
            ("*", "a/b\nc", True),
            ("?", "", False),
            ("?", "/", True),
            ("a*", "a", True),
            ("a*a", "a", False),
            ("*a*b*", "xbxaxbx", True),
            ("*a*b*", "xbxax", False),
            ("a?c*?", "abcd", True),
            ("a?c*?", "abc", False),
            ("*?b?*", "ab", False),
            ("*?b?*", "abba", True),
            ("*a*a*", "xax", False),
            ("*ab*ba*", "aba", False),
            ("*a?*?a*", "aba", False),
            ("a.c", "abc", False),
            ("A", "a", False),
        ):
            self.assertEqual(glob(tokens_of(pattern))(text), expected, (pattern, text))

    @given(wild, few)
    def test_is_what_a_regular_expression_says(self, pattern: str, text: str) -> None:
        expression = "".join({"*": ".*", "?": "."}.get(one, re.escape(one)) for one in pattern)
        self.assertEqual(glob(tokens_of(pattern))(text), re.fullmatch(expression, text, re.DOTALL) is not None)

    def test_no_pattern_takes_long(self) -> None:
        text = "a" * 8000
        patterns = (
            "*a" * 4000 + "b",
            "a*" * 8000 + "b",
            "*?a" * 3000 + "b",
            "*" + "a?" * 2000 + "b*",
            "*" * 16000 + "b",
        )
        started = time.process_time()
        for pattern in patterns:
            self.assertFalse(glob(tokens_of(pattern))(text))
        self.assertLess(time.process_time() - started, 2.0)

    def test_exact_takes_wildcards_for_themselves(self) -> None:
        self.assertTrue(exact(["a*"])("a*"))
        self.assertFalse(exact(["a*"])("ab"))
        self.assertTrue(exact_ignoring_case(["STRASSE"])("straße"))


class ArnTests(SynchronousTestCase):
    def test_fields_are_matched_each_by_itself(self) -> None:
        for pattern, text, expected in (
            ("arn:aws:iam::1:user/a", "arn:aws:iam::1:user/a", True),
            ("arn:aws:iam::*:user/a", "arn:aws:iam::1:user/a", True),
            ("arn:*:user/a", "arn:aws:iam::1:user/a", False),
            ("arn:aws:iam::1*", "arn:aws:iam::1:user/a", False),
            ("arn:aws:iam::1:*", "arn:aws:iam::1:a:b:c", True),
            ("arn:aws:iam::?:user/?", "arn:aws:iam::1:user/a", True),
            ("*", "arn:aws:iam::1:user/a", True),
            ("*", "nothing", True),
            ("*:*:*:*:*:*", "a:b:c", False),
        ):
            self.assertEqual(arn(tokens_of(pattern))(text), expected, (pattern, text))

    @given(st.lists(st.text("ab*?/", max_size=4), min_size=6, max_size=6), st.lists(few, min_size=6, max_size=6))
    def test_is_six_globs(self, patterns: list[str], texts: list[str]) -> None:
        texts = [text.replace(":", "") for text in texts]
        expected = all(glob(tokens_of(one))(text) for one, text in zip(patterns, texts, strict=True))
        self.assertEqual(arn(tokens_of(":".join(patterns)))(":".join(texts)), expected)
