"""The page algebra of every List operation, as pure functions.

Where a listing goes on is always a *start*: the least string that the next page may show. Keys, markers and tokens
are turned into starts (:func:`start_after_key`, :func:`start_after_marker`, :func:`decode_token`), so that there is one
rule for all. Strings compare by code point, which is the order of their UTF-8 bytes.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
"""

from __future__ import annotations

import binascii
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from zlib import crc32

from msgspec import Struct

from twisted_s3.errors import S3Error
from twisted_s3.model import Bucket, Part, Upload
from twisted_s3.protocol.walks import KeyWalk

_LARGEST = 2**31 - 1
_INTEGER = re.compile(r"-?[0-9]{1,10}")

#: Where an upload, or a group, is in the order of a listing.
_Rank = tuple[str, float, str]


class Page(Struct, frozen=True):
    """One page of keys.

    :ivar keys: the keys that stand alone, in order.
    :ivar common_prefixes: the groups, in order.
    :ivar is_truncated: whether there is more.
    :ivar last: the last key or common prefix of the page, which is V1's ``NextMarker``; "" for an empty page.
    :ivar next_start: where the next page begins; None when there is none.
    """

    keys: tuple[str, ...] = ()
    common_prefixes: tuple[str, ...] = ()
    is_truncated: bool = False
    last: str = ""
    next_start: str | None = None


class UploadsPage(Struct, frozen=True):
    """One page of multipart uploads. ``next_key_marker`` and ``next_upload_id_marker`` name its last entry."""

    uploads: tuple[Upload, ...] = ()
    common_prefixes: tuple[str, ...] = ()
    is_truncated: bool = False
    next_key_marker: str = ""
    next_upload_id_marker: str = ""


class PartsPage(Struct, frozen=True):
    """One page of parts. ``next_marker`` is the number of its last part, 0 for an empty page."""

    parts: tuple[Part, ...] = ()
    is_truncated: bool = False
    next_marker: int = 0


class BucketsPage(Struct, frozen=True):
    """One page of buckets. ``continuation_token`` asks for the next; None when there is none."""

    buckets: tuple[Bucket, ...] = ()
    continuation_token: str | None = None


def successor(prefix: str) -> str | None:
    """The least string above every string that begins with ``prefix``; None when there is none."""
    for end in range(len(prefix), 0, -1):
        point = ord(prefix[end - 1])
        if point < 0x10FFFF:
            # Surrogates are no characters: UTF-8 goes from U+D7FF to U+E000.
            return prefix[: end - 1] + chr(0xE000 if point == 0xD7FF else point + 1)
    return None


def start_after_key(key: str) -> str:
    """The start behind one key: V2's ``start-after``. A group that the key lies in is still shown."""
    return key + "\0" if key else ""


def start_after_marker(marker: str, prefix: str, delimiter: str) -> str | None:
    """The start behind a marker of V1, ListObjectVersions and ListMultipartUploads; None: nothing can follow.

    A marker that is a common prefix, or lies in one, is behind that whole group, as AWS has it.
    """
    group = common_prefix(marker, prefix, delimiter)
    return start_after_key(marker) if group is None else successor(group)


def common_prefix(key: str, prefix: str, delimiter: str) -> str | None:
    """The group that a key falls into: up to the first delimiter behind the prefix; None when it stands alone."""
    if not delimiter or not key.startswith(prefix):
        return None
    found = key.find(delimiter, len(prefix))
    return None if found < 0 else key[: found + len(delimiter)]


def list_page(walk: KeyWalk, prefix: str, delimiter: str, start: str | None, max_keys: int) -> Page:
    """Build the page of at most ``max_keys`` keys and common prefixes that begins at ``start`` ("" is the beginning).

    ``walk`` is called with ever greater starts, and only the newest iterator is used: a whole group is
    passed over by one new walk, so a walk may keep its place between calls.
    """
    keys: list[str] = []
    groups: list[str] = []
    last, next_start = "", start
    if start is not None and max_keys > 0:
        for entry, is_group, behind in _entries(walk, prefix, delimiter, max(start, prefix)):
            if len(keys) + len(groups) == max_keys:
                return Page(tuple(keys), tuple(groups), True, last, next_start)
            (groups if is_group else keys).append(entry)
            last, next_start = entry, behind
    return Page(tuple(keys), tuple(groups), False, last, None)


def _entries(walk: KeyWalk, prefix: str, delimiter: str, start: str) -> Iterator[tuple[str, bool, str | None]]:
    """Every entry of a listing, whether it is a group, and the start behind it."""
    at: str | None = start
    while at is not None:
        here, at = at, None
        for key in walk(here):
            if not key.startswith(prefix):
                return
            group = common_prefix(key, prefix, delimiter)
            if group is not None:
                at = successor(group)
                yield group, True, at
                break
            yield key, False, start_after_key(key)


def encode_token(start: str) -> str:
    """Make the opaque continuation token for a start. It needs no escaping in a query."""
    raw = start.encode()
    return urlsafe_b64encode(crc32(raw).to_bytes(4, "big") + raw).decode().rstrip("=")


def decode_token(token: str) -> str:
    """Give back the start of a continuation token.

    :raise S3Error: ``InvalidArgument`` for anything that :func:`encode_token` did not make, "" included.
    """
    try:
        raw = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        start = raw[4:].decode("utf-8")
    except (binascii.Error, ValueError):
        start = ""
    if not start or encode_token(start) != token:
        elements = {"ArgumentName": "continuation-token"}
        raise S3Error("InvalidArgument", "The continuation token provided is incorrect", elements)
    return start


def objects_start(continuation_token: str | None, start_after: str) -> str:
    """The start of a ListObjectsV2 page: the token's, and only without a token that of ``start-after``.

    :raise S3Error: as :func:`decode_token`.
    """
    return start_after_key(start_after) if continuation_token is None else decode_token(continuation_token)


def uploads_page(
    uploads: Iterable[Upload],
    prefix: str,
    delimiter: str,
    key_marker: str,
    upload_id_marker: str,
    max_uploads: int,
    begun: float | None = None,
) -> UploadsPage:
    """Cut a page out of a bucket's uploads: of the order of their key, then of their beginning, then of their id.

    They may come in any order, and no more of them are kept than the page takes, some times over. ``upload_id_marker``
    counts only with ``key_marker``. Where it names an upload that is gone (aborted since the last page), the key's
    remaining uploads are given again rather than lost.

    :param begun: when the upload of the marker was begun; None: it is gone.
    :raise S3Error: ``InvalidArgument`` when the upload of the marker has another key.
    """
    kept: dict[_Rank, Upload | None] = {}
    limit: _Rank | None = None
    for upload in _uploads_behind(uploads, prefix, delimiter, key_marker, upload_id_marker, begun):
        group = common_prefix(upload.key, prefix, delimiter)
        rank = (upload.key, upload.initiated, upload.id) if group is None else (group, 0.0, "")
        if limit is None or rank <= limit:
            kept[rank] = upload if group is None else None
        if len(kept) > 2 * max_uploads + 2:
            kept = dict(sorted(kept.items(), key=itemgetter(0))[: max_uploads + 1])
            limit = max(kept)
    ranks = sorted(kept)
    shown = [found for rank in ranks[:max_uploads] if (found := kept[rank]) is not None]
    groups = tuple(rank[0] for rank in ranks[:max_uploads] if kept[rank] is None)
    last = (ranks[:max_uploads] or [("", 0.0, "")])[-1]
    return UploadsPage(tuple(shown), groups, 0 < max_uploads < len(ranks), last[0], last[2])


def _uploads_behind(
    uploads: Iterable[Upload],
    prefix: str,
    delimiter: str,
    key_marker: str,
    upload_id_marker: str,
    begun: float | None,
) -> Iterator[Upload]:
    start = start_after_marker(key_marker, prefix, delimiter)
    within = key_marker and upload_id_marker and common_prefix(key_marker, prefix, delimiter) is None
    for upload in uploads:
        if within and upload.id == upload_id_marker and upload.key != key_marker:
            raise _argument("upload-id-marker", upload_id_marker, "Invalid uploadId marker")
        if not upload.key.startswith(prefix):
            continue
        if within and upload.key == key_marker:
            behind = begun is None or (upload.initiated, upload.id) > (begun, upload_id_marker)
        else:
            behind = start is not None and upload.key >= start
        if behind:
            yield upload


def parts_page(parts: Sequence[Part], marker: int, max_parts: int) -> PartsPage:
    """Cut a page out of an upload's parts (by number): those with a number above ``marker``."""
    behind = [part for part in parts if part.number > marker]
    page = tuple(behind[:max_parts])
    return PartsPage(page, max_parts > 0 and len(behind) > max_parts, page[-1].number if page else 0)


def buckets_page(
    buckets: Sequence[Bucket], prefix: str, continuation_token: str | None, max_buckets: int
) -> BucketsPage:
    """Cut a page out of the buckets (by name). An empty token is none, as AWS has it.

    :raise S3Error: as :func:`decode_token`.
    """
    start = decode_token(continuation_token) if continuation_token else ""
    behind = [bucket for bucket in buckets if bucket.name >= start and bucket.name.startswith(prefix)]
    page = tuple(behind[:max_buckets])
    more = page and len(behind) > len(page)
    return BucketsPage(page, encode_token(start_after_key(page[-1].name)) if more else None)


def page_size(name: str, value: str | None, default: int = 1000, least: int = 0) -> int:
    """Read ``max-keys``, ``max-uploads``, ``max-parts`` or ``max-buckets``, cut off at ``default``.

    An empty value is none, as AWS has it.

    :raise S3Error: ``InvalidArgument``.
    """
    if not value:
        return default
    if _INTEGER.fullmatch(value) is None or int(value) > _LARGEST:
        raise _argument(name, value, f"Provided {name} not an integer or within integer range")
    if int(value) < least:
        most = default if least else _LARGEST
        raise _argument(name, value, f"Argument {name} must be an integer between {least} and {most}")
    return min(int(value), default)


def wants_url_encoding(encoding_type: str | None) -> bool:
    """Read ``encoding-type``: whether names are to be sent encoded.

    :raise S3Error: ``InvalidArgument`` for anything but ``url``.
    """
    if encoding_type is not None and encoding_type != "url":
        raise _argument("encoding-type", encoding_type, "Invalid Encoding Method specified in Request")
    return encoding_type is not None


def _argument(name: str, value: str, message: str) -> S3Error:
    return S3Error("InvalidArgument", message, {"ArgumentName": name, "ArgumentValue": value})
