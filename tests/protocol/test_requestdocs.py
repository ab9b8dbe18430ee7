"""The XML documents that clients send."""

from __future__ import annotations

from collections.abc import Callable

import botocore.session
from botocore.serialize import create_serializer
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_s3.errors import S3Error
from twisted_s3.protocol.requestdocs import (
    CompletedPart,
    DeleteEntry,
    DeleteRequest,
    parse_complete_multipart_upload,
    parse_create_bucket,
    parse_delete,
)
from twisted_s3.protocol.xmlreading import MAX_DOCUMENT_SIZE

NS = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
PARSERS = (parse_create_bucket, parse_delete, parse_complete_multipart_upload)
FRAGMENTS = st.sampled_from(
    [
        "<Delete>",
        f"<Delete {NS}>",
        "</Delete>",
        "<Object>",
        "</Object>",
        "<Key>a</Key>",
        "<Key/>",
        "<Quiet>true</Quiet>",
        "<CompleteMultipartUpload>",
        "</CompleteMultipartUpload>",
        "<Part>",
        "</Part>",
        "<PartNumber>1</PartNumber>",
        "<ETag>e</ETag>",
        "<Size>x</Size>",
        "<!-- c -->",
        "<?pi?>",
        "<![CDATA[x]]>",
        "&amp;",
        "&x;",
        "<!DOCTYPE Delete [<!ENTITY x 'y'>]>",
        "text",
    ]
)


def botocore_body(operation: str, parameters: dict[str, object]) -> bytes:
    """The body that botocore sends."""
    model = botocore.session.get_session().get_service_model("s3").operation_model(operation)
    request = create_serializer("rest-xml").serialize_to_request(parameters, model)
    body = request["body"]
    return body if isinstance(body, bytes) else body.encode()


class DocumentTestCase(SynchronousTestCase):
    def refused(self, parse: Callable[[bytes], object], document: str | bytes, code: str = "MalformedXML") -> S3Error:
        body = document if isinstance(document, bytes) else document.encode()
        error = self.assertRaises(S3Error, parse, body)
        self.assertEqual(error.code, code, document[:200])
        return error


class CommonTests(DocumentTestCase):
    @given(st.binary() | st.text().map(str.encode) | st.lists(FRAGMENTS).map(lambda parts: "".join(parts).encode()))
    def test_garbage(self, body: bytes) -> None:
        for parse in PARSERS:
            try:
                parse(body)
            except S3Error as error:
                self.assertIn(error.code, ("MalformedXML", "InvalidArgument", "NotImplemented"))

    def test_not_xml(self) -> None:
        for document in ("<", "text", "<Delete>", "<Delete></Other>", "\0", "<a/><b/>", "<?xml version='1.0'?>"):
            for parse in PARSERS:
                self.refused(parse, document)
        self.refused(parse_delete, "")
        self.refused(parse_complete_multipart_upload, "")

    def test_document_types(self) -> None:
        inside = "<Object><Key>{}</Key></Object>"
        for subset in ("", "[<!ENTITY x 'y'>]", "SYSTEM 'file:///etc/passwd'", "[<!ENTITY x SYSTEM '/etc/passwd'>]"):
            self.refused(parse_delete, f"<!DOCTYPE Delete {subset}><Delete>{inside.format('a')}</Delete>")
            self.refused(parse_delete, f"<!DOCTYPE Delete {subset}><Delete>{inside.format('&x;')}</Delete>")
        bomb = "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>" for n in range(1, 12))
        self.refused(
            parse_delete, f"<!DOCTYPE Delete [<!ENTITY l0 'x'>{bomb}]><Delete>{inside.format('&l11;')}</Delete>"
        )

    def test_depth(self) -> None:
        self.refused(parse_delete, "<Delete>" * 100_000)

    def test_size(self) -> None:
        for parse in PARSERS:
            self.refused(parse, b" " * MAX_DOCUMENT_SIZE + b"<a/>", "MaxMessageLengthExceeded")

    def test_namespaces(self) -> None:
        content = "<Object><Key>a</Key></Object>"
        expected = DeleteRequest((DeleteEntry("a"),))
        self.assertEqual(parse_delete(f"<Delete>{content}</Delete>".encode()), expected)
        self.assertEqual(parse_delete(f"<Delete {NS}>{content}</Delete>".encode()), expected)
        prefixed = f"<s:Delete {NS.replace('xmlns', 'xmlns:s')}>"
        prefixed += "<s:Object><s:Key>a</s:Key></s:Object></s:Delete>"
        self.assertEqual(parse_delete(prefixed.encode()), expected)
        self.refused(parse_delete, f'<Delete xmlns="urn:other">{content}</Delete>')
        self.refused(parse_delete, '<Delete><Object><Key xmlns="urn:other">a</Key></Object></Delete>')


class CreateBucketTests(DocumentTestCase):
    def test_constraint(self) -> None:
        document = "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></...>"
        document = document.replace("...", "CreateBucketConfiguration")
        self.assertEqual(parse_create_bucket(document.encode()), "eu-west-1")
        configuration = {"LocationConstraint": "eu-north-1"}
        body = botocore_body("CreateBucket", {"Bucket": "b", "CreateBucketConfiguration": configuration})
        self.assertEqual(parse_create_bucket(body), "eu-north-1")

    def test_none(self) -> None:
        for document in (b"", b" \n", b"<CreateBucketConfiguration/>"):
            self.assertEqual(parse_create_bucket(document), "")

    def test_not_offered(self) -> None:
        document = "<CreateBucketConfiguration><{0}/></CreateBucketConfiguration>"
        for name in ("Location", "Bucket", "Tags"):
            self.refused(parse_create_bucket, document.format(name), "NotImplemented")

    def test_refused(self) -> None:
        document = "<CreateBucketConfiguration>{}</CreateBucketConfiguration>"
        constraint = "<LocationConstraint>x</LocationConstraint>"
        for content in (constraint * 2, "<Other/>", "text", constraint.replace("x", "<a/>")):
            self.refused(parse_create_bucket, document.format(content))


class DeleteTests(DocumentTestCase):
    def parse(self, content: str) -> DeleteRequest:
        return parse_delete(f"<Delete>{content}</Delete>".encode())

    def test_everything(self) -> None:
        found = self.parse(
            '<!-- c --><Quiet> true </Quiet>\n<Object><Key>a</Key><VersionId>null</VersionId><ETag>"e"</ETag>'
            "<LastModifiedTime>Sun, 06 Nov 1994 08:49:37 GMT</LastModifiedTime><Size>7</Size></Object>"
        )
        self.assertEqual(found, DeleteRequest((DeleteEntry("a", "null", '"e"', 784111777.0, 7),), True))

    def test_keys_keep_their_white_space(self) -> None:
        for key, written in (
            (" a ", " a "),
            (" ", " "),
            ("\ta\n", "&#9;a&#10;"),
            ("a\rb", "a&#13;b"),
            ("a\n", "<![CDATA[a\n]]>"),
            ("<&>", "&lt;&amp;&gt;"),
            ("ab", "a<!-- c -->b"),
            ("é\U0001f600", "é&#x1F600;"),
        ):
            self.assertEqual(self.parse(f"<Object><Key>{written}</Key></Object>").entries[0].key, key)

    def test_quiet(self) -> None:
        for text, quiet in (("true", True), ("1", True), ("false", False), ("0", False)):
            found = self.parse(f"<Object><Key>a</Key></Object><Quiet>{text}</Quiet>")
            self.assertEqual(found.quiet, quiet)

    def test_as_botocore_sends(self) -> None:
        keys = [" a ", "b\nc\r", "<é>", "x" * 1024]
        wanted = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
        body = botocore_body("DeleteObjects", {"Bucket": "b", "Delete": wanted})
        # botocore writes these two as references in a handler that runs behind its serializer.
        body = body.replace(b"b\nc\r", b"b&#xA;c&#xD;")
        found = parse_delete(body)
        self.assertEqual([entry.key for entry in found.entries], keys)
        self.assertTrue(found.quiet)

    def test_number_of_keys(self) -> None:
        entry = "<Object><Key>a</Key></Object>"
        self.assertEqual(len(self.parse(entry * 1000).entries), 1000)
        self.refused(parse_delete, f"<Delete>{entry * 1001}</Delete>")
        self.refused(parse_delete, "<Delete/>")
        self.refused(parse_delete, "<Delete><Quiet>true</Quiet></Delete>")

    def test_refused(self) -> None:
        key = "<Key>a</Key>"
        for content in (
            "<Object/>",
            "<Object><Key/></Object>",
            f"<Object>{key}{key}</Object>",
            f"<Object>{key}<Other/></Object>",
            f"<Object>{key}text</Object>",
            f"<Object>{key}</Object>text",
            "<Object><Key><b/>a</Key></Object>",
            "<Object><Key>&#1;</Key></Object>",
            f"<Object>{key}<Size>-1</Size></Object>",
            f"<Object>{key}<Size>²</Size></Object>",
            f"<Object>{key}<Size/></Object>",
            f"<Object>{key}<LastModifiedTime>now</LastModifiedTime></Object>",
            f"<Object>{key}</Object><Quiet>yes</Quiet>",
            f"<Object>{key}</Object><Quiet>true</Quiet><Quiet>true</Quiet>",
            f"<Object>{key}</Object><Other/>",
        ):
            self.refused(parse_delete, f"<Delete>{content}</Delete>")
        self.refused(parse_delete, f"<delete><Object>{key}</Object></delete>")


class CompleteMultipartUploadTests(DocumentTestCase):
    PART = "<Part><PartNumber>{0}</PartNumber><ETag>{0}</ETag></Part>"

    def parse(self, content: str) -> tuple[CompletedPart, ...]:
        return parse_complete_multipart_upload(f"<CompleteMultipartUpload>{content}</CompleteMultipartUpload>".encode())

    def test_etags(self) -> None:
        for written in ("abc", '"abc"', "&quot;abc&quot;", ' "abc" '):
            found = self.parse(f"<Part><ETag>{written}</ETag><PartNumber> 3 </PartNumber></Part>")
            self.assertEqual(found, (CompletedPart(3, "abc"),))

    def test_order_is_kept(self) -> None:
        found = self.parse("".join(map(self.PART.format, (2, 1, 2))))
        self.assertEqual([part.number for part in found], [2, 1, 2])

    def test_as_botocore_sends(self) -> None:
        part = {"PartNumber": 1, "ETag": '"e"', "ChecksumCRC32": "AAAAAA==", "ChecksumSHA256": "x"}
        parameters = {"Bucket": "b", "Key": "k", "UploadId": "u", "MultipartUpload": {"Parts": [part]}}
        found = parse_complete_multipart_upload(botocore_body("CompleteMultipartUpload", parameters))
        self.assertEqual(found, (CompletedPart(1, "e", {"CRC32": "AAAAAA==", "SHA256": "x"}),))

    def test_checksums_of_the_service_model(self) -> None:
        shape = botocore.session.get_session().get_service_model("s3").shape_for("CompletedPart")
        names = [name for name in shape.members if name.startswith("Checksum")]
        self.assertIn("ChecksumCRC64NVME", names)
        for name in names:
            found = self.parse(f"<Part><PartNumber>1</PartNumber><ETag>e</ETag><{name}>v</{name}></Part>")
            self.assertEqual(found[0].checksums, {name.removeprefix("Checksum"): "v"})

    def test_number_of_parts(self) -> None:
        parts = "".join(map(self.PART.format, range(1, 10_001)))
        self.assertEqual(len(self.parse(parts)), 10_000)
        self.refused(self._parse_content, parts + self.PART.format(1))
        self.refused(self._parse_content, "")

    def _parse_content(self, content: bytes) -> object:
        return self.parse(content.decode())

    def test_refused(self) -> None:
        number, etag = "<PartNumber>1</PartNumber>", "<ETag>e</ETag>"
        for content in (
            "<Part/>",
            f"<Part>{number}</Part>",
            f"<Part>{etag}</Part>",
            f"<Part>{number}{number}{etag}</Part>",
            f"<Part>{number}{etag}<Size>1</Size></Part>",
            f"<Part>{number}{etag}</Part>x",
            f"<Part>{number}{etag}</Part><Other/>",
            f"<Part><PartNumber>one</PartNumber>{etag}</Part>",
            f"<Part><PartNumber/>{etag}</Part>",
        ):
            self.refused(self._parse_content, content)

    def test_part_number_below_one(self) -> None:
        error = self.refused(self._parse_content, self.PART.format(0), "InvalidArgument")
        self.assertEqual(error.message, "PartNumber must be >= 1")
