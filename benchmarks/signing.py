"""Presigned URLs of Signature Version 4, quickly and of many keys.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Mapping
from hashlib import sha256
from urllib.parse import quote

ACCESS_KEY = "benchmark"
SECRET_KEY = "secret-of-benchmark"
REGION = "us-east-1"

#: Seconds that a URL is good for: longer than any run.
EXPIRES = 6 * 3600


class Presigner:
    """Signs targets for one server. Its time is that of its making.

    :param authority: host and port, as the Host header names them.
    """

    def __init__(self, authority: str) -> None:
        self._authority = authority
        self._stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        date = self._stamp[:8]
        self._scope = f"{date}/{REGION}/s3/aws4_request"
        key = f"AWS4{SECRET_KEY}".encode()
        for word in (date, REGION, "s3", "aws4_request"):
            key = hmac.digest(key, word.encode(), "sha256")
        self._key = key

    def target(
        self, method: str, path: str, query: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> str:
        """The target of the request line.

        :param path: as it is escaped on the wire.
        :param headers: further headers to sign, by lower-case name.
        """
        signed = {"host": self._authority, **(headers or {})}
        names = ";".join(sorted(signed))
        parameters = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"{ACCESS_KEY}/{self._scope}",
            "X-Amz-Date": self._stamp,
            "X-Amz-Expires": str(EXPIRES),
            "X-Amz-SignedHeaders": names,
            **(query or {}),
        }
        text = "&".join(f"{quote(name, safe='')}={quote(parameters[name], safe='')}" for name in sorted(parameters))
        lines = "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))
        canonical = f"{method}\n{path}\n{text}\n{lines}\n{names}\nUNSIGNED-PAYLOAD"
        digest = sha256(canonical.encode()).hexdigest()
        to_sign = f"AWS4-HMAC-SHA256\n{self._stamp}\n{self._scope}\n{digest}"
        signature = hmac.digest(self._key, to_sign.encode(), "sha256").hex()
        return f"{path}?{text}&X-Amz-Signature={signature}"
