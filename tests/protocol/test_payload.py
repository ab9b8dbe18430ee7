"""The body of a request against what its head promises."""

from __future__ import annotations

import hashlib
from base64 import b64encode

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.protocol.signing import MODES, check, crc32_text, make_head, receive, refusal, signed, streaming
from tests.protocol.signing import with_headers as changed
from tests.protocol.test_checksums import value_of
from twisted_s3.errors import S3Error
from twisted_s3.interfaces import IPayload
from twisted_s3.protocol.checksums import ALGORITHMS, header_name
from twisted_s3.protocol.head import RequestHead
from twisted_s3.protocol.payload import Payload, payload_for
from twisted_s3.protocol.sigv4 import SIGNED_CHUNKS, UNSIGNED_CHUNKS_TRAILER

BODY = b"the body"
SHA256 = hashlib.sha256(BODY).hexdigest()
MD5 = b64encode(hashlib.md5(BODY).digest()).decode("ascii")


def anonymous(**headers: str) -> RequestHead:
    """The head of a request that nobody signed."""
    pairs = {name.replace("_", "-"): value for name, value in headers.items()}
    return make_head("PUT", "/bucket/key", pairs)


def code(head: RequestHead, body: bytes = BODY) -> tuple[str, str]:
    """Code and message with which a body is refused."""
    error = refusal(head, body)
    return error.code, error.message


class PlainTests(SynchronousTestCase):
    def test_interface(self) -> None:
        verifyObject(IPayload, Payload())

    def test_nothing_expected(self) -> None:
        payload = Payload()
        piece = b"x" * 100000
        self.assertIs(payload.feed(piece)[0], piece)
        digest = payload.finish()
        self.assertEqual((digest.size, digest.md5), (100000, hashlib.md5(piece).hexdigest()))
        self.assertEqual(digest.checksums, {"CRC64NVME": value_of("CRC64NVME", piece)})

    def test_chosen_algorithms(self) -> None:
        payload = Payload(["SHA1", "CRC32"])
        payload.feed(BODY)
        self.assertEqual(payload.finish().checksums, {name: value_of(name, BODY) for name in ("CRC32", "SHA1")})
        self.assertEqual(Payload([]).finish().checksums, {})

    def test_anonymous(self) -> None:
        data, digest = receive(anonymous(content_length="8"), BODY)
        self.assertEqual((data, digest.size), (BODY, 8))
        self.assertEqual(list(digest.checksums), ["CRC64NVME"])

    def test_size(self) -> None:
        self.assertEqual(payload_for(anonymous(content_length="8"), None).size, 8)
        self.assertIsNone(payload_for(anonymous(transfer_encoding="chunked"), None).size)
        head, _ = streaming([BODY], SIGNED_CHUNKS)
        self.assertEqual(payload_for(changed(head, content_length="999"), check(head)).size, 8)

    def test_length(self) -> None:
        for length in ("7", "9"):
            error = refusal(anonymous(content_length=length), BODY)
            self.assertEqual(error.code, "IncompleteBody")
            self.assertEqual(error.elements, {"NumberBytesExpected": length, "NumberBytesProvided": "8"})
        for length in ("", "x", "-1", "+8", "8.0", "٨", "9" * 30):
            self.assertEqual(code(anonymous(content_length=length))[0], "InvalidArgument", length)

    def test_refuses_at_once_what_is_too_much(self) -> None:
        payload = payload_for(anonymous(content_length="3"), None)
        self.assertRaises(S3Error, payload.feed, BODY)


class DigestTests(SynchronousTestCase):
    def test_sha256(self) -> None:
        head = signed("PUT", body=BODY)
        self.assertEqual(receive(head, BODY)[0], BODY)
        error = refusal(head, BODY[:-1])
        self.assertEqual(error.code, "XAmzContentSHA256Mismatch")
        self.assertEqual(
            error.elements,
            {
                "ClientComputedContentSHA256": SHA256,
                "S3ComputedContentSHA256": hashlib.sha256(BODY[:-1]).hexdigest(),
            },
        )

    def test_sha256_of_anonymous(self) -> None:
        self.assertEqual(code(anonymous(x_amz_content_sha256="invalid"))[0], "XAmzContentSHA256Mismatch")

    def test_md5(self) -> None:
        receive(anonymous(content_md5=MD5), BODY)
        error = refusal(anonymous(content_md5=MD5), b"other")
        self.assertEqual(error.code, "BadDigest")
        self.assertEqual(error.message, "The Content-MD5 you specified did not match what we received.")
        self.assertEqual(error.elements["ExpectedDigest"], MD5)
        for value in ("", "x", SHA256, MD5[:-2], "é" * 24):
            self.assertEqual(code(anonymous(content_md5=value))[0], "InvalidDigest", value)

    def test_sha256_before_md5(self) -> None:
        error = refusal(anonymous(content_md5=MD5, x_amz_content_sha256=SHA256), b"other")
        self.assertEqual(error.code, "XAmzContentSHA256Mismatch")

    def test_checksum_header(self) -> None:
        for name in ALGORITHMS:
            head = make_head("PUT", "/b/k", {header_name(name): value_of(name, BODY)})
            self.assertEqual(receive(head, BODY)[1].checksums, {name: value_of(name, BODY)})
            self.assertEqual(
                code(head, b"other"),
                ("BadDigest", f"The {name} you specified did not match the calculated checksum."),
            )
            bad = make_head("PUT", "/b/k", {header_name(name): "AAAA"})
            self.assertEqual(code(bad), ("InvalidRequest", f"Value for {header_name(name)} header is invalid."))

    def test_several(self) -> None:
        text = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
        crc = crc32_text(BODY)
        self.assertEqual(code(anonymous(x_amz_checksum_crc32=crc, x_amz_checksum_sha1="x")), ("InvalidRequest", text))
        twice = make_head("PUT", "/b/k", [("x-amz-checksum-crc32", crc), ("x-amz-checksum-crc32", crc)])
        self.assertEqual(code(twice), ("InvalidRequest", text))
        head, _ = streaming([BODY], UNSIGNED_CHUNKS_TRAILER, x_amz_checksum_crc32=crc)
        self.assertEqual(code(head), ("InvalidRequest", text))

    def test_unknown(self) -> None:
        for headers in (
            {"x_amz_checksum_md4": "AAAA"},
            {"x_amz_sdk_checksum_algorithm": "MD4"},
            {"x_amz_checksum_algorithm": "MD4"},
            {"x_amz_trailer": "x-amz-checksum-md4", "x_amz_content_sha256": UNSIGNED_CHUNKS_TRAILER},
            {"x_amz_trailer": "x-amz-checksum-crc32"},
        ):
            self.assertEqual(code(anonymous(**headers))[0], "InvalidRequest", headers)

    def test_disagreement(self) -> None:
        head = anonymous(x_amz_sdk_checksum_algorithm="SHA256", x_amz_checksum_crc32=crc32_text(BODY))
        self.assertEqual(code(head), ("InvalidRequest", "Value for x-amz-sdk-checksum-algorithm header is invalid."))

    def test_asked_for(self) -> None:
        for header in ("x_amz_sdk_checksum_algorithm", "x_amz_checksum_algorithm"):
            digest = receive(anonymous(**{header: "sha1"}), BODY)[1]
            self.assertEqual(digest.checksums, {"SHA1": value_of("SHA1", BODY)})

    def test_extra(self) -> None:
        payload = payload_for(anonymous(x_amz_checksum_crc32=crc32_text(BODY)), None, ["CRC32C"])
        payload.feed(BODY)
        self.assertEqual(sorted(payload.finish().checksums), ["CRC32", "CRC32C"])

    def test_not_checksums(self) -> None:
        head = anonymous(x_amz_checksum_type="FULL_OBJECT", x_amz_checksum_mode="ENABLED")
        self.assertEqual(list(receive(head, BODY)[1].checksums), ["CRC64NVME"])


class StreamingTests(SynchronousTestCase):
    def test_modes(self) -> None:
        for mode in MODES:
            head, frames = streaming([b"x" * 8192, BODY], mode)
            data, digest = receive(head, b"".join(frames), 1000)
            self.assertEqual(data, b"x" * 8192 + BODY)
            self.assertEqual(digest.md5, hashlib.md5(data).hexdigest())
            self.assertIn("CRC64NVME" if mode == SIGNED_CHUNKS else "CRC32", digest.checksums)

    def test_empty(self) -> None:
        for mode in MODES:
            head, frames = streaming([], mode)
            self.assertEqual(receive(head, b"".join(frames))[0], b"")

    def test_anonymous(self) -> None:
        head = anonymous(x_amz_content_sha256=UNSIGNED_CHUNKS_TRAILER, x_amz_decoded_content_length="8")
        self.assertEqual(receive(head, b"8\r\nthe body\r\n0\r\n\r\n")[0], BODY)

    def test_signed_chunks_need_a_signature(self) -> None:
        head = anonymous(x_amz_content_sha256=SIGNED_CHUNKS, x_amz_decoded_content_length="8")
        self.assertEqual(code(head)[0], "InvalidRequest")

    def test_unknown_mode(self) -> None:
        self.assertEqual(code(anonymous(x_amz_content_sha256="STREAMING-ROT13"))[0], "NotImplemented")

    def test_decoded_length(self) -> None:
        for mode in MODES:
            head, frames = streaming([BODY], mode, x_amz_decoded_content_length=None)
            self.assertEqual(code(head, b"".join(frames))[0], "MissingContentLength")
            for length in ("7", "9"):
                head, frames = streaming([BODY], mode, x_amz_decoded_content_length=length)
                self.assertEqual(code(head, b"".join(frames))[0], "IncompleteBody")
            head, frames = streaming([BODY], mode, x_amz_decoded_content_length="eight")
            self.assertEqual(code(head, b"".join(frames))[0], "InvalidArgument")

    def test_trailer(self) -> None:
        head, frames = streaming([BODY], UNSIGNED_CHUNKS_TRAILER)
        wrong = [*frames[:2], b"x-amz-checksum-crc32:AAAAAA==\r\n", b"\r\n"]
        self.assertEqual(
            code(head, b"".join(wrong)),
            ("BadDigest", "The CRC32 you specified did not match the calculated checksum."),
        )
        malformed = [*frames[:2], b"x-amz-checksum-crc32:AAAA\r\n", b"\r\n"]
        self.assertEqual(
            code(head, b"".join(malformed)),
            ("InvalidRequest", "Value for x-amz-checksum-crc32 trailing header is invalid."),
        )
        self.assertEqual(code(head, b"".join(frames[:2]))[0], "MalformedTrailerError")

    def test_trailer_header(self) -> None:
        for value in ("x-amz-checksum-crc32,", "x-amz-checksum-crc32, ,", "X-Amz-Checksum-CRC32"):
            head, frames = streaming([BODY], UNSIGNED_CHUNKS_TRAILER, x_amz_trailer=value)
            receive(head, b"".join(frames))
        for value in (",x-amz-checksum-crc32", "x-amz-meta-a", ",", "x-amz-checksum-crc32,x-amz-meta-a"):
            head, frames = streaming([BODY], UNSIGNED_CHUNKS_TRAILER, x_amz_trailer=value)
            self.assertEqual(
                code(head, b"".join(frames)),
                ("InvalidRequest", "The value specified in the x-amz-trailer header is not supported"),
            )

    @settings(max_examples=100, deadline=None)
    @given(
        st.dictionaries(
            st.sampled_from(
                [
                    "x-amz-content-sha256",
                    "x-amz-trailer",
                    "x-amz-decoded-content-length",
                    "content-length",
                    "content-md5",
                    "x-amz-checksum-crc32",
                    "x-amz-checksum-sha256",
                    "x-amz-sdk-checksum-algorithm",
                    "x-amz-checksum-algorithm",
                ]
            ),
            st.sampled_from([*MODES, "CRC32", "x-amz-checksum-crc32", "4", "AAAAAA==", MD5]) | st.text(max_size=20),
            max_size=5,
        ),
        st.binary(max_size=30),
    )
    def test_garbage(self, headers: dict[str, str], body: bytes) -> None:
        try:
            payload = payload_for(make_head("PUT", "/b/k", headers), None)
            data = b"".join(payload.feed(body))
            self.assertEqual(payload.finish().size, len(data))
        except S3Error:
            pass
