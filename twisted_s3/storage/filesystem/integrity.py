"""What looks after the data directory as a whole. Everything here may block, and may be used beside running servers."""

from __future__ import annotations

from msgspec import Struct

from twisted_s3.storage.filesystem.fsck import Fsck
from twisted_s3.storage.filesystem.quarantine import Quarantine
from twisted_s3.storage.filesystem.scrub import Scrub


class Integrity(Struct, frozen=True):
    """The tools.

    :ivar scrub: holds what is stored against its checksums.
    :ivar quarantine: takes what is damaged away.
    :ivar fsck: looks for what crashes and people leave behind.
    """

    scrub: Scrub
    quarantine: Quarantine
    fsck: Fsck
