"""Conditional requests: what must hold before an object is read, copied, written or deleted.

RFC 9110, section 13, and
https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html

Times are compared in whole seconds. A date that can not be read is ignored, as the RFC says. ``If-Match`` compares
strongly (``W/"..."`` never matches), ``If-None-Match`` weakly; quotes around an entity tag may be left out.
"""

from __future__ import annotations

import re

from twisted_s3.errors import S3Error
from twisted_s3.interfaces import Condition, always
from twisted_s3.model import ObjectVersion, Upload, mark_of
from twisted_s3.protocol.dates import format_http_date, parse_http_date, whole_seconds
from twisted_s3.protocol.head import RequestHead

_ETAG = re.compile(r'(W/)?(?:"([^"]*)"|([^\s,"]+))')
_COPY_PREFIX = "x-amz-copy-source-"
_RENAME_PREFIX = "x-amz-rename-source-"


def check_read(head: RequestHead, current: ObjectVersion, now: float) -> None:
    """Hold the conditions of a GET or HEAD against the version that it asks for.

    ``If-Match`` goes before ``If-Unmodified-Since``, and ``If-None-Match`` before ``If-Modified-Since``.

    :param now: the present time; an ``If-Modified-Since`` that lies in the future is ignored.
    :raise S3Error: ``PreconditionFailed``, or ``NotModified`` with the headers that a 304 must carry.
    """
    failed, unmodified = _read_conditions(head, current, now, "")
    if failed:
        raise _failed(failed)
    if unmodified:
        headers = {"ETag": f'"{current.etag}"', "Last-Modified": format_http_date(current.last_modified)}
        raise S3Error("NotModified", headers=headers)


def check_copy_source(head: RequestHead, source: ObjectVersion, now: float) -> None:
    """Hold the ``x-amz-copy-source-if-*`` conditions of a copy against its source.

    :raise S3Error: ``PreconditionFailed``.
    """
    failed, unmodified = _read_conditions(head, source, now, _COPY_PREFIX)
    if failed or unmodified:
        raise _failed(_COPY_PREFIX + (failed or unmodified))


def range_applies(head: RequestHead, current: ObjectVersion) -> bool:
    """Whether ``If-Range`` lets the ``Range`` header count; if not, the whole object is the answer."""
    value = head.header("if-range")
    if value is None:
        return True
    date = parse_http_date(value)
    if date is not None:
        return date == whole_seconds(current.last_modified)
    return _matches(value, current.etag, strong=True) and value != "*"


def write_condition(head: RequestHead) -> Condition:
    """The condition of PutObject, CompleteMultipartUpload and CopyObject (its destination).

    The condition raises ``PreconditionFailed``, and ``NoSuchKey`` for ``If-Match`` on a missing key.

    :raise S3Error: ``NotImplemented`` for what S3 does not offer on writes: both headers at once, ``If-Match: *``,
        ``If-None-Match`` with an ETag, and dates.
    """
    for name in ("If-Modified-Since", "If-Unmodified-Since"):
        if head.header(name.lower()) is not None:
            raise _not_offered(name)
    match, none_match = head.header("if-match"), head.header("if-none-match")
    if match is not None and none_match is not None:
        raise _not_offered("If-Match,If-None-Match", "Multiple conditional request headers present in the request")
    if none_match is not None:
        if none_match != "*":
            raise _not_offered("If-None-Match")
        return _must_be_missing
    if match is None:
        return always
    if match == "*":
        raise _not_offered("If-Match")
    return _must_match(match)


def unless_conflicting(condition: Condition, head: RequestHead, upload: Upload) -> Condition:
    """The condition of CompleteMultipartUpload, which nothing that happened to the key since the upload began may meet.

    Of a key that had no object and has none again it is not known whether it had one in between.
    "Conditional write behavior" in
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html#conditional-error-response

    :param condition: of `write_condition`.
    :return: what raises ``ConditionalRequestConflict`` where the condition holds, but not for what was there then.
    """
    name = next((name for name in ("If-Match", "If-None-Match") if name.lower() in head.headers), None)
    if name is None or upload.before is None:
        return condition

    def check(current: ObjectVersion | None) -> None:
        condition(current)
        if mark_of(current) != upload.before:
            raise S3Error("ConditionalRequestConflict", elements={"Condition": name, "Key": upload.key})

    return check


def rename_conditions(head: RequestHead, now: float) -> tuple[Condition, Condition]:
    """The conditions of RenameObject: on its source (``x-amz-rename-source-if-*``), and on its destination.

    Both raise ``PreconditionFailed``; a destination that must match or be modified must be there.

    :raise S3Error: ``NotImplemented`` for ``If-None-Match`` with an ETag.
    """
    absent = head.header("if-none-match")
    if absent not in (None, "*"):
        raise _not_offered("If-None-Match")

    def source_condition(current: ObjectVersion | None) -> None:
        if current is not None:
            failed, unmodified = _read_conditions(head, current, now, _RENAME_PREFIX)
            if failed or unmodified:
                raise _failed(_RENAME_PREFIX + (failed or unmodified))

    def condition(current: ObjectVersion | None) -> None:
        if current is not None:
            failed, unmodified = _read_conditions(head, current, now, "")
            if failed or unmodified:
                raise _failed(failed or unmodified)
            return
        for name in ("If-Match", "If-Modified-Since"):
            if head.header(name.lower()) is not None:
                raise _failed(name)

    names = ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since")
    return (
        source_condition if any(_RENAME_PREFIX + name in head.headers for name in names) else always,
        condition if any(name in head.headers for name in names) else always,
    )


def delete_condition(head: RequestHead) -> Condition:
    """The condition of DeleteObject, as its headers ask. It raises as :func:`deletion_condition` says.

    :raise S3Error: ``InvalidArgument`` for a size or time that can not be read; ``NotImplemented`` for a condition
        that S3 does not offer on deletions.
    """
    for name in ("If-None-Match", "If-Modified-Since", "If-Unmodified-Since"):
        if head.header(name.lower()) is not None:
            raise _not_offered(name)
    size = time = None
    text = head.header("x-amz-if-match-size")
    if text is not None:
        if not (text.isascii() and text.isdigit() and len(text) < 20):
            raise _unreadable("x-amz-if-match-size", text)
        size = int(text)
    text = head.header("x-amz-if-match-last-modified-time")
    if text is not None:
        time = parse_http_date(text)
        if time is None:
            raise _unreadable("x-amz-if-match-last-modified-time", text)
    return deletion_condition(head.header("if-match"), size, time)


def deletion_condition(etag: str | None, size: int | None = None, last_modified: float | None = None) -> Condition:
    """The condition of a deletion, by header or by an entry of DeleteObjects.

    It raises ``PreconditionFailed`` for a mismatch, and ``NoSuchKey`` for an ETag or ``*`` on a missing key. Size and
    time alone let the deletion of a missing key pass.

    :param etag: an ETag, ``*`` for any, or None.
    """
    if etag is None and size is None and last_modified is None:
        return always

    def condition(current: ObjectVersion | None) -> None:
        if etag is not None:
            _must_match(etag)(current)
        if current is None:
            return
        if size is not None and current.size != size:
            raise _failed("x-amz-if-match-size")
        if last_modified is not None and whole_seconds(current.last_modified) != last_modified:
            raise _failed("x-amz-if-match-last-modified-time")

    return condition


def _read_conditions(head: RequestHead, current: ObjectVersion, now: float, prefix: str) -> tuple[str, str]:
    """The name of the condition that failed, and of the one that found the object unmodified; "" for neither."""
    modified = whole_seconds(current.last_modified)
    match = head.header(f"{prefix}if-match")
    if match is not None:
        if not _matches(match, current.etag, strong=True):
            return "If-Match", ""
    else:
        since = _date(head, f"{prefix}if-unmodified-since")
        if since is not None and modified > since:
            return "If-Unmodified-Since", ""
    none_match = head.header(f"{prefix}if-none-match")
    if none_match is not None:
        if _matches(none_match, current.etag, strong=False):
            return "", "If-None-Match"
    else:
        since = _date(head, f"{prefix}if-modified-since")
        if since is not None and modified <= since <= now:
            return "", "If-Modified-Since"
    return "", ""


def _date(head: RequestHead, name: str) -> float | None:
    text = head.header(name)
    return None if text is None else parse_http_date(text)


def _matches(value: str, etag: str, strong: bool) -> bool:
    if value.strip() == "*":
        return True
    return any((quoted or bare) == etag and not (weak and strong) for weak, quoted, bare in _ETAG.findall(value))


def _must_be_missing(current: ObjectVersion | None) -> None:
    if current is not None:
        raise _failed("If-None-Match")


def _must_match(etag: str) -> Condition:
    def condition(current: ObjectVersion | None) -> None:
        if current is None:
            raise S3Error("NoSuchKey")
        if not _matches(etag, current.etag, strong=True):
            raise _failed("If-Match")

    return condition


def _failed(condition: str) -> S3Error:
    return S3Error("PreconditionFailed", elements={"Condition": condition})


def _not_offered(header: str, why: str | None = None) -> S3Error:
    why = why or f"We don't accept the provided value of {header} header for this API"
    return S3Error("NotImplemented", elements={"Header": header, "additionalMessage": why})


def _unreadable(name: str, value: str) -> S3Error:
    return S3Error("InvalidArgument", elements={"ArgumentName": name, "ArgumentValue": value})
