"""Documents and headers of bucket configurations that are well formed or nearly so, for fuzzing to begin from."""

from __future__ import annotations

LIFECYCLES = (
    b"<LifecycleConfiguration><Rule><ID>a</ID><Filter><And><Prefix>k</Prefix><Tag><Key>a</Key><Value>b</Value></Tag>"
    b"<ObjectSizeGreaterThan>5</ObjectSizeGreaterThan><ObjectSizeLessThan>9999</ObjectSizeLessThan></And></Filter>"
    b"<Status>Enabled</Status><Expiration><Days>365</Days></Expiration><Transition><Days>30</Days><StorageClass>"
    b"STANDARD_IA</StorageClass></Transition><NoncurrentVersionExpiration><NoncurrentDays>90</NoncurrentDays>"
    b"<NewerNoncurrentVersions>2</NewerNoncurrentVersions></NoncurrentVersionExpiration><NoncurrentVersionTransition>"
    b"<NoncurrentDays>30</NoncurrentDays><StorageClass>GLACIER</StorageClass></NoncurrentVersionTransition></Rule>"
    b"</LifecycleConfiguration>",
    b"<LifecycleConfiguration><Rule><Prefix>a/</Prefix><Status>Enabled</Status><Expiration><Date>2030-01-01T00:00:00Z"
    b"</Date></Expiration></Rule><Rule><Prefix>b</Prefix><Status>Disabled</Status><AbortIncompleteMultipartUpload>"
    b"<DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule></LifecycleConfiguration>",
    b"<LifecycleConfiguration><Rule><Filter/><Status>Enabled</Status><Expiration><ExpiredObjectDeleteMarker>true"
    b"</ExpiredObjectDeleteMarker></Expiration></Rule></LifecycleConfiguration>",
)

ENCRYPTIONS = (
    b"<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm>"
    b"<KMSMasterKeyID>arn:aws:kms:us-east-1:1:key/a</KMSMasterKeyID></ApplyServerSideEncryptionByDefault>"
    b"<BucketKeyEnabled>true</BucketKeyEnabled></Rule></ServerSideEncryptionConfiguration>",
    b"<ServerSideEncryptionConfiguration><Rule><BlockedEncryptionTypes><EncryptionType>SSE-C</EncryptionType>"
    b"</BlockedEncryptionTypes></Rule></ServerSideEncryptionConfiguration>",
)

ENCRYPTION_HEADERS = (
    b"PUT /\nx-amz-server-side-encryption-customer-algorithm:AES256\nx-amz-server-side-encryption-customer-key:"
    b"MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\nx-amz-server-side-encryption-customer-key-md5:"
    b"LCrEq+2MKmqEdGEfs4Wmag==",
    b"PUT /\nx-amz-copy-source-server-side-encryption-customer-algorithm:AES256\n"
    b"x-amz-copy-source-server-side-encryption-customer-key:YQ==\n"
    b"x-amz-copy-source-server-side-encryption-customer-key-md5:DMF1ucDxtqgxw5niaXcmYQ==",
    b"PUT /\nx-amz-server-side-encryption:aws:kms\nx-amz-server-side-encryption-aws-kms-key-id:alias/a\n"
    b"x-amz-server-side-encryption-context:eyJhIjoiYiJ9\nx-amz-server-side-encryption-bucket-key-enabled:true",
)

CORS = (
    b"<CORSConfiguration><CORSRule><ID>a</ID><AllowedOrigin>http://*.example.com</AllowedOrigin><AllowedMethod>GET"
    b"</AllowedMethod><AllowedMethod>PUT</AllowedMethod><AllowedHeader>*</AllowedHeader><ExposeHeader>ETag"
    b"</ExposeHeader><MaxAgeSeconds>3000</MaxAgeSeconds></CORSRule><CORSRule><AllowedOrigin>*</AllowedOrigin>"
    b"<AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>",
)

CORS_REQUESTS = (
    b"OPTIONS /b/k\norigin:http://a\naccess-control-request-method:PUT\naccess-control-request-headers:x-a, x-b",
    b"GET /b/k\norigin:null",
)

LOCKS = (
    b"<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>GOVERNANCE"
    b"</Mode><Days>5</Days></DefaultRetention></Rule></ObjectLockConfiguration>",
    b"<Retention><Mode>COMPLIANCE</Mode><RetainUntilDate>2030-01-01T00:00:00.123Z</RetainUntilDate></Retention>",
    b"<LegalHold><Status>ON</Status></LegalHold>",
)

LOCK_HEADERS = (
    b"PUT /\nx-amz-object-lock-mode:GOVERNANCE\nx-amz-object-lock-retain-until-date:2030-01-01T00:00:00+01:00\n"
    b"x-amz-object-lock-legal-hold:ON",
    b"PUT /\nx-amz-object-lock-legal-hold:OFF",
)

NOTIFICATIONS = (
    b"<NotificationConfiguration><QueueConfiguration><Id>a</Id><Queue>arn:aws:sqs:us-east-1:1:target</Queue><Event>"
    b"s3:ObjectCreated:*</Event><Filter><S3Key><FilterRule><Name>prefix</Name><Value>photos/</Value></FilterRule>"
    b"<FilterRule><Name>Suffix</Name><Value>.jpg</Value></FilterRule></S3Key></Filter></QueueConfiguration>"
    b"<CloudFunctionConfiguration><CloudFunction>arn:aws:lambda:us-east-1:1:function:target:1</CloudFunction><Event>"
    b"s3:ObjectRemoved:Delete</Event></CloudFunctionConfiguration></NotificationConfiguration>",
    b"<NotificationConfiguration><TopicConfiguration><Topic>arn:aws:sns:::a</Topic><Event>s3:ObjectCreated:Put</Event>"
    b"<Event>s3:ObjectTagging:*</Event></TopicConfiguration></NotificationConfiguration>",
)

WEBSITES = (
    b"<WebsiteConfiguration><IndexDocument><Suffix>index.html</Suffix></IndexDocument><ErrorDocument><Key>e</Key>"
    b"</ErrorDocument><RoutingRules><RoutingRule><Condition><KeyPrefixEquals>docs/</KeyPrefixEquals>"
    b"<HttpErrorCodeReturnedEquals>404</HttpErrorCodeReturnedEquals></Condition><Redirect><HostName>a.b</HostName>"
    b"<HttpRedirectCode>302</HttpRedirectCode><Protocol>https</Protocol><ReplaceKeyPrefixWith>d/</ReplaceKeyPrefixWith>"
    b"</Redirect></RoutingRule></RoutingRules></WebsiteConfiguration>",
    b"<WebsiteConfiguration><RedirectAllRequestsTo><HostName>a.b</HostName></RedirectAllRequestsTo>"
    b"</WebsiteConfiguration>",
)

_GRANT = (
    b"<Grant><Grantee xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:type='Group'><URI>"
    b"http://acs.amazonaws.com/groups/global/AllUsers</URI></Grantee><Permission>READ</Permission></Grant>"
)

LOGGINGS = (
    b"<BucketLoggingStatus><LoggingEnabled><TargetBucket>logs</TargetBucket><TargetPrefix>a/</TargetPrefix>"
    b"<TargetGrants>" + _GRANT + b"</TargetGrants><TargetObjectKeyFormat><PartitionedPrefix><PartitionDateSource>"
    b"EventTime</PartitionDateSource></PartitionedPrefix></TargetObjectKeyFormat></LoggingEnabled>"
    b"</BucketLoggingStatus>",
    b"<BucketLoggingStatus><LoggingEnabled><TargetBucket>logs</TargetBucket><TargetPrefix/><TargetObjectKeyFormat>"
    b"<SimplePrefix/></TargetObjectKeyFormat></LoggingEnabled></BucketLoggingStatus>",
)

LOG_LINES = (b'PUT /b/k?x="y\nuser-agent:a\tb\\', 'a\u2028b"\x7f\xe9\nuser-agent:\xff'.encode())

ACLS = (
    b"<AccessControlPolicy><Owner><ID>a</ID><DisplayName>b</DisplayName></Owner><AccessControlList>"
    + _GRANT
    + b"</AccessControlList></AccessControlPolicy>",
    b"<AccessControlPolicy><Owner/><AccessControlList><Grant><Grantee xmlns:xsi='http://www.w3.org/2001/"
    b"XMLSchema-instance' xsi:type='CanonicalUser'><ID>a</ID></Grantee><Permission>FULL_CONTROL</Permission></Grant>"
    b"<Grant><Grantee xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:type='AmazonCustomerByEmail'>"
    b"<EmailAddress>a@b</EmailAddress></Grantee><Permission>WRITE</Permission></Grant></AccessControlList>"
    b"</AccessControlPolicy>",
)

SMALL = (
    b"<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>",
    b"<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>FALSE"
    b"</IgnorePublicAcls></PublicAccessBlockConfiguration>",
    b"<VersioningConfiguration><Status>Enabled</Status><MfaDelete>Disabled</MfaDelete></VersioningConfiguration>",
    b"<RequestPaymentConfiguration><Payer>BucketOwner</Payer></RequestPaymentConfiguration>",
    b"<AccelerateConfiguration><Status>Suspended</Status></AccelerateConfiguration>",
    b"<AbacStatus><Status>Disabled</Status></AbacStatus>",
)

TAGS = (
    b"<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag><Tag><Key>\xc3\xa9 +-=._:/@</Key><Value/></Tag></TagSet>"
    b"</Tagging>",
)
