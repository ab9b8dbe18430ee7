"""ACLs, ownership and blocks as documents and headers: round trips, and nothing but `S3Error` for the rest."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_s3.errors import S3Error
from twisted_s3.model import Bucket, Grant
from twisted_s3.protocol.access import acl, ownership, publicblock
from twisted_s3.protocol.access.defaults import BLOCK, OWNERSHIP, BucketDefaults
from twisted_s3.protocol.head import RequestHead
from twisted_s3.protocol.xmldocs import Owner

OWNER, OTHER = "a" * 64, "b" * 64
GRANTEES = st.sampled_from([OWNER, OTHER, *sorted(acl.GROUPS)])
GRANTS = st.lists(st.builds(Grant, GRANTEES, st.sampled_from(acl.PERMISSIONS)), max_size=20).map(tuple)
BLOCKS = st.builds(publicblock.PublicAccessBlock, *[st.booleans()] * 4)
PIECES = st.sampled_from(
    [
        "<AccessControlPolicy>",
        "</AccessControlPolicy>",
        "<Owner/>",
        "<AccessControlList>",
        "</AccessControlList>",
        "<Grant>",
        "</Grant>",
        "<Grantee>",
        "</Grantee>",
        "<ID>a</ID>",
        "<Permission>READ</Permission>",
        "x",
        "<OwnershipControls>",
        "<Rule>",
        "</Rule>",
        "</OwnershipControls>",
        "<PublicAccessBlockConfiguration/>",
    ]
)


def resolve(kind: str, text: str) -> str:
    """Knows two users."""
    if text not in (OWNER, OTHER):
        raise S3Error("InvalidArgument")
    return text


class RoundTrips(SynchronousTestCase):
    """What is written is read again."""

    @given(GRANTS)
    def test_acl(self, grants: acl.Grants) -> None:
        """The owner, and each grant once, those to groups first."""
        owner, found = acl.parse_acl(acl.acl_document(Owner(OWNER, "Ö"), grants, Owner), resolve)
        self.assertEqual(owner, OWNER)
        self.assertEqual(set(found), set(grants))
        self.assertEqual(len(found), len(set(grants)))
        groups = [grant.grantee in acl.GROUPS for grant in found]
        self.assertEqual(groups, sorted(groups, reverse=True))
        self.assertEqual(acl.load_grants(acl.dump_grants(grants)), grants)

    @given(BLOCKS)
    def test_block(self, block: publicblock.PublicAccessBlock) -> None:
        """Each of the four."""
        document = publicblock.public_access_block_document(block)
        self.assertEqual(publicblock.parse_public_access_block(document), block)
        bucket = Bucket("b", 0.0, configurations={BLOCK: document})
        self.assertEqual(BucketDefaults().block_of(bucket), block)

    def test_ownership(self) -> None:
        """Each mode; white space and a missing namespace do not matter."""
        for mode in ownership.MODES:
            document = ownership.ownership_document(mode)
            self.assertEqual(ownership.parse_ownership(document), mode)
            bucket = Bucket("b", 0.0, configurations={OWNERSHIP: document.replace(b"<Rule>", b"\n <Rule>")})
            self.assertEqual(BucketDefaults().ownership_of(bucket), mode)
            self.assertEqual(ownership.check_mode(mode), mode)
        self.assertRaises(S3Error, ownership.check_mode, "Mine")


class Refusals(SynchronousTestCase):
    """Nothing but `S3Error`."""

    def only_errors(self, parse: Callable[[bytes], object], body: bytes) -> None:
        """Let a parser read or refuse."""
        try:
            parse(body)
        except S3Error as error:
            self.assertEqual(error.status, 400)

    @given(st.lists(PIECES, max_size=12).map("".join).map(str.encode) | st.binary(max_size=40))
    def test_bodies(self, body: bytes) -> None:
        """Of all three parsers."""
        for parse in (
            lambda raw: acl.parse_acl(raw, resolve),
            ownership.parse_ownership,
            publicblock.parse_public_access_block,
        ):
            self.only_errors(parse, body)

    @given(st.text("idur=\"', emailAddress:/", max_size=30) | st.text(max_size=20))
    def test_headers(self, value: str) -> None:
        """Of a header that grants."""
        head = RequestHead("PUT", b"/b", b"", {"x-amz-grant-read": [value]})
        self.only_errors(lambda raw: acl.grants_of(head, OWNER, OWNER, resolve), b"")

    def test_header_forms(self) -> None:
        """With and without quotes; one after the other."""
        for value, expected in (
            (f'id="{OWNER}"', {OWNER}),
            (f"id={OWNER}, id={OTHER}", {OWNER, OTHER}),
            (f' ID = "{OWNER}" ,uri="{acl.ALL_USERS}"', {OWNER, acl.ALL_USERS}),
            (f"emailAddress={OTHER}", {OTHER}),
        ):
            head = RequestHead("PUT", b"/b", b"", {"x-amz-grant-read": [value]})
            grants = acl.grants_of(head, OWNER, OWNER, resolve) or ()
            self.assertEqual({grant.grantee for grant in grants}, expected, value)
        for value in (f'id="{OWNER}', f"name={OWNER}", f"id={OWNER} {OTHER}", "id=", ","):
            head = RequestHead("PUT", b"/b", b"", {"x-amz-grant-read": [value]})
            error = self.assertRaises(S3Error, acl.grants_of, head, OWNER, OWNER, resolve)
            self.assertEqual(error.code, "InvalidArgument", value)

    def test_too_many(self) -> None:
        """No more than a hundred grants."""
        listed = [Grant(f"{number:064x}", acl.READ) for number in range(acl.MAX_GRANTS + 1)]
        document = acl.acl_document(Owner(OWNER), listed, Owner)
        error = self.assertRaises(S3Error, acl.parse_acl, document, lambda kind, text: text)
        self.assertEqual(error.code, "MalformedACLError")
        acl.parse_acl(acl.acl_document(Owner(OWNER), listed[1:], Owner), lambda kind, text: text)


class Permissions(SynchronousTestCase):
    """Whom grants let in."""

    def test_permits(self) -> None:
        """A user, the users that are known, everybody; full control is every permission."""
        for grantee, known, unknown in (
            (OTHER, True, False),
            (OWNER, False, False),
            (acl.AUTHENTICATED_USERS, True, False),
            (acl.ALL_USERS, True, True),
            (acl.LOG_DELIVERY, False, False),
        ):
            for permission in (acl.WRITE, acl.FULL_CONTROL):
                grants = (Grant(grantee, permission),)
                self.assertEqual(acl.permits(grants, OTHER, acl.WRITE), known, grantee)
                self.assertEqual(acl.permits(grants, "", acl.WRITE), unknown, grantee)
                self.assertEqual(acl.permits(grants, OTHER, acl.READ), known and permission == acl.FULL_CONTROL)
        self.assertIs(acl.permits((Grant("", acl.READ),), "", acl.READ), False)

    def test_public(self) -> None:
        """Both groups of people are the public; the log is not."""
        for grantee, expected in ((acl.ALL_USERS, True), (acl.AUTHENTICATED_USERS, True), (acl.LOG_DELIVERY, False)):
            grants = (Grant(grantee, acl.READ), Grant(OWNER, acl.READ))
            self.assertIs(acl.is_public(grants), expected)
            self.assertEqual(len(acl.without_public(grants)), 1 if expected else 2)
