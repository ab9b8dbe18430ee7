"""Object ownership: to whom new objects belong, and whether ACLs count.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketOwnershipControls.html
"""

from __future__ import annotations

from twisted_s3.errors import S3Error
from twisted_s3.protocol.xmldocs import document, element
from twisted_s3.protocol.xmlreading import children_of, members_of, name_of, parse_document, text_of

#: The bucket's owner owns every object, and there are no ACLs.
ENFORCED = "BucketOwnerEnforced"
#: The bucket's owner owns what is written with the ACL ``bucket-owner-full-control``, its writer everything else.
PREFERRED = "BucketOwnerPreferred"
#: Who writes an object owns it.
WRITER = "ObjectWriter"

MODES = (ENFORCED, PREFERRED, WRITER)


def parse_ownership(body: bytes) -> str:
    """Read ``OwnershipControls``, which has one rule. :raise S3Error: ``MalformedXML``."""
    rules = children_of(parse_document(body, "OwnershipControls"))
    if len(rules) != 1 or name_of(rules[0]) != "Rule":
        raise S3Error("MalformedXML")
    mode = members_of(rules[0], {"ObjectOwnership"}).get("ObjectOwnership")
    text = "" if mode is None else text_of(mode).strip()
    if text not in MODES:
        raise S3Error("MalformedXML")
    return text


def ownership_document(mode: str) -> bytes:
    """Write ``OwnershipControls``."""
    return document("OwnershipControls", f"<Rule>{element('ObjectOwnership', mode)}</Rule>")


def check_mode(mode: str) -> str:
    """The value of the header ``x-amz-object-ownership``. :raise S3Error: ``InvalidArgument``."""
    if mode not in MODES:
        raise S3Error(
            "InvalidArgument",
            f"Invalid x-amz-object-ownership header: {mode}",
            {"ArgumentName": "x-amz-object-ownership", "ArgumentValue": mode},
        )
    return mode
