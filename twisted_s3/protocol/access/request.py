"""What an authoriser is asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from msgspec import Struct

from twisted_s3.model import Bucket, ObjectVersion, User
from twisted_s3.protocol.authentication import Verified
from twisted_s3.protocol.head import RequestHead


class AccessRequest(Struct, frozen=True):
    """Somebody wants to do something.

    One HTTP request may be several of these: one for the source of a copy, one for each key that is to be deleted.

    :ivar user: None: anonymous.
    :ivar action: ``s3:GetObject``; the one for versions where a version is named.
    :ivar bucket: None at the level of the service, and for a bucket that is to be made.
    :ivar bucket_name: "" at the level of the service.
    :ivar key: None for the bucket itself.
    :ivar version: loads the version of the object that is there, None if none is. Called when the decision needs it.
    :ivar time: seconds since the epoch.
    :ivar address: of the sender, "" if unknown.
    :ivar creates: whether the object is being made, so that the one that is there does not count.
    :ivar authentication: ``POST`` for a form; else "", the head tells.
    :ivar known: condition keys, by lower-case name, that the head does not tell.
    """

    user: User | None
    action: str
    bucket: Bucket | None
    bucket_name: str
    key: str | None
    head: RequestHead
    verified: Verified | None
    version: Callable[[], Awaitable[ObjectVersion | None]]
    time: float = 0.0
    address: str = ""
    creates: bool = False
    authentication: str = ""
    known: Mapping[str, tuple[str, ...]] = {}
