"""The blocks against public access.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutPublicAccessBlock.html
"""

from __future__ import annotations

from msgspec import Struct, structs

from twisted_s3.protocol.xmldocs import document, element
from twisted_s3.protocol.xmlreading import boolean_of, parse_document, texts_of


class PublicAccessBlock(Struct, frozen=True):
    """What of public access a bucket refuses.

    :ivar block_acls: to set ACLs that let the public in.
    :ivar ignore_acls: to let the public in by ACLs that are there.
    :ivar block_policy: to set a policy that lets the public in.
    :ivar restrict: to let anybody but the owner in by a policy that is public.
    """

    block_acls: bool = False
    ignore_acls: bool = False
    block_policy: bool = False
    restrict: bool = False


NOTHING_BLOCKED = PublicAccessBlock()
ALL_BLOCKED = PublicAccessBlock(True, True, True, True)

#: The elements of the document, in the order of the attributes.
_ELEMENTS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


def parse_public_access_block(body: bytes) -> PublicAccessBlock:
    """Read ``PublicAccessBlockConfiguration``; what it leaves out is not blocked. :raise S3Error: ``MalformedXML``."""
    texts = texts_of(parse_document(body, "PublicAccessBlockConfiguration"), _ELEMENTS)
    return PublicAccessBlock(*(boolean_of(texts.get(name, "false")) for name in _ELEMENTS))


def public_access_block_document(block: PublicAccessBlock) -> bytes:
    """Write ``PublicAccessBlockConfiguration``."""
    values = structs.astuple(block)
    content = (element(name, "true" if value else "false") for name, value in zip(_ELEMENTS, values, strict=True))
    return document("PublicAccessBlockConfiguration", *content)
