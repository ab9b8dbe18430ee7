"""Access control lists: canned ones, headers that grant, documents, and what they permit.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectAcl.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from twisted_s3.errors import S3Error
from twisted_s3.model import Grant
from twisted_s3.protocol.head import RequestHead
from twisted_s3.protocol.xmldocs import Owner, Owners, document, element, optional
from twisted_s3.protocol.xmlreading import Element, children_of, members_of, name_of, parse_document, text_of

#: The name of the configuration document that holds the ACL of a bucket.
ACL = "acl"

ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"
AUTHENTICATED_USERS = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
LOG_DELIVERY = "http://acs.amazonaws.com/groups/s3/LogDelivery"
GROUPS = frozenset((ALL_USERS, AUTHENTICATED_USERS, LOG_DELIVERY))

#: The groups that are the public.
PUBLIC = frozenset((ALL_USERS, AUTHENTICATED_USERS))

#: The account that ``aws-exec-read`` lets in, as AWS shows it.
_EXEC = "6aa5a366c34c1cbe25dc49211496e913e0351eb0e8c37aa3477e40942ec6b97c"

READ, WRITE, READ_ACP, WRITE_ACP, FULL_CONTROL = "READ", "WRITE", "READ_ACP", "WRITE_ACP", "FULL_CONTROL"
PERMISSIONS = (READ, WRITE, READ_ACP, WRITE_ACP, FULL_CONTROL)

#: How many grants an ACL may have.
MAX_GRANTS = 100

#: The canned ACL that gives the owner of the bucket all.
BUCKET_OWNER_FULL_CONTROL = "bucket-owner-full-control"

#: What each canned ACL grants beside full control to the owner; ``bucket`` stands for the owner of the bucket.
_CANNED: Mapping[str, Sequence[tuple[str, str]]] = {
    "private": (),
    "public-read": ((ALL_USERS, READ),),
    "public-read-write": ((ALL_USERS, READ), (ALL_USERS, WRITE)),
    "authenticated-read": ((AUTHENTICATED_USERS, READ),),
    "aws-exec-read": ((_EXEC, READ),),
    "bucket-owner-read": (("bucket", READ),),
    BUCKET_OWNER_FULL_CONTROL: (("bucket", FULL_CONTROL),),
    "log-delivery-write": ((LOG_DELIVERY, WRITE), (LOG_DELIVERY, READ_ACP)),
}

_GRANT_HEADERS = {f"x-amz-grant-{name.lower().replace('_', '-')}": name for name in PERMISSIONS}
_GRANTEE = re.compile(r'\s*(id|uri|emailaddress)\s*=\s*(?:"([^"]*)"|([^",\s]+))\s*(?:,|$)', re.IGNORECASE)

_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_TYPE = f"{{{_XSI}}}type"
_MEMBER_OF_TYPE = {"CanonicalUser": "ID", "Group": "URI", "AmazonCustomerByEmail": "EmailAddress"}

Grants = tuple[Grant, ...]

#: Gives the canonical id for a grantee: ``id`` or ``email``, and the text. Raises :class:`S3Error` where there is none.
Resolve = Callable[[str, str], str]


def _malformed() -> S3Error:
    return S3Error("MalformedACLError")


def canned(name: str, owner: str, bucket_owner: str) -> Grants:
    """The grants of a canned ACL, for an owner. :raise S3Error: ``InvalidArgument``."""
    if name not in _CANNED:
        raise S3Error("InvalidArgument", elements={"ArgumentName": "x-amz-acl", "ArgumentValue": name})
    others = (Grant(bucket_owner if one == "bucket" else one, permission) for one, permission in _CANNED[name])
    return _limited((*(grant for grant in others if grant.grantee != owner), Grant(owner, FULL_CONTROL)))


def has_acl_headers(head: RequestHead) -> bool:
    """Whether the head of a request sets an ACL."""
    return "x-amz-acl" in head.headers or any(name in head.headers for name in _GRANT_HEADERS)


def grants_of(head: RequestHead, owner: str, bucket_owner: str, resolve: Resolve) -> Grants | None:
    """The ACL that the head of a request sets; None where it sets none.

    :raise S3Error: ``InvalidArgument``, ``InvalidRequest`` for both ways at once, or from ``resolve``.
    """
    name = head.header("x-amz-acl")
    granting = [(permission, head.header(header)) for header, permission in _GRANT_HEADERS.items()]
    stated = [(permission, value) for permission, value in granting if value is not None]
    if name is not None:
        if stated:
            raise S3Error("InvalidRequest", "Specifying both Canned ACLs and Header Grants is not allowed")
        return canned(name, owner, bucket_owner)
    if not stated:
        return None
    return _limited(Grant(_grantee(*one, resolve), permission) for permission, value in stated for one in _split(value))


def _split(value: str) -> Sequence[tuple[str, str]]:
    """The grantees that a header names: kind (``id``, ``uri``, ``email``) and text."""
    found, at = [], 0
    while at < len(value):
        match = _GRANTEE.match(value, at)
        if match is None:
            raise S3Error("InvalidArgument", "Argument format not recognized", {"ArgumentValue": value})
        kind = match[1].lower()
        found.append(("email" if kind == "emailaddress" else kind, match[2] if match[3] is None else match[3]))
        at = match.end()
    return found


def _grantee(kind: str, text: str, resolve: Resolve) -> str:
    if kind != "uri":
        return resolve(kind, text)
    if text not in GROUPS:
        raise S3Error("InvalidArgument", "Invalid group uri", {"ArgumentName": "uri", "ArgumentValue": text})
    return text


def _limited(grants: Iterable[Grant]) -> Grants:
    """Grants without those that are there twice, those to groups first."""
    found = tuple(sorted(dict.fromkeys(grants), key=lambda grant: grant.grantee not in GROUPS))
    if len(found) > MAX_GRANTS:
        raise _malformed()
    return found


def parse_acl(body: bytes, resolve: Resolve) -> tuple[str, Grants]:
    """Read ``AccessControlPolicy``: the owner that it names ("" for none), and the grants.

    :raise S3Error: ``MalformedACLError``, ``InvalidArgument``, or from ``resolve``.
    """
    try:
        members = members_of(parse_document(body, "AccessControlPolicy"), {"Owner", "AccessControlList"})
        if len(members) != 2:
            raise _malformed()
        owner = members_of(members["Owner"], {"ID", "DisplayName"})
        grants = [_read_grant(child) for child in children_of(members["AccessControlList"])]
        owner_id = text_of(owner["ID"]).strip() if "ID" in owner else ""
    except S3Error as error:
        raise (_malformed() if error.code == "MalformedXML" else error) from None
    return owner_id, _limited(Grant(_grantee(kind, text, resolve), permission) for kind, text, permission in grants)


def _read_grant(node: Element) -> tuple[str, str, str]:
    members = members_of(node, {"Grantee", "Permission"})
    if name_of(node) != "Grant" or len(members) != 2:
        raise _malformed()
    permission = text_of(members["Permission"]).strip()
    grantee = members_of(members["Grantee"], {"ID", "DisplayName", "URI", "EmailAddress"})
    name = _MEMBER_OF_TYPE.get(str(members["Grantee"].get(_TYPE)).rpartition(":")[2])
    if permission not in PERMISSIONS or name is None or name not in grantee:
        raise _malformed()
    kind = {"ID": "id", "URI": "uri", "EmailAddress": "email"}[name]
    return kind, text_of(grantee[name]).strip(), permission


def read_grants(nodes: Iterable[Element], resolve: Resolve) -> Grants:
    """Read elements ``Grant``. :raise S3Error: as `parse_acl`."""
    read = [_read_grant(node) for node in nodes]
    return _limited(Grant(_grantee(kind, text, resolve), permission) for kind, text, permission in read)


def acl_document(owner: Owner, grants: Iterable[Grant], owners: Owners) -> bytes:
    """Write ``AccessControlPolicy``."""
    return document(
        "AccessControlPolicy",
        f"<Owner>{_person(owner)}</Owner>",
        f"<AccessControlList>{''.join(grant_document(grant, owners) for grant in grants)}</AccessControlList>",
    )


def grant_document(grant: Grant, owners: Owners) -> str:
    """Write an element ``Grant``."""
    if grant.grantee in GROUPS:
        kind, content = "Group", element("URI", grant.grantee)
    else:
        kind, content = "CanonicalUser", _person(owners(grant.grantee))
    return (
        f'<Grant><Grantee xmlns:xsi="{_XSI}" xsi:type="{kind}">{content}</Grantee>'
        f"{element('Permission', grant.permission)}</Grant>"
    )


def _person(owner: Owner) -> str:
    return element("ID", owner.id) + optional("DisplayName", owner.display_name)


def dump_grants(grants: Grants) -> bytes:
    """Grants as they are kept with a bucket."""
    return json.dumps([[grant.grantee, grant.permission] for grant in grants]).encode()


def load_grants(raw: bytes) -> Grants:
    """What `dump_grants` wrote."""
    return tuple(Grant(grantee, permission) for grantee, permission in json.loads(raw))


def is_public(grants: Iterable[Grant]) -> bool:
    """Whether grants let the public in."""
    return any(grant.grantee in PUBLIC for grant in grants)


def without_public(grants: Grants) -> Grants:
    """Grants without those to the public."""
    return tuple(grant for grant in grants if grant.grantee not in PUBLIC)


def permits(grants: Iterable[Grant], canonical_id: str, permission: str) -> bool:
    """Whether grants give somebody ("": nobody known) a permission."""
    groups = PUBLIC if canonical_id else (ALL_USERS,)
    return any(
        grant.permission in (permission, FULL_CONTROL)
        and (grant.grantee in groups or (canonical_id and grant.grantee == canonical_id))
        for grant in grants
    )
