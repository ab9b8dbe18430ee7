"""AES-256-GCM in frames: bytes in, bytes out. No files, no threads.

The construction is the one of STREAM (https://eprint.iacr.org/2015/189). Every segment has a key of its own, derived
by HKDF from the key of the object, a random salt and the number of the part; the nonce of a frame is its number, and
whether it is the last. So a frame that was changed, moved, left out, added or brought from elsewhere is not taken for
one, and neither is a segment without its end.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import structs
from zope.interface import implementer

from twisted_s3.interfaces import IDecipher, IPayload
from twisted_s3.model import SEALED_MAGIC, SSE_S3, ByteRange, Digest, Encryption, ObjectVersion, Sealed
from twisted_s3.protocol.encryption.frames import FRAME, HEAD, SALT, TAG, Layout, Segment

#: Bytes of every key.
KEY_BYTES = 32


class WrongKey(Exception):
    """A wrapped key does not open: the key or the context is another one, or it was changed."""


def wrap(key: bytes, data_key: bytes, bound: bytes) -> bytes:
    """Encrypt the key of an object.

    :param bound: what must be the same when it is unwrapped.
    """
    salt = os.urandom(SALT)
    return salt + AESGCM(_derived(key, salt, b"s3store key")).encrypt(bytes(12), data_key, bound)


def unwrap(key: bytes, wrapped: bytes, bound: bytes) -> bytes:
    """The key of an object. :raise WrongKey: when it does not open."""
    salt, sealed = wrapped[:SALT], wrapped[SALT:]
    try:
        return AESGCM(_derived(key, salt, b"s3store key")).decrypt(bytes(12), sealed, bound)
    except (InvalidTag, ValueError):
        raise WrongKey from None


def _derived(key: bytes, salt: bytes, purpose: bytes) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt, purpose).derive(key)


def _segment_key(data_key: bytes, salt: bytes, number: int) -> AESGCM:
    return AESGCM(_derived(data_key, salt, b"s3store part %d" % number))


def _nonce(frame: int, last: bool) -> bytes:
    return frame.to_bytes(11, "big") + (b"\1" if last else b"\0")


class Sealer:
    """Encrypts what is written in one go.

    :param number: of the part, 0 for an object that comes in one piece.
    """

    def __init__(self, data_key: bytes, number: int = 0) -> None:
        salt = os.urandom(SALT)
        self._key = _segment_key(data_key, salt, number)
        self._head = SEALED_MAGIC + salt
        self._waiting = bytearray()
        self._frame = 0
        self.size = 0

    def feed(self, pieces: Sequence[bytes]) -> Sequence[bytes]:
        """Take the next bytes; give what is to be stored. What may be the last frame is kept back."""
        sealed = self._begin()
        for piece in pieces:
            self._waiting += piece
        whole = max(0, len(self._waiting) - 1) // FRAME
        with memoryview(self._waiting) as waiting:
            for at in range(whole):
                with waiting[at * FRAME : (at + 1) * FRAME] as frame:
                    sealed.append(self._seal(frame, last=False))
        del self._waiting[: whole * FRAME]
        return self._counted(sealed)

    def finish(self) -> Sequence[bytes]:
        """Give the last bytes that are to be stored."""
        return self._counted([*self._begin(), self._seal(self._waiting, last=True)])

    def _begin(self) -> list[bytes]:
        head, self._head = self._head, b""
        return [head] if head else []

    def _seal(self, piece: bytearray | memoryview, last: bool) -> bytes:
        sealed = self._key.encrypt(_nonce(self._frame, last), piece, None)
        self._frame += 1
        return sealed

    def _counted(self, pieces: Sequence[bytes]) -> Sequence[bytes]:
        self.size += sum(map(len, pieces))
        return pieces


@implementer(IPayload)
class SealedPayload:
    """A payload whose bytes are encrypted once they are verified.

    The ETag stays the MD5 with the server's own key, as on AWS; with any other key it is random.
    """

    def __init__(self, payload: IPayload, data_key: bytes, encryption: Encryption, number: int = 0) -> None:
        self._payload = payload
        self._sealer = Sealer(data_key, number)
        self._encryption = encryption

    def feed(self, data: bytes) -> Sequence[bytes]:
        """See :meth:`IPayload.feed`."""
        return self._sealer.feed(self._payload.feed(data))

    def finish(self) -> Digest:
        """See :meth:`IPayload.finish`."""
        digest = self._payload.finish()
        rest = self._sealer.finish()
        etag = "" if self._encryption.kind == SSE_S3 else os.urandom(16).hex()
        return structs.replace(digest, sealed=Sealed(self._encryption, self._sealer.size, rest, etag))

    def adopt(self, known: Digest) -> Digest | None:
        """None: what is encrypted has to be seen."""
        return None


@implementer(IDecipher)
class Decipher:
    """Decrypts a version whose key is known."""

    def __init__(self, data_key: bytes, version: ObjectVersion) -> None:
        self._data_key = data_key
        self._layout = Layout.of(version)
        self._latest: tuple[int, AESGCM] | None = None

    def read(self, stored: Callable[[int, int], bytes], offset: int, length: int) -> bytes:
        """See :meth:`IDecipher.read`."""
        wanted = ByteRange(offset, offset + length)
        pieces = [piece for segment, span in self._layout.cut(wanted) for piece in self._segment(stored, segment, span)]
        data = b"".join(pieces)
        if len(data) != length:
            raise OSError(errno.EIO, "more bytes were asked for than there are")
        return data

    def _segment(self, stored: Callable[[int, int], bytes], segment: Segment, wanted: ByteRange) -> Iterator[bytes]:
        key = self._key(stored, segment)
        frames = segment.frames(wanted)
        place = segment.place(frames)
        sealed = memoryview(stored(place.start, place.length))
        for at, frame in enumerate(frames):
            piece = sealed[at * (FRAME + TAG) : (at + 1) * (FRAME + TAG)]
            try:
                plain = key.decrypt(_nonce(frame, frame == segment.last_frame), piece, None)
            except InvalidTag:
                raise _changed(frame, segment) from None
            first = frame * FRAME
            yield plain[max(wanted.start - first, 0) : wanted.stop - first]

    def _key(self, stored: Callable[[int, int], bytes], segment: Segment) -> AESGCM:
        latest = self._latest
        if latest is None or latest[0] != segment.stored:
            head = stored(segment.stored, HEAD)
            if not head.startswith(SEALED_MAGIC):
                raise _changed(0, segment)
            latest = segment.stored, _segment_key(self._data_key, head[len(SEALED_MAGIC) :], segment.number)
            self._latest = latest
        return latest[1]


def _changed(frame: int, segment: Segment) -> OSError:
    return OSError(errno.EBADMSG, f"frame {frame} of part {segment.number} is not what was encrypted")
