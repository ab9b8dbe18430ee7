"""What the tests of notifications share: a store on disk with events, targets that take notes, and a receiver."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from zope.interface import implementer

from tests.serving import REGION, Server, ServingTestCase
from twisted_s3.delivery.deliverer import Deliverer, Patience
from twisted_s3.operations.notifying import Notifier
from twisted_s3.queueing import BEGINNING, ITarget, Line, Refused
from twisted_s3.storage.filesystem.store import FilesystemStore

BUCKET = "bucket"

#: So short that tests need not wait.
QUICK = Patience(poll=0.01, first=0.01, longest=0.05, give_up=30.0, settle=0.05, grace=0.5)


@implementer(ITarget)
class Notes:
    """A target that keeps what it gets, and can be told to fail.

    :ivar answer: called with the message before it is kept; what it raises is the answer.
    """

    def __init__(self, concurrency: int = 8) -> None:
        self.concurrency = concurrency
        self.got: list[tuple[str, Mapping[str, Any]]] = []
        self.tried: list[str] = []
        self.answer: Callable[[Mapping[str, Any]], Deferred[None] | None] = lambda message: None
        self.closed = 0

    async def deliver(self, id: str, body: bytes) -> None:
        """See `ITarget`."""
        message = json.loads(body)
        self.tried.append(id)
        waited = self.answer(message)
        if waited is not None:
            await waited
        self.got.append((id, message))

    async def close(self) -> None:
        """See `ITarget`."""
        self.closed += 1

    def events(self) -> list[tuple[str, str]]:
        """Names and keys of what came, in order."""
        return [
            (record["eventName"], record["s3"]["object"]["key"])
            for _, message in self.got
            for record in message.get("Records", ())
        ]


def refuse(message: Mapping[str, Any]) -> None:
    """An answer: this will never be taken."""
    raise Refused("never")


def fail(message: Mapping[str, Any]) -> None:
    """An answer: not now."""
    raise OSError("not now")


async def until(condition: Callable[[], bool]) -> None:
    """Let the reactor run until something is so. The time limit is the test's."""
    while not condition():
        await deferLater(reactor, 0.005)


def queue_rule(name: str = "notes", events: Iterable[str] = ("s3:*",), **filters: str) -> dict[str, Any]:
    """A rule as boto3 takes it."""
    rule: dict[str, Any] = {"QueueArn": f"arn:aws:sqs:{REGION}:1:{name}", "Events": list(events)}
    if filters:
        rules = [{"Name": name, "Value": value} for name, value in filters.items()]
        rule["Filter"] = {"Key": {"FilterRules": rules}}
    return rule


EVERYTHING = ("s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:ObjectTagging:*", "s3:ObjectAcl:Put")


class NotifyingTestCase(ServingTestCase):
    """Tests of a server whose store queues events, and of those that deliver them."""

    grace = 0.1
    targets: tuple[str, ...] = ("notes", "others")

    def make_store(self) -> FilesystemStore:
        """A store in a directory of its own."""
        self.root = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.root)
        return FilesystemStore(self.root, reactor, durable=False, threads=4)

    async def start_notifying(self, **changes: Any) -> Server:
        """Start a server with targets."""
        store = changes.pop("store", None) or self.make_store()
        self.store = store
        notifier = Notifier(store.events, self.targets, reactor, REGION)
        return await self.start_server(store=store, notifier=notifier, **changes)

    def deliver(self, target: ITarget, name: str = "notes", patience: Patience = QUICK) -> Deliverer:
        """Begin to deliver to a target, until the test ends."""
        deliverer = Deliverer(name, target, self.store.events, reactor, self.targets, patience)
        running = Deferred.fromCoroutine(deliverer.run())

        def end() -> Deferred[None]:
            deliverer.hurry()
            return running

        self.addCleanup(end)
        return deliverer

    async def lines(self) -> list[Line]:
        """All that is in the queue."""
        found: list[Line] = []
        at = BEGINNING
        while True:
            stretch = await self.store.events.read(at)
            if stretch.behind == at:
                return found
            found += stretch.lines
            at = stretch.behind


def configure(client: Any, *rules: dict[str, Any]) -> None:
    """Give the bucket a configuration."""
    client.put_bucket_notification_configuration(
        Bucket=BUCKET, NotificationConfiguration={"QueueConfigurations": list(rules)}
    )
