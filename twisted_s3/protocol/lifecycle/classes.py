"""Storage classes, as far as a lifecycle moves objects between them: only ever down.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-transition-general-considerations.html
"""

from __future__ import annotations

from collections.abc import Mapping

_ARCHIVES = frozenset(("GLACIER", "DEEP_ARCHIVE"))
_BELOW_TIERING = frozenset(("ONEZONE_IA", "GLACIER_IR")) | _ARCHIVES
_BELOW_INFREQUENT = frozenset(("INTELLIGENT_TIERING",)) | _BELOW_TIERING
_BELOW_STANDARD = frozenset(("STANDARD_IA",)) | _BELOW_INFREQUENT

#: A class to those that may come after it.
_BELOW: Mapping[str, frozenset[str]] = {
    "STANDARD": _BELOW_STANDARD,
    "REDUCED_REDUNDANCY": _BELOW_STANDARD,
    "STANDARD_IA": _BELOW_INFREQUENT,
    "INTELLIGENT_TIERING": _BELOW_TIERING,
    "ONEZONE_IA": _ARCHIVES,
    "GLACIER_IR": _ARCHIVES,
    "GLACIER": frozenset(("DEEP_ARCHIVE",)),
}

#: From the dearest to the cheapest.
_DESCENT = ("STANDARD_IA", "INTELLIGENT_TIERING", "ONEZONE_IA", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE")


def may_follow(before: str, after: str) -> bool:
    """Whether objects of one class can be moved to another."""
    return after in _BELOW.get(before, frozenset())


def depth(storage_class: str) -> int:
    """How cheap a class is that objects can be moved to: the larger the cheaper."""
    return _DESCENT.index(storage_class)


def takes_small(storage_class: str) -> bool:
    """Whether objects below 128 KiB are moved there where the default ``varies_by_storage_class``."""
    return storage_class in _ARCHIVES
