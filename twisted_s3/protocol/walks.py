"""What the page algebra goes through: the keys and the versions of a bucket, in order, from anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from twisted_s3.model import ListedVersion

#: ``walk(start)`` yields every key >= ``start`` of a bucket, in the order of their UTF-8 bytes.
KeyWalk = Callable[[str], Iterator[str]]


class VersionWalk(Protocol):
    """The versions and delete markers of a bucket, in order."""

    def keys(self, start: str) -> Iterator[str]:
        """Every key >= ``start`` that has any, in the order of their UTF-8 bytes."""

    def versions(self, key: str, behind: str | None = None) -> Iterator[ListedVersion]:
        """Those of one key, newest first; with ``behind`` those that are older than the one with this version id.

        :raise S3Error: ``InvalidArgument`` for what can be no version id.
        """
