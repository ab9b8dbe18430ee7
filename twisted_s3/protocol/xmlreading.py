"""XML from clients, read strictly: what is not in the schema of S3 is ``MalformedXML``.

Documents are in UTF-8. They may leave out the namespace of S3, and may name no other. A document type declaration is
refused before the parser sees it, so there are no entities, and no declarations that take it long; nothing is ever
fetched. All functions raise :class:`twisted_s3.errors.S3Error`.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING

from twisted_s3.errors import S3Error
from twisted_s3.protocol.xmldocs import NAMESPACE

if TYPE_CHECKING:
    from lxml import etree

    Element = etree._Element
else:
    #: A node of a document. It is lxml's, which is loaded with the first document: not everybody gets one.
    Element = object

#: The longest document that is read, in bytes, whatever it is.
MAX_DOCUMENT_SIZE = 4 * 1024 * 1024

#: How many elements an element may hold: no document of S3 has a longer list than that of 10,000 parts.
MAX_CHILDREN = 10_001

#: What may come before the root: a declaration, comments, instructions; and a document type, which may not.
_PROLOG = re.compile(rb"(?:\xef\xbb\xbf)?+(?:\s++|<\?(?s:.)*?\?>|<!--(?s:.)*?-->)*+(?P<type><!DOCTYPE)?+")
#: How the root begins. Where these bytes are others, the document is in an encoding that is none of ASCII's kin.
_ROOT = re.compile(rb"<[^\0!?]")

_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def parse_document(body: bytes, root_name: str) -> Element:
    """Parse a whole document, whose root must be of that name."""
    if len(body) > MAX_DOCUMENT_SIZE:
        raise S3Error("MaxMessageLengthExceeded", elements={"MaxMessageLengthBytes": str(MAX_DOCUMENT_SIZE)})
    prolog = _PROLOG.match(body)
    if prolog is None or prolog["type"] is not None or _ROOT.match(body, prolog.end()) is None:
        raise S3Error("MalformedXML")
    from lxml import etree

    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError, LookupError):
        raise S3Error("MalformedXML") from None
    if root.getroottree().docinfo.internalDTD is not None or name_of(root) != root_name:
        raise S3Error("MalformedXML")
    return root


def name_of(node: Element) -> str:
    """The name of an element that is in no namespace or in that of S3; "" for any other node."""
    tag = node.tag
    if not isinstance(tag, str):
        return ""
    namespace, _, name = tag.rpartition("}")
    return name if namespace in ("", "{" + NAMESPACE) else ""


def children_of(node: Element) -> list[Element]:
    """The elements in an element that holds nothing else."""
    if len(node) > MAX_CHILDREN:
        raise S3Error("MalformedXML")
    children = list(node)
    if (node.text or "").strip() or any((child.tail or "").strip() for child in children):
        raise S3Error("MalformedXML")
    return children


def members_of(node: Element, allowed: Collection[str]) -> dict[str, Element]:
    """The elements in an element by name: each at most once, and only those allowed."""
    members: dict[str, Element] = {}
    for child in children_of(node):
        name = name_of(child)
        if name not in allowed or name in members:
            raise S3Error("MalformedXML")
        members[name] = child
    return members


def texts_of(node: Element, allowed: Collection[str]) -> dict[str, str]:
    """The texts of the elements in an element by name, as `members_of` has them."""
    return {name: text_of(child) for name, child in members_of(node, allowed).items()}


def text_of(node: Element) -> str:
    """The text of an element that holds nothing else."""
    if len(node):
        raise S3Error("MalformedXML")
    return node.text or ""


def integer_of(text: str) -> int:
    """A whole number, not negative."""
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) < 20):
        raise S3Error("MalformedXML")
    return int(digits)


def boolean_of(text: str) -> bool:
    """``true`` or ``false``, in any case as AWS takes it."""
    found = _BOOLEANS.get(text.strip().lower())
    if found is None:
        raise S3Error("MalformedXML")
    return found
