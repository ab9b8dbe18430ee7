"""PostObject: an HTML form that uploads a file, and that says in its fields who allows it and how."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import quote, urlencode

from msgspec import Struct, structs

from twisted_s3.errors import S3Error
from twisted_s3.interfaces import IStaged
from twisted_s3.model import ObjectVersion, Properties
from twisted_s3.operations.acl import new_object
from twisted_s3.operations.call import Answer, Call, discarding
from twisted_s3.operations.encryption import sealing_for
from twisted_s3.operations.headers import check_expected_owner, checksum_headers, etag_header, refuse_unbuilt
from twisted_s3.operations.lifecycle import expiration
from twisted_s3.operations.locking import default_lock, requested_lock, require_lock_digest
from twisted_s3.operations.notifying import making
from twisted_s3.operations.objects import check_early, condition_of
from twisted_s3.operations.versioning import made_header
from twisted_s3.protocol import postform
from twisted_s3.protocol.events import CREATED_POST
from twisted_s3.protocol.formdata import FormParser, boundary_of, malformed
from twisted_s3.protocol.head import RequestHead
from twisted_s3.protocol.payload import payload_for
from twisted_s3.protocol.postpolicy import PostPolicy, parse_policy
from twisted_s3.protocol.properties import properties_of
from twisted_s3.protocol.requestdocs import parse_tagging


class _Bounds(Struct, frozen=True):
    """The sizes that the file may have, in bytes."""

    smallest: int
    largest: int


async def post_object(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html

    The gate has let the request through unseen: sender and right are checked here, once the fields have come and
    before the file is taken in.
    """
    parser = FormParser(boundary_of(call.head.header("content-type")))
    if call.authenticator.claim(call.head) is not None:
        raise S3Error(
            "InvalidArgument",
            "Only one auth mechanism allowed; a form is authenticated by its fields",
            {"ArgumentName": "Authorization"},
        )
    begun = await _read_fields(call, parser)
    fields = postform.expand(parser.fields, parser.filename or "")
    call.key = postform.key_of(fields)
    policy = await _authenticate(call, fields)
    head = call.form = postform.head_of(fields, call.head)
    properties = await _properties(call, head, fields)
    await call.authorize("s3:PutObject", call.bucket, call.key)
    bounds = _bounds(call, policy)
    if call.bucket is not None:
        check_expected_owner(head, call.bucket)
    refuse_unbuilt(head)
    lock = await requested_lock(call)
    require_lock_digest(call, lock, "Post Object")
    made = await new_object(call, properties)
    condition = await condition_of(call, head)
    payload = payload_for(head, None)
    sealing = await sealing_for(call, head)
    await check_early(call, condition)
    async with discarding(call.store.stage(call.bucket_name, sealing.payload(payload))) as staged:
        await _receive_file(call, parser, begun, staged, bounds)
        lock = lock.with_default(default_lock(call))
        witness = call.witness(making(CREATED_POST))
        version = await staged.commit(call.key, made.properties, condition, made.owner, lock, witness)
    await call.announce(CREATED_POST, call.key, version)
    return _answer(call, fields, version, sealing.headers)


async def _read_fields(call: Call, parser: FormParser) -> Iterable[bytes]:
    """Read up to the file. Gives its first bytes."""
    pieces: Iterable[bytes] = ()
    while parser.filename is None:
        data = await call.body.read()
        if not data:
            raise malformed()
        pieces = parser.feed(data)
    return pieces


async def _authenticate(call: Call, fields: Mapping[str, str]) -> PostPolicy | None:
    """Find who signed the form, and hold it against its policy; None for an anonymous form."""
    claim = call.authenticator.claim_form(fields)
    if claim is None:
        return None
    now = call.services.clock.seconds()
    holder = await call.services.credentials.get_user(claim.access_key)
    call.user = call.authenticator.verify_form(claim, holder, now)
    policy = parse_policy(claim.policy)
    policy.check(fields, call.bucket_name, now)
    return policy


def _bounds(call: Call, policy: PostPolicy | None) -> _Bounds:
    largest = call.services.limits.put
    if policy is None:
        return _Bounds(0, largest)
    return _Bounds(policy.smallest, largest if policy.largest is None else min(policy.largest, largest))


async def _properties(call: Call, head: RequestHead, fields: Mapping[str, str]) -> Properties:
    """The properties of the new object; tags are there only by the right to set them."""
    properties = properties_of(head)
    tagging = fields.get("tagging", fields.get("x-amz-tagging"))
    if tagging is None:
        return properties
    tags = parse_tagging(tagging.encode("utf-8")) if tagging else {}
    # Policies look at the tags where PutObject has them.
    call.form = structs.replace(head, headers={**head.headers, "x-amz-tagging": [urlencode(tags)]})
    await call.authorize("s3:PutObjectTagging", call.bucket, call.key, creates=True)
    return structs.replace(properties, tags=tags)


async def _receive_file(
    call: Call, parser: FormParser, begun: Iterable[bytes], staged: IStaged, bounds: _Bounds
) -> None:
    """Write the file to where it is staged, and read the rest of the form.

    :raise S3Error: ``EntityTooLarge`` as soon as it is, ``EntityTooSmall``, ``MalformedPOSTRequest``.
    """
    received = 0
    pieces = begun
    while True:
        for piece in pieces:
            received += len(piece)
            if received > bounds.largest:
                sizes = {"ProposedSize": str(received), "MaxSizeAllowed": str(bounds.largest)}
                raise S3Error("EntityTooLarge", elements=sizes)
            await staged.write(piece)
        data = await call.body.read()
        if not data:
            break
        pieces = parser.feed(data)
    parser.finish()
    if received < bounds.smallest:
        sizes = {"ProposedSize": str(received), "MinSizeAllowed": str(bounds.smallest)}
        raise S3Error("EntityTooSmall", elements=sizes)


def _answer(
    call: Call, fields: Mapping[str, str], version: ObjectVersion, encryption: Iterable[tuple[str, str]]
) -> Answer:
    headers = [etag_header(version.etag), *checksum_headers(version), *made_header(call.bucket, version)]
    headers += encryption
    headers += expiration(call, version)
    redirect = postform.redirect_of(fields, call.bucket_name, version)
    if redirect is not None:
        return Answer(303, [("Location", redirect), *headers])
    location = _location(call)
    headers.append(("Location", location))
    status = fields.get("success_action_status")
    if status == "201":
        body = postform.post_response(location, call.bucket_name, version)
        return Answer(201, [*headers, ("Content-Type", "application/xml")], body)
    return Answer(200 if status == "200" else 204, headers)


def _location(call: Call) -> str:
    """The URL of the new object: the one that the form was sent to, with the key in one segment as AWS writes it."""
    scheme = "https" if call.head.secure else "http"
    path = call.head.path.decode("latin-1").rstrip("/")
    return f"{scheme}://{call.head.header('host') or ''}{path}/{quote(call.key, safe='')}"
