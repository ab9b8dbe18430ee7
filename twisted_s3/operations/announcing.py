"""How operations say what they did, once it is committed."""

from __future__ import annotations

from msgspec import Struct
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from twisted_s3.interfaces import IEventSink
from twisted_s3.model import NULL_VERSION, ObjectVersion
from twisted_s3.protocol.events import Event


class Origin(Struct, frozen=True):
    """Where a request came from, for those who are told what it did."""

    request_id: str = ""
    address: str = ""


class Announcer:
    """Makes events of what was committed, in the order in which it hears of them, and tells the sink."""

    _log = Logger()

    def __init__(self, sink: IEventSink, clock: IReactorTime, region: str) -> None:
        self._sink = sink
        self._clock = clock
        self._region = region
        self._last = 0

    async def announce(
        self,
        name: str,
        bucket: str,
        bucket_owner: str,
        key: str,
        version: ObjectVersion | None,
        requester: str,
        origin: Origin,
        version_id: str | None = None,
    ) -> None:
        """Tell that something happened to ``key``; wait where the sink wants that.

        What was committed stays so, whatever the sink does: its errors are logged.

        :param version: what was made; None for a removal.
        :param version_id: what was removed, or the delete marker that was made.
        """
        now = self._clock.seconds()
        if version is not None:
            version_id = version.version_id
        self._last = max(self._last + 1, int(now * 1_000_000))
        event = Event(
            name=name,
            time=now,
            region=self._region,
            bucket=bucket,
            bucket_owner=bucket_owner,
            key=key,
            sequencer=f"{self._last:016X}",
            size=None if version is None else version.size,
            etag=None if version is None else version.etag,
            version_id=None if version_id == NULL_VERSION else version_id,
            requester=requester,
            source_address=origin.address,
            request_id=origin.request_id,
        )
        try:
            waited = self._sink.notify(event)
            if waited is not None:
                await waited
        except Exception:
            self._log.failure("nobody was told of {event}", event=event)
