"""What holds for buckets that say nothing themselves."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from twisted_s3.model import Bucket
from twisted_s3.protocol.access.ownership import ENFORCED, MODES, WRITER, ownership_document, parse_ownership
from twisted_s3.protocol.access.publicblock import (
    ALL_BLOCKED,
    NOTHING_BLOCKED,
    PublicAccessBlock,
    parse_public_access_block,
    public_access_block_document,
)

#: The names of the configuration documents.
OWNERSHIP, BLOCK = "ownershipControls", "publicAccessBlock"

_MODES = {ownership_document(mode): mode for mode in MODES}
_BLOCKS = {public_access_block_document(block): block for block in (ALL_BLOCKED, NOTHING_BLOCKED)}


class BucketDefaults(Struct, frozen=True):
    """The ownership and the public access block of new buckets, and of folders that a person made, and whether objects
    are encrypted.

    A bucket from which either was removed is as on AWS: objects are their writers', and nothing is blocked.

    :ivar encrypted: whether ``AES256`` is what holds for all buckets that do not say how objects are encrypted, at any
        time. It is no document of theirs.
    """

    ownership: str = ENFORCED
    block: PublicAccessBlock = ALL_BLOCKED
    encrypted: bool = False

    def documents(self) -> Mapping[str, bytes]:
        """As configuration documents. Where they are as without one there is none, as on AWS before these defaults."""
        return {
            OWNERSHIP: b"" if self.ownership == WRITER else ownership_document(self.ownership),
            BLOCK: b"" if self.block == NOTHING_BLOCKED else public_access_block_document(self.block),
        }

    def ownership_of(self, bucket: Bucket) -> str:
        """The mode of ownership that is in force."""
        document = bucket.configurations.get(OWNERSHIP)
        if document is None:
            return self.ownership
        if not document:
            return WRITER
        return _MODES.get(document) or parse_ownership(document)

    def block_of(self, bucket: Bucket) -> PublicAccessBlock:
        """The public access block that is in force."""
        document = bucket.configurations.get(BLOCK)
        if document is None:
            return self.block
        if not document:
            return NOTHING_BLOCKED
        return _BLOCKS.get(document) or parse_public_access_block(document)
