"""Who may do what, without policies: the administrator everything, others what they own."""

from __future__ import annotations

from zope.interface import implementer

from twisted_s3.errors import S3Error
from twisted_s3.interfaces import IAuthorizer
from twisted_s3.model import Bucket, User

#: What every user may do. Whose buckets a listing shows is for the operation to decide.
OPEN_ACTIONS = frozenset({"s3:ListAllMyBuckets", "s3:CreateBucket"})


@implementer(IAuthorizer)
class OwnerAuthorizer:
    """Every user may do everything in buckets that the user owns, and make some.

    A folder that a person made has no owner and belongs to the administrator, who may do everything everywhere.
    Nobody may do anything without a key.
    """

    def authorize(self, user: User | None, action: str, bucket: Bucket | None, key: str | None) -> None:
        """Return when ``user`` may do ``action``.

        :raise S3Error: ``AccessDenied``.
        """
        if user is None:
            raise S3Error("AccessDenied")
        if user.administrator or action in OPEN_ACTIONS:
            return
        if bucket is None or not bucket.owner or bucket.owner != user.canonical_id:
            raise S3Error("AccessDenied")
