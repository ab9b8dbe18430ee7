"""Queueing the events of a bucket's notification configuration with the writes that they tell of."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from msgspec import Struct
from twisted.internet.interfaces import IReactorTime

from twisted_s3.interfaces import Pending, Witness, unwitnessed
from twisted_s3.model import NULL_VERSION, Bucket, Deletion, ObjectVersion
from twisted_s3.operations.announcing import Origin
from twisted_s3.protocol.documentcache import DocumentCache
from twisted_s3.protocol.events import REMOVED_DELETE, REMOVED_MARKER, Event, event_record, probe_message
from twisted_s3.protocol.notification import NAME, Rule, load_notification
from twisted_s3.queueing import IEventQueue


class Occasion(Struct, frozen=True):
    """What a commit is to a bucket's notification configuration.

    :ivar name: of the event.
    :ivar made: whether a version or delete marker was made, and not only changed or removed.
    """

    name: str
    key: str
    made: bool


#: Tells what a commit is; None for nothing.
Describe = Callable[[ObjectVersion | Deletion], Occasion | None]


def making(name: str) -> Describe:
    """Commits that make a version."""
    return lambda change: Occasion(name, change.key, True) if isinstance(change, ObjectVersion) else None


def changing(name: str) -> Describe:
    """Commits that change one."""
    return lambda change: Occasion(name, change.key, False) if isinstance(change, ObjectVersion) else None


def removing(
    key: str, version_named: bool = False, deleted: str = REMOVED_DELETE, marked: str = REMOVED_MARKER
) -> Describe:
    """Commits that remove a key, or a version of it that was named.

    :param deleted: the event of a removal, ``marked`` that of a delete marker.
    """

    def describe(change: ObjectVersion | Deletion) -> Occasion | None:
        if isinstance(change, ObjectVersion):
            return None
        made = change.delete_marker and not version_named
        return Occasion(marked if made else deleted, key, made)

    return describe


def either(*descriptions: Describe) -> Describe:
    """What the first of some says that says anything."""
    return lambda change: next((found for describe in descriptions if (found := describe(change)) is not None), None)


class Source(Struct, frozen=True):
    """Whose write it is, and where."""

    bucket: Bucket
    bucket_owner: str
    requester: str
    origin: Origin


class Notifier:
    """Queues events for the targets that buckets name.

    :param targets: the names of those that there are.
    """

    def __init__(self, queue: IEventQueue, targets: Collection[str], clock: IReactorTime, region: str) -> None:
        self.targets = frozenset(targets)
        self._queue = queue
        self._clock = clock
        self._region = region
        self._rules: DocumentCache[[bytes], Sequence[Rule]] = DocumentCache(load_notification)

    def witness(self, source: Source, describe: Describe) -> Witness:
        """Who queues the events of a write; one who does nothing where the bucket has no configuration."""
        document = source.bucket.configuration(NAME)
        rules = () if document is None else self._rules.get(document)
        if not rules:
            return unwitnessed

        def watch(change: ObjectVersion | Deletion) -> Pending | None:
            occasion = describe(change)
            if occasion is None:
                return None
            to = {
                name: rule.id
                for rule in rules
                if rule.wants(occasion.name, occasion.key) and (name := rule.destination.name) in self.targets
            }
            if not to:
                return None
            record = event_record(self._event(source, occasion, change))
            payload = {"to": to, "record": record}
            return self._queue.begin(source.bucket.name, occasion.key, change, payload, occasion.made)

        return watch

    async def probe(self, bucket: str, rules: Sequence[Rule], request_id: str) -> None:
        """Queue the message that tells each destination of a new configuration that it is one."""
        to = {rule.destination.name: rule.id for rule in rules if rule.destination.name in self.targets}
        if to:
            message = probe_message(bucket, self._clock.seconds(), request_id)
            await self._queue.announce({"to": to, "message": message})

    def _event(self, source: Source, occasion: Occasion, change: ObjectVersion | Deletion) -> Event:
        version = change if isinstance(change, ObjectVersion) else None
        return Event(
            name=occasion.name,
            time=self._clock.seconds(),
            region=self._region,
            bucket=source.bucket.name,
            bucket_owner=source.bucket_owner,
            key=occasion.key,
            sequencer="",
            size=None if version is None else version.size,
            etag=None if version is None else version.etag,
            version_id=None if change.version_id == NULL_VERSION else change.version_id,
            requester=source.requester,
            source_address=source.origin.address,
            request_id=source.origin.request_id,
        )
