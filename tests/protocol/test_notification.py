"""Notification configurations: read, refused as AWS refuses them, written, and held against events."""

from __future__ import annotations

from itertools import count
from time import process_time
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_s3.errors import S3Error
from twisted_s3.protocol.events import AWS_EVENT_PATTERNS, EVENT_NAMES
from twisted_s3.protocol.notification import (
    MAX_RULES,
    Destination,
    Rule,
    check_destinations,
    load_notification,
    notification_document,
    parse_arn,
    parse_notification,
)

QUEUE, TOPIC, FUNCTION = "QueueConfiguration", "TopicConfiguration", "CloudFunctionConfiguration"
PUT, COPY, ALL = "s3:ObjectCreated:Put", "s3:ObjectCreated:Copy", "s3:ObjectCreated:*"


def queue(events: str = f"<Event>{ALL}</Event>", filters: str = "", **texts: str) -> str:
    """A rule for a queue."""
    values = {"Queue": "arn:aws:sqs:us-east-1:1:q", **texts}
    written = "".join(f"<{name}>{text}</{name}>" for name, text in values.items())
    return f"<{QUEUE}>{written}{events}{filters}</{QUEUE}>"


def filtered(*rules: tuple[str, str]) -> str:
    """A filter."""
    inner = "".join(f"<FilterRule><Name>{name}</Name><Value>{value}</Value></FilterRule>" for name, value in rules)
    return f"<Filter><S3Key>{inner}</S3Key></Filter>"


def parse(*rules: str) -> list[Rule]:
    """What a document of these rules says."""
    numbers = count(1)
    body = f"<NotificationConfiguration>{''.join(rules)}</NotificationConfiguration>".encode()
    return list(parse_notification(body, lambda: f"new-{next(numbers)}"))


class Documents(SynchronousTestCase):
    """What can be in a document."""

    def refused(self, code: str, message: str, *rules: str) -> S3Error:
        """Assert that a document is refused."""
        error = self.assertRaises(S3Error, parse, *rules)
        self.assertEqual(error.code, code)
        self.assertIn(message, error.message)
        return error

    def test_repeated_events(self) -> None:
        """An event that is named again and again counts once, and costs nothing."""
        events = f"<Event>{ALL}</Event>" * 9_000
        for first, second in (("a", "b"), ("a", "a")):
            began = process_time()
            rules = (queue(events, filtered(("prefix", first)), Id="1"), queue(events, filtered(("prefix", second))))
            if first == second:
                self.refused("InvalidArgument", "overlapping suffixes", *rules)
            else:
                self.assertEqual([rule.events for rule in parse(*rules)], [(ALL,), (ALL,)])
            self.assertLess(process_time() - began, 5)

    def test_rules(self) -> None:
        """All three kinds, with and without id and filter."""
        made = parse(
            queue(Id="one", filters=filtered(("Prefix", "a/"), ("suffix", ".jpg"))),
            f"<{TOPIC}><Topic>arn:aws:sns:::t</Topic><Event>s3:ObjectRemoved:*</Event></{TOPIC}>",
            f"<{FUNCTION}><Event>{PUT}</Event><CloudFunction>arn:aws:lambda:r:1:function:f:2</CloudFunction>"
            f"{filtered(('prefix', 'b/'))}</{FUNCTION}>",
        )
        self.assertEqual(
            made,
            [
                Rule("one", QUEUE, "arn:aws:sqs:us-east-1:1:q", (ALL,), "a/", ".jpg"),
                Rule("new-1", TOPIC, "arn:aws:sns:::t", ("s3:ObjectRemoved:*",)),
                Rule("new-2", FUNCTION, "arn:aws:lambda:r:1:function:f:2", (PUT,), "b/"),
            ],
        )
        self.assertEqual(load_notification(notification_document(made)), made)
        self.assertEqual(parse(), [])

    def test_malformed(self) -> None:
        """What the schema does not have, and what it must have."""
        event = f"<Event>{PUT}</Event>"
        for rule in (
            "<Other/>",
            f"<{QUEUE}>{event}</{QUEUE}>",
            queue(events=""),
            queue(More="x"),
            queue() + "text",
            queue(filters=filtered() + filtered()),
            queue(filters="<Filter><S3Key><Other/></S3Key></Filter>"),
        ):
            self.refused("MalformedXML", "", rule)
        self.refused("NotImplemented", "", "<EventBridgeConfiguration/>")

    def test_invalid(self) -> None:
        """What is well-formed but no configuration."""
        for name in ("s3:ObjectMade:*", "ObjectCreated:Put", "s3:*", ""):
            self.refused("InvalidArgument", "event is not supported", queue(f"<Event>{name}</Event>"))
        twice = filtered(("prefix", "a"), ("Prefix", "b"))
        self.refused("InvalidArgument", "more than one prefix", queue(filters=twice))
        self.refused("InvalidArgument", "either prefix or suffix", queue(filters=filtered(("infix", "a"))))
        self.refused("InvalidArgument", "1024", queue(filters=filtered(("prefix", "a" * 1025))))
        other = queue("<Event>s3:ObjectRemoved:*</Event>", Id="same")
        self.refused("InvalidArgument", "same ID", queue(Id="same"), other)
        self.refused("InvalidArgument", "longer", queue(Id="x" * 256))
        many = [queue(filters=filtered(("prefix", f"{n:03d}"))) for n in range(MAX_RULES + 1)]
        self.assertEqual(len(parse(*many[1:])), MAX_RULES)
        self.refused("InvalidArgument", "at most", *many)

    def test_overlaps(self) -> None:
        """Two rules that one event could fit."""
        error = self.refused("InvalidArgument", "Configurations overlap", queue(), queue(f"<Event>{PUT}</Event>"))
        self.assertEqual(error.elements["ArgumentValue"], f"{ALL}, {PUT}")
        images, cats = filtered(("prefix", "images/")), filtered(("prefix", "images/cats"), ("suffix", ".jpg"))
        self.refused("InvalidArgument", "ambiguously", queue(filters=images), queue(filters=cats))
        self.refused("InvalidArgument", "ambiguously", queue(), queue(filters=cats))
        jpg, png = filtered(("suffix", ".jpg")), filtered(("suffix", ".png"))
        self.assertEqual(len(parse(queue(filters=jpg), queue(filters=png))), 2)
        self.assertEqual(len(parse(queue(f"<Event>{PUT}</Event>"), queue(f"<Event>{COPY}</Event>"))), 2)

    def test_event_names(self) -> None:
        """Whatever can occur can be asked for, by its name and by that of its family."""
        for name in EVENT_NAMES:
            self.assertIn(f"s3:{name}", AWS_EVENT_PATTERNS)
            rules = [Rule("i", QUEUE, "a", (pattern,)) for pattern in AWS_EVENT_PATTERNS]
            wanting = [rule.events[0] for rule in rules if rule.wants(name, "k")]
            family = (
                [f"s3:{name.partition(':')[0]}:*"] if f"s3:{name.partition(':')[0]}:*" in AWS_EVENT_PATTERNS else []
            )
            self.assertCountEqual(wanting, [f"s3:{name}", *family])

    @given(st.text("ab", max_size=3), st.text("ab", max_size=3), st.text("ab", max_size=3), st.text("ab", max_size=3))
    def test_no_event_fits_two(self, one: str, other: str, first: str, last: str) -> None:
        """Rules that are accepted have no key in common."""
        try:
            rules = parse(
                queue(filters=filtered(("prefix", one), ("suffix", first))),
                queue(filters=filtered(("prefix", other), ("suffix", last))),
            )
        except S3Error:
            return
        for key in (one + other + first + last, one + first, other + last, one + last, other + first + last):
            self.assertLess(sum(rule.wants("ObjectCreated:Put", key) for rule in rules), 2)


class Destinations(SynchronousTestCase):
    """What ARNs name, and whether it is there."""

    def test_arns(self) -> None:
        """Each service has its form."""
        for kind, arn, expected in (
            (QUEUE, "arn:aws:sqs:eu-west-1:123456789012:jobs", Destination("sqs", "eu-west-1", "jobs")),
            (TOPIC, "arn:aws-cn:sns:::jobs", Destination("sns", "", "jobs")),
            (FUNCTION, "arn:aws:lambda:r:1:function:jobs", Destination("lambda", "r", "jobs")),
            (FUNCTION, "arn:aws:lambda:r:1:function:jobs:live", Destination("lambda", "r", "jobs")),
        ):
            self.assertEqual(parse_arn(arn, kind), expected)
        for kind, arn in (
            (QUEUE, "arn:aws:sns:r:1:jobs"),
            (QUEUE, "jobs"),
            (QUEUE, "arn:aws:sqs:r:1:"),
            (QUEUE, "arn:aws:sqs:r:1:a:b"),
            (FUNCTION, "arn:aws:lambda:r:1:jobs"),
            (FUNCTION, "arn:aws:lambda:r:1:layer:jobs"),
        ):
            error = self.assertRaises(S3Error, parse_arn, arn, kind)
            self.assertEqual((error.code, error.message), ("InvalidArgument", "The ARN is not well formed"))

    def check(self, arn: str, **options: Any) -> None:
        """Check one rule."""
        check_destinations([Rule("i", QUEUE, arn, (PUT,))], "r", ["known"], **options)

    def test_checks(self) -> None:
        """A destination must be known and here."""
        self.check("arn:aws:sqs:r:1:known")
        self.check("arn:aws:sqs::1:known")
        error = self.assertRaises(S3Error, self.check, "arn:aws:sqs:r:1:other")
        self.assertEqual(error.message, "Unable to validate the following destination configurations")
        self.assertEqual(
            error.elements,
            {"ArgumentName1": "arn:aws:sqs:r:1:other", "ArgumentValue1": "The destination queue does not exist"},
        )
        self.check("arn:aws:sqs:r:1:other", skip=True)
        for skip in (False, True):
            self.assertRaises(S3Error, self.check, "arn:aws:sqs:elsewhere:1:known", skip=skip)
            self.assertRaises(S3Error, self.check, "nonsense", skip=skip)
