"""What other servers say of the operations that they have. It is their word; none of it was tested for this table."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct


class Rival(Struct, frozen=True):
    """A server, and what it says.

    :ivar source: where it says so.
    :ivar has: the operations that it says it has, with what it adds about them, or "".
    :ivar lacks: the operations that it says it has not; of the others it says nothing.
    """

    name: str
    source: str
    has: Mapping[str, str]
    lacks: frozenset[str] = frozenset()
    says_all: bool = False

    def word(self, operation: str) -> str:
        """What it says of an operation."""
        if operation in self.has:
            return "yes" + (f" ({self.has[operation]})" if self.has[operation] else "")
        return "no" if self.says_all or operation in self.lacks else "–"


def _plain(text: str) -> dict[str, str]:
    return dict.fromkeys(text.split(), "")


_MULTIPART = """
    AbortMultipartUpload CompleteMultipartUpload CreateMultipartUpload ListMultipartUploads ListParts UploadPart
    """
_BASIC = """
    CopyObject CreateBucket DeleteBucket DeleteObject DeleteObjects GetBucketLocation GetObject HeadBucket HeadObject
    ListBuckets ListObjectsV2 PutObject
    """
_LOCKS = """
    GetObjectLegalHold GetObjectLockConfiguration GetObjectRetention PutObjectLegalHold PutObjectLockConfiguration
    PutObjectRetention
    """

NANIO = Rival(
    "nanio",
    "`README <https://github.com/apocas/nanio#features>`__",
    _plain(_BASIC + _MULTIPART),
    says_all=True,
)

GARAGE = Rival(
    "Garage",
    "`S3 compatibility status <https://garagehq.deuxfleurs.fr/documentation/reference-manual/s3-compatibility/>`__",
    _plain(_BASIC + _MULTIPART)
    | _plain(
        """
        DeleteBucketCors DeleteBucketLifecycle DeleteBucketWebsite GetBucketCors GetBucketLifecycleConfiguration
        GetBucketWebsite ListObjects PostObject PutBucketCors UploadPartCopy
        """
    )
    | {
        "GetBucketVersioning": "always off",
        "PutBucketLifecycleConfiguration": "in part",
        "PutBucketWebsite": "in part",
    },
    says_all=True,
)

VERSITYGW = Rival(
    "versitygw",
    "`the operations of its storage interface "
    "<https://github.com/versity/versitygw/blob/5d9d54802d890a3f46a6adc9ee55e15a5a59ab86/backend/backend.go>`__, "
    "which not all of its stores have",
    _plain(_BASIC + _MULTIPART + _LOCKS)
    | _plain(
        """
        DeleteBucketCors DeleteBucketOwnershipControls DeleteBucketPolicy DeleteBucketTagging DeleteBucketWebsite
        DeleteObjectTagging GetBucketAcl GetBucketCors GetBucketOwnershipControls GetBucketPolicy GetBucketTagging
        GetBucketVersioning GetBucketWebsite GetObjectAcl GetObjectAttributes GetObjectTagging ListObjectVersions
        ListObjects PutBucketAcl PutBucketCors PutBucketOwnershipControls PutBucketPolicy PutBucketTagging
        PutBucketVersioning PutBucketWebsite PutObjectAcl PutObjectTagging RestoreObject SelectObjectContent
        UploadPartCopy
        """
    ),
)

MINIO = Rival(
    "MinIO",
    "`S3 API Compatibility <https://docs.min.io/community/minio-object-store/reference/s3-api-compatibility.html>`__",
    _plain(_BASIC + _MULTIPART + _LOCKS)
    | _plain(
        """
        DeleteBucketEncryption DeleteBucketLifecycle DeleteBucketPolicy DeleteBucketReplication DeleteBucketTagging
        DeleteObjectTagging GetBucketEncryption GetBucketLifecycleConfiguration GetBucketNotificationConfiguration
        GetBucketPolicy GetBucketPolicyStatus GetBucketReplication GetBucketTagging GetBucketVersioning
        GetObjectAttributes GetObjectTagging ListDirectoryBuckets ListObjectVersions ListObjects PutBucketEncryption
        PutBucketLifecycleConfiguration PutBucketNotificationConfiguration PutBucketPolicy PutBucketReplication
        PutBucketTagging PutBucketVersioning PutObjectTagging RestoreObject SelectObjectContent UploadPartCopy
        """
    )
    | {"ListMultipartUploads": "prefix must be the key"},
    frozenset(
        _plain(
            """
        CreateSession DeleteBucketAnalyticsConfiguration DeleteBucketCors DeleteBucketIntelligentTieringConfiguration
        DeleteBucketInventoryConfiguration DeleteBucketMetricsConfiguration DeleteBucketOwnershipControls
        DeletePublicAccessBlock GetBucketAnalyticsConfiguration GetBucketIntelligentTieringConfiguration
        GetBucketInventoryConfiguration GetBucketLogging GetBucketMetricsConfiguration GetBucketOwnershipControls
        GetObjectAcl GetObjectTorrent GetPublicAccessBlock ListBucketAnalyticsConfigurations
        ListBucketIntelligentTieringConfigurations PutBucketAccelerateConfiguration PutBucketAcl
        PutBucketAnalyticsConfiguration PutBucketCors PutBucketIntelligentTieringConfiguration
        PutBucketInventoryConfiguration PutBucketLogging PutBucketMetricsConfiguration PutBucketOwnershipControls
        PutBucketRequestPayment PutBucketWebsite PutObjectAcl PutPublicAccessBlock WriteGetObjectResponse
        """
        )
    ),
)

RIVALS = (NANIO, VERSITYGW, GARAGE, MINIO)
