"""Forms as they arrive, in any pieces."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.forms import BOUNDARY, CONTENT_TYPE, form_body, part
from twisted_s3.errors import S3Error
from twisted_s3.protocol.formdata import FIELDS_LIMIT, FormParser, boundary_of

END = f"--{BOUNDARY}--\r\n".encode()
DELIMITER = f"\r\n--{BOUNDARY}".encode()


def parse(body: bytes, sizes: Sequence[int] = (), limit: int = FIELDS_LIMIT) -> tuple[dict[str, str], str, bytes]:
    """Fields, file name and file of a form that comes in pieces of these sizes, then the rest at once."""
    parser = FormParser(BOUNDARY.encode(), limit)
    pieces: list[bytes] = []
    at = 0
    for size in (*sizes, len(body)):
        pieces += parser.feed(body[at : at + size])
        at += size
    parser.finish()
    assert parser.filename is not None
    return dict(parser.fields), parser.filename, b"".join(pieces)


def outcome(body: bytes, sizes: Sequence[int] = (), limit: int = FIELDS_LIMIT) -> object:
    """What becomes of a form: its contents, or the code of the error."""
    try:
        return parse(body, sizes, limit)
    except S3Error as error:
        return error.code, dict(error.elements)


def raw_part(headers: str, value: bytes = b"x") -> bytes:
    """A part with headers as written."""
    return f"--{BOUNDARY}\r\n{headers}\r\n\r\n".encode() + value + b"\r\n"


class Boundaries(SynchronousTestCase):
    """The Content-Type of a form."""

    def test_boundary(self) -> None:
        """Quoted or not, among other parameters, in any case."""
        self.assertEqual(boundary_of(CONTENT_TYPE), BOUNDARY.encode())
        self.assertEqual(boundary_of('Multipart/Form-Data; charset=utf-8; Boundary="a b"'), b"a b")

    def test_other_types(self) -> None:
        """412, as on AWS."""
        for value in (None, "", "text/plain", "application/x-www-form-urlencoded", "multipart/mixed; boundary=x", ";"):
            error = self.assertRaises(S3Error, boundary_of, value)
            self.assertEqual((error.code, error.status), ("PreconditionFailed", 412))
            self.assertIn("multipart/form-data", error.elements["Condition"])

    def test_no_boundary(self) -> None:
        """A form that says no usable boundary is not well-formed."""
        for rest in ("", ";", "; boundary=", '; boundary=""', "; boundary=é", f"; boundary={'x' * 201}", "; x"):
            error = self.assertRaises(S3Error, boundary_of, f"multipart/form-data{rest}")
            self.assertEqual((error.code, error.status), ("MalformedPOSTRequest", 400))

    @given(st.text())
    def test_garbage(self, text: str) -> None:
        """Nothing but S3Error."""
        for value in (text, f"multipart/form-data{text}", f"multipart/form-data;{text}"):
            with contextlib.suppress(S3Error):
                boundary_of(value)


class Forms(SynchronousTestCase):
    """What is in a form."""

    def test_form(self) -> None:
        """Fields in UTF-8 by lower-case name, then the file."""
        body = form_body({"kEy": "ké y", "x-amz-meta-a": ""}, b"\x00\xff\r\n--no", "ñ.txt")
        self.assertEqual(parse(body), ({"key": "ké y", "x-amz-meta-a": ""}, "ñ.txt", b"\x00\xff\r\n--no"))

    def test_file_without_name(self) -> None:
        """The file may be a text area; a field may carry a file name."""
        body = part("key", b"k", "key") + part("FILE", b"text") + END
        self.assertEqual(parse(body), ({"key": "k"}, "", b"text"))

    def test_empty_file(self) -> None:
        """No byte is a file too."""
        self.assertEqual(parse(form_body({"key": "k"}, b""))[2], b"")

    def test_names(self) -> None:
        """What browsers, curl and urllib3 make of odd file names."""
        for written, read in (
            ('name="file"; filename="a%22b%0D%0A.txt"', 'a"b\r\n.txt'),
            (r'name="file"; filename="a\"b.txt"', 'a"b.txt'),
            (r'name="file"; filename="C:\dir\f.txt"', r"C:\dir\f.txt"),
            ("name=file; filename=plain.txt", "plain.txt"),
            ("name=\"file\"; filename*=utf-8''%e2%82%ac.txt", "€.txt"),
            ('name="file"; filename="e.txt"; filename*=UTF-8\'en\'%C3%A9.txt', "é.txt"),
            ('name="file"; filename="e.txt"; filename*=latin-1\'\'%E9.txt', "e.txt"),
        ):
            body = raw_part(f"Content-Type: text/plain\r\ncontent-disposition : form-data; {written}") + END
            self.assertEqual(parse(body)[1], read)

    def test_repeated_field(self) -> None:
        """Values of one name are joined, so that the policy sees all of them."""
        body = part("a", b"1") + part("A", b"2") + form_body({})
        self.assertEqual(parse(body)[0], {"a": "1,2"})

    def test_fields_after_the_file(self) -> None:
        """They do not count, nor does a second file or what follows the end."""
        late = part("key", b"late") + part("file", b"second") + END + b"epilogue"
        self.assertEqual(parse(part("key", b"k") + part("file", b"first") + late), ({"key": "k"}, "", b"first"))

    def test_around_boundaries(self) -> None:
        """A preamble is skipped; white space may follow a boundary."""
        body = b"preamble\r\n" + form_body({"key": "k"}).replace(
            BOUNDARY.encode() + b"\r", BOUNDARY.encode() + b" \t\r"
        )
        self.assertEqual(parse(body), ({"key": "k"}, "name.txt", b"hello"))

    def test_no_file(self) -> None:
        """A form without a file."""
        for body in (END, form_body({"key": "k"}, None)):
            error = self.assertRaises(S3Error, parse, body)
            self.assertEqual(error.code, "InvalidArgument")
            self.assertEqual(error.message, "POST requires exactly one file upload per request.")
            self.assertEqual(error.elements, {"ArgumentName": "file", "ArgumentValue": "0"})

    def test_cut_short(self) -> None:
        """A form that ends anywhere before its last boundary stores nothing."""
        body = form_body({"key": "k"})
        for length in range(len(body) - 2):
            self.assertEqual(outcome(body[:length])[0], "MalformedPOSTRequest", length)  # type: ignore[index]

    def test_malformed(self) -> None:
        """What is not a form."""
        for body in (
            b"key=value&file=x",
            raw_part("Content-Type: text/plain") + END,
            raw_part("") + END,
            raw_part("Content-Disposition: attachment; name=key") + END,
            raw_part('Content-Disposition: form-data; filename="x"') + END,
            raw_part('Content-Disposition: form-data; name=""') + END,
            raw_part('Content-Disposition: form-data; name="key') + END,
            raw_part('Content-Disposition: form-data; name="key"').replace(b"key", b"\xff") + END,
            part("key", b"\xff") + form_body({}),
            form_body({"key": "k"}).replace(BOUNDARY.encode() + b"\r", BOUNDARY.encode() + b"x\r", 1),
            form_body({"key": "k"}).replace(b"--\r\n", b"-x\r\n"),
        ):
            self.assertEqual(outcome(body), ("MalformedPOSTRequest", {}), body)

    def test_room_for_fields(self) -> None:
        """20 KB up to the first byte of the file, and not one more."""
        size = FIELDS_LIMIT - len(form_body({"key": ""}, b"")) + len(DELIMITER) + len(b"--\r\n")
        exact = form_body({"key": "k" * size}, b"x" * 100_000)
        self.assertEqual(len(parse(exact)[2]), 100_000)
        refused = ("MaxPostPreDataLengthExceeded", {"MaxPostPreDataLengthBytes": "20480"})
        over = form_body({"key": "k" * (size + 1)})
        self.assertEqual(outcome(over), refused)
        self.assertEqual(outcome(over, [1] * len(over)), refused)
        self.assertEqual(outcome(b"x" * (FIELDS_LIMIT + 1)), refused)

    def test_memory(self) -> None:
        """Whatever comes, little of it is kept."""
        parser = FormParser(BOUNDARY.encode())
        parser.feed(form_body({"key": "k"}, b"")[: -len(DELIMITER) - len(b"--\r\n")])
        taken = 0
        for data in (b"\r\n" * 30_000, DELIMITER[:-1], b"x" * 65_536, (DELIMITER[:-1] + b"\r") * 1000):
            taken += sum(map(len, parser.feed(data)))
            self.assertLess(len(parser._buffer), len(DELIMITER))
        self.assertEqual(taken + len(parser._buffer), 60_000 + len(DELIMITER) - 1 + 65_536 + 1000 * len(DELIMITER))


bodies = st.one_of(
    st.binary(max_size=300),
    st.lists(
        st.one_of(
            st.sampled_from(
                [
                    f"--{BOUNDARY}".encode(),
                    b"\r\n",
                    b"--",
                    b"\r",
                    b"-",
                    b" ",
                    b'Content-Disposition: form-data; name="key"\r\n\r\n',
                    b'Content-Disposition: form-data; name="file"; filename="f"\r\n\r\n',
                    part("key", b"k"),
                    part("file", b"data", "f"),
                    END,
                ]
            ),
            st.binary(max_size=10),
        ),
        max_size=12,
    ).map(b"".join),
    st.tuples(st.dictionaries(st.sampled_from(["key", "acl"]), st.text(max_size=8)), st.binary(max_size=80)).map(
        lambda form: form_body(*form)
    ),
)


class AnyPieces(SynchronousTestCase):
    """However the bytes are cut, the outcome is the same; garbage is refused, with S3Error."""

    @given(bodies, st.lists(st.integers(0, 60), max_size=40), st.sampled_from([60, 200, FIELDS_LIMIT]))
    @example(form_body({"key": "k"}, DELIMITER[:-1] * 3), [1] * 400, FIELDS_LIMIT)
    def test_pieces(self, body: bytes, sizes: list[int], limit: int) -> None:
        """All at once, byte by byte, and in any sizes."""
        whole = outcome(body, (), limit)
        self.assertEqual(outcome(body, sizes, limit), whole)
        self.assertEqual(outcome(body, [1] * len(body), limit), whole)

    @given(st.binary(max_size=200))
    def test_any_file(self, file: bytes) -> None:
        """Every file comes out as it went in."""
        self.assertEqual(parse(form_body({}, file), [7] * 40)[2], file)
