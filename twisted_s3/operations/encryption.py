"""What operations do about server-side encryption: with what to encrypt, and leave to decrypt."""

from __future__ import annotations

import os
from typing import ClassVar

from msgspec import Struct, structs

from twisted_s3.discreet import Discreet
from twisted_s3.errors import S3Error
from twisted_s3.interfaces import IKeyService, IOpenedObject, IPayload
from twisted_s3.model import SSE_C, SSE_KMS, SSE_S3, Encryption, ObjectVersion, Upload
from twisted_s3.operations.call import Call
from twisted_s3.protocol.encryption.defaults import ENCRYPTION, BucketEncryption, parse_bucket_encryption
from twisted_s3.protocol.encryption.frames import stored_size
from twisted_s3.protocol.encryption.headers import (
    DEFAULT_KEY,
    PREFIX,
    SERVER_KEY,
    CustomerKey,
    Headers,
    Wanted,
    check_key_length,
    customer_key_of,
    encryption_headers,
    key_name,
    refuse_on_read,
    wanted_of,
)
from twisted_s3.protocol.encryption.sealing import KEY_BYTES, Decipher, SealedPayload, WrongKey, unwrap, wrap
from twisted_s3.protocol.head import RequestHead

_LOOPBACK = ("127.", "::1", "::ffff:127.")


class Sealing(Discreet, Struct, frozen=True):
    """With what an object, or the parts of an upload, are encrypted.

    :ivar encryption: None for not at all.
    :ivar headers: what to answer about it.
    """

    HIDDEN: ClassVar = ("data_key",)

    encryption: Encryption | None = None
    data_key: bytes = b""
    headers: Headers = ()

    def payload(self, payload: IPayload, number: int = 0) -> IPayload:
        """The payload that encrypts what another one gives. ``number`` is that of the part."""
        if self.encryption is None:
            return payload
        return SealedPayload(payload, self.data_key, self.encryption, number)

    def stored_size(self, size: int) -> int:
        """How many bytes are stored for so many."""
        return size if self.encryption is None else stored_size(size)


async def sealing_for(call: Call, head: RequestHead) -> Sealing:
    """With what a new object is encrypted: as its head says, or else its bucket.

    :raise S3Error: when the head asks for what can not be.
    """
    wanted = wanted_of(head)
    customer = _customer_key(call, head)
    rule = rule_of(call)
    if customer is not None:
        check_key_length(customer)
        if rule.blocks_customer_keys:
            raise _blocked()
        data_key = os.urandom(KEY_BYTES)
        encryption = Encryption(SSE_C, wrap(customer.key, data_key, SSE_C.encode()))
        return Sealing(encryption, data_key, customer.headers)
    if not wanted.kind:
        wanted = structs.replace(rule.default, bucket_key=_first(wanted.bucket_key, rule.default.bucket_key))
    elif wanted.kind == SSE_KMS and wanted.bucket_key is None:
        wanted = structs.replace(wanted, bucket_key=rule.default.bucket_key)
    return await _sealed_by_server(call, wanted) if wanted.kind else Sealing()


async def _sealed_by_server(call: Call, wanted: Wanted) -> Sealing:
    name, shown = SERVER_KEY, ""
    if wanted.kind == SSE_KMS:
        shown = wanted.key or f"alias/{DEFAULT_KEY}"
        name = key_name(shown)
        if name == SERVER_KEY:
            raise S3Error("KMS.NotFoundException", f"Invalid keyId '{shown}'")
    made = await _keys(call, wanted.kind).generate(name, wanted.context.encode())
    encryption = Encryption(
        kind=wanted.kind,
        wrapped=made.wrapped,
        key_id=made.key_id,
        name=shown,
        context=wanted.context,
        bucket_key=wanted.kind == SSE_KMS and bool(wanted.bucket_key),
    )
    return Sealing(encryption, made.plain, encryption_headers(encryption, written=True))


async def part_sealing(call: Call, upload: Upload) -> Sealing:
    """With what a part is encrypted: as its upload was begun.

    :raise S3Error: ``InvalidRequest`` when the request does not bring the key that the upload was begun with.
    """
    customer = check_upload_key(call, upload, required=True)
    encryption = upload.encryption
    if encryption is None:
        return Sealing()
    if customer is None:
        headers = encryption_headers(encryption)
        return Sealing(encryption, await _server_data_key(call, encryption), headers)
    if rule_of(call).blocks_customer_keys:
        raise _blocked()
    return Sealing(encryption, unwrap(customer.key, encryption.wrapped, SSE_C.encode()), customer.headers)


def check_upload_key(call: Call, upload: Upload, required: bool = False) -> CustomerKey | None:
    """Hold the customer's key of a request, if it brings one, against the one that an upload was begun with.

    :param required: whether it must bring it.
    :raise S3Error: ``InvalidRequest``.
    """
    customer = _customer_key(call, call.head)
    kind = None if upload.encryption is None else upload.encryption.kind
    if customer is None and (kind != SSE_C or not required):
        return None
    if customer is None or kind != SSE_C or upload.encryption is None:
        raise S3Error(
            "InvalidRequest",
            "The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate "
            "encryption parameters.",
        )
    try:
        unwrap(customer.key, upload.encryption.wrapped, SSE_C.encode())
    except WrongKey:
        raise S3Error(
            "InvalidRequest", "The provided encryption parameters did not match the ones used originally."
        ) from None
    return customer


async def unlock(call: Call, opened: IOpenedObject, prefix: str = PREFIX) -> Headers:
    """Have an opened object decrypted, if it is encrypted. Gives the headers that say how it is.

    :param prefix: of the headers with the customer's key: `SOURCE_PREFIX` for a copy's source.
    :raise S3Error: as `check_key`; ``InternalError`` or ``KMS.NotFoundException`` when the key is lost.
    """
    version = opened.version
    headers, data_key = _customer_checked(call, version, prefix)
    encryption = version.encryption
    if encryption is not None:
        if encryption.kind != SSE_C:
            data_key = await _server_data_key(call, encryption)
        opened.unlock(Decipher(data_key, version))
    return headers


def check_key(call: Call, version: ObjectVersion) -> Headers:
    """Leave to know of a version. Gives the headers that say how it is encrypted.

    :raise S3Error: ``InvalidRequest`` without a customer's key where it takes one, or with one where it does not,
        ``AccessDenied`` for another key.
    """
    return _customer_checked(call, version, PREFIX)[0]


def _customer_checked(call: Call, version: ObjectVersion, prefix: str) -> tuple[Headers, bytes]:
    """The headers to answer, and the key of the bytes where a customer's key opens it."""
    if prefix == PREFIX:
        refuse_on_read(call.head)
    customer = _customer_key(call, call.head, prefix)
    encryption = version.encryption
    if encryption is None or encryption.kind != SSE_C:
        if customer is not None:
            raise S3Error("InvalidRequest", "The encryption parameters are not applicable to this object.")
        return encryption_headers(encryption), b""
    if customer is None:
        raise S3Error(
            "InvalidRequest",
            "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to "
            "retrieve the object.",
        )
    try:
        return customer.headers, unwrap(customer.key, encryption.wrapped, SSE_C.encode())
    except WrongKey:
        raise S3Error(
            "AccessDenied",
            "Requests specifying Server Side Encryption with Customer provided keys must provide the correct secret "
            "key.",
        ) from None


def rule_of(call: Call) -> BucketEncryption:
    """The rule of the bucket of a call; the default of the server for what it leaves open."""
    document = None if call.bucket is None else call.bucket.configuration(ENCRYPTION)
    rule = BucketEncryption() if document is None else parse_bucket_encryption(document)
    if not rule.default.kind and call.services.defaults.encrypted:
        rule = structs.replace(rule, default=structs.replace(rule.default, kind=SSE_S3))
    return rule


async def _server_data_key(call: Call, encryption: Encryption) -> bytes:
    if not encryption.kind:
        raise S3Error("InternalError", "The object is encrypted, and the record of how was lost.")
    keys = _keys(call, encryption.kind)
    return await keys.unwrap(encryption.key_id, encryption.wrapped, encryption.context.encode())


def _keys(call: Call, kind: str) -> IKeyService:
    keys = call.services.named_keys if kind == SSE_KMS else call.services.server_keys
    if keys is None:
        raise S3Error("NotImplemented", elements={"Header": PREFIX})
    return keys


def _customer_key(call: Call, head: RequestHead, prefix: str = PREFIX) -> CustomerKey | None:
    customer = customer_key_of(head, prefix)
    if customer is not None and not _may_send_keys(call):
        raise S3Error(
            "InvalidRequest",
            "Requests specifying Server Side Encryption with Customer provided keys must be made over a secure "
            "connection.",
        )
    return customer


def _may_send_keys(call: Call) -> bool:
    """Whether the connection is fit for secrets."""
    where = call.services.customer_keys_over_http
    if call.head.secure or where == "always":
        return True
    address = call.origin.address
    return where == "loopback" and (not address or address.startswith(_LOOPBACK))


def _blocked() -> S3Error:
    return S3Error(
        "AccessDenied",
        "This bucket has blocked upload requests that specify Server Side Encryption with Customer provided keys "
        "(SSE-C). Please specify a different server-side encryption type",
    )


def _first(one: bool | None, other: bool | None) -> bool | None:
    return other if one is None else one
