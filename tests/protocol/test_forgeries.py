"""Requests that were tampered with after they were signed: each is refused, with the code that S3 gives."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from hashlib import sha256

from msgspec import structs
from twisted.trial.unittest import SynchronousTestCase

from tests.protocol.signing import MODES, REGION, USER, crc32_text, receive, refusal, signed, streaming, with_headers
from twisted_s3.protocol.head import RequestHead
from twisted_s3.protocol.sigv4 import SIGNED_CHUNKS, SIGNED_CHUNKS_TRAILER, UNSIGNED_CHUNKS_TRAILER

BODY = b"the body"
META = {"x-amz-meta-owner": "me", "content-type": "text/plain"}
PATH = "/bucket/key?partNumber=1&uploadId=abc"

Change = Callable[[RequestHead], RequestHead]
Table = Mapping[str, tuple[Change, str]]


def header(name: str, value: str | None) -> Change:
    """Another value of a header; None for no such header."""
    return lambda head: with_headers(head, **{name.replace("-", "_"): value})


def authorization(old: str, new: str) -> Change:
    """Another text in the header ``Authorization``."""

    def change(head: RequestHead) -> RequestHead:
        text = head.headers["authorization"][0]
        assert old in text
        return with_headers(head, authorization=text.replace(old, new, 1))

    return change


def flipped(head: RequestHead) -> RequestHead:
    """One bit of the last digit of the signature."""
    text = head.headers["authorization"][0]
    return with_headers(head, authorization=text[:-1] + f"{int(text[-1], 16) ^ 1:x}")


def truncated(head: RequestHead) -> RequestHead:
    """A signature without its last digit."""
    return with_headers(head, authorization=head.headers["authorization"][0][:-1])


def query(old: str, new: str) -> Change:
    """Another text in the query."""

    def change(head: RequestHead) -> RequestHead:
        text = head.query.decode("ascii")
        assert old in text, text
        return structs.replace(head, query=text.replace(old, new, 1).encode("ascii"))

    return change


def appended(text: str) -> Change:
    """One parameter more."""
    return lambda head: structs.replace(head, query=head.query + b"&" + text.encode("ascii"))


def path(raw: bytes) -> Change:
    """Another path."""
    return lambda head: structs.replace(head, path=raw)


def method(name: str) -> Change:
    """Another method."""
    return lambda head: structs.replace(head, method=name)


def earlier(head: RequestHead) -> RequestHead:
    """The request's time a minute back."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() - 60))
    return with_headers(head, x_amz_date=stamp)


def query_flipped(name: str) -> Change:
    """A parameter of which one character is another."""

    def change(head: RequestHead) -> RequestHead:
        text = head.query.decode("ascii")
        at = text.index(name + "=") + len(name) + 1
        letter = "b" if text[at] == "a" else "a"
        return structs.replace(head, query=(text[:at] + letter + text[at + 1 :]).encode("ascii"))

    return change


TODAY = time.strftime("%Y%m%d", time.gmtime())
MISMATCH = "SignatureDoesNotMatch"
MALFORMED = "AuthorizationHeaderMalformed"
BAD_QUERY = "AuthorizationQueryParametersError"

ANY: Table = {
    "another key": (path(b"/bucket/other"), MISMATCH),
    "another bucket": (path(b"/other/key"), MISMATCH),
    "a key below": (path(b"/bucket/key/"), MISMATCH),
    "an empty segment": (path(b"/bucket//key"), MISMATCH),
    "a dot segment": (path(b"/bucket/./key"), MISMATCH),
    "an escape escaped": (path(b"/bucket/%256bey"), MISMATCH),
    "replayed as DELETE": (method("DELETE"), MISMATCH),
    "replayed as GET": (method("GET"), MISMATCH),
    "parameter changed": (query("partNumber=1", "partNumber=2"), MISMATCH),
    "parameter removed": (query("partNumber=1&", ""), MISMATCH),
    "parameter renamed": (query("uploadId=", "uploadid="), MISMATCH),
    "sub-resource added": (appended("acl"), MISMATCH),
    "parameter repeated": (appended("partNumber=2"), MISMATCH),
    "meta header changed": (header("x-amz-meta-owner", "you"), MISMATCH),
    "content type changed": (header("content-type", "text/html"), MISMATCH),
}

V4_ANY: Table = {
    "another host": (header("host", "evil.example"), MISMATCH),
    "host removed": (header("host", None), MISMATCH),
    "meta header removed": (header("x-amz-meta-owner", None), MISMATCH),
    "meta header in other letters": (header("x-amz-meta-owner", "Me"), MISMATCH),
    "parameter added": (appended("x=1"), MISMATCH),
    "copy source added": (header("x-amz-copy-source", "/secret/key"), "AccessDenied"),
    "acl added": (header("x-amz-acl", "public-read"), "AccessDenied"),
    "token added": (header("x-amz-security-token", "t"), "AccessDenied"),
}

V4_HEADER: Table = {
    "one bit of the signature": (flipped, MISMATCH),
    "signature truncated": (truncated, MISMATCH),
    "signature extended": (
        lambda head: with_headers(head, authorization=head.headers["authorization"][0] + "0"),
        MISMATCH,
    ),
    "signature empty": (
        lambda head: with_headers(head, authorization=head.headers["authorization"][0].partition("Signature=")[0]),
        MALFORMED,
    ),
    "signature of zeros": (
        lambda head: with_headers(
            head, authorization=head.headers["authorization"][0].partition("Signature=")[0] + "Signature=" + "0" * 64
        ),
        MISMATCH,
    ),
    "signature not ASCII": (
        lambda head: with_headers(
            head, authorization=head.headers["authorization"][0].partition("Signature=")[0] + "Signature=\xe9"
        ),
        MISMATCH,
    ),
    "scope of another region": (authorization(f"/{REGION}/", "/us-west-2/"), MALFORMED),
    "scope of another service": (authorization("/s3/", "/iam/"), MALFORMED),
    "scope of another day": (authorization(f"/{TODAY}/", "/20200101/"), MALFORMED),
    "scope without end": (authorization("/aws4_request", ""), MALFORMED),
    "scope with another end": (authorization("/aws4_request", "/aws5_request"), MALFORMED),
    "another access key": (authorization(USER.access_key, "AKIAOTHER"), "InvalidAccessKeyId"),
    "meta no longer signed": (authorization(";x-amz-meta-owner", ""), "AccessDenied"),
    "host no longer signed": (authorization(";host;", ";"), "AccessDenied"),
    "content type no longer signed": (authorization("content-type;", ""), MISMATCH),
    "signed headers in capitals": (authorization("content-type;", "Content-Type;"), MISMATCH),
    "signed headers in another order": (authorization("content-type;host;", "host;content-type;"), MISMATCH),
    "a header signed that is not there": (authorization("content-type;", "content-md5;content-type;"), MISMATCH),
    "time changed": (earlier, MISMATCH),
    "time removed": (header("x-amz-date", None), "AccessDenied"),
    "payload hash changed": (header("x-amz-content-sha256", sha256(b"evil").hexdigest()), MISMATCH),
    "payload made unsigned": (header("x-amz-content-sha256", "UNSIGNED-PAYLOAD"), MISMATCH),
    "payload made streaming": (header("x-amz-content-sha256", UNSIGNED_CHUNKS_TRAILER), MISMATCH),
    "payload hash removed": (header("x-amz-content-sha256", None), "InvalidRequest"),
    "made Version 2": (header("authorization", f"AWS {USER.access_key}:AAAA"), MISMATCH),
    "made Basic": (header("authorization", "Basic QUtJQTpzZWNyZXQ="), "InvalidArgument"),
}

V4_QUERY: Table = {
    "one letter of the signature": (query_flipped("X-Amz-Signature"), MISMATCH),
    "signature empty": (query("X-Amz-Signature=", "X-Amz-Signature=&old="), MISMATCH),
    "signature removed": (query("X-Amz-Signature=", "old="), BAD_QUERY),
    "lifetime longer": (query("X-Amz-Expires=3600", "X-Amz-Expires=7200"), MISMATCH),
    "lifetime of a year": (query("X-Amz-Expires=3600", "X-Amz-Expires=31536000"), BAD_QUERY),
    "lifetime removed": (query("X-Amz-Expires=3600&", ""), BAD_QUERY),
    "another access key": (query(USER.access_key, "AKIAOTHER"), "InvalidAccessKeyId"),
    "scope of another region": (query(REGION, "us-west-2"), BAD_QUERY),
    "scope of another service": (query("%2Fs3%2F", "%2Fiam%2F"), BAD_QUERY),
    "scope of another day": (query(f"%2F{TODAY}%2F", "%2F20200101%2F"), BAD_QUERY),
    "another algorithm": (query("AWS4-HMAC-SHA256", "AWS4-HMAC-MD5"), BAD_QUERY),
    "meta no longer signed": (query("%3Bx-amz-meta-owner", ""), "AccessDenied"),
    "host no longer signed": (query("host%3B", ""), "AccessDenied"),
    "payload hash in a header": (header("x-amz-content-sha256", sha256().hexdigest()), "AccessDenied"),
    "payload hash in the query": (appended("X-Amz-Content-Sha256=" + sha256().hexdigest()), MISMATCH),
    "an Authorization header besides": (header("authorization", "AWS a:b"), "InvalidArgument"),
}

V2: Table = {
    "copy source added": (header("x-amz-copy-source", "/secret/key"), MISMATCH),
    "acl added": (header("x-amz-acl", "public-read"), MISMATCH),
    "token added": (header("x-amz-security-token", "t"), MISMATCH),
    "digest added": (header("content-md5", "AAAAAAAAAAAAAAAAAAAAAA=="), MISMATCH),
    "response header added": (appended("response-content-type=text/html"), MISMATCH),
}

V2_HEADER: Table = {
    "one letter of the signature": (authorization(":", ":A"), MISMATCH),
    "signature truncated": (truncated, MISMATCH),
    "signature empty": (header("authorization", f"AWS {USER.access_key}:"), "InvalidArgument"),
    "another access key": (authorization(USER.access_key, "AKIAOTHER"), "InvalidAccessKeyId"),
    "time changed": (
        lambda head: with_headers(head, date=time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() - 60))),
        MISMATCH,
    ),
    "time removed": (header("date", None), "AccessDenied"),
    "meta header removed": (header("x-amz-meta-owner", None), MISMATCH),
}

V2_QUERY: Table = {
    "one letter of the signature": (query("Signature=", "Signature=A"), MISMATCH),
    "signature empty": (query("Signature=", "Signature=&old="), "AccessDenied"),
    "signature removed": (query("Signature=", "old="), "AccessDenied"),
    "lifetime longer": (query("Expires=1", "Expires=2"), MISMATCH),
    "another access key": (query(USER.access_key, "AKIAOTHER"), "InvalidAccessKeyId"),
    "meta parameter changed, header dropped": (
        lambda head: with_headers(query("x-amz-meta-owner=me", "x-amz-meta-owner=you")(head), x_amz_meta_owner=None),
        MISMATCH,
    ),
}


class HeadTests(SynchronousTestCase):
    def refused(self, how: str, *tables: Table) -> None:
        for table in tables:
            for name, (change, code) in table.items():
                head = signed("PUT", PATH, META, BODY if how == "v4 header" else b"", how)
                self.assertEqual(receive(head, BODY)[0], BODY)
                changed = change(head)
                self.assertNotEqual(changed, head, name)
                try:
                    error = refusal(changed, BODY)
                except AssertionError:
                    self.fail(f"{how}: {name}: accepted")
                self.assertEqual(error.code, code, f"{how}: {name}: {error}")

    def test_v4_header(self) -> None:
        self.refused("v4 header", ANY, V4_ANY, V4_HEADER)

    def test_v4_query(self) -> None:
        self.refused("v4 query", ANY, V4_ANY, V4_QUERY)

    def test_v2_header(self) -> None:
        self.refused("v2 header", ANY, V2, V2_HEADER)

    def test_v2_query(self) -> None:
        self.refused("v2 query", ANY, V2, V2_QUERY)

    def test_late_and_early(self) -> None:
        now = time.time()
        for how, seconds, code in (
            ("v4 header", 901 + 5, "RequestTimeTooSkewed"),
            ("v4 header", -901 - 5, "RequestTimeTooSkewed"),
            ("v2 header", 901 + 5, "RequestTimeTooSkewed"),
            ("v2 header", -901 - 5, "RequestTimeTooSkewed"),
            ("v4 query", 3601 + 5, "AccessDenied"),
            ("v4 query", -901 - 5, "AccessDenied"),
            ("v2 query", 3601 + 5, "AccessDenied"),
        ):
            self.assertEqual(refusal(signed(how=how), now=now + seconds).code, code, (how, seconds))

    def test_someone_elses_key(self) -> None:
        other = structs.replace(USER, secret_key="another secret")
        for how in ("v4 header", "v4 query", "v2 header", "v2 query"):
            self.assertEqual(refusal(signed(how=how), user=other).code, MISMATCH)


BIG = [b"a" * 8192, b"b" * 8192, b"the end"]
Frames = list[bytes]


def replaced(at: int, old: bytes, new: bytes) -> Callable[[Frames], Frames]:
    """Other bytes in one of the pieces of a body."""

    def change(frames: Frames) -> Frames:
        assert old in frames[at]
        return [*frames[:at], frames[at].replace(old, new, 1), *frames[at + 1 :]]

    return change


INCOMPLETE = "IncompleteBody"
SIGNED_BODIES: Mapping[str, tuple[Callable[[Frames], Frames], str]] = {
    "one byte of the first chunk": (replaced(0, b"aaaa", b"aaba"), MISMATCH),
    "one byte of the last chunk": (replaced(2, b"end", b"enf"), MISMATCH),
    "chunks exchanged": (lambda frames: [frames[1], frames[0], *frames[2:]], MISMATCH),
    "chunk dropped": (lambda frames: [frames[0], *frames[2:]], MISMATCH),
    "chunk repeated": (lambda frames: [frames[0], frames[0], *frames[1:]], MISMATCH),
    "first chunk dropped": (lambda frames: frames[1:], MISMATCH),
    "last chunk dropped": (lambda frames: [*frames[:2], *frames[3:]], MISMATCH),
    "end dropped": (lambda frames: frames[:3], INCOMPLETE),
    "cut in a chunk": (lambda frames: [frames[0], frames[1][:5000]], INCOMPLETE),
    "nothing sent": (lambda frames: [], INCOMPLETE),
    "only the end": (lambda frames: frames[3:], MISMATCH),
    "chunk added": (
        lambda frames: [*frames[:3], b"1;chunk-signature=" + b"0" * 64 + b"\r\nx\r\n", *frames[3:]],
        INCOMPLETE,
    ),
    "chunk after the end": (lambda frames: [*frames, frames[0]], INCOMPLETE),
    "chunk signature changed": (replaced(0, b"signature=", b"signature=0"), MISMATCH),
    "chunk signature empty": (lambda frames: [b"2000;chunk-signature=\r\n" + BIG[0] + b"\r\n", *frames[1:]], MISMATCH),
    "chunk signature missing": (lambda frames: [b"2000\r\n" + BIG[0] + b"\r\n", *frames[1:]], MISMATCH),
    "chunk split in two": (
        lambda frames: [b"1000" + frames[0][4 : 4 + 83 + 4096] + b"\r\n" + frames[0][4 + 83 + 4096 :], *frames[1:]],
        MISMATCH,
    ),
    "sent without framing": (lambda frames: [b"".join(BIG)], INCOMPLETE),
}

TRAILERS: Mapping[str, tuple[Callable[[Frames], Frames], str]] = {
    "trailer of another body": (
        replaced(-2, crc32_text(b"".join(BIG)).encode("ascii"), crc32_text(b"other").encode("ascii")),
        "BadDigest",
    ),
    "trailer renamed": (replaced(-2, b"crc32", b"crc32c"), "MalformedTrailerError"),
    "trailer dropped": (lambda frames: [*frames[:-2], frames[-1]], "MalformedTrailerError"),
    "trailer added": (lambda frames: [*frames[:-1], b"x-amz-meta-owner:you\r\n", frames[-1]], "MalformedTrailerError"),
    "trailer cut": (lambda frames: [*frames[:-2], frames[-2][:20]], INCOMPLETE),
}


class BodyTests(SynchronousTestCase):
    def refused(self, mode: str, table: Mapping[str, tuple[Callable[[Frames], Frames], str]], **codes: str) -> None:
        head, frames = streaming(BIG, mode)
        self.assertEqual(receive(head, b"".join(frames))[0], b"".join(BIG))
        for name, (change, code) in table.items():
            error = refusal(head, b"".join(change(frames)))
            self.assertEqual(error.code, codes.get(name.replace(" ", "_"), code), f"{mode}: {name}: {error}")

    def test_signed_chunks(self) -> None:
        self.refused(SIGNED_CHUNKS, SIGNED_BODIES)

    def test_signed_chunks_with_trailer(self) -> None:
        self.refused(SIGNED_CHUNKS_TRAILER, SIGNED_BODIES)
        self.refused(
            SIGNED_CHUNKS_TRAILER,
            TRAILERS,
            trailer_of_another_body=MISMATCH,
            trailer_dropped=INCOMPLETE,
            trailer_added=INCOMPLETE,
        )

    def test_trailer_signature(self) -> None:
        self.refused(
            SIGNED_CHUNKS_TRAILER,
            {
                "signature changed": (replaced(-2, b"signature:", b"signature:0"), MISMATCH),
                "signature dropped": (
                    lambda frames: [*frames[:-2], frames[-2].partition(b"x-amz-trailer-sig")[0]],
                    INCOMPLETE,
                ),
                "signature first": (
                    lambda frames: [*frames[:-2], b"".join(reversed(frames[-2].splitlines(True)))],
                    MISMATCH,
                ),
            },
        )

    def test_unsigned_chunks_with_trailer(self) -> None:
        self.refused(UNSIGNED_CHUNKS_TRAILER, TRAILERS)
        self.refused(
            UNSIGNED_CHUNKS_TRAILER,
            {
                "one byte changed": (replaced(1, b"bbb", b"bab"), "BadDigest"),
                "chunks exchanged": (lambda frames: [frames[1], frames[0], *frames[2:]], "BadDigest"),
                "chunk dropped": (lambda frames: frames[1:], INCOMPLETE),
                "signature in the trailer": (
                    lambda frames: [*frames[:-1], b"x-amz-trailer-signature:" + b"0" * 64 + b"\r\n"],
                    "MalformedTrailerError",
                ),
            },
        )

    def test_body_of_another_request(self) -> None:
        for mode in (SIGNED_CHUNKS, SIGNED_CHUNKS_TRAILER):
            head, _ = streaming(BIG, mode)
            _, frames = streaming(BIG, mode, x_amz_meta_a="1")
            self.assertEqual(refusal(head, b"".join(frames)).code, MISMATCH)

    def test_mode_changed(self) -> None:
        for mode in MODES:
            head, frames = streaming(BIG, mode)
            for other in {*MODES, "UNSIGNED-PAYLOAD"} - {mode}:
                error = refusal(with_headers(head, x_amz_content_sha256=other), b"".join(frames))
                self.assertEqual(error.code, MISMATCH)

    def test_decoded_length_changed(self) -> None:
        for mode in MODES:
            head, frames = streaming(BIG, mode)
            error = refusal(with_headers(head, x_amz_decoded_content_length="1"), b"".join(frames))
            self.assertEqual(error.code, MISMATCH)

    def test_plain_body(self) -> None:
        head = signed("PUT", PATH, META, BODY)
        for body in (b"", BODY[:-1], BODY + b"\n", b"The body"):
            self.assertEqual(refusal(head, body).code, "XAmzContentSHA256Mismatch")
