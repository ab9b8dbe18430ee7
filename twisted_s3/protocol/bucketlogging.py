"""Server access logs: the configuration of a bucket, the lines, and the keys of the objects that hold them.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLogging.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from urllib.parse import quote

from msgspec import Struct

from twisted_s3.errors import S3Error
from twisted_s3.protocol.access.acl import (
    FULL_CONTROL,
    READ,
    WRITE,
    Grants,
    Resolve,
    grant_document,
    read_grants,
)
from twisted_s3.protocol.xmldocs import Owners, document, element
from twisted_s3.protocol.xmlreading import Element, children_of, members_of, parse_document, text_of

#: Under which it is kept among the configurations of a bucket.
NAME = "logging"

_ROOT = "BucketLoggingStatus"

#: What the date in a partitioned key is.
EVENT_TIME, DELIVERY_TIME = "EventTime", "DeliveryTime"

_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_MAX_PREFIX = 800


class Logging(Struct, frozen=True):
    """Where the log of a bucket goes.

    :ivar target: the name of a bucket.
    :ivar grants: what the ACLs of log objects give, beside everything to the owner of that bucket.
    :ivar partition: ``EventTime`` or ``DeliveryTime``; "" for the simple form of keys.
    :ivar simple: whether the configuration names that form.
    """

    target: str
    prefix: str
    grants: Grants = ()
    partition: str = ""
    simple: bool = False


def parse_logging(body: bytes, resolve: Resolve) -> Logging | None:
    """Read ``BucketLoggingStatus``; None when it turns logging off.

    :raise S3Error: ``MalformedXML``, ``InvalidArgument``, or from ``resolve``.
    """
    members = members_of(parse_document(body, _ROOT), {"LoggingEnabled"})
    if not members:
        return None
    known = {"TargetBucket", "TargetGrants", "TargetPrefix", "TargetObjectKeyFormat"}
    enabled = members_of(members["LoggingEnabled"], known)
    if "TargetBucket" not in enabled or "TargetPrefix" not in enabled:
        raise S3Error("MalformedXML")
    prefix = text_of(enabled["TargetPrefix"])
    if len(prefix.encode()) > _MAX_PREFIX:
        raise S3Error("InvalidArgument", elements={"ArgumentName": "TargetPrefix", "ArgumentValue": prefix})
    grants = _grants(children_of(enabled["TargetGrants"]), resolve) if "TargetGrants" in enabled else ()
    partition, simple = _key_format(enabled.get("TargetObjectKeyFormat"))
    return Logging(text_of(enabled["TargetBucket"]).strip(), prefix, grants, partition, simple)


def load_logging(body: bytes) -> Logging | None:
    """Read what :func:`logging_document` wrote."""
    return parse_logging(body, lambda kind, text: text)


def logging_document(logging: Logging | None, owners: Owners) -> bytes:
    """Write ``BucketLoggingStatus``."""
    if logging is None:
        return document(_ROOT)
    parts = [element("TargetBucket", logging.target)]
    if logging.grants:
        grants = "".join(grant_document(grant, owners) for grant in logging.grants)
        parts.append(f"<TargetGrants>{grants}</TargetGrants>")
    parts.append(element("TargetPrefix", logging.prefix))
    if logging.partition:
        source = element("PartitionDateSource", logging.partition)
        parts.append(f"<TargetObjectKeyFormat><PartitionedPrefix>{source}</PartitionedPrefix></TargetObjectKeyFormat>")
    elif logging.simple:
        parts.append("<TargetObjectKeyFormat><SimplePrefix></SimplePrefix></TargetObjectKeyFormat>")
    return document(_ROOT, f"<LoggingEnabled>{''.join(parts)}</LoggingEnabled>")


def _grants(nodes: Iterable[Element], resolve: Resolve) -> Grants:
    grants = read_grants(nodes, resolve)
    if any(grant.permission not in (FULL_CONTROL, READ, WRITE) for grant in grants):
        raise S3Error("MalformedXML")
    return grants


def _key_format(node: Element | None) -> tuple[str, bool]:
    if node is None:
        return "", False
    forms = members_of(node, {"SimplePrefix", "PartitionedPrefix"})
    if len(forms) != 1:
        raise S3Error("MalformedXML")
    if "SimplePrefix" in forms:
        members_of(forms["SimplePrefix"], ())
        return "", True
    source = members_of(forms["PartitionedPrefix"], {"PartitionDateSource"}).get("PartitionDateSource")
    partition = EVENT_TIME if source is None else text_of(source).strip()
    if partition not in (EVENT_TIME, DELIVERY_TIME):
        raise S3Error("MalformedXML")
    return partition, False


def log_key(
    logging: Logging, account: str, region: str, source: str, event: float, delivery: float, unique: str
) -> str:
    """The key of a log object.

    :param source: the bucket that is logged, ``account`` its owner, both for partitioned keys.
    :param event: when the first request in it came, ``delivery``: now; seconds since the epoch.
    :param unique: 16 characters.
    """
    at = datetime.fromtimestamp(event if logging.partition == EVENT_TIME else delivery, UTC)
    if logging.partition == EVENT_TIME:
        at = at.replace(hour=0, minute=0, second=0)
    name = f"{at:%Y-%m-%d-%H-%M-%S}-{unique}"
    if not logging.partition:
        return logging.prefix + name
    return f"{logging.prefix}{account}/{region}/{source}/{at:%Y/%m/%d}/{name}"


class Request(Struct, frozen=True):
    """What a line tells of a request. "" and None stand for what is not there.

    :ivar time: when it came, seconds since the epoch.
    :ivar requester: canonical id.
    :ivar operation: ``REST.PUT.OBJECT``.
    :ivar target: method, raw path with query, and version, as sent.
    :ivar size: of the object, in bytes.
    :ivar milliseconds: from its arrival to the end of the answer.
    :ivar signature: ``SigV4`` or ``SigV2``.
    :ivar authentication: ``AuthHeader`` or ``QueryString``.
    """

    bucket_owner: str
    bucket: str
    time: float
    remote: str
    requester: str
    request_id: str
    operation: str
    key: str
    target: str
    status: int | None
    error: str
    sent: int
    size: int | None
    milliseconds: float
    referer: str
    user_agent: str
    version_id: str
    host_id: str
    signature: str
    authentication: str
    host: str


def log_line(request: Request) -> bytes:
    """A request as a line, in the 27 fields of AWS, with the newline.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html
    """
    at = datetime.fromtimestamp(request.time, UTC)
    moment = f"[{at.day:02d}/{_MONTHS[at.month - 1]}/{at:%Y:%H:%M:%S} +0000]"
    fields = [
        _bare(request.bucket_owner),
        _bare(request.bucket),
        moment,
        _bare(request.remote),
        _bare(request.requester),
        _bare(request.request_id),
        _bare(request.operation),
        quote(request.key, safe="/~") or "-",
        _quoted(request.target),
        "-" if request.status is None else str(request.status),
        _bare(request.error),
        str(request.sent) if request.sent else "-",
        "-" if request.size is None else str(request.size),
        str(round(request.milliseconds)),
        "-",
        _quoted(request.referer or "-"),
        _quoted(request.user_agent or "-"),
        _bare(request.version_id),
        _bare(request.host_id),
        _bare(request.signature),
        "-",
        _bare(request.authentication),
        _bare(request.host),
        *("-", "-", "-", "-"),  # version of TLS, access point, whether an ACL was needed, region of who asks
    ]
    return " ".join(fields).encode() + b"\n"


def _bare(text: str) -> str:
    """Text without what would end a field."""
    return quote(text, safe="/~:+=.,@$!*'()[]-_") or "-"


def _quoted(text: str) -> str:
    """Text between quotes, in printable ASCII."""
    escaped = "".join(
        character if " " <= character <= "~" and character not in '"\\' else _escape(character) for character in text
    )
    return f'"{escaped}"'


def _escape(character: str) -> str:
    return "".join(f"\\x{byte:02X}" for byte in character.encode("utf-8", "surrogateescape"))


_RESOURCES = {
    "delete": "MULTI_OBJECT_DELETE",
    "logging": "LOGGING_STATUS",
    "policy": "BUCKETPOLICY",
    "versions": "BUCKETVERSIONS",
    "requestPayment": "REQUEST_PAYMENT",
}


def operation_field(name: str, level: str, method: str, subresource: str, parameters: Collection[str]) -> str:
    """How the log names an operation of the API Reference: ``REST.GET.BUCKET`` for ListObjects."""
    resource = _RESOURCES.get(subresource) or subresource.replace("-", "_").upper() or level.upper()
    if name in ("UploadPart", "UploadPartCopy"):
        resource = "PART" if name == "UploadPart" else "PART_COPY"
    elif "uploadId" in parameters:
        resource = "UPLOAD"
    elif name == "ListBuckets":
        resource = "SERVICE"
    elif subresource == "tagging" and level == "object":
        resource = "OBJECT_TAGGING"
    return f"REST.{'COPY' if name in ('CopyObject', 'UploadPartCopy') else method}.{resource.removesuffix('_COPY')}"
