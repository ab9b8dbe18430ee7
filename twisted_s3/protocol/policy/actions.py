"""The actions of S3, and what each applies to.

"Actions, resources, and condition keys for Amazon S3" in the Service Authorization Reference
(https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from twisted_s3.protocol.policy.patterns import Matcher, glob, tokens_of

BUCKET, OBJECT, ACCOUNT = "bucket", "object", "account"

_OBJECT_ACTIONS = """
    AbortMultipartUpload BypassGovernanceRetention DeleteObject DeleteObjectAnnotation DeleteObjectTagging
    DeleteObjectVersion DeleteObjectVersionAnnotation DeleteObjectVersionTagging GetObject GetObjectAcl
    GetObjectAnnotation GetObjectAttributes GetObjectLegalHold GetObjectRetention GetObjectTagging GetObjectTorrent
    GetObjectVersion GetObjectVersionAcl GetObjectVersionAnnotation GetObjectVersionAnnotationForReplication
    GetObjectVersionAttributes GetObjectVersionForReplication GetObjectVersionTagging GetObjectVersionTorrent
    InitiateReplication ListMultipartUploadParts ListObjectAnnotations ListObjectVersionAnnotations
    ObjectOwnerOverrideToBucketOwner PutObject PutObjectAcl PutObjectAnnotation PutObjectLegalHold PutObjectRetention
    PutObjectTagging PutObjectVersionAcl PutObjectVersionAnnotation PutObjectVersionTagging ReplicateDelete
    ReplicateObject ReplicateObjectAnnotation ReplicateTags RestoreObject UpdateObjectEncryption
"""

_BUCKET_ACTIONS = """
    AllowVendedLogDeliveryForResource CreateBucket CreateBucketMetadataTableConfiguration DeleteBucket
    DeleteBucketMetadataTableConfiguration DeleteBucketPolicy DeleteBucketWebsite GetAccelerateConfiguration
    GetAnalyticsConfiguration GetBucketAbac GetBucketAcl GetBucketCORS GetBucketLocation GetBucketLogging
    GetBucketMetadataTableConfiguration GetBucketNotification GetBucketObjectLockConfiguration
    GetBucketOwnershipControls GetBucketPolicy GetBucketPolicyStatus GetBucketPublicAccessBlock GetBucketRequestPayment
    GetBucketTagging GetBucketVersioning GetBucketWebsite GetEncryptionConfiguration
    GetIntelligentTieringConfiguration GetInventoryConfiguration GetLifecycleConfiguration GetMetricsConfiguration
    GetReplicationConfiguration ListBucket ListBucketMultipartUploads ListBucketVersions ListTagsForResource
    PauseReplication PutAccelerateConfiguration PutAnalyticsConfiguration PutBucketAbac PutBucketAcl PutBucketCORS
    PutBucketLogging PutBucketNotification PutBucketObjectLockConfiguration PutBucketOwnershipControls PutBucketPolicy
    PutBucketPublicAccessBlock PutBucketRequestPayment PutBucketTagging PutBucketVersioning PutBucketWebsite
    PutEncryptionConfiguration PutIntelligentTieringConfiguration PutInventoryConfiguration PutLifecycleConfiguration
    PutMetricsConfiguration PutReplicationConfiguration TagResource UntagResource
    UpdateBucketMetadataAnnotationTableConfiguration UpdateBucketMetadataInventoryTableConfiguration
    UpdateBucketMetadataJournalTableConfiguration
"""

# Access points, access grants, batch jobs and Storage Lens are not served here, so their actions are left out.
_ACCOUNT_ACTIONS = "GetAccountPublicAccessBlock ListAllMyBuckets PutAccountPublicAccessBlock"

#: Every action, such as ``s3:GetObject``, and whether it applies to buckets, to objects, or to the account.
ACTIONS: Mapping[str, str] = {
    f"s3:{name}": kind
    for kind, names in ((OBJECT, _OBJECT_ACTIONS), (BUCKET, _BUCKET_ACTIONS), (ACCOUNT, _ACCOUNT_ACTIONS))
    for name in names.split()
}

_FOLDED: Mapping[str, str] = {action.lower(): action for action in ACTIONS}


def versioned(action: str) -> str:
    """The action that a request needs instead when it names a version: ``s3:GetObjectVersion`` for ``s3:GetObject``.

    An action that has no such counterpart is given back as it is.
    """
    if "Object" not in action:
        return action
    found = action.replace("Object", "ObjectVersion", 1)
    return found if found in ACTIONS else action


def matching_actions(pattern: str) -> frozenset[str]:
    """The actions of S3 that a pattern names, whatever its case."""
    folded = pattern.lower()
    if "*" not in folded and "?" not in folded:
        return frozenset({_FOLDED[folded]} if folded in _FOLDED else ())
    matches = glob(tokens_of(folded))
    return frozenset(action for name, action in _FOLDED.items() if matches(name))


class ActionSet(Struct, frozen=True):
    """The actions that the ``Action`` element of a statement names."""

    _names: frozenset[str]
    _globs: tuple[Matcher, ...]

    @classmethod
    def of(cls, patterns: Iterable[str]) -> ActionSet:
        """Compile patterns such as ``s3:Get*``, which match whatever the case."""
        folded = {pattern.lower() for pattern in patterns}
        wild = sorted(pattern for pattern in folded if "*" in pattern or "?" in pattern)
        return cls(frozenset(folded.difference(wild)), tuple(glob(tokens_of(pattern)) for pattern in wild))

    def includes(self, folded: str) -> bool:
        """Whether an action, in lower case, is one of them."""
        return folded in self._names or any(matches(folded) for matches in self._globs)
