"""What answers say of the end that a lifecycle has in store.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html (``x-amz-expiration``)
https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html (``x-amz-abort-date``)
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from twisted_s3.model import ObjectVersion, Upload
from twisted_s3.protocol.dates import format_http_date
from twisted_s3.protocol.lifecycle.evaluation import Calendar, abortion, expiry
from twisted_s3.protocol.lifecycle.rules import Lifecycle

#: Printable ASCII but ``"`` and ``%``. AWS calls the id URL-encoded, and yet shows spaces as they are.
_PLAIN = "".join(character for character in map(chr, range(0x20, 0x7F)) if character not in '"%')

#: Answers count days as people have them.
_CALENDAR = Calendar()


def expiration_headers(lifecycle: Lifecycle, version: ObjectVersion) -> Sequence[tuple[str, str]]:
    """When a current version expires, if it does."""
    found = expiry(lifecycle, version, _CALENDAR)
    if found is None:
        return []
    return [("x-amz-expiration", f'expiry-date="{format_http_date(found[0])}", rule-id="{_shown(found[1])}"')]


def abort_headers(lifecycle: Lifecycle, upload: Upload) -> Sequence[tuple[str, str]]:
    """When an upload is dropped, if it is."""
    found = abortion(lifecycle, upload, _CALENDAR)
    if found is None:
        return []
    return [("x-amz-abort-date", format_http_date(found[0])), ("x-amz-abort-rule-id", _shown(found[1]))]


def _shown(rule: str) -> str:
    return quote(rule, safe=_PLAIN)
