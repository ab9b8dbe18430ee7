"""Signatures of version 2."""

from __future__ import annotations

import time
from urllib.parse import quote

from botocore.auth import HmacV1Auth
from botocore.session import get_session
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from twisted.trial.unittest import SynchronousTestCase

from tests.protocol.signing import USER, check, make_head, refusal, signed, with_headers
from tests.protocol.test_sigv4 import headers, keys, users
from twisted_s3.model import User
from twisted_s3.protocol.sigv2 import SUB_RESOURCES

#: Tuesday, 27 March 2007 19:36:42 UTC, a time of the published examples.
PUBLISHED = 1175024202.0

sub_resources = st.dictionaries(
    st.sampled_from(sorted(set(HmacV1Auth.QSAOfInterest))),
    st.text(st.characters(codec="utf-8"), max_size=8),
    max_size=3,
)


class PublishedTests(SynchronousTestCase):
    """The examples of "Signing and Authenticating REST Requests"."""

    def accepted(self, method: str, target: str, signature: str, seconds: float, bucket: str | None, **h: str) -> None:
        pairs = {name.replace("_", "-"): value for name, value in h.items()}
        pairs["authorization"] = f"AWS {USER.access_key}:{signature}"
        head = make_head(method, target, pairs)
        self.assertIsNotNone(check(head, now=PUBLISHED + seconds, virtual_bucket=bucket))

    def test_get(self) -> None:
        self.accepted(
            "GET",
            "/photos/puppy.jpg",
            "bWq2s1WEIj+Ydj0vQ697zp+IXMU=",
            0,
            "johnsmith",
            date="Tue, 27 Mar 2007 19:36:42 +0000",
        )

    def test_put(self) -> None:
        self.accepted(
            "PUT",
            "/photos/puppy.jpg",
            "MyyxeRY7whkBe+bq8fHCL/2kKUg=",
            6000,
            "johnsmith",
            content_type="image/jpeg",
            content_length="94328",
            date="Tue, 27 Mar 2007 21:15:45 +0000",
        )

    def test_list(self) -> None:
        self.accepted(
            "GET",
            "/?prefix=photos&max-keys=50&marker=puppy",
            "htDYFYduRNen8P9ZfE/s9SuKy0U=",
            0,
            "johnsmith",
            date="Tue, 27 Mar 2007 19:42:41 +0000",
        )

    def test_acl(self) -> None:
        self.accepted(
            "GET",
            "/?acl",
            "c2WLPFtWHVgbEmeEG93a4cG37dM=",
            0,
            "johnsmith",
            date="Tue, 27 Mar 2007 19:44:46 +0000",
        )

    def test_list_buckets(self) -> None:
        self.accepted(
            "GET",
            "/",
            "qGdzdERIC03wnaRNKh6OqZehG9s=",
            21197,
            None,
            date="Wed, 28 Mar 2007 01:29:59 +0000",
        )

    def test_presigned(self) -> None:
        target = (
            f"/photos/puppy.jpg?AWSAccessKeyId={USER.access_key}"
            "&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires=1175139620"
        )
        self.assertIsNotNone(check(make_head("GET", target), now=PUBLISHED, virtual_bucket="johnsmith"))


class BotocoreTests(SynchronousTestCase):
    @settings(max_examples=100, deadline=None)
    @given(keys, sub_resources, headers, users, st.sampled_from(["v2 header", "v2 query"]))
    def test_any(self, path: str, query: dict[str, str], headers: dict[str, str], user: User, how: str) -> None:
        pairs = "&".join(f"{name}={quote(value, safe='-_.~')}" for name, value in query.items())
        head = signed("PUT", f"{path}?{pairs}" if pairs else path, headers, how=how, user=user)
        verified = check(head, user)
        assert verified is not None
        self.assertEqual((verified.seed, verified.presigned), (None, how == "v2 query"))
        other = structs.replace(user, secret_key=user.secret_key + "x")
        self.assertEqual(refusal(head, user=other).code, "SignatureDoesNotMatch")

    def test_headers_in_the_query(self) -> None:
        # botocore moves what it signed into the URL, so that a browser need not send it.
        head = signed("PUT", headers={"x-amz-meta-a": "b", "Content-Type": "text/plain"}, how="v2 query")
        bare = with_headers(head, x_amz_meta_a=None, content_type=None)
        verified = check(bare)
        assert verified is not None
        self.assertEqual(dict(verified.implied), {"x-amz-meta-a": "b", "content-type": "text/plain"})
        self.assertEqual(refusal(with_headers(bare, x_amz_meta_a="c")).code, "SignatureDoesNotMatch")

    def test_every_sub_resource_is_signed(self) -> None:
        # What selects an operation in botocore's model must not be added to a signed URL.
        model = get_session().get_service_model("s3")
        harmless = {"list-type", "x-id", ""}
        for name in model.operation_names:
            uri = model.operation_model(name).http["requestUri"]
            for item in uri.partition("?")[2].split("&"):
                self.assertIn(item.partition("=")[0], SUB_RESOURCES | harmless, name)


class RefusalTests(SynchronousTestCase):
    def test_added_sub_resource(self) -> None:
        for how in ("v2 header", "v2 query"):
            head = signed("PUT", how=how)
            for name in sorted(SUB_RESOURCES):
                for extra in (name.encode("ascii"), b"%%%02x" % ord(name[0]) + name[1:].encode("ascii")):
                    query = extra + (b"&" + head.query if head.query else b"")
                    error = refusal(structs.replace(head, query=query))
                    self.assertEqual(error.code, "SignatureDoesNotMatch", (how, extra))

    def test_expired(self) -> None:
        head = signed(how="v2 query", expires=60)
        now = time.time()
        self.assertIsNotNone(check(head, now=now + 50))
        error = refusal(head, now=now + 70)
        self.assertEqual((error.code, error.message), ("AccessDenied", "Request has expired"))
        self.assertEqual(set(error.elements), {"Expires", "ServerTime"})

    def test_malformed_query(self) -> None:
        for query in ("Signature=a", "AWSAccessKeyId=a&Expires=1", "AWSAccessKeyId=a&Signature=b"):
            error = refusal(make_head("GET", f"/b/k?{query}"))
            self.assertEqual(error.code, "AccessDenied")
            self.assertIn("requires the Signature, Expires and AWSAccessKeyId", error.message)
        for expires in ("soon", "-1", "1e9", "٣"):
            error = refusal(make_head("GET", f"/b/k?AWSAccessKeyId=a&Signature=b&Expires={quote(expires)}"))
            self.assertEqual(error.code, "AccessDenied")
            self.assertIn("Invalid date (should be seconds since epoch)", error.message)

    def test_malformed_header(self) -> None:
        for authorization in ("AWS", "AWS ", "AWS key", "AWS :sig", "AWS key:", "AWS a:b c"):
            error = refusal(make_head("GET", "/", {"authorization": authorization}))
            self.assertEqual(error.code, "InvalidArgument", authorization)

    def test_dates(self) -> None:
        head = signed(how="v2 header")
        self.assertEqual(refusal(head, now=time.time() + 1000).code, "RequestTimeTooSkewed")
        self.assertEqual(refusal(with_headers(head, date=None)).code, "AccessDenied")
        self.assertEqual(refusal(with_headers(head, date="yesterday")).code, "AccessDenied")
        self.assertEqual(refusal(with_headers(head, date="Fri, 07 Jul 1950 21:53:04 GMT")).code, "AccessDenied")
        self.assertEqual(refusal(with_headers(head, x_amz_date="")).code, "AccessDenied")

    def test_bucket_signed_with_a_slash(self) -> None:
        """Botocore signs ``/bucket/`` and sends ``/bucket``; nothing else may differ."""
        for how in ("v2 header", "v2 query"):
            for query in ("", "?acl"):
                head = signed("PUT", f"/bucket/{query}", how=how)
                self.assertIsNotNone(check(structs.replace(head, path=b"/bucket")))
                for other in (b"/bucket2", b"/bucke", b"/bucket//", b"/bucket/k", b"/"):
                    self.assertEqual(refusal(structs.replace(head, path=other)).code, "SignatureDoesNotMatch", other)
                self.assertEqual(
                    refusal(structs.replace(head, path=b"/bucket"), virtual_bucket="bucket").code,
                    "SignatureDoesNotMatch",
                )
        key = structs.replace(signed(path="/bucket/k/", how="v2 header"), path=b"/bucket/k")
        self.assertEqual(refusal(key).code, "SignatureDoesNotMatch")

    def test_bucket_of_the_host(self) -> None:
        head = signed(path="/bucket/key", how="v2 query")
        moved = structs.replace(head, path=b"/key")
        self.assertIsNotNone(check(moved, virtual_bucket="bucket"))
        self.assertEqual(refusal(moved, virtual_bucket="other").code, "SignatureDoesNotMatch")
        self.assertEqual(refusal(moved).code, "SignatureDoesNotMatch")

    def test_lines_moved_between_headers(self) -> None:
        # One text to sign must not stand for two requests.
        head = signed("PUT", headers={"x-amz-acl": "private", "x-amz-meta-a": "b"}, how="v2 query")
        bare = with_headers(head, x_amz_acl=None, x_amz_meta_a=None)
        self.assertIsNotNone(check(bare))
        text = bare.query.decode("ascii").replace("&x-amz-meta-a=b", "")
        for moved in (
            text.replace("x-amz-acl=private", "x-amz-acl=private%0Ax-amz-meta-a:b"),
            text.replace("x-amz-acl=private", "x-amz-acl:private%0Ax-amz-meta-a=b"),
        ):
            self.assertNotEqual(moved, text)
            self.assertEqual(refusal(structs.replace(bare, query=moved.encode("ascii"))).code, "SignatureDoesNotMatch")

    def test_elements(self) -> None:
        error = refusal(structs.replace(signed(how="v2 query"), path=b"/bucket/other"))
        self.assertEqual(
            set(error.elements), {"AWSAccessKeyId", "StringToSign", "SignatureProvided", "StringToSignBytes"}
        )
