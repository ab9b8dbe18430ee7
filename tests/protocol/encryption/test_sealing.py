"""What is encrypted can be read again, in any piece, and nothing else is taken for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_s3.interfaces import IDecipher, IPayload
from twisted_s3.model import SSE_C, SSE_KMS, SSE_S3, DataKey, Encryption, ObjectVersion, Part, Sealed
from twisted_s3.protocol.encryption.frames import FRAME, HEAD, TAG, Layout, stored_size
from twisted_s3.protocol.encryption.headers import CustomerKey, Wanted
from twisted_s3.protocol.encryption.sealing import Decipher, SealedPayload, Sealer, WrongKey, unwrap, wrap
from twisted_s3.protocol.payload import Payload

KEY = bytes(range(32))
SIZES = st.sampled_from([0, 1, FRAME - 1, FRAME, FRAME + 1, 2 * FRAME, 2 * FRAME + 17, 5 * FRAME])


def pattern(size: int, seed: int = 0) -> bytes:
    """Bytes that tell where they are."""
    return b"".join((at * 8191 + seed).to_bytes(8, "big") for at in range(size // 8 + 1))[:size]


def seal(body: bytes, number: int = 0, piece: int = 50_000) -> bytes:
    """What is stored for a body that comes in pieces."""
    sealer = Sealer(KEY, number)
    stored = [b"".join(sealer.feed([body[at : at + piece]])) for at in range(0, len(body), piece)]
    return b"".join([*stored, *sealer.finish()])


def reader(stored: bytes) -> Callable[[int, int], bytes]:
    """Gives pieces of what is stored, as a store does."""

    def read(offset: int, length: int) -> bytes:
        piece = stored[offset : offset + length]
        if len(piece) != length:
            raise OSError("shorter")
        return piece

    return read


def version_of(sizes: Sequence[int], numbers: Sequence[int] = ()) -> ObjectVersion:
    """A version made of parts of these sizes, or of one piece."""
    parts = tuple(Part(number, size, "") for number, size in zip(numbers, sizes, strict=True)) if numbers else ()
    return ObjectVersion("k", sum(sizes), "", 0.0, parts=parts, encryption=Encryption(SSE_S3))


class Reading(SynchronousTestCase):
    """Pieces of what is stored are the same pieces of the object."""

    @given(SIZES, st.integers(1, 200_000), st.data())
    @settings(max_examples=60, deadline=None)
    def test_any_range_of_one_piece(self, size: int, piece: int, data: st.DataObject) -> None:
        body = pattern(size)
        stored = seal(body, piece=piece)
        self.assertEqual(len(stored), stored_size(size))
        decipher = Decipher(KEY, version_of([size]))
        for _ in range(4):
            start = data.draw(st.integers(0, size))
            stop = data.draw(st.integers(start, size))
            self.assertEqual(decipher.read(reader(stored), start, stop - start), body[start:stop])

    @given(st.lists(SIZES, min_size=1, max_size=4), st.data())
    @settings(max_examples=60, deadline=None)
    def test_any_range_of_parts(self, sizes: list[int], data: st.DataObject) -> None:
        numbers = sorted(data.draw(st.sets(st.integers(1, 10_000), min_size=len(sizes), max_size=len(sizes))))
        bodies = [pattern(size, number) for number, size in zip(numbers, sizes, strict=True)]
        stored = b"".join(seal(body, number) for number, body in zip(numbers, bodies, strict=True))
        body, decipher = b"".join(bodies), Decipher(KEY, version_of(sizes, numbers))
        for _ in range(4):
            start = data.draw(st.integers(0, len(body)))
            stop = data.draw(st.integers(start, len(body)))
            self.assertEqual(decipher.read(reader(stored), start, stop - start), body[start:stop])

    def test_beyond_the_end(self) -> None:
        """More than there is can not be read."""
        decipher = Decipher(KEY, version_of([10]))
        self.assertRaises(OSError, decipher.read, reader(seal(bytes(10))), 5, 6)

    def test_nothing_plain(self) -> None:
        """Nothing of the body is in what is stored, and the same body is never stored the same."""
        body = b"plain text " * 20_000
        first, second = seal(body), seal(body)
        self.assertNotIn(b"plain", first)
        self.assertEqual(first[:8], second[:8])
        self.assertNotIn(first[HEAD : HEAD + 64], second)

    def test_only_what_is_needed(self) -> None:
        """A range reads the frames that it lies in, and the head of the segment once."""
        stored, asked = seal(pattern(5 * FRAME)), []

        def read(offset: int, length: int) -> bytes:
            asked.append((offset, length))
            return stored[offset : offset + length]

        decipher = Decipher(KEY, version_of([5 * FRAME]))
        decipher.read(read, 3 * FRAME + 5, 10)
        decipher.read(read, FRAME - 1, 2)
        frame = FRAME + TAG
        self.assertEqual(asked, [(0, HEAD), (HEAD + 3 * frame, frame), (HEAD, 2 * frame)])


class Tampering(SynchronousTestCase):
    """What was changed is refused, never given."""

    body = pattern(2 * FRAME + 100)

    def refused(self, stored: bytes, sizes: Sequence[int] = (), numbers: Sequence[int] = (), key: bytes = KEY) -> None:
        """Nothing can be read of the part of the object that was touched."""
        version = version_of(sizes or [len(self.body)], numbers)
        self.assertRaises(OSError, Decipher(key, version).read, reader(stored), 0, version.size)

    @given(st.integers(0, stored_size(2 * FRAME + 100) - 1), st.integers(1, 255))
    @settings(max_examples=80, deadline=None)
    def test_any_byte(self, at: int, change: int) -> None:
        stored = bytearray(seal(self.body))
        stored[at] ^= change
        self.refused(bytes(stored))

    def test_every_region(self) -> None:
        """The first and the last byte of magic, salt, and each frame and its tag."""
        stored, frame = seal(self.body), FRAME + TAG
        edges = [
            0,
            7,
            8,
            HEAD - 1,
            HEAD,
            HEAD + FRAME - 1,
            HEAD + FRAME,
            HEAD + frame - 1,
            HEAD + frame,
            len(stored) - 1,
        ]
        for at in edges:
            self.refused(stored[:at] + bytes([stored[at] ^ 1]) + stored[at + 1 :])

    def test_order(self) -> None:
        """Frames that change places, or come twice."""
        stored, frame = seal(self.body), FRAME + TAG
        first, second = stored[HEAD : HEAD + frame], stored[HEAD + frame : HEAD + 2 * frame]
        rest = stored[HEAD + 2 * frame :]
        for frames in (second + first, first + first, second + second):
            self.refused(stored[:HEAD] + frames + rest)

    def test_shorter(self) -> None:
        """A file that was cut off between frames, with a record that says so."""
        stored = seal(self.body)
        for count in (1, 2):
            self.refused(stored[: HEAD + count * (FRAME + TAG)], [count * FRAME])
        self.refused(stored[:-1])

    def test_longer(self) -> None:
        """A record that tells of more frames than there were."""
        stored = seal(pattern(FRAME))
        self.refused(stored + stored[HEAD:], [2 * FRAME])

    def test_parts(self) -> None:
        """Parts that change places or numbers, and a part in place of a whole object."""
        first, second = seal(bytes(FRAME), 1), seal(bytes(FRAME), 2)
        sizes = (FRAME, FRAME)
        self.refused(second + first, sizes, (1, 2))
        self.refused(first + first, sizes, (1, 2))
        self.refused(first + second, sizes, (1, 3))
        self.refused(first, (FRAME,))

    def test_other_key(self) -> None:
        """Another key opens nothing."""
        self.refused(seal(self.body), key=bytes(32))


class Wrapping(SynchronousTestCase):
    """Keys of objects are encrypted themselves."""

    def test_round_trip(self) -> None:
        wrapped = wrap(KEY, b"d" * 32, b"bound")
        self.assertEqual(unwrap(KEY, wrapped, b"bound"), b"d" * 32)
        self.assertNotEqual(wrapped, wrap(KEY, b"d" * 32, b"bound"))

    def test_refusals(self) -> None:
        wrapped = wrap(KEY, b"d" * 32, b"bound")
        self.assertRaises(WrongKey, unwrap, bytes(32), wrapped, b"bound")
        self.assertRaises(WrongKey, unwrap, b"short", wrapped, b"bound")
        self.assertRaises(WrongKey, unwrap, KEY, wrapped, b"other")
        self.assertRaises(WrongKey, unwrap, KEY, b"", b"bound")
        for at in range(len(wrapped)):
            changed = wrapped[:at] + bytes([wrapped[at] ^ 1]) + wrapped[at + 1 :]
            self.assertRaises(WrongKey, unwrap, KEY, changed, b"bound")


class Payloads(SynchronousTestCase):
    """A body that is encrypted is verified, counted and summed as it came."""

    def finish(self, kind: str) -> tuple[bytes, Sealed | None, str, int]:
        payload = SealedPayload(Payload(), KEY, Encryption(kind))
        verifyObject(IPayload, payload)
        stored = b"".join([*payload.feed(b"hel"), *payload.feed(b"lo")])
        digest = payload.finish()
        return stored + b"".join(digest.rest), digest.sealed, digest.etag, digest.size

    def test_digest(self) -> None:
        md5 = "5d41402abc4b2a76b9719d911017c592"
        stored, sealed, etag, size = self.finish(SSE_S3)
        assert sealed is not None
        self.assertEqual((etag, size, sealed.size, len(stored)), (md5, 5, len(stored), stored_size(5)))
        self.assertEqual(Decipher(KEY, version_of([5])).read(reader(stored), 0, 5), b"hello")
        for kind in (SSE_C, SSE_KMS):
            self.assertRegex(self.finish(kind)[2], "^[0-9a-f]{32}$")
            self.assertNotEqual(self.finish(kind)[2], md5)

    def test_decipher(self) -> None:
        verifyObject(IDecipher, Decipher(KEY, version_of([5])))

    def test_no_segment_twice(self) -> None:
        """Parts of a layout lie behind each other."""
        segments = Layout.of(version_of([5, 0, FRAME], [1, 2, 7])).segments
        self.assertEqual([segment.start for segment in segments], [0, 5, 5])
        self.assertEqual([segment.stored for segment in segments], [0, stored_size(5), stored_size(5) + stored_size(0)])


class Secrets(SynchronousTestCase):
    """No key is in any ``repr``."""

    def test_repr(self) -> None:
        secret = b"0123456789abcdef" * 2
        shown = [
            DataKey(secret, secret, "id"),
            CustomerKey(secret, "md5"),
            Encryption(SSE_C, secret),
            structs.replace(version_of([5]), encryption=Encryption(SSE_KMS, secret, context="secret context")),
            Wanted(SSE_KMS, context="secret context"),
            Sealer(secret),
            Decipher(secret, version_of([5])),
        ]
        for one in shown:
            self.assertNotIn("0123456789", repr(one))
            self.assertNotIn("secret context", repr(one))
