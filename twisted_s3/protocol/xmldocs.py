"""The XML documents that S3 answers with, as bytes. Element names and order are those of AWS.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html

XML 1.0 can not hold most control characters. Like AWS we send them as numeric references (``&#x1;``) all the same,
which strict parsers refuse: clients that have such keys ask for ``encoding-type=url``. Tab, line feed and carriage
return are sent as references too, so that no parser changes them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct

from twisted_s3.errors import S3Error
from twisted_s3.model import Bucket, ListedVersion, ObjectVersion, Part, Upload
from twisted_s3.protocol.dates import format_iso8601, whole_seconds
from twisted_s3.protocol.listing import BucketsPage, Page, PartsPage, UploadsPage
from twisted_s3.protocol.names import encode_key
from twisted_s3.protocol.versionlisting import VersionsPage

#: The namespace of all documents but errors.
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"

#: How every document begins. It may be sent ahead, with white space behind it, while a long operation runs.
PROLOG = b'<?xml version="1.0" encoding="UTF-8"?>\n'

_SPECIAL = re.compile(r'[&<>"\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]')
_NAMED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}


class Owner(Struct, frozen=True):
    """Whom a document names as owner or initiator; the display name is left out where it is "".

    :ivar id: the canonical id.
    """

    id: str
    display_name: str = ""


#: Gives the owner to show for a canonical id.
Owners = Callable[[str], Owner]


class Deleted(Struct, frozen=True):
    """A key that DeleteObjects removed (or that was not there).

    :ivar version_id: the version that the client named.
    :ivar marker_id: the delete marker that was made, or removed.
    """

    key: str
    version_id: str | None = None
    marker_id: str | None = None


class DeleteFailure(Struct, frozen=True):
    """A key that DeleteObjects did not remove, and why."""

    key: str
    error: S3Error
    version_id: str | None = None


def escape(text: str) -> str:
    """Make text safe inside an element or an attribute."""
    return _SPECIAL.sub(_reference, text)


def element(name: str, text: str | int) -> str:
    """Write an element that holds text."""
    return f"<{name}>{_SPECIAL.sub(_reference, str(text))}</{name}>"


def optional(name: str, text: str | None) -> str:
    """Write an element, or nothing when there is no text."""
    return element(name, text) if text else ""


def document(root: str, *content: str) -> bytes:
    """Write a document in the namespace of S3 around elements that are written already."""
    return PROLOG + f'<{root} xmlns="{NAMESPACE}">{"".join(content)}</{root}>'.encode()


def error_document(error: S3Error, resource: str, request_id: str, host_id: str) -> bytes:
    """Write ``Error``, which alone has no namespace.

    :param resource: the path of the bucket or object, as the client sent it.
    """
    content = [element("Code", error.code), element("Message", error.message)]
    content += [element(name, text) for name, text in error.elements.items()]
    content += [element("Resource", resource), element("RequestId", request_id), element("HostId", host_id)]
    return PROLOG + f"<Error>{''.join(content)}</Error>".encode()


def list_buckets_result(page: BucketsPage, owner: Owner, prefix: str = "") -> bytes:
    """Write the answer of ListBuckets."""
    return document(
        "ListAllMyBucketsResult",
        _person("Owner", owner),
        f"<Buckets>{''.join(map(_bucket, page.buckets))}</Buckets>",
        optional("Prefix", prefix),
        optional("ContinuationToken", page.continuation_token),
    )


def location_constraint(region: str) -> bytes:
    """Write the answer of GetBucketLocation, which is empty for us-east-1."""
    return document("LocationConstraint", "" if region == "us-east-1" else escape(region))


def list_objects_result(
    bucket: str,
    page: Page,
    objects: Sequence[ObjectVersion],
    owners: Owners,
    *,
    prefix: str = "",
    delimiter: str = "",
    marker: str = "",
    max_keys: int = 1000,
    url: bool = False,
) -> bytes:
    """Write the answer of ListObjects (V1). ``NextMarker`` is there only with a delimiter, as AWS has it.

    :param objects: the metadata of ``page.keys``, without those that have vanished since.
    :param url: whether names are sent in URL encoding.
    """
    name = _namer(url)
    return document(
        "ListBucketResult",
        element("Name", bucket),
        name("Prefix", prefix),
        name("Marker", marker),
        name("NextMarker", page.last) if page.is_truncated and delimiter else "",
        element("MaxKeys", max_keys),
        name("Delimiter", delimiter) if delimiter else "",
        _encoding(url),
        _truncated(page.is_truncated),
        *_contents(objects, name, owners),
        *_common_prefixes(page.common_prefixes, name),
    )


def list_objects_v2_result(
    bucket: str,
    page: Page,
    objects: Sequence[ObjectVersion],
    owners: Owners | None = None,
    *,
    prefix: str = "",
    delimiter: str = "",
    start_after: str = "",
    continuation_token: str | None = None,
    next_token: str | None = None,
    max_keys: int = 1000,
    url: bool = False,
) -> bytes:
    """Write the answer of ListObjectsV2.

    :param objects: the metadata of ``page.keys``, without those that have vanished since.
    :param owners: None unless the client asked for ``fetch-owner``.
    :param continuation_token: the token of the request, echoed, as is ``start_after``, which counts only without it.
    :param next_token: the token of the next page.
    :param url: whether names are sent in URL encoding.
    """
    name = _namer(url)
    return document(
        "ListBucketResult",
        element("Name", bucket),
        name("Prefix", prefix),
        optional("ContinuationToken", continuation_token),
        optional("NextContinuationToken", next_token),
        name("StartAfter", start_after) if start_after else "",
        element("KeyCount", len(objects) + len(page.common_prefixes)),
        element("MaxKeys", max_keys),
        name("Delimiter", delimiter) if delimiter else "",
        _encoding(url),
        _truncated(page.is_truncated),
        *_contents(objects, name, owners),
        *_common_prefixes(page.common_prefixes, name),
    )


def list_versions_result(
    bucket: str,
    page: VersionsPage,
    owners: Owners,
    *,
    prefix: str = "",
    delimiter: str = "",
    key_marker: str = "",
    version_id_marker: str = "",
    max_keys: int = 1000,
    url: bool = False,
) -> bytes:
    """Write the answer of ListObjectVersions."""
    name = _namer(url)
    facts = _Facts(owners)
    return document(
        "ListVersionsResult",
        element("Name", bucket),
        name("Prefix", prefix),
        name("KeyMarker", key_marker),
        element("VersionIdMarker", version_id_marker),
        name("NextKeyMarker", page.next_key_marker) if page.is_truncated else "",
        optional("NextVersionIdMarker", page.next_version_id_marker) if page.is_truncated else "",
        element("MaxKeys", max_keys),
        name("Delimiter", delimiter) if delimiter else "",
        _encoding(url),
        _truncated(page.is_truncated),
        *(_version(listed, name, facts) for listed in page.versions),
        *_common_prefixes(page.common_prefixes, name),
    )


def copy_object_result(version: ObjectVersion) -> bytes:
    """Write the answer of CopyObject."""
    return document(
        "CopyObjectResult",
        _modified(version.last_modified, version.etag),
        element("ChecksumType", version.checksum_type) if version.checksums else "",
        _checksums(version.checksums),
    )


def copy_part_result(part: Part) -> bytes:
    """Write the answer of UploadPartCopy."""
    return document("CopyPartResult", _modified(part.last_modified, part.etag), _checksums(part.checksums))


def initiate_multipart_upload_result(bucket: str, upload: Upload) -> bytes:
    """Write the answer of CreateMultipartUpload."""
    return document(
        "InitiateMultipartUploadResult",
        element("Bucket", bucket),
        element("Key", upload.key),
        element("UploadId", upload.id),
    )


def complete_multipart_upload_result(location: str, bucket: str, version: ObjectVersion) -> bytes:
    """Write the answer of CompleteMultipartUpload.

    :param location: the URL of the new object.
    """
    return document(
        "CompleteMultipartUploadResult",
        element("Location", location),
        element("Bucket", bucket),
        element("Key", version.key),
        _etag(version.etag),
        _checksums(version.checksums),
        element("ChecksumType", version.checksum_type) if version.checksums else "",
    )


def list_parts_result(
    bucket: str, upload: Upload, page: PartsPage, owner: Owner, *, marker: int = 0, max_parts: int = 1000
) -> bytes:
    """Write the answer of ListParts. The owner is the initiator too."""
    return document(
        "ListPartsResult",
        element("Bucket", bucket),
        element("Key", upload.key),
        element("UploadId", upload.id),
        _person("Initiator", owner),
        _person("Owner", owner),
        element("StorageClass", upload.properties.storage_class),
        element("PartNumberMarker", marker),
        element("NextPartNumberMarker", page.next_marker),
        element("MaxParts", max_parts),
        _truncated(page.is_truncated),
        optional("ChecksumAlgorithm", upload.checksum_algorithm),
        optional("ChecksumType", upload.checksum_type),
        *(
            f"<Part><PartNumber>{part.number}</PartNumber>{_modified(part.last_modified, part.etag)}"
            f"<Size>{part.size}</Size>{_checksums(part.checksums)}</Part>"
            for part in page.parts
        ),
    )


def list_multipart_uploads_result(
    bucket: str,
    page: UploadsPage,
    owners: Owners,
    *,
    prefix: str = "",
    delimiter: str = "",
    key_marker: str = "",
    upload_id_marker: str = "",
    max_uploads: int = 1000,
    url: bool = False,
) -> bytes:
    """Write the answer of ListMultipartUploads."""
    name = _namer(url)
    return document(
        "ListMultipartUploadsResult",
        element("Bucket", bucket),
        name("KeyMarker", key_marker),
        element("UploadIdMarker", upload_id_marker),
        name("NextKeyMarker", page.next_key_marker),
        element("NextUploadIdMarker", page.next_upload_id_marker),
        name("Delimiter", delimiter) if delimiter else "",
        name("Prefix", prefix),
        element("MaxUploads", max_uploads),
        _encoding(url),
        _truncated(page.is_truncated),
        *(_upload(upload, name, owners(upload.owner)) for upload in page.uploads),
        *_common_prefixes(page.common_prefixes, name),
    )


def delete_result(deleted: Iterable[Deleted], failures: Iterable[DeleteFailure]) -> bytes:
    """Write the answer of DeleteObjects. For ``Quiet`` pass nothing as ``deleted``."""
    return document(
        "DeleteResult",
        *(
            f"<Deleted>{element('Key', entry.key)}{optional('VersionId', entry.version_id)}"
            f"{'<DeleteMarker>true</DeleteMarker>' if entry.marker_id else ''}"
            f"{optional('DeleteMarkerVersionId', entry.marker_id)}</Deleted>"
            for entry in deleted
        ),
        *(
            f"<Error>{element('Key', failure.key)}{optional('VersionId', failure.version_id)}"
            f"{element('Code', failure.error.code)}{element('Message', failure.error.message)}</Error>"
            for failure in failures
        ),
    )


def _reference(match: re.Match[str]) -> str:
    character = match[0]
    return _NAMED.get(character) or f"&#x{ord(character):X};"


def _namer(url: bool) -> Callable[[str, str], str]:
    """What writes an element that holds a key, prefix, marker or delimiter."""
    if url:
        # Nothing that needs escaping is left after URL encoding.
        return lambda name, text: f"<{name}>{encode_key(text)}</{name}>"
    return element


def _encoding(url: bool) -> str:
    return "<EncodingType>url</EncodingType>" if url else ""


def _truncated(truncated: bool) -> str:
    return f"<IsTruncated>{'true' if truncated else 'false'}</IsTruncated>"


def _etag(etag: str) -> str:
    return f"<ETag>&quot;{_SPECIAL.sub(_reference, etag)}&quot;</ETag>"


def _modified(time: float, etag: str) -> str:
    return f"<LastModified>{format_iso8601(time)}</LastModified>{_etag(etag)}"


def _checksums(checksums: Mapping[str, str]) -> str:
    return "".join(element(f"Checksum{algorithm}", value) for algorithm, value in checksums.items())


def _person(role: str, owner: Owner) -> str:
    return f"<{role}>{element('ID', owner.id)}{optional('DisplayName', owner.display_name)}</{role}>"


def _people(owners: Owners | None) -> Callable[[str], str]:
    """What writes the ``Owner`` of an object, each one once; nothing without ``owners``."""
    written: dict[str, str] = {}

    def write(id: str) -> str:
        if owners is None:
            return ""
        if id not in written:
            written[id] = _person("Owner", owners(id))
        return written[id]

    return write


class _Facts:
    """Writes what a listing tells of each object, and what many have in common only once."""

    def __init__(self, owners: Owners | None) -> None:
        self.person = _people(owners)
        self._times: dict[int, str] = {}
        self._checksums: dict[tuple[str, ...], str] = {}

    def modified(self, time: float) -> str:
        """When it was written."""
        second = whole_seconds(time)
        found = self._times.get(second)
        if found is None:
            found = self._times[second] = f"<LastModified>{format_iso8601(second)}</LastModified>"
        return found

    def __call__(self, version: ObjectVersion) -> str:
        """All but its name."""
        checksums = self._algorithms(version) if version.checksums else ""
        etag, storage_class = version.etag, version.properties.storage_class
        return (
            f"{self.modified(version.last_modified)}"
            f"<ETag>&quot;{etag if etag.isalnum() else _SPECIAL.sub(_reference, etag)}&quot;</ETag>{checksums}"
            f"<Size>{version.size}</Size>{self.person(version.owner)}"
            f"<StorageClass>{storage_class if storage_class.isalnum() else escape(storage_class)}</StorageClass>"
        )

    def _algorithms(self, version: ObjectVersion) -> str:
        kinds = (version.checksum_type, *version.checksums)
        found = self._checksums.get(kinds)
        if found is None:
            names = "".join(f"<ChecksumAlgorithm>{name}</ChecksumAlgorithm>" for name in version.checksums)
            found = self._checksums[kinds] = f"{names}<ChecksumType>{version.checksum_type}</ChecksumType>"
        return found


def _version(listed: ListedVersion, name: Callable[[str, str], str], facts: _Facts) -> str:
    version = listed.version
    named = (
        f"{name('Key', version.key)}{element('VersionId', version.version_id)}"
        f"<IsLatest>{'true' if listed.is_latest else 'false'}</IsLatest>"
    )
    if version.delete_marker:
        told = facts.modified(version.last_modified) + facts.person(version.owner)
        return f"<DeleteMarker>{named}{told}</DeleteMarker>"
    return f"<Version>{named}{facts(version)}</Version>"


def _contents(
    objects: Iterable[ObjectVersion], name: Callable[[str, str], str], owners: Owners | None
) -> Iterable[str]:
    facts = _Facts(owners)
    return [f"<Contents>{name('Key', item.key)}{facts(item)}</Contents>" for item in objects]


def _common_prefixes(prefixes: Iterable[str], name: Callable[[str, str], str]) -> Iterable[str]:
    return (f"<CommonPrefixes>{name('Prefix', prefix)}</CommonPrefixes>" for prefix in prefixes)


def _bucket(bucket: Bucket) -> str:
    return (
        f"<Bucket>{element('Name', bucket.name)}<CreationDate>{format_iso8601(bucket.created)}</CreationDate>"
        f"{optional('BucketRegion', bucket.region)}</Bucket>"
    )


def _upload(upload: Upload, name: Callable[[str, str], str], owner: Owner) -> str:
    return (
        f"<Upload>{name('Key', upload.key)}{element('UploadId', upload.id)}"
        f"{_person('Initiator', owner)}{_person('Owner', owner)}"
        f"{element('StorageClass', upload.properties.storage_class)}"
        f"<Initiated>{format_iso8601(upload.initiated)}</Initiated>"
        f"{optional('ChecksumAlgorithm', upload.checksum_algorithm)}"
        f"{optional('ChecksumType', upload.checksum_type)}</Upload>"
    )
