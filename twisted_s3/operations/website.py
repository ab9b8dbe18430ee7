"""What the reader of a website is shown.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/IndexDocumentSupport.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/CustomErrorDocSupport.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-to-page-redirect.html
"""

from __future__ import annotations

from typing import Protocol

from msgspec import structs

from twisted_s3.errors import S3Error
from twisted_s3.operations.call import Answer
from twisted_s3.protocol.website import REDIRECT_HEADER, Asked, Redirect, Website, folder_location, location
from twisted_s3.protocol.websitepages import error_headers

#: Refusals that are of the request's conditions and range, and not of the object.
_CONDITIONAL = frozenset({"NotModified", "PreconditionFailed", "InvalidRange"})


class Reader(Protocol):
    """Reads the bucket as somebody of whom nothing is known may. Raises :class:`S3Error` as GetObject does."""

    async def as_asked(self, key: str) -> Answer:
        """The object, or what the request wants of it."""

    async def whole(self, key: str) -> Answer:
        """The object, whatever conditions and range the request has."""

    async def described(self, key: str) -> Answer:
        """The object without its bytes."""

    async def absent(self, key: str) -> bool:
        """Whether there is no such object, which the reader may not be told."""


class ErrorDocumentError(S3Error):
    """An error, and another one in place of the document that would have shown it.

    :ivar document: the other one.
    """

    def __init__(self, error: S3Error, document: S3Error) -> None:
        super().__init__(error.code, error.message, error.elements, error.headers)
        self.document = document


async def visit(website: Website, asked: Asked, reader: Reader) -> Answer:
    """What to answer. :raise S3Error: what to show as a page; `ErrorDocumentError`."""
    if website.elsewhere is not None:
        return _moved(asked, website.elsewhere)
    rule = website.rule_for(asked.key)
    if rule is not None:
        return _moved(asked, rule.redirect, rule.prefix)
    key = asked.key if _names_object(asked) else asked.key + website.index
    try:
        return await _shown(reader, key)
    except S3Error as error:
        if error.status == 304:
            raise
        return await _instead(website, asked, reader, key, _about(error, key))


def _names_object(asked: Asked) -> bool:
    return bool(asked.key) and not asked.key.endswith("/")


async def _shown(reader: Reader, key: str) -> Answer:
    """The object, or where it sends its readers, whatever else they want."""
    try:
        answer = await reader.as_asked(key)
    except S3Error as error:
        if error.code in _CONDITIONAL:
            elsewhere = _elsewhere(await reader.described(key))
            if elsewhere is not None:
                return elsewhere
        raise
    return _elsewhere(answer) or answer


def _elsewhere(answer: Answer) -> Answer | None:
    """The answer that sends readers where the object in another answer says; None where it does not."""
    target = dict(answer.headers).get(REDIRECT_HEADER)
    if target is None:
        return None
    if answer.download is not None:
        answer.download.opened.close()
    return Answer(301, [("Location", target)])


async def _instead(website: Website, asked: Asked, reader: Reader, key: str, error: S3Error) -> Answer:
    """What is shown in place of an error."""
    if _names_object(asked) and await _is_folder(reader, website, key, error):
        return Answer(302, [("Location", folder_location(asked))])
    rule = website.rule_for(asked.key, str(error.status))
    if rule is not None:
        return _moved(asked, rule.redirect, rule.prefix)
    if website.error is None or error.status >= 500:
        raise error
    try:
        answer = await reader.whole(website.error)
    except S3Error as failure:
        raise ErrorDocumentError(error, _about(failure, website.error)) from None
    headers = (*answer.headers, *error.headers.items(), *error_headers(error))
    return _elsewhere(answer) or structs.replace(answer, status=error.status, headers=headers)


async def _is_folder(reader: Reader, website: Website, key: str, error: S3Error) -> bool:
    """Whether a key that is not there is a folder with an index."""
    if error.code != "NoSuchKey" and not (error.code == "AccessDenied" and await reader.absent(key)):
        return False
    try:
        await reader.described(f"{key}/{website.index}")
    except S3Error as failure:
        if failure.status >= 500:
            raise
        return False
    return True


def _moved(asked: Asked, redirect: Redirect, prefix: str | None = None) -> Answer:
    return Answer(int(redirect.code or 301), [("Location", location(asked, redirect, prefix or ""))])


def _about(error: S3Error, key: str) -> S3Error:
    """The error with the key that was looked for, which whoever raised it may not have known."""
    if error.code != "NoSuchKey":
        return error
    return S3Error(error.code, error.message, {**error.elements, "Key": key}, error.headers)
