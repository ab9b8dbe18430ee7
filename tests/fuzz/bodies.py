"""What is read from the body of a request: each takes one, and raises nothing but :class:`S3Error`."""

from __future__ import annotations

from functools import partial

from tests.fuzz.heads import NOW, PARTS, SIZE, VERSION, attempt
from tests.protocol import signing
from twisted_s3.errors import S3Error
from twisted_s3.model import COMPOSITE
from twisted_s3.protocol import multipart, postform, requestdocs
from twisted_s3.protocol.authentication import Authenticator
from twisted_s3.protocol.awschunked import Decoder
from twisted_s3.protocol.conditions import deletion_condition
from twisted_s3.protocol.formdata import FormParser, boundary_of
from twisted_s3.protocol.head import RequestHead
from twisted_s3.protocol.policy.documents import parse_bucket_policy, parse_user_policy
from twisted_s3.protocol.policy.evaluation import Policy, Request, evaluate
from twisted_s3.protocol.policy.principals import ANONYMOUS
from twisted_s3.protocol.policy.public import is_public
from twisted_s3.protocol.postpolicy import parse_policy
from twisted_s3.protocol.sigv4 import Seed

_AUTHENTICATOR = Authenticator(signing.REGION)
_SEED = Seed("key", "0" * 64, b"k" * 32, "20140513/eu-west-1/s3/aws4_request", "20140513T000000Z")
_KEYS = {"aws:sourceip": ("127.0.0.1",), "aws:currenttime": ("2014-05-13T16:53:20Z",), "s3:prefix": ("a",)}


def aws_chunked(data: bytes) -> None:
    """Chunks, signed and not, with and without a trailer; in one piece and in small ones."""
    step = 1 + (data[0] if data else 0) % 7
    for seed, trailers in ((_SEED, None), (_SEED, ["x-amz-checksum-crc32"]), (None, ["x-amz-checksum-crc32"])):
        pieces = [Decoder(SIZE, seed, trailers), Decoder(SIZE, seed, trailers)]
        outcomes = [_decoded(pieces[0], [data]), _decoded(pieces[1], _cut(data, step))]
        assert outcomes[0] == outcomes[1], outcomes


def _cut(data: bytes, step: int) -> list[bytes]:
    return [data[at : at + step] for at in range(0, len(data), step)]


def _decoded(decoder: Decoder, pieces: list[bytes]) -> tuple[str, bytes]:
    """How it ends, and the bytes of a body that was whole."""
    found: list[bytes] = []
    try:
        for piece in pieces:
            found += decoder.feed(piece)
        decoder.finish()
    except S3Error as error:
        return error.code, b""
    return "", b"".join(found)


def xml(data: bytes) -> None:
    """What is asked for in a document: a bucket, deletions, the parts of an object, a restoration."""
    attempt(
        partial(requestdocs.parse_create_bucket, data),
        partial(_delete, data),
        partial(_complete, data),
        partial(requestdocs.check_restore_request, data),
    )


def _delete(body: bytes) -> None:
    for entry in requestdocs.parse_delete(body).entries:
        condition = deletion_condition(entry.etag, entry.size, entry.last_modified)
        attempt(partial(condition, None), partial(condition, VERSION))


def _complete(body: bytes) -> None:
    wanted = requestdocs.parse_complete_multipart_upload(body)
    attempt(
        *(
            partial(multipart.check_part_claims, wanted, algorithm, kind)
            for algorithm in ("", "CRC32", "SHA256")
            for kind in (COMPOSITE, "FULL_OBJECT")
        ),
        partial(multipart.chosen_parts, wanted, PARTS, 5),
    )


def form(data: bytes) -> None:
    """A browser upload: its type, its fields, its file, the same in pieces of any size."""
    content_type, _, body = data.partition(b"\n")
    try:
        boundary = boundary_of(content_type.decode("latin-1"))
    except S3Error:
        boundary = b"boundary"
    whole, cut = _form(boundary, [body]), _form(boundary, _cut(body, 1 + len(data) % 5))
    assert whole == cut, (whole, cut)


def _form(boundary: bytes, pieces: list[bytes]) -> tuple[str, bytes]:
    parser = FormParser(boundary)
    found: list[bytes] = []
    try:
        for piece in pieces:
            found += parser.feed(piece)
        parser.finish()
    except S3Error as error:
        return error.code, b""
    attempt(partial(_read_fields, parser))
    return "", b"".join(found)


def _read_fields(parser: FormParser) -> None:
    fields = postform.expand(parser.fields, parser.filename or "")
    claim = _AUTHENTICATOR.claim_form(fields)
    if claim is not None:
        attempt(partial(_AUTHENTICATOR.verify_form, claim, signing.USER, NOW))
    postform.key_of(fields)
    postform.head_of(fields, RequestHead("POST", b"/bucket", b"", {}))
    (postform.redirect_of(fields, "bucket", VERSION) or "").encode("ascii")


def post_policy(data: bytes) -> None:
    """The policy of a browser upload."""
    policy = parse_policy(data.decode("latin-1"))
    policy.check({"key": "a", "content-type": "text/plain"}, "bucket", NOW)


def policy(data: bytes) -> None:
    """The policies of buckets and users, compiled and asked."""
    for parse in (partial(parse_bucket_policy, data, "bucket"), partial(parse_user_policy, data)):
        try:
            found: Policy = parse()
        except S3Error:
            continue
        is_public(found)
        for resource in ("arn:aws:s3:::bucket", "arn:aws:s3:::bucket/key"):
            evaluate(found.statements, Request(ANONYMOUS, "s3:GetObject", resource, _KEYS))
