"""What rules say of versions and uploads: against a naive reference, and case by case."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs
from twisted.trial.unittest import SynchronousTestCase

from tests.protocol.lifecycle.making import EXPIRES, filters, lifecycle, rule
from tests.protocol.lifecycle.reference import ORDER, outcome
from twisted_s3.model import ListedVersion, ObjectVersion, Properties, Upload
from twisted_s3.protocol.dates import parse_iso8601
from twisted_s3.protocol.lifecycle.evaluation import (
    DAY,
    Action,
    Calendar,
    Kind,
    Place,
    abortion,
    action,
    expiry,
    places,
)
from twisted_s3.protocol.lifecycle.headers import expiration_headers
from twisted_s3.protocol.lifecycle.rules import (
    ALL_CLASSES,
    BY_CLASS,
    Expiration,
    Lifecycle,
    NoncurrentExpiration,
    NoncurrentTransition,
    Rule,
    Transition,
)

START = 1_600_000_000.0
DAYS = Calendar()

days = st.integers(0, 4)
dates = st.integers(0, 8).map(lambda n: (START // DAY + n) * DAY)
newer = st.none() | st.integers(1, 3)
classes = st.sampled_from(ORDER[1:])
rules = st.builds(
    Rule,
    id=st.just(""),
    enabled=st.booleans() | st.just(True),
    filter=filters(),
    expiration=st.none()
    | st.builds(Expiration, days=days)
    | st.builds(Expiration, date=dates)
    | st.builds(Expiration, markers=st.booleans()),
    transitions=st.lists(
        st.builds(Transition, classes, days) | st.builds(Transition, classes, st.none(), dates), max_size=2
    ).map(tuple),
    noncurrent_expiration=st.none() | st.builds(NoncurrentExpiration, days, newer),
    noncurrent_transitions=st.lists(st.builds(NoncurrentTransition, classes, days, newer), max_size=2).map(tuple),
)
configurations = st.builds(
    Lifecycle,
    st.lists(rules, min_size=1, max_size=3).map(
        lambda found: tuple(structs.replace(one, id=str(n)) for n, one in enumerate(found))
    ),
    st.sampled_from([ALL_CLASSES, BY_CLASS]),
)
versions = st.builds(
    ObjectVersion,
    key=st.sampled_from(["a", "ab", "b"]),
    size=st.integers(0, 4) | st.just(131072),
    etag=st.just("e"),
    last_modified=st.floats(START, START + 5 * DAY),
    properties=st.builds(
        Properties,
        tags=st.dictionaries(st.sampled_from("kl"), st.sampled_from("vw"), max_size=2),
        storage_class=st.sampled_from(ORDER),
    ),
)


def without_bytes(version: ObjectVersion) -> ObjectVersion:
    """A delete marker."""
    return structs.replace(version, delete_marker=True, size=0, properties=Properties(), etag="")


@st.composite
def histories(draw: st.DrawFn) -> Sequence[ObjectVersion]:
    """The versions of a key, newest first."""
    found = draw(st.lists(versions | versions.map(without_bytes), min_size=1, max_size=6))
    found = [structs.replace(one, key=found[0].key) for one in found]
    return sorted(found, key=lambda one: -one.last_modified)


def listed(history: Sequence[ObjectVersion]) -> Sequence[Place]:
    """Their places."""
    return list(places([ListedVersion(one, n == 0) for n, one in enumerate(history)]))


#: What is generated is large, and the machine may be busy.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


class AgainstReference(SynchronousTestCase):
    """The same as one who looks at everything for everything."""

    @patient
    @given(configurations, histories(), st.floats(START, START + 10 * DAY))
    def test_versioned(self, found: Lifecycle, history: Sequence[ObjectVersion], now: float) -> None:
        """Every version and delete marker of a key."""
        for at, place in enumerate(listed(history)):
            did = action(found, place, True, now, DAYS)
            self.assertEqual(did and (did.kind.name, did.storage_class), outcome(found, history, at, True, now))

    @patient
    @given(configurations, versions, st.floats(START, START + 10 * DAY))
    def test_unversioned(self, found: Lifecycle, version: ObjectVersion, now: float) -> None:
        """The one version of a key; and what is told beforehand comes true."""
        did = action(found, Place(version), False, now, DAYS)
        self.assertEqual(did and (did.kind.name, did.storage_class), outcome(found, [version], 0, False, now))
        told = expiry(found, version, DAYS)
        gone = did is not None and did.kind is Kind.DELETE
        self.assertEqual(gone, told is not None and told[0] <= now)


def at(text: str) -> float:
    """A moment."""
    found = parse_iso8601(text)
    assert found is not None
    return found


class Cases(SynchronousTestCase):
    """What AWS's guide gives for examples."""

    def test_midnight(self) -> None:
        """Created on 15 January at 10:30 and given 3 days: gone from 19 January, 00:00."""
        made = at("2014-01-15T10:30:00Z")
        self.assertEqual(DAYS.after(made, 3), at("2014-01-19"))
        self.assertEqual(DAYS.after(at("2014-01-15"), 1), at("2014-01-17"))
        self.assertEqual(DAYS.after(made, 0), at("2014-01-16"))

    def test_short_days(self) -> None:
        """Days that are no days end when they end."""
        self.assertEqual(Calendar(10.0).after(3.0, 2), 23.0)

    def test_newest_but_not_current(self) -> None:
        """What is on its way from one place to another is left alone."""
        rules = lifecycle(rule("<Expiration><Date>2000-01-01</Date></Expiration>"))
        (place,) = places([ListedVersion(ObjectVersion("a", 0, "e", START), False)])
        self.assertIsNone(action(rules, place, True, START, DAYS))

    def test_shortest_wins(self) -> None:
        """The earliest end counts, and of several the first rule."""
        found = lifecycle(
            rule("<Expiration><Days>3</Days></Expiration>", id="x"),
            rule(EXPIRES, id="y"),
            rule(EXPIRES, id="z"),
            rule(EXPIRES, "<Filter><Prefix>b</Prefix></Filter>", id="other"),
            rule(EXPIRES, id="off", status="Disabled"),
        )
        version = ObjectVersion("abc", 0, "e", at("2012-12-21T12:00:00Z"))
        self.assertEqual(expiry(found, version, DAYS), (at("2012-12-23"), "y"))
        did = action(found, Place(version), False, at("2012-12-23"), DAYS)
        self.assertEqual(did, Action(Kind.DELETE, "y"))
        self.assertIsNone(action(found, Place(version), False, at("2012-12-23") - 0.001, DAYS))

    def test_uploads(self) -> None:
        """By prefix, the earliest."""

        def aborts(days: int) -> str:
            content = f"<DaysAfterInitiation>{days}</DaysAfterInitiation>"
            return f"<AbortIncompleteMultipartUpload>{content}</AbortIncompleteMultipartUpload>"

        found = lifecycle(rule(aborts(3), id="x"), rule(aborts(2), id="y"), rule(EXPIRES, id="z"))
        upload = Upload("u", "a", at("2020-01-01T01:00:00Z"))
        self.assertEqual(abortion(found, upload, DAYS), (at("2020-01-04"), "y"))
        self.assertIsNone(abortion(found, structs.replace(upload, key="b"), DAYS))

    def test_header(self) -> None:
        """An id shows as it is, but for what a header can not hold."""
        version = ObjectVersion("a", 0, "e", at("2012-12-21T12:00:00Z"))
        for id, shown in (("Rule for a.txt", "Rule for a.txt"), ('a"b%', "a%22b%25"), ("é\n", "%C3%A9%0A")):
            found = Lifecycle((structs.replace(lifecycle(rule(EXPIRES)).rules[0], id=id),))
            wanted = f'expiry-date="Sun, 23 Dec 2012 00:00:00 GMT", rule-id="{shown}"'
            self.assertEqual(expiration_headers(found, version), [("x-amz-expiration", wanted)])
