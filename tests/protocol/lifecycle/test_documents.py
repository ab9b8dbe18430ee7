"""The document of a lifecycle configuration: what is taken, what is refused and with which words."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.protocol.lifecycle.making import EXPIRES, FILTER, body, filters, lifecycle, rule
from twisted_s3.errors import S3Error
from twisted_s3.protocol.lifecycle.documents import lifecycle_document, parse_lifecycle
from twisted_s3.protocol.lifecycle.rules import (
    BY_CLASS,
    Expiration,
    Filter,
    Lifecycle,
    NoncurrentExpiration,
    NoncurrentTransition,
    Rule,
    Transition,
)

PLAIN = "<Prefix>a</Prefix>"
TAGGED = "<Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter>"
SIZED = "<Filter><ObjectSizeLessThan>9</ObjectSizeLessThan></Filter>"
ABORTS = "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>"
MARKERS = "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"


def moves(days: object, storage_class: str = "GLACIER", kind: str = "Days") -> str:
    """The element of a transition."""
    return f"<Transition><{kind}>{days}</{kind}><StorageClass>{storage_class}</StorageClass></Transition>"


def rests(days: object, newer: str = "") -> str:
    """The element of a noncurrent expiration."""
    content = f"<NoncurrentDays>{days}</NoncurrentDays>{newer}"
    return f"<NoncurrentVersionExpiration>{content}</NoncurrentVersionExpiration>"


def retires(days: object, storage_class: str = "GLACIER") -> str:
    """The element of a noncurrent transition."""
    content = f"<NoncurrentDays>{days}</NoncurrentDays><StorageClass>{storage_class}</StorageClass>"
    return f"<NoncurrentVersionTransition>{content}</NoncurrentVersionTransition>"


def both(first: str, second: str) -> str:
    """A filter that wants two things."""
    return f"<Filter><And>{first}{second}</And></Filter>"


class Taken(SynchronousTestCase):
    """Documents that S3 takes."""

    def test_everything(self) -> None:
        """All that a rule can say."""
        tags = "<Tag><Key>k</Key><Value>v</Value></Tag><Tag><Key>l</Key><Value/></Tag>"
        sizes = "<ObjectSizeGreaterThan>1</ObjectSizeGreaterThan><ObjectSizeLessThan>9</ObjectSizeLessThan>"
        scope = f"<Filter><And><Prefix>a/</Prefix>{tags}{sizes}</And></Filter>"
        content = (
            "<Expiration><Days>100</Days></Expiration>"
            + moves(30, "STANDARD_IA")
            + moves(60)
            + rests(70, "<NewerNoncurrentVersions>3</NewerNoncurrentVersions>")
            + retires(20)
        )
        found = parse_lifecycle(body(rule(content, scope, "one", "Disabled")), BY_CLASS)
        wanted = Rule(
            "one",
            False,
            Filter("a/", (("k", "v"), ("l", "")), 1, 9),
            expiration=Expiration(days=100),
            transitions=(Transition("STANDARD_IA", 30), Transition("GLACIER", 60)),
            noncurrent_expiration=NoncurrentExpiration(70, 3),
            noncurrent_transitions=(NoncurrentTransition("GLACIER", 20),),
        )
        self.assertEqual(found, Lifecycle((wanted,), BY_CLASS))
        self.assertEqual(parse_lifecycle(lifecycle_document(found), BY_CLASS), found)
        self.assertEqual(found.enabled, ())

    def test_older_form(self) -> None:
        """A prefix in place of a filter comes back as one."""
        found = lifecycle(rule(ABORTS, PLAIN, "one"), rule(EXPIRES, "<Prefix/>", "two"))
        self.assertEqual([(r.plain, r.filter.prefix) for r in found.rules], [(True, "a"), (True, "")])
        self.assertEqual(parse_lifecycle(lifecycle_document(found)), found)

    def test_made_ids(self) -> None:
        """A rule without an id, or an empty one, is given one that no other has."""
        found = lifecycle(rule(EXPIRES), rule(EXPIRES), rule(EXPIRES, f"<ID/>{FILTER}"))
        ids = {r.id for r in found.rules}
        self.assertEqual(len(ids), 3)
        for id in ids:
            self.assertTrue(re.fullmatch("[A-Za-z0-9]{48}", id), id)

    def test_dates(self) -> None:
        """Midnights, with and without a time and a zone."""
        for text in ("2020-01-02", "2020-01-02T00:00:00Z", "2020-01-02T00:00:00.000Z", "2020-01-02T02:00:00+02:00"):
            (found,) = lifecycle(rule(f"<Expiration><Date>{text}</Date></Expiration>")).rules
            self.assertEqual(found.expiration, Expiration(date=1577923200.0), text)

    def test_edges(self) -> None:
        """What is just allowed."""
        for document in (
            body(rule(EXPIRES, id="a" * 255)),
            body(rule(EXPIRES, "<Filter/>")),
            body(rule(EXPIRES, f"<Filter><Prefix>{'a' * 1024}</Prefix></Filter>")),
            body(rule(moves(0))),
            body(rule(MARKERS + rests(1))),
            body(rule(rests(1, "<NewerNoncurrentVersions>1</NewerNoncurrentVersions>"))),
            body(rule(EXPIRES, both("<Prefix/>", "<Tag><Key>k</Key><Value/></Tag>"))),
            body(rule(EXPIRES, PLAIN), rule(rests(1), PLAIN), rule(EXPIRES, "<Prefix>b</Prefix>")),
            body(rule("<Expiration><Days>61</Days></Expiration>" + moves(60) + moves(30, "STANDARD_IA"))),
            body(*(rule(EXPIRES) for _ in range(1000))),
        ):
            parse_lifecycle(document)

    @given(st.lists(filters(), min_size=1, max_size=4))
    def test_filters_round_trip(self, found: list[Filter]) -> None:
        """Whatever is written is read as it was."""
        rules = tuple(Rule(str(n), True, one, expiration=Expiration(1)) for n, one in enumerate(found))
        self.assertEqual(parse_lifecycle(lifecycle_document(Lifecycle(rules))), Lifecycle(rules))


class Refused(SynchronousTestCase):
    """Documents that S3 refuses."""

    def refused(self, code: str, message: str | None, *rules: str) -> None:
        error = self.assertRaises(S3Error, parse_lifecycle, body(*rules))
        self.assertEqual((error.code, error.status), (code, 400), rules)
        if message is not None:
            self.assertEqual(error.message, message)

    def test_malformed(self) -> None:
        """What is not in the schema."""
        for rules in (
            "<Other/>",
            rule(EXPIRES, status="enabled"),
            f"<Rule>{FILTER}{EXPIRES}</Rule>",
            rule(EXPIRES, ""),
            rule(EXPIRES + EXPIRES),
            rule(EXPIRES, "<Filter><Prefix>a</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></Filter>"),
            rule(EXPIRES, "<Filter><And><Prefix>a</Prefix></And></Filter>"),
            rule(EXPIRES, f"<Filter><Prefix>a</Prefix>{both('<Prefix/>', '')[8:-9]}</Filter>"),
            rule(EXPIRES, "<Filter><Tag><Key>k</Key></Tag></Filter>"),
            rule(EXPIRES, "<Filter><ObjectSizeLessThan>x</ObjectSizeLessThan></Filter>"),
            rule("<Expiration/>"),
            rule("<Expiration><Days>1</Days><Date>2020-01-01</Date></Expiration>"),
            rule(MARKERS.replace("<Expiration>", "<Expiration><Days>1</Days>")),
            rule("<Expiration><Date>20200101</Date></Expiration>"),
            rule("<Expiration><Date>2020-02-30</Date></Expiration>"),
            rule("<Expiration><Days>1.5</Days></Expiration>"),
            rule("<Transition><Days>1</Days></Transition>"),
            rule(moves(1, "STANDARD")),
            rule(moves(1, "CELLAR")),
            rule("<NoncurrentVersionExpiration/>"),
            rule(
                "<NoncurrentVersionExpiration><NewerNoncurrentVersions>1</NewerNoncurrentVersions>"
                "</NoncurrentVersionExpiration>"
            ),
            rule("<AbortIncompleteMultipartUpload/>"),
        ):
            self.refused("MalformedXML", None, rules)

    def test_number_of_rules(self) -> None:
        """There are 1 to 1,000."""
        self.refused("InvalidRequest", "At least one lifecycle rule must be specified.")
        message = "The number of lifecycle rules must not exceed the allowed limit of 1000 rules."
        self.refused("InvalidRequest", message, *(rule(EXPIRES) for _ in range(1001)))

    def test_ids(self) -> None:
        """They are not too long, and each is there once."""
        self.refused("InvalidArgument", "ID length should not exceed allowed limit of 255", rule(EXPIRES, id="a" * 256))
        message = "Rule ID must be unique. Found same ID for more than one rule"
        self.refused("InvalidArgument", message, rule(EXPIRES, id="a"), rule(rests(1), id="a"))

    def test_forms(self) -> None:
        """Rules of the two forms do not mix."""
        message = "Filter element can only be used in Lifecycle V2."
        self.refused("InvalidRequest", message, rule(EXPIRES, PLAIN), rule(EXPIRES))
        message = "Base level prefix cannot be used in Lifecycle V2, prefixes are only supported in the Filter."
        self.refused("InvalidRequest", message, rule(EXPIRES), rule(EXPIRES, PLAIN))
        self.refused("InvalidRequest", message, rule(EXPIRES, PLAIN + FILTER))
        message = "NewerNoncurrentVersions element can only be used in Lifecycle V2."
        newer = "<NewerNoncurrentVersions>1</NewerNoncurrentVersions>"
        self.refused("InvalidRequest", message, rule(rests(1, newer), PLAIN))

    def test_overlaps(self) -> None:
        """In the older form two rules can not do the same to one object."""
        message = "Found overlapping prefixes '' and 'a' for same action type 'Expiration'"
        self.refused("InvalidRequest", message, rule(EXPIRES, "<Prefix/>"), rule(EXPIRES, PLAIN))
        for prefixes in (["a", "b", "ab"], ["ab", "aa", "a"], ["a", "aa", "ab", "ab"]):
            self.refused("InvalidRequest", None, *(rule(EXPIRES, f"<Prefix>{prefix}</Prefix>") for prefix in prefixes))
        lifecycle(*(rule(EXPIRES, f"<Prefix>{prefix}</Prefix>") for prefix in ("ab", "aa", "b", "ac")))

    def test_filters(self) -> None:
        """Tags and sizes within their limits."""
        tag = "<Tag><Key>k</Key><Value>v</Value></Tag>"
        self.refused("InvalidRequest", "Duplicate Tag Keys are not allowed.", rule(EXPIRES, both(tag, tag)))
        for key, value in (("", "v"), ("k" * 129, "v"), ("k", "v" * 257)):
            scope = f"<Filter><Tag><Key>{key}</Key><Value>{value}</Value></Tag></Filter>"
            self.refused("InvalidRequest", None, rule(EXPIRES, scope))
        message = "'ObjectSizeLessThan' should be between 1 and 1099511627776000."
        for size in (0, -1, 1099511627776001):
            scope = f"<Filter><ObjectSizeLessThan>{size}</ObjectSizeLessThan></Filter>"
            self.refused("InvalidRequest", message, rule(EXPIRES, scope))
        message = "'ObjectSizeGreaterThan' should be between 0 and 1099511627776000."
        scope = "<Filter><ObjectSizeGreaterThan>-1</ObjectSizeGreaterThan></Filter>"
        self.refused("InvalidRequest", message, rule(EXPIRES, scope))
        message = "'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'."
        larger, smaller = ("<ObjectSize%s>5</ObjectSize%s>" % (2 * (name,)) for name in ("GreaterThan", "LessThan"))
        self.refused("InvalidRequest", message, rule(EXPIRES, both(larger, smaller)))
        scope = f"<Filter><Prefix>{'a' * 1025}</Prefix></Filter>"
        self.refused("InvalidRequest", "The maximum size of a prefix is 1024.", rule(EXPIRES, scope))

    def test_no_action(self) -> None:
        """A rule does something."""
        self.refused("InvalidRequest", "At least one action needs to be specified in a rule", rule(""))

    def test_numbers(self) -> None:
        """Days that there can be."""
        for days in (0, -1):
            message = "'Days' for Expiration action must be a positive integer"
            self.refused("InvalidArgument", message, rule(f"<Expiration><Days>{days}</Days></Expiration>"))
            message = "'NoncurrentDays' for NoncurrentVersionExpiration action must be a positive integer"
            self.refused("InvalidArgument", message, rule(rests(days)))
            newer = f"<NewerNoncurrentVersions>{days}</NewerNoncurrentVersions>"
            message = "'NewerNoncurrentVersions' for NoncurrentVersionExpiration action must be a positive integer"
            self.refused("InvalidArgument", message, rule(rests(1, newer)))
            message = "'DaysAfterInitiation' for AbortIncompleteMultipartUpload action must be a positive integer"
            self.refused("InvalidArgument", message, rule(ABORTS.replace(">1<", f">{days}<")))
        self.refused("InvalidArgument", "'Days' in Transition action must be nonnegative", rule(moves(-1)))

    def test_midnight(self) -> None:
        """Dates are midnights, in UTC."""
        for text in ("2020-01-01T00:00:01Z", "2020-01-01T12:00:00Z", "2020-01-01T00:00:00+02:00"):
            for content in (f"<Expiration><Date>{text}</Date></Expiration>", moves(text, kind="Date")):
                self.refused("InvalidArgument", "'Date' must be at midnight GMT", rule(content))

    def test_combinations(self) -> None:
        """What has no tags or size can not be chosen by them."""
        for content, name in ((MARKERS, "ExpiredObjectDeleteMarker"), (ABORTS, "AbortIncompleteMultipartUpload")):
            for scope, what in ((TAGGED, "Tags"), (SIZED, "Object Size")):
                self.refused("InvalidRequest", f"{name} cannot be specified with {what}.", rule(content, scope))

    def test_transitions(self) -> None:
        """They go down, in time, and end before the expiration."""
        message = "'Days' in Transition action must be greater than or equal to 30 for storageClass 'STANDARD_IA'"
        self.refused("InvalidArgument", message, rule(moves(29, "STANDARD_IA")))
        message = "'StorageClass' must be different for 'Transition' actions in same 'Rule' with filter '(prefix=a)'"
        self.refused("InvalidRequest", message, rule(moves(1) + moves(2)))
        message = (
            "Found mixed 'Date' and 'Days' based Expiration and Transition actions in lifecycle rule "
            "for filter '(prefix=a)'"
        )
        self.refused("InvalidRequest", message, rule(moves("2020-01-01", kind="Date") + EXPIRES))
        message = (
            "'Days' in the Expiration action for filter '(prefix=a)' must be greater than 'Days' in the "
            "Transition action"
        )
        self.refused("InvalidArgument", message, rule(moves(1) + EXPIRES))
        self.refused(
            "InvalidArgument", message.replace("filter '(prefix=a)'", "prefix 'a'"), rule(moves(1) + EXPIRES, PLAIN)
        )
        self.refused("InvalidArgument", None, rule(moves(1, "DEEP_ARCHIVE") + moves(2)))
        message = (
            "'Days' in the 'Transition' action for StorageClass 'GLACIER' for filter '(prefix=a)' must be 30 days "
            "more than 'filter '(prefix=a)'' in the 'Transition' action for StorageClass 'STANDARD_IA'"
        )
        self.refused("InvalidArgument", message, rule(moves(59) + moves(30, "STANDARD_IA")))

    def test_noncurrent_transitions(self) -> None:
        """The same for versions that are not current."""
        message = "'NoncurrentDays' in NoncurrentVersionTransition action must be nonnegative"
        self.refused("InvalidArgument", message, rule(retires(-1)))
        self.refused("InvalidArgument", None, rule(retires(29, "ONEZONE_IA")))
        self.refused("InvalidRequest", None, rule(retires(1) + retires(2)))
        self.refused("InvalidArgument", None, rule(retires(1) + rests(1)))
