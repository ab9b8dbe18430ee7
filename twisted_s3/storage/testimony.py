"""What a store tells a witness about one commit."""

from __future__ import annotations

from twisted_s3.interfaces import Pending, Witness
from twisted_s3.model import Deletion, ObjectVersion


class Testimony:
    """One commit, as its witness hears of it. It begins with the key locked, and ends before that is unlocked.

    A commit that fails half-way is neither committed nor withdrawn: who keeps the testimony has to look.
    """

    def __init__(self, witness: Witness) -> None:
        self._witness = witness
        self._pending: Pending | None = None

    def begin(self, change: ObjectVersion | Deletion) -> None:
        """Say what is about to be committed; an attempt that was begun before has come to nothing."""
        self.withdraw()
        self._pending = self._witness(change)

    def withdraw(self) -> None:
        """Say that what was begun, if anything was, is certain not to have been committed."""
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.withdrawn()

    def committed(self) -> None:
        """Say that it has been committed."""
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.committed()
