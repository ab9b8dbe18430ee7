"""The headers of server-side encryption, as requests have them and as answers do.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/serv-side-encryption.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/specifying-s3-c-encryption.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/specifying-kms-encryption.html
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Sequence
from hmac import compare_digest
from typing import ClassVar

from msgspec import Struct

from twisted_s3.discreet import Discreet
from twisted_s3.errors import S3Error
from twisted_s3.model import SSE_C, SSE_KMS, SSE_S3, Encryption
from twisted_s3.protocol.encryption.sealing import KEY_BYTES
from twisted_s3.protocol.head import RequestHead

PREFIX = "x-amz-server-side-encryption"
SOURCE_PREFIX = f"x-amz-copy-source{PREFIX[5:]}"

#: The name of the server's own key, for ``AES256``.
SERVER_KEY = "sse-s3"
#: The name of the key for ``aws:kms`` where a request names none.
DEFAULT_KEY = "aws/s3"

_KEY_ID, _CONTEXT, _BUCKET_KEY = f"{PREFIX}-aws-kms-key-id", f"{PREFIX}-context", f"{PREFIX}-bucket-key-enabled"
_CUSTOMER = "Requests specifying Server Side Encryption with Customer provided keys must"
#: What AWS has beyond what is built.
_UNBUILT = ("aws:kms:dsse", "aws:fsx", "aws:backup")

Headers = Sequence[tuple[str, str]]


class CustomerKey(Discreet, Struct, frozen=True):
    """A key that a customer brings.

    :ivar key: as sent, of any length.
    :ivar md5: its MD5 in base64.
    """

    HIDDEN: ClassVar = ("key",)

    key: bytes
    md5: str

    @property
    def headers(self) -> Headers:
        """The headers that tell the customer that it was used."""
        return ((f"{PREFIX}-customer-algorithm", "AES256"), (f"{PREFIX}-customer-key-MD5", self.md5))


class Wanted(Discreet, Struct, frozen=True):
    """What a request, or a bucket, says of how an object is to be encrypted.

    :ivar kind: ``AES256`` or ``aws:kms``; "" where that is left open.
    :ivar key: the name of the key, as it was sent; "" for the default one.
    :ivar context: as it was sent; "" for none.
    :ivar bucket_key: None where it is left open.
    """

    HIDDEN: ClassVar = ("context",)

    kind: str = ""
    key: str = ""
    context: str = ""
    bucket_key: bool | None = None


def customer_key_of(head: RequestHead, prefix: str = PREFIX) -> CustomerKey | None:
    """The customer's key that a request brings; None when it brings none.

    Its length is not checked: of a key that opens an object that is part of the answer.

    :param prefix: `SOURCE_PREFIX` for the one of a copy's source.
    :raise S3Error: ``InvalidArgument``, ``InvalidEncryptionAlgorithmError``.
    """
    algorithm = head.header(f"{prefix}-customer-algorithm")
    key = head.header(f"{prefix}-customer-key")
    md5 = head.header(f"{prefix}-customer-key-md5")
    if algorithm is None and key is None and md5 is None:
        return None
    if not algorithm:
        raise _refused(f"{_CUSTOMER} provide a valid encryption algorithm.")
    if algorithm != "AES256":
        raise S3Error("InvalidEncryptionAlgorithmError", elements={"ArgumentName": PREFIX, "ArgumentValue": algorithm})
    if not key:
        raise _refused(f"{_CUSTOMER} provide an appropriate secret key.")
    if not md5:
        raise _refused(f"{_CUSTOMER} provide the client calculated MD5 of the secret key.")
    try:
        raw = b64decode(key, validate=True)
    except (Base64Error, ValueError):
        raise _refused("The secret key was invalid for the specified algorithm.") from None
    computed = b64encode(hashlib.md5(raw, usedforsecurity=False).digest()).decode("ascii")
    if not compare_digest(computed.encode(), md5.encode()):
        raise _refused("The calculated MD5 hash of the key did not match the hash that was provided.")
    return CustomerKey(raw, computed)


def check_key_length(key: CustomerKey) -> None:
    """:raise S3Error: ``InvalidArgument`` for a key that nothing can be encrypted with."""
    if len(key.key) != KEY_BYTES:
        raise _refused("The secret key was invalid for the specified algorithm.")


def wanted_of(head: RequestHead) -> Wanted:
    """What a write asks of the server's own keys.

    :raise S3Error: ``InvalidArgument``; ``NotImplemented`` for what AWS has and is not built.
    """
    kind = head.header(PREFIX)
    key, context, bucket_key = head.header(_KEY_ID), head.header(_CONTEXT), head.header(_BUCKET_KEY)
    if kind in _UNBUILT:
        raise S3Error("NotImplemented", elements={"Header": PREFIX})
    if kind not in (None, SSE_S3, SSE_KMS):
        raise _refused("The encryption method specified is not supported", kind)
    if kind is not None and f"{PREFIX}-customer-algorithm" in head.headers:
        raise _refused(
            "Server Side Encryption with Customer provided key is incompatible with the encryption method specified",
            kind,
        )
    if kind != SSE_KMS and (key is not None or context is not None):
        raise _refused(
            "Server Side Encryption with AWS KMS managed key requires HTTP header "
            "x-amz-server-side-encryption : aws:kms",
            kind,
        )
    _check_context(context)
    enabled = None if bucket_key is None else bucket_key.lower() == "true"
    return Wanted(kind or "", key or "", context or "", enabled)


def _check_context(context: str | None) -> None:
    if not context:
        return
    try:
        document = json.loads(b64decode(context, validate=True).decode("utf-8"))
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or not all(isinstance(value, str) for value in document.values()):
        raise S3Error(
            "InvalidArgument",
            f"The header '{_CONTEXT}' shall be Base64-encoded UTF-8 string holding JSON which represents a "
            "string-string map",
            {"ArgumentName": _CONTEXT, "ArgumentValue": context},
        )


def refuse_on_read(head: RequestHead) -> None:
    """Refuse the header that says how to encrypt where nothing is written. :raise S3Error: ``InvalidArgument``."""
    kind = head.header(PREFIX)
    if kind is not None:
        raise _refused(f"{PREFIX} header is not supported for this operation.", kind)


def brings_encryption(head: RequestHead) -> bool:
    """Whether a write says how to encrypt."""
    return any(name.startswith(PREFIX) for name in head.headers)


def key_name(text: str) -> str:
    """The name of a key out of its name, its alias, or the ARN of either."""
    resource = text.rpartition(":")[2] if text.startswith("arn:") else text
    return resource.removeprefix("key/").removeprefix("alias/")


def encryption_headers(encryption: Encryption | None, written: bool = False) -> Headers:
    """The headers that say how an object is encrypted, but for a customer's key.

    :param written: whether in answer to the write that said so.
    """
    if encryption is None or encryption.kind in (SSE_C, ""):
        return ()
    headers = [(PREFIX, encryption.kind)]
    if encryption.kind == SSE_KMS:
        headers.append((_KEY_ID, encryption.name))
        if written and encryption.context:
            headers.append((_CONTEXT, encryption.context))
        if encryption.bucket_key:
            headers.append((_BUCKET_KEY, "true"))
    return headers


def _refused(message: str, value: str | None = None) -> S3Error:
    return S3Error("InvalidArgument", message, {"ArgumentName": PREFIX, "ArgumentValue": value or "null"})
