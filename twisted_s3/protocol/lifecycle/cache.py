"""Lifecycle configurations that were read, kept."""

from __future__ import annotations

from twisted_s3.protocol.lifecycle.documents import parse_lifecycle
from twisted_s3.protocol.lifecycle.rules import Lifecycle


class LifecycleCache:
    """Keeps the configurations that were asked for last. The text is the key, so that none can be out of date.

    :param size: how many.
    """

    def __init__(self, size: int = 256) -> None:
        self._size = size
        self._known: dict[tuple[bytes, str], Lifecycle] = {}

    def get(self, text: bytes, minimum: str) -> Lifecycle:
        """The configuration with this document and this minimum size.

        :raise S3Error: as :func:`parse_lifecycle`.
        """
        found = self._known.pop((text, minimum), None)
        if found is None:
            found = parse_lifecycle(text, minimum)
            if len(self._known) >= self._size:
                del self._known[next(iter(self._known))]
        self._known[text, minimum] = found
        return found
