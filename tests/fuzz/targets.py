"""Every parser that reads what comes from outside, with inputs to begin from."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterable

from msgspec import Struct

from tests.fuzz import bodies, documents, files, heads, samples
from tests.protocol import signing
from twisted_s3.errors import S3Error
from twisted_s3.protocol.head import RequestHead


class Target(Struct, frozen=True):
    """A parser.

    :ivar feed: hands it an input; raises nothing but :class:`S3Error`.
    :ivar seeds: inputs that are well formed or nearly so.
    """

    name: str
    feed: Callable[[bytes], None]
    seeds: tuple[bytes, ...]

    def __call__(self, data: bytes) -> None:
        """Read an input. :raise Exception: anything that is not the refusal of bad input."""
        try:
            self.feed(data)
        except S3Error:
            return


def _lines(head: RequestHead) -> bytes:
    target = head.path + (b"?" + head.query if head.query else b"")
    lines = [f"{name}:{value}" for name, values in head.headers.items() for value in values]
    return b"\n".join([head.method.encode() + b" " + target, *(line.encode("latin-1") for line in lines)])


def _signed() -> Iterable[bytes]:
    for how in ("v4 header", "v4 query", "v2 header", "v2 query"):
        yield _lines(signing.signed("PUT", "/bucket/a%20b?versionId=1&x", {"x-amz-meta-a": "b  c"}, b"", how))
    yield _lines(signing.streaming([b"abc", b"de"], signing.MODES[1])[0])


_CHUNKS = (
    *(b"".join(signing.streaming([b"abc" * 9, b"de"], mode)[1]) for mode in signing.MODES),
    b"5;chunk-signature=" + b"0" * 64 + b"\r\nabcde\r\n0;chunk-signature=" + b"0" * 64 + b"\r\n\r\n",
    b"3e8\r\n" + b"x" * 1000 + b"\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n",
)

_XML = (
    b"<CreateBucketConfiguration xmlns='http://s3.amazonaws.com/doc/2006-03-01/'><LocationConstraint>eu-west-1"
    b"</LocationConstraint></CreateBucketConfiguration>",
    b"<Delete><Object><Key>a&#9;</Key><VersionId>null</VersionId><ETag>*</ETag><Size>3</Size><LastModifiedTime>"
    b"Tue, 13 May 2014 16:53:20 GMT</LastModifiedTime></Object><Quiet>true</Quiet></Delete>",
    b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>&quot;a&quot;</ETag><ChecksumCRC32>AAAAAA=="
    b"</ChecksumCRC32></Part></CompleteMultipartUpload>",
    b"<RestoreRequest><Days>1</Days><GlacierJobParameters><Tier>Bulk</Tier></GlacierJobParameters></RestoreRequest>",
    b"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><Delete>&b;</Delete>",
    b"<?xml version='1.0' encoding='utf-16'?><Delete/>",
)

_STATEMENT = {
    "Sid": "a",
    "Effect": "Allow",
    "Principal": {"AWS": ["arn:aws:iam::123456789012:user/bob", "*"]},
    "Action": ["s3:Get*", "s3:List?ucket"],
    "Resource": ["arn:aws:s3:::bucket", "arn:aws:s3:::bucket/${aws:username}/*"],
    "Condition": {
        "IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "::1"]},
        "DateLessThanIfExists": {"aws:CurrentTime": "2030-01-01T00:00:00Z"},
        "NumericLessThan": {"s3:max-keys": "10"},
        "ForAnyValue:StringLike": {"s3:prefix": "a*"},
        "Null": {"s3:ExistingObjectTag/a": "false"},
    },
}
_USER_STATEMENT = {name: value for name, value in _STATEMENT.items() if name != "Principal"}
_POLICIES = tuple(
    json.dumps({"Version": "2012-10-17", "Statement": statement}).encode()
    for statement in (_STATEMENT, [_USER_STATEMENT], {**_USER_STATEMENT, "Effect": "Deny", "NotAction": "s3:*"})
)

_POST_POLICY = {
    "expiration": "2030-12-01T12:00:00.000Z",
    "conditions": [
        {"bucket": "bucket"},
        ["starts-with", "$key", ""],
        ["eq", "$Content-Type", "text/plain"],
        ["content-length-range", 0, 100],
    ],
}


def _part(name: str, value: str, more: str = "") -> str:
    return f'--b\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n{value}\r\n'


def _form() -> bytes:
    policy = b64encode(json.dumps(_POST_POLICY).encode()).decode()
    scope = f"{signing.USER.access_key}/20140513/eu-west-1/s3/aws4_request"
    fields = {
        "key": "a/${filename}",
        "policy": policy,
        "x-amz-algorithm": "AWS4-HMAC-SHA256",
        "x-amz-credential": scope,
    }
    fields |= {"x-amz-date": "20140513T165320Z", "x-amz-signature": "0" * 64, "x-amz-meta-a": "b"}
    parts = "".join(_part(name, value) for name, value in fields.items())
    return f'multipart/form-data; boundary="b"\n{parts}{_part("file", "bytes", "; filename=a")}--b--\r\n'.encode()


_USERS = (
    b'{"credentials": [{"accessKey": "abc", "secretKey": "12345678", "displayName": "a", "email": "a@b"}, {"keys": '
    b'[{"accessKey": "abd", "secretKey": "12345678", "expires": "2030-01-31T00:00:00Z"}], "policy": "readonly"}]}',
    b'{"credentials": [{"accessKey": "abc"}]}',
)
_TOML = (
    b'[server]\nport = 9000\nregion = "us-east-1"\nworkers = 2\naccess_log = false\ndomain = ["a.b"]\n'
    b'[[users]]\naccess_key = "abc"\nsecret_key = "12345678"\npolicy = "readonly"\n',
    b'[server]\nendpoint = ["tcp:9000"]\n[[users]]\nkeys = [{access_key = "abc", secret_key = "12345678"}]\n',
)
_KEYRING = (
    b'{"keys": [{"id": "5f0c", "name": "sse-s3", "created": "2026-11-27T12:00:00Z", "key": '
    b'"MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}]}',
)
_TARGETS = (
    b'[[targets]]\nname = "a"\ntype = "webhook"\nurl = "https://a.b/c"\nsecret = "whsec_YQ=="\ntimeout = 5\n'
    b'headers = {x = "y"}\n[[targets]]\nname = "b"\ntype = "file"\npath = "/tmp/a"\ngive_up = 3.5\n',
    b'[[targets]]\nname = "c"\ntype = "nats"\nurl = ["nats://a:4222"]\nsubject = "a.b"\njetstream = true\n',
)
_NOTES = (
    b'{"bucket": "b", "start": "k", "completed": 1.5}',
    b'{"began": 1.0, "ended": 0.0, "deep": true, "position": {"bucket": "b", "section": "s", "path": "p"}, "files": 1, '
    b'"read": 2, "damaged": 0}',
    b'{"name": "6A00000000001000", "message": {"Records": []}, "problem": "p", "attempts": 1, "time": 1.5}',
)
_RECORDS = (
    b'{"v":1,"s":[3,1400000000000000000,7],"e":"a","k":{"CRC32":"AAAAAA=="},"p":[[1,3,"a",0.0,{}]],"i":"u","o":"o",'
    b'"n":"x","l":["GOVERNANCE",1.0,true],"h":{"Content-Type":"a"},"u":{"a":"b"},"t":{},"a":{"g":[["a","READ"]]}}',
    b'{"v":1,"s":[3,1400000000000000000,7],"side":"00000000000000000000000000000000"}',
    b'{"v":1,"s":[3,1400000000000000000,7],"e":"a","c":{"a":"b"}}',
    b'{"v":1,"created":1.0,"owner":"o","versioning":"Enabled","lock":true,"configurations":{"policy":"{}"}}',
    b'{"v":1,"key":"k","initiated":1.0,"algorithm":"CRC32","type":"COMPOSITE"}',
    b'{"v":1,"part":[1,3,"a",0.0,{}],"place":"grid","offset":5}',
)
_CONDITIONS = (
    b'GET /\nif-match:"0", W/"a"\nif-none-match:*\nif-modified-since:Tue, 13 May 2014 16:53:20 GMT',
    b"DELETE /\nif-match:0\nx-amz-if-match-size:3\nx-amz-if-match-last-modified-time:Tue, 13 May 2014 16:53:20 GMT",
    b"PUT /\nx-amz-copy-source-if-match:0\nx-amz-copy-source-if-unmodified-since:Tuesday, 13-May-14 16:53:20 GMT",
    b'PUT /\nx-amz-rename-source-if-match:"0"\nif-range:"0"',
)
_HEADERS = (
    b"PUT /\nx-amz-meta-a:=?UTF-8?B?YQ==?=\nx-amz-meta-b:\xc3\xa9\ncontent-type:a\nexpires:x\nx-amz-tagging:a=b&c=%20",
    b'PUT /\nx-amz-acl:public-read\nx-amz-grant-read:id="a", uri="http://acs.amazonaws.com/groups/global/AllUsers"',
    b"PUT /\nx-amz-checksum-algorithm:CRC32\nx-amz-checksum-type:COMPOSITE\nx-amz-object-attributes:ETag, "
    b"ObjectParts\nx-amz-max-parts:2\nx-amz-part-number-marker:1\nx-amz-mp-object-size:27",
    b"PUT /\nx-amz-checksum-crc32:AAAAAA==\ncontent-md5:1B2M2Y8AsgTpgAmY7PhCfg==\nx-amz-sdk-checksum-algorithm:CRC32",
)

TARGETS = (
    Target(
        "request target",
        heads.request_target,
        (
            b"PUT /bucket/a%20b+%C3%A9?partNumber=1&uploadId=x\nx-amz-copy-source:a",
            b"GET b.s3.example.com:9000?list-type=2&tagging",
            b"POST ?delete=&x=%zz\n",
        ),
    ),
    Target("signature", heads.signature, tuple(_signed())),
    Target("range", heads.byte_range, (b"bytes=0-9", b"bytes=-5", b"bytes=5-", b"bytes=0-1,5-6")),
    Target("conditions", heads.conditional, _CONDITIONS),
    Target(
        "date",
        heads.date,
        (
            b"Tue, 13 May 2014 16:53:20 GMT",
            b"Tuesday, 13-May-14 16:53:20 GMT",
            b"Tue May 13 16:53:20 2014",
            b"20140513T165320Z",
        ),
    ),
    Target("copy source", heads.copy_source, (b"/bucket/a%2Fb?versionId=null", b"bucket/key", b"arn:aws:s3:::x/y")),
    Target("object headers", heads.object_headers, _HEADERS),
    Target("query values", heads.query_values, (b"1000", b"url", b"null", b"c3RhcnQ=", "a\U0010ffff".encode())),
    Target("aws-chunked", bodies.aws_chunked, _CHUNKS),
    Target("xml", bodies.xml, _XML),
    Target("lifecycle", documents.lifecycle, samples.LIFECYCLES),
    Target("bucket encryption", documents.bucket_encryption, samples.ENCRYPTIONS),
    Target("encryption headers", heads.encryption_headers, samples.ENCRYPTION_HEADERS),
    Target("cors", documents.cors_rules, samples.CORS),
    Target("cors request", documents.cors_request, samples.CORS_REQUESTS),
    Target("object lock", documents.object_lock, samples.LOCKS),
    Target("lock headers", heads.lock_headers, samples.LOCK_HEADERS),
    Target("notification", documents.events, samples.NOTIFICATIONS),
    Target("website", documents.websites, samples.WEBSITES),
    Target("logging", documents.logging, samples.LOGGINGS),
    Target("log line", heads.log_line, samples.LOG_LINES),
    Target("acl", documents.access_list, samples.ACLS),
    Target("small documents", documents.small, samples.SMALL),
    Target("tagging", documents.tags, samples.TAGS),
    Target("form", bodies.form, (_form(),)),
    Target("post policy", bodies.post_policy, (b64encode(json.dumps(_POST_POLICY).encode()), b"eyJhIjoxfQ==")),
    Target("policy", bodies.policy, _POLICIES),
    Target("settings", files.settings, _TOML),
    Target("credentials", files.credentials, _USERS),
    Target("keyring", files.keyring, _KEYRING),
    Target("targets", files.targets, _TARGETS),
    Target("notes", files.notes, _NOTES),
    Target("records", files.records, _RECORDS),
)
