"""``multipart/form-data`` as it arrives: the fields up to the part named ``file``, then that part's bytes.

RFC 7578 with the quoting of the HTML standard. "Upload an object using HTML forms"
(https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html): the file is the last part that counts, and all
that comes before its bytes has at most 20 KB.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import Enum, auto
from urllib.parse import unquote

from twisted_s3.errors import S3Error

#: The most bytes that may come before the file's: fields, headers and boundaries.
FIELDS_LIMIT = 20480

#: The part that holds the object. Names of parts are the same in any case.
FILE = "file"

_MAX_BOUNDARY = 200
_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER = re.compile(rf';[ \t]*({_WORD})[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*+)"|([^;"\s]*))[ \t]*', re.DOTALL)
_MEDIA_TYPE = re.compile(rf"[ \t]*({_WORD}/{_WORD})[ \t]*")
_DISPOSITION = re.compile(r"content-disposition[ \t]*:[ \t]*form-data[ \t]*", re.IGNORECASE)
_EXTENDED = re.compile(r"(utf-8)'[^']*'(.*)", re.IGNORECASE | re.DOTALL)
#: What browsers escape in names, and nothing else.
_BROWSER_ESCAPES = {"%22": '"', "%0D": "\r", "%0A": "\n"}
_BROWSER_ESCAPE = re.compile("%22|%0D|%0A")


class _State(Enum):
    PREAMBLE = auto()
    DELIMITER = auto()
    HEADERS = auto()
    FIELD = auto()
    FILE = auto()
    AFTER_FILE = auto()
    END = auto()


def malformed() -> S3Error:
    """The refusal of what is not a form."""
    return S3Error("MalformedPOSTRequest")


def boundary_of(content_type: str | None) -> bytes:
    """The boundary that the ``Content-Type`` of a request names.

    :raise S3Error: ``PreconditionFailed`` when it is not ``multipart/form-data``; ``MalformedPOSTRequest`` when it has
        no usable boundary.
    """
    media_type = _MEDIA_TYPE.match(content_type or "")
    if media_type is None or media_type[1].lower() != "multipart/form-data":
        raise S3Error(
            "PreconditionFailed",
            elements={"Condition": "Bucket POST must be of the enclosure-type multipart/form-data"},
        )
    boundary = _parameters((content_type or "")[media_type.end() :]).get("boundary", "")
    if not 0 < len(boundary) <= _MAX_BOUNDARY or not boundary.isascii() or not boundary.isprintable():
        raise malformed()
    return boundary.encode("ascii")


class FormParser:
    """Takes the body of a form in pieces of any size and gives the bytes of its file. Its memory is bounded.

    :ivar fields: the parts before the file by lower-case name, complete once ``filename`` is known; of a repeated name
        the values joined by commas, as with headers.
    :ivar filename: of the file, "" when it has none; None until the file begins.
    :ivar ended: whether all bytes of the file have come.
    """

    def __init__(self, boundary: bytes, limit: int = FIELDS_LIMIT) -> None:
        """
        :param limit: the most bytes that may come before those of the file.
        """
        self.filename: str | None = None
        self._fields: dict[str, str] = {}
        self._delimiter = b"\r\n--" + boundary
        self._limit = self._room = limit
        # The first boundary may stand at the very start, where nothing ends a line before it.
        self._buffer = b"\r\n"
        self._state = _State.PREAMBLE
        self._name = ""

    @property
    def fields(self) -> Mapping[str, str]:
        """The fields so far."""
        return self._fields

    @property
    def ended(self) -> bool:
        """Whether all bytes of the file have come."""
        return self._state in (_State.AFTER_FILE, _State.END)

    def feed(self, data: bytes) -> Sequence[bytes]:
        """Take the next bytes of the body; give the bytes of the file among them.

        :raise S3Error: ``MalformedPOSTRequest``, ``MaxPostPreDataLengthExceeded``; ``InvalidArgument`` for a form that
            ends without a file.
        """
        if self.filename is None:
            head, data = data[: self._room], data[self._room :]
            self._room -= len(head)
            self._buffer += head
            while self.filename is None and self._step():
                pass
            if self.filename is None:
                if data:
                    raise S3Error(
                        "MaxPostPreDataLengthExceeded", elements={"MaxPostPreDataLengthBytes": str(self._limit)}
                    )
                return ()
        if self._state is _State.END:
            return ()
        if data:
            self._buffer = self._buffer + data if self._buffer else data
        pieces = self._take_file() if self._state is _State.FILE else ()
        if self._state is _State.AFTER_FILE:
            self._end_delimiter(_State.END)
        return pieces

    def finish(self) -> None:
        """Say that the body has ended.

        :raise S3Error: ``MalformedPOSTRequest`` when that was too early.
        """
        if self._state is not _State.END:
            raise malformed()

    def _step(self) -> bool:
        """Go on with what comes before the file. Gives whether that was possible."""
        if self._state is _State.PREAMBLE:
            return self._until(self._delimiter, _State.DELIMITER) is not None
        if self._state is _State.DELIMITER:
            return self._end_delimiter(_State.HEADERS)
        if self._state is _State.HEADERS:
            headers = self._until(b"\r\n\r\n", _State.FIELD)
            if headers is None:
                return False
            self._begin_part(headers)
            return True
        value = self._until(self._delimiter, _State.DELIMITER)
        if value is None:
            return False
        text = _text(value)
        known = self._fields.get(self._name)
        self._fields[self._name] = text if known is None else f"{known},{text}"
        return True

    def _until(self, mark: bytes, state: _State) -> bytes | None:
        """What comes before ``mark``, which is taken too; None when it has not come yet."""
        before, found, after = self._buffer.partition(mark)
        if not found:
            return None
        self._buffer, self._state = after, state
        return before

    def _end_delimiter(self, state: _State) -> bool:
        """Take what ends a delimiter: two hyphens after the last one, else the end of the line."""
        self._buffer = self._buffer.lstrip(b" \t")
        if len(self._buffer) < 2:
            if self._buffer not in (b"", b"-", b"\r"):
                raise malformed()
            return False
        end, rest = self._buffer[:2], self._buffer[2:]
        if end == b"--" and self.filename is None:
            raise S3Error(
                "InvalidArgument",
                "POST requires exactly one file upload per request.",
                {"ArgumentName": FILE, "ArgumentValue": "0"},
            )
        if end not in (b"--", b"\r\n"):
            raise malformed()
        # The line end stays: it is also the one that an empty block of headers begins with.
        self._buffer = b"" if state is _State.END else b"\r\n" + rest
        self._state = state
        return True

    def _begin_part(self, headers: bytes) -> None:
        for line in _text(headers).split("\r\n"):
            disposition = _DISPOSITION.match(line)
            if disposition is not None:
                parameters = _parameters(line[disposition.end() :])
                break
        else:
            raise malformed()
        if "name" not in parameters:
            raise malformed()
        self._name = parameters["name"].lower()
        if self._name == FILE:
            self.filename = parameters.get("filename", "")
            self._state = _State.FILE
        elif not self._name:
            raise malformed()

    def _take_file(self) -> Sequence[bytes]:
        buffer, delimiter = self._buffer, self._delimiter
        at = buffer.find(delimiter)
        if at >= 0:
            self._buffer = buffer[at + len(delimiter) :]
            self._state = _State.AFTER_FILE
            return (buffer[:at],) if at else ()
        # Keep what may be the beginning of the delimiter.
        keep = len(buffer)
        start = buffer.find(b"\r", max(0, len(buffer) - len(delimiter) + 1))
        while start >= 0 and not delimiter.startswith(buffer[start:]):
            start = buffer.find(b"\r", start + 1)
        if start >= 0:
            keep = start
        self._buffer = buffer[keep:]
        return (buffer[:keep],) if keep else ()


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise malformed() from None


def _parameters(text: str) -> Mapping[str, str]:
    """The parameters of a header, by lower-case name, of a repeated one the first."""
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _PARAMETER.match(text, at)
        if match is None:
            raise malformed()
        at = match.end()
        quoted, plain = match[2], match[3]
        found.setdefault(match[1].lower(), plain if quoted is None else _unquoted(quoted))
    extended = _EXTENDED.fullmatch(found.get("filename*", ""))
    if extended is not None:
        found["filename"] = unquote(extended[2], errors="replace")
    return found


def _unquoted(text: str) -> str:
    """A quoted name. A backslash stays, unless it hides a quote: old browsers send whole paths of Windows."""
    return _BROWSER_ESCAPE.sub(lambda match: _BROWSER_ESCAPES[match[0]], text.replace('\\"', '"'))
