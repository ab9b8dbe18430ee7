"""What a server does now and then: remove uploads that nobody finished, and what crashes left behind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from twisted_s3.errors import S3Error
from twisted_s3.interfaces import IObjectStore
from twisted_s3.periodic import Job, Periodic
from twisted_s3.unfinished import unfinished


async def reap_uploads(store: IObjectStore, before: float) -> int:
    """Abort the uploads of all buckets that were begun before ``before``. Gives how many there were.

    Uploads and buckets that vanish in between are passed over.
    """
    reaped = 0
    for bucket in await store.list_buckets():
        with suppress(S3Error):
            async for upload in unfinished(store, bucket.name, lambda upload: upload.initiated < before):
                with suppress(S3Error):
                    await store.abort_upload(bucket.name, upload.key, upload.id)
                    reaped += 1
    return reaped


#: Looks are never further apart, in seconds.
LONGEST_INTERVAL = 3600.0


class Reaper:
    """Looks for what is to be removed, again and again.

    :param expiry: age in seconds at which an upload goes; 0 for never.
    :param clean: removes what crashes left behind in the store.
    """

    _log = Logger()

    def __init__(
        self,
        store: IObjectStore,
        expiry: float,
        clock: IReactorTime,
        clean: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        self._store = store
        self._expiry = expiry
        self._clock = clock
        self._clean = clean
        self._periodic = Periodic(Job("reaper", self.interval, self._look), clock)

    @property
    def interval(self) -> float:
        """Seconds between two looks."""
        return min(LONGEST_INTERVAL, max(1.0, self._expiry / 10)) if self._expiry > 0 else LONGEST_INTERVAL

    def start(self) -> None:
        """Look now, and then again and again, an interval after the end of each look."""
        self._periodic.start()

    async def stop(self) -> None:
        """Look no more; wait for a look that is under way."""
        await self._periodic.stop()

    async def _look(self) -> None:
        if self._expiry > 0:
            reaped = await reap_uploads(self._store, self._clock.seconds() - self._expiry)
            if reaped:
                self._log.info("removed {count} unfinished uploads", count=reaped)
        if self._clean is not None:
            await self._clean()
