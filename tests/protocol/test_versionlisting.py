"""The pages of ListObjectVersions against a list that is cut up by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from twisted.trial.unittest import SynchronousTestCase

from twisted_s3.errors import S3Error
from twisted_s3.model import ListedVersion, ObjectVersion
from twisted_s3.protocol.versionlisting import check_version_marker, versions_page

KEYS = st.text("ab/", min_size=1, max_size=4)


class Bucket(Struct, frozen=True):
    """How many versions each key has; the ids of the oldest is 1."""

    counts: Mapping[str, int]

    def keys(self, start: str) -> Iterator[str]:
        """The keys in order."""
        return iter(sorted(key for key in self.counts if key >= start))

    def versions(self, key: str, behind: str | None = None) -> Iterator[ListedVersion]:
        """The versions of a key, newest first."""
        newest = self.counts.get(key, 0)
        first = newest if behind is None else int(behind) - 1
        for number in range(first, 0, -1):
            version = ObjectVersion(key, 0, "", 0.0, version_id=str(number), delete_marker=number % 2 == 0)
            yield ListedVersion(version, number == newest)

    def entries(self, prefix: str, delimiter: str) -> list[tuple[str, str]]:
        """Every entry: key and id, or group and nothing."""
        found: list[tuple[str, str]] = []
        for key in self.keys(""):
            if not key.startswith(prefix):
                continue
            head, separator, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
            if separator:
                group = (prefix + head + separator, "")
                if group not in found:
                    found.append(group)
            else:
                found += [(key, listed.version.version_id) for listed in self.versions(key)]
        return found


class PageTests(SynchronousTestCase):
    """What comes on which page."""

    @given(
        st.dictionaries(KEYS, st.integers(1, 4), max_size=8),
        st.text("ab/", max_size=2),
        st.sampled_from(["", "/", "a", "b/"]),
        st.integers(1, 5),
    )
    def test_pages(self, counts: Mapping[str, int], prefix: str, delimiter: str, size: int) -> None:
        """All pages together show each entry once, in order, and none is larger than asked."""
        bucket = Bucket(counts)
        found: list[tuple[str, str]] = []
        key_marker, version_marker = "", None
        while True:
            page = versions_page(bucket, prefix, delimiter, key_marker, version_marker, size)
            shown = [(listed.version.key, listed.version.version_id) for listed in page.versions]
            shown += [(group, "") for group in page.common_prefixes]
            self.assertEqual(len(shown), len(set(shown)))
            found += sorted(shown, key=bucket.entries(prefix, delimiter).index)
            if not page.is_truncated:
                break
            self.assertEqual(len(shown), size)
            self.assertEqual((page.next_key_marker, page.next_version_id_marker), found[-1])
            key_marker, version_marker = page.next_key_marker, page.next_version_id_marker or None
        self.assertEqual(found, bucket.entries(prefix, delimiter))

    def test_key_marker_alone(self) -> None:
        """It stands behind all versions of its key."""
        page = versions_page(Bucket({"a": 3, "b": 1}), "", "", "a", None, 10)
        self.assertEqual([listed.version.key for listed in page.versions], ["b"])

    def test_latest(self) -> None:
        page = versions_page(Bucket({"a": 3}), "", "", "a", "3", 10)
        self.assertEqual([listed.is_latest for listed in page.versions], [False, False])

    def test_none_asked_for(self) -> None:
        self.assertEqual(versions_page(Bucket({"a": 3}), "", "", "", None, 0).is_truncated, False)

    def test_markers(self) -> None:
        for key, version in (("", None), ("a", None), ("a", "null")):
            check_version_marker(key, version)
        for key, version, message in (
            ("", "null", "A version-id marker cannot be specified without a key marker."),
            ("a", "", "A version-id marker cannot be empty."),
        ):
            error = self.assertRaises(S3Error, check_version_marker, key, version)
            self.assertEqual((error.code, error.message), ("InvalidArgument", message))
            self.assertEqual(error.elements, {"ArgumentName": "version-id-marker", "ArgumentValue": version})
