"""All that crashes and people leave behind in a data directory. May block; safe beside running servers."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from twisted_s3.storage.filesystem.buckets import Buckets
from twisted_s3.storage.filesystem.files import Files
from twisted_s3.storage.filesystem.layout import BucketLayout
from twisted_s3.storage.filesystem.leftovers import Leftover, Leftovers
from twisted_s3.storage.filesystem.orphans import Orphans

#: Seconds for which nobody keeps a side file without its object.
GRACE = 86400.0


class Fsck(Struct, frozen=True):
    """Looks for it, and removes it on request."""

    _files: Files
    _buckets: Buckets
    _leftovers: Leftovers
    _orphans: Orphans

    def find(self, repair: bool = False, grace: float = GRACE) -> Iterator[Leftover]:
        """Look for everything; with ``repair``, remove what can be.

        :param grace: age in seconds below which a side file is left alone.
        :raise OSError: when something can not be read.
        """
        for path in self._files.abandoned(repair):
            yield Leftover("staging", path, "a write that was broken off", removed=repair)
        for bucket in self._buckets.orphaned():
            yield Leftover("bucket", bucket.state, "the state of a bucket whose folder is gone", removed=repair)
        if repair:
            self._buckets.clean()
        for known in self._buckets.list():
            yield from self._leftovers.find(BucketLayout(known.name), repair)
        yield from self._orphans.find(repair, grace)
