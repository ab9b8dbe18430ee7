"""The framing ``aws-chunked``: what comes out of it, and what is refused."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.protocol.signing import MODES, check, make_head, streaming
from twisted_s3.errors import S3Error
from twisted_s3.protocol.awschunked import MAX_LINE, Decoder
from twisted_s3.protocol.sigv4 import SIGNED_CHUNKS, SIGNED_CHUNKS_TRAILER, Seed

PUBLISHED = 1369353600.0
BIG = b"x" * 8192


def published(payload: str, names: str, signature: str, **headers: str) -> Seed:
    """The request of a published example, verified."""
    lines = {
        "host": "s3.amazonaws.com",
        "x-amz-date": "20130524T000000Z",
        "x-amz-storage-class": "REDUCED_REDUNDANCY",
        "x-amz-content-sha256": payload,
        "content-encoding": "aws-chunked",
        "x-amz-decoded-content-length": "66560",
        **{name.replace("_", "-"): value for name, value in headers.items()},
        "authorization": "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
        f"SignedHeaders={names},Signature={signature}",
    }
    verified = check(make_head("PUT", "/examplebucket/chunkObject.txt", lines), now=PUBLISHED, region="us-east-1")
    assert verified is not None and verified.seed is not None
    return verified.seed


def body(*signatures: str) -> bytes:
    """A body of chunks with these signatures."""
    sizes = (65536, 1024, 0)
    frames = []
    for size, signature in zip(sizes, signatures, strict=True):
        frames.append(f"{size:x};chunk-signature={signature}\r\n".encode("ascii") + b"a" * size)
    return b"\r\n".join(frames)


class PublishedTests(SynchronousTestCase):
    def test_chunks(self) -> None:
        """The example of "Transferring Payload in Multiple Chunks"."""
        seed = published(
            SIGNED_CHUNKS,
            "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;"
            "x-amz-storage-class",
            "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
            content_length="66824",
        )
        decoder = Decoder(66560, seed)
        data = body(
            "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
            "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
            "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
        )
        self.assertEqual(len(data) + 2, 66824)
        self.assertEqual(b"".join(decoder.feed(data + b"\r\n")), b"a" * 66560)
        decoder.finish()

    def test_trailer(self) -> None:
        """The example of the page on trailers."""
        seed = published(
            SIGNED_CHUNKS_TRAILER,
            "content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;"
            "x-amz-trailer",
            "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
            x_amz_trailer="x-amz-checksum-crc32c",
        )
        decoder = Decoder(66560, seed, ["x-amz-checksum-crc32c"])
        data = body(
            "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
            "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
            "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
        )
        data += (
            b"x-amz-checksum-crc32c:sOO8/Q==\r\n"
            b"x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"
        )
        self.assertEqual(b"".join(decoder.feed(data)), b"a" * 66560)
        decoder.finish()
        self.assertEqual(decoder.trailers, {"x-amz-checksum-crc32c": "sOO8/Q=="})


def outcome(decoder: Decoder, data: bytes, cuts: list[int]) -> tuple[str, bytes]:
    """The error code or "", and what was decoded if there was none."""
    pieces: list[bytes] = []
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    try:
        for start, stop in pairwise(edges):
            pieces += decoder.feed(data[start:stop])
        decoder.finish()
    except S3Error as error:
        return error.code, b""
    return "", b"".join(pieces)


def decoder_for(pieces: list[bytes], mode: str) -> tuple[Decoder, bytes]:
    """A decoder for a body in a mode, and the body."""
    head, frames = streaming(pieces, mode)
    verified = check(head)
    assert verified is not None
    seed = verified.seed if mode in (SIGNED_CHUNKS, SIGNED_CHUNKS_TRAILER) else None
    trailers = None if mode == SIGNED_CHUNKS else ["x-amz-checksum-crc32"]
    return Decoder(sum(map(len, pieces)), seed, trailers), b"".join(frames)


class SplitTests(SynchronousTestCase):
    @settings(max_examples=80, deadline=None)
    @given(
        st.lists(st.just(BIG), max_size=2),
        st.binary(min_size=1, max_size=50),
        st.lists(st.integers(0, 20000), max_size=8),
        st.sampled_from(MODES),
    )
    def test_any_split(self, big: list[bytes], last: bytes, cuts: list[int], mode: str) -> None:
        decoder, data = decoder_for([*big, last], mode)
        self.assertEqual(outcome(decoder, data, cuts), ("", b"".join(big) + last))

    @settings(max_examples=80, deadline=None)
    @given(
        st.binary(min_size=1, max_size=30),
        st.integers(0, 400),
        st.integers(1, 255),
        st.lists(st.integers(0, 400), max_size=8),
        st.sampled_from(MODES),
    )
    def test_same_error_however_split(self, last: bytes, where: int, flip: int, cuts: list[int], mode: str) -> None:
        decoder, data = decoder_for([last], mode)
        broken = bytearray(data)
        broken[where % len(data)] ^= flip
        whole = outcome(decoder, bytes(broken), [])
        decoder, _ = decoder_for([last], mode)
        # The signatures differ when the clock ticks in between: then nothing is to be compared.
        if decoder_for([last], mode)[1] == data:
            self.assertEqual(outcome(decoder, bytes(broken), cuts), whole)

    def test_byte_by_byte(self) -> None:
        for mode in MODES:
            decoder, data = decoder_for([BIG, b"end"], mode)
            self.assertEqual(outcome(decoder, data, list(range(len(data)))), ("", BIG + b"end"))

    @given(st.binary(max_size=200), st.booleans(), st.booleans())
    def test_garbage(self, data: bytes, signed: bool, trailer: bool) -> None:
        seed = Seed("key", "0" * 64, b"k", "scope", "time") if signed else None
        code, _ = outcome(Decoder(1, seed, ["x-amz-checksum-crc32"] if trailer else None), data, [])
        self.assertIn(
            code,
            {"IncompleteBody", "SignatureDoesNotMatch", "MalformedTrailerError", "InvalidChunkSizeError"}
            | (set() if signed else {""}),
        )

    def test_passes_pieces_on(self) -> None:
        decoder = Decoder(1 << 20)
        decoder.feed(b"100000\r\n")
        piece = b"y" * 65536
        self.assertIs(decoder.feed(piece)[0], piece)


class FramingTests(SynchronousTestCase):
    def unsigned(self, data: bytes, length: int = 3, trailers: list[str] | None = None) -> str:
        return outcome(Decoder(length, None, trailers or []), data, [])[0]

    def test_accepted(self) -> None:
        for data in (
            b"3\r\nabc\r\n0\r\n\r\n",
            b"3\r\nabc\r\n0\r\n",
            b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n",
            b"03 \r\nabc\r\n000\r\n\r\n",
        ):
            self.assertEqual(self.unsigned(data), "", data)

    def test_incomplete(self) -> None:
        for data in (
            b"",
            b"abc",
            b"3\r\nabc",
            b"3\r\nabc\r\n",
            b"3\r\nabc\r\n0",
            b"3\r\nabc\r\n0\r\n\r",
            b"3\nabc\n0\n\n",
            b"3\rabc\r0\r\r",
            b"3\r\nabcX\r\n0\r\n\r\n",
            b"2\r\nab\r\n0\r\n\r\n",
            b"4\r\nabcd\r\n0\r\n\r\n",
            b"1\r\na\r\n0\r\n\r\n2\r\nbc\r\n0\r\n\r\n",
            b"-3\r\nabc\r\n0\r\n\r\n",
            b"+3\r\nabc\r\n0\r\n\r\n",
            b"0x3\r\nabc\r\n0\r\n\r\n",
            b"3;extra=1\r\nabc\r\n0\r\n\r\n",
            b"3;chunk-signature=00\r\nabc\r\n0\r\n\r\n",
            b"ffffffffffffffff\r\nabc",
            b"3\r\nabc\r\n0\r\n\r\nmore",
        ):
            self.assertEqual(self.unsigned(data), "IncompleteBody", data)

    def test_malformed_trailer(self) -> None:
        names = ["x-amz-checksum-crc32"]
        start = b"3\r\nabc\r\n0\r\n"
        for trailer in (
            b"",
            b"\r\n",
            b"nonsense\r\n\r\n",
            b":\r\n\r\n",
            b"x-amz-meta-a: b\r\n\r\n",
            b"x-amz-checksum-crc32: AAAAAA==\r\nbonus: 1\r\n\r\n",
            b"x-amz-checksum-crc32: AAAAAA==\r\n" * 200,
        ):
            self.assertEqual(self.unsigned(start + trailer, trailers=names), "MalformedTrailerError", trailer)

    def test_last_trailer_wins(self) -> None:
        decoder = Decoder(0, None, ["x-amz-checksum-crc32"])
        decoder.feed(b"0\r\nX-Amz-Checksum-CRC32 : first \r\nx-amz-checksum-crc32:last\r\n")
        decoder.finish()
        self.assertEqual(decoder.trailers, {"x-amz-checksum-crc32": "last"})

    def test_line_is_bounded(self) -> None:
        decoder = Decoder(3)
        with self.assertRaises(S3Error) as caught:
            for _ in range(MAX_LINE + 1):
                decoder.feed(b"0")
        self.assertEqual(caught.exception.code, "IncompleteBody")

    def test_small_chunk_in_the_middle(self) -> None:
        decoder, data = decoder_for([b"small", BIG], SIGNED_CHUNKS)
        with self.assertRaises(S3Error) as caught:
            decoder.feed(data)
        self.assertEqual(caught.exception.code, "InvalidChunkSizeError")
        self.assertEqual(caught.exception.elements, {"Chunk": "2", "BadChunkSize": "5"})

    def test_spaces_in_chunk_header(self) -> None:
        decoder, data = decoder_for([b"abc"], SIGNED_CHUNKS)
        spaced = data.replace(b";chunk-signature=", b" ; chunk-signature = ")
        self.assertEqual(outcome(decoder, spaced, []), ("", b"abc"))

    def test_signed_trailer_without_signature(self) -> None:
        decoder, data = decoder_for([b"abc"], SIGNED_CHUNKS_TRAILER)
        self.assertEqual(outcome(decoder, data[: data.index(b"x-amz-trailer-sig")], []), ("IncompleteBody", b""))
