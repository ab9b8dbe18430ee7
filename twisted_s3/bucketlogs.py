"""Server access logs of buckets: lines are gathered in memory, and delivered as objects of another bucket now and then.

As on AWS this is done as well as may be: what a process has gathered goes with it when it is killed, and when there is
too much lines are left out. To deliver a log is no request, and is not logged.
"""

from __future__ import annotations

from collections.abc import Callable
from secrets import token_hex
from urllib.parse import unquote

from msgspec import Struct
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from twisted_s3.errors import S3Error
from twisted_s3.interfaces import IObjectStore
from twisted_s3.model import Bucket, Grant, Properties
from twisted_s3.operations.table import OPERATIONS
from twisted_s3.periodic import Job
from twisted_s3.protocol.access.acl import FULL_CONTROL
from twisted_s3.protocol.bucketlogging import (
    EVENT_TIME,
    NAME,
    Request,
    load_logging,
    log_key,
    log_line,
    operation_field,
)
from twisted_s3.protocol.payload import Payload
from twisted_s3.web.resources import Finished

#: How many bytes of lines one process gathers at most, and how many for one object.
LIMIT = 16 << 20
OBJECT_LIMIT = 1 << 20

_DAY = 86400

#: How the names of parameters end whose values are worth something to whoever reads the log.
_SECRET_PARAMETERS = ("signature", "security-token", "customer-key")


class _Gathered(Struct):
    """The lines of one log object to be.

    :ivar first: when the first request came, seconds since the epoch.
    """

    bucket: Bucket
    first: float
    lines: list[bytes] = []
    size: int = 0


class BucketLogs:
    """Gathers the lines of all buckets of one process.

    :param account: gives the canonical id of the owner of a bucket.
    :param interval: seconds between two deliveries.
    """

    _log = Logger()

    def __init__(
        self,
        store: IObjectStore,
        account: Callable[[Bucket], str],
        clock: IReactorTime,
        region: str,
        host_id: str,
        interval: float,
    ) -> None:
        self._store = store
        self._account = account
        self._clock = clock
        self._region = region
        self._host_id = host_id
        self._interval = interval
        self._gathered: dict[tuple[str, bytes, int], _Gathered] = {}
        self._size = 0
        self._left_out = 0
        self._stopping = False
        self._waiting: Deferred[None] | None = None

    def record(self, finished: Finished) -> None:
        """Take down a request, if its bucket wants that."""
        bucket = finished.passage.record
        document = None if bucket is None else bucket.configuration(NAME)
        if bucket is None or document is None:
            return
        logging = load_logging(document)
        if logging is None:
            return
        began = self._clock.seconds() - finished.seconds
        line = log_line(self._request(bucket, finished, began))
        if self._size + len(line) > LIMIT:
            self._left_out += 1
            return
        day = int(began // _DAY) if logging.partition == EVENT_TIME else 0
        gathered = self._gathered.setdefault((bucket.name, document, day), _Gathered(bucket, began))
        gathered.lines.append(line)
        gathered.size += len(line)
        self._size += len(line)
        if gathered.size >= OBJECT_LIMIT:
            self._wake()

    def job(self) -> Job:
        """What delivers, in every process; at its end it delivers all that is left."""
        return Job("bucket-logs", self._interval, self._run, self._hurry)

    def _hurry(self) -> None:
        self._stopping = True
        self._wake()

    async def _run(self) -> None:
        self._stopping = False
        while not self._stopping:
            self._waiting = Deferred()
            call = self._clock.callLater(self._interval, self._wake)
            await self._waiting
            if call.active():
                call.cancel()
            await self.deliver()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    async def deliver(self) -> None:
        """Deliver all that was gathered. What can not be delivered is dropped."""
        gathered, self._gathered, self._size = self._gathered, {}, 0
        if self._left_out:
            self._log.error("{count} lines of bucket logs were left out: there were too many", count=self._left_out)
            self._left_out = 0
        for (name, document, _), one in gathered.items():
            try:
                await self._put(one, document)
            except S3Error as error:
                self._log.error(
                    "{count} lines of the log of {bucket} are lost: {code}",
                    count=len(one.lines),
                    bucket=name,
                    code=error.code,
                )

    async def _put(self, gathered: _Gathered, document: bytes) -> None:
        logging = load_logging(document)
        assert logging is not None
        target = await self._store.get_bucket(logging.target)
        owner = self._account(target)
        if owner != self._account(gathered.bucket):
            raise S3Error("InvalidTargetBucketForLogging")
        now = self._clock.seconds()
        source = gathered.bucket.name
        key = log_key(
            logging, self._account(gathered.bucket), self._region, source, gathered.first, now, token_hex(8).upper()
        )
        acl = (Grant(owner, FULL_CONTROL), *logging.grants) if logging.grants else None
        properties = Properties(headers={"Content-Type": "text/plain"}, acl=acl)
        staged = await self._store.stage(logging.target, Payload(("CRC64NVME",)))
        try:
            await staged.write(b"".join(gathered.lines))
            await staged.commit(key, properties, owner=owner)
        finally:
            await staged.discard()

    def _request(self, bucket: Bucket, finished: Finished, began: float) -> Request:
        passage, head = finished.passage, finished.head
        operation = next((known for known in OPERATIONS if known.name == passage.operation), None)
        query = f"?{_discreet(head.query.decode('latin-1'))}" if head.query else ""
        signed = head.header("authorization") or ""
        parameters = head.parameters
        presigned = "X-Amz-Signature" in parameters or "Signature" in parameters
        version4 = signed.startswith("AWS4") or "X-Amz-Signature" in parameters
        return Request(
            bucket_owner=self._account(bucket),
            bucket=bucket.name,
            time=began,
            remote=finished.remote,
            requester="" if passage.user is None else passage.user.canonical_id,
            request_id=finished.request_id,
            operation="-"
            if operation is None
            else operation_field(
                operation.name, operation.level, operation.method, operation.subresource, operation.parameters
            ),
            key=passage.key,
            target=f"{head.method} {head.path.decode('latin-1')}{query} HTTP/1.1",
            status=finished.status,
            error=finished.error,
            sent=finished.sent,
            size=None,
            milliseconds=finished.seconds * 1000,
            referer=head.header("referer") or "",
            user_agent=head.header("user-agent") or "",
            version_id=parameters.get("versionId", ""),
            host_id=self._host_id,
            signature="" if passage.user is None else "SigV4" if version4 else "SigV2",
            authentication="" if passage.user is None else "QueryString" if presigned else "AuthHeader",
            host=head.header("host") or "",
        )


def _discreet(query: str) -> str:
    """A query without signatures, tokens and customers' keys. A name may be escaped, and means the same."""
    items = []
    for item in query.split("&"):
        name, equals, _ = item.partition("=")
        secret = equals and unquote(name).lower().endswith(_SECRET_PARAMETERS)
        items.append(f"{name}=XXXXX" if secret else item)
    return "&".join(items)
