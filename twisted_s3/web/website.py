"""The resource tree of the websites: the host names the bucket, the path an object or a folder."""

from __future__ import annotations

from msgspec import Struct, structs
from twisted.web.server import Request

from twisted_s3.errors import S3Error
from twisted_s3.interfaces import IBody
from twisted_s3.model import Bucket
from twisted_s3.operations.call import Answer
from twisted_s3.operations.configuration import WEBSITE
from twisted_s3.operations.website import ErrorDocumentError, visit
from twisted_s3.protocol.head import RequestHead
from twisted_s3.protocol.names import bucket_of_host, decode_key, is_bucket_name
from twisted_s3.protocol.website import Asked
from twisted_s3.protocol.websitepages import error_headers, error_page
from twisted_s3.web.gate import Gate, Passage, Target
from twisted_s3.web.resources import S3Resource

#: What the access log calls a request for a page.
OPERATION = "Website"


class WebsiteResource(S3Resource):
    """The websites of all buckets that have one.

    :param gate: what lets nobody in particular read.
    :param domains: host names below which a label is a bucket. Any other host is the name of a bucket itself.
    :param ids: where request ids come from.
    :param drain_bytes: how much of an unwanted body is read to keep the connection.
    :param finished: called for every request at its end.
    """

    def _target(self, request: Request, depth: int) -> Target:
        hosts = request.requestHeaders.getRawHeaders(b"Host") or [b""]
        host = hosts[0].decode("latin-1")
        bucket = bucket_of_host(host, self._domains) or _without_port(host)
        return Target(bucket.encode("utf-8"), self._rest(request, depth), virtual=True)

    async def _answer(self, head: RequestHead, target: Target, body: IBody, passage: Passage) -> Answer:
        passage.operation = OPERATION
        passage.bucket = target.bucket.decode("utf-8")
        if head.method not in ("GET", "HEAD"):
            elements = {"Method": head.method, "ResourceType": "OBJECT"}
            raise S3Error("MethodNotAllowed", elements=elements, headers={"Allow": "GET, HEAD"})
        passage.key = decode_key(target.key) if target.key else ""
        bucket = await self._bucket(passage.bucket)
        document = WEBSITE.of(bucket, self._gate.services)
        if document is None:
            raise S3Error("NoSuchWebsiteConfiguration", elements={"BucketName": bucket.name})
        protocol, query = "https" if head.secure else "http", head.query.decode("latin-1")
        asked = Asked(protocol, head.header("host") or "", passage.key, query)
        return await visit(
            self._gate.services.websites.get(document), asked, _Reader(self._gate, head, bucket, body, passage)
        )

    async def _bucket(self, name: str) -> Bucket:
        if not is_bucket_name(name):
            raise S3Error("NoSuchBucket", elements={"BucketName": name})
        return await self._gate.services.store.get_bucket(name)

    def _error_answer(self, error: S3Error, request: Request, request_id: str) -> Answer:
        if error.status == 304:
            return super()._error_answer(error, request, request_id)
        document = error.document if isinstance(error, ErrorDocumentError) else None
        headers = (*error.headers.items(), *error_headers(error), ("Content-Type", "text/html; charset=utf-8"))
        return Answer(error.status, headers, error_page(error, request_id, self.ids.host_id, document))


def _without_port(host: str) -> str:
    return host.rpartition(":")[0].lower() if host.rpartition(":")[2].isdigit() and ":" in host else host.lower()


class _Reader(Struct, frozen=True):
    """See :class:`twisted_s3.operations.website.Reader`."""

    gate: Gate
    head: RequestHead
    bucket: Bucket
    body: IBody
    passage: Passage

    async def as_asked(self, key: str) -> Answer:
        return await self._read(key, _unknown(self.head))

    async def whole(self, key: str) -> Answer:
        return await self._read(key, _unconditional(self.head))

    async def described(self, key: str) -> Answer:
        return await self._read(key, structs.replace(_unconditional(self.head), method="HEAD"))

    async def absent(self, key: str) -> bool:
        try:
            await self.gate.services.store.head_object(self.bucket.name, key, unread=True)
        except S3Error as error:
            if error.status >= 500:
                raise
            return True
        return False

    async def _read(self, key: str, head: RequestHead) -> Answer:
        return await self.gate.read_publicly(head, self.bucket, key, self.body, self.passage)


def _unknown(head: RequestHead) -> RequestHead:
    """The head of a request for an object, with nothing that S3 itself would understand: pages are for everybody."""
    headers = {
        name: values
        for name, values in head.headers.items()
        if name != "authorization" and not name.startswith("x-amz-")
    }
    return structs.replace(head, query=b"", headers=headers)


def _unconditional(head: RequestHead) -> RequestHead:
    bare = _unknown(head)
    headers = {name: values for name, values in bare.headers.items() if name != "range" and not name.startswith("if-")}
    return structs.replace(bare, headers=headers)
