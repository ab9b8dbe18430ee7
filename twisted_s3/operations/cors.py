"""What scripts of other origins may do with a bucket, as its CORS configuration has it.

Nobody has to sign for this, so nothing is told here but what the rules say, and whether there is a bucket: that much
AWS tells as well.
"""

from __future__ import annotations

from twisted_s3.errors import S3Error
from twisted_s3.interfaces import IObjectStore
from twisted_s3.model import Bucket
from twisted_s3.operations.call import Answer, Headers
from twisted_s3.operations.configuration import CORS
from twisted_s3.protocol import cors
from twisted_s3.protocol.documentcache import DocumentCache
from twisted_s3.protocol.head import RequestHead
from twisted_s3.protocol.names import is_bucket_name

#: As AWS spells it.
_NOT_ALLOWED = (
    "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / "
    "Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec."
)


class Sharing:
    """Holds requests against the CORS configurations of the buckets of a store."""

    def __init__(self, store: IObjectStore) -> None:
        self._store = store
        self._rules = DocumentCache(cors.parse_cors)

    async def headers(self, head: RequestHead, bucket_name: str) -> Headers:
        """The headers that every answer to a request has beside its own, also that of an error.

        A preflight has them from :meth:`preflight`.
        """
        asked = None if head.method == "OPTIONS" else cors.cors_request(head)
        if asked is None:
            return ()
        bucket = await self._bucket(bucket_name)
        return () if bucket is None else cors.cors_headers(self._rules_of(bucket), asked)

    async def preflight(self, head: RequestHead, bucket_name: str, level: str) -> Answer:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/RESTOPTIONSobject.html

        :param level: ``bucket`` or ``object``: what the path names.
        :raise S3Error: ``AccessForbidden``; ``BadRequest`` where the request does not say what it asks for.
        """
        if head.header("origin") is None:
            raise S3Error("BadRequest", "Insufficient information. Origin request header needed.")
        bucket = await self._bucket(bucket_name)
        if bucket is None:
            raise _forbidden(head, "bucket", "CORSResponse: Bucket not found")
        rules = self._rules_of(bucket)
        if not rules:
            raise _forbidden(head, "bucket", "CORSResponse: CORS is not enabled for this bucket.")
        headers = cors.cors_headers(rules, cors.preflight_request(head))
        if not headers:
            raise _forbidden(head, level, _NOT_ALLOWED)
        return Answer(200, headers)

    async def _bucket(self, name: str) -> Bucket | None:
        if not is_bucket_name(name):
            return None
        try:
            return await self._store.get_bucket(name)
        except S3Error as error:
            if error.status >= 500:
                raise
            return None

    def _rules_of(self, bucket: Bucket) -> cors.Rules:
        document = bucket.configuration(CORS.name)
        return () if document is None else self._rules.get(document)


def _forbidden(head: RequestHead, level: str, message: str) -> S3Error:
    method = head.header("access-control-request-method") or head.method
    return S3Error("AccessForbidden", message, {"Method": method, "ResourceType": level.upper()})
