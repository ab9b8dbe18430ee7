"""Doing one thing that a lifecycle says, unless its reason has gone meanwhile.

What was found is held against what is there once more, under the key's lock and in the step that changes it: whoever
wrote, tagged or locked the key since then wins.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from msgspec import Struct, structs

from twisted_s3.errors import S3Error
from twisted_s3.interfaces import Condition, IObjectStore, Witness, unwitnessed
from twisted_s3.lifecycle.scanning import Task
from twisted_s3.model import Bucket, ObjectVersion
from twisted_s3.operations.notifying import Describe, changing, removing
from twisted_s3.protocol.events import EXPIRATION_DELETE, EXPIRATION_MARKER, TRANSITION
from twisted_s3.protocol.lifecycle.evaluation import Kind
from twisted_s3.protocol.lifecycle.rules import Lifecycle, Rule
from twisted_s3.protocol.objectlock import deletion_guard

#: Told of what was done: the event, the bucket, the key, the version that was changed, and the id of one that was
#: removed or made.
Told = Callable[[str, Bucket, str, ObjectVersion | None, str | None], Awaitable[None]]


async def untold(event: str, bucket: Bucket, key: str, version: ObjectVersion | None, version_id: str | None) -> None:
    """Tell nobody."""


#: Gives who is told of a commit in a bucket before it is made, so that nothing is done of which nobody will hear.
Witnessed = Callable[[Bucket, Describe], Witness]


def without_witness(bucket: Bucket, describe: Describe) -> Witness:
    """Nobody is told."""
    return unwitnessed


class Applier(Struct, frozen=True):
    """Applies rules to the objects of a store.

    :ivar now: gives the time of day.
    """

    store: IObjectStore
    now: Callable[[], float]
    told: Told = untold
    witnessed: Witnessed = without_witness

    async def apply(self, bucket: Bucket, lifecycle: Lifecycle, task: Task) -> None:
        """Do a task.

        :raise S3Error: ``PreconditionFailed``, ``NoSuchKey`` or ``NoSuchVersion`` when its reason has gone,
            ``AccessDenied`` while the version is locked.
        """
        rule = next(rule for rule in lifecycle.rules if rule.id == task.action.rule)
        same = _still(task, rule)
        if task.action.kind is Kind.MOVE:
            await self._move(bucket, task, same)
        elif task.action.kind is Kind.REMOVE:
            await self._remove(bucket, task, same)
        else:
            await self._expire(bucket, task, same)

    async def _expire(self, bucket: Bucket, task: Task, same: Condition) -> None:
        """Delete what is current, as the state of the bucket has it."""
        key = task.place.version.key
        deletion = await self.store.delete_object(
            bucket.name,
            key,
            same,
            guard=deletion_guard(self.now()),
            owner=bucket.owner,
            witness=self._removal(bucket, key),
        )
        event = EXPIRATION_MARKER if deletion.delete_marker else EXPIRATION_DELETE
        await self.told(event, bucket, key, None, deletion.version_id)

    async def _remove(self, bucket: Bucket, task: Task, same: Condition) -> None:
        """Remove a version for good, unless it is current, or newer among the others than it was."""
        version, place = task.place.version, task.place

        def order(ids: Sequence[str]) -> None:
            fits = ids == [version.version_id] if place.latest else version.version_id in ids[1 + task.action.newer :]
            if not fits:
                raise S3Error("PreconditionFailed")

        deletion = await self.store.delete_object(
            bucket.name,
            version.key,
            same,
            version.version_id,
            deletion_guard(self.now()),
            witness=self._removal(bucket, version.key, version_named=True),
            order=order,
        )
        if deletion:
            await self.told(EXPIRATION_DELETE, bucket, version.key, None, version.version_id)

    async def _move(self, bucket: Bucket, task: Task, same: Condition) -> None:
        version = task.place.version

        def change(current: ObjectVersion) -> ObjectVersion:
            same(current)
            properties = structs.replace(current.properties, storage_class=task.action.storage_class)
            return structs.replace(current, properties=properties)

        witness = self.witnessed(bucket, changing(TRANSITION))
        changed = await self.store.change_object(bucket.name, version.key, change, version.version_id, witness=witness)
        await self.told(TRANSITION, bucket, version.key, changed, None)

    def _removal(self, bucket: Bucket, key: str, version_named: bool = False) -> Witness:
        return self.witnessed(bucket, removing(key, version_named, EXPIRATION_DELETE, EXPIRATION_MARKER))


def _still(task: Task, rule: Rule) -> Condition:
    """Asks whether a version is the one that was seen, and the rule still about it."""
    seen = task.place.version

    def same(current: ObjectVersion | None) -> None:
        if current is None or _identity(current) != _identity(seen) or not rule.filter.admits(current):
            raise S3Error("PreconditionFailed")

    return same


def _identity(version: ObjectVersion) -> tuple[str, str, int, float, str]:
    storage_class = version.properties.storage_class
    return version.version_id, version.etag, version.size, version.last_modified, storage_class
