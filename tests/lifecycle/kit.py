"""What tests of the lifecycle job share: rounds over a store, on a clock of the test."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
from twisted.internet.task import Clock

from tests.protocol.lifecycle.making import body, rule
from tests.storage.kit import BUCKET
from tests.storage.version_contract import VersionKit
from twisted_s3.interfaces import Witness
from twisted_s3.lifecycle.job import LifecycleRounds, Pace
from twisted_s3.model import Bucket, Deletion, ObjectVersion, Properties
from twisted_s3.operations.configuration import LIFECYCLE
from twisted_s3.operations.notifying import Describe
from twisted_s3.protocol.lifecycle.evaluation import DAY

ALL = "<Filter/>"
#: As fast as it goes.
FAST = Pace(rate=0)


def expires(days: int = 1) -> str:
    """The element of an expiration."""
    return f"<Expiration><Days>{days}</Days></Expiration>"


def rests(days: int = 1, newer: int = 0) -> str:
    """The element of a noncurrent expiration."""
    more = f"<NewerNoncurrentVersions>{newer}</NewerNoncurrentVersions>" if newer else ""
    content = f"<NoncurrentDays>{days}</NoncurrentDays>{more}"
    return f"<NoncurrentVersionExpiration>{content}</NoncurrentVersionExpiration>"


MARKERS = "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"
ABORTS = "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>"


class Ticking(Clock):
    """The time of day, in which no two looks at it see the same."""

    def __init__(self) -> None:
        super().__init__()
        self.rightNow = time.time()

    def seconds(self) -> float:
        """A little later than the last time."""
        self.rightNow += 0.001
        return self.rightNow


class RoundsKit(VersionKit):
    """A test case with a store, and a clock that is three days ahead of what is stored.

    :ivar told: what was done, in order: the event, the key, the id of the version.
    :ivar witnessed: the same, as it was told before it was done.
    """

    async def setUp(self) -> None:
        await super().setUp()
        self.clock = Clock()
        self.clock.advance(time.time() + 3 * DAY)
        self.witnessed: list[tuple[str, str, str | None]] = []
        self.told: list[tuple[str, str, str | None]] = []

    async def tell(
        self, event: str, bucket: Bucket, key: str, version: ObjectVersion | None, version_id: str | None
    ) -> None:
        """Remember what was done."""
        self.told.append((event, key, version.version_id if version is not None else version_id))

    def witness_of(self, bucket: Bucket, describe: Describe) -> Witness:
        """Note what is about to be done."""

        def witness(change: ObjectVersion | Deletion) -> None:
            occasion = describe(change)
            assert occasion is not None
            self.witnessed.append((occasion.name, occasion.key, change.version_id))

        return witness

    def rounds(self, pace: Pace = FAST, store: Any = None, notes: Any = None) -> LifecycleRounds:
        """A job that nobody else shares."""
        return LifecycleRounds(store or self.store, self.clock, pace, self.tell, notes, self.witness_of)

    async def rule(self, content: str, scope: str = ALL, bucket: str = BUCKET) -> None:
        """Give a bucket one rule."""
        document = body(rule(content, scope, "one"))
        await self.store.put_configuration(bucket, LIFECYCLE.name, document)

    async def put_tagged(self, key: str, tags: Mapping[str, str], data: bytes = b"") -> ObjectVersion:
        """Store an object with tags."""
        return await self.put(key, data, properties=Properties(tags=dict(tags)))

    async def classes(self) -> Mapping[str, str]:
        """The storage class of each version."""
        return {one.version.version_id: one.version.properties.storage_class for one in await self.listed()}

    async def ids(self, key: str) -> Sequence[str]:
        """The versions and delete markers of a key, newest first."""
        return [one.version.version_id for one in await self.listed() if one.version.key == key]

    def events(self) -> Sequence[tuple[str, str]]:
        """What was done to which key."""
        return sorted((event, key) for event, key, _ in self.told)


@attrs.define
class Meddling:
    """A store in which somebody does something between the look at a page and what follows from it.

    :ivar meddle: is awaited once.
    """

    within: Any
    meddle: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.within, name)

    async def list_versions(self, bucket: str, page: Any) -> Any:
        """Look; then let the other one have his way."""
        found = await self.within.list_versions(bucket, page)
        meddle, self.meddle = self.meddle, None
        if meddle is not None:
            await meddle()
        return found
