"""What is read from the head of a request: each takes one as text, and raises nothing but :class:`S3Error`."""

from __future__ import annotations

import re
from functools import partial

from msgspec import structs

from tests.protocol import signing
from twisted_s3.errors import S3Error
from twisted_s3.model import COMPOSITE, ByteRange, Encryption, ObjectVersion, Part, Properties
from twisted_s3.operations.dispatch import find_operation
from twisted_s3.operations.table import BUCKET, OBJECT, SERVICE
from twisted_s3.protocol import bucketlogging, conditions, dates, listing, multipart, objectlock, ranges, tagging
from twisted_s3.protocol.access import acl
from twisted_s3.protocol.access.ownership import check_mode
from twisted_s3.protocol.attributes import attributes_document, wanted_attributes
from twisted_s3.protocol.authentication import Authenticator
from twisted_s3.protocol.copysource import parse_copy_source, parse_rename_source
from twisted_s3.protocol.encryption import headers as encryption
from twisted_s3.protocol.head import RequestHead
from twisted_s3.protocol.names import bucket_of_host, check_bucket_name, check_key, decode_key
from twisted_s3.protocol.payload import payload_for
from twisted_s3.protocol.properties import headers_of, properties_of
from twisted_s3.protocol.versionlisting import check_version_marker
from twisted_s3.storage.versionids import check_version_id

NOW = 1_400_000_000.0
SIZE = 1000
VERSION = ObjectVersion("key", SIZE, "0" * 32, NOW, Properties())
PARTS = tuple(Part(number, 9, "0" * 32, {"CRC32": "AAAAAA=="}, NOW) for number in (1, 2, 3))
_IN_PARTS = structs.replace(VERSION, checksums={"CRC32": "AAAAAA==-3"}, checksum_type=COMPOSITE, parts=PARTS)
_AUTHENTICATOR = Authenticator(signing.REGION)


_TOKEN = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


def head_of(data: bytes) -> RequestHead:
    """A head out of lines: method and target, then headers. ``twisted.web`` lets none in whose name is no token."""
    first, *lines = data.split(b"\n")
    method, _, target = first.partition(b" ")
    path, _, query = target.partition(b"?")
    headers: dict[str, list[str]] = {}
    for line in lines:
        name, _, value = line.partition(b":")
        if _TOKEN.fullmatch(name) is None:
            continue
        headers.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1").strip(" \t"))
    return RequestHead(method.decode("latin-1"), path, query, headers)


def text_of(data: bytes) -> str:
    """Text as it comes out of a header."""
    return data.decode("latin-1")


def decoded(data: bytes) -> str:
    """Text as it comes out of a query or a path."""
    return data.decode("utf-8", "replace")


def attempt(*steps: partial[object]) -> None:
    """Take steps that do not depend on each other; a refusal ends only the one."""
    for step in steps:
        try:
            step()
        except S3Error:
            continue


def request_target(data: bytes) -> None:
    """Path and query: bucket, key, operation."""
    head = head_of(data)
    attempt(
        partial(decode_key, head.path),
        partial(check_bucket_name, text_of(head.path)),
        partial(bucket_of_host, text_of(head.path), ("s3.example.com", "s3.example.com:9000")),
        *(partial(find_operation, level, head) for level in (SERVICE, BUCKET, OBJECT)),
    )


def signature(data: bytes) -> None:
    """Credentials of both versions, in header and query."""
    head = head_of(data)
    attempt(
        partial(_verified, head),
        partial(payload_for, head, None),
    )


def _verified(head: RequestHead) -> None:
    claim = _AUTHENTICATOR.claim(head)
    if claim is not None:
        user = signing.USER
        verified = _AUTHENTICATOR.verify(claim, head, user, NOW, "bucket")
        payload_for(head, verified)


def byte_range(data: bytes) -> None:
    """``Range`` and ``x-amz-copy-source-range``."""
    text = text_of(data)
    for parse in (ranges.parse_range, ranges.parse_copy_source_range):
        try:
            found = parse(text, SIZE)
        except S3Error:
            continue
        assert found is None or (isinstance(found, ByteRange) and 0 <= found.start < found.stop <= SIZE), found


def conditional(data: bytes) -> None:
    """``If-*`` headers of reads, writes, deletions, copies and renamings."""
    head = head_of(data)

    def held(condition: object) -> None:
        assert callable(condition)
        attempt(partial(condition, None), partial(condition, VERSION))

    attempt(
        partial(conditions.check_read, head, VERSION, NOW),
        partial(conditions.check_copy_source, head, VERSION, NOW),
        partial(conditions.range_applies, head, VERSION),
        partial(lambda: held(conditions.write_condition(head))),
        partial(lambda: held(conditions.delete_condition(head))),
        partial(lambda: [held(one) for one in conditions.rename_conditions(head, NOW)]),
    )


def date(data: bytes) -> None:
    """Dates in headers, and in the compact form of signatures."""
    text = text_of(data)
    for parse in (dates.parse_http_date, dates.parse_iso8601_basic):
        seconds = parse(text)
        if seconds is not None:
            dates.format_http_date(seconds)
            dates.format_iso8601(seconds)


def copy_source(data: bytes) -> None:
    """``x-amz-copy-source`` and ``x-amz-rename-source``."""
    text = text_of(data)
    attempt(partial(parse_copy_source, text), partial(parse_rename_source, text, "bucket"))


def object_headers(data: bytes) -> None:
    """Metadata, tags, ACLs, checksums: what a write says of its object."""
    head = head_of(data)

    def shown() -> None:
        for name, value in headers_of(properties_of(head)):
            name.encode("ascii")
            value.encode("latin-1")

    def resolve(kind: str, text: str) -> str:
        return text or "x"

    attempt(
        partial(shown),
        partial(tagging.tags_of, head),
        partial(acl.grants_of, head, "owner", "owner", resolve),
        partial(multipart.declared_checksum, head),
        partial(lambda: attributes_document(head, _IN_PARTS, wanted_attributes(head))),
        partial(check_mode, head.header("x-amz-object-ownership") or ""),
        partial(multipart.check_part_algorithm, head, "CRC32"),
        *(
            partial(multipart.check_object_claims, head, PARTS, "CRC32", kind, "AAAAAA==-3")
            for kind in (COMPOSITE, "FULL_OBJECT")
        ),
        partial(payload_for, head, None),
    )


def query_values(data: bytes) -> None:
    """Parameters of listings, part numbers, version ids."""
    text = decoded(data)
    attempt(
        partial(listing.decode_token, text),
        partial(listing.objects_start, text, text),
        partial(listing.start_after_marker, text, text[:1], text[-1:]),
        partial(listing.page_size, "max-keys", text),
        partial(listing.wants_url_encoding, text),
        partial(listing.successor, text),
        partial(check_version_marker, text, text),
        partial(check_version_id, text),
        partial(multipart.part_number, text),
        partial(check_key, text),
    )


def encryption_headers(data: bytes) -> None:
    """``x-amz-server-side-encryption*``: customers' keys, also of a copy's source, and the server's."""
    head = head_of(data)

    def customer(prefix: str) -> None:
        key = encryption.customer_key_of(head, prefix)
        if key is not None:
            encryption.check_key_length(key)
            for name, value in key.headers:
                name.encode("ascii")
                value.encode("ascii")

    def server() -> None:
        wanted = encryption.wanted_of(head)
        made = Encryption(wanted.kind, name=encryption.key_name(wanted.key), context=wanted.context)
        for name, value in encryption.encryption_headers(made, written=True):
            name.encode("ascii")
            value.encode("latin-1")

    attempt(
        partial(customer, encryption.PREFIX),
        partial(customer, encryption.SOURCE_PREFIX),
        partial(server),
        partial(encryption.refuse_on_read, head),
    )


def lock_headers(data: bytes) -> None:
    """``x-amz-object-lock-*``: a lock that is taken can be told, and is then the same."""
    lock = objectlock.lock_of(head_of(data), NOW)
    told = {
        name: [value] for name, value in (*objectlock.retention_headers(lock), *objectlock.legal_hold_headers(lock))
    }
    assert objectlock.lock_of(RequestHead("PUT", b"/", b"", told), NOW) == lock, (lock, told)


def log_line(data: bytes) -> None:
    """The line of a request in the log of a bucket: one line of ASCII, whatever the request was."""
    text, head = decoded(data), head_of(data)
    agent, target = head.header("user-agent") or "", text_of(head.path)
    line = bucketlogging.log_line(
        bucketlogging.Request(
            bucket_owner=text,
            bucket=text,
            time=NOW,
            remote="::1",
            requester=text,
            request_id=text,
            operation="REST.PUT.OBJECT",
            key=text,
            target=target,
            status=None,
            error=text,
            sent=0,
            size=None,
            milliseconds=0.5,
            referer=text_of(data),
            user_agent=agent,
            version_id=text,
            host_id=text,
            signature="SigV4",
            authentication="AuthHeader",
            host=text_of(data),
        )
    )
    assert line.isascii() and line.endswith(b"\n") and line.count(b"\n") == 1, line
    assert line[:-1].decode().isprintable(), line
