"""Completing uploads, on the reactor's side: in turns, and copying while others have theirs."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

from twisted_s3.interfaces import Choice, Condition, Witness
from twisted_s3.model import ObjectLock, ObjectVersion
from twisted_s3.storage.filesystem.completion import Completion, Copying, Filling
from twisted_s3.storage.filesystem.layout import BucketLayout
from twisted_s3.storage.filesystem.locks import turn_of_key, turn_of_upload
from twisted_s3.storage.filesystem.pool import DiskPool
from twisted_s3.storage.filesystem.turns import Turns

T = TypeVar("T")


def going_on(work: Coroutine[Any, Any, T]) -> Deferred[T]:
    """What ``work`` comes to. It goes on when nobody waits for it any more: cancelling this only ends the waiting."""
    made: Deferred[T] = Deferred()
    Deferred.fromCoroutine(work).addCallbacks(made.callback, made.errback)
    return made


class Completer:
    """Runs a completion in the pool, which must go on to its end: a lock is kept from one job to the next."""

    def __init__(self, pool: DiskPool, turns: Turns, completion: Completion, bucket: BucketLayout) -> None:
        self._pool = pool
        self._turns = turns
        self._completion = completion
        self._bucket = bucket

    async def complete(
        self,
        key: str,
        upload_id: str,
        choose: Choice,
        condition: Condition,
        witness: Witness,
        default_lock: ObjectLock,
    ) -> ObjectVersion:
        """Make the object. :raise S3Error: as :meth:`Completion.complete`."""
        completion, bucket, run = self._completion, self._bucket, self._pool.run
        of_upload, of_key = turn_of_upload(upload_id), turn_of_key(bucket.name, key)
        about = condition, witness
        # The turn of the upload comes first, as its lock does, and that of the key is not kept while parts are copied.
        async with self._turns.taken(of_upload):
            async with self._turns.taken(of_key):
                made = await run(completion.complete, bucket, key, upload_id, choose, *about, default_lock)
            if isinstance(made, Filling):
                await run(completion.fill, bucket, made)
                async with self._turns.taken(of_key):
                    return await run(completion.move, bucket, made, *about)
        if isinstance(made, Copying):
            copy = await run(completion.copy, bucket, made)
            async with self._turns.taken(of_upload), self._turns.taken(of_key):
                return await run(completion.publish, bucket, made, copy, *about)
        return made
