"""What is done with each input of each operation: every header, query parameter and element that AWS has.

The names are those on the wire. An element of a document stands for all that is in it, unless that has an entry.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from msgspec import Struct

HONOURED = "honoured"
#: It means nothing here, as for most who send it to AWS.
IGNORED = "ignored as AWS does"
#: It means something on AWS.
UNHEEDED = "ignored, unlike AWS"
REFUSED = "refused"


class Treatment(Struct, frozen=True):
    """What is done with an input.

    :ivar what: one of the four above.
    :ivar note: what more there is to say, as reStructuredText.
    """

    what: str
    note: str = ""


def _table(rows: Iterable[tuple[Treatment, str, str]]) -> Mapping[tuple[str, str], Treatment]:
    table: dict[tuple[str, str], Treatment] = {}
    for treatment, operations, names in rows:
        for operation in operations.split():
            for name in names.split():
                assert (operation, name) not in table, (operation, name)
                table[operation, name] = treatment
    return MappingProxyType(table)


_HONOURED = Treatment(HONOURED)
_CREATES = "PutObject CopyObject CreateMultipartUpload"
_SSE = "x-amz-server-side-encryption"
_CUSTOMER_KEY = f"{_SSE}-customer-algorithm {_SSE}-customer-key {_SSE}-customer-key-MD5"
_EVENT_HOLDS = " ".join(f"x-amz-object-lock-event-hold{end}" for end in ("", "-duration-days", "-duration-years"))
_ALGORITHMS = "crc32 crc32c crc64nvme md5 sha1 sha256 sha512 xxhash128 xxhash3 xxhash64"
_CONDITIONS = "if-match if-none-match if-modified-since if-unmodified-since"

#: (operation, input) to what is done with it; "*" for every operation that has no entry of its own.
TREATMENTS = _table(
    [
        # Of all operations, or of most.
        (_HONOURED, "*", "x-amz-expected-bucket-owner x-amz-source-expected-bucket-owner"),
        (Treatment(IGNORED, "no bucket makes those who ask pay"), "*", "x-amz-request-payer"),
        (_HONOURED, "*", "Content-MD5 Content-Length x-amz-sdk-checksum-algorithm"),
        (_HONOURED, "*", " ".join(f"x-amz-checksum-{name}" for name in _ALGORITHMS.split())),
        (_HONOURED, "*", "x-amz-checksum-algorithm x-amz-checksum-type x-amz-checksum-mode"),
        (_HONOURED, "*", "versionId partNumber uploadId"),
        (_HONOURED, "*", "If-Match If-None-Match If-Modified-Since If-Unmodified-Since Range"),
        # What an object is given.
        (_HONOURED, "*", "Cache-Control Content-Disposition Content-Encoding Content-Language Content-Type Expires"),
        (_HONOURED, "*", "x-amz-meta- x-amz-tagging x-amz-website-redirect-location"),
        (Treatment(HONOURED, "kept as a label"), "*", "x-amz-storage-class"),
        (
            Treatment(HONOURED, "as the bucket's object ownership says"),
            "*",
            "x-amz-acl x-amz-grant-full-control x-amz-grant-read x-amz-grant-read-acp x-amz-grant-write "
            "x-amz-grant-write-acp",
        ),
        (_HONOURED, "*", "Body x-amz-bucket-object-lock-enabled x-amz-object-ownership"),
        (
            _HONOURED,
            "*",
            "x-amz-object-lock-legal-hold x-amz-object-lock-mode x-amz-object-lock-retain-until-date",
        ),
        (Treatment(REFUSED), _CREATES, _EVENT_HOLDS),
        # Encryption.
        (_HONOURED, "*", f"{_SSE} {_SSE}-aws-kms-key-id {_SSE}-context {_CUSTOMER_KEY}"),
        (_HONOURED, "*", " ".join(f"x-amz-copy-source-{name[6:]}" for name in _CUSTOMER_KEY.split())),
        (Treatment(HONOURED, "kept and told again; there are no bucket keys"), "*", f"{_SSE}-bucket-key-enabled"),
        (_HONOURED, "*", "ServerSideEncryptionConfiguration"),
        # Copies.
        (_HONOURED, "*", "x-amz-copy-source x-amz-copy-source-range x-amz-metadata-directive x-amz-tagging-directive"),
        (_HONOURED, "*", " ".join(f"x-amz-copy-source-{name}" for name in _CONDITIONS.split())),
        (Treatment(IGNORED, "no object has annotations"), "CopyObject", "x-amz-object-annotation-directive"),
        # Reads.
        (
            Treatment(HONOURED, "on signed requests"),
            "*",
            "response-cache-control response-content-disposition response-content-encoding "
            "response-content-language response-content-type response-expires",
        ),
        (_HONOURED, "*", "x-amz-object-attributes x-amz-max-parts x-amz-part-number-marker"),
        # Listings.
        (_HONOURED, "*", "prefix delimiter marker key-marker version-id-marker upload-id-marker part-number-marker"),
        (_HONOURED, "*", "start-after continuation-token max-keys max-parts max-uploads max-buckets"),
        (_HONOURED, "*", "encoding-type fetch-owner bucket-region"),
        (Treatment(IGNORED, "no object is being restored"), "*", "x-amz-optional-object-attributes"),
        # Parts.
        (_HONOURED, "*", "x-amz-mp-object-size CompleteMultipartUpload"),
        (
            Treatment(UNHEEDED, "AWS has it for directory buckets only"),
            "AbortMultipartUpload",
            "x-amz-if-match-initiated-time",
        ),
        (Treatment(REFUSED, "AWS has it for directory buckets only"), "PutObject", "x-amz-write-offset-bytes"),
        # Deletions.
        (
            Treatment(HONOURED, "AWS has it for directory buckets only"),
            "DeleteObject",
            "x-amz-if-match-last-modified-time x-amz-if-match-size",
        ),
        (_HONOURED, "*", "Delete x-amz-bypass-governance-retention"),
        (
            Treatment(HONOURED, "in a bucket without Object Lock, where AWS refuses it, there is nothing to bypass"),
            "DeleteObject DeleteObjects",
            "x-amz-bypass-governance-retention",
        ),
        (Treatment(IGNORED, "no bucket asks for MFA"), "*", "x-amz-mfa"),
        # Renames.
        (_HONOURED, "*", "x-amz-rename-source"),
        (_HONOURED, "*", " ".join(f"x-amz-rename-source-{name}" for name in _CONDITIONS.split())),
        (Treatment(HONOURED, "held against its form; not remembered"), "RenameObject", "x-amz-client-token"),
        # Buckets and their documents.
        (_HONOURED, "*", "CreateBucketConfiguration"),
        (
            Treatment(REFUSED),
            "CreateBucket",
            "CreateBucketConfiguration/Location CreateBucketConfiguration/Bucket CreateBucketConfiguration/Tags",
        ),
        (Treatment(UNHEEDED, "there is one namespace"), "CreateBucket", "x-amz-bucket-namespace"),
        (_HONOURED, "*", "Tagging OwnershipControls PublicAccessBlockConfiguration Policy AccessControlPolicy"),
        (_HONOURED, "*", "CORSConfiguration WebsiteConfiguration"),
        (Treatment(HONOURED, "only the bucket's owner can pay"), "*", "RequestPaymentConfiguration"),
        (Treatment(HONOURED, "it can not be turned on"), "*", "AccelerateConfiguration AbacStatus"),
        (Treatment(HONOURED, "there is none"), "*", "id"),
        (_HONOURED, "*", "VersioningConfiguration ObjectLockConfiguration Retention LegalHold"),
        (_HONOURED, "*", "BucketLoggingStatus"),
        (_HONOURED, "*", "NotificationConfiguration x-amz-skip-destination-validation"),
        (
            Treatment(REFUSED, "there are no rules of EventBridge here"),
            "PutBucketNotificationConfiguration",
            "NotificationConfiguration/EventBridgeConfiguration",
        ),
        (_HONOURED, "*", "LifecycleConfiguration x-amz-transition-default-minimum-object-size"),
        (
            Treatment(REFUSED),
            "PutObjectLockConfiguration",
            "ObjectLockConfiguration/Rule/DefaultRetention/DefaultEventHold",
        ),
        (Treatment(REFUSED), "PutObjectRetention", "Retention/EventHold Retention/EventHoldDuration"),
        (
            Treatment(IGNORED, "Object Lock needs none to be turned on"),
            "PutObjectLockConfiguration",
            "x-amz-bucket-object-lock-token",
        ),
        (
            Treatment(UNHEEDED, "an administrator can always mend a policy"),
            "PutBucketPolicy",
            "x-amz-confirm-remove-self-bucket-access",
        ),
        (Treatment(HONOURED, "objects are never away, so it is checked and done"), "RestoreObject", "RestoreRequest"),
        (
            Treatment(REFUSED, "AWS has closed the operation to new customers"),
            "SelectObjectContent",
            "Expression ExpressionType InputSerialization OutputSerialization RequestProgress ScanRange "
            f"{_CUSTOMER_KEY}",
        ),
    ]
)


def treatment_of(operation: str, name: str) -> Treatment:
    """What an operation does with an input.

    :param name: of the header, parameter or element; of an element in a document the path: ``Delete/Object/Key``.
    :raise KeyError: when nothing is said of it.
    """
    path = name
    while path:
        for key in ((operation, path), ("*", path)):
            if key in TREATMENTS:
                return TREATMENTS[key]
        path = path.rpartition("/")[0]
    raise KeyError(operation, name)
