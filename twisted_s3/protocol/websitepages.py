"""The error pages of websites, as AWS writes them.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/CustomErrorDocSupport.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape
from http import HTTPStatus

from twisted_s3.errors import S3Error

_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


def error_page(error: S3Error, request_id: str, host_id: str, document: S3Error | None = None) -> bytes:
    """The page that shows an error.

    :param document: why the error document of the website could not be shown, where it has one.
    """
    title = f"{error.status} {HTTPStatus(error.status).phrase}"
    lines = ["<html>", f"<head><title>{title}</title></head>", "<body>", f"<h1>{title}</h1>", "<ul>", *_items(error)]
    lines += [f"<li>RequestId: {escape(request_id)}</li>", f"<li>HostId: {escape(host_id)}</li>", "</ul>"]
    if document is not None:
        lines += ["<h3>An Error Occurred While Attempting to Retrieve a Custom Error Document</h3>"]
        lines += ["<ul>", *_items(document), "</ul>"]
    lines += ["<hr/>", "</body>", "</html>", ""]
    return "\n".join(lines).encode("utf-8", "backslashreplace")


def _items(error: S3Error) -> Iterator[str]:
    for name, text in (("Code", error.code), ("Message", error.message), *error.elements.items()):
        yield f"<li>{name}: {escape(text)}</li>"


def error_headers(error: S3Error) -> Sequence[tuple[str, str]]:
    """The headers that tell of an error whatever the page shows."""
    return (
        ("x-amz-error-code", error.code),
        ("x-amz-error-message", _value(error.message)),
        *((f"x-amz-error-detail-{name}", _value(text)) for name, text in error.elements.items()),
    )


def _value(text: str) -> str:
    return _CONTROL.sub(" ", text).encode("utf-8", "backslashreplace").decode("latin-1")
