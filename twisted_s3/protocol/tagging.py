"""Tags of objects and buckets: their limits, the header that carries them, the document that shows them.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from unicodedata import category

from twisted_s3.errors import S3Error
from twisted_s3.protocol.head import RequestHead, split_query
from twisted_s3.protocol.xmldocs import document, element

#: How many tags an object may have, and how many characters a tag's key and value.
MAX_TAGS = 10
MAX_TAG_KEY = 128
MAX_TAG_VALUE = 256

#: The header of a write that gives the object its tags.
HEADER = "x-amz-tagging"

_MARKS = frozenset("_.:/=+-@")
_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def checked_tags(tags: Iterable[tuple[str, str]], limit: int = MAX_TAGS) -> Mapping[str, str]:
    """Tags whose number, keys and values are within S3's limits.

    :param limit: how many there may be.
    :raise S3Error: ``InvalidTag``, ``BadRequest``.
    """
    checked: dict[str, str] = {}
    for key, value in tags:
        if not (0 < len(key) <= MAX_TAG_KEY and _is_allowed(key)):
            raise S3Error("InvalidTag", "The TagKey you have provided is invalid", {"TagKey": key})
        if key.startswith("aws:"):
            raise S3Error("InvalidTag", "Your TagKey cannot be prefixed with aws:", {"TagKey": key})
        if not (len(value) <= MAX_TAG_VALUE and _is_allowed(value)):
            raise S3Error("InvalidTag", "The TagValue you have provided is invalid", {"TagKey": key, "TagValue": value})
        if key in checked:
            raise S3Error("InvalidTag", "Cannot provide multiple Tags with the same key", {"TagKey": key})
        checked[key] = value
    if len(checked) > limit:
        raise S3Error("BadRequest", f"Object tags cannot be greater than {limit}")
    return checked


def _is_allowed(text: str) -> bool:
    """Whether there are only letters, digits and spaces of any script, and a few marks."""
    return all(character in _MARKS or category(character)[0] in "LNZ" for character in text)


def tags_of(head: RequestHead) -> Mapping[str, str]:
    """The tags that the header ``x-amz-tagging`` gives an object, written as a URL query.

    :raise S3Error: ``InvalidArgument`` for what is no such query, also for a key that is there twice;
        ``InvalidTag``, ``BadRequest``.
    """
    value = head.header(HEADER)
    if not value:
        return {}
    raw = value.encode("latin-1")
    try:
        pairs = () if _BROKEN_ESCAPE.search(raw) else split_query(raw)
    except S3Error:
        pairs = ()
    names = {name for name, _ in pairs}
    if not pairs or "" in names or len(names) < len(pairs):
        raise S3Error(
            "InvalidArgument",
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters "
            "without tag name duplicates.",
            {"ArgumentName": HEADER, "ArgumentValue": value},
        )
    return checked_tags(pairs)


def tagging_document(tags: Mapping[str, str]) -> bytes:
    """Write the answer of GetObjectTagging and GetBucketTagging, ordered by key."""
    written = (f"<Tag>{element('Key', key)}{element('Value', value)}</Tag>" for key, value in sorted(tags.items()))
    return document("Tagging", f"<TagSet>{''.join(written)}</TagSet>")
