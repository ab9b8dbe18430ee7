"""The body of a request: from bytes as sent to bytes of the object, verified against all that was said of them.

"Checking object integrity" in the Amazon S3 User Guide and "PutObject" in the Amazon S3 API Reference
(https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html).
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterable, Sequence

from msgspec import Struct
from zope.interface import implementer

from twisted_s3.errors import S3Error
from twisted_s3.interfaces import IPayload
from twisted_s3.model import Digest
from twisted_s3.protocol import checksums, sigv4
from twisted_s3.protocol.authentication import Verified
from twisted_s3.protocol.awschunked import Decoder
from twisted_s3.protocol.head import RequestHead

_LENGTH = re.compile("[0-9]{1,18}")
_TRAILER_MODES = (sigv4.SIGNED_CHUNKS_TRAILER, sigv4.UNSIGNED_CHUNKS_TRAILER)
_SIGNED_MODES = (sigv4.SIGNED_CHUNKS, sigv4.SIGNED_CHUNKS_TRAILER)
_NOT_CHECKSUMS = ("x-amz-checksum-algorithm", "x-amz-checksum-mode", "x-amz-checksum-type")
_SINGLE = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."


class Expectations(Struct, frozen=True):
    """What a client says that its body comes to. None and "" where it says nothing.

    :ivar size: of the object, in bytes.
    :ivar sha256: in hex.
    :ivar md5: in base64.
    :ivar algorithm: of the checksum that the client sends.
    :ivar checksum: its value; "" when that comes in the trailer.
    """

    size: int | None = None
    sha256: str | None = None
    md5: str | None = None
    algorithm: str | None = None
    checksum: str = ""


@implementer(IPayload)
class Payload:
    """A body under way.

    Without arguments it expects nothing and computes MD5 and CRC64NVME: the form for bodies that the server makes.

    :ivar size: the object's size in bytes when it is known beforehand, else None.
    """

    def __init__(
        self,
        algorithms: Iterable[str] = (checksums.DEFAULT,),
        expected: Expectations = Expectations(),
        decoder: Decoder | None = None,
    ) -> None:
        """
        :param algorithms: of the checksums to compute.
        :param decoder: takes off the framing; None when there is none.
        """
        self.size = expected.size
        self._expected = expected
        self._decoder = decoder
        self._received = 0
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha256 = None if expected.sha256 is None else hashlib.sha256()
        names = {*algorithms, expected.algorithm} if expected.algorithm else set(algorithms)
        self._checksums = {name: checksums.new(name) for name in sorted(names)}

    def feed(self, data: bytes) -> Sequence[bytes]:
        """See :meth:`IPayload.feed`."""
        pieces = [data] if self._decoder is None else self._decoder.feed(data)
        for piece in pieces:
            self._received += len(piece)
            self._md5.update(piece)
            if self._sha256 is not None:
                self._sha256.update(piece)
            for checksum in self._checksums.values():
                checksum.update(piece)
        if self.size is not None and self._received > self.size:
            raise self._wrong_size()
        return pieces

    def finish(self) -> Digest:
        """See :meth:`IPayload.finish`."""
        if self.size is not None and self._received != self.size:
            raise self._wrong_size()
        if self._decoder is not None:
            self._decoder.finish()
        self._check_sha256()
        self._check_md5()
        values = {name: checksum.value() for name, checksum in self._checksums.items()}
        if self._expected.algorithm is not None:
            self._check_checksum(self._expected.algorithm, values[self._expected.algorithm])
        return Digest(self._received, self._md5.hexdigest(), values)

    def adopt(self, known: Digest) -> Digest | None:
        """See :meth:`IPayload.adopt`."""
        expects = self._decoder is not None or self._expected != Expectations()
        if self._received or expects or not self._checksums.keys() <= known.checksums.keys():
            return None
        return Digest(known.size, known.md5, {name: known.checksums[name] for name in self._checksums})

    def _wrong_size(self) -> S3Error:
        return S3Error(
            "IncompleteBody",
            "You did not provide the number of bytes specified by the Content-Length HTTP header",
            {"NumberBytesExpected": str(self.size), "NumberBytesProvided": str(self._received)},
        )

    def _check_sha256(self) -> None:
        expected = self._expected.sha256
        if expected is not None and self._sha256 is not None and self._sha256.hexdigest() != expected.lower():
            raise S3Error(
                "XAmzContentSHA256Mismatch",
                elements={
                    "ClientComputedContentSHA256": expected,
                    "S3ComputedContentSHA256": self._sha256.hexdigest(),
                },
            )

    def _check_md5(self) -> None:
        expected = self._expected.md5
        computed = b64encode(self._md5.digest()).decode("ascii")
        if expected is not None and expected != computed:
            raise S3Error("BadDigest", elements={"ExpectedDigest": expected, "CalculatedDigest": computed})

    def _check_checksum(self, algorithm: str, computed: str) -> None:
        value = self._expected.checksum
        if not value and self._decoder is not None:
            name = checksums.header_name(algorithm)
            value = self._decoder.trailers[name]
            if not checksums.well_formed(algorithm, value):
                raise S3Error("InvalidRequest", f"Value for {name} trailing header is invalid.")
        if value != computed:
            raise S3Error("BadDigest", f"The {algorithm} you specified did not match the calculated checksum.")


def payload_for(head: RequestHead, verified: Verified | None, algorithms: Iterable[str] = ()) -> Payload:
    """The payload of a request, all its headers checked.

    :param verified: what the authenticator found; None for an anonymous request.
    :param algorithms: of checksums to compute besides the one that the client sends or asks for.
    :raise S3Error: ``InvalidRequest``, ``InvalidArgument``, ``InvalidDigest``, ``MissingContentLength``.
    """
    mode = head.header("x-amz-content-sha256") if verified is None else verified.payload
    streaming = mode is not None and mode.startswith("STREAMING-")
    if streaming and mode not in sigv4.PAYLOAD_MODES:
        raise S3Error("NotImplemented", elements={"Header": "x-amz-content-sha256"})
    sha256 = None if mode is None or streaming or mode == sigv4.UNSIGNED_PAYLOAD else mode
    algorithm, value, trailers = _declared_checksum(head, mode in _TRAILER_MODES)
    size = _length(head, "x-amz-decoded-content-length" if streaming else "content-length")
    expected = Expectations(size, sha256, _content_md5(head), algorithm, value)
    decoder = None
    if streaming:
        if size is None:
            raise S3Error("MissingContentLength")
        seed = None
        if mode in _SIGNED_MODES:
            seed = None if verified is None else verified.seed
            if seed is None:
                raise S3Error("InvalidRequest", f"{mode} needs a request that is signed with {sigv4.ALGORITHM}")
        decoder = Decoder(size, seed, trailers if mode in _TRAILER_MODES else None)
    wanted = {*algorithms, *_asked_for(head, algorithm)}
    if not wanted and algorithm is None:
        wanted.add(checksums.DEFAULT)
    return Payload(wanted, expected, decoder)


def _length(head: RequestHead, name: str) -> int | None:
    text = head.header(name)
    if text is None:
        return None
    if _LENGTH.fullmatch(text) is None:
        raise S3Error("InvalidArgument", elements={"ArgumentName": name, "ArgumentValue": text})
    return int(text)


def _content_md5(head: RequestHead) -> str | None:
    text = head.header("content-md5")
    if text is None:
        return None
    try:
        raw = b64decode(text, validate=True)
    except (Base64Error, ValueError):
        raw = b""
    if len(raw) != 16:
        raise S3Error("InvalidDigest", elements={"Content-MD5": text})
    return b64encode(raw).decode("ascii")


def _declared_checksum(head: RequestHead, trailer_allowed: bool) -> tuple[str | None, str, Sequence[str]]:
    """Algorithm and value of the client's checksum (no value when it comes later), and the trailers to come."""
    found = []
    for name, values in head.headers.items():
        if name.startswith("x-amz-checksum-") and name not in _NOT_CHECKSUMS:
            found += [(name, value) for value in values]
    trailers = _declared_trailers(head, trailer_allowed)
    if len(found) + len(trailers) > 1:
        raise S3Error("InvalidRequest", _SINGLE)
    if trailers:
        return checksums.algorithm_of(trailers[0]), "", trailers
    if not found:
        return None, "", ()
    name, value = found[0]
    algorithm = checksums.algorithm_of(name)
    if algorithm is None:
        raise S3Error("InvalidRequest", "The algorithm type you specified in x-amz-checksum- header is invalid.")
    if not checksums.well_formed(algorithm, value):
        raise S3Error("InvalidRequest", f"Value for {name} header is invalid.")
    return algorithm, value, ()


def _declared_trailers(head: RequestHead, allowed: bool) -> Sequence[str]:
    text = head.header("x-amz-trailer")
    if text is None:
        return ()
    # AWS takes commas after the names, not before or between them.
    names = [name.strip().lower() for name in text.rstrip(", ").split(",")]
    if not allowed or any(checksums.algorithm_of(name) is None for name in names):
        raise S3Error("InvalidRequest", "The value specified in the x-amz-trailer header is not supported")
    return names


def _asked_for(head: RequestHead, declared: str | None) -> Iterable[str]:
    """The algorithms that the client names without a value."""
    sdk = head.header("x-amz-sdk-checksum-algorithm")
    if sdk is not None:
        if sdk.upper() not in checksums.ALGORITHMS or declared not in (None, sdk.upper()):
            raise S3Error("InvalidRequest", "Value for x-amz-sdk-checksum-algorithm header is invalid.")
        yield sdk.upper()
    asked = head.header("x-amz-checksum-algorithm")
    if asked is not None:
        checksums.check_supported(asked.upper())
        if declared is None:
            yield asked.upper()
