"""Presigned URLs are those that botocore makes."""

from __future__ import annotations

from datetime import UTC, datetime
from unittest.mock import patch
from urllib.parse import parse_qs, urlsplit

from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from twisted.trial.unittest import SynchronousTestCase

from benchmarks.signing import ACCESS_KEY, EXPIRES, REGION, SECRET_KEY, Presigner


class PresignTests(SynchronousTestCase):
    """Against botocore, at the same second."""

    def check(self, method: str, path: str, query: dict[str, str], headers: dict[str, str]) -> None:
        """Sign with both."""
        ours = Presigner("127.0.0.1:9000").target(method, path, query, headers)
        stamp = parse_qs(urlsplit(ours).query)["X-Amz-Date"][0]
        moment = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        request = AWSRequest(method, f"http://127.0.0.1:9000{path}", headers=headers, params=query)
        signer = S3SigV4QueryAuth(Credentials(ACCESS_KEY, SECRET_KEY), "s3", REGION, expires=EXPIRES)
        with patch("botocore.auth.get_current_datetime", lambda: moment):
            signer.add_auth(request)
        theirs = parse_qs(urlsplit(request.url).query, keep_blank_values=True)
        self.assertEqual(theirs, parse_qs(urlsplit(ours).query, keep_blank_values=True))

    def test_key(self) -> None:
        """A plain GET."""
        self.check("GET", "/bucket/folder/key", {}, {})

    def test_query(self) -> None:
        """Parameters, with and without value."""
        self.check("POST", "/bucket", {"delete": ""}, {})
        self.check("GET", "/bucket", {"list-type": "2", "prefix": "a/b c", "delimiter": "/"}, {})

    def test_header(self) -> None:
        """A header that is signed."""
        self.check("PUT", "/bucket/copy", {}, {"x-amz-copy-source": "/bucket/source"})
