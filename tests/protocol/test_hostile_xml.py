"""Documents that are made to keep a parser busy: each is refused, and quickly."""

from __future__ import annotations

import time
from collections.abc import Iterator

from twisted.trial.unittest import SynchronousTestCase

from twisted_s3.errors import S3Error
from twisted_s3.protocol.requestdocs import parse_delete

SIZE = 1024 * 1024
#: Of CPU time, for one document. What takes quadratic time takes half a minute.
SECONDS = 3.0


def filled(unit: bytes) -> bytes:
    """Units to the size of a document."""
    return unit * (SIZE // len(unit))


def numbered(unit: bytes) -> bytes:
    """Units that differ, to the size of a document."""
    return b"".join(unit % number for number in range(SIZE // (len(unit) + 5)))


def entities(attribute: bool) -> bytes:
    """A billion laughs."""
    levels = b"".join(b"<!ENTITY e%d '%b'>" % (n, b"&e%d;" % (n - 1) * 10 if n else b"ha") for n in range(20))
    use = b"<Delete a='&e19;'/>" if attribute else b"<Delete>&e19;</Delete>"
    return b"<!DOCTYPE a [" + levels + b"]>" + use


def documents() -> Iterator[tuple[str, bytes]]:
    """Their names, and themselves."""
    yield "attributes", b"<Delete " + numbered(b"a%d='' ") + b"/>"
    yield "namespaces", b"<Delete " + numbered(b"xmlns:a%d='b' ") + b"/>"
    yield "names", b"<Delete>" + numbered(b"<a%d/>") + b"</Delete>"
    yield "depth", filled(b"<Delete>")
    yield "elements", b"<Delete>" + filled(b"<a/>") + b"</Delete>"
    yield "members", b"<Delete><Object>" + filled(b"<a/>") + b"</Object></Delete>"
    yield "objects", b"<Delete>" + filled(b"<Object><Key>a</Key></Object>") + b"</Delete>"
    yield "text", b"<Delete>" + filled(b"a") + b"</Delete>"
    yield "comments", b"<Delete>" + filled(b"<!---->") + b"</Delete>"
    yield "comments before it", filled(b"<!---->") + b"<a/>"
    yield "a comment without end", b"<!--" + filled(b"<!--")
    yield "instructions without end", filled(b"<?")
    yield "sections", b"<Delete>" + filled(b"<![CDATA[a]]>") + b"</Delete>"
    yield "a name", b"<" + filled(b"a") + b"/>"
    yield "space", filled(b" ") + b"<a/>"
    yield "entities", b"<!DOCTYPE a [" + numbered(b"<!ENTITY a%d 'b'>") + b"]><Delete/>"
    yield "attribute lists", b"<!DOCTYPE a [" + numbered(b"<!ATTLIST Delete a%d CDATA 'b'>") + b"]><Delete/>"
    yield "a billion laughs", entities(False)
    yield "a billion laughs in an attribute", entities(True)
    large = b"<!DOCTYPE a [<!ENTITY a '" + b"a" * (1 << 20) + b"'>]>"
    yield "a large entity", large + b"<Delete>" + b"&a;" * (1 << 18) + b"</Delete>"


class Hostile(SynchronousTestCase):
    """Time is bounded for any document."""

    def test_time(self) -> None:
        """No parser needs more than linear time to refuse."""
        for name, document in documents():
            begun = time.thread_time()
            error = self.assertRaises(S3Error, parse_delete, document)
            self.assertLess(time.thread_time() - begun, SECONDS, name)
            self.assertEqual(error.code, "MalformedXML", name)

    def test_hidden_types(self) -> None:
        """A document type is seen in whatever comes before it, and in every encoding."""
        inside = "<!DOCTYPE Delete [<!ENTITY x 'y'>]><Delete><Object><Key>a</Key></Object></Delete>"
        declared = "<?xml version='1.0' encoding='{}'?>"
        texts = [
            inside,
            "\ufeff" + inside,
            " \r\n\t" + inside,
            "<!-- > -->" + inside,
            "<?pi ??>" + inside,
            declared.format("utf-8") + "<!---->\n" + inside,
        ]
        raw = [text.encode() for text in texts]
        for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp037", "utf-7"):
            raw += [inside.encode(encoding), (declared.format(encoding) + inside).encode(encoding)]
        raw.append(declared.format("utf-7").encode() + inside.replace("<!", "+ADwAIQ-").encode())
        for document in raw:
            self.assertEqual(self.assertRaises(S3Error, parse_delete, document).code, "MalformedXML", document)

    def test_harmless(self) -> None:
        """What may come before the root may still come, and the text of a type is text inside it."""
        for before in ("", "\ufeff", "<?xml version='1.0' encoding='UTF-8'?>\n<!-- <!DOCTYPE x> -->\n"):
            document = before + "<Delete><Object><Key><![CDATA[<!DOCTYPE]]></Key></Object></Delete>"
            self.assertEqual(parse_delete(document.encode()).entries[0].key, "<!DOCTYPE")
