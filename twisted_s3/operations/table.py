"""Every S3 operation once: how a request for it looks, what right it needs, and who handles it.

The names are those of the Amazon S3 API Reference
(https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html).
"""

from __future__ import annotations

from functools import cached_property

from msgspec import Struct

from twisted_s3.operations import (
    absent,
    acl,
    attributes,
    buckets,
    configuration,
    copying,
    deletion,
    listing,
    locking,
    logging,
    multipart,
    notifications,
    objects,
    posting,
    refusals,
    renaming,
    tagging,
    versioning,
)
from twisted_s3.operations.call import Handler

SERVICE, BUCKET, OBJECT = "service", "bucket", "object"


class Operation(Struct, frozen=True, dict=True):
    """An S3 operation.

    :ivar level: ``service``, ``bucket`` or ``object``: what the path names.
    :ivar subresource: the query parameter that selects it, "" if none.
    :ivar action: the IAM action that it needs.
    :ivar parameters: further query parameters that a request for it must have.
    :ivar copies: whether the header ``x-amz-copy-source`` selects it.
    :ivar handler: None while it is not implemented: 501.
    :ivar creates: whether it needs no bucket to be there.
    :ivar form: whether the body says who sends it: the handler, not the gate, authenticates and authorises.
    :ivar each: whether the body says what it is about: the handler, not the gate, authorises, for each key.
    :ivar routed: False for what AWS serves at an endpoint of its own, so that no request here can mean it.
    """

    name: str
    level: str
    method: str
    subresource: str = ""
    action: str = ""
    parameters: tuple[str, ...] = ()
    copies: bool = False
    handler: Handler | None = None
    creates: bool = False
    form: bool = False
    each: bool = False
    routed: bool = True

    @cached_property
    def selectors(self) -> frozenset[str]:
        """All query parameters that a request for it must have."""
        return frozenset(filter(None, (self.subresource, *self.parameters)))


# fmt: off
OPERATIONS: tuple[Operation, ...] = (
    Operation("ListBuckets", SERVICE, "GET", "", "s3:ListAllMyBuckets", handler=buckets.list_buckets),
    Operation("ListDirectoryBuckets", SERVICE, "GET", "", "s3:ListAllMyDirectoryBuckets", routed=False),
    Operation("WriteGetObjectResponse", SERVICE, "POST", "", "s3:WriteGetObjectResponse", routed=False),
    Operation("CreateBucket", BUCKET, "PUT", "", "s3:CreateBucket", handler=buckets.create_bucket, creates=True),
    Operation("CreateBucketMetadataConfiguration", BUCKET, "POST", "metadataConfiguration", "s3:CreateBucketMetadataConfiguration"),
    Operation("CreateBucketMetadataTableConfiguration", BUCKET, "POST", "metadataTable", "s3:CreateBucketMetadataTableConfiguration"),
    Operation("CreateSession", BUCKET, "GET", "session", "s3:CreateSession"),
    Operation("DeleteBucket", BUCKET, "DELETE", "", "s3:DeleteBucket", handler=buckets.delete_bucket),
    Operation("DeleteBucketAnalyticsConfiguration", BUCKET, "DELETE", "analytics", "s3:PutAnalyticsConfiguration", parameters=("id",), handler=absent.no_such_configuration),
    Operation("DeleteBucketCors", BUCKET, "DELETE", "cors", "s3:PutBucketCORS", handler=configuration.CORS.delete),
    Operation("DeleteBucketEncryption", BUCKET, "DELETE", "encryption", "s3:PutEncryptionConfiguration", handler=configuration.ENCRYPTION.delete),
    Operation("DeleteBucketIntelligentTieringConfiguration", BUCKET, "DELETE", "intelligent-tiering", "s3:PutIntelligentTieringConfiguration", parameters=("id",), handler=absent.no_such_configuration),
    Operation("DeleteBucketInventoryConfiguration", BUCKET, "DELETE", "inventory", "s3:PutInventoryConfiguration", parameters=("id",), handler=absent.no_such_configuration),
    Operation("DeleteBucketLifecycle", BUCKET, "DELETE", "lifecycle", "s3:PutLifecycleConfiguration", handler=configuration.LIFECYCLE.delete),
    Operation("DeleteBucketMetadataConfiguration", BUCKET, "DELETE", "metadataConfiguration", "s3:DeleteBucketMetadataConfiguration"),
    Operation("DeleteBucketMetadataTableConfiguration", BUCKET, "DELETE", "metadataTable", "s3:DeleteBucketMetadataTableConfiguration"),
    Operation("DeleteBucketMetricsConfiguration", BUCKET, "DELETE", "metrics", "s3:PutMetricsConfiguration", parameters=("id",), handler=absent.no_such_configuration),
    Operation("DeleteBucketOwnershipControls", BUCKET, "DELETE", "ownershipControls", "s3:PutBucketOwnershipControls", handler=configuration.OWNERSHIP.delete),
    Operation("DeleteBucketPolicy", BUCKET, "DELETE", "policy", "s3:DeleteBucketPolicy", handler=configuration.POLICY.delete),
    Operation("DeleteBucketReplication", BUCKET, "DELETE", "replication", "s3:PutReplicationConfiguration", handler=absent.delete_bucket_replication),
    Operation("DeleteBucketTagging", BUCKET, "DELETE", "tagging", "s3:PutBucketTagging", handler=configuration.TAGGING.delete),
    Operation("DeleteBucketWebsite", BUCKET, "DELETE", "website", "s3:DeleteBucketWebsite", handler=configuration.WEBSITE.delete),
    Operation("DeleteObjects", BUCKET, "POST", "delete", "s3:DeleteObject", handler=deletion.delete_objects, each=True),
    Operation("DeletePublicAccessBlock", BUCKET, "DELETE", "publicAccessBlock", "s3:PutBucketPublicAccessBlock", handler=configuration.PUBLIC_ACCESS_BLOCK.delete),
    Operation("GetBucketAbac", BUCKET, "GET", "abac", "s3:GetBucketAbac", handler=absent.ABAC.get),
    Operation("GetBucketAccelerateConfiguration", BUCKET, "GET", "accelerate", "s3:GetAccelerateConfiguration", handler=absent.ACCELERATION.get),
    Operation("GetBucketAcl", BUCKET, "GET", "acl", "s3:GetBucketAcl", handler=acl.get_bucket_acl),
    Operation("GetBucketAnalyticsConfiguration", BUCKET, "GET", "analytics", "s3:GetAnalyticsConfiguration", parameters=("id",), handler=absent.no_such_configuration),
    Operation("GetBucketCors", BUCKET, "GET", "cors", "s3:GetBucketCORS", handler=configuration.CORS.get),
    Operation("GetBucketEncryption", BUCKET, "GET", "encryption", "s3:GetEncryptionConfiguration", handler=configuration.ENCRYPTION.get),
    Operation("GetBucketIntelligentTieringConfiguration", BUCKET, "GET", "intelligent-tiering", "s3:GetIntelligentTieringConfiguration", parameters=("id",), handler=absent.no_such_configuration),
    Operation("GetBucketInventoryConfiguration", BUCKET, "GET", "inventory", "s3:GetInventoryConfiguration", parameters=("id",), handler=absent.no_such_configuration),
    Operation("GetBucketLifecycleConfiguration", BUCKET, "GET", "lifecycle", "s3:GetLifecycleConfiguration", handler=configuration.LIFECYCLE.get),
    Operation("GetBucketLocation", BUCKET, "GET", "location", "s3:GetBucketLocation", handler=buckets.get_bucket_location),
    Operation("GetBucketLogging", BUCKET, "GET", "logging", "s3:GetBucketLogging", handler=logging.get_bucket_logging),
    Operation("GetBucketMetadataConfiguration", BUCKET, "GET", "metadataConfiguration", "s3:GetBucketMetadataConfiguration"),
    Operation("GetBucketMetadataTableConfiguration", BUCKET, "GET", "metadataTable", "s3:GetBucketMetadataTableConfiguration"),
    Operation("GetBucketMetricsConfiguration", BUCKET, "GET", "metrics", "s3:GetMetricsConfiguration", parameters=("id",), handler=absent.no_such_configuration),
    Operation("GetBucketNotificationConfiguration", BUCKET, "GET", "notification", "s3:GetBucketNotification", handler=notifications.NOTIFICATION.get),
    Operation("GetBucketOwnershipControls", BUCKET, "GET", "ownershipControls", "s3:GetBucketOwnershipControls", handler=configuration.OWNERSHIP.get),
    Operation("GetBucketPolicy", BUCKET, "GET", "policy", "s3:GetBucketPolicy", handler=configuration.POLICY.get),
    Operation("GetBucketPolicyStatus", BUCKET, "GET", "policyStatus", "s3:GetBucketPolicyStatus", handler=configuration.get_bucket_policy_status),
    Operation("GetBucketReplication", BUCKET, "GET", "replication", "s3:GetReplicationConfiguration", handler=absent.get_bucket_replication),
    Operation("GetBucketRequestPayment", BUCKET, "GET", "requestPayment", "s3:GetBucketRequestPayment", handler=absent.REQUEST_PAYMENT.get),
    Operation("GetBucketTagging", BUCKET, "GET", "tagging", "s3:GetBucketTagging", handler=configuration.TAGGING.get),
    Operation("GetBucketVersioning", BUCKET, "GET", "versioning", "s3:GetBucketVersioning", handler=versioning.get_bucket_versioning),
    Operation("GetBucketWebsite", BUCKET, "GET", "website", "s3:GetBucketWebsite", handler=configuration.WEBSITE.get),
    Operation("GetObjectLockConfiguration", BUCKET, "GET", "object-lock", "s3:GetBucketObjectLockConfiguration", handler=locking.LOCK.get),
    Operation("GetPublicAccessBlock", BUCKET, "GET", "publicAccessBlock", "s3:GetBucketPublicAccessBlock", handler=configuration.PUBLIC_ACCESS_BLOCK.get),
    Operation("HeadBucket", BUCKET, "HEAD", "", "s3:ListBucket", handler=buckets.head_bucket),
    Operation("ListBucketAnalyticsConfigurations", BUCKET, "GET", "analytics", "s3:GetAnalyticsConfiguration", handler=absent.no_configurations("ListBucketAnalyticsConfigurationResult")),
    Operation("ListBucketIntelligentTieringConfigurations", BUCKET, "GET", "intelligent-tiering", "s3:GetIntelligentTieringConfiguration", handler=absent.no_configurations("ListBucketIntelligentTieringConfigurationsOutput")),
    Operation("ListBucketInventoryConfigurations", BUCKET, "GET", "inventory", "s3:GetInventoryConfiguration", handler=absent.no_configurations("ListInventoryConfigurationsResult")),
    Operation("ListBucketMetricsConfigurations", BUCKET, "GET", "metrics", "s3:GetMetricsConfiguration", handler=absent.no_configurations("ListMetricsConfigurationsResult")),
    Operation("ListMultipartUploads", BUCKET, "GET", "uploads", "s3:ListBucketMultipartUploads", handler=multipart.list_multipart_uploads),
    Operation("ListObjectVersions", BUCKET, "GET", "versions", "s3:ListBucketVersions", handler=listing.list_object_versions),
    Operation("ListObjects", BUCKET, "GET", "", "s3:ListBucket", handler=listing.list_objects),
    Operation("ListObjectsV2", BUCKET, "GET", "", "s3:ListBucket", parameters=("list-type",), handler=listing.list_objects_v2),
    Operation("PostObject", BUCKET, "POST", "", "s3:PutObject", handler=posting.post_object, form=True),
    Operation("PutBucketAbac", BUCKET, "PUT", "abac", "s3:PutBucketAbac", handler=absent.ABAC.put),
    Operation("PutBucketAccelerateConfiguration", BUCKET, "PUT", "accelerate", "s3:PutAccelerateConfiguration", handler=absent.ACCELERATION.put),
    Operation("PutBucketAcl", BUCKET, "PUT", "acl", "s3:PutBucketAcl", handler=acl.put_bucket_acl),
    Operation("PutBucketAnalyticsConfiguration", BUCKET, "PUT", "analytics", "s3:PutAnalyticsConfiguration", parameters=("id",)),
    Operation("PutBucketCors", BUCKET, "PUT", "cors", "s3:PutBucketCORS", handler=configuration.CORS.put),
    Operation("PutBucketEncryption", BUCKET, "PUT", "encryption", "s3:PutEncryptionConfiguration", handler=configuration.ENCRYPTION.put),
    Operation("PutBucketIntelligentTieringConfiguration", BUCKET, "PUT", "intelligent-tiering", "s3:PutIntelligentTieringConfiguration", parameters=("id",)),
    Operation("PutBucketInventoryConfiguration", BUCKET, "PUT", "inventory", "s3:PutInventoryConfiguration", parameters=("id",)),
    Operation("PutBucketLifecycleConfiguration", BUCKET, "PUT", "lifecycle", "s3:PutLifecycleConfiguration", handler=configuration.LIFECYCLE.put),
    Operation("PutBucketLogging", BUCKET, "PUT", "logging", "s3:PutBucketLogging", handler=logging.put_bucket_logging),
    Operation("PutBucketMetricsConfiguration", BUCKET, "PUT", "metrics", "s3:PutMetricsConfiguration", parameters=("id",)),
    Operation("PutBucketNotificationConfiguration", BUCKET, "PUT", "notification", "s3:PutBucketNotification", handler=notifications.put_bucket_notification_configuration),
    Operation("PutBucketOwnershipControls", BUCKET, "PUT", "ownershipControls", "s3:PutBucketOwnershipControls", handler=configuration.OWNERSHIP.put),
    Operation("PutBucketPolicy", BUCKET, "PUT", "policy", "s3:PutBucketPolicy", handler=configuration.POLICY.put),
    Operation("PutBucketReplication", BUCKET, "PUT", "replication", "s3:PutReplicationConfiguration"),
    Operation("PutBucketRequestPayment", BUCKET, "PUT", "requestPayment", "s3:PutBucketRequestPayment", handler=absent.REQUEST_PAYMENT.put),
    Operation("PutBucketTagging", BUCKET, "PUT", "tagging", "s3:PutBucketTagging", handler=configuration.TAGGING.put),
    Operation("PutBucketVersioning", BUCKET, "PUT", "versioning", "s3:PutBucketVersioning", handler=versioning.put_bucket_versioning),
    Operation("PutBucketWebsite", BUCKET, "PUT", "website", "s3:PutBucketWebsite", handler=configuration.WEBSITE.put),
    Operation("PutObjectLockConfiguration", BUCKET, "PUT", "object-lock", "s3:PutBucketObjectLockConfiguration", handler=locking.LOCK.put),
    Operation("PutPublicAccessBlock", BUCKET, "PUT", "publicAccessBlock", "s3:PutBucketPublicAccessBlock", handler=configuration.PUBLIC_ACCESS_BLOCK.put),
    Operation("UpdateBucketMetadataAnnotationTableConfiguration", BUCKET, "PUT", "metadataAnnotationTable", "s3:UpdateBucketMetadataAnnotationTableConfiguration"),
    Operation("UpdateBucketMetadataInventoryTableConfiguration", BUCKET, "PUT", "metadataInventoryTable", "s3:UpdateBucketMetadataInventoryTableConfiguration"),
    Operation("UpdateBucketMetadataJournalTableConfiguration", BUCKET, "PUT", "metadataJournalTable", "s3:UpdateBucketMetadataJournalTableConfiguration"),
    Operation("AbortMultipartUpload", OBJECT, "DELETE", "", "s3:AbortMultipartUpload", parameters=("uploadId",), handler=multipart.abort_multipart_upload),
    Operation("CompleteMultipartUpload", OBJECT, "POST", "", "s3:PutObject", parameters=("uploadId",), handler=multipart.complete_multipart_upload),
    Operation("CopyObject", OBJECT, "PUT", "", "s3:PutObject", copies=True, handler=copying.copy_object),
    Operation("CreateMultipartUpload", OBJECT, "POST", "uploads", "s3:PutObject", handler=multipart.create_multipart_upload),
    Operation("DeleteObject", OBJECT, "DELETE", "", "s3:DeleteObject", handler=deletion.delete_object),
    Operation("DeleteObjectAnnotation", OBJECT, "DELETE", "annotation", "s3:DeleteObjectAnnotation", parameters=("annotationName",)),
    Operation("DeleteObjectTagging", OBJECT, "DELETE", "tagging", "s3:DeleteObjectTagging", handler=tagging.delete_object_tagging),
    Operation("GetObject", OBJECT, "GET", "", "s3:GetObject", handler=objects.get_object),
    Operation("GetObjectAcl", OBJECT, "GET", "acl", "s3:GetObjectAcl", handler=acl.get_object_acl),
    Operation("GetObjectAnnotation", OBJECT, "GET", "annotation", "s3:GetObjectAnnotation", parameters=("annotationName",)),
    Operation("GetObjectAttributes", OBJECT, "GET", "attributes", "s3:GetObjectAttributes", handler=attributes.get_object_attributes),
    Operation("GetObjectLegalHold", OBJECT, "GET", "legal-hold", "s3:GetObjectLegalHold", handler=locking.get_object_legal_hold),
    Operation("GetObjectRetention", OBJECT, "GET", "retention", "s3:GetObjectRetention", handler=locking.get_object_retention),
    Operation("GetObjectTagging", OBJECT, "GET", "tagging", "s3:GetObjectTagging", handler=tagging.get_object_tagging),
    Operation("GetObjectTorrent", OBJECT, "GET", "torrent", "s3:GetObjectTorrent", handler=refusals.get_object_torrent),
    Operation("HeadObject", OBJECT, "HEAD", "", "s3:GetObject", handler=objects.head_object),
    Operation("ListObjectAnnotations", OBJECT, "GET", "annotation", "s3:ListObjectAnnotations"),
    Operation("ListParts", OBJECT, "GET", "", "s3:ListMultipartUploadParts", parameters=("uploadId",), handler=multipart.list_parts),
    Operation("PutObject", OBJECT, "PUT", "", "s3:PutObject", handler=objects.put_object),
    Operation("PutObjectAcl", OBJECT, "PUT", "acl", "s3:PutObjectAcl", handler=acl.put_object_acl),
    Operation("PutObjectAnnotation", OBJECT, "PUT", "annotation", "s3:PutObjectAnnotation", parameters=("annotationName",)),
    Operation("PutObjectLegalHold", OBJECT, "PUT", "legal-hold", "s3:PutObjectLegalHold", handler=locking.put_object_legal_hold, each=True),
    Operation("PutObjectRetention", OBJECT, "PUT", "retention", "s3:PutObjectRetention", handler=locking.put_object_retention, each=True),
    Operation("PutObjectTagging", OBJECT, "PUT", "tagging", "s3:PutObjectTagging", handler=tagging.put_object_tagging),
    Operation("RenameObject", OBJECT, "PUT", "renameObject", "s3:PutObject", handler=renaming.rename_object),
    Operation("RestoreObject", OBJECT, "POST", "restore", "s3:RestoreObject", handler=refusals.restore_object),
    Operation("SelectObjectContent", OBJECT, "POST", "select", "s3:GetObject", handler=refusals.select_object_content),
    Operation("UpdateObjectEncryption", OBJECT, "PUT", "encryption", "s3:UpdateObjectEncryption"),
    Operation("UploadPart", OBJECT, "PUT", "", "s3:PutObject", parameters=("partNumber", "uploadId"), handler=multipart.upload_part),
    Operation("UploadPartCopy", OBJECT, "PUT", "", "s3:PutObject", parameters=("partNumber", "uploadId"), copies=True, handler=copying.upload_part_copy),
)
# fmt: on
