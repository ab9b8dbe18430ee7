"""Events in process: callables that hear of objects that were created or removed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from msgspec import Struct
from twisted.logger import Logger
from zope.interface import implementer

from twisted_s3.interfaces import IEventSink
from twisted_s3.protocol.events import Event, check_pattern, event_record

#: Called with the S3 event record.
Subscriber = Callable[[Mapping[str, Any]], object]


class Subscription(Struct, frozen=True, eq=False):
    """What one subscriber wants to hear of."""

    pattern: str
    subscriber: Subscriber
    bucket: str | None
    prefix: str
    suffix: str

    def wants(self, event: Event) -> bool:
        """Whether it wants to hear of this."""
        return (
            fnmatchcase(event.name, self.pattern)
            and self.bucket in (None, event.bucket)
            and event.key.startswith(self.prefix)
            and event.key.endswith(self.suffix)
        )


@implementer(IEventSink)
class Subscriptions:
    """Tells subscribers of events, in the thread of the reactor and before the request is answered.

    A subscriber that raises is logged, and the others still hear of it.
    """

    _log = Logger()

    def __init__(self) -> None:
        self._subscriptions: tuple[Subscription, ...] = ()

    def subscribe(
        self,
        pattern: str,
        subscriber: Subscriber,
        *,
        bucket: str | None = None,
        prefix: str = "",
        suffix: str = "",
    ) -> Subscription:
        """Tell ``subscriber`` of events from now on, with the record that S3 would send.

        :param pattern: ``s3:ObjectCreated:*``, ``ObjectRemoved:Delete``, ``*`` ...
        :param bucket: None for all.
        :param prefix: of the keys, as ``suffix`` is.
        :raise ValueError: when there is no such event.
        """
        made = Subscription(check_pattern(pattern), subscriber, bucket, prefix, suffix)
        self._subscriptions = (*self._subscriptions, made)
        return made

    def unsubscribe(self, subscription: Subscription) -> None:
        """Tell it nothing more. Further calls do nothing."""
        self._subscriptions = tuple(other for other in self._subscriptions if other is not subscription)

    def notify(self, event: Event) -> None:
        """Tell those who want to hear of it."""
        wanting = [subscription for subscription in self._subscriptions if subscription.wants(event)]
        if not wanting:
            return
        record = event_record(event)
        for subscription in wanting:
            try:
                subscription.subscriber(record)
            except Exception:
                self._log.failure("a subscriber failed at {event}", event=event.name)
