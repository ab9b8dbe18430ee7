"""What an operation is given, and what it gives back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import msgspec
from msgspec import Struct, structs
from twisted.internet.interfaces import IReactorThreads, IReactorTime
from twisted.internet.threads import deferToThreadPool

from twisted_s3.errors import S3Error
from twisted_s3.interfaces import (
    Condition,
    IAuthorizer,
    IBody,
    ICredentials,
    IKeyService,
    IObjectStore,
    IOpenedObject,
    IStaged,
    Witness,
    unwitnessed,
)
from twisted_s3.model import Bucket, ByteRange, ObjectVersion, User
from twisted_s3.operations.announcing import Announcer, Origin
from twisted_s3.operations.notifying import Describe, Notifier, Source
from twisted_s3.operations.patience import Work
from twisted_s3.protocol.access.defaults import BucketDefaults
from twisted_s3.protocol.access.ownership import ENFORCED
from twisted_s3.protocol.access.request import AccessRequest
from twisted_s3.protocol.authentication import Authenticator, Verified
from twisted_s3.protocol.documentcache import DocumentCache
from twisted_s3.protocol.head import RequestHead
from twisted_s3.protocol.lifecycle.documents import parse_lifecycle
from twisted_s3.protocol.lifecycle.rules import Lifecycle
from twisted_s3.protocol.payload import Payload, payload_for
from twisted_s3.protocol.policy.actions import versioned
from twisted_s3.protocol.website import Website, parse_website
from twisted_s3.protocol.xmldocs import Owner

#: The largest document that a request may carry, in bytes, where its operation says nothing else.
DOCUMENT_LIMIT = 1024 * 1024

#: The largest that only holds a few short values, and the largest with up to a hundred of them, in bytes.
SHORT_DOCUMENT = 64 * 1024
MEDIUM_DOCUMENT = 256 * 1024

#: Larger documents are read in a thread, in bytes. This one takes a few milliseconds.
_INLINE_DOCUMENT = 16 * 1024

T = TypeVar("T")
S = TypeVar("S", bound=IStaged)

Headers = Iterable[tuple[str, str]]


class ObjectLimits(Struct, frozen=True):
    """What AWS allows (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html), in bytes.

    :ivar put: an object written, or a part, in one request.
    :ivar object: an object made of parts.
    :ivar part: the least size of a part that is not the last.
    """

    put: int = 5 * 1024**3
    object: int = 50 * 1024**4
    part: int = 5 * 1024**2


class Services(Struct, frozen=True):
    """What every operation of one server shares.

    :ivar notifier: queues the events that buckets ask for; None where there are no targets.
    :ivar keepalive: seconds after which a long operation begins its answer, and then between its signs of life.
    :ivar threads: whose threads read large documents; None: they are read where they come.
    :ivar server_keys: for ``AES256``; None while there is no such encryption.
    :ivar named_keys: for ``aws:kms``; None while there is no such encryption.
    :ivar customer_keys_over_http: whether customers' keys may come without TLS: ``always``, ``never`` or ``loopback``.
    :ivar lifecycles: the lifecycle configurations that were read last; ``websites`` the same of websites.
    """

    store: IObjectStore
    credentials: ICredentials
    authorizer: IAuthorizer
    clock: IReactorTime
    region: str = "us-east-1"
    limits: ObjectLimits = ObjectLimits()
    defaults: BucketDefaults = msgspec.field(default_factory=BucketDefaults)
    announcer: Announcer | None = None
    keepalive: float = 5.0
    threads: IReactorThreads | None = None
    server_keys: IKeyService | None = None
    named_keys: IKeyService | None = None
    customer_keys_over_http: str = "loopback"
    notifier: Notifier | None = None
    lifecycles: DocumentCache[[bytes, str], Lifecycle] = msgspec.field(
        default_factory=lambda: DocumentCache(parse_lifecycle)
    )
    websites: DocumentCache[[bytes], Website] = msgspec.field(default_factory=lambda: DocumentCache(parse_website))


class Download(Struct, frozen=True):
    """An opened object's bytes as the body of an answer. Whoever sends the answer closes the object."""

    opened: IOpenedObject
    range: ByteRange


class Answer(Struct, frozen=True):
    """An answer to a request. Without ``download`` and ``later`` the body is ``body``.

    :ivar later: comes to the answer whose document is the body, or to the error whose document is, when status and
        headers have long gone out.
    """

    status: int = 200
    headers: Headers = ()
    body: bytes = b""
    download: Download | None = None
    later: Work[Answer] | None = None


def document(body: bytes, headers: Headers = ()) -> Answer:
    """The answer that is an XML document."""
    return Answer(200, (*headers, ("Content-Type", "application/xml")), body)


class Moved(S3Error):
    """An object is no longer the one that somebody was let at: the decision has to be made anew."""

    def __init__(self) -> None:
        super().__init__("OperationAborted")


class Call(Struct):
    """One request that has been authenticated, authorised and matched to an operation.

    For a form the operation does the first two itself, and sets ``user`` and ``key``.

    :ivar authenticator: for an operation whose request the gate could not authenticate.
    :ivar bucket: the bucket that it is about; None at the level of the service, and when it is being created.
    :ivar bucket_name: its name, "" at the level of the service.
    :ivar key: the object's key, "" at the other levels.
    :ivar form: the head that the fields of a form come to; None for every other request.
    :ivar basis: the versions that decisions rest on, by bucket, key and the version id that was named.
    """

    services: Services
    authenticator: Authenticator
    head: RequestHead
    body: IBody
    verified: Verified | None
    user: User | None
    bucket_name: str = ""
    key: str = ""
    bucket: Bucket | None = None
    origin: Origin = msgspec.field(default_factory=Origin)
    form: RequestHead | None = None
    basis: dict[tuple[str, str, str | None], ObjectVersion | None] = {}

    @property
    def store(self) -> IObjectStore:
        """The object store."""
        return self.services.store

    @property
    def owner(self) -> str:
        """The canonical id of who asks, "" for nobody."""
        return "" if self.user is None else self.user.canonical_id

    def shown_owner(self, canonical_id: str) -> Owner:
        """Whom a document names as the owner with this canonical id."""
        user = self.services.credentials.get_owner(canonical_id)
        return Owner(canonical_id) if user is None else Owner(user.canonical_id, user.display_name)

    @property
    def bucket_owner(self) -> str:
        """The canonical id of the owner of the bucket; the administrator's for a folder that a person made."""
        owner = "" if self.bucket is None else self.bucket.owner
        user = self.services.credentials.get_owner(owner) if not owner else None
        return owner if user is None else user.canonical_id

    def object_owner(self, canonical_id: str) -> Owner:
        """Whom a document names as the owner of an object in the bucket, with this canonical id on record."""
        enforced = self.bucket is not None and self.services.defaults.ownership_of(self.bucket) == ENFORCED
        return self.shown_owner(self.bucket_owner if enforced or not canonical_id else canonical_id)

    async def authorize(
        self,
        action: str,
        bucket: Bucket | None = None,
        key: str | None = None,
        *,
        version_id: str | None = None,
        creates: bool = False,
        known: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        """Return when who asks may do something to a bucket, or to the object in it that ``key`` names.

        :param bucket: None: at the level of the service, or the bucket that is to be made.
        :param version_id: the version that is named, if one is.
        :param creates: whether the object is being made, so that the one that is there does not count.
        :param known: condition keys, by lower-case name, that the head does not tell.
        :raise S3Error: ``AccessDenied``.
        """
        name = self.bucket_name if bucket is None else bucket.name

        async def version() -> ObjectVersion | None:
            if key is None:
                return None
            place = (name, key, version_id)
            if place not in self.basis:
                self.basis[place] = await self.present(*place)
            return self.basis[place]

        request = AccessRequest(
            user=self.user,
            action=action if version_id is None else versioned(action),
            bucket=bucket,
            bucket_name=name,
            key=key,
            head=self.head if self.form is None else self.form,
            verified=self.verified,
            version=version,
            time=self.services.clock.seconds(),
            address=self.origin.address,
            creates=creates,
            authentication="" if self.form is None else "POST",
            known={**({} if version_id is None else {"s3:versionid": (version_id,)}), **(known or {})},
        )
        await self.services.authorizer.authorize(request)

    def hold(
        self,
        version: ObjectVersion | None,
        version_id: str | None = None,
        key: str | None = None,
        bucket: str | None = None,
    ) -> None:
        """Return when a version may be used: if what was authorised rests on a version, then on one like this.

        May be called in any thread.

        :param version: what was found where it counts: opened, or under the key's lock. None: nothing.
        :raise Moved: for another.
        """
        place = (self.bucket_name if bucket is None else bucket, self.key if key is None else key, version_id)
        if place in self.basis and _decisive(self.basis[place]) != _decisive(version):
            raise Moved

    def held(self, condition: Condition, version_id: str | None = None, key: str | None = None) -> Condition:
        """``condition``, and that what was authorised still holds."""
        if (self.bucket_name, self.key if key is None else key, version_id) not in self.basis:
            return condition

        def check(version: ObjectVersion | None) -> None:
            try:
                self.hold(version, version_id, key)
            except Moved:
                # A write whose condition fails is told that, as on AWS, and not that it met another.
                condition(version)
                raise
            condition(version)

        return check

    async def present(self, bucket: str, key: str, version_id: str | None) -> ObjectVersion | None:
        """The version of an object that is there, None if none is; ETag and checksums may be missing."""
        try:
            return await self.store.head_object(bucket, key, version_id, unread=True)
        except S3Error as error:
            if error.status >= 500:
                raise
            return None

    async def admit_absence(self, bucket: Bucket, key: str) -> None:
        """Return when who asks may know that a key is not there: who may list what begins with it.

        :raise S3Error: ``AccessDenied``.
        """
        await self.authorize("s3:ListBucket", bucket, known={"s3:prefix": (key,)})

    async def eventually(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """The answer that ``work`` comes to, an XML document; when that takes long, one that begins now.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html

        :raise S3Error: what ``work`` raises before the answer has begun.
        """
        under_way = Work(work, self.services.clock, self.services.keepalive)
        if await under_way.wait():
            return under_way.result()
        return structs.replace(document(b""), later=under_way)

    def witness(self, describe: Describe) -> Witness:
        """Who queues the events of a write to the bucket, together with it."""
        notifier = self.services.notifier
        if notifier is None or self.bucket is None:
            return unwitnessed
        return notifier.witness(Source(self.bucket, self.bucket_owner, self.owner, self.origin), describe)

    async def announce(
        self, event: str, key: str, version: ObjectVersion | None = None, version_id: str | None = None
    ) -> None:
        """Say that an object was created (``version``) or removed (``version_id``), which is committed."""
        announcer = self.services.announcer
        if announcer is not None:
            owner = "" if self.bucket is None else self.bucket.owner
            await announcer.announce(event, self.bucket_name, owner, key, version, self.owner, self.origin, version_id)

    def parameter(self, name: str) -> str | None:
        """A query parameter, None if absent."""
        return self.head.parameters.get(name)

    def payload(self, limit: int | None = None, algorithms: Iterable[str] = ()) -> Payload:
        """What decodes and verifies the body. Everything that the head says about the body is checked here.

        :param limit: the most bytes that the decoded body may have.
        :param algorithms: of checksums that must be computed whatever the client sends.
        :raise S3Error: ``EntityTooLarge``, and what :func:`payload_for` raises.
        """
        payload = payload_for(self.head, self.verified, algorithms)
        size = payload.size
        if limit is not None and size is not None and size > limit:
            raise _too_large(size, limit)
        return payload

    async def receive(self, staged: IStaged, limit: int | None = None) -> None:
        """Write the request's body to where it is staged, as fast as both sides can.

        :param limit: the most bytes as sent, for a body of undeclared length: `payload` holds the others to theirs.
        :raise S3Error: ``EntityTooLarge``.
        """
        received = 0
        while data := await self.body.read():
            received += len(data)
            if limit is not None and received > limit:
                raise _too_large(received, limit)
            await staged.write(data)

    async def document(self, limit: int = DOCUMENT_LIMIT) -> bytes:
        """The whole body, decoded and verified, of at most ``limit`` bytes.

        :raise S3Error: ``MaxMessageLengthExceeded``, and what the payload raises.
        """
        payload = self.payload()
        if (payload.size or 0) > limit:
            raise S3Error("MaxMessageLengthExceeded", elements={"MaxMessageLengthBytes": str(limit)})
        pieces: list[bytes] = []
        size = 0
        while data := await self.body.read():
            for piece in payload.feed(data):
                size += len(piece)
                pieces.append(piece)
            if size > limit:
                raise S3Error("MaxMessageLengthExceeded", elements={"MaxMessageLengthBytes": str(limit)})
        payload.finish()
        return b"".join(pieces)

    async def parsed(self, parse: Callable[[bytes], T], limit: int = DOCUMENT_LIMIT) -> T:
        """What ``parse`` makes of the whole body, in a thread where that takes long.

        :raise S3Error: as `document`, and what ``parse`` raises.
        """
        body = await self.document(limit)
        threads = self.services.threads
        if threads is None or len(body) <= _INLINE_DOCUMENT:
            return parse(body)
        return await deferToThreadPool(threads, threads.getThreadPool(), parse, body)


def _decisive(version: ObjectVersion | None) -> object:
    """What of a version can decide who may do what with it."""
    return None if version is None else (version.owner, version.properties.acl, version.properties.tags)


def _too_large(size: int, limit: int) -> S3Error:
    return S3Error("EntityTooLarge", elements={"ProposedSize": str(size), "MaxSizeAllowed": str(limit)})


@asynccontextmanager
async def discarding(staging: Awaitable[S]) -> AsyncIterator[S]:
    """The staged body or part, dropped at the end unless it was committed."""
    staged = await staging
    try:
        yield staged
    finally:
        await staged.discard()


#: An operation: what it is called with, what it answers.
Handler = Callable[[Call], Awaitable[Answer]]
