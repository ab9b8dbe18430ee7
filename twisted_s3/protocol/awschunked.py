"""The ``aws-chunked`` framing of bodies: signed or unsigned chunks, with or without trailer.

"Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks"
(https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html) and the page on trailers beside it.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Collection
from hashlib import sha256

from twisted_s3.errors import S3Error
from twisted_s3.protocol.sigv4 import Seed, mismatch

#: Signed chunks but for the last have at least this many bytes.
MIN_SIGNED_CHUNK = 8192
#: Bytes of one line of framing, and of all trailers together.
MAX_LINE = 1024
MAX_TRAILER = 4096

_SIGNATURE_TRAILER = b"x-amz-trailer-signature"
_EMPTY_SHA256 = sha256().hexdigest()
_CHUNK = re.compile(rb"[ \t]*([0-9a-fA-F]{1,16})[ \t]*(?:;[ \t]*chunk-signature[ \t]*=[ \t]*([^; \t]*)[ \t]*)?\r\n")
_TRAILER = re.compile(rb"[ \t]*([!-9;-~]+)[ \t]*:[ \t]*(.*?)[ \t]*\r?\n", re.DOTALL)

#: A state takes the data and where it is in it, adds pieces, and gives where the next state goes on.
_State = Callable[["Decoder", bytes, int, list[bytes]], int]


class Decoder:
    """Takes the framing off and verifies it. Holds back no more than one line of framing.

    :ivar trailers: lower-case name to value, complete after :meth:`finish`; of a repeated one the last.
    """

    def __init__(self, length: int, seed: Seed | None = None, trailers: Collection[str] | None = None) -> None:
        """
        :param length: of the decoded body.
        :param seed: where the chain of chunk signatures begins; None for unsigned chunks.
        :param trailers: the lower-case names of those that must come; None for a body without trailer part.
        """
        self.trailers: dict[str, str] = {}
        self._length = length
        self._seed = seed
        self._previous = "" if seed is None else seed.signature
        self._expected = trailers
        self._received = 0
        self._left = 0
        self._chunks = 0
        self._chunk_size = 0
        self._signature = b""
        self._hash = sha256()
        self._line = bytearray()
        self._trailer_text = b""
        self._trailer_size = 0
        self._trailer_signed = seed is None or trailers is None
        self._state: _State = Decoder._chunk_header

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes as sent; give the pieces of the decoded body in them.

        :raise S3Error: ``IncompleteBody``, ``SignatureDoesNotMatch``, ``InvalidChunkSizeError``,
            ``MalformedTrailerError``.
        """
        pieces: list[bytes] = []
        at, end = 0, len(data)
        while at < end:
            at = self._state(self, data, at, pieces)
        return pieces

    def finish(self) -> None:
        """Say that the body has ended.

        :raise S3Error: ``IncompleteBody``, ``MalformedTrailerError``.
        """
        # AWS does not insist on the last empty line.
        ended = self._state in (Decoder._trailer, Decoder._last_line, Decoder._nothing)
        if not ended or self._line or self._received != self._length:
            raise self._incomplete()
        if not self._trailer_signed:
            raise S3Error("IncompleteBody")
        for name in self._expected or ():
            if name not in self.trailers:
                raise S3Error("MalformedTrailerError")

    def _incomplete(self) -> S3Error:
        return S3Error(
            "IncompleteBody",
            elements={"NumberBytesExpected": str(self._length), "NumberBytesProvided": str(self._received)},
        )

    def _take_line(self, data: bytes, at: int, limit: int) -> tuple[bytes | None, int]:
        """A whole line with its end, or None while there is none yet."""
        newline = data.find(b"\n", at, at + limit)
        stop = len(data) if newline < 0 else newline + 1
        if len(self._line) + stop - at > limit:
            raise S3Error("IncompleteBody")
        if newline < 0:
            self._line += data[at:stop]
            return None, stop
        line = bytes(self._line) + data[at:stop]
        self._line.clear()
        return line, stop

    def _chunk_header(self, data: bytes, at: int, pieces: list[bytes]) -> int:
        line, at = self._take_line(data, at, MAX_LINE)
        if line is None:
            return at
        match = _CHUNK.fullmatch(line)
        if match is None:
            raise S3Error("IncompleteBody")
        size = int(match[1], 16)
        if (match[2] is not None) != (self._seed is not None):
            raise S3Error("IncompleteBody" if self._seed is None else "SignatureDoesNotMatch")
        if self._received + size > self._length:
            raise self._incomplete()
        if size and self._seed is not None and self._chunks and self._chunk_size < MIN_SIGNED_CHUNK:
            raise S3Error(
                "InvalidChunkSizeError",
                elements={"Chunk": str(self._chunks + 1), "BadChunkSize": str(self._chunk_size)},
            )
        self._signature = match[2]
        self._chunks += 1
        self._chunk_size = self._left = size
        self._hash = sha256()
        if size:
            self._state = Decoder._chunk_data
            return at
        self._check_chunk()
        self._state = Decoder._last_line if self._expected is None else Decoder._trailer
        return at

    def _chunk_data(self, data: bytes, at: int, pieces: list[bytes]) -> int:
        stop = min(len(data), at + self._left)
        piece = data if at == 0 and stop == len(data) else data[at:stop]
        if self._seed is not None:
            self._hash.update(piece)
        self._left -= len(piece)
        self._received += len(piece)
        pieces.append(piece)
        if not self._left:
            self._check_chunk()
            self._state = Decoder._chunk_end
        return stop

    def _chunk_end(self, data: bytes, at: int, pieces: list[bytes]) -> int:
        line, at = self._take_line(data, at, 2)
        if line is not None:
            if line != b"\r\n":
                raise S3Error("IncompleteBody")
            self._state = Decoder._chunk_header
        return at

    def _check_chunk(self) -> None:
        seed = self._seed
        if seed is None:
            return
        text = (
            f"AWS4-HMAC-SHA256-PAYLOAD\n{seed.timestamp}\n{seed.scope}\n{self._previous}\n"
            f"{_EMPTY_SHA256}\n{self._hash.hexdigest()}"
        )
        self._previous = self._check(seed, text, self._signature)

    def _check(self, seed: Seed, text: str, provided: bytes) -> str:
        to_sign = text.encode("ascii")
        signature = seed.sign(to_sign)
        if not hmac.compare_digest(signature.encode("ascii"), provided):
            raise mismatch(seed.access_key, to_sign, provided.decode("latin-1"))
        return signature

    def _last_line(self, data: bytes, at: int, pieces: list[bytes]) -> int:
        line, at = self._take_line(data, at, 2)
        if line is not None:
            if line != b"\r\n":
                raise S3Error("IncompleteBody")
            self._state = Decoder._nothing
        return at

    def _nothing(self, data: bytes, at: int, pieces: list[bytes]) -> int:
        raise S3Error("IncompleteBody")

    def _trailer(self, data: bytes, at: int, pieces: list[bytes]) -> int:
        line, at = self._take_line(data, at, MAX_LINE)
        if line is None:
            return at
        if line == b"\r\n":
            self._state = Decoder._nothing
            return at
        self._trailer_size += len(line)
        match = _TRAILER.fullmatch(line)
        if match is None or self._trailer_size > MAX_TRAILER:
            raise S3Error("MalformedTrailerError")
        name = match[1].lower()
        if name == _SIGNATURE_TRAILER and not self._trailer_signed:
            self._check_trailer(match[2])
            self._state = Decoder._last_line
            return at
        key = name.decode("ascii")
        if key not in (self._expected or ()):
            raise S3Error("MalformedTrailerError")
        self._trailer_text += b"%b:%b\n" % (name, match[2])
        self.trailers[key] = match[2].decode("latin-1")
        return at

    def _check_trailer(self, provided: bytes) -> None:
        seed = self._seed
        assert seed is not None
        digest = sha256(self._trailer_text or b"\n").hexdigest()
        text = f"AWS4-HMAC-SHA256-TRAILER\n{seed.timestamp}\n{seed.scope}\n{self._previous}\n{digest}"
        self._check(seed, text, provided)
        self._trailer_signed = True
