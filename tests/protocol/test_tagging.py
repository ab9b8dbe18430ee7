"""The limits of tags, and the header that carries them."""

from __future__ import annotations

from urllib.parse import urlencode

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from twisted.trial.unittest import SynchronousTestCase

from twisted_s3.errors import S3Error
from twisted_s3.protocol.head import RequestHead
from twisted_s3.protocol.requestdocs import parse_tagging
from twisted_s3.protocol.tagging import checked_tags, tagging_document, tags_of

ALLOWED = st.text(st.characters(categories=("L", "N", "Z"), include_characters="_.:/=+-@"), max_size=20)
TAGS = st.dictionaries(ALLOWED.filter(lambda key: key and not key.startswith("aws:")), ALLOWED, max_size=10)


def head(value: str) -> RequestHead:
    """A request with an ``x-amz-tagging``, in UTF-8 as HTTP servers see it."""
    return RequestHead("PUT", b"/b/k", b"", {"x-amz-tagging": [value.encode().decode("latin-1")]})


class Limits(SynchronousTestCase):
    """What a tag may be."""

    def test_allowed(self) -> None:
        """The longest, the emptiest, the most, and all characters."""
        tags = {
            "k" * 128: "v" * 256,
            "é" * 128: "",
            "größe 日本 ١": "+-=._:/@",
            **{str(number): "" for number in range(7)},
        }
        self.assertEqual(checked_tags(tags.items()), tags)
        self.assertEqual(len(checked_tags([(str(number), "") for number in range(50)], 50)), 50)

    def test_refused(self) -> None:
        """Each with AWS's code and text."""
        for tags, code, text in (
            ([("", "v")], "InvalidTag", "TagKey"),
            ([("k" * 129, "v")], "InvalidTag", "TagKey"),
            ([("a{b", "v")], "InvalidTag", "TagKey"),
            ([("a\n", "v")], "InvalidTag", "TagKey"),
            ([("aws:x", "v")], "InvalidTag", "cannot be prefixed with aws:"),
            ([("k", "v" * 257)], "InvalidTag", "TagValue"),
            ([("k", "a&b")], "InvalidTag", "TagValue"),
            ([("k", "1"), ("k", "1")], "InvalidTag", "Cannot provide multiple Tags with the same key"),
            ([(str(number), "") for number in range(11)], "BadRequest", "Object tags cannot be greater than 10"),
        ):
            error = self.assertRaises(S3Error, checked_tags, tags)
            self.assertEqual(error.code, code, tags)
            self.assertIn(text, error.message)


class Header(SynchronousTestCase):
    """``x-amz-tagging``."""

    def test_read(self) -> None:
        """As a URL query."""
        for value, tags in (
            ("a=b", {"a": "b"}),
            ("a=&b", {"a": "", "b": ""}),
            ("a+b=c%20d&%C3%A4=%2B", {"a b": "c d", "ä": "+"}),
            ("ä=ö", {"ä": "ö"}),
            ("a=b=c", {"a": "b=c"}),
            ("", {}),
        ):
            self.assertEqual(tags_of(head(value)), tags, value)
        self.assertEqual(tags_of(RequestHead("PUT", b"/", b"", {})), {})

    def test_refused(self) -> None:
        """What is no query, or has a key twice, is InvalidArgument; what is no tag as in a document."""
        for value, code in (
            ("=", "InvalidArgument"),
            ("=b", "InvalidArgument"),
            ("&", "InvalidArgument"),
            ("a=1&a=2", "InvalidArgument"),
            ("a=&a=", "InvalidArgument"),
            ("%zz=1", "InvalidArgument"),
            ("%ff=1", "InvalidArgument"),
            ("a=%", "InvalidArgument"),
            ("a=%26", "InvalidTag"),
            ("TagSet%3D%5B=", "InvalidTag"),
            ("&".join(f"k{number}=" for number in range(11)), "BadRequest"),
        ):
            self.assertEqual(self.assertRaises(S3Error, tags_of, head(value)).code, code, value)

    @given(TAGS)
    def test_round_trip(self, tags: dict[str, str]) -> None:
        """What urlencode writes is read back."""
        self.assertEqual(tags_of(head(urlencode(tags))), tags)

    @given(st.text(st.characters(codec="utf-8")) | st.text("ab=&%2+{"))
    def test_anything(self, value: str) -> None:
        """No exception but S3Error."""
        try:
            self.assertLessEqual(len(tags_of(head(value))), 10)
        except S3Error as error:
            self.assertIn(error.code, ("InvalidArgument", "InvalidTag", "BadRequest"))


class Documents(SynchronousTestCase):
    """``Tagging``."""

    @given(TAGS)
    def test_round_trip(self, tags: dict[str, str]) -> None:
        """What is written is read back, ordered by key."""
        document = tagging_document(tags)
        self.assertEqual(list(parse_tagging(document).items()), sorted(tags.items()))

    def test_form(self) -> None:
        """The elements are AWS's."""
        root = etree.fromstring(tagging_document({"a": "<b>"}))
        self.assertEqual(
            [etree.QName(node).localname for node in root.iter()], ["Tagging", "TagSet", "Tag", "Key", "Value"]
        )
        self.assertEqual(root.findtext(".//{*}Value"), "<b>")
        self.assertEqual(len(etree.fromstring(tagging_document({}))), 1)
