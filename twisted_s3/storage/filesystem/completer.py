"""Completing uploads, and ending them, on the reactor's side: in turns, and copying while others have theirs."""

from __future__ import annotations

from twisted_s3.interfaces import Choice, Condition, Witness
from twisted_s3.model import ObjectLock, ObjectVersion
from twisted_s3.storage.filesystem.completion import Completion, Copying
from twisted_s3.storage.filesystem.layout import BucketLayout
from twisted_s3.storage.filesystem.locks import turn_of_key, turn_of_upload
from twisted_s3.storage.filesystem.pool import DiskPool
from twisted_s3.storage.filesystem.turns import Turns


class Completer:
    """Runs a completion in the pool."""

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
        turns = turn_of_upload(upload_id), turn_of_key(self._bucket.name, key)
        async with self._turns.taken(*turns):
            about = choose, condition, witness, default_lock
            made = await self._pool.run(self._completion.complete, self._bucket, key, upload_id, *about)
        if isinstance(made, Copying):
            return await self._copy(made, condition, witness, turns)
        return made

    async def _copy(
        self, copying: Copying, condition: Condition, witness: Witness, turns: tuple[str, str]
    ) -> ObjectVersion:
        completion = self._completion
        copy = await self._pool.run(completion.copy, self._bucket, copying, undo=completion.drop)
        begun = False
        try:
            async with self._turns.taken(*turns):
                begun = True
                return await self._pool.run(completion.publish, self._bucket, copying, copy, condition, witness)
        finally:
            if not begun:
                await self._pool.run(completion.drop, copy)
