"""Uploads that nobody finished, found a few at a time, however many there are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from functools import partial
from itertools import islice

from twisted_s3.interfaces import IObjectStore
from twisted_s3.model import Upload

#: How many are in memory at a time.
AT_A_TIME = 1000


async def unfinished(store: IObjectStore, bucket: str, doomed: Callable[[Upload], bool]) -> AsyncIterator[Upload]:
    """The uploads of a bucket of which ``doomed`` is true, in no order that means anything.

    Those that begin or end meanwhile may be among them, or not.

    :param doomed: may be called in any thread.
    :raise S3Error: ``NoSuchBucket``.
    """
    after = ""
    while True:
        found = await store.page_uploads(bucket, partial(_first, doomed), after)
        for upload in found:
            yield upload
        if len(found) < AT_A_TIME:
            return
        after = found[-1].id


def _first(doomed: Callable[[Upload], bool], uploads: Iterable[Upload]) -> Sequence[Upload]:
    return list(islice(filter(doomed, uploads), AT_A_TIME))
