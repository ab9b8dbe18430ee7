from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_s3.access import OwnerAuthorizer
from twisted_s3.errors import S3Error
from twisted_s3.interfaces import IAuthorizer
from twisted_s3.model import Bucket, User

ADMIN = User("admin", "secret-of-admin", "a" * 64, administrator=True)
ALICE = User("alice", "secret-of-alice", "b" * 64)
BOB = User("bob", "secret-of-bob", "c" * 64)
#: A user that was given no canonical id, which must not make it the owner of folders that have none.
NOBODY = User("nobody", "secret-of-nobody", "")


class OwnerAuthorizerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.authorizer = OwnerAuthorizer()

    def allows(self, user: User | None, action: str, bucket: Bucket | None) -> bool:
        try:
            self.authorizer.authorize(user, action, bucket, "key" if bucket else None)
        except S3Error as error:
            self.assertEqual((error.code, error.status), ("AccessDenied", 403))
            return False
        return True

    def test_interface(self) -> None:
        verifyObject(IAuthorizer, self.authorizer)

    def test_owner(self) -> None:
        bucket = Bucket("b", 0, ALICE.canonical_id)
        allowed = [self.allows(user, "s3:PutObject", bucket) for user in (ADMIN, ALICE, BOB, NOBODY, None)]
        self.assertEqual(allowed, [True, True, False, False, False])

    def test_folder_made_by_hand_belongs_to_the_administrator(self) -> None:
        allowed = [self.allows(user, "s3:GetObject", Bucket("b", 0)) for user in (ADMIN, ALICE, NOBODY, None)]
        self.assertEqual(allowed, [True, False, False, False])

    def test_without_a_bucket(self) -> None:
        for action in ("s3:ListAllMyBuckets", "s3:CreateBucket"):
            self.assertEqual([self.allows(user, action, None) for user in (ADMIN, ALICE, None)], [True, True, False])
        self.assertEqual([self.allows(user, "s3:GetObject", None) for user in (ADMIN, ALICE)], [True, False])
