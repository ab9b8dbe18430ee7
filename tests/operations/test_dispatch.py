"""From a request's head to its operation, without a server."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_s3.errors import S3Error
from twisted_s3.operations.dispatch import SUBRESOURCES, find_operation
from twisted_s3.operations.table import OPERATIONS
from twisted_s3.protocol.head import RequestHead


def head(method: str, query: str = "", copies: bool = False) -> RequestHead:
    """The head of a request."""
    return RequestHead(method, b"/", query.encode(), {"x-amz-copy-source": ["b/k"]} if copies else {})


class Dispatch(SynchronousTestCase):
    """Every request means one operation or none."""

    def test_every_operation_is_found(self) -> None:
        """A request with just what the table says means that operation; a mark of its SDK changes nothing."""
        for op in OPERATIONS:
            if op.routed:
                query = "&".join(f"{name}=1" if name in op.parameters else name for name in sorted(op.selectors))
                for extra in ("", f"x-id={op.name}"):
                    found = find_operation(op.level, head(op.method, "&".join(filter(None, (query, extra))), op.copies))
                    self.assertEqual(found.name, op.name)

    def test_copy_source_does_not_hide_a_subresource(self) -> None:
        """``x-amz-copy-source`` on a sub-resource makes no CopyObject."""
        for name in ("tagging", "acl", "retention"):
            self.assertNotEqual(find_operation("object", head("PUT", name, True)).name, "CopyObject")

    def test_codes(self) -> None:
        """Each refusal."""
        for level, method, query, code in (
            ("object", "PUT", "uploadId=x", "InvalidArgument"),
            ("object", "PUT", "tagging&acl", "InvalidArgument"),
            ("object", "PUT", "newest", "NotImplemented"),
            ("object", "GET", "uploads", "MethodNotAllowed"),
            ("object", "POST", "", "MethodNotAllowed"),
            ("bucket", "PUT", "analytics", "NotImplemented"),
            ("bucket", "PUT", "uploadId=1", "NotImplemented"),
            ("bucket", "HEAD", "policy", "MethodNotAllowed"),
            ("service", "PUT", "", "MethodNotAllowed"),
            ("service", "BREW", "", "MethodNotAllowed"),
        ):
            error = self.assertRaises(S3Error, find_operation, level, head(method, query))
            self.assertEqual(error.code, code, (level, method, query))
            if code == "MethodNotAllowed":
                self.assertNotIn(method, error.headers["Allow"].split(", "))

    @given(
        st.sampled_from(("service", "bucket", "object")),
        st.sampled_from(("GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS")),
        st.lists(st.sampled_from(sorted(SUBRESOURCES | {"id", "partNumber", "prefix", "newest"})), max_size=4),
        st.booleans(),
        st.booleans(),
    )
    def test_nothing_falls_through(self, level: str, method: str, names: list[str], valued: bool, copies: bool) -> None:
        """An operation is only found by a request whose sub-resources are all its own."""
        query = "&".join(f"{name}=1" if valued else name for name in names)
        try:
            found = find_operation(level, head(method, query, copies))
        except S3Error:
            return
        self.assertEqual((found.level, found.method), (level, method))
        self.assertTrue(found.routed)
        self.assertTrue(SUBRESOURCES & set(names) <= found.selectors, found.name)
        self.assertTrue(found.selectors <= set(names), found.name)
        if found.copies:
            self.assertTrue(copies)
