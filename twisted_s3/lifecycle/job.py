"""One round through all buckets: page by page, at a pace, from where the last one who tried had come."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from msgspec import Struct
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from twisted_s3.errors import S3Error
from twisted_s3.interfaces import INotes, IObjectStore
from twisted_s3.lifecycle.applying import Applier, Told, Witnessed, untold, without_witness
from twisted_s3.lifecycle.position import NAME, PassingNotes, Position, load_position, save_position
from twisted_s3.lifecycle.scanning import Look, Page, Task
from twisted_s3.model import Bucket, Upload
from twisted_s3.operations.lifecycle import lifecycle_of
from twisted_s3.periodic import Job
from twisted_s3.protocol.documentcache import DocumentCache
from twisted_s3.protocol.lifecycle.documents import parse_lifecycle
from twisted_s3.protocol.lifecycle.evaluation import DAY, Calendar, abortion
from twisted_s3.protocol.lifecycle.rules import Lifecycle
from twisted_s3.protocol.listing import start_after_key
from twisted_s3.unfinished import unfinished

#: How many changes are made at a time: enough for them to share directory syncs.
_AT_A_TIME = 32

#: Rounds begin at least so many times in a day, however short it is.
_ROUNDS = 10

#: What it means that something changed since it was looked at; the next round sees it as it is then.
_OUTDATED = frozenset(("PreconditionFailed", "NoSuchKey", "NoSuchVersion", "NoSuchBucket", "AccessDenied"))


class Pace(Struct, frozen=True):
    """How often, and how fast.

    :ivar interval: seconds from the end of one round to the beginning of the next.
    :ivar day: seconds that a day has.
    :ivar rate: how many changes to make in a second; 0: as many as there are.
    :ivar examined: at how many keys and versions to look in one page.
    """

    interval: float = 3600.0
    day: float = DAY
    rate: float = 1000.0
    examined: int = 1000

    @property
    def between(self) -> float:
        """Seconds between two rounds; no more than a part of a day."""
        return min(self.interval, self.day / _ROUNDS)


class LifecycleRounds:
    """Does what the lifecycle configurations of all buckets say.

    :param told: is told of what was done.
    :param witnessed: gives who is told before it is done.
    :param notes: keep the position; where there are none, the next process begins anew.
    """

    _log = Logger()

    def __init__(
        self,
        store: IObjectStore,
        clock: IReactorTime,
        pace: Pace,
        told: Told = untold,
        notes: INotes | None = None,
        witnessed: Witnessed = without_witness,
    ) -> None:
        self._store = store
        self._clock = clock
        self._pace = pace
        self._notes = PassingNotes() if notes is None else notes
        self._applier = Applier(store, clock.seconds, told, witnessed)
        self._calendar = Calendar(pace.day)
        self._known = DocumentCache(parse_lifecycle)
        self._hurried = False
        self._pause: Deferred[None] | None = None
        self._changes = 0

    def job(self) -> Job:
        """The rounds, as a job."""
        return Job(NAME, self._pace.between, self.run, self.hurry)

    def hurry(self) -> None:
        """End a round that is under way soon; the next one goes on there."""
        self._hurried = True
        if self._pause is not None:
            self._pause.cancel()

    async def run(self) -> None:
        """Go through all buckets that are left of a round that was broken off, or through all.

        When others share the store, one round in an interval is enough for all.
        """
        self._hurried, self._changes = False, 0
        position = await load_position(self._notes)
        if not position.bucket and 0 <= self._clock.seconds() - position.completed < self._pace.between / 2:
            return
        for bucket in await self._store.list_buckets():
            if bucket.name >= position.bucket:
                start = position.start if bucket.name == position.bucket else ""
                await self._go_through(bucket.name, start, position.completed)
                if self._hurried:
                    return
        await save_position(self._notes, Position(completed=self._clock.seconds()))
        if self._changes:
            self._log.info("lifecycle rules changed or removed {count} versions and uploads", count=self._changes)

    async def _go_through(self, name: str, start: str, completed: float) -> None:
        """Apply the rules of a bucket. What goes wrong with one must not keep the others from theirs."""
        try:
            found = await self._rules(name)
            if found is None:
                return
            await save_position(self._notes, Position(name, start, completed))
            await self._abort_uploads(*found)
            at: str | None = start
            while at is not None and not self._hurried:
                found = await self._rules(name)
                if found is None:
                    return
                at = await self._page(*found, at)
                if at is not None and not self._hurried:
                    await save_position(self._notes, Position(name, at, completed))
        except Exception as error:
            if not isinstance(error, S3Error) or error.code != "NoSuchBucket":
                self._log.failure("the lifecycle of {bucket} could not go on", bucket=name)

    async def _rules(self, name: str) -> tuple[Bucket, Lifecycle] | None:
        """A bucket with its rules, None when it has none that count."""
        bucket = await self._store.get_bucket(name)
        lifecycle = lifecycle_of(bucket, self._known)
        return None if lifecycle is None or not lifecycle.enabled else (bucket, lifecycle)

    async def _page(self, bucket: Bucket, lifecycle: Lifecycle, start: str) -> str | None:
        """Look at a page and do what there is to do. Gives the key to go on with; None at the end."""
        begun = self._clock.seconds()
        look = Look(lifecycle, bool(bucket.versioning), begun, self._calendar, self._pace.examined)
        page: Page = await self._store.list_versions(bucket.name, partial(look.page, start=start))
        # No more than half of the time goes into looking.
        await self._rest(self._clock.seconds() - begun)
        changed = 0
        for first in range(0, len(page.tasks), _AT_A_TIME):
            batch = page.tasks[first : first + _AT_A_TIME]
            if self._hurried or await self._rules(bucket.name) != (bucket, lifecycle):
                # What is left of the page is looked at again, by other rules if they are others now.
                return start
            changed += await self._do(bucket, lifecycle, batch)
            await self._rest(len(batch) / self._pace.rate if self._pace.rate else 0.0)
        if page.unfinished and page.next is not None and not changed:
            return start_after_key(page.next)
        return page.next

    async def _do(self, bucket: Bucket, lifecycle: Lifecycle, batch: Sequence[Task]) -> int:
        """Do some tasks at once. Gives how many were done."""

        async def one(task: Task) -> int:
            try:
                await self._applier.apply(bucket, lifecycle, task)
            except S3Error as error:
                if error.code not in _OUTDATED:
                    key = task.place.version.key
                    self._log.failure("a lifecycle rule failed for {key!r} in {bucket}", key=key, bucket=bucket.name)
                return 0
            return 1

        done = sum(await gatherResults([Deferred.fromCoroutine(one(task)) for task in batch]))
        self._changes += done
        return done

    async def _abort_uploads(self, bucket: Bucket, lifecycle: Lifecycle) -> None:
        if all(rule.abort_days is None for rule in lifecycle.enabled):
            return
        now = self._clock.seconds()

        def is_due(upload: Upload) -> bool:
            end = abortion(lifecycle, upload, self._calendar)
            return end is not None and end[0] <= now

        async for upload in unfinished(self._store, bucket.name, is_due):
            if self._hurried:
                return
            with suppress(S3Error):
                await self._store.abort_upload(bucket.name, upload.key, upload.id)
                self._changes += 1
            await self._rest(1 / self._pace.rate if self._pace.rate else 0.0)

    async def _rest(self, seconds: float) -> None:
        if seconds > 0 and not self._hurried:
            self._pause = deferLater(self._clock, seconds)
            with suppress(CancelledError):
                await self._pause
            self._pause = None
