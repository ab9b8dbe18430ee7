"""What a client is told when the disk refuses."""

from __future__ import annotations

import errno

from twisted.logger import Logger

from twisted_s3.errors import S3Error

_FULL = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
_EXHAUSTED = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN))
_FORBIDDEN = frozenset((errno.EACCES, errno.EPERM, errno.EROFS))

_GONE = frozenset((errno.ESTALE, errno.ENODEV, errno.ENXIO))

_log = Logger()


def refusal(error: OSError) -> S3Error:
    """The S3 error for a failure of the disk: none of its text reaches the client."""
    if error.errno in _FULL:
        return S3Error("ServiceUnavailable", "There is no space left to store this.")
    if error.errno in _EXHAUSTED:
        return S3Error("SlowDown")
    if error.errno in _FORBIDDEN:
        return S3Error("AccessDenied", "The server may not touch this file.")
    if error.errno in _GONE:
        return S3Error("ServiceUnavailable")
    return S3Error("InternalError")


class disk_failures:
    """Turns every :class:`OSError` of a ``with`` block into an :class:`S3Error`, and logs it."""

    __slots__ = ()

    def __enter__(self) -> None:
        """Nothing yet."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """:raise S3Error: in place of an OSError."""
        if isinstance(error, OSError):
            _log.error("The disk refused: {error}", error=error)
            raise refusal(error) from error
