"""The periodic jobs that deliver events: one for each target, done by one process at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted_s3.delivery.configured import TargetSettings
from twisted_s3.delivery.deliverer import Deliverer, Patience
from twisted_s3.periodic import Job
from twisted_s3.queueing import IEventFeed

#: Seconds until a process looks again whether another still delivers.
_LOOK_SECONDS = 1.0


def delivery_jobs(targets: Sequence[TargetSettings], feed: IEventFeed, reactor: Any) -> Sequence[Job]:
    """The jobs for some targets; each runs as long as it may."""
    names = [target.name for target in targets]
    jobs = []
    for settings in targets:
        patience = Patience(give_up=settings.give_up)
        deliverer = Deliverer(settings.name, settings.make(reactor), feed, reactor, names, patience)
        jobs.append(Job(f"deliver-{settings.name}", _LOOK_SECONDS, deliverer.run, deliverer.hurry))
    return jobs
