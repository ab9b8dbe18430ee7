"""The condition keys that S3 has of its own, and the actions that each comes with.

"Actions, resources, and condition keys for Amazon S3" in the Service Authorization Reference
(https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html).
"""

from __future__ import annotations

from collections.abc import Mapping

_LISTING = "ListBucket ListBucketVersions"
_MAKING = "BypassGovernanceRetention PutObject"
_OBJECT_ACLS = "BypassGovernanceRetention CreateBucket PutBucketAcl PutObject PutObjectAcl PutObjectVersionAcl"
_ENCRYPTING = "BypassGovernanceRetention PutObject ReplicateObject UpdateObjectEncryption"
_TAGGING = "BypassGovernanceRetention PutObject PutObjectTagging PutObjectVersionTagging"
_EVERY = ""

_ACTIONS_BY_KEY = {
    "s3:AccessGrantsInstanceArn": _EVERY,
    "s3:AccessPointNetworkOrigin": _EVERY,
    "s3:DataAccessPointAccount": _EVERY,
    "s3:DataAccessPointArn": _EVERY,
    "s3:InventoryAccessibleOptionalFields": "PutInventoryConfiguration",
    "s3:LocationConstraint": "CreateBucket",
    "s3:ObjectCreationOperation": "PutObject",
    "s3:RequestObjectTagKeys": _TAGGING,
    "s3:ResourceAccount": _EVERY,
    "s3:TlsVersion": _EVERY,
    "s3:VersionId": (
        "DeleteObjectVersion DeleteObjectVersionAnnotation DeleteObjectVersionTagging GetObjectVersion "
        "GetObjectVersionAcl GetObjectVersionAnnotation GetObjectVersionAttributes GetObjectVersionTagging "
        "GetObjectVersionTorrent ListObjectVersionAnnotations PutObjectVersionAcl PutObjectVersionAnnotation "
        "PutObjectVersionTagging"
    ),
    "s3:annotation-prefix": "ListObjectAnnotations ListObjectVersionAnnotations",
    "s3:authType": _EVERY,
    "s3:delimiter": _LISTING,
    "s3:deliverySourceArn": "AllowVendedLogDeliveryForResource",
    "s3:destinationRegion": "PauseReplication",
    "s3:if-match": "DeleteObject PutObject",
    "s3:if-none-match": "PutObject",
    "s3:isReplicationPauseRequest": "PutReplicationConfiguration",
    "s3:logType": "AllowVendedLogDeliveryForResource",
    "s3:max-annotation-results": "ListObjectAnnotations ListObjectVersionAnnotations",
    "s3:max-keys": _LISTING,
    "s3:object-lock-legal-hold": "PutObject PutObjectLegalHold",
    "s3:object-lock-mode": "PutObject PutObjectRetention",
    "s3:object-lock-remaining-retention-days": "PutObject PutObjectRetention",
    "s3:object-lock-retain-until-date": "PutObject PutObjectRetention",
    "s3:prefix": _LISTING,
    "s3:resourceArnBeingAuthorized": "AllowVendedLogDeliveryForResource",
    "s3:signatureAge": _EVERY,
    "s3:signatureversion": _EVERY,
    "s3:x-amz-acl": _OBJECT_ACLS,
    "s3:x-amz-bucket-namespace": "CreateBucket",
    "s3:x-amz-content-sha256": _EVERY,
    "s3:x-amz-copy-source": _MAKING,
    "s3:x-amz-grant-full-control": _OBJECT_ACLS,
    "s3:x-amz-grant-read": _OBJECT_ACLS,
    "s3:x-amz-grant-read-acp": _OBJECT_ACLS,
    "s3:x-amz-grant-write": _OBJECT_ACLS,
    "s3:x-amz-grant-write-acp": _OBJECT_ACLS,
    "s3:x-amz-metadata-directive": _MAKING,
    "s3:x-amz-object-annotation-directive": "PutObject",
    "s3:x-amz-object-if-match": (
        "DeleteObjectAnnotation DeleteObjectVersionAnnotation PutObjectAnnotation PutObjectVersionAnnotation"
    ),
    "s3:x-amz-object-ownership": "CreateBucket",
    "s3:x-amz-server-side-encryption": _ENCRYPTING,
    "s3:x-amz-server-side-encryption-aws-kms-key-id": _ENCRYPTING,
    "s3:x-amz-server-side-encryption-customer-algorithm": f"{_MAKING} ReplicateObject",
    "s3:x-amz-storage-class": f"{_MAKING} PutObjectAcl PutObjectVersionAcl",
    "s3:x-amz-website-redirect-location": _MAKING,
}

_ACTIONS_BY_FAMILY = {
    "s3:AccessPointTag/": _EVERY,
    "s3:BucketTag/": _EVERY,
    "s3:ExistingObjectTag/": (
        "DeleteObjectAnnotation DeleteObjectTagging DeleteObjectVersionAnnotation DeleteObjectVersionTagging GetObject "
        "GetObjectAcl GetObjectAnnotation GetObjectAttributes GetObjectTagging GetObjectVersion GetObjectVersionAcl "
        "GetObjectVersionAnnotation GetObjectVersionAttributes GetObjectVersionTagging ListObjectAnnotations "
        "ListObjectVersionAnnotations PutObjectAcl PutObjectAnnotation PutObjectTagging PutObjectVersionAcl "
        "PutObjectVersionAnnotation PutObjectVersionTagging UpdateObjectEncryption"
    ),
    "s3:RequestObjectTag/": _TAGGING,
}


def _table(rows: Mapping[str, str]) -> Mapping[str, frozenset[str] | None]:
    return {
        key.lower(): frozenset(f"s3:{name}" for name in names.split()) if names else None for key, names in rows.items()
    }


#: Every key of S3, in lower case, and the actions that it comes with; None for all of them.
CONDITION_KEYS = _table(_ACTIONS_BY_KEY)

#: Keys that go on with a name: ``s3:existingobjecttag/``.
CONDITION_KEY_FAMILIES = _table(_ACTIONS_BY_FAMILY)


def actions_with(key: str) -> frozenset[str] | None:
    """The actions that a condition key (in lower case) comes with; None for all of them.

    The global keys, ``aws:...``, come with all: AWS adds to them all the time, and accepts any.

    :raise KeyError: when there is no such key.
    """
    if key.startswith("aws:") and len(key) > 4:
        return None
    family, slash, name = key.partition("/")
    return CONDITION_KEY_FAMILIES[family + slash] if name else CONDITION_KEYS[key]
