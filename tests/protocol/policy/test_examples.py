"""What bucket policies are used for, after the examples in the Amazon S3 User Guide, in our own words.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/example-bucket-policies.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.protocol.policy.asking import ALICE, ALLOW, BOB, DENY, NEUTRAL, ask, bucket_policy, statement
from twisted_s3.protocol.policy.evaluation import Decision
from twisted_s3.protocol.policy.principals import ANONYMOUS, Principal
from twisted_s3.protocol.policy.public import is_public

BUCKET, ALL = "arn:aws:s3:::b", "arn:aws:s3:::b/*"


class ExampleTests(SynchronousTestCase):
    def check(
        self,
        expected: Decision,
        statements: list[dict[str, Any]],
        action: str,
        key: str | None = "key",
        principal: Principal = ALICE,
        **keys: Any,
    ) -> None:
        """Names of keys are written with ``__`` for the colon and ``_`` for a hyphen."""
        named: Mapping[str, Any] = {
            name.replace("__", ":").replace("_", "-"): value if isinstance(value, tuple) else (value,)
            for name, value in keys.items()
        }
        policy = bucket_policy(*statements)
        self.assertIs(ask(policy, principal, f"s3:{action}", key, named), expected, (action, key, keys))

    def test_a_public_website(self) -> None:
        site = [statement()]
        self.assertTrue(is_public(bucket_policy(*site)))
        self.check(ALLOW, site, "GetObject", principal=ANONYMOUS)
        self.check(NEUTRAL, site, "PutObject", principal=ANONYMOUS)
        self.check(NEUTRAL, site, "ListBucket", None, ANONYMOUS)

    def test_another_account_uploads_and_gives_the_owner_control(self) -> None:
        acl = {"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control"}}
        upload = [statement(Principal={"AWS": "111122223333"}, Action="s3:PutObject", Condition=acl)]
        self.check(ALLOW, upload, "PutObject", principal=BOB, s3__x_amz_acl="bucket-owner-full-control")
        self.check(NEUTRAL, upload, "PutObject", principal=BOB, s3__x_amz_acl="private")
        self.check(NEUTRAL, upload, "PutObject", principal=BOB)
        self.check(NEUTRAL, upload, "PutObject", s3__x_amz_acl="bucket-owner-full-control")

    def test_a_grant_in_a_header(self) -> None:
        grant = {"StringEquals": {"s3:x-amz-grant-full-control": f"id={ALICE.canonical_id}"}}
        upload = [statement(Action="s3:PutObject", Condition=grant)]
        self.check(ALLOW, upload, "PutObject", s3__x_amz_grant_full_control=f"id={ALICE.canonical_id}")
        self.check(NEUTRAL, upload, "PutObject", s3__x_amz_grant_full_control="id=x")

    def test_tls_only(self) -> None:
        insecure = {"Bool": {"aws:SecureTransport": "false"}}
        tls = [statement(Effect="Deny", Action="s3:*", Resource=[BUCKET, ALL], Condition=insecure)]
        for action, key in (("GetObject", "key"), ("ListBucket", None), ("PutBucketPolicy", None)):
            self.check(DENY, tls, action, key, aws__securetransport="false")
            self.check(NEUTRAL, tls, action, key, aws__securetransport="true")

    def test_a_recent_tls_only(self) -> None:
        old = {"NumericLessThan": {"s3:TlsVersion": 1.2}}
        tls = [statement(Effect="Deny", Action="s3:*", Resource=[BUCKET, ALL], Condition=old)]
        self.check(DENY, tls, "GetObject", s3__tlsversion="1.1")
        self.check(NEUTRAL, tls, "GetObject", s3__tlsversion="1.2")
        self.check(NEUTRAL, tls, "GetObject", s3__tlsversion="1.3")

    def test_some_networks_only(self) -> None:
        place = {"NotIpAddress": {"aws:SourceIp": ["192.0.2.0/24", "2001:DB8:1234:5678::/64"]}}
        office = [statement(Effect="Deny", Action="s3:*", Resource=[BUCKET, ALL], Condition=place)]
        for address, expected in (("192.0.2.9", NEUTRAL), ("2001:db8:1234:5678::9", NEUTRAL), ("203.0.113.1", DENY)):
            self.check(expected, office, "GetObject", aws__sourceip=address)
        self.check(DENY, office, "GetObject")

    def test_a_network_but_for_an_address(self) -> None:
        place = {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}, "NotIpAddress": {"aws:SourceIp": "192.0.2.188/32"}}
        office = [statement(Action="s3:*", Condition=place)]
        self.assertFalse(is_public(bucket_policy(*office)))
        self.check(ALLOW, office, "GetObject", aws__sourceip="192.0.2.1")
        self.check(NEUTRAL, office, "GetObject", aws__sourceip="192.0.2.188")

    def test_links_from_a_site_only(self) -> None:
        sites = {"StringLike": {"aws:Referer": ["http://www.example.com/*", "http://example.com/*"]}}
        images = [statement(Condition=sites)]
        self.check(ALLOW, images, "GetObject", principal=ANONYMOUS, aws__referer="http://www.example.com/a")
        self.check(
            NEUTRAL, images, "GetObject", principal=ANONYMOUS, aws__referer="http://evil.example/?http://example.com/"
        )
        self.check(NEUTRAL, images, "GetObject", principal=ANONYMOUS)

    def test_a_home_for_each(self) -> None:
        prefix = {"StringLike": {"s3:prefix": ["", "home/${aws:username}/*"]}}
        homes = [
            statement(Action="s3:ListBucket", Resource=BUCKET, Condition=prefix),
            statement(Action=["s3:GetObject", "s3:PutObject"], Resource=f"{BUCKET}/home/${{aws:username}}/*"),
        ]
        for principal, other in ((ALICE, BOB), (BOB, ALICE)):
            name = principal.name
            self.check(ALLOW, homes, "PutObject", f"home/{name}/x", principal, aws__username=name)
            self.check(NEUTRAL, homes, "PutObject", f"home/{other.name}/x", principal, aws__username=name)
            self.check(ALLOW, homes, "ListBucket", None, principal, aws__username=name, s3__prefix=f"home/{name}/a")
            self.check(ALLOW, homes, "ListBucket", None, principal, aws__username=name, s3__prefix="")
            self.check(NEUTRAL, homes, "ListBucket", None, principal, aws__username=name, s3__prefix="home/")
            self.check(NEUTRAL, homes, "ListBucket", None, principal, aws__username=name)

    def test_short_listings(self) -> None:
        short = [
            statement(
                Action="s3:ListBucket", Resource=BUCKET, Condition={"NumericLessThanEquals": {"s3:max-keys": "10"}}
            )
        ]
        self.check(ALLOW, short, "ListBucket", None, s3__max_keys="10")
        self.check(NEUTRAL, short, "ListBucket", None, s3__max_keys="11")
        self.check(NEUTRAL, short, "ListBucket", None)

    def test_objects_by_their_tags(self) -> None:
        tag = {"StringEquals": {"s3:ExistingObjectTag/environment": "production"}}
        tagged = [statement(Action=["s3:GetObject", "s3:GetObjectVersion"], Condition=tag)]
        self.assertIs(ask(bucket_policy(*tagged), keys={"s3:existingobjecttag/environment": ("production",)}), ALLOW)
        self.check(NEUTRAL, tagged, "GetObject")

    def test_some_tags_only(self) -> None:
        names = {"ForAllValues:StringLike": {"s3:RequestObjectTagKeys": ["Owner", "CreationDate"]}}
        there = {"Null": {"s3:RequestObjectTagKeys": "false"}}
        tagging = [statement(Action="s3:PutObjectTagging", Condition={**names, **there})]
        self.check(ALLOW, tagging, "PutObjectTagging", s3__requestobjecttagkeys=("Owner",))
        self.check(NEUTRAL, tagging, "PutObjectTagging", s3__requestobjecttagkeys=("Owner", "Team"))
        self.check(NEUTRAL, tagging, "PutObjectTagging")

    def test_encrypted_uploads_only(self) -> None:
        other = {"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}}
        encrypted = [statement(Effect="Deny", Action="s3:PutObject", Condition=other), statement(Action="s3:PutObject")]
        self.check(ALLOW, encrypted, "PutObject", s3__x_amz_server_side_encryption="aws:kms")
        self.check(DENY, encrypted, "PutObject", s3__x_amz_server_side_encryption="AES256")
        self.check(DENY, encrypted, "PutObject")

    def test_copies_from_one_folder(self) -> None:
        source = {"StringLike": {"s3:x-amz-copy-source": "source/public/*"}}
        copies = [statement(Action="s3:PutObject", Condition=source)]
        self.check(ALLOW, copies, "PutObject", s3__x_amz_copy_source="source/public/a")
        self.check(NEUTRAL, copies, "PutObject", s3__x_amz_copy_source="source/private/a")
        self.check(NEUTRAL, copies, "PutObject")

    def test_conditional_writes_only(self) -> None:
        bare = {"Null": {"s3:if-none-match": "true"}, "Bool": {"s3:ObjectCreationOperation": "true"}}
        writes = [statement(Effect="Deny", Action="s3:PutObject", Condition=bare)]
        self.check(DENY, writes, "PutObject", s3__objectcreationoperation="true")
        self.check(NEUTRAL, writes, "PutObject", s3__objectcreationoperation="false")
        self.check(NEUTRAL, writes, "PutObject", s3__objectcreationoperation="true", s3__if_none_match="*")

    def test_short_retention(self) -> None:
        long = {"NumericGreaterThan": {"s3:object-lock-remaining-retention-days": "10"}}
        retention = [statement(Effect="Deny", Action="s3:PutObjectRetention", Condition=long)]
        self.check(DENY, retention, "PutObjectRetention", s3__object_lock_remaining_retention_days="11")
        self.check(NEUTRAL, retention, "PutObjectRetention", s3__object_lock_remaining_retention_days="10")

    def test_young_signatures_only(self) -> None:
        old = {"NumericGreaterThan": {"s3:signatureAge": 600000}}
        young = [statement(Effect="Deny", Action="s3:*", Condition=old)]
        self.check(DENY, young, "GetObject", s3__signatureage="600001")
        self.check(NEUTRAL, young, "GetObject", s3__signatureage="600000")
        self.check(NEUTRAL, young, "GetObject")

    def test_until_a_day(self) -> None:
        while_open = {
            "DateGreaterThan": {"aws:CurrentTime": "2026-01-01T00:00:00Z"},
            "DateLessThan": {"aws:CurrentTime": "2026-02-01T00:00:00Z"},
        }
        sale = [statement(Condition=while_open)]
        self.check(ALLOW, sale, "GetObject", aws__currenttime="2026-01-15T12:00:00.000Z")
        self.check(NEUTRAL, sale, "GetObject", aws__currenttime="2026-02-01T00:00:00.000Z")

    def test_nobody_but_one(self) -> None:
        others = {"StringNotLike": {"aws:userid": [ALICE.canonical_id]}}
        mine = [statement(Effect="Deny", Action="s3:*", Resource=[BUCKET, ALL], Condition=others)]
        self.check(NEUTRAL, mine, "GetObject", aws__userid=ALICE.canonical_id)
        self.check(DENY, mine, "GetObject", principal=BOB, aws__userid=BOB.canonical_id)
