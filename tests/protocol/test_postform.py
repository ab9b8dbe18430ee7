"""Names of form fields that would become names of headers."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_s3.errors import S3Error
from twisted_s3.protocol.head import RequestHead
from twisted_s3.protocol.postform import head_of


class HeadTests(SynchronousTestCase):
    """The head that a form stands for."""

    HEAD = RequestHead("POST", b"/bucket", b"", {})

    def test_metadata(self) -> None:
        """Metadata fields become headers."""
        self.assertEqual(head_of({"x-amz-meta-colour": "blue"}, self.HEAD).headers, {"x-amz-meta-colour": ["blue"]})

    def test_names_that_are_no_tokens(self) -> None:
        """Line ends or other characters in a name would come back in the answers to every GET."""
        for name in ("x-amz-meta-a\r\nset-cookie: b", "x-amz-meta-é", "x-amz-meta-a b", "x-amz-meta-a:b"):
            error = self.assertRaises(S3Error, head_of, {name: "value"}, self.HEAD)
            self.assertEqual(error.code, "InvalidArgument")
