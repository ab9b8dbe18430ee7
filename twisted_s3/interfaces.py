"""The contracts between the rooms of the house."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from zope.interface import Attribute, Interface

from twisted_s3.model import (
    UNLOCKED,
    Assembly,
    Bucket,
    ByteRange,
    DataKey,
    Deletion,
    Digest,
    Encryption,
    ObjectLock,
    ObjectVersion,
    Part,
    Properties,
    Upload,
    User,
)
from twisted_s3.protocol.events import Event
from twisted_s3.protocol.walks import KeyWalk, VersionWalk

if TYPE_CHECKING:
    from twisted_s3.protocol.access.request import AccessRequest

T = TypeVar("T")

#: Called with the current version of the key (None: there is none) under the key's lock, right before
#: the commit. Raises :class:`twisted_s3.errors.S3Error` to refuse it.
Condition = Callable[[ObjectVersion | None], None]

#: Called with the ids of all versions and delete markers of a key, the newest first, under the key's lock, right before
#: one of them is deleted. Raises :class:`twisted_s3.errors.S3Error` to refuse it.
Order = Callable[[Sequence[str]], None]


def always(current: ObjectVersion | None) -> None:
    """The :data:`Condition` that refuses nothing."""


def in_any_order(ids: Sequence[str]) -> None:
    """The :data:`Order` that refuses nothing."""


class Pending(Protocol):
    """A commit that a :data:`Witness` was told of. One of the two is called at its end, unless it fails half-way."""

    def committed(self) -> None:
        """It has been committed."""

    def withdrawn(self) -> None:
        """It is certain that it has not."""


#: Called with the committed parts of an upload, by number, which stay as they are meanwhile. Gives what to make of
#: them. May be called in any thread, and raise to leave the upload as it is.
Choice = Callable[[Sequence[Part]], Assembly]

#: Called under the key's lock, right before the commit, with the version that is about to be made or changed, or with
#: what is about to be deleted; it may block where the store may, and raise to prevent the commit.
Witness = Callable[[ObjectVersion | Deletion], Pending | None]


def unwitnessed(change: ObjectVersion | Deletion) -> None:
    """The :data:`Witness` that does nothing."""


class IPayload(Interface):
    """Turns the bytes of a body as sent into the bytes to be stored, and verifies them. Sans-IO.

    Used from one thread at a time, which need not be the reactor's.
    """

    def feed(data: bytes) -> Sequence[bytes]:
        """Take the next bytes as sent; give the bytes to be stored that they complete.

        :raise S3Error: when what was sent is not what was signed or declared.
        """

    def finish() -> Digest:
        """Say that the body has ended; give what its object bytes came to, with the last bytes to be stored.

        :raise S3Error: when the body is short, or any digest, checksum or signature does not match.
        """

    def adopt(known: Digest) -> Digest | None:
        """Give what `finish` would after bytes of which ``known`` is what they came to, and which are then stored as
        they are; None where they have to be fed.
        """


class IDecipher(Interface):
    """Decrypts one version. Used from any thread."""

    def read(stored: Callable[[int, int], bytes], offset: int, length: int) -> bytes:
        """The ``length`` bytes of the object from ``offset``.

        :param stored: gives, for offset and length, exactly those bytes of what is stored.
        :raise OSError: from ``stored``, or when they are not what was once encrypted.
        """


class IOpenedObject(Interface):
    """Metadata and bytes of one version, unaffected by later writes to its key. Must be closed."""

    version: ObjectVersion = Attribute("The version that was opened.")

    def unlock(decipher: IDecipher) -> None:
        """Have what is read from now on decrypted. Before that nothing of an encrypted version can be read."""

    def read(offset: int, length: int) -> Awaitable[bytes]:
        """Read exactly ``length`` bytes of the object from ``offset``, in the disk pool where it could block.

        :raise OSError: when they can not be read, or the file has become shorter, or is not what was encrypted.
        """

    def fileno() -> int | None:
        """A descriptor whose bytes are the object's, for ``sendfile``; None when there is none, or it is encrypted."""

    def prefetch(offset: int, length: int) -> Awaitable[None]:
        """Have bytes of the descriptor brought into memory, in the disk pool, so that sending them need not wait.

        :raise OSError: when they can not be read.
        """

    def close() -> None:
        """Let go of it. Further calls do nothing."""


class IStaged(Interface):
    """Bytes on their way to becoming an object or a part. Nothing of them can be seen before the commit."""

    def write(data: bytes) -> Awaitable[None]:
        """Take the next bytes as sent (through the payload). Wait for the result before the next call.

        :raise S3Error: from the payload, or when the disk refuses.
        """

    def copy_from(source: IOpenedObject, range: ByteRange) -> Awaitable[None]:
        """Take the bytes of ``range`` of an opened object. Use either this, once, or `write`."""

    def discard() -> Awaitable[None]:
        """Drop what was staged. Does nothing after a commit; may be called at any time, also twice."""


class IStagedBody(IStaged):
    """Bytes on their way to becoming an object."""

    def commit(
        key: str,
        properties: Properties,
        condition: Condition = always,
        owner: str = "",
        lock: ObjectLock = UNLOCKED,
        witness: Witness = unwitnessed,
    ) -> Awaitable[ObjectVersion]:
        """Verify the payload, then make bytes, metadata and key durable and visible in one step.

        In a versioned bucket what was current before becomes a noncurrent version.

        :raise S3Error: from the payload or from ``condition``; the key is then as before.
        """


class IStagedPart(IStaged):
    """Bytes on their way to becoming a part."""

    def commit() -> Awaitable[Part]:
        """Verify the payload, then put the part in place of an earlier one of the same number."""


class IObjectStore(Interface):
    """Where buckets and objects live. Every method may raise :class:`twisted_s3.errors.S3Error`:
    ``NoSuchBucket``, ``NoSuchKey``, ``NoSuchUpload`` where the thing is not there, ``InternalError``, ``SlowDown``
    or ``ServiceUnavailable`` when the disk fails.
    """

    def start() -> Awaitable[None]:
        """Make ready, and clear what a crash left behind."""

    def stop() -> Awaitable[None]:
        """Wait for what is under way, then let go of threads and descriptors."""

    def list_buckets() -> Awaitable[Sequence[Bucket]]:
        """All buckets, by name."""

    def create_bucket(
        name: str,
        owner: str,
        region: str,
        object_lock: bool = False,
        configurations: Mapping[str, bytes] | None = None,
    ) -> Awaitable[Bucket]:
        """Make a bucket, in one step with its configuration documents.

        :param object_lock: whether its versions can be locked; then it is versioned, too.
        :raise S3Error: ``BucketAlreadyExists`` when there is one, whoever owns it.
        """

    def get_bucket(name: str) -> Awaitable[Bucket]:
        """:raise S3Error: ``NoSuchBucket``."""

    def change_bucket(name: str, change: Callable[[Bucket], Bucket]) -> Awaitable[Bucket]:
        """Replace what is recorded about a bucket in one step, between two commits of objects. ``change`` may refuse.

        It is durable and seen by all processes when this returns. :raise S3Error: ``NoSuchBucket``.
        """

    def get_configuration(bucket: str, name: str) -> Awaitable[bytes | None]:
        """A configuration document, None when the bucket has none of that name; as in ``Bucket.configurations``.

        :raise S3Error: ``NoSuchBucket``.
        """

    def put_configuration(bucket: str, name: str, document: bytes) -> Awaitable[None]:
        """Set a configuration document, as `change_bucket` does. :raise S3Error: ``NoSuchBucket``."""

    def delete_configuration(bucket: str, name: str) -> Awaitable[None]:
        """Remove a configuration document, if there is one. :raise S3Error: ``NoSuchBucket``."""

    def delete_bucket(name: str) -> Awaitable[None]:
        """:raise S3Error: ``BucketNotEmpty`` while it holds an object. Uploads that were begun go with it."""

    def open_object(bucket: str, key: str, version_id: str | None = None) -> Awaitable[IOpenedObject]:
        """Open the current version, or the one with ``version_id``.

        :raise S3Error: ``NoSuchKey``, which has the header ``x-amz-delete-marker`` when a delete marker hides the key;
            ``NoSuchVersion``; ``MethodNotAllowed`` for the version id of a delete marker, with all headers that the
            answer needs; ``InvalidArgument`` for what can be no version id.
        """

    def head_object(
        bucket: str, key: str, version_id: str | None = None, unread: bool = False
    ) -> Awaitable[ObjectVersion]:
        """The metadata of a version.

        :param unread: leave out ETag and checksums rather than read bytes to compute them.
        :raise S3Error: as `open_object`.
        """

    def stage(bucket: str, payload: IPayload) -> Awaitable[IStagedBody]:
        """Begin to write an object."""

    def change_object(
        bucket: str,
        key: str,
        change: Callable[[ObjectVersion], ObjectVersion],
        version_id: str | None = None,
        witness: Witness = unwitnessed,
    ) -> Awaitable[ObjectVersion]:
        """Replace the properties and the lock of a version in one step; all else stays. ``change`` may refuse.

        :raise S3Error: as `open_object`.
        """

    def rename_object(
        bucket: str,
        source: str,
        target: str,
        source_condition: Condition = always,
        condition: Condition = always,
        witness: Witness = unwitnessed,
        default_lock: ObjectLock = UNLOCKED,
    ) -> Awaitable[ObjectVersion]:
        """Give the current version of ``source`` the key ``target``, in place of what is there, in one commit.

        :param source_condition: is asked about ``source``, ``condition`` about ``target``.
        :param witness: is told of the version that ``target`` gets, and of the deletion of ``source``.
        :param default_lock: has the retention of a new version whose source has none.
        :raise S3Error: ``NoSuchKey``, or from the conditions; both keys are then as before.
        """

    def delete_object(
        bucket: str,
        key: str,
        condition: Condition = always,
        version_id: str | None = None,
        guard: Condition = always,
        owner: str = "",
        witness: Witness = unwitnessed,
        order: Order = in_any_order,
    ) -> Awaitable[Deletion]:
        """Remove the key, or with ``version_id`` that version for good; what is not there is no error.

        In a versioned bucket the key gets a delete marker. When the newest version or delete marker is removed, the
        next newest version is current again.

        :param condition: is asked about the current version, or the one with ``version_id``.
        :param guard: is asked, under the key's lock, about each version that is destroyed.
        :param owner: the canonical id of who makes the delete marker.
        :param order: is asked about the versions that the key has, when one with ``version_id`` is among them.
        :raise S3Error: from ``condition``, ``guard`` or ``order``, and the key is as before; ``NoSuchKey`` of a
            ``condition`` that meets a delete marker names that, as :meth:`open_object` does; ``InvalidArgument`` for
            what can be no version id.
        """

    def list_keys(
        bucket: str, page: Callable[[KeyWalk], T], shown: Callable[[T], Sequence[str]]
    ) -> Awaitable[tuple[T, Sequence[ObjectVersion]]]:
        """Run ``page`` over the keys where it may block, then load the metadata of those that ``shown`` names.

        Keys that vanish in between are left out.
        """

    def list_versions(bucket: str, page: Callable[[VersionWalk], T]) -> Awaitable[T]:
        """Run ``page`` over the versions and delete markers of all keys, where it may block."""

    def create_upload(
        bucket: str,
        key: str,
        properties: Properties,
        owner: str,
        checksum_algorithm: str = "",
        checksum_type: str = "",
        lock: ObjectLock = UNLOCKED,
        encryption: Encryption | None = None,
        before: str | None = None,
    ) -> Awaitable[Upload]:
        """Begin a multipart upload. What becomes of it is recorded as encrypted as ``encryption`` says.

        :param before: is written down: the mark of what the key has now.
        """

    def get_upload(bucket: str, key: str, upload_id: str) -> Awaitable[Upload]:
        """:raise S3Error: ``NoSuchUpload``."""

    def list_uploads(bucket: str) -> Awaitable[Sequence[Upload]]:
        """All uploads under way, by key, then by time of initiation, then by id."""

    def page_uploads(bucket: str, page: Callable[[Iterable[Upload]], T], after: str = "") -> Awaitable[T]:
        """Run ``page`` over all uploads under way, by id, where it may block.

        :param after: those with this id or a lesser one are left out.
        """

    def stage_part(
        bucket: str, key: str, upload_id: str, number: int, size: int, payload: IPayload
    ) -> Awaitable[IStagedPart]:
        """Begin to write a part of which ``size`` bytes are to be stored. :raise S3Error: ``NoSuchUpload``."""

    def list_parts(bucket: str, key: str, upload_id: str) -> Awaitable[Sequence[Part]]:
        """The committed parts, by number."""

    def complete_upload(
        bucket: str,
        key: str,
        upload_id: str,
        choose: Choice,
        condition: Condition = always,
        witness: Witness = unwitnessed,
        default_lock: ObjectLock = UNLOCKED,
    ) -> Awaitable[ObjectVersion]:
        """Make the object out of what ``choose`` takes of the committed parts, in one commit.

        :param choose: called once, in any thread, with all that are committed, or with those of the object that the
            upload has become already.
        :param default_lock: has the retention of an object whose upload has none.
        :raise S3Error: ``NoSuchUpload``, also for one that has become an object of other parts; from ``choose`` or
            ``condition``: the upload is then as before.
        """

    def abort_upload(bucket: str, key: str, upload_id: str) -> Awaitable[None]:
        """Drop an upload and its parts. :raise S3Error: ``NoSuchUpload``."""


class IKeyService(Interface):
    """Keys that encrypt the keys of objects: the keyring, or a key management service."""

    def generate(name: str, context: bytes) -> Awaitable[DataKey]:
        """A fresh key for an object, wrapped with the key that goes by ``name`` now.

        :param context: is needed again to unwrap it.
        :raise S3Error: ``KMS.NotFoundException``.
        """

    def unwrap(key_id: str, wrapped: bytes, context: bytes) -> Awaitable[bytes]:
        """The key of an object.

        :param key_id: as :attr:`DataKey.key_id` was.
        :raise S3Error: ``KMS.NotFoundException`` when that key is gone, ``InternalError`` when what was wrapped, or the
            context, is not the same any more.
        """


class INotes(Interface):
    """Short notes of jobs, for whichever process does the job next."""

    def load_note(name: str) -> Awaitable[bytes | None]:
        """The note of that name, None for none."""

    def save_note(name: str, note: bytes) -> Awaitable[None]:
        """Put a note in place of the last one of that name, durably, in one step."""


class ICredentials(Interface):
    """Who holds which key."""

    def get_user(access_key: str) -> Awaitable[User | None]:
        """The holder of an access key, or None."""

    def get_owner(canonical_id: str) -> User | None:
        """The user with this canonical id, None if unknown. For "", on what nobody owns: the administrator."""

    def get_by_email(email: str) -> User | None:
        """The user with this e-mail address, None if unknown."""


class IAuthorizer(Interface):
    """Who may do what."""

    def authorize(request: AccessRequest) -> Awaitable[None]:
        """Fire when the request may go on.

        :raise S3Error: ``AccessDenied``.
        """


class IForesight(Interface):
    """An authoriser that also knows who will be allowed nothing, before it is known what they want."""

    def might_allow(user: User | None, bucket: Bucket, actions: Collection[str]) -> bool:
        """Whether one of ``actions`` on some object in a bucket could be allowed. In doubt it could.

        :param user: None: anonymous.
        """


class IEventSink(Interface):
    """Hears of what happened to objects."""

    def notify(event: Event) -> Awaitable[None] | None:
        """An object was created or removed, and that is committed. Called in the thread of the reactor.

        The answer to the request waits for what this returns. Errors are logged; they undo nothing.
        """


class IBody(Interface):
    """The body of a request, on its way in."""

    length: int | None = Attribute("Bytes as the head declares them, before any decoding; None if it does not say.")

    def read() -> Awaitable[bytes]:
        """The next bytes as sent, ``b""`` at the end.

        :raise S3Error: ``RequestTimeout`` when they do not come in time.
        """
