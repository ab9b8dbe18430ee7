"""The job, and the events of what it did."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime

from twisted_s3.interfaces import INotes, IObjectStore, Witness
from twisted_s3.lifecycle.applying import Told, Witnessed, untold
from twisted_s3.lifecycle.job import LifecycleRounds, Pace
from twisted_s3.model import Bucket, ObjectVersion
from twisted_s3.operations.announcing import Announcer, Origin
from twisted_s3.operations.notifying import Describe, Notifier, Source
from twisted_s3.periodic import Job

#: Who does what the rules say, as AWS names it in its events.
REQUESTER = "s3.amazonaws.com"


def lifecycle_job(store: IObjectStore, clock: IReactorTime, pace: Pace, announcer: Announcer | None) -> Job:
    """The job for a store, which keeps notes of it if it can, and for who hears of events, if anybody does."""
    told = untold if announcer is None else telling(announcer)
    notes = store if INotes.providedBy(store) else None
    return LifecycleRounds(store, clock, pace, told, notes).job()


def witnessing(notifier: Notifier) -> Witnessed:
    """What queues the events that buckets ask for."""

    def witnessed(bucket: Bucket, describe: Describe) -> Witness:
        return notifier.witness(Source(bucket, bucket.owner, REQUESTER, Origin()), describe)

    return witnessed


def telling(announcer: Announcer) -> Told:
    """What tells an announcer."""

    async def told(event: str, bucket: Bucket, key: str, version: ObjectVersion | None, version_id: str | None) -> None:
        await announcer.announce(event, bucket.name, bucket.owner, key, version, REQUESTER, Origin(), version_id)

    return told
