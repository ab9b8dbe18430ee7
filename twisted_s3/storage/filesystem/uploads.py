"""Multipart uploads under way: a folder each, with a record of what the object is to be. May block.

::

    upload.json     the record
    grids/<g>       the bytes of parts: part n at offset (n - 1) * g
    slots/<n>       claimed by who writes part n into a grid, and locked while that is under way
    apart/<random>  the bytes of a part whose slot was taken
    parts/<n>       the record of a committed part: what it is, and where its bytes are
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from secrets import token_hex
from threading import Lock

from twisted_s3.errors import S3Error
from twisted_s3.model import Encryption, ObjectLock, Properties, Upload
from twisted_s3.storage.filesystem.buckets import Buckets
from twisted_s3.storage.filesystem.disk import IDisk
from twisted_s3.storage.filesystem.files import Files
from twisted_s3.storage.filesystem.layout import BUCKETS, BucketLayout
from twisted_s3.storage.filesystem.locks import Locks
from twisted_s3.storage.filesystem.record import dump_upload, load_upload

_ID = re.compile("[0-9a-f]{48}")
#: How many records are kept for the next page of a listing.
_KNOWN_UPLOADS = 4096


class Uploads:
    """The uploads of all buckets.

    :param now: gives the time of day, in seconds since the epoch.
    """

    def __init__(self, disk: IDisk, files: Files, locks: Locks, buckets: Buckets, now: Callable[[], float]) -> None:
        self._disk = disk
        self._files = files
        self._locks = locks
        self._buckets = buckets
        self._now = now
        self._known: dict[str, Upload] = {}
        self._guard = Lock()

    def create(
        self,
        bucket: BucketLayout,
        key: str,
        properties: Properties,
        owner: str,
        checksum_algorithm: str,
        checksum_type: str,
        lock: ObjectLock,
        encryption: Encryption | None,
        before: str | None,
    ) -> Upload:
        """Begin an upload. :raise S3Error: ``NoSuchBucket``."""
        upload = Upload(
            id=token_hex(24),
            key=key,
            initiated=self._now(),
            properties=properties,
            owner=owner,
            checksum_algorithm=checksum_algorithm,
            checksum_type=checksum_type,
            lock=lock,
            encryption=encryption,
            before=before,
        )
        with self._locks.bucket(bucket.name):
            self._buckets.require(bucket)
            self._files.save(dump_upload(upload), _record(bucket, upload.id), replace=False, top=BUCKETS)
        return upload

    def get(self, bucket: BucketLayout, key: str, upload_id: str) -> Upload:
        """:raise S3Error: ``NoSuchUpload``, ``NoSuchBucket``."""
        # The id is a client's: it must not become part of a path before it is known to be one of ours.
        upload = self._load(bucket, upload_id) if _ID.fullmatch(upload_id) else None
        if upload is None or upload.key != key:
            self._buckets.require(bucket)
            raise no_such_upload(upload_id)
        return upload

    def list(self, bucket: BucketLayout) -> Sequence[Upload]:
        """The uploads under way, by key, then by time of initiation, then by id. :raise S3Error: ``NoSuchBucket``."""
        return sorted(self.each(bucket), key=lambda upload: (upload.key, upload.initiated, upload.id))

    def each(self, bucket: BucketLayout, after: str = "") -> Iterator[Upload]:
        """The uploads under way whose id is greater than ``after``, by id. :raise S3Error: ``NoSuchBucket``."""
        self._buckets.require(bucket)
        try:
            names = [name.decode("ascii", "replace") for name, _ in self._disk.scan(bucket.uploads)]
        except FileNotFoundError:
            return
        for name in sorted(name for name in names if name > after and _ID.fullmatch(name)):
            upload = self._known_or_loaded(bucket, name)
            if upload is not None:
                yield upload

    def abort(self, bucket: BucketLayout, key: str, upload_id: str) -> None:
        """Drop an upload with its parts. :raise S3Error: ``NoSuchUpload``."""
        self.get(bucket, key, upload_id)
        try:
            with self._locks.upload(upload_id):
                self._files.remove_tree(bucket.upload(upload_id))
        except FileNotFoundError:
            raise no_such_upload(upload_id) from None

    def _known_or_loaded(self, bucket: BucketLayout, upload_id: str) -> Upload | None:
        """An upload whose folder is there. Its record never changes, so a page need not read those of all again."""
        with self._guard:
            known = self._known.get(upload_id)
        if known is None:
            known = self._load(bucket, upload_id)
            if known is not None:
                with self._guard:
                    self._known[upload_id] = known
                    if len(self._known) > _KNOWN_UPLOADS:
                        del self._known[next(iter(self._known))]
        return known

    def _load(self, bucket: BucketLayout, upload_id: str) -> Upload | None:
        raw = self._files.load(_record(bucket, upload_id))
        return None if raw is None else load_upload(raw, upload_id)


def no_such_upload(upload_id: str) -> S3Error:
    """The answer to an id that is not, or no longer, an upload's."""
    return S3Error("NoSuchUpload", elements={"UploadId": upload_id})


def _record(bucket: BucketLayout, upload_id: str) -> bytes:
    return bucket.upload(upload_id) + b"/upload.json"
